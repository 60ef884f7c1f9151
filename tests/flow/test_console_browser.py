"""The console as people use it: Debian's Chromium against a real server with simulated devices."""

import os
import shlex

from browser import Browser
from console import Console, account, link, signed_in
from consolesite import DEVICES, QUIET, as_, page, simulate, site  # noqa: F401
from harness import environment, openssl, run, wait_for
from vendor import Vendor

# --- the connection ---


def test_the_connection_is_post_quantum(page):
    page.open()
    page.see("X25519MLKEM768")
    page.see("Post-quantum")
    details = [a["securityDetails"] for a in page.answers() if "securityDetails" in a]
    assert details and {d["keyExchangeGroup"] for d in details} == {"X25519MLKEM768"}
    assert {d["protocol"] for d in details} == {"TLS 1.3"}
    assert {d["issuer"] for d in details} == {issuer_of(page.server)}


def issuer_of(server):
    text = openssl("x509", "-in", server.dir / "pki" / "console.pem", "-noout", "-issuer").decode()
    return text.strip().removeprefix("issuer=CN=").removeprefix("issuer=CN = ")


def test_who_does_not_know_the_authority_is_warned(site, tmp_path):
    stranger = Browser(tmp_path, site, trusted=False)
    try:
        stranger.open()
        stranger.see("ERR_CERT_AUTHORITY_INVALID")
    finally:
        stranger.close()


# --- signing in ---


def test_first_sign_in_by_a_link_and_again_with_a_password(site, page):
    token = link(site, "--account", "mina", "--role", "operator")
    page.open(f"#sign-in={token}")
    page.heading("Choose a password")
    assert page.at() == "#/fleet" and token not in page.script("return location.href")
    entries = page.cdp("Page.getNavigationHistory")["entries"]
    assert entries and not [e for e in entries if token in e["url"]]
    page.see("mina")
    page.fill("new", "a password of mina")
    page.fill("again", "a passwort of mina")
    page.press("Set password")
    page.see("The two are not the same.")
    page.fill("again", "a password of mina")
    page.press("Set password")
    page.heading("Fleet")
    page.see("mina", ".user")
    page.one(".user").click()
    page.see("Operator", "#user-menu")
    page.press("Sign out", "#user-menu")
    page.heading("Sign in")
    page.expected = [401]
    page.fill("name", "mina")
    page.fill("password", "a passwort of mina")
    page.press("Sign in", "main")
    page.see("the name or the password is wrong")
    assert page.one("[name=password]").get_attribute("value") == ""
    page.sign_in("mina", "a password of mina")
    page.heading("Fleet")
    again = page.script("return document.cookie")
    assert again == ""  # no script sees the session


def test_a_link_that_was_used(site, page):
    token = link(site, "--account", "used", "--role", "viewer")
    Console(site).sign_in(token=token)
    page.expected = [401]
    page.open(f"#sign-in={token}")
    page.heading("Sign in")
    page.see("the link was used already")


def test_a_session_that_is_ended_elsewhere(site, as_, page):
    account(site, "eli", "viewer")
    place = Console(site)
    place.sign_in(token=link(site, "--account", "eli"))
    page.take_session(place)
    page.open("#/deployments")
    page.see("Live", ".foot")
    site.pqota("account", "disable", "eli")
    page.heading("Sign in")
    page.expected = [401]


# --- firmware ---


def test_a_file_is_chosen_and_published(as_, tmp_path, page):
    file = tmp_path / "gateway-1.4.2.bin"
    file.write_bytes(os.urandom(3_000_000))
    as_("operator", "#/firmware")
    page.driver.find_element("css selector", "input[type=file]").send_keys(str(file))
    assert page.one("[name=name]").get_attribute("value") == "gateway"
    assert page.one("[name=version]").get_attribute("value") == "1.4.2"
    page.fill("notes", "what is new")
    page.press("Upload", "main form")
    page.see("gateway 1.4.2", "table")  # without a reload
    page.see("Published", "table")
    digest = run(["sha256sum", file], check=0).out.split()[0]
    page.see(digest)
    page.fill("compare", digest)
    page.see("It is the same file.")
    page.fill("compare", "0" * 64)
    page.see("It is not the same file.")
    page.press("gateway 1.4.2", "table")
    page.heading("gateway 1.4.2")
    page.see(digest)


