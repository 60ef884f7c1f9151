"""The console in Debian's Chromium: who may what, a connection that is lost, the keyboard, words."""

import contextlib
import json
import os
import re
import signal
import sqlite3

import pytest
from selenium.webdriver.common.keys import Keys

from console import Console, account, link, streams
from consolesite import as_, page, simulate, site  # noqa: F401
from harness import TREE, wait_for

# --- roles ---


def test_a_viewer_is_offered_nothing_that_it_may_not(site, as_, page):
    release = site.publish("seen", "1", os.urandom(500))["id"]
    body = {"release": release, "target": {"kind": "all"}}
    pk = site.api("POST", "/api/deployments", body, expect=201).json()["id"]
    as_("viewer", "#/firmware")
    page.see("seen 1", "table")
    assert not page.all("input[type=file]") and "Drop a file" not in page.text("main")
    assert "Accounts" not in page.text("nav")
    for where, there, absent in (
        (f"#/deployment/{pk}", "Policy", ("Pause", "Abort", "Resume")),
        (f"#/firmware/{release}", "seen 1", ("Delete", "Deploy")),
        ("#/deployments", "Deployments", ("New deployment",)),
        ("#/device/fleet-0000001", "Overview", ("Revoke", "Add tag")),
        ("#/fleet", "fleet-0000001", ("Deploy to these",)),
    ):
        page.go(where)
        page.see(there, "main")
        page.see("Live", ".foot")
        offered = [e.text for e in page.all("main button, main a.button")]
        assert not set(absent) & set(offered), (where, offered)
    for where in ("#/deploy", "#/accounts"):
        page.go(where)
        page.see("Your role, Viewer, does not allow this.")
        assert not page.all("main form")
    page.expected = [403]  # made by hand, by this very page
    assert page.fetch("POST", f"/api/deployments/{pk}/pause")[0] == 403
    assert page.fetch("POST", "/api/tokens", {"model": "x"})[0] == 403
    assert page.fetch("PUT", "/api/firmware/evil/1/f.bin", "x")[0] == 403
    assert page.fetch("GET", "/api/accounts")[0] == 403
    site.api("POST", f"/api/deployments/{pk}/cancel")


def test_accounts(site, as_, page):
    as_("admin", "#/accounts")
    page.see("viewer", "table")
    page.press("New account")
    page.fill("name", "zoe", "dialog")
    page.fill("role", "approver", "dialog")
    page.press("New account", "dialog")
    page.see("Password of zoe", "dialog")
    password = page.one("dialog code").text
    page.press("I have it", "dialog")
    page.see("zoe", "table")
    page.press("Disable: zoe")
    page.see("Disabled", "table")
    page.press("Enable: zoe")
    wait_for(lambda: "Disabled" not in page.text("table"), what="she is enabled")
    Console(site).sign_in("zoe", password)
    page.press("Remove: zoe")
    page.press("Remove", "dialog")
    wait_for(lambda: "zoe" not in page.text("table"), what="she is gone")
    page.go("#/changes")
    page.see("account.removed", "table")
    page.see("127.0.0.1", "table")


# --- a connection that is lost ---


def while_it_is_away(site, sql):
    with contextlib.closing(sqlite3.connect(site.dir / "data" / "pqota.db")) as db:
        db.execute(sql)
        db.commit()


def test_a_lost_connection_comes_back(site, as_, page):
    """What changed meanwhile is there, and it goes on as before."""
    page.expected = ["lost"]
    as_("operator", "#/device/fleet-0000007")
    page.see("Live", ".foot")
    site.stop()
    page.see("Connection lost", ".foot")
    while_it_is_away(site, "UPDATE device SET name = 'renamed meanwhile' WHERE id = 'fleet-0000007'")
    site.start()
    page.see("Live", ".foot", seconds=20)
    page.see("renamed meanwhile", "main")
    site.api("PUT", "/api/devices/fleet-0000007", {"name": "renamed again"}, expect=204)
    page.see("renamed again", "main")


FORTY_SECONDS = """
const later = setTimeout;
window.setTimeout = (fn, ms, ...rest) => {
    window.silence = ms === 40_000 ? fn : window.silence;
    return later(fn, ms, ...rest);
};"""


