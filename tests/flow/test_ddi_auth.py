"""Who a device of hawkBit's protocol is, with the real curl: tokens and certificates."""

import json
import os
import re
import signal
import socket
import sqlite3
import time

import pytest
from certificates import issue, operator
from ddi_who import GATEWAY, KEY, add, ask, devices, gateway, refused, set_to, start, target

from harness import ANYONE, program, run


@pytest.fixture(scope="module")
def ddi(tmp_path_factory):
    """One server for the tests that do not disturb each other."""
    import harness

    made = []

    def make(settings):
        made.append(harness.Server(tmp_path_factory.mktemp("ddi"), settings))
        return made[-1].start()

    server = start(make)
    yield server
    server.close()


# --- tokens ---


def test_a_target_token_counts_for_its_device(ddi):
    token, other = add(ddi, "t-1"), add(ddi, "t-2", "--model", "gw", "--name", "Pump in hall 2")
    assert re.fullmatch(r"[A-Za-z0-9]{32}", token) and token != other
    assert ddi.pqota("device", "token", "t-1").out.strip() == token
    reply = ask(ddi, "t-1", target(token))
    assert reply.status == 200 and reply.json()["config"]["polling"]["sleep"] == "00:05:00"
    for good in (
        f"Authorization:  targettoken   {token} \t ",
        f"authorization: TARGETTOKEN {token}",
    ):
        assert ask(ddi, "t-1", good).status == 200
    assert ask(ddi, "t-1", target(token), tenant="default").status == 200
    wrong = [
        target(other),
        target(token[:-1]),
        target(token + "x"),
        target("x" * 200),
        "Authorization: TargetToken",
        f"Authorization: TargetToken{token}",
        f"Authorization: Bearer {token}",
        gateway(token),
        f"Authorization: Basic {token}",
    ]
    for header in wrong:
        body = refused(ask(ddi, "t-1", header))
        assert body["errorCode"] == "hawkbit.server.error.unauthorized", header
    refused(ask(ddi, "t-1"))
    refused(ask(ddi, "t-1", target(token), target(token)))
    refused(ask(ddi, "t-1", target(other), target(token)))
    nobody, wrong_one = ask(ddi, "t-9", target(token)), ask(ddi, "t-2", target(token))
    assert refused(nobody)["message"].replace("t-9", "t-2") == refused(wrong_one)["message"]
    assert "t-9" not in devices(ddi)
    refused(ask(ddi, "t-1", target(token), tenant="other"), 404)
    refused(ask(ddi, "no%20id", target(token)), 400)
    assert ddi.curl("/api/update", "-H", target(token), who=ANYONE).status == 401  # nowhere else


def test_another_token_takes_its_place(ddi, tmp_path):
    first = add(ddi, "n-1")
    file = tmp_path / "token"
    file.write_text("a-token-that-was-given\n")
    assert add(ddi, "n-2", "--token-file", file) == "a-token-that-was-given"
    assert ask(ddi, "n-2", target("a-token-that-was-given")).status == 200
    second = ddi.pqota("device", "token", "n-1", "--new").out.strip()
    assert second != first and ask(ddi, "n-1", target(second)).status == 200
    refused(ask(ddi, "n-1", target(first)))
    file.write_text("short\n")
    assert "16" in ddi.pqota("device", "token", "n-1", "--token-file", file, check=1).err
    ddi.pqota("device", "token", "nobody", check=3)
    ddi.pqota("device", "add", "n-1", check=1)


def test_who_may_see_tokens(ddi, tmp_path):
    add(ddi, "s-1")
    for role, status in (("viewer", 403), ("operator", 200)):
        who = operator(ddi, tmp_path, f"of-{role}", role)
        for method, path, body in (
            ("GET", "/api/devices/s-1/token", None),
            ("PUT", "/api/devices/s-1/token", {}),
            ("POST", "/api/devices", {"id": f"s-{role}"}),
            ("POST", "/api/devices/s-1/release", {}),
        ):
            reply = ddi.api(method, path, body, who=who)
            assert reply.status == status or (status == 200 and reply.status in (201, 204)), (path, reply)
        assert ddi.api("PUT", "/api/settings/pollingTime", {"value": "00:01:00"}, who=who).status == 403
    assert ddi.api("GET", f"/api/settings/{KEY}", who=operator(ddi, tmp_path, "v2", "viewer")).status == 403


def test_a_device_that_is_revoked(ddi):
    token = add(ddi, "r-1")
    assert ask(ddi, "r-1", target(token)).status == 200
    ddi.pqota("device", "revoke", "r-1", "--yes")
    assert "revoked" in refused(ask(ddi, "r-1", target(token)))["message"]


