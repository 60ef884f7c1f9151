"""POST /api/deployments/preview: what a deployment would do, before there is one, with the real server."""

import os
import sqlite3
import time

import pytest
from certificates import operator
from test_openapi import Caller

from harness import ANYONE


@pytest.fixture(scope="module")
def call(shared):
    return Caller(shared)


def runs(server, who, version):
    return server.curl(f"/api/update?version={version}", who=who).status


def test_who_would_get_it(call, shared, tmp_path):
    devices = {name: shared.enrol(name, "gw") for name in ("gw-1", "gw-2", "gw-3", "gw-4")}
    shared.enrol("cam-1", "cam")
    old, new = shared.publish("gw", "1", os.urandom(500)), shared.publish("gw", "2", os.urandom(500))
    for name, version in (("gw-1", "1"), ("gw-2", "2"), ("gw-3", "1")):
        runs(shared, devices[name], version)
    shared.api("POST", "/api/devices/gw-3/revoke", {}, expect=204)
    before = shared.api("GET", "/api/events").json()["items"]
    body = {"release": new["id"], "target": {"kind": "all"}, "phases": [{"name": "some", "count": 1}, {}]}
    viewer = operator(shared, tmp_path, "vic", "viewer")
    told = call("previewDeployment", 200, body=body, who=viewer).json()
    assert told["devices"] == 2 and told["already"] == 1 and told["complete"]
    assert {(c["model"], c["version"], c["devices"]) for c in told["changes"]} == {
        ("gw", "1", 1),
        ("gw", None, 1),
    }
    assert {d["id"] for d in told["sample"]} == {"gw-1", "gw-4"}
    reasons = {e["reason"]: e["devices"] for e in told["excluded"]}
    assert reasons == {"they are revoked": 1, "gw 2 does not fit their model": 1}
    assert told["phases"] == [{"name": "some", "devices": 1}, {"name": "", "devices": 1}]
    assert any("Nobody has vouched" in w for w in told["warnings"])
    named = [e for e in shared.api("GET", "/api/events").json()["items"] if e not in before]
    assert [e["kind"] for e in named] == ["operator.registered"]  # vic; the trial itself left no trace
    assert call("listDeployments", 200).json()["items"] == []

    # and so it is
    pk = call("deploy", 201, body=body).json()["id"]
    phases = call("showDeployment", 200, id=pk).json()["phases"]
    assert [sum(p["devices"].values()) for p in phases] == [1, 2]
    back = {"release": old["id"], "target": {"kind": "device", "value": "gw-2"}, "allow_downgrade": True}
    told = call("previewDeployment", 200, body=back).json()
    assert told["devices"] == 1 and any("go back" in w for w in told["warnings"])
    told = call("previewDeployment", 200, body={**back, "allow_downgrade": False}).json()
    assert told["devices"] == 0 and "going back is not allowed" in told["excluded"][0]["reason"]


def test_windows_by_clocks_that_are_not_known(call, shared):
    """A night by each device's own clock is one by UTC where nobody set it."""
    for i in range(3):
        shared.enrol(f"clock-{i}", "clock")
    release = shared.publish("clock", "1", os.urandom(500))["id"]
    shared.api("PUT", "/api/devices/clock-0", {"utc_offset": "+09:00"}, expect=204)

    def warned(kind, value, **window):
        body = {"release": release, "target": {"kind": kind, "value": value}}
        if window:
            body["window"] = {"schedule": "0 0 2 * * ?", "duration": "02:00:00", **window}
        told = call("previewDeployment", 200, body=body).json()
        return [w for w in told["warnings"] if "UTC" in w]

    (some,) = warned("filter", "id==clock-*", zone="device")
    assert "The offset from UTC of 2 of the devices was never set" in some
    assert warned("filter", "id==clock-*") == warned("device", "clock-0", zone="device") == []
    assert warned("filter", "id==clock-*", zone="+09:00") == []
    (any_,) = warned("model", "clock", zone="device")  # by numbers that are kept: nobody is asked
    assert "by UTC for devices whose offset from UTC was never set" in any_


def test_it_refuses_as_the_real_thing_does(call, shared):
    shared.enrol("r-1", "r")
    shared.enrol("s-1", "s")
    release = shared.publish("r", "1", os.urandom(500))["id"]
    for body in (
        {"release": 99999, "target": {"kind": "all"}},
        {"release": release},
        {"release": release, "target": {"kind": "model", "value": "nobody"}},
        {"release": release, "target": {"kind": "device", "value": "s-1"}},
        {"release": release, "target": {"kind": "filter", "value": "model="}},
        {"release": release, "target": {"kind": "list"}},
        {"release": release, "target": {"kind": "all"}, "phases": []},
        {"release": release, "target": {"kind": "all"}, "rollback": 4711},
        {"release": release, "target": {"kind": "all"}, "misspelt": 1},
    ):
        real = shared.api("POST", "/api/deployments", body)
        assert real.status in (400, 404, 409), (body, real)
        tried = call("previewDeployment", real.status, body=body)
        assert tried.json()["detail"] == real.json()["detail"]


def test_it_is_for_those_who_read(call, shared):
    device = shared.enrol("d-1", "d")
    body = {"release": 1, "target": {"kind": "all"}}
    call("previewDeployment", 401, body=body, who=ANYONE)
    call("previewDeployment", 403, body=body, who=device)


def test_a_large_fleet_is_counted(make_server):
    server = make_server(start=False)
    server.start()
    release = server.publish("m", "2", os.urandom(500))["id"]
    server.publish("m", "3", os.urandom(500))
    server.stop()
    with sqlite3.connect(server.dir / "data" / "pqota.db") as db:
        db.execute(
            "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 30000)"
            " INSERT INTO device (id, model, version, created_at)"
            " SELECT printf('d%05d', i), 'm', CASE i % 3 WHEN 0 THEN '1' WHEN 1 THEN '2' ELSE '3' END, 1"
            " FROM c"
        )
        db.execute("INSERT INTO device_tag SELECT 'lab', id, pk FROM device WHERE pk % 10 = 0")
    server.start()

    def told(kind, value, **more):
        body = {"release": release, "target": {"kind": kind, "value": value}, **more}
        begun = time.monotonic()
        reply = server.api("POST", "/api/deployments/preview", body, expect=200).json()
        assert reply["complete"] and time.monotonic() - begun < 10
        return reply

    whole, filtered = told("model", "m"), told("filter", "id!=nobody")
    for key in ("devices", "already", "excluded", "changes", "phases"):
        assert whole[key] == filtered[key], key
    assert whole["devices"] == 10000 and whole["already"] == 10000
    assert whole["excluded"][0]["devices"] == 10000
    assert any("All 10000 devices" in w for w in whole["warnings"])
    assert told("tag", "lab")["devices"] == 1000
    tenth = [{"name": "tenth", "percent": 10, "error_percent": 5}, {"name": "rest"}]
    shares = told("filter", "id==d0*", phases=tenth)
    assert [p["devices"] for p in shares["phases"]] == [334, 2999]  # of the third that runs 1
    assert not any("Nothing stops it" in w for w in shares["warnings"])
