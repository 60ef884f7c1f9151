"""The console's sources: every word in both languages, nothing that the page's policy forbids, small."""

import gzip
import pathlib
import os
import re

from harness import TREE

WEB = TREE / "web"
CHART = pathlib.Path("/usr/share/javascript/chart.js/chart.min.js")
MOST_BYTES = 300_000
FORBIDDEN = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|document\.write(ln)?|createContextualFragment"
    r"|eval|importScripts)\b|\bnew\s+Function\b|cssText|\.style\s*=[^=]|\bstyle=[\"'`]"
    r"|\bjavascript:|\bset(Timeout|Interval)\(\s*[\"'`]"
)
NAMESPACES = {"http://www.w3.org/2000/svg"}
ENTRY = re.compile(r'^    "([\w.,*-]+)": ("(?:[^"\\]|\\.)*"),$')
# A literal that is handed to what looks up a text, also behind a condition.
ASKED = re.compile(
    r"\b(?:t|has|plural)\(\s*(?:[^()\"'`]*\?\s*)?([\"`])((?:(?!\1).)*)\1(?:\s*:\s*\"([\w.-]+)\")?"
)
LITERAL = re.compile(r'"([\w.-]+\.[\w.-]+)"')
TEMPLATE = re.compile(r"`([\w.-]*)\$\{((?:[^{}]|\{[^{}]*\})*)\}((?:[\w.-]|\$\{(?:[^{}]|\{[^{}]*\})*\})*)`")


def sources(*suffixes):
    found = [f for f in sorted(WEB.rglob("*")) if f.suffix in suffixes]
    assert found
    return found


def table(language):
    """Key and text of each line; what is no such line is the frame or empty."""
    entries = {}
    for line in (WEB / "strings" / f"{language}.js").read_text(encoding="utf-8").splitlines():
        entry = ENTRY.match(line)
        if entry is None:
            assert line in ("", "export default {", "};") or line.startswith(
                "    //"
            ), f"{language}: {line}"
            continue
        assert entry[1] not in entries, f"{language}: {entry[1]} stands there twice"
        entries[entry[1]] = entry[2]
    assert len(entries) > 50
    return entries


def code():
    """The modules' text without comments, strings' tables left out."""
    text = {}
    for file in sources(".js"):
        if file.parent.name != "strings":
            whole = re.sub(r"/\*.*?\*/", "", file.read_text(encoding="utf-8"), flags=re.S)
            text[file.relative_to(WEB)] = re.sub(r"(?m)(^|\s)//.*$", "", whole)
    return text


def pattern(prefix, rest):
    """A template's keys: what is put in may be anything that a key may be."""
    rest = re.sub(r"\$\{(?:[^{}]|\{[^{}]*\})*\}", "\0", rest)
    return re.compile(re.escape(prefix) + r"[\w.,*-]+" + re.escape(rest).replace("\0", r"[\w.,*-]+"))


def test_both_languages_say_the_same():
    english, korean = table("en"), table("ko")
    assert list(english) == list(korean)
    for key, text in english.items():
        holes = [sorted(re.findall(r"\{\w+\}", t)) for t in (text, korean[key])]
        # A singular need not say its number.
        assert holes[0] == holes[1] or key.endswith(".one"), f"{key}: {holes}"
        assert (text == '""') == (korean[key] == '""'), key


def test_korean_is_korean():
    """A few texts are signs and names alone; two plain words after each other are English."""
    english = [key for key, text in table("ko").items() if re.search("[a-z]{3,} [a-z]{3,}", text)]
    assert [key for key in english if not re.search("[가-힣]", table("ko")[key])] == []


def test_every_text_that_is_asked_for_is_there():
    english = table("en")
    missing = []
    for name, text in code().items():
        for _, key, other in ASKED.findall(text):
            for each in filter(None, (key, other)):
                if "${" in each:
                    prefix, rest = re.match(r"([\w.-]*)\$\{(?:[^{}]|\{[^{}]*\})*\}(.*)", each).groups()
                    wanted = pattern(prefix, rest)
                    there = any(
                        wanted.fullmatch(k) or wanted.fullmatch(re.sub(r"\.(one|other)$", "", k))
                        for k in english
                    )
                else:
                    there = each in english or {f"{each}.one", f"{each}.other"} <= set(english)
                if not there:
                    missing.append(f"{name}: {each}")
    assert missing == []


def test_every_text_is_asked_for():
    everything = "\n".join(code().values())
    literals = set(LITERAL.findall(everything))
    templates = [pattern(prefix, rest) for prefix, _, rest in TEMPLATE.findall(everything) if prefix]
    unused = []
    for key in table("en"):
        names = {key, re.sub(r"\.(one|other)$", "", key)}
        if not names & literals and not any(p.fullmatch(n) for p in templates for n in names):
            unused.append(key)
    assert unused == []


