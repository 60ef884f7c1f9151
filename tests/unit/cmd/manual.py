"""Every verb, sub-verb and option that pqota's --help shows is in its manual page, and no other."""

import re
import subprocess
import sys

pqota, page = sys.argv[1:]


def help_of(*words):
    done = subprocess.run([pqota, *words, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (words, done.returncode, done.stderr)
    return done.stdout


def rows(text, title):
    """First words of the indented rows under a title."""
    part = re.search(rf"^{title}\n((?:  .*\n)+)", text, re.M)
    return [line.split()[0] for line in part.group(1).splitlines() if line.startswith("  ")] if part else []


def options(text):
    """Those under "Options", where there is such a part: before it other programs' may be shown."""
    text = text.split("\nOptions\n", 1)[-1]
    return set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text)) - {"help"}


def sections(source):
    """{verb or "verb sub-verb": the page's text on it}: a section of .Ss begins with what it is called."""
    found = {}
    for part in re.split(r"^\.Ss ", source, flags=re.M)[1:]:
        name, text = part.split("\n", 1)
        found[name.strip()] = re.split(r"^\.Sh ", text, flags=re.M)[0]
    return found


def page_options(text):
    found = re.findall(r"\bFl \\?-?\\?-([a-z][a-z\\-]*)", text)
    return {name.replace("\\-", "-") for name in found} - {"help"}


wrong = []
known = sections(open(page, encoding="utf-8").read())
wanted = {}
for verb in rows(help_of(), "Verbs"):
    text = help_of(verb)
    subs = rows(text, "Sub-verbs")
    for sub in subs:
        wanted[f"{verb} {sub}"] = help_of(verb, sub)
    if not subs:
        wanted[verb] = text

assert len(wanted) > 20, f"only {len(wanted)} verbs were found; has --help changed its form?"
for name, text in wanted.items():
    if name not in known:
        wrong.append(f"{name}: no section .Ss {name}")
        continue
    missing, extra = options(text) - page_options(known[name]), page_options(known[name]) - options(text)
    # --profile is described once, for all verbs that talk to the server.
    missing.discard("profile")
    wrong += [f"{name}: --{o} is not in the page" for o in sorted(missing)]
    wrong += [f"{name}: --{o} is in the page but pqota does not know it" for o in sorted(extra)]
wrong += [f"{name}: in the page, but pqota has no such verb" for name in sorted(known.keys() - wanted.keys())]
lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page],
                      capture_output=True, text=True, timeout=60)
wrong += [line for line in (lint.stdout + lint.stderr).splitlines() if line]
for line in wrong:
    print(f"{page}: {line}")
sys.exit(1 if wrong else 0)
