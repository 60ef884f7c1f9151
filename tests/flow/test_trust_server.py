"""The image repository as the server keeps it: what it takes, what it refuses, what it signs itself."""

import base64
import contextlib
import hashlib
import json
import re
import signal
import sqlite3
import time

import pytest
import tufrepo
from vendor import Vendor

from harness import ANYONE, Credential, Server, program, run, wait_for

SIGNED = {"trust.insecure_unsigned": "no"}


@pytest.fixture
def make_vendor(make_server):
    def make(settings=None, args=(), start=True):
        server = make_server({**SIGNED, **(settings or {})}, start=False)
        vendor = Vendor(server, *args)
        return vendor.start() if start else vendor

    return make


@pytest.fixture(scope="module")
def vendor(tmp_path_factory):
    """One for tests that publish models of their own."""
    server = Server(tmp_path_factory.mktemp("vendor"), SIGNED)
    made = Vendor(server).start()
    yield made
    server.close()


def offered(server, device):
    return server.curl("/api/update", who=device).status == 200


def test_a_draft_waits_for_its_signature(vendor):
    server, data = vendor.server, b"firmware of dra" * 1000
    release = server.publish("dra", "1.0", data)
    assert release["state"] == "draft" and release["sequence"] == 0 and release["published"] is None
    assert server.publish("dra", "1.0", data, expect=200)["state"] == "draft"
    device = server.enrol("dra-1", "dra")
    assert server.api("GET", "/api/firmware/latest?model=dra").status == 404
    assert server.curl(f"/api/firmware/{release['id']}/file", who=device).status == 404
    assert server.curl(f"/api/firmware/{release['id']}/file").body == data
    deploy = {"release": release["id"], "target": {"kind": "model", "value": "dra"}}
    refused = server.api("POST", "/api/deployments", deploy)
    assert refused.status == 409 and "sign the request" in refused.json()["detail"], refused
    assert [
        d["version"] for d in server.api("GET", "/api/trust").json()["drafts"] if d["name"] == "dra"
    ] == ["1.0"]

    shown = f"/api/firmware/{release['id']}"
    assert server.api("GET", shown, expect=200).json()["signed"] == []
    answer = vendor.publish(release, 7, security=True, advisory="mends it", counter=3)
    said = {"upgrade_from": 0, "counter": 3, "unpacked_size": 0, "security": True, "advisory": "mends it"}
    assert server.api("GET", shown).json()["signed"] == [{"model": "dra", "sequence": 7, **said}]
    assert [(d["name"], d["version"], d["models"]) for d in answer["published"]] == [
        ("dra", "1.0", ["dra"])
    ]
    assert [d["role"] for d in answer["documents"]] == ["targets", "model-dra", "snapshot", "timestamp"]
    now = server.api("GET", "/api/firmware/latest?model=dra", expect=200).json()
    assert (now["id"], now["state"], now["sequence"]) == (release["id"], "published", 7)
    assert server.api("POST", "/api/deployments", deploy).status == 201
    assert offered(server, device)
    assert not [d for d in server.api("GET", "/api/trust").json()["drafts"] if d["name"] == "dra"]
    kinds = [e["kind"] for e in server.api("GET", "/api/events?subject=dra/1.0").json()["items"]]
    assert kinds == ["release.published", "release.uploaded"]
    assert server.api("GET", "/api/events?kind=trust.updated&subject=image/model-dra").json()["items"]


def test_files_under_their_names(vendor):
    server, data = vendor.server, b"0123456789" * 500
    release = server.publish("fil", "1.0", data)
    vendor.publish(release, 1)
    sha256 = hashlib.sha256(data).hexdigest()
    path = f"/tuf/image/targets/fil/fil/1.0/{sha256}.firmware.bin"
    device, other = server.enrol("fil-1", "fil"), server.enrol("fil-2", "other")
    whole = server.curl(path, who=device)
    assert whole.status == 200 and whole.body == data and whole.headers["etag"] == f'"{sha256}"'
    part = server.curl(path, "-H", "Range: bytes=10-19", who=device)
    assert part.status == 206 and part.body == data[10:20]
    assert server.curl(path, who=other).status == 404
    assert server.curl(path, who=ANYONE).status == 401
    assert server.curl(path.replace(sha256, "0" * 64), who=device).status == 404
    draft = server.publish("fil", "1.1", b"not signed yet")
    draft_path = f"/tuf/image/targets/fil/fil/1.1/{draft['sha256']}.firmware.bin"
    assert server.curl(draft_path, who=device).status == 404 and server.curl(draft_path).status == 200


