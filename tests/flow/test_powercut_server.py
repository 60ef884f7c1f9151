"""What the server has acknowledged is there after a power cut at any moment.

The real `pqota serve` works under the preload library that records what reaches the disk, while firmware is
uploaded, tokens are made and revoked, devices enrol, poll and report, and deployments are made and cancelled
over HTTPS. With each acknowledged reply goes the size that the record had at that moment; then the data
folder is rebuilt as a power cut there, and at other moments, would have left it. Sanitizers do not mix with
preloading: this needs the release build, PQOTA_RELEASE.
"""

import collections
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import ssl
import threading

import pytest

import harness
import powercut

SHIM = harness.BUILD / "tests" / "lib" / "powercut" / "powercut.so"
SEED = 20261122
ROUNDS = 2  # the server is killed after the first, and goes on with what it finds
# Acknowledged in each round.
ENOUGH = {"release": 12, "token": 6, "token revoked": 6, "device": 4, "tag": 4, "deployment": 8,
          "cancelled": 2, "action": 12}
CUTS = 48
STATES = ["offered", "downloading", "installing", "rebooting", "succeeded"]

Ack = collections.namedtuple("Ack", "at kind what")


class Work:
    """Clients that write without pause, each in a thread of its own, and note what was acknowledged."""

    def __init__(self, server, record, number, acks):
        self.server, self.record, self.number, self.acks = server, record, number, acks
        self.before = collections.Counter(a.kind for a in acks)
        self.stop = threading.Event()
        self.failures = []
        rng = random.Random(SEED + number)
        self.threads = [threading.Thread(target=self.run, args=(what, random.Random(rng.random())),
                                         daemon=True)
                        for what in (self.upload, self.upload, self.operate, self.device, self.device)]
        for t in self.threads:
            t.start()

    def run(self, what, rng):
        n = 0
        try:
            while not self.stop.is_set():
                what(f"{self.number}-{threading.get_native_id()}-{n}", rng)
                n += 1
        except Exception as e:  # looked at by end(), in the thread that tests
            if not self.stop.is_set():
                self.failures.append(e)

    def ack(self, kind, *what):
        self.acks.append(Ack(os.path.getsize(self.record), kind, what))

    def call(self, method, path, expect, body=None, who=None):
        return self.server.api(method, path, body, who=who, expect=expect)

    def upload(self, name, rng):
        data = rng.randbytes(rng.choice([100, 5_000, 60_000]))
        file = self.server.folder / f"upload-{name}"
        file.write_bytes(data)
        reply = self.server.curl(f"/api/firmware/fw/{name}/image.bin?model=gw", "-T", file)
        file.unlink()
        assert reply.status == 201, repr(reply)
        self.ack("release", reply.json()["id"], hashlib.sha256(data).hexdigest(), len(data))

    def operate(self, name, rng):
        token = self.call("POST", "/api/tokens", 201, {"model": "gw", "note": name}).json()["id"]
        self.ack("token", token, name)
        releases = [a.what[0] for a in list(self.acks) if a.kind == "release"]
        if releases:
            made = self.call("POST", "/api/deployments", 201, {
                "release": rng.choice(releases[-8:]), "target": {"kind": "tag", "value": "canary"}}).json()
            self.ack("deployment", made["id"], made["release"]["id"])
            if rng.random() < 0.5:
                self.call("POST", f"/api/deployments/{made['id']}/cancel", 200)
                self.ack("cancelled", made["id"])
        self.call("DELETE", f"/api/tokens/{token}", 204)
        self.ack("token revoked", token)

    def device(self, name, rng):
        id = f"d-{name}"
        who = self.server.enrol(id, "gw")
        end = "-----END CERTIFICATE-----\n"
        der = ssl.PEM_cert_to_DER_cert(who.cert.read_text().split(end)[0] + end)
        self.ack("device", id, hashlib.sha256(der).hexdigest())
        self.call("PUT", f"/api/devices/{id}/tags/t-{name}", 204)
        self.ack("tag", id, f"t-{name}")
        releases = [a.what[0] for a in list(self.acks) if a.kind == "release"]
        if not releases:
            return
        made = self.call("POST", "/api/deployments", 201, {
            "release": rng.choice(releases), "target": {"kind": "device", "value": id}}).json()
        self.ack("deployment", made["id"], made["release"]["id"])
        update = self.call("GET", "/api/update?version=0", 200, who=who).json()
        self.ack("action", update["action"], id, "offered", "")
        for state in STATES[1:]:
            text = f"{state} of {name}"
            version = update["release"]["version"] if state == "succeeded" else "0"
            self.call("POST", f"/api/update/{update['action']}/status", 204,
                      {"state": state, "message": text, "version": version}, who=who)
            self.ack("action", update["action"], id, state, text)
            if rng.random() < 0.2:
                return

    def is_enough(self):
        assert not self.failures, self.failures[0]
        counts = collections.Counter(a.kind for a in list(self.acks))
        return all(counts[kind] - self.before[kind] >= n for kind, n in ENOUGH.items())

    def end(self, how):
        self.stop.set()
        code = self.server.stop(how=how)
        for t in self.threads:
            t.join()
        assert not self.failures, self.failures[0]
        assert code == (-9 if how == signal.SIGKILL else 0), self.server.logs()


