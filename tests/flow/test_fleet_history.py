"""GET /api/fleet/history and GET /api/failures: which versions ran when, and what failed."""

import datetime
import os
import sqlite3
import time

import pytest
from test_openapi import Caller

from harness import ANYONE, wait_for


@pytest.fixture
def call(server):
    return Caller(server)


def report(server, who, action, state, **more):
    body = {"state": state, **more}
    server.api("POST", f"/api/update/{action}/status", body, who=who, expect=204)


def series(history):
    return {(s["model"], s["version"]): s["devices"] for s in history["series"]}


def test_what_runs_now_is_there_at_once(call, server):
    devices = [server.enrol(f"n-{i}", "n") for i in range(3)]
    for who, version in zip(devices, ("1", "1", "2")):
        server.curl(f"/api/update?version={version}", who=who)
    told = call("fleetHistory", 200).json()
    assert told["step_seconds"] == 3600 and len(told["times"]) in (168, 169)
    assert [s[-1] for s in series(told).values()] == [2, 1]
    assert list(series(told)) == [("n", "1"), ("n", "2")]
    assert series(told)[("n", "1")][0] is None  # nothing is known of last week
    server.enrol("o-1", "o")
    server.api("POST", "/api/devices/n-0/revoke", {}, expect=204)
    told = call("fleetHistory", 200, query="?hours=1&model=n").json()
    assert told["step_seconds"] == 600
    assert {key: values[-1] for key, values in series(told).items()} == {("n", "1"): 1, ("n", "2"): 1}
    assert ("o", None) in series(call("fleetHistory", 200, query="?hours=2160").json())
    call("fleetHistory", 400, query="?hours=2161")
    for hours in ("x", "0", "-1", "9" * 30):
        refused = call("fleetHistory", 400, query=f"?hours={hours}").json()["detail"]
        assert refused == "hours= must be a whole number from 1 to 2160"
    call("fleetHistory", 401, who=ANYONE)
    call("fleetHistory", 403, who=devices[1])
    assert call("fleetHistory", 200, query="?model=nobody").json()["series"] == []


def database(server):
    return sqlite3.connect(server.dir / "data" / "pqota.db", timeout=30)


def noted(server):
    """What the job noted, as soon as it did."""
    with database(server) as db:
        return db.execute("SELECT count(*) FROM fleet_sample").fetchone()[0]


def test_it_is_noted_and_kept(call, server):
    who = server.enrol("k-1", "k")
    server.curl("/api/update?version=1", who=who)
    wait_for(lambda: noted(server) > 0, what="the first sample")
    server.stop()
    with database(server) as db:  # as if it had begun three hours ago, with another version
        begun = int(time.time() * 1000) - 3 * 3600 * 1000
        db.execute("DELETE FROM fleet_sample")
        db.execute("DELETE FROM fleet_series")
        db.execute("INSERT INTO fleet_series VALUES (1, 'k', '0', 5, 5), (2, '', '', 0, 0)")
        db.execute("INSERT INTO fleet_sample VALUES (1, ?, 5), (2, ?, 0)", (begun, begun))
    server.start()
    wait_for(lambda: noted(server) > 2, what="the next sample")
    told = call("fleetHistory", 200, query="?hours=6").json()
    times = [datetime.datetime.fromisoformat(t).timestamp() * 1000 for t in told["times"]]
    assert times == sorted(times) and abs(times[-1] / 1000 - time.time()) < 60
    old, new = series(told)[("k", "0")], series(told)[("k", "1")]
    for at, was, is_now in zip(times[:-1], old, new):
        assert (was, is_now) == ((None, None) if at < begun else (5, 0)), at
    assert (old[-1], new[-1]) == (0, 1)
    with database(server) as db:
        assert db.execute("SELECT devices FROM fleet_series WHERE version = '0'").fetchone() == (0,)


def test_what_failed_lately(call, server):
    devices = {name: server.enrol(name, "f") for name in ("f-1", "f-2", "f-3")}
    release = server.publish("f", "1", os.urandom(500))["id"]
    pk = call("deploy", 201, body={"release": release, "target": {"kind": "all"}}).json()["id"]
    assert call("failures", 200).json() == {"items": [], "next": None}
    for name, who in devices.items():
        action = server.curl("/api/update?version=0", who=who).json()["action"]
        if name != "f-2":
            report(server, who, action, "failed", message=f"no room on {name}")
    told = call("failures", 200).json()["items"]
    assert [(f["device"], f["message"]) for f in told] == [
        ("f-3", "no room on f-3"),
        ("f-1", "no room on f-1"),
    ]
    assert told[0]["deployment"] == pk and told[0]["release"] == {"name": "f", "version": "1"}
    page = call("failures", 200, query="?limit=1&hours=1").json()
    assert [f["device"] for f in page["items"]] == ["f-3"]
    page = call("failures", 200, query=f"?limit=1&after={page['next']}").json()
    assert [f["device"] for f in page["items"]] == ["f-1"] and page["next"] is None
    call("failures", 400, query="?after=x.1")
    call("failures", 400, query="?hours=9000")
    call("failures", 401, who=ANYONE)
    call("failures", 403, who=devices["f-1"])
    with database(server) as db:
        db.execute("UPDATE action SET closed_at = closed_at - 7200000 WHERE state = 'failed'")
    assert call("failures", 200, query="?hours=1").json()["items"] == []
    assert len(call("failures", 200, query="?hours=3").json()["items"]) == 2