def test_metadata_are_served_for_caches(vendor):
    server = vendor.server
    root = server.curl("/tuf/image/1.root.json", who=ANYONE)
    assert root.status == 200 and root.body == (vendor.dir / "image" / "1.root.json").read_bytes()
    assert root.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert root.headers["etag"] == f'"{hashlib.sha256(root.body).hexdigest()}"'
    assert (
        server.curl("/tuf/image/1.root.json", "-H", f"If-None-Match: {root.headers['etag']}").status == 304
    )
    director = server.curl("/tuf/director/1.root.json", who=ANYONE)
    assert director.body == (vendor.dir / "director" / "1.root.json").read_bytes()
    stamp = server.curl("/tuf/image/timestamp.json", who=ANYONE)
    assert stamp.headers["cache-control"] == "no-cache"
    for name in (
        "2.root.json",
        "root.json",
        "01.root.json",
        "0.root.json",
        "1.root",
        "-1.root.json",
        "1.json",
        ".json",
        "snapshot.json",
        "1.timestamp.json.json",
        "99999999999999999999.root.json",
        "1.model-%2e.json",
    ):
        assert server.curl(f"/tuf/image/{name}", who=ANYONE).status == 404, name
    assert server.curl("/tuf/director/timestamp.json", who=ANYONE).status == 404
    assert server.curl("/tuf/director/1.targets.json", who=ANYONE).status == 404


def test_who_signed_what_until_when(vendor):
    roles = {
        r["role"]: r for r in vendor.server.api("GET", "/api/trust", expect=200).json()["image"]["roles"]
    }
    assert roles["root"]["threshold"] == roles["root"]["ml_dsa"] == roles["root"]["classical"] == 2
    schemes = sorted(s["scheme"] for s in roles["timestamp"]["signed_by"])
    assert schemes == ["ed25519", "ml-dsa-65/1"]
    assert {s["scheme"] for s in roles["root"]["signed_by"]} == {"ed25519", "ml-dsa-87/1"}
    assert roles["root"]["expires"] == vendor.fetch("1.root.json")["signed"]["expires"]
    metrics = vendor.server.curl("/metrics").body.decode()
    left = int(
        re.search(r'pqota_trust_seconds_left\{repository="image",role="timestamp"\} (\d+)', metrics)[1]
    )
    assert 47 * 3600 < left <= 48 * 3600
    assert int(re.search(r'pqota_trust_signatures_total\{key="timestamp"\} (\d+)', metrics)[1]) >= 2


def state(vendor):
    """All that could have changed."""
    trust = vendor.server.api("GET", "/api/trust", expect=200).json()
    own = ("timestamp", "snapshot")  # which the server renews by itself
    trust["image"]["roles"] = [r for r in trust["image"]["roles"] if r["role"] not in own]
    return trust


def refused(vendor, request, status, *words, sign=True, who=None):
    if sign:
        vendor.sign(request)
    before = state(vendor)
    detail = vendor.upload(request, expect=status, who=who)["detail"]
    for word in words:
        assert word in detail, detail
    assert state(vendor) == before
    return detail


def test_signatures_that_are_missing(vendor):
    release = vendor.server.publish("sig", "1.0", b"sig")
    request = vendor.prepare(release, 1)
    refused(vendor, request, 422, "targets", sign=False)
    vendor.sign(request)
    whole = json.loads(request.read_text())
    keys = tufrepo.keys_of(vendor.current("root"))
    for family in ("ml-dsa", "ed25519"):  # neither alone is enough
        less = json.loads(request.read_text())
        for document in less["documents"]:
            document["document"]["signatures"] = [
                s for s in document["document"]["signatures"] if keys[s["keyid"]]["keytype"] == family
            ]
        request.write_text(json.dumps(less))
        refused(vendor, request, 422, "image targets version", sign=False)
        request.write_text(json.dumps(whole))
    forged = json.loads(request.read_text())
    forged["documents"][1]["document"]["signed"]["targets"].popitem()
    request.write_text(json.dumps(forged))
    refused(vendor, request, 422, "image model-sig version 1", sign=False)
    request.write_text(json.dumps(whole))
    assert vendor.upload(request)["published"]


