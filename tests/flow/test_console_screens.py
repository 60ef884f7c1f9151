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

HOUR_MS = 3600 * 1000
GATEWAYS, HUBS, KIOSKS = 320, 140, 60
DAYS = 7


def devices(server):
    """Some hundred, of three models; those of the first come to life."""
    fleet = (
        "--model",
        "gateway",
        "--version",
        "2.3.0",
        "--id-prefix",
        "gw-",
        "--tag",
        "berlin:3",
        "--tag",
        "beta:20",
    )
    server.issuer = fill(
        server, GATEWAYS, *fleet, "--certificates", GATEWAYS, "--attribute", "hw=rev-B,rev-C"
    )["issuer"]
    hubs = ("--model", "sensor-hub", "--version", "1.8.1", "--version", "1.8.2", "--version", "1.9.0-rc1")
    fill(server, HUBS, *hubs, "--id-prefix", "hub-", "--tag", "roof:4")
    fill(
        server,
        KIOSKS,
        "--model",
        "kiosk",
        "--version",
        "5.0",
        "--version",
        "5.1",
        "--id-prefix",
        "kiosk-",
        "--ddi",
    )


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


def deploy(server, release, kind, value, **more):
    body = {"release": release["id"], "target": {"kind": kind, "value": value}, **more}
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
    server = Server(folder, {"unix.proxy": "yes", "trust.insecure_unsigned": "yes"}, via="")
    devices(server)
    past(server)
    server.start()
    notes = "notes=Faster%20boot%3B%20fixes%20the%20watchdog%20on%20rev-C%20boards."
    releases = {}
    for name, version, size in (
        ("gateway", "2.3.0", 9),
        ("gateway", "2.4.0", 12),
        ("gateway", "2.4.1", 12),
        ("sensor-hub", "1.9.0", 3),
        ("kiosk", "5.2", 20),
    ):
        file = folder / f"{name}-{version}.raucb"
        file.write_bytes(os.urandom(size * 100_000))
        reply = server.curl(f"/api/firmware/{name}/{version}/{file.name}?model={name}&{notes}", "-T", file)
        assert reply.status == 201, reply
        releases[name, version] = reply.json()
        file.unlink()
    server.fleet = Fleet(
        server,
        folder,
        "--protocol",
        "native",
        "--issuer",
        server.issuer,
        "-n",
        GATEWAYS,
        "--id-prefix",
        "gw-",
        "--version",
        "2.3.0",
        "--interval",
        1,
        "--install",
        3,
        "--fail",
        0.03,
        "--vanish",
        0,
        "--hang",
        0.02,
        "--fall-back",
        0,
        "--bad-version",
        "2.4.0",
        "--stay",
        "--seconds",
        600,
    )
    server.fleet.start()
    canary = [
        {"name": "canary", "percent": 5, "success_percent": 95, "error_percent": 10},
        {"name": "early", "percent": 25, "success_percent": 95, "error_percent": 10},
        {"name": "rest", "error_percent": 10},
    ]
    broken = deploy(server, releases["gateway", "2.4.0"], "tag", "beta", phases=canary)
    wait_for(
        lambda: server.api("GET", f"/api/deployments/{broken}").json()["state"] == "paused", 60, "it paused"
    )
    ann = signed_in(server, "operator", "ann")
    body = {
        "release": releases["kiosk", "5.2"]["id"],
        "target": {"kind": "model", "value": "kiosk"},
        "approval": True,
    }
    ann.call("POST", "/api/deployments", body, expect=201)
    deploy(
        server,
        releases["sensor-hub", "1.9.0"],
        "filter",
        "model==sensor-hub and tag==roof",
        start_at="2031-01-05T02:00:00Z",
        window={"schedule": "0 0 2 * * ?", "duration": "02:00:00"},
    )
    server.running = deploy(
        server, releases["gateway", "2.4.1"], "model", "gateway", phases=canary, per_minute=120
    )
    server.releases = releases
    for name, text in (("gw-0000007", "Hauptbahnhof, Gleis 7"), ("gw-0000012", "Roof of building C")):
        server.api("PUT", f"/api/devices/{name}", {"name": text}, expect=204)
    yield server
    server.fleet.stop()
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
    ("fleet", "#/fleet"),
    ("devices", "#/fleet?model=gateway&tag=berlin"),
    ("device", "#/device/{device}"),
    ("deployments", "#/deployments"),
    ("deployment", "#/deployment/{running}"),
    ("deployment-paused", "#/deployment/1"),
    ("deploy", "#/deploy?filter=model%3D%3Dgateway%20and%20version!%3D2.4.1&release={release}"),
    ("firmware", "#/firmware"),
    ("release", "#/firmware/{release}"),
    ("server", "#/server"),
    ("changes", "#/changes"),
    ("accounts", "#/accounts"),
    ("signin", ""),
]


# What comes a moment after the view.
SHOWS = {"deploy": ".preview .stats", "release": ".preview .stats", "fleet": "canvas", "server": "canvas"}


@pytest.mark.parametrize("name, hash_", VIEWS, ids=[name for name, _ in VIEWS])
def test_pictures(shown, browser, name, hash_):
    now = stands(shown, shown.running, succeeded=3)
    failed = shown.api("GET", "/api/failures?hours=24&limit=1").json()["items"][0]["device"]
    browser.forget()
    if name != "signin":
        browser.take_session(browser.admin)
    browser.resize("wide")
    browser.open(
        hash_.format(device=failed, running=now["id"], release=shown.releases["gateway", "2.4.1"]["id"])
    )
    faults = {}
    for size in ("wide", "phone"):
        browser.resize(size)
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            browser.settle()
            if name in SHOWS:
                browser.one(SHOWS[name])
            over, who = browser.too_wide()
            if over:
                faults[f"{size}, {scheme}"] = [f"{over} pixels too wide", *who]
            if found := browser.inaccessible():
                faults[f"{size}, {scheme}: words"] = found
            file = browser.picture(f"{name}-{scheme}-{size}")
            assert file.stat().st_size > 5000
    assert not faults, json.dumps(faults, indent=1)
    assert browser.complaints() == []
