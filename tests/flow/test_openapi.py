"""The server against docs/openapi.yaml: every operation it describes, every answer as it describes it."""

import json
import re
import signal

import jsonschema
import pytest
import yaml
from director import Director
from vendor import Vendor

from harness import ANYONE, TREE, Credential, run, wait_for

METHODS = ("get", "put", "post", "delete")
DOCUMENT = yaml.safe_load((TREE / "docs" / "openapi.yaml").read_text(encoding="utf-8"))


def operations():
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item, item[method]


def follow(node):
    while "$ref" in node:
        reference, node = node["$ref"], DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    return node


def validate(value, schema, where):
    whole = {**schema, "components": DOCUMENT["components"]}
    validator = jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())
    errors = [f"{where}: at {e.json_path}: {e.message}" for e in validator.iter_errors(value)]
    assert not errors, "\n".join(errors)


class Caller:
    """Calls operations by their id and holds each answer against the description."""

    def __init__(self, server):
        self.server = server
        self.body = server.folder / "openapi-body.json"
        self.by_id = {op["operationId"]: (path, method, op) for path, method, _, op in operations()}
        self.succeeded = set()

    def __call__(self, operation, expect, /, *, body=None, who=None, query="", args=(), **params):
        path, method, op = self.by_id[operation]
        where = f"{operation} {expect}"
        target = re.sub(r"\{(\w+)\}", lambda m: str(params[m[1]]), path) + query
        argv = ["-X", method.upper(), *args]
        if body is not None:
            if expect < 400:
                schema = follow(op["requestBody"])["content"]["application/json"]["schema"]
                validate(body, schema, f"{operation} request")
            self.body.write_text(json.dumps(body))  # some are longer than a command line may be
            argv += ["-H", "Content-Type: application/json", "--data-binary", f"@{self.body}"]
        reply = self.server.curl(target, *argv, who=who)
        assert reply.status == expect, f"{where}: {reply!r}"
        self.check(op, reply, where)
        if expect < 400:
            self.succeeded.add(operation)
        return reply

    @staticmethod
    def check(op, reply, where):
        responses = op["responses"]
        key = str(reply.status) if str(reply.status) in responses else "default"
        assert key in responses, f"{where}: the status is not described"
        described = follow(responses[key])
        for header, what in described.get("headers", {}).items():
            assert header.lower() in reply.headers, f"{where}: no {header}"
            schema = follow(what)["schema"]
            value = reply.headers[header.lower()]
            validate(int(value) if schema["type"] == "integer" else value, schema, f"{where} {header}")
        content = described.get("content")
        if not content:
            assert reply.body == b"", where
            return
        kind = reply.headers["content-type"].split(";")[0]
        assert kind in content, f"{where}: {kind} is not described"
        if kind.endswith("json"):
            validate(reply.json(), content[kind]["schema"], where)


@pytest.fixture(scope="module")
def call(shared):
    return Caller(shared)


def test_it_is_served_as_it_stands(shared):
    reply = shared.curl("/openapi.json", who=ANYONE)
    assert reply.status == 200 and reply.headers["content-type"] == "application/json"
    served = reply.json()
    assert served["info"].pop("version") in run([shared_program(shared), "--version"]).out
    written = json.loads(json.dumps(DOCUMENT))
    written["info"].pop("version")
    assert served == written
    again = shared.curl("/openapi.json", "-H", "If-None-Match: " + reply.headers["etag"], who=ANYONE)
    assert again.status == 304 and again.body == b""
    other = shared.curl("/openapi.json", "-H", 'If-None-Match: "other"', who=ANYONE)
    assert other.status == 200


def shared_program(server):
    return server.build / "src" / "cmd" / "pqota"


