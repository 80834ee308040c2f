"""The control streams with clients that share no code with ours: the websockets package and grpcio.
Called by saferl/services/decide/decide_app_test.cc.

  test_control_stream.py PORT REQUEST.json PROTO_ROOT   prints "ok <number of checks>"; fails with what was wrong

REQUEST.json is what `saferl example request` prints for the wheelchair.
"""

import asyncio
import copy
import json
import struct
import sys
import tempfile
import time

import grpc
import grpc_tools.protoc
import websockets

PERIOD_NS = 20_000_000
checks = 0


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        raise SystemExit(f"wrong: {what}")


def at(template, tick, robot, u=None):
    """The request of that tick: every stamp moves on, the chair stands still."""
    request = copy.deepcopy(template)
    shift = tick * PERIOD_NS
    request["robot"] = robot
    request["now_ns"] += shift
    observation = request["observation"]
    observation["stamp_ns"] += shift
    observation["sequence"] += tick
    for part in ("state", "people", "lidar"):
        observation[part]["stamp_ns"] += shift
    for part in observation["people"]["parts"]:
        part["stamp_ns"] += shift
    request["human"]["stamp_ns"] += shift
    request["human"]["u"] = u or [0.0, 0.0]
    return request


def pad(values, n):
    return list(values) + [0.0] * (n - len(values))


def binary(request):
    """saferl/services/decide/stream_layout.h: saferl_tick."""
    o, h = request["observation"], request["human"]
    bytes_ = struct.pack("<qQq8d8d8dqqii", o["stamp_ns"], o["sequence"], o["state"]["stamp_ns"],
                         *pad(o["state"]["q"], 8), *pad(o["state"]["qd"], 8), *pad([], 8),
                         o["people"]["stamp_ns"], o["lidar"]["stamp_ns"],
                         len(o["people"]["parts"]), len(o["lidar"]["ranges_m"]))
    for part in o["people"]["parts"]:
        bytes_ += struct.pack("<7dqBBHI", *part["a"], *part["b"], part["radius_m"], part["stamp_ns"], 0,
                              part["person"], part["track"], 0)
    bytes_ += bytes(72 * (32 - len(o["people"]["parts"])))
    ranges = [float("inf") if r is None else r for r in o["lidar"]["ranges_m"]]
    bytes_ += struct.pack("<360f", *pad(ranges, 360))
    bytes_ += struct.pack("<qQ8dBBB5x", h["stamp_ns"], h["sequence"], *pad(h["u"], 8), 1, 0, 0)
    bytes_ += struct.pack("<ii24d", 0, 0, *pad([], 24)) + struct.pack("<q8dB7x", 0, *pad([], 8), 0)
    bytes_ += struct.pack("<B7x", 0)
    return struct.pack("<IIqQ", 1, 24 + len(bytes_), request["now_ns"], request["observation"]["sequence"]) + bytes_


async def stream(port, template):
    uri = f"ws://127.0.0.1:{port}/inference/stream?silence_ms=20000"
    async with websockets.connect(uri, open_timeout=20, close_timeout=20) as socket:
        for tick in range(30):
            await socket.send(json.dumps(at(template, tick, "ws", [0.3, 0.0])))
            decision = json.loads(await socket.recv())
            check(decision["command"]["sequence"] == tick + 1, f"order {decision}")
            check(decision["command"]["issued_ns"] == template["now_ns"] + tick * PERIOD_NS, "the robot's clock")
            if tick == 0:
                check(decision["mode"] == "nominal" and decision["command"]["u"][0] > 0, f"{decision}")
        await socket.send('{"robot":"ws","nonsense":1}')
        refused = json.loads(await socket.recv())
        check(refused["error"]["status"] == 400 and "nonsense" in refused["error"]["detail"], f"{refused}")
        await socket.send(json.dumps(at(template, 3, "ws")))  # a stamp from the past
        stopped = json.loads(await socket.recv())
        check("stop" in stopped["mode"], f"{stopped}")


