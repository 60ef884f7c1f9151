"""What each role may at the console, and that every change is told with who and from where."""

import os

import pytest

from console import Console, account, link, signed_in
from harness import wait_for

ROLES = ("viewer", "approver", "operator", "admin")


@pytest.fixture(scope="module")
def places(shared):
    """One for each role, and things to look at and to change."""
    shared.enrol("dev-1", "m")
    shared.release = shared.publish("m", "1.0", os.urandom(500))["id"]
    return {role: signed_in(shared, role, f"{role}-of-all") for role in ROLES}


def deployment(shared, **more):
    body = {"release": shared.release, "target": {"kind": "model", "value": "m"}, **more}
    return shared.api("POST", "/api/deployments", body, expect=201).json()["id"]


READ = [
    "/api/status",
    "/api/devices",
    "/api/devices/dev-1",
    "/api/devices/dev-1/history",
    "/api/devices/dev-1/why?release=1",
    "/api/deployments",
    "/api/firmware",
    "/api/firmware/1",
    "/api/trust",
    "/api/events",
    "/api/server",
    "/api/server/history",
    "/api/fleet/history",
    "/api/failures",
    "/api/settings",
    "/api/operators",
    "/api/tokens",
    "/openapi.json",
    "/metrics",
    "/console/session",
]
PREVIEW = {"release": 1, "target": {"kind": "all"}}

# What needs which role at least: (method, path, body, lowest role, status when it may).
CHANGES = [
    ("POST", "/api/deployments/preview", PREVIEW, "viewer", 200),
    ("POST", "/api/deployments/{}/pause", None, "approver", 200),
    ("POST", "/api/deployments/{}/resume", None, "operator", 200),
    ("POST", "/api/deployments/{}/next", None, "operator", 409),
    ("POST", "/api/deployments/{}/cancel", None, "operator", 200),
    ("POST", "/api/deployments/{approval}/approve", None, "approver", 200),
    ("POST", "/api/deployments/{approval}/deny", None, "approver", 200),
    ("POST", "/api/deployments", {"release": 999, "target": {"kind": "all"}}, "operator", 404),
    ("POST", "/api/tokens", {"model": "x"}, "operator", 201),
    ("PUT", "/api/devices/dev-1", {"name": "x"}, "operator", 204),
    ("PUT", "/api/devices/dev-1/tags/lab", None, "operator", 204),
    ("PUT", "/api/firmware/{new}/1.0/f.bin", "bytes", "operator", 201),
    ("DELETE", "/api/firmware/0", None, "operator", 404),
    ("GET", "/api/accounts", None, "admin", 200),
    ("POST", "/api/accounts", {"name": "", "role": "admin"}, "admin", 400),
    ("DELETE", "/api/accounts/nobody", None, "admin", 404),
    ("POST", "/api/devices/nobody/revoke", {}, "admin", 404),
    ("POST", "/api/sign-in-links", {"account": "so", "role": "viewer"}, "admin", 201),
    ("PUT", "/api/settings/pollingTime", {"value": "00:01:00"}, "admin", 204),
]


@pytest.mark.parametrize("path", READ)
def test_all_roles_read(shared, places, path):
    for role in ROLES:
        assert places[role].call("GET", path).status == 200, (role, path)
    if path not in ("/openapi.json", "/console/session"):
        Console(shared).get(path, expect=401)


@pytest.mark.parametrize("method, path, body, least, status", CHANGES, ids=lambda v: str(v)[:40])
def test_what_a_role_may_change(shared, places, tmp_path, method, path, body, least, status):
    for role in ROLES:
        place = path
        if "{}" in path:
            place = path.format(deployment(shared))
        elif "{approval}" in path:
            place = path.format(approval=deployment(shared, approval=True))
        elif "{new}" in path:
            place = path.format(new=f"n{role}")
        args = ()
        if body == "bytes":
            (tmp_path / "f").write_bytes(os.urandom(100))
            args = ("-T", tmp_path / "f")
        reply = places[role].call(method, place, None if args else body, *args)
        wanted = status if ROLES.index(role) >= ROLES.index(least) else 403
        assert reply.status == wanted, (role, reply)
    assert Console(shared).call(method, place, None if args else body, *args).status == 401


def test_who_is_told_the_role(places):
    for role in ROLES:
        assert places[role].who() == (f"{role}-of-all", role)


# --- the audit ---


def told(server, **query):
    items = server.api("GET", "/api/events?limit=500", expect=200).json()["items"]
    return [e for e in items if all(e[k] == v for k, v in query.items())]


class From(Console):
    """The console, from an address of its own."""

    def __init__(self, server, address):
        super().__init__(server)
        self.address = address

    def call(self, method, path, body=None, *args, **kw):
        return super().call(method, path, body, "--interface", self.address, *args, **kw)