def routes():
    """Who may, as the source has it, by method and path."""
    row = re.compile(r"\{\s*HTTP_(GET|PUT|POST|DELETE),\s*\"(/[^\"]*)\",\s*([A-Z_]+)")
    found = {}
    for folder in ("api", "ddi", "server"):
        for source in (TREE / "src" / folder).glob("*.c"):
            text = source.read_text()
            if ".face = FACE_CONSOLE" not in text:  # its pages, and what they alone use
                found |= {(m.lower(), path): who for m, path, who in row.findall(text)}
    return found


def test_it_names_every_route_and_no_other():
    described = {(method, re.sub(r"\{\w+\}", "{}", path)) for path, method, _, _ in operations()}
    assert set(routes()) == described


def test_it_says_which_operators_may():
    """At the end of the summary; of other callers the security requirement tells."""
    roles = {
        "WHO_READERS": "viewer, approver, operator, admin",
        "WHO_APPROVERS": "approver, operator, admin",
        "WHO_WRITERS": "operator, admin",
        "WHO_ADMIN": "admin",
    }
    rows = routes()
    for path, method, _, operation in operations():
        said = re.search(r"\(((?:viewer|approver|operator|admin)[^(;]*)[^(]*\)$", operation["summary"])
        who = rows[(method, re.sub(r"\{\w+\}", "{}", path))]
        assert roles.get(who) == (said and said[1].rstrip(")")), f"{method} {path}: {who}"


# What a device sends: a newer one may say more.
FROM_DEVICES = {"StatusReport", "DdiConfigData", "DdiFeedback", "DdiInstalled", "DdiAnswer", "DdiAutoConfirm"}


def test_the_schemas_are_schemas():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        if schema.get("type") == "object" and name not in FROM_DEVICES:
            assert schema.get("additionalProperties") is False, f"{name} lets anything in"
            assert set(schema.get("required", [])) <= set(schema["properties"]), name


def publish(call, tmp_path, version, expect=201, data=None, query="", name="oa"):
    file = tmp_path / f"f-{version}"
    file.write_bytes(data or version.encode() * 1000)
    return call("publishFirmware", expect, name=name, version=version, filename="image.bin",
                query="?model=oa-m" + query, args=["-T", file]).json()


def test_firmware(call, tmp_path):
    made = publish(call, tmp_path, "1.0", query="&notes=first%20one&type=os")
    assert made["notes"] == "first one" and made["models"] == ["oa-m"] and made["sequence"] == 1
    assert publish(call, tmp_path, "1.0", expect=200) == made
    assert "other bytes" in publish(call, tmp_path, "1.0", expect=409, data=b"x")["detail"]
    publish(call, tmp_path, "1.1", expect=422, query="&sha256=" + "0" * 64)
    publish(call, tmp_path, "1.1", expect=400, query="&sha256=0")
    digest = ["-H", "Repr-Digest: sha-512=:AAAA:, sha-256=:" + "A" * 43 + "=:"]
    file = tmp_path / "f-1.0"
    where = dict(name="oa", version="1.2", filename="f")
    call("publishFirmware", 422, args=["-T", file, *digest], **where)
    call("publishFirmware", 400, args=["-T", file, "-H", "Repr-Digest: sha-256=AAAA"], **where)
    call("publishFirmware", 400, args=["-T", file, "-H", "Content-Range: bytes 0-1/2"], **where)
    call("publishFirmware", 415, args=["-T", file, "-H", "Content-Encoding: gzip"], **where)
    call("publishFirmware", 401, args=["-T", file], who=ANYONE, **where)
    assert call("latestFirmware", 200, query="?model=oa-m").json() == made
    call("latestFirmware", 404, query="?model=unheard-of")
    call("latestFirmware", 400)
    call("latestFirmware", 400, query="?model=a%20b")
    call("latestFirmware", 401, query="?model=oa-m", who=ANYONE)
    listed = call("listFirmware", 200, query="?name=oa&model=oa-m&state=published").json()
    assert listed == {"items": [made], "next": None}
    call("listFirmware", 400, query="?state=wrong")
    call("listFirmware", 400, query="?limit=0")
    call("listFirmware", 400, query="?limit=501")
    call("listFirmware", 400, query="?after=x")
    assert call("showFirmware", 200, id=made["id"]).json() == {**made, "signed": []}
    for wrong in (0, -1, 2147483648, "x", "1e3", 999999):
        call("showFirmware", 404, id=wrong)
    assert call("downloadFirmware", 200, id=made["id"]).body == b"1.0" * 1000
    part = call("downloadFirmware", 206, id=made["id"], args=["-H", "Range: bytes=2998-"])
    assert part.body == b".0" and part.headers["etag"] == f'"{made["sha256"]}"'
    call("downloadFirmware", 304, id=made["id"], args=["-H", "If-None-Match: " + part.headers["etag"]])
    call("downloadFirmware", 404, id=999999)
    gone = publish(call, tmp_path, "0.9")
    call("deleteFirmware", 204, id=gone["id"])
    call("deleteFirmware", 404, id=gone["id"])
    call("downloadFirmware", 404, id=gone["id"])
    assert "deleted" in publish(call, tmp_path, "0.9", expect=409)["detail"]


