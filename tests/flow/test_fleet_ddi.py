"""pqfleet speaks hawkBit's device protocol over TCP with a server that was made for nothing but this test."""

import collections
import hashlib
import http.server
import json
import re
import socket
import threading

import pytest

from fleet import Fleet
from harness import free_port

DEVICES = 60
FILE = b"firmware" * 1000
PATH = re.compile(r"/(?i:DEFAULT)/controller/v1/(fleet-\d{7})(?:/(.*))?$")
RATES = [
    "--fail",
    "0.2",
    "--vanish",
    "0.1",
    "--hang",
    "0.1",
    "--fall-back",
    "0.1",
    "--deny",
    "0.2",
    "--seed",
    "2",
]


class Ddi(http.server.BaseHTTPRequestHandler):
    """One update for every device, after it agreed; the devices whose number 10 divides have it cancelled."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, body=None, status=200):
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        self.send_response(status)
        if self.server.manners == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            pieces = [data[i : i + 100] for i in range(0, len(data), 100)]
            data = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        else:
            self.send_header("Content-Length", str(len(data)))
        if self.server.manners == "close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data if self.command != "HEAD" else b"")
        if self.server.manners == "sudden":  # after the answer, and without a word
            self.close_connection = True

    def take(self):
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size)) if size else None
        device, rest = PATH.match(self.path.partition("?")[0]).groups()
        token = self.headers.get("Authorization")
        state = self.server.devices[device]
        with self.server.lock:
            if token not in ("GatewayToken gw", f"TargetToken of-{device}"):
                return self.reply(status=401)
            self.server.asked += 1
            if self.server.asked % 17 == 0:
                return self.reply(status=503)
            return self.act(device, state, rest or "", body)

    do_GET = do_PUT = do_POST = do_HEAD = take

    def href(self, device, rest):
        host = self.headers["Host"]
        return {"href": f"http://{host}/default/controller/v1/{device}/{rest}"}

    def act(self, device, state, rest, body):
        action = int(device[-7:]) + 100
        if rest == "":
            links = {}
            if not state["told"]:
                links["configData"] = self.href(device, "configData")
            kind = state["phase"]
            if kind in ("confirmationBase", "deploymentBase"):
                links[kind] = self.href(device, f"{kind}/{action}?c=1")
            elif kind == "cancelAction":
                links[kind] = self.href(device, f"{kind}/{action}")
            return self.reply({"config": {"polling": {"sleep": "00:00:30"}}, "_links": links})
        if rest == "configData":
            state["attributes"].update(body["data"])
            state["told"] = True
            return self.reply()
        if rest.startswith("softwaremodules/"):
            return self.reply(FILE)
        kind, number, *more = rest.split("/")
        if int(number) != action or kind != state["phase"]:
            return self.reply(status=404)
        if self.command == "GET":
            return self.reply(self.shown(device, kind, action))
        state["said"].append(body)
        if kind == "cancelAction":
            state["phase"] = "cancelled"
        elif kind == "confirmationBase":
            state["phase"] = "deploymentBase" if body["confirmation"] == "confirmed" else kind
        elif body["status"]["execution"] == "closed":
            state["phase"], state["told"] = body["status"]["result"]["finished"], False
        return self.reply()

    def shown(self, device, kind, action):
        if kind == "cancelAction":
            return {"id": str(action), kind: {"stopId": str(action)}}
        artifact = {
            "filename": "f.swu",
            "size": len(FILE),
            "hashes": self.server.hashes,
            "_links": {"download-http": self.href(device, "softwaremodules/1/artifacts/f.swu")},
        }
        chunk = {"part": "os", "name": "fw", "version": "2.0", "artifacts": [artifact]}
        body = {"download": "forced", "update": "forced", "chunks": [chunk]}
        return {"id": str(action), kind.removesuffix("Base"): body}


@pytest.fixture
def ddi():
    made = []

    def make(manners):
        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256
            address_family = socket.AF_INET

        server = Server(("127.0.0.1", free_port()), Ddi)
        server.manners, server.lock, server.asked = manners, threading.Lock(), 0
        server.hashes = {
            name: getattr(hashlib, name)(FILE).hexdigest() for name in ("sha1", "md5", "sha256")
        }
        server.devices = collections.defaultdict(
            lambda: {"phase": "confirmationBase", "told": False, "attributes": {}, "said": []}
        )
        for number in range(10, DEVICES + 1, 10):
            server.devices[f"fleet-{number:07d}"]["phase"] = "cancelAction"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        made.append(server)
        return server

    yield make
    for server in made:
        server.shutdown()
        server.server_close()


def expected(plan):
    """(outcome, phase that the server has, version that it was told)"""
    if int(plan.device[-7:]) % 10 == 0:
        return "cancelled", "cancelled", "1.0"
    if plan.consent == "deny":
        return "denied", "confirmationBase", "1.0"
    return {
        "succeed": ("success", "success", "2.0"),
        "fail": ("failure", "failure", "1.0"),
        "vanish": ("vanished", "deploymentBase", "1.0"),
        "hang": ("hung", "deploymentBase", "1.0"),
        "fall-back": ("fell-back", "success", "1.0"),
    }[plan.fate]


@pytest.mark.parametrize("manners", ["keep", "close", "chunked", "sudden"])
def test_a_fleet_over_http(ddi, tmp_path, manners):
    server = ddi(manners)
    tokens = tmp_path / "tokens"
    tokens.write_text("".join(f"fleet-{n:07d} of-fleet-{n:07d}\n" for n in range(DEVICES + 1)))
    who = ["--gateway-token", "gw"] if manners == "keep" else ["--tokens-file", tokens]
    url = f"http://127.0.0.1:{server.server_port}"
    fleet = Fleet(
        None, tmp_path, "--server", url, *who, "-n", DEVICES, "--connections", 20, "--interval", 0.3,
        "--download", "full" if manners != "close" else "head", "--seconds", 20, *RATES,
    )  # fmt: skip
    result = fleet.start().wait()
    assert result["ended"] == "done", result
    assert set(result["errors"]["kinds"]) == {"busy"}, result["errors"]
    kept = 20 + result["outcomes"]["vanished"]  # whose connections go with them
    assert result["connections_max"] <= 20 and (result["opened"] <= kept) == (
        manners in ("keep", "chunked")
    )
    wanted = {p.device: expected(p) for p in fleet.plan().values()}
    found = {
        f.device: (
            f.outcome,
            server.devices[f.device]["phase"],
            server.devices[f.device]["attributes"]["version"],
        )
        for f in fleet.fates()
    }
    assert found == wanted
    assert len({outcome for outcome, _, _ in found.values()}) == 7
    assert result["downloads"] == sum(w[0] in ("success", "failure", "fell-back") for w in wanted.values())
