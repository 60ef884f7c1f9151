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


# --- what an upload left ---


def upload(page, folder, name, version, data=None, **more):
    file = folder / f"{name}-{version}.bin"
    file.write_bytes(data or os.urandom(1000))
    page.one(".drop")
    page.driver.find_element("css selector", "input[type=file]").send_keys(str(file))
    for key, value in more.items():
        page.script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        page.fill(key, value, "main form")
    page.press("Upload", "main form")


def uploaded(page, folder, name, version):
    upload(page, folder, name, version)
    page.see(f"{name} {version}", "table")
    page.one("main [name=compare]")


def gone(page):
    wait_for(lambda: not page.all("main [name=compare]"), what="it says nothing of the upload")
    assert page.one(".drop")


def test_an_upload_is_told_until_it_was_seen(as_, tmp_path, page):
    as_("operator", "#/firmware")
    uploaded(page, tmp_path, "told", "1")
    page.go("#/deployments")
    page.heading("Deployments")
    page.go("#/firmware")
    page.one("main [name=compare]")
    page.press("Close", "main")
    gone(page)
    page.go("#/deployments")
    page.heading("Deployments")
    page.go("#/firmware")
    page.see("told 1", "table")
    gone(page)


def test_an_upload_that_was_deleted_is_not_offered(site, as_, tmp_path, page):
    as_("operator", "#/firmware")
    uploaded(page, tmp_path, "brief", "1")
    assert page.button("New deployment", "main")
    (pk,) = (r["id"] for r in site.api("GET", "/api/firmware").json()["items"] if r["name"] == "brief")
    site.api("DELETE", f"/api/firmware/{pk}", expect=204)
    gone(page)


def test_an_upload_that_failed_is_told_once(as_, tmp_path, page):
    page.expected = [400, 409, 422]
    as_("operator", "#/firmware")
    upload(page, tmp_path, "wrong", "1", expected="0" * 64)
    page.one("main .problem")
    page.go("#/deployments")
    page.heading("Deployments")
    page.go("#/firmware")
    page.one(".drop")
    assert not page.all("main .problem")
    upload(page, tmp_path, "wrong", "2", expected="0" * 64)
    page.one("main .problem")
    page.press("Close", "main")
    wait_for(lambda: not page.all("main .problem"), what="it says nothing of the failure")


def test_nobody_is_told_what_another_uploaded(site, page, tmp_path):
    first, second = (signed_in(site, "operator") for _ in range(2))
    page.take_session(first)
    page.open("#/firmware")
    uploaded(page, tmp_path, "mine", "1")
    page.one(".user").click()
    page.press("Sign out", "#user-menu")
    page.heading("Sign in")
    page.fill("name", second.name)
    page.fill("password", second.password)
    page.press("Sign in", "main")
    page.see("mine 1", "table")
    gone(page)


def test_what_would_change_can_be_deployed(site, as_, page):
    release = site.publish("dry", "1", os.urandom(500), model="fleet")["id"]
    as_("viewer", f"#/firmware/{release}")
    page.see("60", ".preview .stats")
    assert "New deployment" not in page.text("main")
    as_("operator", f"#/firmware/{release}")
    page.fill("filter", "model==fleet and tag==beta")
    page.press("New deployment", "main")
    page.heading("New deployment")
    assert page.one("[name=target]").get_attribute("value") == "model==fleet and tag==beta"
    assert page.one("[name=release]").get_attribute("value") in ("dry@1", str(release))
