"""hawkBit's management interface: targets."""

import re

import pytest

import hawkbit
from harness import wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = hawkbit.start(tmp_path_factory.mktemp("targets"))
    yield made
    made.close()


@pytest.fixture
def hawk(server):
    return server.hawkbit


def test_announced_and_shown(hawk):
    name = hawk.name("dev")
    made = hawk.post(
        "targets", [{"controllerId": name, "name": "Pump 7", "description": "hall 2"}], expect=201
    )
    assert len(made) == 1 and made[0]["controllerId"] == name and made[0]["name"] == "Pump 7"
    assert re.fullmatch("[A-Za-z0-9]{32}", made[0]["securityToken"])
    shown = hawk.get(f"targets/{name}")
    assert shown == made[0] and shown["updateStatus"] == "unknown" and shown["description"] == "hall 2"
    assert "lastControllerRequestAt" not in shown
    hawkbit.Device(hawk, name, made[0]["securityToken"]).poll()
    shown = hawk.get(f"targets/{name}")
    assert shown["updateStatus"] == "registered" and shown["lastControllerRequestAt"] > 1.7e12
    assert "already" in hawk.post("targets", [{"controllerId": name}], expect=409)["message"]


def test_who_does_not_come_is_overdue(hawk):
    device = hawk.target()
    device.poll()
    status = hawk.get(f"targets/{device.id}")["pollStatus"]
    assert status["nextExpectedRequestAt"] > status["lastRequestAt"] and not status["overdue"]
    before = {
        key: hawk.get(f"system/configs/{key}")["value"] for key in ("pollingTime", "pollingOverdueTime")
    }
    try:
        for key in before:
            hawk.put(f"system/configs/{key}", {"value": "00:00:01"})
        wait_for(lambda: hawk.get(f"targets/{device.id}")["pollStatus"]["overdue"], what="it is overdue")
        device.poll()
        status = hawk.get(f"targets/{device.id}")["pollStatus"]
        assert status["nextExpectedRequestAt"] - status["lastRequestAt"] == 1000
    finally:
        for key, value in before.items():
            hawk.put(f"system/configs/{key}", {"value": value})


def test_a_token_of_ones_own(hawk):
    token = "bH7XXAprK1ChnLfKSdtlsp7NOlPnZAYY"
    device = hawk.target(securityToken=token)
    assert device.token == token
    device.poll()
    hawk.put(f"targets/{device.id}", {"securityToken": "another-token-of-some-length"})
    device("GET", "", expect=401)
    hawkbit.Device(hawk, device.id, "another-token-of-some-length").poll()
    hawk.post("targets", [{"controllerId": hawk.name(), "securityToken": "short"}], expect=400)


@pytest.mark.parametrize("name", ["", "a b", "-x", "a/b", "x" * 65, 7, None])
def test_names_that_cannot_be(hawk, name):
    hawk.post("targets", [{"controllerId": name, "name": "x"}], expect=400)


def test_changed(hawk):
    device = hawk.target()
    device.put("/configData", {"mode": "merge", "data": {"a": "b"}})
    assert "configData" not in device.links()
    changed = hawk.put(
        f"targets/{device.id}", {"name": "Other", "description": "text", "requestAttributes": True}
    ).json()
    assert (changed["name"], changed["description"]) == ("Other", "text") and changed["requestAttributes"]
    assert "configData" in device.links()
    hawk.put(f"targets/{device.id}", {"controllerId": "other"}, expect=400)
    same = hawk.put(f"targets/{device.id}", {"controllerId": device.id}).json()
    assert same["name"] == "Other"
    hawk.put("targets/nobody", {"name": "x"}, expect=404)


def test_attributes_read_back_as_they_were_sent(hawk):
    device = hawk.target()
    assert "configData" in device.links()
    sent = {"VIN": "JH4TB2H26CC000000", "hwRevision": "2", "text": 'a, b; "c" <d> ü'}
    device.put("/configData", {"mode": "merge", "data": sent, "time": "x", "status": {}})
    assert hawk.get(f"targets/{device.id}/attributes") == sent
    hawk("GET", "targets/nobody/attributes", expect=404)