def test_update(call, shared, tmp_path):
    device = shared.enrol("oa-1", "oa-u")
    other = shared.enrol("oa-2", "oa-u")
    file = tmp_path / "f"
    file.write_bytes(b"bytes")
    made = call("publishFirmware", 201, name="oa-u", version="2.0", filename="f", args=["-T", file]).json()
    assert call("poll", 204, who=device, query="?version=1.0").headers["poll-interval"]
    target = {"kind": "device", "value": "oa-1"}
    deployment = call("deploy", 201, body={"release": made["id"], "target": target}).json()
    assert deployment["actions"]["offered"] == 0 and deployment["release"]["version"] == "2.0"
    call("poll", 204, who=other, query="?version=1.0")
    update = call("poll", 200, who=device, query="?version=1.0").json()
    assert update["state"] == "offered" and update["artifacts"][0]["sha256"] == made["sha256"]
    assert call("poll", 200, who=device, query="?version=1.0").json() == update
    fetched = shared.curl(update["artifacts"][0]["url"].removeprefix(shared.url), who=device)
    assert fetched.body == b"bytes"
    call("poll", 403)
    call("poll", 401, who=ANYONE)
    call("poll", 400, who=device, query="?version=a%2fb")
    action = update["action"]
    call("report", 204, action=action, who=device, body={"state": "downloading", "progress": 40})
    call("report", 404, action=action, who=other, body={"state": "downloading"})
    call("report", 404, action="x", who=device, body={"state": "downloading"})
    for wrong in ({}, [], {"state": "offered"}, {"state": "cancelled"}, {"state": "failed", "version": "a b"},
                  {"state": "downloading", "progress": 101}, {"state": "failed", "message": "m" * 513}):
        call("report", 400, action=action, who=device, body=wrong)
    call("report", 409, action=action, who=device, body={"state": "succeeded"})
    call("report", 409, action=action, who=device, body={"state": "succeeded", "version": "1.0"})
    call("report", 204, action=action, who=device, body={"state": "installing", "from-a-newer-agent": [1]})
    call("deleteFirmware", 409, id=made["id"])
    call("report", 204, action=action, who=device, body={"state": "succeeded", "version": "2.0"})
    call("report", 204, action=action, who=device, body={"state": "succeeded", "version": "2.0"})
    call("report", 410, action=action, who=device, body={"state": "failed"})
    call("poll", 204, who=device, query="?version=2.0")
    shown = call("showDeployment", 200, id=deployment["id"]).json()
    assert shown["actions"]["succeeded"] == 1 and shown["state"] == "finished"
    actions = call("listActions", 200, id=deployment["id"]).json()["items"]
    assert [(a["device"], a["state"]) for a in actions] == [("oa-1", "succeeded")]
    assert call("latestFirmware", 200, who=device).json()["id"] == made["id"]
    call("latestFirmware", 403, who=device, query="?model=oa-m")
    call("listFirmware", 403, who=device, query="?state=draft")


