#!/usr/bin/env python3
"""Turns docs/openapi.yaml into a C source with the JSON text that the server hands out.

usage: embed_openapi.py IN.yaml VERSION OUT.c

Refuses what would make the description lie: a reference to nothing, an operation without an id or with one
that is taken, a path parameter that is not declared.
"""
import hashlib
import json
import re
import sys

import yaml


def fail(text):
    sys.exit(f"embed_openapi.py: {text}")


def walk(node, where=""):
    """Every (path, node) of the document."""
    yield where, node
    if isinstance(node, dict):
        for key, value in node.items():
            if not isinstance(key, str):
                fail(f"{where}: the key {key!r} is not text; put it in quotes")
            yield from walk(value, f"{where}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{where}/{index}")


def resolve(document, reference):
    node = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(node, dict) or part not in node:
            return None
        node = node[part]
    return node


def check(document):
    for where, node in walk(document):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if isinstance(reference, str) and resolve(document, reference) is None:
            fail(f"{where}: refers to {reference}, which is not there")
    seen = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            name = operation.get("operationId")
            if name is None or name in seen:
                fail(f"{method} {path}: operationId is missing or taken")
            seen.add(name)
            given = item.get("parameters", []) + operation.get("parameters", [])
            given = [resolve(document, p["$ref"]) if "$ref" in p else p for p in given]
            declared = {p["name"] for p in given if p["in"] == "path"}
            if declared != set(re.findall(r"\{(\w+)\}", path)):
                fail(f"{method} {path}: the path's parameters and those declared differ")


def main():
    if len(sys.argv) != 4:
        fail("usage: embed_openapi.py IN.yaml VERSION OUT.c")
    source, version, target = sys.argv[1:]
    with open(source, encoding="utf-8") as f:
        document = yaml.safe_load(f)
    document["info"]["version"] = version
    check(document)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    tag = hashlib.sha256(text).hexdigest()
    rows = [", ".join(str(b) for b in text[i : i + 24]) for i in range(0, len(text), 24)]
    with open(target, "w", encoding="utf-8") as f:
        f.write('#include "api/openapi.h"\n\n')
        f.write(f'const char openapi_etag[] = "\\"{tag}\\"";\n')
        f.write(f"const size_t openapi_size = {len(text)};\n")
        f.write("const unsigned char openapi_json[] = {\n    " + ",\n    ".join(rows) + "};\n")


if __name__ == "__main__":
    main()
