"""A small OTLP/HTTP collector for the tests: checks each request against the fields of OTLP's JSON encoding.

  test_otlp.py STATUS...    answers the first requests with these statuses, the rest with 200

Prints its port, then one JSON line a request: {"status", "errors", "spans"}. Ends when its input ends.
"""
import http.server
import json
import re
import sys
import threading

SPAN = {"traceId", "spanId", "traceState", "parentSpanId", "flags", "name", "kind", "startTimeUnixNano",
        "endTimeUnixNano", "attributes", "droppedAttributesCount", "events", "droppedEventsCount", "links",
        "droppedLinksCount", "status"}
VALUE = {"stringValue": str, "boolValue": bool, "intValue": str, "doubleValue": (int, float)}
statuses = [int(s) for s in sys.argv[1:]]


def check_keys(where, value, known, errors):
    for key in set(value) - known:
        errors.append(f"{where}: unknown field {key}")


def check_attributes(where, attributes, errors):
    for a in attributes:
        check_keys(where, a, {"key", "value"}, errors)
        if len(a["value"]) != 1:
            errors.append(f"{where}.{a['key']}: not one value")
        for kind, value in a["value"].items():
            if kind not in VALUE or not isinstance(value, VALUE[kind]):
                errors.append(f"{where}.{a['key']}: {kind} is {value!r}")
            if kind == "intValue" and not re.fullmatch(r"-?\d+", value):
                errors.append(f"{where}.{a['key']}: intValue {value!r}")


def check_span(span, errors):
    check_keys("span", span, SPAN, errors)
    for key, digits in (("traceId", 32), ("spanId", 16)):
        if not re.fullmatch(f"[0-9a-f]{{{digits}}}", span.get(key, "")) or set(span[key]) == {"0"}:
            errors.append(f"{key}: {span.get(key)!r}")
    if not re.fullmatch("([0-9a-f]{16})?", span.get("parentSpanId", "")):
        errors.append(f"parentSpanId: {span['parentSpanId']!r}")
    if not isinstance(span.get("kind"), int) or not 1 <= span["kind"] <= 5:
        errors.append(f"kind: {span.get('kind')!r}")
    start, end = span.get("startTimeUnixNano"), span.get("endTimeUnixNano")
    if not (isinstance(start, str) and isinstance(end, str) and int(start) <= int(end)):
        errors.append(f"times: {start!r} {end!r}")
    if not span.get("name"):
        errors.append("name: empty")
    check_attributes("attributes", span.get("attributes", []), errors)
    check_keys("status", span.get("status", {}), {"code", "message"}, errors)


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        errors, spans = [], []
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/traces":
            errors.append(f"path: {self.path}")
        if self.headers["Content-Type"] != "application/json":
            errors.append(f"Content-Type: {self.headers['Content-Type']}")
        request = json.loads(body)
        check_keys("request", request, {"resourceSpans"}, errors)
        for resource_spans in request["resourceSpans"]:
            check_keys("resourceSpans", resource_spans, {"resource", "scopeSpans", "schemaUrl"}, errors)
            check_attributes("resource", resource_spans["resource"]["attributes"], errors)
            for scope_spans in resource_spans["scopeSpans"]:
                check_keys("scopeSpans", scope_spans, {"scope", "spans", "schemaUrl"}, errors)
                for span in scope_spans["spans"]:
                    check_span(span, errors)
                    spans.append(span)
        status = statuses.pop(0) if statuses else 200
        answer = b'{"partialSuccess":{"rejectedSpans":"1"}}' if status == 206 else b"{}"
        status = 200 if status == 206 else status
        print(json.dumps({"status": status, "errors": errors, "spans": spans,
                          "token": self.headers.get("X-Token", "")}), flush=True)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
