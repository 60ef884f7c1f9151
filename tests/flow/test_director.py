"""What one device should run, signed by the server: once a decision, and checked by openssl."""

import calendar
import concurrent.futures
import re
import signal
import time

import pytest
from director import Checker, Director
from vendor import Vendor

from harness import ANYONE, Credential, program, run, wait_for

IMAGE = b"an image of some firmware" * 100
DAY = 86400


@pytest.fixture
def director(make_server):
    """A server with online keys, one device of a model, and two releases that the vendor signed for it."""
    server = make_server(start=False)
    it = Director(server)
    server.start()
    it.device = server.enrol("gw-1", "gw")
    it.releases = {v: server.publish("fw", v, IMAGE + v.encode(), model="gw") for v in ("1", "2")}
    it.vouch()
    return it


def signatures(server, key="director"):
    page = server.curl("/metrics").body.decode()
    return int(re.search(rf'^pqota_trust_signatures_total{{key="{key}"}} (\d+)$', page, re.M)[1])


def fetch(director, device="gw-1", who=None, expect=200, *args):
    path = f"/tuf/director/{device}/targets.json"
    reply = director.server.curl(path, *args, who=who or director.device)
    assert reply.status == expect, repr(reply)
    return reply


def body_of(director):
    reply = fetch(director)
    body = director.signed(reply.body)
    assert body["_type"] == "targets" and body["pqota"] == {"device": "gw-1"}
    assert reply.headers["etag"] == f'"{body["version"]}"'
    return body


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def deploy(director, version):
    body = {"release": director.releases[version]["id"], "target": {"kind": "device", "value": "gw-1"}}
    return director.server.api("POST", "/api/deployments", body, expect=201).json()


def poll(director, runs):
    return director.server.curl(f"/api/update?version={runs}", who=director.device)


def report(director, action, state, runs):
    body = {"state": state, "version": runs}
    path = f"/api/update/{action}/status"
    director.server.api("POST", path, body, who=director.device, expect=204)


def install(director, version, runs, state="succeeded"):
    deploy(director, version)
    action = poll(director, runs).json()["action"]
    report(director, action, state, version if state == "succeeded" else runs)


def named(director):
    """The version of the firmware that the file names; None for nothing."""
    targets = body_of(director)["targets"]
    assert len(targets) <= 1
    for path, target in targets.items():
        model, name, version, filename = path.split("/")
        assert (model, name, filename) == ("gw", "fw", "firmware.bin")
        made = director.releases[version]["artifacts"][0]
        assert target == {"length": made["size"], "hashes": {"sha256": made["sha256"]}}
        return version
    return None


def test_one_signature_a_decision(director):
    server = director.server
    first = body_of(director)
    assert first["targets"] == {}
    assert abs(first["version"] - time.time()) < 60
    assert abs(seconds(first["expires"]) - first["version"] - 7 * DAY) <= 1
    assert signatures(server) == 2  # a pair
    for _ in range(5):
        assert body_of(director) == first
        assert poll(director, "0").status == 204
    deploy(director, "1")
    assert body_of(director) == first  # it has not been offered yet
    assert signatures(server) == 2

    action = poll(director, "0").json()["action"]
    second = body_of(director)
    assert second["version"] > first["version"]
    assert named(director) == "1"
    for _ in range(5):
        assert poll(director, "0").json()["action"] == action
        assert body_of(director) == second
    report(director, action, "downloading", "0")
    assert body_of(director) == second
    report(director, action, "succeeded", "1")
    assert poll(director, "1").status == 204
    assert body_of(director) == second  # what runs is still vouched for
    assert signatures(server) == 4
    assert signatures(server, "manifest") == 0


def test_after_a_failure_what_ran_before(director):
    install(director, "1", runs="0")
    assert named(director) == "1"
    deploy(director, "2")
    action = poll(director, "1").json()["action"]
    assert named(director) == "2"
    report(director, action, "failed", "1")
    assert named(director) == "1"
    assert signatures(director.server) == 6


