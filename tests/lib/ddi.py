"""Devices that speak hawkBit's protocol over plain HTTP, with nothing but what Python brings."""

import contextlib
import http.client
import itertools
import json
import sqlite3

import harness
from harness import free_port, wait_for

GATEWAY = "0123456789abcdef0123456789abcdef"
NUMBERS = itertools.count(1)


def start(folder, settings=None):
    """A server that lets in whoever has the gateway's token."""
    port = free_port()
    server = harness.Server(
        folder,
        {
            "ddi.enabled": "yes",
            "ddi.gateway_token": "yes",
            "ddi.model": "m",
            "plain.enabled": "yes",
            "plain.listen": f"127.0.0.1:{port}",
            **(settings or {}),
        },
        via="",
    ).start()
    server.plain_port = port
    setting(server, "authentication.gatewaytoken.key", GATEWAY)
    return server


def setting(server, key, value):
    """One of hawkBit's, changed at run time."""
    server.api("PUT", f"/api/settings/{key}", {"value": value}, expect=204)


class Answer:
    def __init__(self, response):
        self.status, self.body = response.status, response.read()
        self.headers = {k.lower(): v for k, v in response.getheaders()}

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:400]!r}"


class Device:
    """One that registers itself with its first request."""

    def __init__(self, server, name=None, tenant="DEFAULT"):
        self.server = server
        self.id = name or f"d-{next(NUMBERS)}"
        self.base = f"/{tenant}/controller/v1/{self.id}"
        self.connection = http.client.HTTPConnection("127.0.0.1", server.plain_port, timeout=30)

    def ask(self, method, path, body=None, expect=200, headers=None):
        """path: beneath the device's own, or a whole link."""
        where = path.split("/", 3)[3] if path.startswith("http") else None
        target = f"/{where}" if where is not None else self.base + path
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Authorization": f"GatewayToken {GATEWAY}", **(headers or {})}
        if data is not None:
            head.setdefault("Content-Type", "application/json")
        self.connection.request(method, target, data, head)
        answer = Answer(self.connection.getresponse())
        assert (
            expect is None or answer.status == expect
        ), f"{method} {target}: wanted {expect}, got {answer!r}"
        if answer.status >= 400 and method != "HEAD":
            error = answer.json()
            assert error["exceptionClass"] and error["errorCode"] and error["message"]
        return answer

    def get(self, path, expect=200, **headers):
        return self.ask(
            "GET", path, expect=expect, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    def put(self, path, body, expect=200):
        return self.ask("PUT", path, body, expect)

    def post(self, path, body=None, expect=200):
        return self.ask("POST", path, body, expect)

    def links(self):
        return {rel: link["href"] for rel, link in self.get("").json().get("_links", {}).items()}

    def action(self, kind="deploymentBase"):
        """The id of what the poll points to."""
        return int(self.links()[kind].rsplit("/", 1)[1].split("?")[0])

    def say(self, action, execution, finished="none", expect=200, kind="deploymentBase", **status):
        body = {
            "id": str(action),
            "status": {"execution": execution, "result": {"finished": finished}, **status},
        }
        return self.post(f"/{kind}/{action}/feedback", body, expect)

    # --- what the server thinks of it ---

    def entries(self, action):
        """Newest first: (kind, messages)."""
        rows = query(
            self.server,
            "SELECT state, message FROM action_status WHERE action = ? ORDER BY pk DESC",
            action,
        )
        return [(kind, message.split("\n") if message else []) for kind, message in rows]

    def state(self, action):
        return query(self.server, "SELECT state FROM action WHERE pk = ?", action)[0][0]

    def closed(self, action):
        return query(self.server, "SELECT closed_at FROM action WHERE pk = ?", action)[0][0] is not None

    def member(self, deployment):
        of = "SELECT state FROM member WHERE device = (SELECT pk FROM device WHERE id = ?) AND deployment = ?"
        return query(self.server, of, self.id, deployment)[0][0]

    def shown(self):
        return self.server.api("GET", f"/api/devices/{self.id}", expect=200).json()


def query(server, sql, *values):
    with contextlib.closing(sqlite3.connect(server.dir / "data" / "pqota.db", timeout=10)) as db, db:
        return db.execute(sql, values).fetchall()


def publish(server, version=None, data=b"firmware", filename="f.swu", model="m"):
    version = version or f"v{next(NUMBERS)}"
    return server.publish("fw", version, data, model=model, filename=filename)


def deploy(server, device, release=None, **policy):
    """For that device alone; answers the deployment's id."""
    release = release or publish(server)
    body = {
        "release": release["id"],
        "target": {"kind": "device", "value": device.id},
        "allow_downgrade": True,
        **policy,
    }
    return server.api("POST", "/api/deployments", body, expect=201).json()["id"]


def cancel(server, deployment):
    server.api("POST", f"/api/deployments/{deployment}/cancel", expect=200)


def given(server, **policy):
    """A device with an update under way: device, action, deployment."""
    device = Device(server)
    device.get("")
    deployment = deploy(server, device, **policy)
    return device, device.action(), deployment


def asked_to_stop(server, **policy):
    """The same, and it is asked to give it up."""
    device, action, deployment = given(server, **policy)
    cancel(server, deployment)
    wait_for(lambda: device.state(action) == "cancelling", what="the device is asked")
    return device, action, deployment
