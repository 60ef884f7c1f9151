"""The console as a phone shows it: what is there can be read, and where one is can be seen."""

from consolesite import as_, page, site  # noqa: F401
from harness import wait_for

WIDTH = "return document.querySelector(arguments[0]).getBoundingClientRect().width"
IN_VIEW = """
const { left, right } = document.querySelector("nav [aria-current]").getBoundingClientRect();
return left >= 0 && right <= document.documentElement.clientWidth;"""


def test_words_in_a_table_are_not_one_above_the_other(site, as_, page):
    page.resize("phone")
    as_("viewer", "#/changes")
    page.one("td .words")
    assert page.script(WIDTH, "td .words") > 150
    assert page.too_wide()[0] == 0  # the table scrolls in its box


def test_the_view_that_is_shown_is_seen_in_the_navigation(site, as_, page):
    page.resize("phone")
    as_("admin", "#/accounts")
    page.see("viewer", "table")
    wait_for(lambda: page.script(IN_VIEW), what="Accounts, which is the last")
    page.go("#/fleet")
    page.heading("Fleet")
    wait_for(lambda: page.script(IN_VIEW), what="Fleet, which is the first")
    assert page.script("return scrollY") == 0
