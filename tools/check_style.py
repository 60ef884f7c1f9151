#!/usr/bin/env python3
"""Checks what a compiler does not: which folder may include which, sizes, names, forbidden calls.

    tools/check_style.py            the whole tree; prints FILE:LINE: what is wrong; what to do
    tools/check_style.py --root DIR another tree (its ARCHITECTURE.md has the table of arrows)

Exit code 0: nothing to say; 1: something is wrong; 2: it could not check.
"""

import argparse
import ast
import os
import pathlib
import re
import sys

FILE_LINES = 500
FUNCTION_LINES = 70
COLUMNS = 110

FOLDERS = ("include", "src", "tests", "tools", "bench", "python", "ports", "docs")
C_ENDINGS = (".c", ".h")
OTHER_ENDINGS = (".py", ".sh", ".build")
SKIPPED = {"build", "__pycache__", ".git", "vendor"}

# Where a limit is exceeded for a reason: path, and for a function its name -> (lines, why).
LONGER_FILES = {}
LONGER_FUNCTIONS = {}

FORBIDDEN = {
    "strcpy": "it knows no bound; use snprintf, or memcpy with a length",
    "strcat": "it knows no bound; use snprintf or buf_add",
    "sprintf": "it knows no bound; use snprintf",
    "vsprintf": "it knows no bound; use vsnprintf",
    "gets": "it knows no bound; use fgets",
    "system": "a shell would read its text; use fork and execve with an argument array",
    "popen": "a shell would read its text; use fork and execve with an argument array",
    "alloca": "the stack may not be there; use a bounded array, an arena or malloc",
    "atoi": "it cannot fail; use str_to_u64",
    "atol": "it cannot fail; use str_to_u64",
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(FORBIDDEN) + r")\s*\(")
# Put together here so that this file does not find itself.
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]')
QUOTED = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


class CannotCheck(Exception):
    pass


def read_arrows(architecture):
    """{folder: folders it may include} from the table under "Folders and arrows"."""
    try:
        text = architecture.read_text(encoding="utf-8")
    except OSError as error:
        raise CannotCheck(f"{architecture}: {error.strerror}; the table of arrows is there") from error
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `src/") and len(cells) == 3:
            rows[cells[0].strip("`").removeprefix("src/").rstrip("/")] = cells[2]
    if not rows:
        raise CannotCheck(f"{architecture}: no table with rows like: | `src/base` | what it holds | – |")
    return {name: arrows_of(name, cell, set(rows), architecture) for name, cell in rows.items()}


def arrows_of(name, cell, known, architecture):
    if cell in ("–", "-", "nothing of ours"):
        return set()
    words = re.split(r",\s*|\s+and\s+", cell.removeprefix("all but ").strip())
    unknown = [word for word in words if word not in known]
    if unknown:
        raise CannotCheck(f"{architecture}: src/{name} may include {', '.join(unknown)}, which has no row")
    return known - set(words) - {name} if cell.startswith("all but ") else set(words)


