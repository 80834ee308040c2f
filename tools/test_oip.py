"""tritonclient against our server. Called by saferl/services/app_test.cc, which serves the model "small".

  test_oip.py PORT   prints "ok <number of checks>"; fails with what was wrong
"""
import sys

import numpy
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

checks = 0


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        raise SystemExit(f"wrong: {what}")


def refused(call, says):
    try:
        call()
    except InferenceServerException as error:
        check(says in str(error), f"'{says}' in '{error}'")
        return
    check(False, f"refused with '{says}'")


def main(port):
    client = http.InferenceServerClient(f"localhost:{port}")
    check(client.is_server_live() and client.is_server_ready(), "live and ready")
    check(client.is_model_ready("small") and client.is_model_ready("small", "1"), "model ready")
    check(not client.is_model_ready("none"), "an unknown model is not ready")
    check("binary_tensor_data" in client.get_server_metadata()["extensions"], "extensions")
    metadata = client.get_model_metadata("small")
    check(metadata["versions"] == ["1", "10"] and metadata["inputs"][0]["shape"] == [-1, 3], "metadata")
    check(client.get_model_config("small")["max_batch_size"] > 0, "config")
    check([m["version"] for m in client.get_model_repository_index() if m["state"] == "READY"] == ["1", "10"], "index")
    rows = numpy.array([[0.5, 0.25, 0], [0, -1, 9]], numpy.float32)
    want = numpy.tanh(rows[:, :2])
    for binary_in in (False, True):
        for outputs in (None, [http.InferRequestedOutput("action", binary_data=True)],
                        [http.InferRequestedOutput("action", binary_data=False)]):
            for compression in (None, "gzip", "deflate"):
                tensor = http.InferInput("observation", [2, 3], "FP32")
                tensor.set_data_from_numpy(rows, binary_data=binary_in)
                result = client.infer("small", [tensor], model_version="1", outputs=outputs, request_id="r 1",
                                      request_compression_algorithm=compression,
                                      response_compression_algorithm=compression)
                check(numpy.allclose(result.as_numpy("action"), want, atol=1e-6), f"action {binary_in} {outputs}")
                check(result.get_response()["id"] == "r 1", "the id comes back")
    bad = http.InferInput("observation", [2, 2], "FP32")
    bad.set_data_from_numpy(rows[:, :2].copy())
    refused(lambda: client.infer("small", [bad]), "[rows, 3]")
    refused(lambda: client.infer("none", [bad]), "not loaded")
    statistics = client.get_inference_statistics("small", "1")["model_stats"][0]
    check(statistics["inference_stats"]["success"]["count"] == 18, "statistics")
    check(statistics["inference_count"] == 36, "rows counted")
    client.unload_model("small")
    check(not client.is_model_ready("small"), "unloaded")
    print(f"ok {checks}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