def test_lists(hawk):
    name = hawk.name("many")
    for i in range(5):
        hawk.target(f"{name}-{i}", description=f"number {i}")
    hawkbit.Device(hawk, f"{name}-3", hawk.get(f"targets/{name}-3")["securityToken"]).put(
        "/configData", {"data": {"site": "north"}}
    )
    page = hawk.get(f"targets?q=controllerId=={name}-*&sort=controllerId:DESC&limit=2&offset=1")
    assert [t["controllerId"] for t in page["content"]] == [f"{name}-3", f"{name}-2"]
    assert page["total"] == 5 and page["size"] == 2
    assert "securityToken" not in page["content"][0]
    found = hawk.get(f"targets?q=attribute.site==north;id=={name}*")["content"]
    assert [t["controllerId"] for t in found] == [f"{name}-3"]
    assert "column" in hawk("GET", "targets?q=colour==red", expect=400).json()["message"]


def test_deleted_and_made_again(hawk):
    device = hawk.target()
    set_id = hawk.simple_set()
    action = hawk.assign(set_id, device)
    device.put("/configData", {"data": {"a": "b"}})
    hawk.delete(f"targets/{device.id}")
    device("GET", "", expect=401)
    hawk("GET", f"targets/{device.id}", expect=404)
    hawk("GET", f"targets/{device.id}/actions/{action}", expect=404)
    hawk.delete(f"targets/{device.id}", expect=404)
    again = hawk.target(device.id)
    assert hawk.get(f"targets/{device.id}/attributes") == {}
    assert "deploymentBase" not in again.links()
    assert hawk.assign(set_id, again) > action


def test_a_deployment_does_not_wait_for_a_deleted_device(server, hawk):
    devices = [hawk.target() for _ in range(2)]
    set_id = hawk.simple_set()
    made = hawk.post(f"distributionsets/{set_id}/assignedTargets", [{"id": d.id} for d in devices])
    hawk.delete(f"targets/{devices[0].id}")
    devices[1].feedback(made["assignedActions"][1]["id"], "closed", "success")
    newest = server.pqota("deployment", "list", "--json").json()["items"][0]
    assert newest["state"] == "finished"


def test_certificates_outlive_a_deletion(server, hawk):
    server.enrol("cert-1", "generic")
    assert "revoke" in hawk("DELETE", "targets/cert-1", expect=409).json()["message"]
    assert hawk.get("targets/cert-1")["targetTypeName"] == "generic"


def test_a_device_that_registers_itself(hawk):
    key = "d41d8cd98f00b204e9800998ecf8427e"
    hawk.set("authentication.gatewaytoken.enabled", True)
    hawk.set("authentication.gatewaytoken.key", key)
    name = hawk.name("plug")
    device = hawkbit.Device(hawk, name, "")
    device.headers["Authorization"] = f"GatewayToken {key}"
    assert "configData" in device.links()
    shown = hawk.get(f"targets/{name}")
    assert shown["name"] == name and shown["description"] == f"Plug and Play target: {name}"
    assert re.fullmatch("[A-Za-z0-9]{32}", shown["securityToken"])
    assert shown["requestAttributes"] and shown["updateStatus"] == "registered"
    for wrong in ("GatewayToken " + key[:-1] + "f", "TargetToken wrong-token-0123456789"):
        assert device("GET", "", headers={"Authorization": wrong}).status == 401
    hawk.set("authentication.gatewaytoken.enabled", False)
    assert device("GET", "").status == 401
    hawkbit.Device(hawk, name, shown["securityToken"]).poll()


def test_the_poll_interval(hawk):
    device = hawk.target()
    hawk.set("pollingTime", "00:00:30")
    assert device.poll()["config"]["polling"]["sleep"] == "00:00:30"
    hawk.delete("system/configs/pollingTime")
    assert device.poll()["config"]["polling"]["sleep"] == "00:05:00"
