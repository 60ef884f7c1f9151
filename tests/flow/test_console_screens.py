"""Pictures of every view, by day and by night, wide and as a phone shows it, in build/screens. None is wider
than its window, and all say what somebody who does not see them needs."""

import json
import os
import sqlite3
import time

import pytest

from browser import Browser
from console import Console, link, signed_in
from fleet import Fleet, fill
from harness import Server, wait_for
from vendor import Vendor

HOUR_MS = 3600 * 1000
GATEWAYS, HUBS, KIOSKS = 320, 140, 60
CANARY = {"name": "canary", "percent": 10, "success_percent": 85, "error_percent": 20}
EARLY = {"name": "early", "percent": 40, "success_percent": 90, "error_percent": 10}
NOTES = {
    "2.3.0": "Baseline of the autumn.",
    "2.4.0": "New modem firmware; needs 430 MiB in the spare slot.",
    "2.4.1": "Smaller image; the watchdog waits for the network.",
    "1.9.0": "Calibrates on the roof's own sun.",
    "5.2": "Screens go dark at night.",
}
DAYS = 7
BY_HAND = {
    "gw-tegel-1": "slot B: /dev/mmcblk0p3 has 412 MiB, the image needs 430 MiB",
    "gw-tegel-2": "the bundle's signature is good, but its compatible is gateway-mk2",
    "gw-tegel-3": "rebooted into 2.3.0: the watchdog fell after 60 seconds without network",
}


def devices(server):
    """Some hundred, of three models; those of the first come to life."""
    tags, kinds = ("--tag", "berlin:3"), ("--attribute", "hw=rev-B,rev-C")
    gateways = ("--model", "gateway", "--version", "2.3.0", "--id-prefix", "gw-", *tags, *kinds)
    server.issuer = fill(server, GATEWAYS, *gateways, "--certificates", GATEWAYS)["issuer"]
    hubs = ("--model", "sensor-hub", "--version", "1.8.1", "--version", "1.8.2", "--version", "1.9.0-rc1")
    fill(server, HUBS, *hubs, "--id-prefix", "hub-", "--tag", "roof:4")
    kiosks = ("--model", "kiosk", "--version", "5.0", "--version", "5.1", "--id-prefix", "kiosk-", "--ddi")
    fill(server, KIOSKS, *kiosks)


def publish(server, vendor):
    """Signed by the vendor's keys, as it should be."""
    for name, version, size in (
        ("gateway", "2.3.0", 9),
        ("gateway", "2.4.0", 12),
        ("gateway", "2.4.1", 12),
        ("sensor-hub", "1.9.0", 3),
        ("kiosk", "5.2", 20),
    ):
        file = server.folder / f"{name}-{version}.raucb"
        file.write_bytes(os.urandom(size * 100_000))
        server.pqota(
            *("firmware", "publish", file, "--name", name, "--version", version, "--notes", NOTES[version]),
            *("--sign-with", vendor.key("targets"), "--passphrase-file", vendor.passphrase),
        )
        file.unlink()
    items = server.api("GET", "/api/firmware").json()["items"]
    return {(r["name"], r["version"]): r["id"] for r in items}


def fail_by_hand(server, release):
    """Real devices, with their own words; the deployment that they stop."""
    who = {device: server.enrol(device, "gateway") for device in BY_HAND}
    for device in who:
        server.api("PUT", f"/api/devices/{device}/tags/beta", expect=204)
    pk = deploy(server, release, "tag", "beta", phases=[{**CANARY, "percent": 100}, {"name": "rest"}])
    for device, words in BY_HAND.items():
        offer = server.api("GET", "/api/update?version=2.3.0", who=who[device])
        if offer.status == 200:  # and not paused by those before it
            path = f"/api/update/{offer.json()['action']}/status"
            for state, more in (
                ("downloading", {"progress": 100}),
                ("installing", {}),
                ("failed", {"message": words}),
            ):
                server.api("POST", path, {"state": state, **more}, who=who[device], expect=204)
    return pk


def past(server):
    """What the server would have noted over a week."""
    now = int(time.time() * 1000)
    curves = {
        ("gateway", "2.2.4"): lambda x: max(0, int(GATEWAYS * (1 - 2.2 * x))),
        ("gateway", "2.3.0"): lambda x: min(GATEWAYS, int(GATEWAYS * 2.2 * x)),
        ("sensor-hub", "1.8.1"): lambda x: HUBS - 2 * int(HUBS * 0.335 * x),
        ("sensor-hub", "1.8.2"): lambda x: int(HUBS * 0.335 * x),
        ("sensor-hub", "1.9.0-rc1"): lambda x: int(HUBS * 0.335 * x),
        ("kiosk", "5.0"): lambda x: KIOSKS - int(KIOSKS * 0.5 * x),
        ("kiosk", "5.1"): lambda x: int(KIOSKS * 0.5 * x),
    }
    with sqlite3.connect(server.dir / "data" / "pqota.db") as db:
        db.execute("DELETE FROM fleet_sample")
        db.execute("DELETE FROM fleet_series")
        for (model, version), curve in curves.items():
            steps = [(now - (DAYS * 24 - i) * HOUR_MS, curve(i / DAYS / 24)) for i in range(DAYS * 24)]
            series = db.execute(
                "INSERT INTO fleet_series (model, version, devices, peak) VALUES (?, ?, ?, ?)",
                (model, version, steps[-1][1], max(n for _, n in steps)),
            ).lastrowid
            db.executemany(
                "INSERT INTO fleet_sample VALUES (?, ?, ?)", [(series, at, n) for at, n in steps]
            )
        db.execute("UPDATE device SET last_seen_at = ? - (pk % 977) * 60000", (now,))  # heard of today
        db.execute("UPDATE device SET transport = 'pq'")


