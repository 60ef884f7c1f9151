"""hawkBit's interfaces before somebody who means harm: with nothing, a device's token, or as a viewer."""

import http.client
import json
import random

import hawkbit
import pytest

SEED, TRIES = 7, 400
GATEWAY = "0123456789abcdef0123456789abcdef"
NUMBERS = ("0", "-1", "2147483648", "9223372036854775808", "99999999999999999999", "1e3", "%31", "%00", "")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = hawkbit.start(tmp_path_factory.mktemp("hostile"), {"ddi.gateway_token": "yes"})
    server.hawkbit.set("authentication.gatewaytoken.key", GATEWAY)
    yield server
    server.close()


@pytest.fixture(scope="module")
def hawk(server):
    return server.hawkbit


@pytest.fixture(scope="module")
def viewer(server, hawk):
    password = server.pqota("account", "create", "looks", "--role", "viewer").out.strip()
    return hawkbit.Hawkbit(server, hawk.port, "looks", password)


@pytest.fixture
def device(hawk):
    device = hawk.target()
    device.poll()
    return device


def raw(server, head, body=b""):
    """The status line of the reply to these bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.hawkbit.port, timeout=20)
    connection.connect()
    connection.sock.sendall(head.encode("latin-1") + body)
    with connection.sock.makefile("rb") as file:
        line = file.readline().decode()
    connection.close()
    return line.strip()


def test_a_method_that_nobody_knows_is_its_clients_fault(server):
    """Whoever scans brings about no line that an operator has to look at."""
    for method in ("OPTIONS", "TRACE", "PATCH", "PROPFIND"):
        for path in ("/rest/v1/targets", "/DEFAULT/controller/v1/d", "/api/devices"):
            line = raw(server, f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert line == "HTTP/1.1 501 Not Implemented", (method, path)
    assert "status=501" in server.logs()
    assert "level=error" not in server.logs()


def test_a_module_in_use_is_locked_by_its_name(server, hawk, device):
    module = hawk.module(("f.swu", b"firmware"))
    hawk.assign(hawk.set_of(module), device)
    body, headers = hawkbit.form("g.swu", b"more")
    headers = {**hawk.headers, **headers, "Host": "a", "Content-Length": len(body)}
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    line = raw(server, f"POST /rest/v1/softwaremodules/{module}/artifacts HTTP/1.1\r\n{fields}\r\n", body)
    assert line == "HTTP/1.1 423 Locked"


def test_nobody_learns_which_devices_there_are(server, hawk, device):
    server.enrol("certified", "m")
    server.pqota("device", "add", "revoked")
    server.pqota("device", "revoke", "revoked", "--yes")
    wrong = (
        {},
        {"Authorization": "TargetToken " + "w" * 32},
        {"Authorization": "GatewayToken " + "w" * 32},
    )
    for headers in wrong:
        for method, path in (
            ("GET", ""),
            ("PUT", "/configData"),
            ("GET", "/softwaremodules/1/artifacts/f"),
        ):
            told = set()
            for name in (device.id, "certified", "revoked", "nobody"):
                ask = hawkbit.Client(hawk.port, headers, f"/DEFAULT/controller/v1/{name}")
                answer = ask(method, path, b"{" * 1000 if method == "PUT" else None, expect=401)
                told.add(answer.body.decode().replace(name, "ID"))
            assert len(told) == 1, (headers, method, path, told)


def test_what_a_device_repeats_does_not_pile_up(server, hawk, device):
    """Reports beyond those that are kept are refused; what replaces something is kept once."""
    action = hawk.assign(hawk.simple_set(), device)
    device.poll()
    events = len(server.api("GET", "/api/events?limit=500", expect=200).json()["items"])
    for i in range(60):
        turn = "deactivateAutoConfirm" if i % 2 else "activateAutoConfirm"
        device.put("/configData", {"mode": "replace", "data": {"a": str(i)}}, expect=200)
        device.put("/installedBase", {"name": "fw", "version": str(i)}, expect=201)
        device.post(f"/confirmationBase/{turn}", {})
        device.get(f"/deploymentBase/{action}")
    assert len(server.api("GET", "/api/events?limit=500", expect=200).json()["items"]) == events
    assert [entry["type"] for entry in hawk.entries(device, action)].count("retrieved") == 1


def paths(device, module, action, choose):
    number = choose((*NUMBERS, str(module), str(action)))
    own = f"/DEFAULT/controller/v1/{device.id}"
    file = f"/softwaremodules/{number}/artifacts"
    return (
        *(own + part for part in ("", "/configData", "/installedBase", "/confirmationBase", file)),
        *(f"{own}/{part}/{number}" for part in ("deploymentBase", "cancelAction", "installedBase")),
        *(f"{own}/{part}/{number}/feedback" for part in ("deploymentBase", "confirmationBase")),
        *(own + file + name for name in ("/f.swu", "/f.swu.MD5SUM", "/..", "/%2e%2e%2ff", "/%00", "/%ff")),
        *(f"/rest/v1/{part}{number}" for part in ("softwaremodules/", "targets/", "actions?limit=")),
        f"/rest/v1/targets?q={choose(('(' * 3000, 'name==' + '*a' * 900, 'id==x;' * 900 + 'id==y', '%ff'))}",
        f"/rest/v1/distributionsets/{number}/assignedTargets",
        f"/rest/v1{file}",
    )


def broken(random, body):
    """Some bytes of it other, twice, or away."""
    data = bytearray(body)
    for _ in range(random.randrange(4)):
        at = random.randrange(len(data) + 1)
        data[at : at + random.randrange(3)] = random.choice(
            (b"", b"\xff", b"\x9f", b"[" * 40, data[at : at + 9])
        )
    return bytes(data)


def test_nothing_that_is_sent_breaks_it(server, hawk, viewer, device):
    chance = random.Random(SEED)
    module = hawk.module(("f.swu", b"firmware" * 1000))
    action = hawk.assign(hawk.set_of(module), device)
    feedback = {"status": {"execution": "proceeding", "result": {"finished": "none"}, "details": ["a"]}}
    bodies = (b"\xa1\x64data\xbf\x61a\x7f\x61b\xff\xff", b"\xa1\x61a\xc1\x01", b"\x9b" + b"\xff" * 8)
    bodies += tuple(json.dumps(v).encode() for v in (feedback, {"data": {"a": None}}, [{"id": 2**63}]))
    sides = ({}, device.headers, viewer.headers, {"Authorization": f"GatewayToken {GATEWAY}"})
    for _ in range(TRIES):
        method = chance.choice(("GET", "GET", "HEAD", "POST", "PUT", "DELETE"))
        path = chance.choice(paths(device, module, action, chance.choice))
        kind = chance.choice(
            ("application/json", "application/cbor", "multipart/form-data; boundary=[", "x")
        )
        length = chance.choice(
            ("bytes=0-0", "bytes=-0", "bytes=" + "0-," * 200, "bytes=9" + "9" * 30 + "-")
        )
        headers = {"Content-Type": kind, "Range": length, **chance.choice(sides)}
        body = broken(chance, chance.choice(bodies)) if method in ("POST", "PUT") else None
        answer = hawkbit.Client(hawk.port)(method, path, body, headers=headers)
        assert answer.status < 500, (method, path, headers, body, answer)
        if headers.get("Authorization", "Basic").startswith("Basic") and method not in ("GET", "HEAD"):
            assert answer.status >= 400, (method, path, headers, body, answer)
    for secret in (device.token, GATEWAY):
        assert secret not in server.logs()
