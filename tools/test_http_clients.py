"""Real HTTP and WebSocket clients against our server. Called by saferl/net/real_clients_test.cc, which serves the routes.

  test_http_clients.py PORT   prints "ok <number of checks>"; fails with what was wrong
"""

import asyncio
import gzip
import http.client
import json
import sys
import urllib.error
import urllib.request
import zlib

import websockets

checks = 0


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        raise SystemExit(f"wrong: {what}")


def keep_alive(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for number in range(20):
        connection.request("POST", "/echo", body=f"body {number}", headers={"Content-Type": "text/plain"})
        response = connection.getresponse()
        check(response.status == 200 and response.read() == f"body {number}".encode(), f"echo {number}")
    # A generator is sent in chunks.
    connection.request("POST", "/echo", body=(piece for piece in (b"a" * 100, b"b" * 5000, b"c")), encode_chunked=True)
    check(connection.getresponse().read() == b"a" * 100 + b"b" * 5000 + b"c", "chunked upload")
    connection.request("HEAD", "/openapi.json")
    response = connection.getresponse()
    check(response.status == 200 and response.read() == b"" and int(response.headers["Content-Length"]) > 0, "HEAD")
    connection.request("DELETE", "/echo")
    response = connection.getresponse()
    check(response.status == 405 and response.headers["Allow"] == "OPTIONS, POST", "405")
    check(json.loads(response.read())["status"] == 405, "problem")


def compression(port):
    url = f"http://127.0.0.1:{port}/echo"
    for name, pack, unpack in (("gzip", gzip.compress, gzip.decompress), ("deflate", zlib.compress, zlib.decompress)):
        text = b"the same words again and again " * 200
        request = urllib.request.Request(url, data=pack(text), method="POST", headers={
            "Content-Encoding": name, "Accept-Encoding": name})
        with urllib.request.urlopen(request, timeout=20) as response:
            check(response.headers["Content-Encoding"] == name, f"{name} was used")
            check(unpack(response.read()) == text, f"{name} comes back")
    try:
        urllib.request.urlopen(urllib.request.Request(url, data=b"x", headers={"Content-Encoding": "br"}), timeout=20)
        check(False, "brotli is refused")
    except urllib.error.HTTPError as error:
        check(error.code == 415, "415")


def document(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=20) as response:
        api = json.loads(response.read())
    check(api["openapi"] == "3.1.0" and set(api["paths"]) == {"/echo", "/events", "/socket", "/openapi.json", "/docs"},
          "every route is in the document")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/events", timeout=20) as response:
        check(response.read() == b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", "events until their end")


async def websocket(port):
    uri = f"ws://127.0.0.1:{port}/socket"
    async with websockets.connect(uri, open_timeout=20, close_timeout=20) as socket:
        for message in ("text", "", "é" * 1000, b"\x00\xff" * 40000, "x" * 70000):
            await socket.send(message)
            check(await asyncio.wait_for(socket.recv(), 20) == message, f"message of {len(message)}")
        await socket.send(["frag", "men", "ted"])
        check(await asyncio.wait_for(socket.recv(), 20) == "fragmented", "fragments")
        await asyncio.wait_for(await socket.ping(), 20)
        check(True, "ping")
    check(socket.close_code == 1000, f"closed with {socket.close_code}")
    async with websockets.connect(uri, open_timeout=20, max_size=None) as socket:
        await socket.send("x" * 200_000)
        try:
            await asyncio.wait_for(socket.recv(), 20)
            check(False, "a message above the limit ends the connection")
        except websockets.ConnectionClosed as error:
            check(error.rcvd is not None and error.rcvd.code == 1009, "1009")
    try:
        async with websockets.connect(uri, open_timeout=20, origin="http://evil.example"):
            check(False, "a foreign origin is refused")
    except websockets.InvalidStatus as error:
        check(error.response.status_code == 403, "403")
    except websockets.InvalidStatusCode as error:
        check(error.status_code == 403, "403")


def main(port):
    keep_alive(port)
    compression(port)
    document(port)
    asyncio.run(websocket(port))
    print(f"ok {checks}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
