"""What happens while a page of the console is looked at: answers refused, questions left under way, what
was uploaded gone."""

import contextlib
import itertools
import os
import signal
import sqlite3

from selenium.webdriver.common.keys import Keys

from browser import Browser
from console import Console, Stream, signed_in, wait_for_streams
from consolesite import as_, page, site  # noqa: F401
from fleet import fill
from harness import openssl, wait_for
from vendor import Vendor

# --- what the server has no room for ---

SHARED = ("/api/server", "/api/server/history", "/api/status")
LIMITS = (500, 50, 5, 1)  # of devices: pages that are smaller and smaller


def fill_with_long_names(server):
    fill(server, LIMITS[0], "--model", "m")
    with contextlib.closing(sqlite3.connect(server.dir / "data" / "pqota.db")) as db:
        db.execute("UPDATE device SET name = ?", ("n" * 1000,))
        db.commit()


def short_authority(server, folder):
    """One of the authorities for devices ends within days."""
    key, cert = folder / "short.key", folder / "short.pem"
    argv = ("req", "-x509", "-newkey", "ML-DSA-65", "-noenc", "-subj", "/CN=short", "-days", "3")
    openssl(*argv, "-keyout", key, "-out", cert)
    with open(server.dir / "pki" / "device-ca.pem", "a") as roots:
        roots.write(cert.read_text())


def crowd(held, place):
    """Streams that leave room for less than one more device; answers how many."""
    taken = 0
    for limit in LIMITS:
        for n in itertools.count():
            stream = Stream(place, f"/api/devices?limit={limit}&after=a{n}")
            if stream.update()["status"] != 200:
                stream.close()
                break
            held.enter_context(stream)
            taken += 1
    stream.close()
    return taken


def test_what_was_refused_is_said_and_the_rest_is_shown(make_server, tmp_path):
    settings = {"console.memory": "4M", "trust.insecure_unsigned": "no"}
    server = make_server(settings, start=False, via="")
    fill_with_long_names(server)
    short_authority(server, tmp_path)
    vendor = Vendor(server).start()
    release = server.publish("gw", "1", b"firmware", model="gw,gx,gy,gz", expect=201)
    vendor.publish(release, 1)
    (tmp_path / "browser").mkdir()
    page, place = Browser(tmp_path / "browser", server), signed_in(server)
    assert len(place.get("/api/trust").body) > 4000
    try:
        with contextlib.ExitStack() as held:
            common = held.enter_context(Stream(place, *SHARED))
            assert [common.update()["status"] for _ in SHARED] == [200] * len(SHARED)
            wait_for_streams(server, 1 + crowd(held, place))
            page.take_session(place)
            page.open("#/server")
            page.see("Update metadata: this is more than the server keeps up to date", "main")
            page.see("Certificate “Root for devices” ends at", "main")
            page.see("Requests", ".stats")
            page.see("This console", "table")
            assert "Nothing needs attention" not in page.text("main")
            page.settle()
            assert not page.all("[aria-busy=true]") and "Loading" not in page.text("main")
        page.see("Image repository", "main", seconds=30)
        wait_for(lambda: "more than the server keeps" not in page.text("main"), what="nothing is refused")
        page.see("Certificate “Root for devices” ends at", "main")
        assert page.complaints() == []
    finally:
        page.close()


# --- questions that are left while they are answered ---


@contextlib.contextmanager
def standing_still(server):
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def new_account(page, name):
    page.press("New account", "main")
    page.fill("name", name, "dialog")
    page.press("New account", "dialog")
    page.one("dialog button[aria-busy]")


def told_password(page, name):
    page.see(f"Password of {name}", "dialog")
    return page.one("dialog code").text


def test_escape_does_not_lose_what_is_under_way(site, as_, page):
    as_("admin", "#/accounts")
    page.see("viewer", "table")
    with standing_still(site):
        new_account(page, "yan")
        assert not page.button("Cancel", "dialog").is_enabled()
        page.keys(Keys.ESCAPE, Keys.ESCAPE)
        assert page.all("dialog[open]")
    password = told_password(page, "yan")
    page.keys(Keys.ESCAPE, Keys.ESCAPE)
    assert told_password(page, "yan") == password
    page.press("I have it", "dialog")
    wait_for(lambda: not page.all("dialog"), what="it was read")
    page.see("yan", "table")
    Console(site).sign_in("yan", password)


def test_leaving_does_not_lose_what_is_under_way(site, as_, page):
    as_("admin", "#/changes")
    page.see("session.opened", "table")
    page.go("#/accounts")
    page.see("viewer", "table")
    with standing_still(site):
        new_account(page, "yuri")
        page.go("#/changes")
        wait_for(lambda: not page.all("dialog"), what="the question is gone")
    told_password(page, "yuri")
    page.go("#/accounts")
    page.see("yuri", "table")
    password = told_password(page, "yuri")
    page.press("I have it", "dialog")
    wait_for(lambda: not page.all("dialog"), what="it was read")
    Console(site).sign_in("yuri", password)


def test_what_failed_after_leaving_is_said(as_, site, page):
    page.expected = [409]
    as_("admin", "#/changes")
    page.see("session.opened", "table")
    page.go("#/accounts")
    page.see("viewer", "table")
    with standing_still(site):
        new_account(page, "viewer")  # which there is
        page.go("#/changes")
        wait_for(lambda: not page.all("dialog"), what="the question is gone")
    page.see("viewer", "#toasts")