def test_a_file_is_dropped(as_, page):
    as_("operator", "#/firmware")
    page.one(".drop")
    page.script(
        "const dataTransfer = new DataTransfer();"
        "dataTransfer.items.add(new File(['firmware'], 'weather station_2.0.img'));"
        "const drop = new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true});"
        "document.querySelector('.drop').dispatchEvent(drop);"
    )
    page.fill("name", "weather-station")
    page.press("Upload", "main form")
    page.see("weather-station 2.0", "table")


def test_what_nobody_signed_is_a_draft_until_the_command_was_run(make_server, tmp_path):
    """Signing is required, as it is unless one says otherwise; the commands are those on the page."""
    server = make_server({"trust.insecure_unsigned": "no"}, start=False, via="")
    vendor = Vendor(server).start()
    (tmp_path / "browser").mkdir()
    page = Browser(tmp_path / "browser", server)
    try:
        page.take_session(signed_in(server))
        for i, name in enumerate(("gateway-1.0.bin", "gateway-1.1.bin", "gateway 1.2 (final).bin")):
            (tmp_path / name).write_bytes(os.urandom(1000))
            page.open("#/firmware")
            page.one(".drop")
            page.driver.find_element("css selector", "input[type=file]").send_keys(str(tmp_path / name))
            page.press("Upload", "main form")
            page.see("Draft", "table")
            commands = [c.text for c in wait_for(lambda: page.all(".copyable code"), what="the commands")]
            (one,) = (c for c in commands if "--sign-with" in c)
            (three,) = (c for c in commands if "trust sign" in c)
            for line in (three if i == 1 else one).replace(" \\\n", "").splitlines():
                shell(server, vendor, tmp_path, line)
            if i == 1:
                page.driver.find_element("css selector", "input[type=file]").send_keys(
                    str(tmp_path / "gateway-1.1.sign.json")
                )
                page.press("Put in force", "dialog")
                page.see("gateway 1.1 is published.", "dialog")
                page.press("Close", "dialog")
            wait_for(lambda: "Draft" not in page.text("table"), what="it is published, on the page too")
            wait_for(lambda: not page.all(".copyable"), what="nobody is told to sign it any more")
        assert page.complaints() == []
    finally:
        page.close()


def shell(server, vendor, folder, line):
    """Runs a line of the page, with the key that it asks for in reach."""
    argv = shlex.split(line)
    if argv[0] == "cp":  # what is signed is called as it was uploaded
        run(argv, check=0, cwd=folder)
        return
    assert argv[0] == "pqota"
    (folder / "targets.key").exists() or (folder / "targets.key").symlink_to(vendor.key("targets"))
    (folder / "pw").write_text(vendor.passphrase.read_text())
    if "trust" in argv or "--sign-with" in argv:
        argv += ["--passphrase-file", "pw", *(["--yes"] if "trust" in argv else [])]  # there is no terminal
    env = environment(PQOTA_PROFILE=str(server.profile))
    run([server.build / "src" / "cmd" / "pqota", *argv[1:]], check=0, env=env, cwd=folder)


# --- deployments ---


def order(page, release, filter_, static=True):
    """Fills the form; answers the command that it shows."""
    page.go("#/deploy")
    page.heading("New deployment")
    page.fill("release", release)
    page.fill("kind", "filter")
    page.fill("target", filter_)
    if static:
        page.script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.fill("dynamic", False)
    return page


def command(page):
    (it,) = wait_for(lambda: page.all(".beside .copyable code"), what="the command")
    return shlex.split(it.text.replace("\\\n", " "))


