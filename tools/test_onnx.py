"""Crosses saferl's ONNX files with the reference evaluator of the onnx package. Called by onnx_python_test.

  test_onnx.py evaluate MODEL INPUT OUTPUT   checks MODEL, runs it on the rows of INPUT (.npy), writes OUTPUT (.npy)
  test_onnx.py make DIR                      writes models as other tools make them, with inputs and outputs:
                                             DIR/<name>.onnx, DIR/<name>.in.npy, DIR/<name>.out.npy; prints the names
  test_onnx.py beyond DIR                    the same of models that our own kernels cannot express
  test_onnx.py stateful DIR                  the same of models that keep a state; rows are one sequence, from zeros on
  test_onnx.py external DIR                  DIR/external.onnx, DIR/external_inside.onnx: numbers in another file
  test_onnx.py library                       prints where the onnxruntime package keeps its library
"""

import glob
import importlib.util
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def evaluate(model_path, input_path, output_path):
    model = onnx.load(model_path)
    onnx.checker.check_model(model, full_check=True)
    rows = np.load(input_path)
    (result,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: rows})
    np.save(output_path, result.astype(np.float32))


class Chain:
    """A model under construction: one value that each step replaces."""

    def __init__(self, rng, n_in, opset, raw):
        self.rng, self.opset, self.raw = rng, opset, raw
        self.nodes, self.constants = [], []
        self.n_in = self.width = n_in
        self.value = "obs"

    def constant(self, array):
        name = f"c{len(self.constants)}"
        array = np.asarray(array, np.float32)
        if self.raw:
            tensor = numpy_helper.from_array(array, name)
        else:
            tensor = helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.flatten().tolist())
        self.constants.append(tensor)
        return name

    def node(self, op, *others, first=True, **attributes):
        out = f"v{len(self.nodes)}"
        inputs = [self.value, *others] if first else [*others, self.value]
        self.nodes.append(helper.make_node(op, inputs, [out], **attributes))
        self.value = out
        return self

    def weight(self, n_out, transposed):
        w = self.rng.normal(0, 1 / np.sqrt(self.width), (self.width, n_out))
        self.width = n_out
        return self.constant(w.T.copy() if transposed else w)

    def gemm(self, n_out, trans_b=0, bias=True, **attributes):
        inputs = [self.weight(n_out, trans_b)]
        if bias:
            inputs.append(self.constant(self.rng.normal(0, 0.3, bias if isinstance(bias, tuple) else (n_out,))))
        return self.node("Gemm", *inputs, transB=trans_b, **attributes)

    def matmul(self, n_out, add_first=False):
        self.node("MatMul", self.weight(n_out, False))
        return self.node("Add", self.constant(self.rng.normal(0, 0.3, (n_out,))), first=not add_first)

    def inline_constant(self, value):
        out = f"k{len(self.nodes)}"
        self.nodes.append(helper.make_node("Constant", [], [out], value=numpy_helper.from_array(
            np.asarray(value, np.float32))))
        return out

    def model(self):
        graph = helper.make_graph(
            self.nodes, "policy",
            [helper.make_tensor_value_info("obs", TensorProto.FLOAT, ["N", self.n_in])],
            [helper.make_tensor_value_info(self.value, TensorProto.FLOAT, ["N", self.width])],
            self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        onnx.checker.check_model(model, full_check=True)
        return model


def models():
    def chain(seed, n_in, opset=13, raw=True):
        return Chain(np.random.default_rng(seed), n_in, opset, raw)

    c = chain(1, 12)  # as torch exports a squashed actor
    yield "torch_like", c.gemm(64, 1).node("Tanh").gemm(64, 1).node("Tanh").gemm(3, 1).node("Tanh").model()
    c = chain(2, 7, raw=False)  # as Keras converters do: MatMul, Add; weights as float_data
    yield "keras_like", c.matmul(20).node("Relu").matmul(33, add_first=True).node("Sigmoid").matmul(2).model()
    c = chain(3, 5)  # every Gemm attribute and bias shape
    c.gemm(9, 1, bias=(1, 9), alpha=0.5, beta=2.0).node("Sigmoid").gemm(8, 0, bias=(1,), beta=-1.0).node("Relu")
    yield "gemm_forms", c.gemm(4, 0, bias=False, alpha=-1.5).model()
    c = chain(4, 6)  # normaliser in front, scale behind, in pieces
    c.node("Add", c.constant(c.rng.normal(0, 1, (6,)))).node("Mul", c.constant(c.rng.uniform(0.2, 3, (1, 6))))
    c.node("Sub", c.constant(0.25)).node("Div", c.constant(c.rng.uniform(0.5, 2, (6,))))
    c.node("Clip", c.inline_constant(-2.0), c.inline_constant(2.0)).gemm(16).node("Tanh")
    c.node("Mul", c.constant(c.rng.normal(0, 1, (16,)))).node("Sub", c.constant(c.rng.normal(0, 1, (16,))))
    c.gemm(3).node("Mul", c.constant(0.7)).node("Tanh").node("Mul", c.constant([1.0, 2.0, 3.0]), first=False)
    yield "scaled", c.node("Add", c.constant([0.1, 0.2, 0.3])).model()
    c = chain(5, 3, opset=7)
    yield "old_opset", c.gemm(8).node("Relu").gemm(1).model()


def graph(name, nodes, input_shape, output_shape, constants):
    value = helper.make_tensor_value_info
    made = helper.make_model(helper.make_graph(
        nodes, name, [value("obs", TensorProto.FLOAT, input_shape)], [value("act", TensorProto.FLOAT, output_shape)],
        [numpy_helper.from_array(array.astype(np.float32), key) for key, array in constants.items()]),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made


def beyond():
    rng = np.random.default_rng(7)
    node = helper.make_node
    yield "norm", graph(
        "norm", [node("LayerNormalization", ["obs", "scale", "shift"], ["n"]), node("MatMul", ["n", "w"], ["act"])],
        ["N", 6], ["N", 4], {"scale": rng.normal(1, 0.2, 6), "shift": rng.normal(0, 0.2, 6), "w": rng.normal(0, 1, (6, 4))})
    yield "scan", graph(
        "scan", [node("Conv", ["obs", "k", "b"], ["c"], pads=[1, 1]), node("Relu", ["c"], ["r"]),
                 node("GlobalAveragePool", ["r"], ["p"]), node("Flatten", ["p"], ["act"])],
        ["N", 2, 8], ["N", 3], {"k": rng.normal(0, 1, (3, 2, 3)), "b": rng.normal(0, 1, 3)})


def stateful():
    rng = np.random.default_rng(11)
    node, value = helper.make_node, helper.make_tensor_value_info

    def model(name, nodes, inputs, outputs, constants):
        made = helper.make_model(helper.make_graph(
            nodes, name, [value(key, TensorProto.FLOAT, shape) for key, shape in inputs],
            [value(key, TensorProto.FLOAT, shape) for key, shape in outputs],
            [numpy_helper.from_array(np.asarray(array, np.int64 if key == "axis" else np.float32), key)
             for key, array in constants.items()]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(made, full_check=True)
        return made

    yield "gru", model(
        "gru", [node("Unsqueeze", ["obs", "axis"], ["one"]),
                node("GRU", ["one", "w", "r", "b", "", "h0"], ["", "hn"], hidden_size=4),
                node("Squeeze", ["hn", "axis"], ["h"]), node("MatMul", ["h", "out"], ["act"])],
        [("obs", ["N", 3]), ("h0", [1, "N", 4])], [("act", ["N", 2]), ("hn", [1, "N", 4])],
        {"axis": [0], "w": rng.normal(0, 1, (1, 12, 3)), "r": rng.normal(0, 1, (1, 12, 4)),
         "b": rng.normal(0, 1, (1, 24)), "out": rng.normal(0, 1, (4, 2))})
    # Two states, whose places are not those of the data: what was seen last, and a leaking sum of all.
    yield "two", model(
        "two", [node("Mul", ["sum_in", "leak"], ["less"]), node("Add", ["less", "obs"], ["sum_out"]),
                node("Identity", ["obs"], ["last.out.0"]), node("Sub", ["sum_out", "last.in.0"], ["act"])],
        [("sum_in", ["N", 2]), ("last.in.0", ["N", 2]), ("obs", ["N", 2])],
        [("sum_out", ["N", 2]), ("last.out.0", ["N", 2]), ("act", ["N", 2])], {"leak": [0.75]})


def make_sequence(directory, made):
    for name, model in made:
        onnx.save(model, f"{directory}/{name}.onnx")
        shapes = {port.name: [max(1, d.dim_value) for d in port.type.tensor_type.shape.dim] for port in model.graph.input}
        rows = np.random.default_rng(5).normal(0, 1, (64, *shapes.pop("obs")[1:])).astype(np.float32)
        state = {key: np.zeros(shape, np.float32) for key, shape in shapes.items()}
        following = {"h0": "hn", "sum_in": "sum_out", "last.in.0": "last.out.0"}
        evaluator, answers = ReferenceEvaluator(model), []
        for row in rows:
            given = dict(zip(evaluator.output_names, evaluator.run(None, {"obs": row[None], **state})))
            state = {key: given[following[key]].astype(np.float32) for key in state}
            answers.append(given["act"][0])
        np.save(f"{directory}/{name}.in.npy", rows)
        np.save(f"{directory}/{name}.out.npy", np.ascontiguousarray(answers, np.float32))
        print(name)


def external(directory):
    """Models whose numbers would come from another file: in the graph, and in a branch of it."""
    def tensor():
        made = numpy_helper.from_array(np.ones(2, np.float32), "c")
        made.ClearField("raw_data")
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value="weights.bin")
        return made

    value = helper.make_tensor_value_info
    ends = [value("obs", TensorProto.FLOAT, [2])], [value("act", TensorProto.FLOAT, [2])]
    add = helper.make_node("Add", ["obs", "c"], ["act"])
    plain = helper.make_graph([add], "plain", *ends, [tensor()])
    branch = helper.make_graph([helper.make_node("Constant", [], ["r"], value=tensor())], "branch", [],
                               [value("r", TensorProto.FLOAT, [2])])
    inside = helper.make_graph([helper.make_node("If", ["yes"], ["act"], then_branch=branch, else_branch=branch)],
                               "inside", *ends, [numpy_helper.from_array(np.array(True), "yes")])
    for name, made in (("external", plain), ("external_inside", inside)):
        with open(f"{directory}/{name}.onnx", "wb") as file:
            file.write(helper.make_model(made, ir_version=8).SerializeToString())


def library():
    spec = importlib.util.find_spec("onnxruntime")
    print(glob.glob(f"{spec.submodule_search_locations[0]}/capi/libonnxruntime.so*")[0])


def make(directory, made):
    for name, model in made:
        onnx.save(model, f"{directory}/{name}.onnx")
        shape = [64] + [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
        rows = np.random.default_rng(99).normal(0, 2, shape).astype(np.float32)
        (result,) = ReferenceEvaluator(model).run(None, {"obs": rows})
        rows = rows.reshape(64, -1)
        np.save(f"{directory}/{name}.in.npy", rows)
        np.save(f"{directory}/{name}.out.npy", np.ascontiguousarray(result, np.float32))
        print(name)


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "evaluate":
        evaluate(*sys.argv[2:])
    elif len(sys.argv) == 3 and sys.argv[1] == "make":
        make(sys.argv[2], models())
    elif len(sys.argv) == 3 and sys.argv[1] == "beyond":
        make(sys.argv[2], beyond())
    elif len(sys.argv) == 3 and sys.argv[1] == "stateful":
        make_sequence(sys.argv[2], stateful())
    elif len(sys.argv) == 3 and sys.argv[1] == "external":
        external(sys.argv[2])
    elif len(sys.argv) == 2 and sys.argv[1] == "library":
        library()
    else:
        sys.exit(__doc__)
