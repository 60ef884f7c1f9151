"""hawkBit's two interfaces as scripts and devices use them: plain HTTP on loopback, nothing but urllib."""

import base64
import http.client
import json
import os
import urllib.parse

import harness


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


class Client:
    """One side of the server's plain listener."""

    def __init__(self, port, headers=None, prefix=""):
        self.port, self.headers, self.prefix = port, dict(headers or {}), prefix

    def __call__(self, method, path, body=None, expect=None, headers=None):
        headers = {**self.headers, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json;charset=UTF-8")
        if path.startswith("http"):
            path = urllib.parse.urlsplit(path)._replace(scheme="", netloc="").geturl()
        else:
            path = self.prefix + path
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            answer = Answer(response, response.read())
        finally:
            connection.close()
        if expect is not None:
            assert answer.status == expect, f"{method} {path}: wanted {expect}, got {answer!r}"
        return answer

    def get(self, path, expect=200, **kw):
        answer = self("GET", path, expect=expect, **kw)
        return answer.json() if answer.body and "json" in answer.headers["content-type"] else answer

    def post(self, path, body, expect=200, **kw):
        answer = self("POST", path, body, expect=expect, **kw)
        return answer.json() if answer.body else None

    def put(self, path, body, expect=200, **kw):
        return self("PUT", path, body, expect=expect, **kw)

    def delete(self, path, expect=204, **kw):
        return self("DELETE", path, expect=expect, **kw)


def form(name, data, field="file", boundary="a-boundary-of-the-tests"):
    """The body of an upload, and its header field."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


class Hawkbit(Client):
    """The management interface, as an account; and devices."""

    def __init__(self, server, port, account, password):
        basic = base64.b64encode(f"{account}:{password}".encode()).decode()
        super().__init__(port, {"Authorization": f"Basic {basic}"}, "/rest/v1/")
        self.server = server
        self.count = 0

    def set(self, key, value):
        self.put(f"system/configs/{key}", {"value": value})

    def name(self, what="thing"):
        self.count += 1
        return f"{what}-{os.urandom(3).hex()}-{self.count}"

    def module(self, *files, type="os", version="1.0", name=None):
        """A module with files (name, bytes); its id."""
        body = [{"name": name or self.name("module"), "version": version, "type": type}]
        module = self.post("softwaremodules", body, expect=201)[0]["id"]
        for file in files:
            self.upload(module, *file)
        return module

    def upload(self, module, name, data, expect=201, query=""):
        body, headers = form(name, data)
        return self.post(f"softwaremodules/{module}/artifacts{query}", body, expect=expect, headers=headers)

    def set_of(self, *modules, type="os", version="1.0", name=None, expect=201):
        body = [
            {
                "name": name or self.name("set"),
                "description": "Test distribution",
                "version": version,
                "modules": [{"id": m} for m in modules],
                "type": type,
            }
        ]
        made = self.post("distributionsets", body, expect=expect)
        return made[0]["id"] if expect == 201 else made

    def simple_set(self, data=b"firmware", **kw):
        return self.set_of(self.module(("firmware.bin", data)), **kw)

    def target(self, name=None, **more):
        """A device that was announced; as which it then speaks."""
        name = name or self.name("dev")
        made = self.post("targets", [{"controllerId": name, "name": name, **more}], expect=201)[0]
        return Device(self, name, made["securityToken"])

    def assign(self, set_id, device, expect=200, **terms):
        answer = self.post(
            f"distributionsets/{set_id}/assignedTargets", [{"id": device.id, **terms}], expect=expect
        )
        return answer["assignedActions"][-1]["id"] if expect == 200 else answer

    def action(self, device, action):
        return self.get(f"targets/{device.id}/actions/{action}")

    def entries(self, device, action):
        page = self.get(f"targets/{device.id}/actions/{action}/status?offset=0&limit=50&sort=id%3ADESC")
        assert page["size"] == len(page["content"]) <= page["total"]
        return page["content"]


class Device(Client):
    """A device of hawkBit's protocol."""

    def __init__(self, hawkbit, name, token):
        super().__init__(
            hawkbit.port, {"Authorization": f"TargetToken {token}"}, f"/default/controller/v1/{name}"
        )
        self.id, self.token = name, token

    def poll(self):
        return self.get("")

    def links(self):
        return self.poll().get("_links", {})

    def deployment(self, part="deploymentBase"):
        return self.get(self.links()[part]["href"])

    def feedback(self, action, execution, finished="none", *details, to="deploymentBase", expect=200):
        body = {
            "id": str(action),
            "status": {"execution": execution, "result": {"finished": finished}, "details": list(details)},
        }
        self.post(f"/{to}/{action}/feedback", body, expect=expect)


def start(folder, settings=None, start=harness.Server.start):
    """A server with the plain listener, and hawkBit's interfaces with an account that may do everything.
    start: what starts it, when something is done to it before."""
    port = harness.free_port()
    server = harness.Server(
        folder,
        {
            "plain.enabled": "yes",
            "plain.listen": f"127.0.0.1:{port}",
            "ddi.enabled": "yes",
            **(settings or {}),
        },
    )
    start(server)
    password = server.pqota("account", "create", "hawk", "--role", "admin").out.strip()
    server.hawkbit = Hawkbit(server, port, "hawk", password)
    return server
