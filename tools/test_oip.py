"""Clients that others wrote against our server: tritonclient (http and grpc, sync and aio), KServe's (REST and gRPC),
MLServer's `infer` command. Called by saferl/services/oip_clients_test.cc, which serves the model "small" (3 in, 2 out;
version 1: tanh(x), version 10: tanh(-x)) and "other", which the test of load and unload may drop.

  test_oip.py PORT CLIENT   prints "ok <number of checks>"; fails with what was wrong

One client a process: KServe's and Triton's protocol classes have the same names and do not load together.
"""
import asyncio
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

import numpy

ROWS = numpy.array([[0.5, 0.25, 0], [0, -1, 9]], numpy.float32)
WANT = numpy.tanh(ROWS[:, :2])
checks = 0


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        raise SystemExit(f"wrong: {what}")


async def value(of):
    """The result of a call, whether the client is sync or aio."""
    return await of if asyncio.iscoroutine(of) else of


async def refused(call, says, status=None):
    from tritonclient.utils import InferenceServerException
    try:
        await value(call())
    except InferenceServerException as error:
        check(says in str(error), f"'{says}' in '{error}'")
        if status is not None:
            check(status in str(error.status()), f"status {status} in '{error.status()}'")
        return
    check(False, f"refused with '{says}'")


def tensor_of(module, rows, shape=None, **binary):
    tensor = module.InferInput("observation", shape or list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, **binary)
    return tensor


async def triton_common(client, module, over_http, code):
    """What all four tritonclients offer."""
    def j(**kwargs):
        return kwargs if over_http else {**kwargs, "as_json": True}

    check(await value(client.is_server_live()) and await value(client.is_server_ready()), "live and ready")
    check(await value(client.is_model_ready("small")), "model ready")
    check(await value(client.is_model_ready("small", "1")), "version ready")
    check(not await value(client.is_model_ready("none")), "an unknown model is not ready")
    check(not await value(client.is_model_ready("small", "77")), "an unknown version is not ready")
    server = await value(client.get_server_metadata(**j()))
    check(server["name"] == "saferl" and "sequence" in server["extensions"], "server metadata")
    metadata = await value(client.get_model_metadata("small", **j()))
    check(metadata["versions"] == ["1", "10"], f"versions of {metadata}")
    check([int(d) for d in metadata["inputs"][0]["shape"]] == [-1, 3], "input shape")
    check(metadata["outputs"][0]["datatype"] == "FP32", "output type")
    config = await value(client.get_model_config("small", **j()))
    config = config if over_http else config["config"]
    check(config["max_batch_size"] > 0 and config["input"][0]["data_type"] == "TYPE_FP32", f"config {config}")
    check([int(d) for d in config["output"][0]["dims"]] == [2], f"dims of {config}")
    index = await value(client.get_model_repository_index(**j()))
    index = index if over_http else index["models"]
    check([m["version"] for m in index if m["name"] == "small" and m["state"] == "READY"] == ["1", "10"], f"index {index}")
    statistics = await value(client.get_inference_statistics(**j()))
    check(len(statistics["model_stats"]) >= 3, "statistics of every version")

    tensor = tensor_of(module, ROWS)
    for version, sign in (("1", 1), ("10", -1), ("", -1)):
        result = await value(client.infer("small", [tensor], model_version=version, request_id="r 1"))
        check(numpy.allclose(result.as_numpy("action"), sign * WANT, atol=1e-6), f"action of version '{version}'")
        response = result.get_response()
        check((response["id"] if over_http else response.id) == "r 1", "the id comes back")
    one = await value(client.infer("small", [tensor_of(module, ROWS[0])], model_version="1"))
    check(one.as_numpy("action").shape == (2,), "one row without a batch dimension")
    wish = [module.InferRequestedOutput("action")]
    result = await value(client.infer("small", [tensor], model_version="1", outputs=wish, priority=1, timeout=5_000_000,
                                      parameters={"robot": "wheelchair-7"}))
    check(numpy.allclose(result.as_numpy("action"), WANT, atol=1e-6), "an output asked for by name")

    bad = tensor_of(module, ROWS[:, :2].copy())
    await refused(lambda: client.infer("small", [bad]), "[rows, 3]", code["invalid"])
    await refused(lambda: client.infer("none", [tensor]), "not loaded", code["missing"])
    await refused(lambda: client.infer("small", [tensor], model_version="77"), "it has 1, 10", code["missing"])
    await refused(lambda: client.get_model_metadata("none"), "not loaded", code["missing"])
    await refused(lambda: client.infer("small", [tensor], outputs=[module.InferRequestedOutput("no")]), "action",
                  code["invalid"])
    await refused(lambda: client.infer("small", [tensor, tensor]), "", code["invalid"])
    await refused(lambda: client.infer("small", [tensor], outputs=[module.InferRequestedOutput("action", class_count=2)]),
                  "classification", code["invalid"])
    await refused(lambda: client.infer("small", [tensor], timeout=1), "deadline", code["late"])

    for sequence in (77, "robot-7"):
        ask = {"sequence_id": sequence, "model_version": ""}
        await refused(lambda: client.infer("small", [tensor], **ask), "sequence_start", code["invalid"])
        await value(client.infer("small", [tensor], sequence_start=True, sequence_id=sequence, model_version="1"))
        middle = await value(client.infer("small", [tensor], **ask))
        check(numpy.allclose(middle.as_numpy("action"), WANT, atol=1e-6), "a sequence stays on its version")
        await refused(lambda: client.infer("small", [tensor], sequence_id=sequence, model_version="10"), "began on",
                      code["invalid"])
        await value(client.infer("small", [tensor], sequence_end=True, **ask))
        await refused(lambda: client.infer("small", [tensor], **ask), "sequence_start", code["invalid"])

    await value(client.unload_model("other"))
    check(not await value(client.is_model_ready("other")), "unloaded")
    await refused(lambda: client.unload_model("other"), "not loaded", code["missing"])
    await value(client.load_model("other"))
    check(await value(client.is_model_ready("other")), "loaded again")
    await refused(lambda: client.load_model("never"), "never", code["missing"])
    await refused(lambda: client.load_model("other", config='{"max_batch_size": 1}'), "store", code["invalid"])

    # What does not apply here is refused, and never reported as an extension.
    for extension in ("system_shared_memory", "cuda_shared_memory", "trace", "logging"):
        check(extension not in server["extensions"], f"{extension} is not reported")
    await refused(lambda: client.get_system_shared_memory_status(), "", code["absent"])
    await refused(lambda: client.get_trace_settings(), "", code["absent"])
    await refused(lambda: client.get_log_settings(), "", code["absent"])


