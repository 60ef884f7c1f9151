"""tools/check_style.py: it says nothing about good code, and finds each thing that it is for."""

import pathlib
import subprocess
import sys

import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
TABLE = """# Architecture
| folder | what it holds | may include |
|---|---|---|
| `include/` | public headers | nothing of ours |
| `src/base` | all kinds of things | – |
| `src/http` | bytes | base |
| `src/net` | sockets | http, base |
| `src/cmd` | verbs | all but net |
"""
UNFINISHED = "TO" + "DO"
HEADER = "#ifndef PQOTA_HTTP_THING_H\n#define PQOTA_HTTP_THING_H\n\n#include \"base/err.h\"\n\n#endif\n"
SOURCE = ('#include "http/thing.h"\n\n#include <stdio.h>\n\n#include "base/err.h"\n\n'
          "int f(void)\n{\n    return 0;\n}\n")


def check(root, **files):
    tree = {"ARCHITECTURE.md": TABLE, "src/http/thing.h": HEADER, "src/http/thing.c": SOURCE}
    tree.update(files)
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = subprocess.run([sys.executable, TREE / "tools/check_style.py", "--root", root],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.splitlines(), done.stderr


# Names that are bound again where the import is not hidden by it, or was not there.
GOOD_PYTHON = """import xml.dom
import xml.sax
import os
from harness import run
try:
    import yaml
except ImportError:
    yaml = None
ports = [run for run in range(9)]


def port(run):
    os = run
    return os


class Run:
    run = 1
"""


def function_of(lines):
    return "int f(void)\n{\n" + "    g();\n" * (lines - 2) + "}\n"


def test_good_code_passes(tmp_path):
    good = {
        "include/public.h": "#ifndef PUBLIC_H\n#define PUBLIC_H\n#endif\n",
        "src/http/words.c": '#include "public.h"\n/* Not strcpy(a, b); see sprintf( in the text */\n'
                            'const char *s = "system(1) // ";\nint x = thing->system(1) + my_atoi(2);\n',
        "src/http/limit.c": function_of(70),
        "src/cmd/verb.c": '#include "http/thing.h"\n#include "base/err.h"\n',
        "bench/good.py": GOOD_PYTHON,
    }
    assert check(tmp_path, **good) == (0, [], "")


BAD = {
    "a foreign folder": ("src/http/a.c", '#include "net/b.h"\n', 1, "src/http may not include net"),
    "a folder left out of all": ("src/cmd/a.c", '\n#include "net/b.h"\n', 2, "src/cmd may not include net"),
    "from the lowest": ("src/base/a.c", '#include "http/thing.h"\n', 1, "src/base may not include http"),
    "an include without folder": ("src/http/a.c", '#include "thing.h"\n', 1, 'write "http/thing.h"'),
    "an include of nothing": ("src/http/a.c", '#include "zlib/zlib.h"\n', 1, "in no folder of ours"),
    "a folder without row": ("src/new/a.c", "int x;\n", 1, "has no row in ARCHITECTURE.md"),
    "own header not first": ("src/http/thing.c", '#include <stdio.h>\n#include "http/thing.h"\n', 1,
                             'include "http/thing.h" first'),
    "own header missing": ("src/http/thing.c", "int x;\n", 1, 'include "http/thing.h" first'),
    "a wrong guard": ("src/http/thing.h", "#ifndef THING_H\n#define THING_H\n#endif\n", 1, "call it PQOTA_"),
    "a guard of nothing": ("src/http/thing.h", "#ifndef PQOTA_HTTP_THING_H\n#define PQOTA\n#endif\n", 1,
                           "no header guard"),
    "no guard": ("tests/a.h", "int x;\n", 1, "no header guard"),
    "a tab": ("src/http/a.c", "int x;\n\tint y;\n", 2, "a tab"),
    "blanks at the end": ("src/http/a.c", "int x; \n", 1, "blanks at the end"),
    "a long line": ("src/http/a.c", "//" + "x" * 109 + "\n", 1, "111 columns"),
    "a long line of two-byte characters": ("src/http/a.c", "//" + "é" * 109 + "\n", 1, "111 columns"),
    "a long file": ("src/http/a.c", "int x;\n" * 501, 501, "501 lines"),
    "a long function": ("src/http/a.c", "int x;\n\n" + function_of(71), 4, "f has 71 lines"),
    "work left": ("tools/a.py", f"# {UNFINISHED}: later\n", 1, UNFINISHED),
    "no newline at the end": ("src/http/a.c", "int x;", 1, "no newline"),
    "a function over an import": ("bench/a.py", "import measure\n\n\ndef measure():\n    pass\n", 4,
                                  "measure is bound here and imported in line 1"),
    "a class over an import": ("tools/a.py", "from x import y as Z\n\n\nclass Z:\n    pass\n", 4, "Z is"),
    "a value over an import": ("tests/a.py", "import a.b\n\nif a:\n    c, a = 1, 2\n", 4, "a is bound"),
    "a loop over an import": ("tests/a.py", "from x import y\n\nfor y in (1, 2):\n    pass\n", 3, "y is"),
    "an import over a function": ("tools/a.py", "def run():\n    pass\n\n\nfrom x import run\n", 1,
                                  "imported in line 5"),
    "an import over another": ("tools/a.py", "from x import run\nfrom z import run\n", 1,
                               "imported in line 2"),
    "no Python": ("python/a.py", "def f(:\n", 1, "is no Python"),
    "not UTF-8": ("src/http/a.c", b"// \xff\n", 1, "not UTF-8"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_code_is_found(tmp_path, what):
    path, text, line, words = BAD[what]
    code, said, _ = check(tmp_path, **{path: text})
    assert code == 1
    assert len(said) == 1 and said[0].startswith(f"{path}:{line}: ") and words in said[0], said


@pytest.mark.parametrize("call", "strcpy strcat sprintf vsprintf gets system popen alloca atoi".split())
def test_forbidden_calls_are_found(tmp_path, call):
    code, said, _ = check(tmp_path, **{"src/http/a.c": f"int x;\nint y = {call} (a);\n"})
    assert code == 1
    assert len(said) == 1 and said[0].startswith(f"src/http/a.c:2: {call}: "), said


def test_without_its_table_it_cannot_check(tmp_path):
    code, said, err = check(tmp_path, **{"ARCHITECTURE.md": "# Architecture\n"})
    assert (code, said) == (2, []) and "no table" in err
    code, said, err = check(tmp_path, **{"ARCHITECTURE.md": TABLE.replace("all but net", "all but nte")})
    assert (code, said) == (2, []) and "nte" in err


def test_the_tree_itself():
    done = subprocess.run([sys.executable, TREE / "tools/check_style.py"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