async def binary_stream(port, template):
    uri = f"ws://127.0.0.1:{port}/inference/stream?silence_ms=20000&robot=bin&type=wheelchair"
    async with websockets.connect(uri, open_timeout=20, close_timeout=20) as socket:
        for tick in range(10):
            await socket.send(binary(at(template, tick, "bin")))
            answer = await socket.recv()
            check(isinstance(answer, bytes) and len(answer) == 112, f"a saferl_command, not {answer!r}")
            issued, valid_for, _, observed = struct.unpack_from("<qqQQ", answer)
            check(issued == template["now_ns"] + tick * PERIOD_NS and valid_for > 0, "issued_ns")
            check(observed == template["observation"]["sequence"] + tick, "observation_sequence")
            check(answer[104] == 0, f"nominal, not mode {answer[104]}")
        await socket.send(binary(at(template, 10, "bin"))[:-8])
        check("bytes" in json.loads(await socket.recv())["error"]["detail"], "a short record is refused")


async def silence(port, template):
    uri = f"ws://127.0.0.1:{port}/inference/stream?silence_ms=200"
    async with websockets.connect(uri, open_timeout=20, close_timeout=20) as socket:
        start = time.monotonic()  # the service counts from later: when it has the tick
        await socket.send(json.dumps(at(template, 0, "quiet")))
        await socket.recv()
        ended = json.loads(await asyncio.wait_for(socket.recv(), 20))
        check("silent for more than 200 ms" in ended["error"]["detail"], f"{ended}")
        check(time.monotonic() - start >= 0.2, "not before its bound")
        try:
            await asyncio.wait_for(socket.recv(), 20)
            check(False, "the stream ends")
        except websockets.ConnectionClosed:
            check(True, "ended")


def make_stubs(root):
    out = tempfile.mkdtemp()
    code = grpc_tools.protoc.main(["protoc", f"-I{root}", f"--python_out={out}", f"--grpc_python_out={out}",
                                   "saferl/services/decide/control.proto"])
    check(code == 0, "protoc")
    sys.path.insert(0, out)
    from saferl.services.decide import control_pb2, control_pb2_grpc
    return control_pb2, control_pb2_grpc


def observation(pb, request):
    o, h = request["observation"], request["human"]
    message = pb.Observation(robot=request["robot"], type="wheelchair", now_ns=request["now_ns"],
                             stamp_ns=o["stamp_ns"], observation_sequence=o["sequence"])
    message.state.CopyFrom(pb.State(**o["state"]))
    message.human.CopyFrom(pb.Human(stamp_ns=h["stamp_ns"], u=h["u"]))
    message.people.stamp_ns = o["people"]["stamp_ns"]
    for part in o["people"]["parts"]:
        a, b = (pb.Point(x=p[0], y=p[1], z=p[2]) for p in (part["a"], part["b"]))
        message.people.parts.add(a=a, b=b, radius_m=part["radius_m"], stamp_ns=part["stamp_ns"],
                                 person=part["person"], track=part["track"])
    message.lidar.stamp_ns = o["lidar"]["stamp_ns"]
    message.lidar.ranges_m.extend(float("inf") if r is None else r for r in o["lidar"]["ranges_m"])
    return message


def grpc_stream(port, template, pb, pb_grpc):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = pb_grpc.ControlStub(channel)
        ticks = (observation(pb, at(template, tick, "g", [0.3, 0.0])) for tick in range(30))
        decisions = list(stub.Decide(ticks, timeout=60, metadata=[("silence-ms", "20000")]))
        check(len(decisions) == 30, "an answer to each")
        check([d.sequence for d in decisions] == list(range(1, 31)), "in order")
        check(decisions[0].mode == "nominal" and decisions[0].u[0] > 0 and decisions[0].margins, "a decision")
        bad = observation(pb, at(template, 30, "g"))
        bad.state.qd.append(0.0)
        try:
            list(stub.Decide(iter([bad]), timeout=60))
            check(False, "refused")
        except grpc.RpcError as error:
            check(error.code() == grpc.StatusCode.INVALID_ARGUMENT, f"{error}")
            check("observation.state.qd: 3 numbers; send 2" in error.details(), f"{error}")

        def one_then_silence():
            yield observation(pb, at(template, 0, "gq"))
            time.sleep(3)

        try:
            list(stub.Decide(one_then_silence(), timeout=60, metadata=[("silence-ms", "200")]))
            check(False, "silence ends it")
        except grpc.RpcError as error:
            check(error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and "silent" in error.details(), f"{error}")


def main(port, path, root):
    with open(path) as file:
        template = json.load(file)
    asyncio.run(stream(port, template))
    asyncio.run(binary_stream(port, template))
    asyncio.run(silence(port, template))
    grpc_stream(port, template, *make_stubs(root))
    print(f"ok {checks}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