def deploy(server, release, kind, value, **more):
    body = {"release": release, "target": {"kind": kind, "value": value}, **more}
    return server.api("POST", "/api/deployments", body, expect=201).json()["id"]


def stands(server, pk, **wanted):
    """Waits until so many of a deployment's devices are at least there."""

    def look():
        now = server.api("GET", f"/api/deployments/{pk}").json()
        return all(now["devices"][state] >= n for state, n in wanted.items()) and now

    return wait_for(look, 60, f"deployment {pk}: {wanted}")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A server as it is after a busy morning: one canary under way, one that was stopped, one to approve."""
    folder = tmp_path_factory.mktemp("shown")
    server = Server(folder, {"unix.proxy": "yes", "trust.insecure_unsigned": "no"}, via="")
    vendor = Vendor(server)
    devices(server)
    past(server)
    vendor.start()
    releases = publish(server, vendor)
    fleet = Fleet(
        server,
        folder,
        *("--protocol", "native", "--issuer", server.issuer, "-n", GATEWAYS, "--id-prefix", "gw-"),
        *("--version", "2.3.0", "--interval", 1, "--install", 3, "--stay", "--seconds", 600),
        *("--fail", 0.03, "--vanish", 0, "--hang", 0.02, "--fall-back", 0),
    ).start()
    server.broken = fail_by_hand(server, releases["gateway", "2.4.0"])
    ann = signed_in(server, "operator", "ann")
    body = {
        "release": releases["kiosk", "5.2"],
        "target": {"kind": "model", "value": "kiosk"},
        "approval": True,
    }
    ann.call("POST", "/api/deployments", body, expect=201)
    night = {"schedule": "0 0 2 * * ?", "duration": "02:00:00"}
    roof, when = releases["sensor-hub", "1.9.0"], "2031-01-05T02:00:00Z"
    deploy(server, roof, "filter", "model==sensor-hub and tag==roof", start_at=when, window=night)
    rollout = {"phases": [CANARY, EARLY, {"name": "rest", "error_percent": 10}], "per_minute": 300}
    server.running = deploy(
        server, releases["gateway", "2.4.1"], "filter", "model==gateway and id!=gw-tegel-*", **rollout
    )
    server.releases = releases
    for name, text in (("gw-0000007", "Hauptbahnhof, Gleis 7"), ("gw-0000012", "Roof of building C")):
        server.api("PUT", f"/api/devices/{name}", {"name": text}, expect=204)
    yield server
    fleet.stop()
    server.close()


@pytest.fixture(scope="module")
def browser(shown, tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("browser"), shown)
    admin = Console(shown)
    admin.sign_in(token=link(shown, "--account", "kim"))
    made.admin = admin
    yield made
    made.close()


VIEWS = [
    ("deployment", "#/deployment/{running}"),
    ("fleet", "#/fleet"),
    ("devices", "#/fleet?model=gateway&tag=berlin"),
    ("device", "#/device/gw-tegel-1"),
    ("deployments", "#/deployments"),
    ("deployment-paused", "#/deployment/{broken}"),
    ("deploy", "#/deploy?filter=model%3D%3Dgateway%20and%20version!%3D2.4.1&release={release}"),
    ("firmware", "#/firmware"),
    ("release", "#/firmware/{release}"),
    ("server", "#/server"),
    ("changes", "#/changes"),
    ("access", "#/access"),
    ("accounts", "#/accounts"),
    ("signin", ""),
]


# What stands in the README, in docs/images.
README = {("fleet", "light", "wide"), ("deployment", "dark", "wide")}

# What comes a moment after the view.
SHOWS = {"deploy": ".preview .stats", "release": ".preview .stats", "fleet": "canvas", "server": "canvas"}


def too_wide(browser):
    """Once a chart has noticed that its window is another, which takes it a moment."""
    try:
        wait_for(lambda: browser.too_wide()[0] == 0, 5, "it fits")
    except AssertionError:
        pass
    return browser.too_wide()


@pytest.mark.parametrize("name, hash_", VIEWS, ids=[name for name, _ in VIEWS])
def test_pictures(shown, browser, name, hash_):
    stands(shown, shown.running, succeeded=GATEWAYS // 8)
    browser.forget()
    if name != "signin":
        browser.take_session(browser.admin)
    browser.resize("wide")
    release = shown.releases["gateway", "2.4.1"]
    browser.open(hash_.format(running=shown.running, broken=shown.broken, release=release))
    faults = {}
    for size in ("wide", "phone"):
        browser.resize(size)
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            browser.settle()
            if name in SHOWS:
                browser.one(SHOWS[name])
            over, who = too_wide(browser)
            if over:
                faults[f"{size}, {scheme}"] = [f"{over} pixels too wide", *who]
            if found := browser.inaccessible():
                faults[f"{size}, {scheme}: words"] = found
            if (name, scheme, size) in README:
                browser.picture(f"readme-{name}", whole=False)
            file = browser.picture(f"{name}-{scheme}-{size}")
            assert file.stat().st_size > 5000
    assert not faults, json.dumps(faults, indent=1)
    assert browser.complaints() == []
