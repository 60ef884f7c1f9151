"""The two READMEs are one: what stands in English stands in Korean too, and both lead somewhere."""

import re

from harness import TREE

ENGLISH, KOREAN = (TREE / name for name in ("README.md", "README.ko.md"))


def commands(text):
    """What a reader types, without the comments beside it."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    return [re.sub(r"\s+#.*", "", block) for block in blocks]


def links(text):
    return sorted(re.findall(r"\]\(([^)]+)\)", text))


def table_figures(text):
    """Of each table row, the numbers."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [re.findall(r"\d+(?:[.,]\d+)*", row) for row in rows]


def test_they_say_the_same():
    english, korean = (file.read_text(encoding="utf-8") for file in (ENGLISH, KOREAN))
    assert commands(english) == commands(korean)
    assert table_figures(english) == table_figures(korean)
    swapped = [{"README.ko.md": "README.md"}.get(link, link) for link in links(english)]
    assert sorted(swapped) == links(korean)
    assert english.count("\n## ") == korean.count("\n## ")
    assert english.count("\n- ") == korean.count("\n- ")


def test_their_links_lead_somewhere():
    for file in (ENGLISH, KOREAN):
        for link in links(file.read_text(encoding="utf-8")):
            assert link.startswith("https://") or (TREE / link.partition("#")[0]).is_file(), link


def test_nothing_in_it_waits_for_a_figure():
    for file in (ENGLISH, KOREAN):
        assert "@@" not in file.read_text(encoding="utf-8")
