"""Devices of hawkBit's protocol that say who they are, by the real curl."""

import re
import sqlite3

from harness import ANYONE, free_port

GATEWAY = "the-key-that-all-gateways-have"
KEY = "authentication.gatewaytoken.key"


def start(make_server, settings=None, **kw):
    server = make_server(
        {
            "ddi.enabled": "yes",
            "plain.enabled": "yes",
            "plain.listen": f"127.0.0.1:{free_port()}",
            **(settings or {}),
        },
        **kw,
    )
    server.plain = re.search(r"(?m)^listen = (127.*)$", server.conf.read_text().split("[plain]")[1])[1]
    return server


def ask(server, device, *headers, args=(), path="", tenant="DEFAULT", url=None, who=ANYONE):
    """Over HTTP without TLS, unless a URL is given."""
    argv = [part for h in headers for part in ("-H", h)]
    return server.curl(
        f"/{tenant}/controller/v1/{device}{path}",
        *argv,
        *args,
        who=who,
        url=url or f"http://{server.plain}",
    )


def target(token):
    return f"Authorization: TargetToken {token}"


def gateway(token=GATEWAY):
    return f"Authorization: GatewayToken {token}"


def add(server, device, *args):
    return server.pqota("device", "add", device, *args).out.strip()


def set_to(server, key, value):
    server.pqota("setting", "set", key, value)


def refused(reply, status=401):
    assert reply.status == status, repr(reply)
    body = reply.json()
    assert body["exceptionClass"] and body["errorCode"] and body["message"]
    return body


def devices(server):
    with sqlite3.connect(server.dir / "data" / "pqota.db") as db:
        return {r[0] for r in db.execute("SELECT id FROM device")}


NAMED = ("X-Controller-Id: h-1", "X-Authority: other, AB12cd")


def unix(server, device, *headers):
    argv = [part for h in headers for part in ("-H", h)]
    return server.curl(
        f"/DEFAULT/controller/v1/{device}",
        "--unix-socket",
        server.unix,
        *argv,
        who=ANYONE,
        url="http://localhost",
    )
