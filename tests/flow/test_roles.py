"""What each role of operators and accounts may, with the real server."""

import os

from certificates import operator
from harness import ANYONE


def deployment(server, model, **more):
    server.enrol(f"{model}-1", model)
    release = server.publish(model, "1", os.urandom(500))
    body = {"release": release["id"], "target": {"kind": "model", "value": model}, **more}
    return server.api("POST", "/api/deployments", body, expect=201).json()["id"]


def test_an_approver_reads_approves_denies_and_pauses(shared, tmp_path):
    ada = operator(shared, tmp_path, "ada", "approver")
    listed = shared.api("GET", "/api/operators").json()["items"]
    assert [o["role"] for o in listed if o["name"] == "ada"] == ["approver"]
    one, other = deployment(shared, "r", approval=True), deployment(shared, "s", approval=True)

    def steer(pk, verb, who=ada, status=200):
        reply = shared.api("POST", f"/api/deployments/{pk}/{verb}", who=who)
        assert reply.status == status, (verb, reply)
        return reply.json()

    assert steer(one, "approve")["approved_by"] == "ada"
    assert steer(one, "pause")["state"] == "paused"
    assert steer(other, "deny")["state"] == "denied"
    for verb in ("resume", "next", "cancel"):
        steer(one, verb, status=403)
    viewer = operator(shared, tmp_path, "vic", "viewer")
    for verb in ("approve", "deny", "pause", "resume"):
        steer(one, verb, viewer, 403)
    assert steer(one, "resume", None)["state"] == "running"


def test_an_approver_changes_nothing_else(shared, tmp_path):
    abe = operator(shared, tmp_path, "abe", "approver")
    for path in (
        "/api/devices",
        "/api/deployments",
        "/api/status",
        "/api/events",
        "/api/firmware",
        "/api/trust",
    ):
        assert shared.curl(path, who=abe).status == 200, path
    pk = deployment(shared, "t")
    for method, path, body in (
        ("POST", "/api/tokens", {"model": "x"}),
        ("POST", "/api/deployments", {"release": 1, "target": {"kind": "all"}}),
        ("PUT", "/api/devices/t-1", {"name": "x"}),
        ("PUT", "/api/devices/t-1/tags/lab", None),
        ("POST", "/api/devices/t-1/revoke", {}),
        ("POST", f"/api/deployments/{pk}/cancel", None),
        ("DELETE", "/api/firmware/1", None),
        ("PUT", "/api/settings/pollingTime", {"value": "00:01:00"}),
        ("GET", "/api/accounts", None),
        ("POST", "/api/accounts", {"name": "x", "role": "admin"}),
        ("GET", "/api/devices/t-1/token", None),
    ):
        reply = shared.api(method, path, body, who=abe)
        assert reply.status == 403, (method, path, reply)


def test_an_account_that_approves(shared):
    """At hawkBit's interface it reads as a viewer does."""
    password = shared.pqota("account", "create", "kim", "--role", "approver").out.strip()
    assert "approver" in shared.pqota("account", "list").out
    login = ("-u", f"kim:{password}")
    assert shared.curl("/rest/v1/targets", *login, who=ANYONE).status == 200
    reply = shared.curl(
        "/rest/v1/softwaremodules",
        "-X",
        "POST",
        "-H",
        "Content-Type: application/json",
        "-d",
        "[]",
        *login,
        who=ANYONE,
    )
    assert reply.status == 403, reply
    refused = shared.pqota("account", "create", "kai", "--role", "approve", check=None)
    assert refused.code == 2 and "approver" in refused.err, refused
    shared.pqota("account", "role", "kim", "viewer")
    shared.pqota("account", "role", "kim", "approver")