def test_a_canary_is_made_in_the_form_and_watched_to_its_end(site, as_, simulate, page):
    simulate(*QUIET)
    as_("operator")
    order(page, "fleet@2.0", "model==fleet")
    page.see("60", ".beside .stats")
    page.see("canary", ".beside")
    assert command(page)[:3] == ["pqota", "deploy", "fleet@2.0"]
    page.press("Deploy", "main form")
    page.press("Deploy", "dialog")
    page.heading("Deployment ")
    page.see("Live", ".foot")
    page.see("canary", "main")
    page.see("3", ".stats")
    page.see("Finished", "h1 + *, .heading", seconds=60)
    page.see("60 of 60", "main")
    pk = page.at().rpartition("/")[2]
    assert site.api("GET", f"/api/deployments/{pk}").json()["devices"]["succeeded"] == DEVICES
    page.go("#/fleet")
    page.see("2.0", ".bars")


def test_the_command_does_what_the_form_does(site, as_, page):
    as_("admin")
    order(page, "fleet@2.0", "model==fleet and version!='9'")
    page.fill("approval", True)
    argv = command(page)
    page.press("Deploy", "main form")
    page.press("Deploy", "dialog")
    page.see("Waits for approval")
    one = int(page.at().rpartition("/")[2])
    site.pqota(*argv[1:])
    other = site.api("GET", "/api/deployments?limit=1").json()["items"][0]["id"]
    assert other != one
    first, second = (site.api("GET", f"/api/deployments/{pk}").json() for pk in (one, other))
    for key in first.keys() - {"id", "created", "created_by", "prepared_percent", "prepared"}:
        for phase in first["phases"] + second["phases"] if key == "phases" else ():
            del phase["opened"]
        assert first[key] == second[key], key
    assert page.all(".heading .actions button")
    assert "Approve" not in page.text(".heading")  # by another person
    page.press("Deny", ".heading")
    page.press("Deny", "dialog")
    page.see("Denied", ".heading")
    site.api("POST", f"/api/deployments/{other}/cancel")


def test_a_deployment_pauses_on_errors_and_its_devices_say_why(site, as_, simulate, page):
    simulate(*QUIET, "--bad-version", "bad", "--version", "2.0")
    as_("admin")
    order(page, "fleet@bad", "model==fleet")
    page.press("Deploy", "main form")
    page.press("Deploy", "dialog")
    page.see("Paused", ".heading", seconds=30)
    page.see("Stopped: too many failed", "main")
    page.see("pqfleet: it failed, as was drawn", "table")
    failed = page.one("table tbody a")
    device = failed.text
    failed.click()
    page.heading(device)
    page.see("pqfleet: it failed, as was drawn", ".timeline")
    page.see("Failed", ".timeline")
    page.go("#/fleet")
    page.see("pqfleet: it failed, as was drawn", ".failures")
    page.see(device, ".failures")
    page.driver.back()
    page.driver.back()
    page.press("Abort", ".heading")
    page.press("Abort", "dialog")
    page.see("Cancelled", ".heading")


def test_a_device_has_a_past(site, as_, page):
    device = site.enrol("past-1", "past")
    release = site.publish("past", "1.1", os.urandom(900))
    site.api(
        "POST", "/api/deployments", {"release": release["id"], "target": {"kind": "model", "value": "past"}}
    )
    offer = site.api("GET", "/api/update?version=1.0", who=device, expect=200).json()
    as_("operator", "#/device/past-1")
    page.heading("past-1")
    page.see("Enrolled", ".timeline")
    for version, report in (
        ("1.0", {"state": "downloading", "progress": 40}),
        ("1.1", {"state": "succeeded", "message": "all is well", "version": "1.1"}),
    ):
        site.api("GET", f"/api/update?version={version}", who=device)
        site.api("POST", f"/api/update/{offer['action']}/status", report, who=device, expect=204)
    page.see("all is well", ".timeline")
    page.see("Succeeded", ".timeline")
    assert "mldsa65" in page.text("main").lower().replace("-", "")
    page.fill("tag", "berlin")
    page.press("Add tag", "main")
    page.see("berlin", ".tag")
    page.press("Remove the tag berlin", "main")
    page.see("No tags", "main")
    page.see("Tagged", ".timeline")
