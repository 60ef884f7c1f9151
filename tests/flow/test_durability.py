"""After a reply nothing is lost: killed at any moment, the store holds all that was acknowledged."""

import hashlib
import os
import signal
import sqlite3
import threading
import time

from harness import RELEASE, wait_for

ROUNDS = 50


class Writers:
    """Threads that upload and report without pause, and remember what the server acknowledged."""

    def __init__(self, server, device):
        self.server, self.device = server, device
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.uploads, self.tokens, self.count = {}, [], 0
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self.upload, self.upload, self.make_tokens)]
        for t in self.threads:
            t.start()

    def next(self):
        with self.lock:
            self.count += 1
            return self.count

    def upload(self):
        while not self.stop.is_set():
            n = self.next()
            data = os.urandom(20_000 + n % 7 * 30_000)
            path = self.server.folder / f"w-{n}"
            path.write_bytes(data)
            reply = self.server.curl(
                f"/api/firmware/w-{os.getpid()}/{n}.{time.time_ns()}/f.bin", "-T", path, timeout=20
            )
            path.unlink()
            if reply.status == 201:
                with self.lock:
                    self.uploads[reply.json()["id"]] = hashlib.sha256(data).hexdigest()

    def make_tokens(self):
        while not self.stop.is_set():
            reply = self.server.api("POST", "/api/tokens", {"model": "w", "note": f"n{self.next()}"})
            if reply.status == 201:
                with self.lock:
                    self.tokens.append(reply.json()["id"])

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()


def check_store(server, uploads, tokens):
    data = server.dir / "data"
    db = sqlite3.connect(f"file:{data}/pqota.db?mode=ro", uri=True)
    try:
        assert db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = dict(
            db.execute(
                "SELECT r.pk, a.sha256 FROM release r JOIN release_module m ON m.release = r.pk "
                "JOIN module_artifact a ON a.module = m.module"
            )
        )
        for release, sha in uploads.items():
            assert rows.get(release) == sha, f"release {release} was acknowledged and is gone"
        have = {r[0] for r in db.execute("SELECT pk FROM token")}
        assert set(tokens) <= have, f"tokens {sorted(set(tokens) - have)} were acknowledged and are gone"
        files = {(p.parent.name + p.name)[-62:]: p for p in (data / "blobs").rglob("*") if p.is_file()}
        for sha in set(rows.values()):
            blob = files.get(sha[-62:])
            assert blob is not None, f"the blob {sha} of a release is gone"
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == sha
    finally:
        db.close()


def test_fifty_kills_in_the_middle_of_the_work(make_server):
    server = make_server(build=RELEASE)
    uploads, tokens = {}, []
    for i in range(ROUNDS):
        writers = Writers(server, None)
        if i % 2:  # often enough something must have been acknowledged, however slow the machine is
            wait_for(lambda: writers.uploads, 30, "an upload is acknowledged")
        time.sleep(0.02 + (i * 37 % 50) / 250)  # the moment of the kill is what is varied
        server.stop(how=signal.SIGKILL)
        writers.end()
        uploads.update(writers.uploads)
        tokens += writers.tokens
        check_store(server, writers.uploads, writers.tokens)
        server.start()
        assert list((server.dir / "data" / "tmp").iterdir()) == [], "orphans were not swept"
    server.stop()
    check_store(server, uploads, tokens)
    print(
        f"\n{ROUNDS} kills: {len(uploads)} uploads and {len(tokens)} tokens were acknowledged, none is lost"
    )
    assert len(uploads) >= ROUNDS // 2 and tokens


def test_reports_of_devices_survive_kills(make_server):
    server = make_server(build=RELEASE)
    who = server.enrol("dur-1", "dur")
    for i in range(10):
        server.publish("dur", str(i), str(i).encode())
        server.api(
            "POST",
            "/api/deployments",
            {"name": "dur", "version": str(i), "target": {"kind": "device", "value": "dur-1"}},
            expect=201,
        )
        action = server.curl("/api/update", who=who).json()["action"]
        reply = server.api(
            "POST", f"/api/update/{action}/status", {"state": "failed", "message": f"m{i}"}, who=who
        )
        assert reply.status == 204
        server.stop(how=signal.SIGKILL)
        server.start()
        device = server.api("GET", "/api/devices/dur-1").json()
        assert (
            device["action"] is None
            or device["action"]["id"] == action
            and device["action"]["state"] == "failed"
        )
        history = server.api("GET", "/api/devices/dur-1/history").json()["items"]
        assert any(f"m{i}" in h["text"] for h in history)