def test_a_connection_that_says_nothing_is_lost_too(site, as_, page):
    """A server that stands still, or a cable that was pulled: nobody says that it is over."""
    script = page.cdp("Page.addScriptToEvaluateOnNewDocument", source=FORTY_SECONDS)
    try:
        as_("operator", "#/deployments")
        page.see("Live", ".foot")
        site.process.send_signal(signal.SIGSTOP)
        page.script("silence()")  # as if they were over
        page.see("Connection lost", ".foot")
        site.process.send_signal(signal.SIGCONT)
        page.see("Live", ".foot")
    finally:
        site.process.send_signal(signal.SIGCONT)
        page.cdp("Page.removeScriptToEvaluateOnNewDocument", **script)


def test_pages_that_are_left_give_their_streams_back(site, as_, page):
    """The browser has six connections, and keeps pages for its back button."""
    as_("viewer")
    for _ in range(8):
        page.open("#/fleet")
        page.see("fleet-0000001", "table")
        page.see("Live", ".foot")
    wait_for(lambda: streams(site) == 1, what="one stream")
    page.open("#/server")
    page.see("Live", ".foot")
    page.driver.back()
    page.driver.back()
    page.see("Live", ".foot")


def test_who_is_signed_out_meanwhile_is_told(site, page):
    page.expected = ["lost", 401]
    account(site, "una", "viewer")
    place = Console(site)
    place.sign_in(token=link(site, "--account", "una"))
    page.take_session(place)
    page.open("#/deployments")
    page.see("Live", ".foot")
    site.stop()
    page.see("Connection lost", ".foot")
    while_it_is_away(site, "DELETE FROM session WHERE account = (SELECT pk FROM account WHERE name = 'una')")
    site.start()
    page.heading("Sign in", seconds=20)


# --- without a mouse ---


def tab_to(page, wanted, most=60):
    """Presses Tab until what is focused is called that."""
    seen = []
    for _ in range(most):
        page.keys(Keys.TAB)
        tag, name, text = page.focused()
        seen.append((tag, name, text))
        if wanted in (text, name):
            outline = page.script(
                "const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);"
                "return outlineStyle !== 'none' && parseFloat(outlineWidth) > 0 || boxShadow !== 'none';"
            )
            assert outline, f"{wanted}: the focus is not to be seen"
            return
    raise AssertionError(f"Tab never comes to {wanted}: {seen}")


def test_the_keyboard_alone(site, page):
    password = account(site, "kay", "viewer")
    page.open()
    page.heading("Sign in")
    if page.focused()[1] != "name":
        tab_to(page, "name", 8)
    page.keys("kay")
    tab_to(page, "password", 2)
    page.keys(password, Keys.ENTER)
    page.heading("Fleet")
    page.see("fleet-0000003", "table")
    tab_to(page, "fleet-0000003")
    page.keys(Keys.ENTER)
    page.heading("fleet-0000003")
    assert page.focused()[2] == "fleet-0000003"  # the new view's heading: what a screen reader says first
    tab_to(page, "Skip to content", 60)
    page.keys(Keys.ENTER)
    assert page.focused()[0] in ("h1", "main")


def test_korean(site, as_, page):
    as_("admin")
    page.one(".user").click()
    page.fill("language", "ko", "#user-menu")
    page.see("배포", "nav")
    assert page.script("return document.documentElement.lang") == "ko"
    words = page.text("nav")
    page.open("#/server")
    assert page.text("nav") == words  # the next visit too
    page.one(".user").click()
    page.fill("language", "en", "#user-menu")
    page.see("Deployments", "nav")


KEYS = set(re.findall(r'^    "([^"]+)":', (TREE / "web/strings/en.js").read_text(), re.M))
VIEWS = [
    "#/fleet",
    "#/device/fleet-0000001",
    "#/deployments",
    "#/deployment/1",
    "#/deploy",
    "#/firmware",
    "#/firmware/1",
    "#/server",
    "#/changes",
    "#/access",
    "#/accounts",
    "#/nothing",
]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_view_can_be_told(as_, page, language):
    """Names, headings, labels, contrast; in both languages, by day and by night."""
    as_("admin")
    page.script("localStorage.setItem('pqota.language', arguments[0])", language)
    page.open("#/server")
    faults = {}
    for i, view in enumerate(VIEWS):
        page.prefer("dark" if i % 2 == (language == "ko") else "light")
        page.go(view)
        page.settle()
        if found := page.inaccessible():
            faults[view] = found
        if keys := [word for word in page.text().split() if word in KEYS and view != "#/changes"]:
            faults[f"{view} keys"] = keys
    assert not faults, json.dumps(faults, indent=1, ensure_ascii=False)