def test_each_way_is_switched_on_and_off_at_run_time(make_server, tmp_path):
    server = start(make_server)
    token = add(server, "a")
    on = "authentication.targettoken.enabled"
    set_to(server, on, "false")
    refused(ask(server, "a", target(token)))
    server.api("PUT", f"/api/settings/{on}", {"value": True}, expect=204)
    assert ask(server, "a", target(token)).status == 200

    refused(ask(server, "a", gateway()))
    file = tmp_path / "key"
    file.write_text(GATEWAY + "\r\nnot this\n")
    server.pqota("setting", "set", KEY, "--value-file", file)
    assert "either" in server.pqota("setting", "set", KEY, "other", "--value-file", file, check=1).err
    assert "either" in server.pqota("setting", "set", KEY, check=1).err
    refused(ask(server, "a", gateway()))
    set_to(server, "authentication.gatewaytoken.enabled", "true")
    assert ask(server, "a", gateway()).status == 200
    refused(ask(server, "a", gateway("another-key-of-that-kind")))
    set_to(server, "pollingTime", "00:00:30")
    assert ask(server, "a", gateway()).json()["config"]["polling"]["sleep"] == "00:00:30"
    listed = server.pqota("setting", "list").out
    assert GATEWAY not in listed and "00:00:30" in listed and "(secret)" in listed
    assert server.pqota("setting", "show", KEY).out.strip() == GATEWAY

    # What was set survives a restart and wins over the file; what was reset follows the file, at SIGHUP too.
    set_to(server, on, "false")
    server.stop()
    server.set("ddi.target_token", "yes")
    server.start()
    refused(ask(server, "a", target(token)))
    assert ask(server, "a", gateway()).status == 200
    server.pqota("setting", "reset", on)
    assert ask(server, "a", target(token)).status == 200
    server.set("ddi.target_token", "no")
    server.reload()
    refused(ask(server, "a", target(token)))
    server.pqota("setting", "reset", KEY)
    refused(ask(server, "a", gateway()))
    server.set("ddi.enabled", "no")
    server.reload()
    refused(ask(server, "a", gateway()), 404)


# --- devices that register themselves ---


def test_the_gateway_token_registers_devices(make_server):
    server = start(
        make_server, {"ddi.model": "pump", "ddi.gateway_token": "yes", "ddi.registrations_per_minute": "3"}
    )
    set_to(server, KEY, GATEWAY)
    minute = time.monotonic() // 60
    refused(ask(server, "g-0", gateway("not-the-gateways-key")))
    assert ask(server, "g-1", gateway()).json()["_links"]["configData"]["href"].endswith("/g-1/configData")
    shown = server.api("GET", "/api/devices/g-1").json()
    assert shown["model"] == "pump"
    token = server.pqota("device", "token", "g-1").out.strip()
    assert ask(server, "g-1", target(token)).status == 200
    with sqlite3.connect(server.dir / "data" / "pqota.db") as db:
        assert db.execute("SELECT name, description, interface, certified_at FROM device").fetchall() == [
            ("g-1", "Plug and Play target: g-1", "ddi", None)
        ]
    # A body too, and HEAD: whatever comes first.
    data = ("-X", "PUT", "-H", "Content-Type: application/json", "-d", json.dumps({"data": {"a": "b"}}))
    assert ask(server, "g-2", gateway(), args=data, path="/configData").status == 200
    replies = [ask(server, f"g-{i}", gateway()) for i in range(3, 9)]
    if time.monotonic() // 60 == minute:
        assert [r.status for r in replies] == [200] + [429] * 5
        assert 1 <= int(replies[-1].headers["retry-after"]) <= 60 and refused(replies[-1], 429)
        page = server.curl("/metrics").body.decode()
        assert "pqota_ddi_registered_total 3" in page and "pqota_ddi_registrations_limited_total 5" in page
    assert ask(server, "g-1", gateway()).status == 200


def test_many_at_once_register_each_once(make_server):
    server = start(make_server, {"ddi.gateway_token": "yes"})
    set_to(server, KEY, GATEWAY)
    base = f"http://{server.plain}/default/controller/v1/"
    config = "".join(f'url = "{base}m-{i % 20}"\noutput = "/dev/null"\n' for i in range(100))
    argv = [
        "curl",
        "-sS",
        "-Z",
        "--parallel-max",
        "20",
        "-H",
        gateway(),
        "-w",
        "%{http_code}\\n",
        "-K",
        "-",
    ]
    done = run(argv, input=config, check=0)
    assert done.out.split() == ["200"] * 100
    assert devices(server) == {f"m-{i}" for i in range(20)}


# --- certificates ---


