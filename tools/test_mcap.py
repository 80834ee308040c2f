"""Reads a decision log with the mcap package, which shares no code with ours. Called by mcap_python_test.

  test_mcap.py LOG   prints "<topic> <messages>" for each channel; fails on any CRC, index or schema that does not hold
"""

import json
import sys

from mcap.reader import make_reader
from mcap.stream_reader import StreamReader


def check_against_schema(value, schema):
    """Every property that the schema declares is there with its type (jsonschema's words, the few that we use)."""
    kinds = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool,
             "null": type(None)}
    allowed = schema.get("type", list(kinds))
    allowed = [allowed] if isinstance(allowed, str) else allowed
    if not any(isinstance(value, kinds[kind]) for kind in allowed):
        raise SystemExit(f"{value!r} is not {allowed}")
    for key, inner in schema.get("properties", {}).items():
        if isinstance(value, dict):
            check_against_schema(value[key], inner)


def main(path):
    counts = {}
    with open(path, "rb") as file:  # by index, as a viewer does
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        last = 0
        for schema, channel, message in reader.iter_messages():
            counts[channel.topic] = counts.get(channel.topic, 0) + 1
            if message.log_time < last:
                raise SystemExit("messages are out of order")
            last = message.log_time
            if channel.message_encoding == "json":
                check_against_schema(json.loads(message.data), json.loads(schema.data))
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}
    if "saferl" not in metadata or metadata["saferl"]["format"] != "1":
        raise SystemExit(f"metadata is {metadata}")
    if sum(counts.values()) != summary.statistics.message_count:
        raise SystemExit("the statistics count other messages than there are")
    with open(path, "rb") as file:  # front to back, every record
        for _ in StreamReader(file, validate_crcs=True).records:
            pass
    for topic, count in sorted(counts.items()):
        print(topic, count)


main(sys.argv[1])