def test_what_was_signed_is_what_was_uploaded(vendor):
    server = vendor.server
    release = server.publish("was", "1.0", b"these bytes")
    refused(vendor, vendor.prepare({**release, "sha256": "0" * 64}, 1), 422, "was/was/1.0", "other bytes")
    refused(vendor, vendor.prepare({**release, "size": 5}, 1), 422, "other bytes")
    refused(vendor, vendor.prepare({**release, "filename": "other.bin"}, 1), 422, "another file")
    refused(vendor, vendor.prepare(release, 1, models=["was2"]), 422, "not uploaded for the model was2")
    refused(vendor, vendor.prepare({**release, "version": "9"}, 1), 409, "was 9", "upload its file first")
    refused(vendor, vendor.prepare(release, 1, type="application"), 422, "type os")
    refused(vendor, vendor.prepare(release, 1, version="2.0"), 422, "different releases")
    server.api("DELETE", f"/api/firmware/{release['id']}", expect=204)
    refused(vendor, vendor.prepare(release, 1), 409, "deleted")


def test_both_halves_of_a_release_together(vendor):
    release = vendor.server.publish("half", "1.0", b"half", model="half-a,half-b")
    refused(vendor, vendor.prepare(release, 1, models=["half-a"]), 409, "half-b too")
    assert vendor.publish(release, 1)["published"][0]["models"] == ["half-a", "half-b"]


def test_sequences_rise(vendor):
    server = vendor.server
    vendor.publish(server.publish("seq", "1", b"1"), 10)
    second = server.publish("seq", "2", b"2")
    detail = refused(vendor, vendor.prepare(second, 10), 409, "sequence 10")
    assert "11 or more" in detail
    vendor.publish(second, 12)
    assert server.api("GET", "/api/firmware/latest?model=seq").json()["version"] == "2"


def test_versions_follow_one_another(vendor):
    release = vendor.server.publish("ver", "1", b"1")
    vendor.publish(release, 1)
    for step in (-1, 1):
        body = vendor.next("model-ver")
        body["version"] += step
        refused(vendor, vendor.request([("image", "model-ver", body)]), 409, "next version is 2")
    refused(
        vendor, vendor.request([("image", "model-ver", vendor.next("model-ver", days=-1))]), 400, "expired"
    )
    again = vendor.request([("image", "model-ver", vendor.next("model-ver"))])
    vendor.sign(again)
    vendor.upload(again)
    refused(vendor, again, 409, "next version is 3", sign=False)


def test_published_targets_stay(vendor):
    server = vendor.server
    release = server.publish("stay", "1", b"1")
    vendor.publish(release, 1)
    path, entry = vendor.target(release, "stay", 1)
    body = vendor.next("model-stay")
    body["targets"][path]["custom"]["counter"] = 5
    refused(vendor, vendor.request([("image", "model-stay", body)]), 409, path, "something else")
    body = vendor.next("model-stay")
    del body["targets"][path]
    request = vendor.request([("image", "model-stay", body)])
    refused(vendor, request, 409, path, "left out")
    server.api("DELETE", f"/api/firmware/{release['id']}", expect=204)
    vendor.upload(request)
    assert vendor.current("model-stay")["targets"] == {}


def test_roles_stay_within_their_model(vendor):
    mine = vendor.server.publish("mine", "1", b"1")
    theirs = vendor.server.publish("theirs", "1", b"1")
    vendor.publish(mine, 1)
    path, entry = vendor.target(theirs, "theirs", 1)
    body = vendor.next("model-mine")
    body["targets"][path] = entry
    refused(
        vendor, vendor.request([("image", "model-mine", body)]), 422, "may not sign for the model theirs"
    )
    stray = vendor.request([("image", "model-mine", vendor.next("model-mine"))])
    vendor.sign(stray)
    stray.write_text(stray.read_text().replace('"role":"model-mine"', '"role":"model-theirs"', 1))
    refused(vendor, stray, 409, "image model-theirs", sign=False)
    body = vendor.next("model-mine")
    body["targets"]["../etc/passwd/x"] = entry
    refused(vendor, vendor.request([("image", "model-mine", body)]), 400, "MODEL/NAME/VERSION/FILENAME")
    for repository, role in (
        ("image", "timestamp"),
        ("image", "snapshot"),
        ("director", "targets"),
        ("image", "x"),
        ("else", "targets"),
        ("image", "model-../x"),
    ):
        request = vendor.request([("image", "targets", vendor.next("targets"))])
        request.write_text(
            request.read_text().replace(
                '"repository": "image", "role": "targets"',
                f'"repository": "{repository}", "role": "{role}"',
            )
        )
        refused(vendor, request, 400, sign=False)


