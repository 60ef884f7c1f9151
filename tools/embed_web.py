#!/usr/bin/env python3
"""Turns the console's pages into a C source with what the server hands out, as they are and gzipped.

usage: embed_web.py FOLDER CHARTS.js OUT.c DEPFILE

FOLDER is web/, CHARTS.js the charts' library as the distribution packages it, served as chart.js.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def array(name, data):
    rows = [",".join(str(b) for b in data[i : i + 32]) for i in range(0, len(data), 32)]
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(rows) + "};\n"


def main():
    if len(sys.argv) != 5:
        sys.exit("usage: embed_web.py FOLDER CHARTS.js OUT.c DEPFILE")
    folder, charts = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    if not charts.is_file():
        sys.exit(f"embed_web.py: {charts} is missing: install the package libjs-chart.js")
    files = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.suffix in TYPES}
    files["chart.js"] = charts
    out = ['#include "server/web.h"\n']
    rows = []
    for i, (name, path) in enumerate(files.items()):
        data = path.read_bytes()
        packed = gzip.compress(data, 9, mtime=0)
        tag = hashlib.sha256(data).hexdigest()[:32]
        out += [array(f"whole{i}", data), array(f"packed{i}", packed)]
        rows.append(
            f'    {{"{name}", "{TYPES[path.suffix]}", "\\"{tag}\\"", "\\"{tag}-gzip\\"",\n'
            f"     whole{i}, sizeof whole{i}, packed{i}, sizeof packed{i}}},"
        )
    out += ["const struct web_file web_files[] = {", *rows, "};"]
    out.append("const size_t web_file_count = sizeof web_files / sizeof web_files[0];\n")
    pathlib.Path(sys.argv[3]).write_text("\n".join(out), encoding="utf-8")
    folders = [folder, *(p for p in folder.rglob("*") if p.is_dir())]
    needs = " ".join(str(p) for p in [*files.values(), *folders])
    pathlib.Path(sys.argv[4]).write_text(f"{sys.argv[3]}: {needs}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