def test_nothing_that_nobody_signed(director):
    server = director.server
    director.releases["3"] = server.publish("fw", "3", IMAGE + b"3", model="gw")
    deploy(director, "3")
    assert poll(director, "0").json()["release"]["version"] == "3"
    assert named(director) is None
    wait_for(lambda: "the vendor did not sign it" in server.logs(), what="the log says why")
    director.vouch(director.releases["3"]["id"])
    assert named(director) == "3"


def test_who_may(director):
    server = director.server
    other = server.enrol("gw-2", "gw")
    told = fetch(director, who=other, expect=404).json()["detail"]
    assert told == fetch(director, "gw-9", who=other, expect=404).json()["detail"].replace("gw-9", "gw-1")
    fetch(director, "gw-9", who=server.admin, expect=404)
    fetch(director, who=ANYONE, expect=401)
    mine = fetch(director)
    assert fetch(director, who=server.admin).body == mine.body
    assert director.signed(fetch(director, "gw-2", who=other).body)["pqota"] == {"device": "gw-2"}
    assert mine.headers["cache-control"] == "private, no-cache"
    assert mine.headers["content-type"] == "application/json"
    again = fetch(director, "gw-1", None, 304, "-H", "If-None-Match: " + mine.headers["etag"])
    assert again.body == b"" and again.headers["etag"] == mine.headers["etag"]
    fetch(director, "gw-1", None, 412, "-H", 'If-Match: "1"')
    head = server.curl("/tuf/director/gw-1/targets.json", "-I", who=director.device)
    assert head.status == 200 and int(head.headers["content-length"]) == len(mine.body)
    for path in ("/tuf/director/gw-2/manifest.cbor", "/tuf/director/%2e%2e/targets.json"):
        assert server.curl(path, "--path-as-is", who=director.device).status == 404
    server.api("POST", "/api/devices/gw-2/revoke", {}, expect=204)
    assert fetch(director, "gw-2", who=other, expect=401)
    assert "is revoked" in fetch(director, "gw-2", who=server.admin, expect=410).json()["detail"]


def test_many_at_once(director):
    """They all get the same file, and no request is told to wait for another's."""
    install(director, "1", runs="0")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: fetch(director), range(16)))
    assert len({r.body for r in replies}) == 1
    made = signatures(director.server)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert {r.body for r in pool.map(lambda _: fetch(director), range(16))} == {replies[0].body}
    assert signatures(director.server) == made


def test_anew_when_a_third_is_left(director):
    server = director.server
    first = body_of(director)

    def restart(offset):
        server.stop()
        server.env.update(
            LD_PRELOAD="/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
            FAKETIME=f"+{offset}s",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            ASAN_OPTIONS=server.env["ASAN_OPTIONS"] + ":verify_asan_link_order=0",
        )
        server.start()

    restart(int(4.5 * DAY))  # 7 days, of which 4 and two thirds are good
    assert body_of(director) == first
    assert signatures(server) == 0
    restart(int(4.7 * DAY))
    second = body_of(director)
    assert seconds(second["expires"]) - seconds(first["expires"]) >= int(4.7 * DAY)
    assert second["version"] - first["version"] >= int(4.7 * DAY)
    assert signatures(server) == 2


def test_a_shorter_life_and_other_keys_count_at_once(director):
    server = director.server
    first = body_of(director)
    server.set("trust.director_days", 3)
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: fetch(director).headers["etag"] != f'"{first["version"]}"', what="the shorter life")
    second = body_of(director)
    assert seconds(second["expires"]) - seconds(first["expires"]) < -3 * DAY
    director.make_pair()
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: fetch(director).headers["etag"] != f'"{second["version"]}"', what="the new keys")
    assert body_of(director)["version"] > second["version"]


@pytest.mark.parametrize("running", [True, False])
def test_a_restored_backup_does_not_roll_back(director, tmp_path, running):
    server = director.server
    install(director, "1", runs="0")
    kept = body_of(director)
    run([program("pqota", server.build), "backup", "-c", server.conf, tmp_path / "copy"], check=0)
    install(director, "2", runs="1")
    seen = body_of(director)
    assert seen["version"] > kept["version"]
    if not running:
        server.stop()
    run([program("pqota", server.build), "restore", tmp_path / "copy", "-c", server.conf], check=0)
    if not running:
        server.start()
    # The old decision is back, and its old file would do by its age alone.
    assert named(director) == "1"
    now = body_of(director)
    assert now["version"] > seen["version"]
    assert body_of(director) == now


