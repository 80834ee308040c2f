"""A served ONNX model through Triton's clients. Called by saferl/services/onnx_serving_test.cc.

  test_onnx_serving.py PORT IN.npy OUT.npy   the model "scan" (rows of 2 x 8 in, 3 out) gives OUT for IN by REST and by
                                             gRPC; prints "ok"
"""
import sys

import numpy
import tritonclient.grpc
import tritonclient.http

rows = numpy.load(sys.argv[2]).reshape(-1, 2, 8)
want = numpy.load(sys.argv[3])
for module in (tritonclient.http, tritonclient.grpc):
    client = module.InferenceServerClient(f"localhost:{sys.argv[1]}")
    assert client.is_model_ready("scan", "1")
    tensor = module.InferInput("obs", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows)
    got = client.infer("scan", [tensor]).as_numpy("act")
    assert got.shape == want.shape and numpy.allclose(got, want, atol=1e-5), module.__name__
    client.close()
print("ok")