HTTP_CODES = {"invalid": "400", "missing": "404", "late": "504", "absent": "404"}
GRPC_CODES = {"invalid": "INVALID_ARGUMENT", "missing": "NOT_FOUND", "late": "DEADLINE_EXCEEDED",
              "absent": "UNIMPLEMENTED"}


async def triton_http(port):
    import tritonclient.http
    module = tritonclient.http
    client = module.InferenceServerClient(f"localhost:{port}", concurrency=4)
    await triton_common(client, module, True, HTTP_CODES)
    for binary_in in (False, True):
        for outputs in (None, [module.InferRequestedOutput("action", binary_data=True)],
                        [module.InferRequestedOutput("action", binary_data=False)]):
            for compression in (None, "gzip", "deflate"):
                result = client.infer("small", [tensor_of(module, ROWS, binary_data=binary_in)], model_version="1",
                                      outputs=outputs, request_compression_algorithm=compression,
                                      response_compression_algorithm=compression)
                check(numpy.allclose(result.as_numpy("action"), WANT, atol=1e-6), f"{binary_in} {outputs} {compression}")
    calls = [client.async_infer("small", [tensor_of(module, ROWS)], model_version="1") for _ in range(8)]
    for call in calls:
        check(numpy.allclose(call.get_result().as_numpy("action"), WANT, atol=1e-6), "async_infer")
    body, header = module.InferenceServerClient.generate_request_body([tensor_of(module, ROWS)])
    check(len(body) > header > 0, "a body made by the client")
    client.close()


async def triton_http_aio(port):
    import tritonclient.http.aio
    async with tritonclient.http.aio.InferenceServerClient(f"localhost:{port}") as client:
        await triton_common(client, tritonclient.http.aio, True, HTTP_CODES)


async def triton_grpc(port):
    import tritonclient.grpc
    module = tritonclient.grpc
    client = module.InferenceServerClient(f"localhost:{port}")
    await triton_common(client, module, False, GRPC_CODES)
    tensor = tensor_of(module, ROWS)
    for compression in (None, "gzip", "deflate"):
        result = client.infer("small", [tensor], model_version="1", compression_algorithm=compression)
        check(numpy.allclose(result.as_numpy("action"), WANT, atol=1e-6), f"compression {compression}")
    answers, done = [], threading.Semaphore(0)

    def answered(result, error):
        answers.append((result, error))
        done.release()

    for _ in range(8):
        client.async_infer("small", [tensor], answered, model_version="1")
    for _ in range(8):
        check(done.acquire(timeout=20), "async_infer answers")
    check(all(e is None and numpy.allclose(r.as_numpy("action"), WANT, atol=1e-6) for r, e in answers), "async_infer")
    del answers[:]
    client.start_stream(answered)
    for i in range(32):
        client.async_stream_infer("none" if i == 7 else "small", [tensor], model_version="1", request_id=str(i),
                                  enable_empty_final_response=True)
    for _ in range(32):
        check(done.acquire(timeout=20), "the stream answers")
    client.stop_stream()
    check([i for i, (r, e) in enumerate(answers) if e is not None] == [7], "one error, and the stream goes on")
    check("not loaded" in str(answers[7][1]), "the error says what is wrong")
    good = [r.get_response() for r, e in answers if e is None]
    check([r.id for r in good] == [str(i) for i in range(32) if i != 7], "in order")
    check(all(r.parameters["triton_final_response"].bool_param for r in good), "each is the last of its request")
    client.close()