def without_comments_and_texts(text):
    """The same lines and columns with comments, strings and characters blanked."""
    return QUOTED.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def names_bound(node):
    """(name, line, what an import takes it from or None) of each name that a Python module binds. What
    stands in for an import that fails (except ImportError) is no name of its own."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield child.name, child.lineno, None
        elif isinstance(child, ast.Import):
            for one in child.names:
                top = one.name.split(".")[0]
                yield one.asname or top, child.lineno, one.name if one.asname else top
        elif isinstance(child, ast.ImportFrom):
            for one in child.names:
                source = "." * child.level + (child.module or "")
                yield one.asname or one.name, child.lineno, f"{source}.{one.name}"
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id, child.lineno, None
        elif not isinstance(child, (*SCOPES, ast.ExceptHandler)):
            yield from names_bound(child)


class Checker:
    def __init__(self, root):
        self.root = root
        self.arrows = read_arrows(root / "ARCHITECTURE.md")
        self.found = []

    def say(self, path, line, what):
        self.found.append((path, line, what))

    def files(self):
        for top in FOLDERS:
            for folder, names, files in os.walk(self.root / top):
                names[:] = sorted(n for n in names if n not in SKIPPED)
                for name in sorted(files):
                    if name.endswith(C_ENDINGS + OTHER_ENDINGS):
                        yield pathlib.Path(folder, name).relative_to(self.root)

    def run(self):
        for path in self.files():
            try:
                text = (self.root / path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                self.say(path, 1, "is not UTF-8; save it as UTF-8")
                continue
            lines = text.splitlines()
            self.check_lines(path, text, lines)
            if path.suffix in C_ENDINGS:
                self.check_c(path, text, lines)
            elif path.suffix == ".py":
                self.check_python(path, text)
        return self.found

    # --- every file ---------------------------------------------------------------------------------

    def check_lines(self, path, text, lines):
        for number, line in enumerate(lines, 1):
            if "\t" in line:
                self.say(path, number, "a tab; indent with four spaces")
            if line != line.rstrip():
                self.say(path, number, "blanks at the end of the line; remove them")
            if len(line) > COLUMNS:
                self.say(path, number, f"{len(line)} columns; break the line, {COLUMNS} is the limit")
            unfinished = UNFINISHED.search(line)
            if unfinished:
                self.say(path, number, f"{unfinished.group()}; do it now, or plan it where work is planned")
        if text and not text.endswith("\n"):
            self.say(path, len(lines), "no newline at the end of the file; add one")
        limit, _ = LONGER_FILES.get(str(path), (FILE_LINES, ""))
        if len(lines) > limit:
            self.say(path, len(lines), f"{len(lines)} lines; split the file by subject, {limit} is the limit")

    # --- Python -------------------------------------------------------------------------------------

    def check_python(self, path, text):
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            self.say(path, error.lineno or 1, f"is no Python ({error.msg}); mend it")
            return
        bound = list(names_bound(tree))
        imports = {name: (line, source) for name, line, source in bound if source}
        for name, line, source in bound:
            at, imported = imports.get(name, (line, source))
            if source != imported:
                self.say(path, line, f"{name} is bound here and imported in line {at}; rename one of them")

    # --- C ------------------------------------------------------------------------------------------

    def check_c(self, path, text, lines):
        code = without_comments_and_texts(text)
        code_lines = code.splitlines()
        self.check_calls(path, code_lines)
        self.check_functions(path, code_lines)
        # An include's name is a text, and a comment may hold an old one: the code says which lines count.
        includes = [(n, *m.groups()) for n, (line, bare) in enumerate(zip(lines, code_lines), 1)
                    if bare.lstrip().startswith("#") and (m := INCLUDE.match(line))]
        if path.suffix == ".h":
            self.check_guard(path, code_lines)
        if path.parts[0] == "src" and len(path.parts) > 2:
            self.check_arrows(path, includes)
            self.check_own_header(path, includes)

    def check_calls(self, path, code_lines):
        if path.parts[0] == "tests":
            return  # a test reads nothing but its own texts, and starts programs as a person would
        for number, line in enumerate(code_lines, 1):
            for call in CALL.finditer(line):
                self.say(path, number, f"{call.group(1)}: {FORBIDDEN[call.group(1)]}")

    def check_functions(self, path, code_lines):
        begin = None
        for number, line in enumerate(code_lines, 1):
            if line.startswith("{"):
                begin = number
            elif line.startswith("}") and begin is not None:
                self.check_function(path, code_lines, begin, number)
                begin = None

    def check_function(self, path, code_lines, begin, end):
        head = ""
        for line in reversed(code_lines[max(0, begin - 12):begin - 1]):
            head = line + " " + head
            if line and not line[0].isspace():
                break
        name = re.search(r"(\w+)\s*\(", head)
        name = name.group(1) if name else "?"
        lines = end - begin + 1
        limit, _ = LONGER_FUNCTIONS.get((str(path), name), (FUNCTION_LINES, ""))
        if lines > limit:
            self.say(path, begin, f"{name} has {lines} lines; split it, {limit} is the limit")

    def check_guard(self, path, code_lines):
        want = None
        if path.parts[0] == "src":
            want = "PQOTA_" + "_".join(re.sub(r"\W", "_", part) for part in path.parts[1:]).upper()
        macros = [line.split()[1] for line in code_lines if re.match(r"\s*#\s*ifndef\s+\w", line)][:1]
        defined = [line.split()[1] for line in code_lines if re.match(r"\s*#\s*define\s+\w", line)][:1]
        if not macros or macros != defined:
            self.say(path, 1, f"no header guard; begin with #ifndef and #define {want or 'NAME_H'}")
        elif want and macros[0] != want:
            self.say(path, 1, f"the header guard is {macros[0]}; call it {want}")

    def check_arrows(self, path, includes):
        folder = path.parts[1]
        if folder not in self.arrows:
            self.say(path, 1, f"src/{folder} has no row in ARCHITECTURE.md's table; give it one")
            return
        for number, mark, target in includes:
            to = target.split("/")[0]
            if mark == "<" or to == folder:
                continue
            if "/" not in target:
                if not (self.root / "include" / target).exists():
                    self.say(path, number, f'"{target}" does not say its folder; write "{folder}/{target}"')
            elif to in self.arrows and to not in self.arrows[folder]:
                self.say(path, number, f"src/{folder} may not include {to}; move the code to where it may, "
                                       "or pass in what it needs (the arrows are in ARCHITECTURE.md)")
            elif to not in self.arrows:
                self.say(path, number, f'"{target}" is in no folder of ours; use <> for a library\'s header')

    def check_own_header(self, path, includes):
        own = "/".join(path.with_suffix(".h").parts[1:])
        if path.suffix != ".c" or not (self.root / "src" / own).exists():
            return
        if not includes or includes[0][2] != own:
            self.say(path, includes[0][0] if includes else 1,
                     f'include "{own}" first, so that it is known to stand alone')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root
    try:
        found = Checker(root).run()
    except CannotCheck as error:
        print(f"check_style: {error}", file=sys.stderr)
        return 2
    for path, line, what in found:
        print(f"{path}:{line}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