def test_a_certificate_needs_no_token(ddi, tmp_path):
    set_to(ddi, KEY, GATEWAY)
    set_to(ddi, "authentication.gatewaytoken.enabled", "true")
    device = ddi.enrol("c-1", "gw")
    url = ddi.direct_url
    assert ask(ddi, "c-1", who=device, url=url).status == 200
    assert "another" in refused(ask(ddi, "c-2", who=device, url=url), 403)["message"]
    refused(ask(ddi, "c-2", gateway(), who=device, url=url), 403)  # nor with a token beside it
    assert "c-2" not in devices(ddi)

    # Once it has one, nothing less counts, until somebody releases it.
    token = ddi.pqota("device", "token", "c-1", "--new").out.strip()
    for header in (target(token), gateway()):
        assert "certificate" in refused(ask(ddi, "c-1", header))["message"]
    refused(ask(ddi, "c-1", target("x" * 32)))
    ddi.pqota("device", "release", "c-1", "--yes")
    assert ask(ddi, "c-1", target(token)).status == 200
    assert ask(ddi, "c-1", who=device, url=url).status == 200
    assert ddi.enrol("c-1", "gw")
    refused(ask(ddi, "c-1", target(token)))

    # One that the authority issued elsewhere is registered, as a device with a certificate.
    stranger = issue(ddi, tmp_path, "c-3", "-days", "30")
    assert ask(ddi, "c-3", who=stranger, url=url).status == 200
    refused(ask(ddi, "c-3", gateway()))
    ddi.pqota("device", "revoke", "c-3", "--yes")
    assert (
        refused(ask(ddi, "c-3", who=stranger, url=url))["errorCode"] == "hawkbit.server.error.unauthorized"
    )
    # An operator is no device, and may try a device's token.
    assert ask(ddi, "c-1", who=ddi.admin, url=url).status == 401
    plain = add(ddi, "c-4")
    assert ask(ddi, "c-4", target(plain), who=ddi.admin, url=url).status == 200


# --- while it goes on ---


def test_what_changes_while_a_body_comes_counts(ddi):
    for how in ("token", "revoke"):
        device = f"w-{how}"
        token = add(ddi, device)
        body = b'{"data":{"late":"yes"}}'
        host, port = ddi.plain.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as s:
            s.sendall(
                f"PUT /DEFAULT/controller/v1/{device}/configData HTTP/1.1\r\nHost: x\r\n{target(token)}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                f"Expect: 100-continue\r\n\r\n".encode()
            )
            assert s.recv(100).startswith(b"HTTP/1.1 100")  # its head was looked at
            if how == "token":
                ddi.pqota("device", "token", device, "--new")
            else:
                ddi.pqota("device", "revoke", device, "--yes")
            s.sendall(body)
            assert s.recv(1000).startswith(b"HTTP/1.1 401")
        with sqlite3.connect(ddi.dir / "data" / "pqota.db") as db:
            assert db.execute("SELECT count(*) FROM device_attribute WHERE key = 'late'").fetchone() == (0,)


# --- secrets ---


def test_sealed_tokens_survive_and_are_useless_with_another_key(make_server):
    server = start(make_server)
    token = add(server, "k-1")
    set_to(server, KEY, GATEWAY)
    set_to(server, "authentication.gatewaytoken.enabled", "true")
    assert ask(server, "k-2", gateway()).status == 200
    server.stop(signal.SIGKILL)
    server.start()
    assert server.pqota("device", "token", "k-1").out.strip() == token
    assert server.pqota("setting", "show", KEY).out.strip() == GATEWAY
    server.stop()
    key = server.dir / "secret.key"
    kept = key.read_bytes()
    key.write_bytes(os.urandom(32))
    server.start()
    for words in (("device", "token", "k-1"), ("setting", "show", KEY)):
        said = server.pqota(*words, check=1)
        assert said.out == "" and "counts still" in said.err
    assert ask(server, "k-1", target(token)).status == 200  # known by its hash
    assert ask(server, "k-3", gateway()).status == 200
    server.stop()
    key.write_bytes(kept)
    server.start()
    assert server.pqota("device", "token", "k-1").out.strip() == token
    server.stop()
    key.unlink()
    said = run([program("pqota", server.build), "serve", "-c", server.conf])
    assert said.code != 0 and "secret key" in said.err


def test_no_secret_is_written_anywhere(make_server):
    server = start(make_server, {"server.log_level": "debug"})
    token, wrong = add(server, "q-1"), "a-wrong-token-that-somebody-sent"
    set_to(server, KEY, GATEWAY)
    set_to(server, "authentication.gatewaytoken.enabled", "true")
    for header in (target(token), target(wrong), gateway(), gateway(wrong)):
        ask(server, "q-1", header)
    ask(server, "q-2", gateway())
    again = server.pqota("device", "token", "q-1", "--new").out.strip()
    made = server.pqota("device", "token", "q-2").out.strip()
    ask(server, "q-2", target(made))
    server.pqota("setting", "show", KEY)
    told = server.pqota("events").out
    secrets = [token, wrong, GATEWAY, again, made]
    assert not [s for s in secrets if s in told]
    for file in (server.log_file, *(server.dir / "data").glob("pqota.db*")):
        data = file.read_bytes()
        assert not [s for s in secrets if s.encode() in data], file
    assert "q-1" in server.logs()