def test_every_change_says_who_and_from_where(server, tmp_path):
    server.enrol("dev-1", "m")
    place = From(server, "127.0.7.7")
    place.sign_in(token=link(server, "--account", "hana"))
    place.call("PUT", "/console/password", {"new": "hana's password"}, expect=204)
    (tmp_path / "f").write_bytes(os.urandom(100))
    release = place.call("PUT", "/api/firmware/m/1.0/f.bin", None, "-T", tmp_path / "f", expect=201).json()[
        "id"
    ]
    body = {"release": release, "target": {"kind": "all"}}
    pk = place.call("POST", "/api/deployments", body, expect=201).json()["id"]
    place.call("POST", f"/api/deployments/{pk}/pause", expect=200)
    place.call("POST", f"/api/deployments/{pk}/cancel", expect=200)
    place.call("PUT", "/api/devices/dev-1", {"name": "the first"}, expect=204)
    place.call("PUT", "/api/devices/dev-1/tags/lab", expect=204)
    place.call("POST", "/api/tokens", {"model": "m"}, expect=201)
    place.call("POST", "/api/accounts", {"name": "ivo", "role": "viewer"}, expect=201)
    place.call("PUT", "/api/settings/pollingTime", {"value": "00:01:00"}, expect=204)
    place.call("POST", "/api/devices/dev-1/revoke", {"reason": "lost"}, expect=204)
    place.call("POST", "/api/sign-in-links", {"account": "ivo"}, expect=201)
    place.call("DELETE", "/console/session", expect=204)
    mine = told(server, who="hana")
    assert {e["address"] for e in mine} == {"127.0.7.7"}, mine
    kinds = {e["kind"] for e in mine}
    assert {
        "session.opened",
        "session.closed",
        "account.password",
        "account.created",
        "link.created",
        "device.tagged",
        "device.revoked",
        "deployment.created",
        "deployment.paused",
        "deployment.cancelled",
        "token.created",
    } <= kinds, kinds
    assert len(mine) >= 13
    by_link = [e for e in told(server, kind="link.created") if e["who"] == "admin"]
    assert [e["subject"] for e in by_link] == ["account/hana"]
    shown = server.pqota("events").out
    assert "session.opened" in shown and "127.0.7.7" in shown


def test_how_somebody_signed_in_is_told(server):
    password = account(server, "ken", "viewer")
    place = From(server, "127.0.5.5")
    place.sign_in("ken", password)
    place.sign_in(token=link(server, "--account", "ken"))
    place.call("DELETE", "/console/sessions", expect=204)
    mine = [(e["kind"], e["detail"], e["address"]) for e in told(server, who="ken")]
    assert mine[::-1] == [
        ("session.opened", "signed in with a password", "127.0.5.5"),
        ("session.opened", "signed in by a one-time link", "127.0.5.5"),
        ("session.closed", "signed out everywhere", "127.0.5.5"),
    ]
    From(server, "127.0.5.6").sign_in("ken", "guessed wrong", expect=401)
    wait_for(lambda: "a login failed" in server.logs(), what="the log says so")
    line = next(row for row in server.logs().splitlines() if "a login failed" in row)
    assert "account=ken" in line and "127.0.5.6" in line and "guessed" not in server.logs()


def test_a_second_person(server):
    """Who made a deployment that asks for approval does not approve it."""
    release = server.publish("m", "1.0", os.urandom(500))["id"]
    one, other = signed_in(server, "operator"), signed_in(server, "approver")
    body = {"release": release, "target": {"kind": "all"}, "approval": True}
    pk = one.call("POST", "/api/deployments", body, expect=201).json()["id"]
    one.call("POST", f"/api/deployments/{pk}/approve", expect=403)
    assert (
        other.call("POST", f"/api/deployments/{pk}/approve", expect=200).json()["approved_by"] == other.name
    )


def test_what_the_server_does_because_of_a_device_is_its_own(server):
    device = server.enrol("own-1", "own")
    release = server.publish("own", "2", os.urandom(500))["id"]
    phases = [{"count": 1, "error_count": 1}, {}]
    body = {"release": release, "target": {"kind": "all"}, "phases": phases}
    server.api("POST", "/api/deployments", body, expect=201)
    offer = server.api("GET", "/api/update?version=1", who=device, expect=200).json()
    server.api("POST", f"/api/update/{offer['action']}/status", {"state": "failed"}, who=device, expect=204)
    paused = wait_for(lambda: told(server, kind="deployment.paused"), what="it paused")
    assert [(e["who"], e["address"]) for e in paused] == [("server", "")]
    assert [(e["who"], e["address"]) for e in told(server, kind="action.failed")] == [
        ("own-1", "127.0.0.1")
    ]