def event_kinds():
    """Those that the server writes; a deployment's are put together from a word."""
    kinds = set()
    for file in sorted((TREE / "src/ota").glob("*.c")):
        text = file.read_text(encoding="utf-8")
        if "store_event_add(" in text:
            kinds |= set(re.findall(r'"([a-z]+\.[a-z_]+)"', text))
        for call in re.findall(r"\b(?:ota_deployment_(?:note|move)|ota_deploy_end|start)\(([^;{]*);", text):
            kinds |= {f"deployment.{word}" for word in re.findall(r'"([a-z]+)"', call) if word != "server"}
    assert {"deployment.approved", "deployment.cancelled", "deployment.phase", "session.opened"} <= kinds
    return kinds


def test_every_kind_of_event_is_known():
    """Changes offers them to be chosen; a device's history says its own in words."""
    offered = re.search(r"const KINDS = ([^;]*);", code()[pathlib.Path("views/changes.js")])[1]
    assert set(re.findall(r"[a-z]+\.[a-z_]+", offered)) == event_kinds()
    words = {f"device.kind.{kind}" for kind in event_kinds() if kind.startswith("device.")}
    assert words <= set(table("en")), words - set(table("en"))


def test_every_reason_has_its_sentence():
    """The server's word for why a device gets nothing, or would not get it; its own sentence is English."""
    words = re.findall(r'\] = \{"([a-z_]+)",', (TREE / "src/ota/reason.c").read_text(encoding="utf-8"))
    preview = (TREE / "src/ota/preview.c").read_text(encoding="utf-8")
    left_out = re.findall(r'\{"([a-z_]+)",\s+(?:"they|arena)', preview)
    assert len(words) > 20 and len(left_out) == 4
    wanted = {f"why.reason.{word}" for word in words} | {f"deploy.excluded.{word}" for word in left_out}
    found = {key for key in table("en") if key.startswith(("why.reason.", "deploy.excluded."))}
    assert found == wanted


def test_nothing_that_the_policy_forbids():
    """No markup from texts, no script from texts, no style in attributes, no inline script."""
    for name, text in code().items():
        found = FORBIDDEN.search(text)
        assert found is None, f"{name}: {found[0]}"
    for file in sources(".html"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"(?i)\sstyle\s*=|\son\w+\s*=|<style|javascript:", text), file.name
        for attributes, inside in re.findall(r"(?is)<script([^>]*)>(.*?)</script>", text):
            assert "src=" in attributes and not inside.strip(), file.name


def test_everything_comes_from_the_server_itself():
    for file in sources(".js", ".css", ".html", ".svg"):
        text = file.read_text(encoding="utf-8")
        links = set(re.findall(r"""(?i)(?:https?:)?//[\w.-]+\.\w+[^\s"'`)]*""", text))
        assert links <= NAMESPACES | {n.removeprefix("http:") for n in NAMESPACES}, f"{file.name}: {links}"
        assert "@import" not in text, file.name


def imported(name, pattern):
    """Modules that one names, as paths in web/."""
    targets = re.findall(pattern, (WEB / name).read_text(encoding="utf-8"))
    return {os.path.normpath(os.path.join(os.path.dirname(name), t)) for t in targets} - {"chart.js"}


def test_every_module_is_used_and_what_the_first_view_needs_is_preloaded():
    html = (WEB / "index.html").read_text(encoding="utf-8")
    asked = {path for path in re.findall(r'(?:href|src)="([^"#]+)"', html) if path.endswith(".js")}
    static, lazy, todo = set(), set(), ["app.js"]
    while todo:
        name = todo.pop()
        assert (WEB / name).is_file(), name
        static.add(name)
        todo += imported(name, r'(?:from|import)\s+"([^"]+\.js)"') - static
        lazy |= imported(name, r'import\("([^"]+\.js)"\)')
    assert static <= asked, "asked for one after the other"
    todo = list(lazy)
    while todo:
        name = todo.pop()
        assert (WEB / name).is_file(), name
        static.add(name)
        todo += imported(name, r'(?:from|import)\s*\(?"([^"]+\.js)"') - static
    assert {str(f.relative_to(WEB)) for f in sources(".js")} == static


def test_it_is_small():
    """As a browser is sent it, and server/console_pages.c packs it."""
    sizes = {f.name: len(gzip.compress(f.read_bytes(), 9)) for f in [*WEB.rglob("*"), CHART] if f.is_file()}
    assert sum(sizes.values()) < MOST_BYTES, sizes