def manifest(director, expect=200):
    reply = director.server.curl("/tuf/director/gw-1/manifest.cbor", who=director.device)
    assert reply.status == expect, repr(reply)
    return reply


def test_manifest(director):
    server = director.server
    reply = manifest(director)
    version, expires, device, image = director.manifest(reply.body)
    assert (device, image) == ("gw-1", None)
    assert expires - version == 7 * DAY and abs(version - time.time()) < 60
    assert reply.headers["content-type"].startswith("application/cose")
    assert reply.headers["etag"] == f'"{version}"'

    install(director, "1", runs="0")
    assert "fw 1 was not signed for small devices" in manifest(director, 404).json()["detail"]
    made = director.releases["1"]
    file = made["artifacts"][0]
    told = [1, "gw", "fw", "1", made["sequence"], bytes.fromhex(file["sha256"]), file["size"], 0, 3]
    director.vouch(made["id"], told)
    body = manifest(director).body
    assert director.manifest(body)[2:] == ("gw-1", told)
    assert director.manifest(body)[0] > version
    for _ in range(4):
        assert manifest(director).body == body
    assert signatures(server, "manifest") == 2
    assert signatures(server) == 0  # nobody asked for that


def test_a_server_without_keys_says_so(make_server):
    server = make_server()
    device = server.enrol("gw-1", "gw")
    for name, key in (("targets.json", "director_key"), ("manifest.cbor", "manifest_key")):
        reply = server.curl(f"/tuf/director/gw-1/{name}", who=device)
        assert reply.status == 404 and f"[trust] {key}" in reply.json()["detail"]


def test_a_real_vendor_and_the_real_agent(make_server, make_agent):
    """pqota trust init and sign, the server, and the agent with nothing but two roots."""
    server = make_server({"trust.insecure_unsigned": "no"}, start=False)
    vendor = Vendor(server).start()
    roots = {
        f"trust.{name}_root": vendor.dir / "device" / f"{name}.root.json" for name in ("image", "director")
    }
    agent = make_agent(server, "gw-1", "gw", settings={**roots, "installer.health_command": "/bin/true"})
    agent.enrol()
    device = Credential(agent.state / "device.crt", agent.state / "device.key")
    checker = Checker.by_root(
        server.folder / "checker", (vendor.dir / "director" / "1.root.json").read_bytes()
    )

    def get(name):
        reply = server.curl(f"/tuf/director/gw-1/{name}", who=device)
        assert reply.status == 200, repr(reply)
        return reply.body

    assert checker.signed(get("targets.json"))["targets"] == {}
    for sequence, version in ((1, "1.0"), (2, "2.0")):
        data = IMAGE + version.encode()
        release = server.publish("fw", version, data, model="gw")
        request = vendor.prepare(release, sequence, counter=sequence)
        vendor.sign(request, vendor.key("targets"), vendor.key("manifest"))
        vendor.upload(request)
        body = {"release": release["id"], "target": {"kind": "model", "value": "gw"}}
        server.api("POST", "/api/deployments", body, expect=201)
        done = agent.once()
        assert done.code == 0, done
        assert (agent.slots / "current" / "firmware.bin").read_bytes() == data
        action = server.api("GET", "/api/devices/gw-1", expect=200).json()["action"]
        assert action["state"] == "succeeded"
        targets = checker.signed(get("targets.json"))["targets"]
        assert list(targets) == [f"gw/fw/{version}/firmware.bin"]
        image = checker.manifest(get("manifest.cbor"))[3]
        sha256 = bytes.fromhex(release["artifacts"][0]["sha256"])
        assert image == [1, "gw", "fw", version, sequence, sha256, len(data), 0, sequence]
    assert signatures(server) == 6 and signatures(server, "manifest") == 2
