"""Fixtures of the tests in a browser: one server, one window, and devices that come to life."""

import os

import pytest

from browser import Browser
from console import signed_in
from fleet import Fleet, fill
from harness import Server

DEVICES = 60
QUIET = ["--fail", 0, "--vanish", 0, "--hang", 0, "--fall-back", 0]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server with devices that pqfleet can act as, and one browser for all tests."""
    folder = tmp_path_factory.mktemp("site")
    server = Server(folder, {"unix.proxy": "yes"}, via="")
    server.issuer = fill(server, DEVICES, "--model", "fleet", "--certificates", DEVICES)["issuer"]
    server.start()
    server.publish("fleet", "2.0", os.urandom(5000), model="fleet")
    server.publish("fleet", "bad", os.urandom(5000), model="fleet")
    (folder / "browser").mkdir()
    server.browser = Browser(folder / "browser", server)
    server.places = {role: signed_in(server, role, role) for role in ("viewer", "operator", "admin")}
    yield server
    server.browser.close()
    server.close()


@pytest.fixture
def page(site):
    """The browser, where nobody is signed in. What its pages complain about fails the test, unless it said
    before which refusals it wants; and so does any request to elsewhere."""
    browser = site.browser
    browser.resize("wide")
    browser.forget()
    browser.complaints()
    browser.answers()
    browser.expected = []
    yield browser
    assert browser.complaints(*browser.expected) == []
    assert [
        a["url"] for a in browser.answers() if not a["url"].startswith((browser.url, "data:", "about:"))
    ] == []


@pytest.fixture
def as_(site, page):
    def enter(role, hash_=""):
        page.take_session(site.places[role])
        page.open(hash_)
        page.one(".shell")
        return page

    return enter


@pytest.fixture
def simulate(site, tmp_path):
    """Devices come to life; they end with the test."""
    made = []

    def begin(*args):
        who = ("--protocol", "native", "--issuer", site.issuer, "-n", DEVICES)
        pace = ("--interval", 0.4, "--install", 0.2, "--stay", "--seconds", 120)
        fleet = Fleet(site, tmp_path, *who, *pace, *args).start()
        made.append(fleet)
        return fleet

    yield begin
    for fleet in made:
        fleet.stop()