class Recorded:
    """A server's work, as it was recorded."""

    def __init__(self, folder):
        record = folder / "record"
        self.server = harness.Server(folder, build=harness.RELEASE, env=powercut.environment(
            SHIM, folder / "server" / "data", record))
        self.data = self.server.dir / "data"
        base = powercut.Base(self.data)
        self.acks = []
        for number in range(ROUNDS):
            self.server.start()
            work = Work(self.server, record, number, self.acks)
            harness.wait_for(work.is_enough, 120, "the work of a round")
            work.end(signal.SIGKILL if number < ROUNDS - 1 else signal.SIGTERM)
        self.acks.sort()
        self.log = powercut.Log(record, base)
        assert not [a for a in self.acks if a.at > self.log.size]

    def cuts(self, rng):
        """Right after an acknowledgement (the worst moment), and anywhere."""
        acks = [a.at for a in self.acks]
        return sorted(rng.sample(acks, CUTS // 2) + rng.sample(self.log.cuts(), CUTS // 2)
                      + [acks[0], acks[-1], self.log.size])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return Recorded(tmp_path_factory.mktemp("powercut"))


def rows(db, sql):
    return set(db.execute(sql))


def blob_of(data, sha):
    return data / "blobs" / sha[:2] / sha[2:]


def check(acks, data):
    """Everything in `acks` is there, and what is there is whole."""
    db = sqlite3.connect(data / "pqota.db")
    try:
        assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        files = rows(db, "SELECT r.pk, f.sha256, f.size FROM release r"
                     " JOIN release_module m ON m.release = r.pk"
                     " JOIN module_artifact a ON a.module = m.module JOIN artifact f ON f.sha256 = a.sha256"
                     " WHERE r.state = 'published' AND r.deleted_at IS NULL")
        there = {
            "release": files,
            "token": rows(db, "SELECT pk, note FROM token"),
            "token revoked": rows(db, "SELECT pk FROM token WHERE revoked_at IS NOT NULL"),
            "device": rows(db, "SELECT d.id, c.fingerprint FROM device d"
                           " JOIN certificate c ON c.device = d.pk"),
            "tag": rows(db, "SELECT id, tag FROM device_tag"),
            "deployment": rows(db, "SELECT pk, release FROM deployment"),
            "cancelled": rows(db, "SELECT pk FROM deployment WHERE state = 'cancelled'"),
            "action": rows(db, "SELECT s.action, d.id, s.state, s.message FROM action_status s"
                           " JOIN action a ON a.pk = s.action JOIN device d ON d.pk = a.device"),
        }
        now = dict(db.execute("SELECT pk, state FROM action"))
    finally:
        db.close()
    for ack in acks:
        assert ack.what in there[ack.kind], f"{ack} was acknowledged and is lost"
        if ack.kind == "action":
            assert STATES.index(now[ack.what[0]]) >= STATES.index(ack.what[2]), ack
    for _, sha, size in files:  # acknowledged or not: what a row promises can be downloaded
        content = blob_of(data, sha).read_bytes()
        whole = len(content) == size and hashlib.sha256(content).hexdigest() == sha
        assert whole, f"the blob {sha} is damaged"


def rebuild(recorded, cut, folder, rng=None):
    powercut.Disk(recorded.log, cut, rng).write_to(folder)
    return [a for a in recorded.acks if a.at <= cut]


@pytest.mark.parametrize("chance", [None, 1, 2], ids=["nothing", "some", "other"])
def test_acknowledged_is_durable(recorded, tmp_path, chance):
    """Of what was not flushed, nothing or some of it reached the disk."""
    rng = random.Random(SEED + (chance or 0))
    seen = set()
    for cut in recorded.cuts(rng):
        folder = tmp_path / "data"
        acks = rebuild(recorded, cut, folder, rng if chance else None)
        check(acks, folder)
        seen.add(len(acks))
        shutil.rmtree(folder)
    assert len(seen) > CUTS // 3, "the cuts fell at the same moments"
    print(f"\n{len(recorded.acks)} acknowledged: {dict(collections.Counter(a.kind for a in recorded.acks))}")


def test_the_server_starts_after_a_cut(recorded, tmp_path):
    """It serves what it acknowledged, from a disk as the cut left it; its own folder is lent for that."""
    rng = random.Random(SEED)
    uploads = [a for a in recorded.acks if a.kind == "release"]
    late = [a.at for a in uploads[len(uploads) // 4:]]
    server, plain = recorded.server, harness.environment()
    server.env, kept = plain, tmp_path / "kept"
    recorded.data.rename(kept)
    for number, cut in enumerate(rng.sample(late, 3) + [recorded.log.size]):
        acks = rebuild(recorded, cut, recorded.data, rng if number % 2 else None)
        server.start()
        assert list((recorded.data / "tmp").iterdir()) == []
        release, sha, _ = rng.choice([a for a in acks if a.kind == "release"]).what
        reply = server.curl(f"/api/firmware/{release}/file")
        assert reply.status == 200 and hashlib.sha256(reply.body).hexdigest() == sha, repr(reply)
        assert server.publish("fw", f"after-{number}", b"after the cut", model="gw")
        server.stop()
        check(acks, recorded.data)
        shutil.rmtree(recorded.data)
    kept.rename(recorded.data)


def test_the_check_can_fail(recorded, tmp_path):
    """Without the flushes much is lost: what is tested above is the server's doing."""
    flushed = [r.a for r in recorded.log.records]
    for r in recorded.log.records:
        if r.kind == powercut.FSYNC:
            r.a = 0
    acks = rebuild(recorded, recorded.log.size, tmp_path / "data")
    for r, a in zip(recorded.log.records, flushed):
        r.a = a
    with pytest.raises((AssertionError, OSError, sqlite3.Error)):
        check(acks, tmp_path / "data")