def test_what_is_no_signed_file(vendor):
    path = vendor.server.folder / "bad.json"
    for text in (
        "",
        "{}",
        "[]",
        "null",
        '{"pqota-trust": 2, "documents": []}',
        '{"pqota-trust": 1, "documents": []}',
        '{"pqota-trust": 1, "documents": [1]}',
        '{"pqota-trust": 1, "documents": 1}',
        '{"pqota-trust": 1, "documents": [{"repository": "image", "role": "targets", "document": {}}]}',
    ):
        path.write_text(text)
        refused(vendor, path, 400, sign=False)
    path.write_bytes(b" " * (16 * 2**20 + 1))
    reply = vendor.server.curl(
        "/api/trust", "-H", "Content-Type: application/json", "--data-binary", f"@{path}"
    )
    assert reply.status == 413 or reply.curl in (55, 56), reply


def test_who_may(vendor):
    server = vendor.server
    device = server.enrol("who-1", "who")
    request = vendor.prepare(server.publish("who", "1", b"1"), 1)
    vendor.sign(request)
    vendor.upload(request, expect=403, who=device)
    vendor.upload(request, expect=401, who=ANYONE)
    assert server.curl("/api/trust", who=device).status == 403
    operator = server.folder / "who"
    server.pqota("operator", "add", "who-op", "--role", "operator", "-o", operator)
    key = next(operator.glob("*.key"))
    ben = Credential(key.with_suffix(".pem"), key)
    root = vendor.request([("image", "root", vendor.next("root", days=1000))])
    vendor.sign(root, vendor.key("root-1"), vendor.key("root-2"))
    refused(vendor, root, 403, "admin", sign=False, who=ben)
    vendor.upload(request, who=ben)
    assert vendor.upload(root)["documents"][0]["version"] == 2


def online_version(vendor):
    return vendor.fetch("timestamp.json")["signed"]["version"]


def test_roots_follow_roots(make_vendor, tmp_path_factory):
    vendor = make_vendor()
    server, both = vendor.server, (vendor.key("root-1"), vendor.key("root-3"))
    other = Vendor(Server(tmp_path_factory.mktemp("other"), SIGNED), other=True)
    new = json.loads((other.dir / "image" / "1.root.json").read_text())["signed"]

    def give(body, role):
        body["roles"][role] = new["roles"][role]
        keys = tufrepo.keys_of(new)
        tufrepo.put_keys(body, {k: keys[k] for k in tufrepo.keyids_of(new["roles"][role])})

    body = vendor.next("root", days=1800)
    give(body, "timestamp")
    request = vendor.request([("image", "root", body)])
    vendor.sign(request, both[0])
    refused(vendor, request, 422, "by the root before it", sign=False)
    vendor.sign(request, both[1])
    refused(vendor, request, 422, "role timestamp", "timestamp_key", sign=False)
    (server.dir / "trust/online/timestamp.key").write_bytes(
        (other.dir / "online/timestamp.key").read_bytes()
    )
    server.reload()
    assert [d["role"] for d in vendor.upload(request)["documents"]] == ["root", "snapshot", "timestamp"]
    stamp = vendor.fetch("timestamp.json")
    assert {s["keyid"] for s in stamp["signatures"]} == set(tufrepo.keyids_of(new["roles"]["timestamp"]))

    body = vendor.next("root", days=1800)
    give(body, "targets")
    documents = [("image", "root", body), ("image", "targets", vendor.next("targets"))]
    alone = vendor.request(documents[:1])
    vendor.sign(alone, *both)
    refused(vendor, alone, 422, "role targets", "same file", sign=False)
    request = vendor.request(documents)
    vendor.sign(request, *both)
    refused(vendor, request, 422, "image targets version 2", sign=False)
    vendor.sign(request, other.key("targets"))
    vendor.upload(request)
    for version in (1, 2, 3):
        vendor.fetch(f"{version}.root.json")

    director = vendor.next("root", "director", days=1800)
    request = vendor.request([("director", "root", director)])
    vendor.sign(request, *both)
    assert [d["role"] for d in vendor.upload(request)["documents"]] == ["root"]
    assert vendor.fetch("2.root.json", "director")["signed"] == director


def test_versions_never_go_back(make_vendor):
    vendor = make_vendor()
    server = vendor.server
    vendor.publish(server.publish("back", "1", b"1"), 1)
    backup = server.folder / "backup"
    run([program("pqota", server.build), "backup", "-c", server.conf, backup], check=0)
    vendor.publish(server.publish("back", "2", b"2"), 2)
    before = online_version(vendor)
    server.stop()
    server.start()
    wait_for(lambda: online_version(vendor) > before, what="signed anew after the start")
    assert vendor.versions()["model-back"] == 2
    before = online_version(vendor)
    wait_for(lambda: time.time() > before + 1, what="another second")
    run([program("pqota", server.build), "restore", "-c", server.conf, backup], check=0)
    wait_for(lambda: vendor.versions()["model-back"] == 1, what="the backup is back")
    wait_for(lambda: online_version(vendor) > before, what="signed anew after the restore")
    assert server.api("GET", "/api/firmware/latest?model=back").json()["version"] == "1"