def test_deployments(call, tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"bytes")
    where = dict(name="oa-d", version="7.7", filename="f")
    made = call("publishFirmware", 201, args=["-T", file], **where).json()
    one = call("deploy", 201, body={"release": made["id"], "target": {"kind": "all"}}).json()
    target = {"kind": "model", "value": "oa-d"}
    two = call("deploy", 201, body={"name": "oa-d", "version": "7.7", "target": target,
                                    "allow_downgrade": True}).json()
    assert two["allow_downgrade"] and two["target"] == target
    all_of_it = {"kind": "all"}
    for wrong in ({}, {"release": made["id"]}, {"target": all_of_it},
                  {"release": 0, "target": all_of_it},
                  {"release": made["id"], "target": {"kind": "everyone"}},
                  {"release": made["id"], "target": {"kind": "device"}},
                  {"release": made["id"], "version": "7.7", "target": all_of_it},
                  {"release": made["id"], "target": all_of_it, "allow_downgrad": True},
                  {"release": made["id"], "target": all_of_it, "allow_downgrade": 1}):
        call("deploy", 400, body=wrong)
    call("deploy", 404, body={"release": 999999, "target": all_of_it})
    call("deploy", 404, body={"release": made["id"], "target": {"kind": "device", "value": "nobody"}})
    call("deploy", 404, body={"release": made["id"], "target": {"kind": "model", "value": "unheard-of"}})
    page = call("listDeployments", 200, query="?state=running&limit=1").json()
    assert [d["id"] for d in page["items"]] == [two["id"]]
    following = call("listDeployments", 200, query=f"?state=running&limit=1&after={page['next']}").json()
    assert [d["id"] for d in following["items"]] == [one["id"]]
    call("listDeployments", 400, query="?state=wrong")
    for d in (one, two):
        assert call("cancelDeployment", 200, id=d["id"]).json()["state"] == "cancelled"
    assert call("cancelDeployment", 200, id=one["id"]).json()["closed"]
    call("showDeployment", 404, id=999999)
    call("listActions", 404, id=999999)
    call("cancelDeployment", 404, id=999999)


def request_for(folder):
    key, csr = folder / "key.pem", folder / "csr.pem"
    run(["openssl", "genpkey", "-algorithm", "ML-DSA-65", "-out", key], check=0)
    run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=ignored", "-out", csr], check=0)
    return key, csr


def test_identity(call, shared, tmp_path):
    token = call("makeToken", 201, body={"model": "oa-i", "count": 2, "expires_in": 3600, "note": "n"}).json()
    call("makeToken", 400, body={"model": "oa-i", "count": 0})
    assert token["id"] in [t["id"] for t in call("listTokens", 200, query="?limit=500").json()["items"]]
    key, csr = request_for(tmp_path)
    body = {"token": token["token"], "csr": csr.read_text(), "id": "oa-dev"}
    enrolled = call("enroll", 201, body=body, who=ANYONE).json()
    assert call("enroll", 200, body=body, who=ANYONE).json() == enrolled
    call("enroll", 401, body={**body, "token": "pqt_wrong"}, who=ANYONE)
    call("enroll", 400, body={**body, "csr": "none"}, who=ANYONE)
    cert = tmp_path / "cert.pem"
    cert.write_text(enrolled["certificate"])
    device = Credential(cert, key)
    call("poll", 204, who=device, query="?version=1.0")
    call("renew", 409, body={"csr": csr.read_text()}, who=device)
    call("renew", 401, body={"csr": csr.read_text()}, who=ANYONE)
    call("tagDevice", 204, id="oa-dev", tag="beta")
    listed = call("listDevices", 200, query="?model=oa-i&tag=beta&q=oa&revoked=false").json()["items"]
    assert [d["id"] for d in listed] == ["oa-dev"] and listed[0]["tags"] == ["beta"]
    call("listDevices", 400, query="?revoked=maybe")
    assert call("showDevice", 200, id="oa-dev").json()["version"] == "1.0"
    call("showDevice", 404, id="nobody")
    call("deviceHistory", 200, id="oa-dev")
    call("untagDevice", 204, id="oa-dev", tag="beta")
    call("revokeDevice", 204, id="oa-dev", body={"reason": "lost"})
    assert shared.curl("/api/update", who=device).status in (401, 403)
    call("deviceCrl", 200, who=ANYONE)
    call("revokeToken", 204, id=token["id"])
    call("revokeToken", 404, id=999999)


