"""Deployments with a policy, devices' words and reasons against docs/openapi.yaml."""

import os

import pytest
from certificates import issue
from test_openapi import Caller


@pytest.fixture
def call(server):
    return Caller(server)


def second_operator(call, server, folder):
    who = issue(server, folder, "ben", "-days", "30", ca="operator-ca")
    call("addOperator", 201, body={"name": "ben", "role": "operator", "certificate": who.cert.read_text()})
    return who


def test_a_policy_from_approval_to_the_end(call, server, tmp_path):
    ben = second_operator(call, server, tmp_path)
    first, second = server.enrol("o-1", "o"), server.enrol("o-2", "o")
    old, new = server.publish("o", "1", os.urandom(500)), server.publish("o", "2", os.urandom(500))
    order = {
        "release": new["id"],
        "target": {"kind": "filter", "value": "id==o-*"},
        "approval": True,
        "consent": True,
        "dynamic": False,
        "priority": 700,
        "mode": "time_forced",
        "force_at": "2030-01-01T00:00:00Z",
        "per_minute": 60,
        "window": {"schedule": "* * * * * ?", "duration": "01:00:00", "zone": "+02:00"},
        "deadline_seconds": 3600,
        "retries": 2,
        "retry_seconds": 60,
        "rollback": old["id"],
        "phases": [
            {"name": "canary", "count": 1, "success_percent": 90, "error_percent": 5},
            {"name": "rest"},
        ],
    }
    made = call("deploy", 201, body=order).json()
    pk = made["id"]
    assert made["state"] == "approval" and made["window"]["seconds"] == 3600
    call("approveDeployment", 403, id=pk)  # not by whoever made it
    assert call("approveDeployment", 200, id=pk, who=ben).json()["approved_by"] == "ben"
    call("approveDeployment", 404, id=999999, who=ben)
    other = call("deploy", 201, body=order).json()["id"]
    assert call("denyDeployment", 200, id=other, who=ben).json()["state"] == "denied"
    call("resumeDeployment", 409, id=other)
    call("denyDeployment", 404, id=999999, who=ben)
    assert call("pauseDeployment", 200, id=pk).json()["state"] == "paused"
    assert call("resumeDeployment", 200, id=pk).json()["state"] == "running"
    call("pauseDeployment", 404, id=999999)
    call("nextPhase", 404, id=999999)
    call("nextPhase", 409, id=other)
    third = call("deploy", 201, body={**order, "approval": False}).json()["id"]
    call("nextPhase", 400, id=third, query="?phase=two")
    problem = call("nextPhase", 409, id=third, query="?phase=3").json()
    assert "next is 2 by now, not 3" in problem["detail"]
    assert call("nextPhase", 200, id=third, query="?phase=2").json()["phase"] == 2
    call("cancelDeployment", 200, id=third)
    call("poll", 204, who=first, query="?version=1")  # it does not say that it can ask
    update = call("poll", 200, who=first, query="?version=1&consent=yes").json()
    assert update["state"] == "waiting" and "artifacts" not in update
    call("consent", 204, who=first, action=update["action"], body={"answer": "denied", "message": "no"})
    call("consent", 204, who=first, action=update["action"], body={"answer": "confirmed"})
    call("consent", 404, who=second, action=update["action"], body={"answer": "confirmed"})
    call("consent", 400, who=first, action=update["action"], body={"answer": "maybe"})
    assert call("poll", 200, who=first, query="?version=1").json()["install"] == "attempt"
    call("report", 204, who=first, action=update["action"], body={"state": "downloaded"})
    call("poll", 204, who=second, query="?version=1")
    told = call("why", 200, id="o-2").json()
    assert told["deployments"][0]["reason"] == "phase" and told["deployments"][0]["waits_for_phase"] == 1
    assert call("why", 200, id="o-1", query=f"?deployment={other}").json()["deployments"]
    call("why", 404, id="o-2", query="?deployment=999999")
    call("why", 404, id="nobody")
    members = call("listMembers", 200, id=pk).json()["items"]
    assert [m["state"] for m in members] == ["active", "waiting"]
    assert call("listMembers", 200, id=pk, query="?state=failed").json()["items"] == []
    call("listMembers", 400, id=pk, query="?state=odd")
    call("report", 204, who=first, action=update["action"], body={"state": "succeeded", "version": "2"})
    call("showDeployment", 200, id=pk)
    call("poll", 200, who=second, query="?version=1&consent=yes")
    for name, wrong in (
        ("mode", "hard"),
        ("window", {"schedule": "never", "seconds": 1}),
        ("phases", []),
        ("phases", [{"count": 1}]),
        ("phases", [{"percents": 1}, {}]),
        ("priority", 1001),
        ("force_at", "soon"),
        ("target", {"kind": "filter", "value": "id=o"}),
    ):
        call("deploy", 400, body={**order, name: wrong})


def test_what_people_say_of_a_device(call, server):
    server.enrol("w-1", "w")
    call("describeDevice", 204, id="w-1", body={"name": "lab", "utc_offset": "-03:30"})
    call("describeDevice", 204, id="w-1", body={"name": None})
    for wrong in ({}, {"utc_offset": "Berlin"}, {"name": "x" * 200}):
        call("describeDevice", 400, id="w-1", body=wrong)
    call("describeDevice", 404, id="nobody", body={"name": "x"})
    call("setAttributes", 204, id="w-1", body={"a": "1", "b": 2, "c": True})
    call("setAttributes", 204, id="w-1", query="?mode=merge", body={"d": "x", "a": None})
    call("setAttributes", 204, id="w-1", query="?mode=remove", body={"b": None})
    call("setAttributes", 400, id="w-1", query="?mode=odd", body={})
    call("setAttributes", 400, id="w-1", body={"a": [1]})
    call("setAttributes", 403, id="w-1", body={"version": "9"})
    call("setAttributes", 404, id="nobody", body={})
    shown = call("showDevice", 200, id="w-1").json()
    assert shown["attributes"] == {"c": "true", "d": "x"} and shown["name"] is None
    assert shown["utc_offset_minutes"] == -210
    assert call("listDevices", 200, query="?filter=attribute.d==x").json()["items"][0]["id"] == "w-1"
    call("listDevices", 400, query="?filter=attribute.d=x")
