"""Served ONNX models through Triton's clients. Called by saferl/services/onnx_serving_test.cc.

  test_onnx_serving.py PORT IN.npy OUT.npy            the model "scan" (rows of 2 x 8 in, 3 out) gives OUT for IN by REST
                                                      and by gRPC; prints "ok"
  test_onnx_serving.py PORT IN.npy OUT.npy sequence   the model "gru" gives OUT for the rows of IN as one sequence, by
                                                      REST, by gRPC and by a stream that does not wait; its configuration
                                                      names its state; prints "ok"
"""
import queue
import sys

import numpy
import tritonclient.grpc
import tritonclient.http

MODULES = (tritonclient.http, tritonclient.grpc)


def tensor(module, rows):
    made = module.InferInput("obs", list(rows.shape), "FP32")
    made.set_data_from_numpy(rows)
    return [made]


def check_rows(port, rows, want):
    rows = rows.reshape(-1, 2, 8)
    for module in MODULES:
        client = module.InferenceServerClient(f"localhost:{port}")
        assert client.is_model_ready("scan", "1")
        got = client.infer("scan", tensor(module, rows)).as_numpy("act")
        assert got.shape == want.shape and numpy.allclose(got, want, atol=1e-5), module.__name__
        client.close()


def flags(index, count):
    return {"sequence_start": index == 0, "sequence_end": index == count - 1}


def check_sequence(port, rows, want):
    for number, module in enumerate(MODULES, 1):
        client = module.InferenceServerClient(f"localhost:{port}")
        got = [client.infer("gru", tensor(module, row[None]), sequence_id=number, **flags(i, len(rows))).as_numpy("act")[0]
               for i, row in enumerate(rows)]
        assert numpy.allclose(got, want, atol=1e-5), module.__name__
        config = client.get_model_config("gru", **({"as_json": True} if number == 2 else {}))
        state = config.get("config", config)["sequence_batching"]["state"][0]
        assert (state["input_name"], state["output_name"]) == ("h0", "hn"), state
        assert [int(d) for d in state["dims"]] == [1, 1, 4] and state["data_type"] == "TYPE_FP32", state
        client.close()
    client = tritonclient.grpc.InferenceServerClient(f"localhost:{port}")
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for i, row in enumerate(rows):
        client.async_stream_infer("gru", tensor(tritonclient.grpc, row[None]), request_id=str(i), sequence_id="robot-7",
                                  **flags(i, len(rows)))
    for _ in rows:
        result, error = answers.get(timeout=30)
        assert error is None, error
        i = int(result.get_response().id)
        assert numpy.allclose(result.as_numpy("act")[0], want[i], atol=1e-5), i
    client.stop_stream()
    client.close()


if __name__ == "__main__":
    check = check_sequence if sys.argv[4:] == ["sequence"] else check_rows
    check(sys.argv[1], numpy.load(sys.argv[2]), numpy.load(sys.argv[3]))
    print("ok")