def test_tokens_of_devices(call, shared):
    made = call("addDevice", 201, body={"id": "oa-ddi", "model": "oa-m", "name": "A name"}).json()
    given = call("addDevice", 201, body={"id": "oa-ddi2", "token": "t" * 16}).json()
    assert len(made["token"]) == 32 and given["token"] == "t" * 16
    call("addDevice", 409, body={"id": "oa-ddi"})
    call("addDevice", 400, body={"id": "oa-ddi3", "token": "short"})
    assert call("showDeviceToken", 200, id="oa-ddi").json() == made
    call("showDeviceToken", 404, id="nobody")
    assert call("setDeviceToken", 200, id="oa-ddi", body={}).json()["token"] != made["token"]
    call("setDeviceToken", 400, id="oa-ddi", body={"token": "with a blank in it"})
    call("releaseDevice", 204, id="oa-ddi")
    call("releaseDevice", 404, id="nobody")


def test_settings(call, shared):
    keys = {s["key"]: s for s in call("listSettings", 200).json()["items"]}
    assert keys["authentication.targettoken.enabled"]["value"] is True
    call("setSetting", 204, key="authentication.gatewaytoken.key", body={"value": "0123456789abcdef"})
    shown = call("showSetting", 200, key="authentication.gatewaytoken.key").json()
    assert shown["value"] == "0123456789abcdef"
    call("setSetting", 400, key="pollingTime", body={"value": "soon"})
    call("setSetting", 404, key="nothing", body={"value": "soon"})
    call("resetSetting", 204, key="authentication.gatewaytoken.key")
    call("showSetting", 404, key="nothing")
    call("listSettings", 401, who=ANYONE)


def test_accounts(call, shared):
    made = call("createAccount", 201, body={"name": "oa@example.com", "role": "viewer"}).json()
    who = ["-u", f"oa@example.com:{made['password']}"]
    assert call("userInfo", 200, who=ANYONE, args=who).json()["username"] == "oa@example.com"
    assert call("userInfo", 200).json()["username"] == "admin"
    call("userInfo", 401, who=ANYONE)
    call("userInfo", 401, who=ANYONE, args=["-u", "oa@example.com:wrong"])
    call("createAccount", 409, body={"name": "oa@example.com", "role": "admin"})
    call("createAccount", 201, body={"name": "oa-2", "role": "admin", "password": "correct horse battery"})
    for wrong in ({}, {"name": "oa-3"}, {"name": "o a", "role": "admin"}, {"name": "server", "role": "admin"},
                  {"name": "oa-3", "role": "root"}, {"name": "oa-3", "role": "admin", "password": "short"},
                  {"name": "oa-3", "role": "admin", "password": ""},
                  {"name": "oa-3", "role": "admin", "password": None}):
        call("createAccount", 400, body=wrong)
    page = call("listAccounts", 200, query="?limit=1").json()
    assert [a["name"] for a in page["items"]] == ["oa-2"]
    rest = call("listAccounts", 200, query=f"?after={page['next']}").json()["items"]
    assert [(a["name"], a["role"]) for a in rest] == [("oa@example.com", "viewer")]
    assert call("changeRole", 200, name="oa-2", body={"role": "operator"}).json()["role"] == "operator"
    call("changeRole", 400, name="oa-2", body={"role": "root"})
    assert "password" not in call("changePassword", 200, name="oa-2", body={"password": "p" * 12}).json()
    assert len(call("changePassword", 200, name="oa-2").json()["password"]) == 24
    assert call("disableAccount", 200, name="oa-2").json()["disabled"]
    assert call("enableAccount", 200, name="oa-2").json()["disabled"] is None
    call("removeAccount", 204, name="oa-2")
    call("removeAccount", 404, name="oa-2")
    call("changePassword", 404, name="oa-2", body={})
    call("changeRole", 404, name="oa-2", body={"role": "admin"})
    call("disableAccount", 404, name="oa-2")
    call("enableAccount", 404, name="oa-2")
    device = shared.enrol("oa-acc", "oa-m")
    link = call("createSignInLink", 201, body={"account": "oa-2"}).json()
    assert link["account"] == "oa-2" and link["port"] == call.server.console_port
    call("createSignInLink", 409, body={"account": "oa-2", "role": "viewer"})
    call("createSignInLink", 400, body={"account": "../etc"})
    for operation in ("listAccounts", "createAccount"):
        call(operation, 403, who=device)
        call(operation, 401, who=ANYONE, args=who)  # no password counts outside /rest/v1