async def triton_grpc_aio(port):
    import tritonclient.grpc
    import tritonclient.grpc.aio
    module = tritonclient.grpc.aio
    async with module.InferenceServerClient(f"localhost:{port}") as client:
        await triton_common(client, tritonclient.grpc, False, GRPC_CODES)
        tensor = tensor_of(tritonclient.grpc, ROWS)

        async def requests():
            for i in range(8):
                yield {"model_name": "small", "inputs": [tensor], "model_version": "1", "request_id": str(i)}

        ids = []
        async for result, error in client.stream_infer(requests()):
            check(error is None and numpy.allclose(result.as_numpy("action"), WANT, atol=1e-6), "stream_infer")
            ids.append(result.get_response().id)
        check(ids == [str(i) for i in range(8)], "stream_infer in order")


async def kserve_clients(port):
    import grpc
    import httpx
    import kserve

    def request(binary, bad=False):
        tensor = kserve.InferInput("observation", [2, 2 if bad else 3], "FP32")
        tensor.set_data_from_numpy(ROWS[:, :2].copy() if bad else ROWS, binary_data=binary)
        return kserve.InferRequest("small", [tensor], request_id="k 1", model_version="1")

    def action(response):
        return response.outputs[0].as_numpy()

    url = f"http://localhost:{port}"
    rest = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2", timeout=20))
    check(await rest.is_server_live(url) and await rest.is_server_ready(url), "live and ready")
    check(await rest.is_model_ready(url, "small") is True, "model ready")
    check(await rest.is_model_ready(url, "none") is False, "an unknown model is not ready")
    for binary in (False, True):
        answer = await rest.infer(url, request(binary), model_name="small")
        check(numpy.allclose(action(answer), -WANT, atol=1e-6) and answer.id == "k 1", f"infer {binary}")
    plain = {"inputs": [{"name": "observation", "shape": [2, 3], "datatype": "FP32", "data": ROWS.tolist()}]}
    answer = await rest.infer(url, plain, model_name="small")
    check(numpy.allclose(action(answer), -WANT, atol=1e-6) and answer.id, "nested data; an id is made")
    for data, model, says in ((request(False, bad=True), "small", "[rows, 3]"), (plain, "none", "not loaded")):
        try:
            await rest.infer(url, data, model_name=model)
            check(False, says)
        except httpx.HTTPStatusError as error:
            check(says in str(error), f"'{says}' in '{error}'")
    await rest.close()

    async with kserve.InferenceGRPCClient(f"localhost:{port}", timeout=20) as client:
        check(await client.is_server_live() and await client.is_server_ready(), "live and ready")
        check(await client.is_model_ready("small"), "model ready")
        check(not await client.is_model_ready("none"), "an unknown model is not ready")
        for binary in (False, True):  # this one sends the version, its REST client does not
            answer = await client.infer(request(binary))
            check(numpy.allclose(action(answer), WANT, atol=1e-6) and answer.id == "k 1", f"infer {binary}")
        try:
            await client.infer(request(True, bad=True))
            check(False, "refused")
        except grpc.RpcError as error:
            check(error.code() == grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")


async def mlserver_cli(port):
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "in.jsonl", pathlib.Path(folder) / "out.jsonl"
        lines = [json.dumps({"inputs": [{"name": "observation", "shape": [1, 3], "datatype": "FP32",
                                         "data": [[0.5, 0.25, i]]}]}) for i in range(12)]
        source.write_text("\n".join(lines) + "\n")
        command = str(pathlib.Path(sys.executable).with_name("mlserver"))
        for flags in ([], ["-b"]):
            target.unlink(missing_ok=True)
            run = subprocess.run([command, "infer", "-u", f"localhost:{port}", "-m", "small", "-i", str(source), "-o",
                                  str(target), "-w", "3", "-s", "4", *flags], capture_output=True,
                                 text=True, timeout=120, check=False)
            check(run.returncode == 0, f"mlserver infer {flags}: {run.stderr[-800:]}")
            answers = [json.loads(line) for line in target.read_text().splitlines()]
            check(len(answers) == 12, f"12 answers: {run.stderr[-800:]}")
            for answer in answers:
                check("outputs" in answer, f"no error:")
                data = numpy.array(answer["outputs"][0]["data"]).ravel()
                check(numpy.allclose(data, [-numpy.tanh(0.5), -numpy.tanh(0.25)], atol=1e-6), f"action")


CLIENTS = {"triton_http": triton_http, "triton_http_aio": triton_http_aio, "triton_grpc": triton_grpc,
           "triton_grpc_aio": triton_grpc_aio, "kserve": kserve_clients, "mlserver": mlserver_cli}

if __name__ == "__main__":
    asyncio.run(CLIENTS[sys.argv[2]](int(sys.argv[1])))
    print(f"ok {checks}")
