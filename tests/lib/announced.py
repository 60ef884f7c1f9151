"""A server with its MQTT broker, and what it says there."""

import json
import re

from harness import run, wait_for

HINT = "ota/devices/{}/update"


def watch(broker, *topics):
    """As an operator does, on their listener."""
    return broker.subscribe(*topics, who=broker.server.admin, port=broker.operator_port)


def status(server):
    return server.api("GET", "/api/status", expect=200).json()["mqtt"]


def is_up(server):
    return status(server)["broker"] == "up"


def is_told(server):
    now = status(server)
    return now["broker"] == "up" and now["announcements"] == 0 and now["events"] == 0


def metric(server, name):
    page = server.curl("/metrics").body.decode()
    return int(re.search(rf"(?m)^pqota_mqtt_{name} (\d+)$", page)[1])


def deploy(server, release, kind="all", value=""):
    body = {"release": release, "target": {"kind": kind, "value": value}}
    return server.api("POST", "/api/deployments", body, expect=201).json()["id"]


def poll(server, who, version="0.9"):
    return server.api("GET", f"/api/update?version={version}", who=who, expect=200).json()["action"]


def add_devices(server, count, model="gw"):
    """Devices that enrolled long ago. The server must not run."""
    sql = (
        f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        f" INSERT INTO device (id, model, created_at) SELECT 'm' || i, '{model}', 1 FROM n"
    )
    run(["sqlite3", server.dir / "data" / "pqota.db", sql], check=0)


def hints(subscriber, device):
    """What the device was told: deployments, None where it was taken away."""
    found = [text for topic, _, text in subscriber.messages if topic == HINT.format(device)]
    return [json.loads(text)["deployment"] if text else None for text in found]


def last_hint(subscriber, device, wanted, what="the device is told"):
    wait_for(lambda: hints(subscriber, device)[-1:] == [wanted], what=f"{what}: {wanted}")