def test_director(call, shared):
    """The server is told of its keys while it runs."""
    device = shared.enrol("oa-d", "oa-m")
    call("directorTargets", 404, id="oa-d", who=device)
    Director(shared)
    shared.process.send_signal(signal.SIGHUP)
    path = "/tuf/director/oa-d/targets.json"
    wait_for(lambda: shared.curl(path, who=device).status == 200, what="the keys were read")
    etag = call("directorTargets", 200, id="oa-d", who=device).headers["etag"]
    call("directorTargets", 304, id="oa-d", args=["-H", f"If-None-Match: {etag}"])
    call("directorTargets", 412, id="oa-d", args=["-H", 'If-Match: "1"'])
    call("directorTargets", 404, id="nobody")
    call("directorManifest", 200, id="oa-d", who=device)
    call("directorManifest", 404, id="oa-d-2", who=device)
    call("directorManifest", 401, id="oa-d", who=ANYONE)


def test_trust(call, make_server):
    """On a server where firmware has to be signed."""
    server = make_server({"trust.insecure_unsigned": "no"}, start=False)
    vendor = Vendor(server).start()
    there = Caller(server)
    device = server.enrol("oa-t", "oa-tm")
    there("imageMetadata", 404, file="7.root.json", who=ANYONE)
    there("imageMetadata", 200, file="1.root.json", who=ANYONE)
    etag = there("imageMetadata", 200, file="timestamp.json", who=device).headers["etag"]
    there("imageMetadata", 304, file="timestamp.json", args=["-H", f"If-None-Match: {etag}"])
    there("imageMetadata", 412, file="timestamp.json", args=["-H", 'If-Match: "x"'])
    there("directorRoot", 200, file="1.root.json", who=ANYONE)
    there("directorRoot", 404, file="timestamp.json", who=ANYONE)
    release = server.publish("oa-t", "1", b"oa", model="oa-tm")
    assert there("showTrust", 200).json()["drafts"][0]["id"] == release["id"]
    there("showTrust", 403, who=device)
    asked = there("releaseSequences", 200, id=release["id"]).json()
    assert asked["models"] == [{"model": "oa-tm", "sequence": 1, "signed": False}]
    there("releaseSequences", 404, id=999999)
    there("releaseSequences", 403, id=release["id"], who=device)
    request = vendor.prepare(release, 1)
    body = json.loads(request.read_text())
    there("acceptSigned", 422, body=body)
    there("acceptSigned", 400, body={})
    there("acceptSigned", 403, body=body, who=device)
    vendor.sign(request)
    there("acceptSigned", 200, body=json.loads(request.read_text()))
    there("acceptSigned", 409, body=json.loads(request.read_text()))
    name = {"model": "oa-tm", "name": "oa-t", "version": "1", "file": f"{release['sha256']}.firmware.bin"}
    there("imageTarget", 200, **name, who=device)
    there("imageTarget", 206, **name, args=["-H", "Range: bytes=0-0"])
    there("imageTarget", 416, **name, args=["-H", "Range: bytes=9-"])
    there("imageTarget", 404, **{**name, "model": "other"})
    there("imageTarget", 401, **name, who=ANYONE)
    ends_first = lambda: there("status", 200).json()["trust"]["ends_first"]  # noqa: E731
    wait_for(lambda: ends_first()["role"] == "timestamp", what="what was just signed is in the status")
    call.succeeded |= there.succeeded


