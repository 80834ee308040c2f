"""The served OpenAPI documents against the specification. Called by saferl/services/document_test.cc.

  test_openapi.py PORT...    prints "ok <number> documents, ..."; fails with what was wrong
"""
import json
import sys
import urllib.request

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator


def schemas(node):
    """Every JSON schema in the document: the specification's own schema does not look into them."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "schema":
                yield value
            elif key == "schemas":
                yield from value.values()
            else:
                yield from schemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from schemas(value)


def must_refuse(document):
    """The validator has teeth: a path parameter that no operation declares, a type that is none."""
    broken = json.loads(json.dumps(document))
    path = next(path for path in broken["paths"] if "{" in path)
    for operation in broken["paths"][path].values():
        operation["parameters"] = []
    if next(OpenAPIV31SpecValidator(broken).iter_errors(), None) is None:
        raise SystemExit("wrong: the validator takes a path parameter that is not declared")


def main(ports):
    operations, checked = 0, 0
    for port in ports:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=20) as response:
            document = json.load(response)
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in
                  OpenAPIV31SpecValidator(document).iter_errors()]
        if errors:
            raise SystemExit(f"wrong: port {port}: " + "\n".join(errors[:20]))
        for schema in schemas(document):
            Draft202012Validator.check_schema(schema)
            checked += 1
        if any("{" in path for path in document["paths"]):
            must_refuse(document)
        operations += sum(len(methods) for methods in document["paths"].values())
    print(f"ok {len(ports)} documents, {operations} operations, {checked} schemas")


main(sys.argv[1:])
