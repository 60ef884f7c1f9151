"""Devices with a certificate each, for connections that each are another's, and what they ask a server."""

import concurrent.futures
import contextlib
import http.client
import json
import os

from parts import harness  # which finds tests/lib

from fleet import fill

PQCERTS = harness.RELEASE / "bench" / "pqcerts"
MODEL = "fleet"
OLD, NEW = "1.0", "2.0"
PREPARED = 60  # seconds until a deployment has looked for its devices


class Line:
    """A kept connection to the server, as somebody or as anybody."""

    def __init__(self, server, who=harness.ANYONE):
        context = server.tls_context(who)
        self.connection = http.client.HTTPSConnection("localhost", server.port, context=context, timeout=30)

    def ask(self, method, path, body=None, expect=200):
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.connection.request(method, path, body and json.dumps(body), headers)
        answer = self.connection.getresponse()
        data = answer.read()
        got = f"{answer.status} {data[:400]!r}"
        assert answer.status == expect, f"{method} {path}: wanted {expect}, got {got}"
        return data

    def close(self):
        self.connection.close()


def ask(server, who, method, path, body=None, expect=200):
    """One request on a connection of its own."""
    with contextlib.closing(Line(server, who)) as line:
        return line.ask(method, path, body, expect)


def enrol(server, model, names):
    """{name: credential}; keys and requests are made by openssl, all with one token."""
    token = server.token(model, count=len(names))
    folder = server.folder / f"{model}-devices"
    folder.mkdir()

    def one(name):
        key, csr, cert = (folder / f"{name}{ending}" for ending in (".key", ".csr", ".pem"))
        make = ["openssl", "req", "-new", "-newkey", "ML-DSA-65", "-nodes", "-subj", "/CN=ignored"]
        harness.run([*make, "-keyout", key, "-out", csr], check=0)
        body = {"token": token, "csr": csr.read_text(), "id": name}
        reply = json.loads(ask(server, harness.ANYONE, "POST", "/api/enroll", body, 201))
        cert.write_text(reply["certificate"])
        return name, harness.Credential(cert, key)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return dict(pool.map(one, names))


def issue(server, folder, prefix, count, path):
    """pqload's identities of so many devices, as bench/fleet_rows.py numbers them: with certificates of their
    own, which the devices' authority issues without being asked, and one key."""
    folder.mkdir()
    authority = server.dir / "pki" / "device-ca.pem"
    argv = [PQCERTS, "--ca", authority, "--ca-key", authority.with_suffix(".key"), "--devices", count]
    file = folder.with_name(f"{folder.name}-identities")
    file.write_text(harness.run([*argv, "--id-prefix", prefix, "--path", path, folder], check=0).out)
    return file


def write_identities(file, rows):
    """pqload's --identities: (credential, path) a line."""
    file.write_text("".join(f"{who.cert} {who.key} {path}\n" for who, path in rows))
    return file


def deploy(server, release, model):
    """To all of that model, and whoever joins it; answers its id once it has looked for them all."""
    body = {"release": release["id"], "target": {"kind": "filter", "value": f"model=={model}"}}
    made = server.api("POST", "/api/deployments", body | {"dynamic": True}, expect=201).json()["id"]

    def is_prepared():
        return server.api("GET", f"/api/deployments/{made}", expect=200).json()["prepared"]

    harness.wait_for(is_prepared, PREPARED, "the deployment has looked for its devices")
    return made


class Quiet:
    """Many devices in the store, all concerned by a running deployment, and some with certificates that have
    finished it, native ones and ones of hawkBit's protocol: they are told that there is nothing new.

    files: by kind of poll, and whether static files are asked for that hold what pqota answers: pqload's
    identities. "return" are so many others that poll as well.
    """

    EXPECT = {"poll": 204, "poll-ddi": 200, "return": 204}
    POLL = f"/api/update?version={NEW}&hold=yes"  # as the agent asks

    def __init__(self, pqota, folder, static, many, returning=0, count=64):
        self.server, self.folder, self.static = pqota.server, folder / "identities", static
        self.folder.mkdir()
        self.server.publish(MODEL, OLD, os.urandom(1000), model=MODEL)
        release = self.server.publish(MODEL, NEW, os.urandom(1000), model=MODEL)
        pqota.stop()
        fill(self.server, many, "--model", MODEL, "--version", OLD, "--id-prefix", "store-")
        if returning > 0:
            fill(self.server, returning, "--model", MODEL, "--version", NEW, "--id-prefix", "return-")
        pqota.start()
        kinds = {"poll": self.update_native, "poll-ddi": self.update_ddi}
        devices = enrol(self.server, MODEL, [f"{kind}-{i:04}" for kind in kinds for i in range(count)])
        deploy(self.server, release, MODEL)
        self.files = {}
        for kind, update in kinds.items():
            own = {name: who for name, who in devices.items() if name.rpartition("-")[0] == kind}
            self.add(kind, own, update)
        if returning > 0:
            self.add_returning(returning)

    def add_returning(self, count):
        own = issue(self.server, self.folder / "return", "return-", count, self.POLL)
        polls = own.read_text()
        other = self.folder / "return-static"
        other.write_text(polls.replace(self.POLL, f"/poll/{next((self.static / 'poll').iterdir()).name}"))
        self.files["return", False], self.files["return", True] = own, other

    def add(self, kind, devices, update):
        (self.static / kind).mkdir()
        at_pqota, at_static = [], []
        for name, who in devices.items():
            with contextlib.closing(Line(self.server, who)) as line:
                path = update(line, name)
                body = line.ask("GET", path, expect=self.EXPECT[kind])
            assert b"deploymentBase" not in body, f"{name} is not done: {body!r}"
            (self.static / kind / name).write_bytes(body)
            at_pqota.append((who, path))
            at_static.append((who, f"/{kind}/{name}"))
        self.files[kind, False] = write_identities(self.folder / kind, at_pqota)
        self.files[kind, True] = write_identities(self.folder / f"{kind}-static", at_static)

    @staticmethod
    def update_native(line, _name):
        """Answers the path of its polls from then on."""
        action = json.loads(line.ask("GET", f"/api/update?version={OLD}&hold=yes"))["action"]
        done = {"state": "succeeded", "version": NEW}
        line.ask("POST", f"/api/update/{action}/status", done, 204)
        return Quiet.POLL

    @staticmethod
    def update_ddi(line, name):
        path = f"/DEFAULT/controller/v1/{name}"
        link = json.loads(line.ask("GET", path))["_links"]["deploymentBase"]["href"]
        action = link.rpartition("/")[2].partition("?")[0]
        done = {"id": action, "status": {"execution": "closed", "result": {"finished": "success"}}}
        line.ask("POST", f"{path}/deploymentBase/{action}/feedback", done)
        line.ask("PUT", f"{path}/configData", {"data": {"version": NEW}})
        return path