def test_without_online_keys(make_vendor):
    vendor = make_vendor(start=False)
    server = vendor.server
    online = vendor.dir / "online"
    online.rename(vendor.dir / "away")
    server.start()
    for role in ("timestamp", "snapshot", "director", "manifest"):
        assert re.search(rf"cannot be used.*role={role} ", server.logs()), role
    assert "took over the first update metadata" in server.logs()
    assert vendor.ask("timestamp.json")[0] == 404
    release = server.publish("none", "1", b"1")
    targets = vendor.fetch("1.targets.json")["signed"]
    vendor.current = lambda role, repository="image": (
        vendor.fetch("1.root.json", repository)["signed"]
        if role == "root"
        else targets if role == "targets" else None
    )
    request = vendor.prepare(release, 1)
    del vendor.current
    vendor.sign(request)
    assert "snapshot_key" in vendor.upload(request, expect=409)["detail"]
    (vendor.dir / "away").rename(online)
    (online / "timestamp.key").chmod(0o600)
    good = (online / "timestamp.key").read_bytes()
    (online / "timestamp.key").write_bytes(b"nonsense")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old one stays in force" in server.logs(), what="a bad key is refused")
    (online / "timestamp.key").write_bytes(good)
    server.reload()
    vendor.signs()
    vendor.upload(request)
    for secret in ("PRIVATE", good.decode().splitlines()[1]):
        assert secret not in server.logs()


def test_without_any_metadata(make_server):
    server = make_server(SIGNED)
    assert "there are no update metadata" in server.logs()
    assert server.curl("/tuf/image/1.root.json").status == 404
    release = server.publish("un", "1", b"1")
    assert release["state"] == "draft"
    trust = server.api("GET", "/api/trust", expect=200).json()
    assert trust["image"]["roles"] == [] and not trust["unsigned_allowed"]
    server.set("trust.insecure_unsigned", "yes")
    server.reload()
    again = server.publish("un", "1", b"1", expect=200)
    assert (again["id"], again["state"], again["sequence"]) == (release["id"], "published", 1)
    server.api("DELETE", f"/api/firmware/{release['id']}", expect=204)


def test_signed_later(make_vendor):
    """What was published before anybody signed is signed as what it is."""
    vendor = make_vendor({"trust.insecure_unsigned": "yes"})
    server = vendor.server
    release = server.publish("late", "1", b"1")
    assert release["state"] == "published" and release["sequence"] == 1
    server.set("trust.insecure_unsigned", "no")
    server.reload()
    refused(vendor, vendor.prepare(release, 2), 422, "sequence 1, not 2")
    assert vendor.publish(release, 1)["published"] == []
    assert server.publish("late", "2", b"2")["state"] == "draft"


def test_entries_of_manifests(vendor):
    server = vendor.server
    release = server.publish("mcu", "1", b"image")
    request = vendor.prepare(release, 5, counter=2)
    vendor.sign(request, vendor.key("targets"), vendor.key("manifest"))
    good = json.loads(request.read_text())
    assert [e["target"] for e in good["entries"]] == ["mcu/mcu/1/firmware.bin"]
    bad = json.loads(request.read_text())
    cose = bytearray(base64.b64decode(bad["entries"][0]["cose"]))
    cose[-1] ^= 1
    bad["entries"][0]["cose"] = base64.b64encode(cose).decode()
    request.write_text(json.dumps(bad))
    refused(vendor, request, 422, "entry of mcu/mcu/1/firmware.bin", sign=False)
    bad["entries"][0] = {**good["entries"][0], "target": "mcu/mcu/2/firmware.bin"}
    request.write_text(json.dumps(bad))
    refused(vendor, request, 409, "mcu/mcu/2/firmware.bin", sign=False)
    request.write_text(json.dumps(good))
    vendor.upload(request)
    with contextlib.closing(sqlite3.connect(f"file:{server.dir}/data/pqota.db?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT cose FROM release_entry WHERE release = ?", (release["id"],)).fetchall()
        terms = db.execute("SELECT counter, signed FROM release_model WHERE model = 'mcu'").fetchall()
    assert [base64.b64encode(r[0]).decode() for r in rows] == [good["entries"][0]["cose"]]
    assert terms == [(2, 1)]