def test_operators(call, shared, tmp_path):
    key, csr = request_for(tmp_path)
    cert, extensions = tmp_path / "cert.pem", tmp_path / "ext"
    extensions.write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                          "extendedKeyUsage=clientAuth\n")
    pki = shared.dir / "pki"
    run(["openssl", "x509", "-req", "-in", csr, "-CA", pki / "operator-ca.pem", "-CAkey",
         pki / "operator-ca.key", "-days", "30", "-extfile", extensions, "-out", cert], check=0)
    body = {"name": "oa-ben", "role": "viewer", "certificate": cert.read_text()}
    call("addOperator", 201, body=body)
    call("addOperator", 409, body=body)
    call("addOperator", 400, body={**body, "role": "king"})
    viewer = Credential(cert, key)
    assert "oa-ben" in [o["name"] for o in call("listOperators", 200, who=viewer).json()["items"]]
    call("deploy", 403, who=viewer, body={"release": 1, "target": {"kind": "all"}})
    call("deleteFirmware", 403, who=viewer, id=1)
    call("revokeOperator", 204, name="oa-ben")
    call("revokeOperator", 404, name="nobody")
    assert shared.curl("/api/status", who=viewer).status in (401, 403)


def test_server(call):
    events = call("listEvents", 200, query="?limit=3").json()
    assert len(events["items"]) == 3 and events["next"]
    older = call("listEvents", 200, query=f"?limit=3&after={events['next']}").json()
    assert older["items"][0]["id"] < events["items"][-1]["id"]
    call("listEvents", 200, query="?kind=release.published&subject=oa/1.0")
    status = call("status", 200).json()
    assert status["devices"]["total"] >= 3 and status["started"] <= status["now"]
    assert status["actions"]["last_day"]["succeeded"] >= 1
    call("status", 401, who=ANYONE)
    call("aboutServer", 200)
    call("aboutServer", 401, who=ANYONE)
    call("serverHistory", 200)
    call("serverHistory", 401, who=ANYONE)
    for name in ("serverRoots", "deviceRoots", "openapi", "healthz", "readyz", "root"):
        call(name, 200, who=ANYONE)
    call("metrics", 200)


def test_every_operation_was_called(call):
    """Runs last. A certificate is not old enough to be renewed here: test_identity.py does that. hawkBit's
    management interface: test_openapi_management.py; its device protocol: test_openapi_ddi.py."""
    hawkbit = ("/rest/v1/", "/{tenant}/controller/")
    elsewhere = {name for name, (path, _, _) in call.by_id.items() if path.startswith(hawkbit)}
    elsewhere |= {"approveDeployment", "denyDeployment", "pauseDeployment", "resumeDeployment"}
    elsewhere |= {"nextPhase", "listMembers", "consent", "describeDevice", "setAttributes", "why"}
    # those: test_openapi_deployments.py
    elsewhere |= {"previewDeployment", "fleetHistory", "failures"}  # test_preview.py, test_fleet_history.py
    assert set(call.by_id) - call.succeeded - elsewhere == {"renew"}
