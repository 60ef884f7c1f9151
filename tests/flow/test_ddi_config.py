"""hawkBit's device protocol: what a device tells of itself."""

import json

import ddi
import pytest
from ddi import Device, given


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ddi.start(tmp_path_factory.mktemp("ddi-config"))
    yield server
    server.close()


def told(device):
    return device.shown()["attributes"]


def test_attributes_read_back_exactly_as_sent(server):
    device = Device(server)
    assert "configData" in device.links()
    sent = {
        "VIN": "JH4TB2H26CC000001",
        "hwRevision": "2",
        "ünïcode ✓": "a b\tc\nd",
        "empty": "",
        "x.y:z": "=;,'\"",
    }
    answer = device.put("/configData", {"mode": "merge", "data": sent})
    assert answer.body == b"" and answer.headers["content-length"] == "0"
    assert told(device) == sent
    assert "configData" not in device.links()


def test_merge_replace_remove(server):
    device = Device(server)
    device.put("/configData", {"data": {"a": "1", "b": "2"}})
    device.put(
        "/configData", {"data": {"b": "3", "c": "4"}}
    )  # merging is what is done unless said otherwise
    assert told(device) == {"a": "1", "b": "3", "c": "4"}
    device.put("/configData", {"mode": "merge", "data": {"a": None, "z": None}})
    assert told(device) == {"b": "3", "c": "4"}
    device.put("/configData", {"mode": "remove", "data": {"b": "whatever", "y": None}})
    assert told(device) == {"c": "4"}
    device.put("/configData", {"mode": "replace", "data": {"n": "5"}})
    assert told(device) == {"n": "5"}
    device.put("/configData", {"mode": "replace", "data": {}})
    assert told(device) == {}


def test_what_real_clients_send_beside(server):
    device = Device(server)
    body = {
        "id": "",
        "time": "20140511T121314",
        "status": {"result": {"finished": "success"}, "execution": "closed", "details": [""]},
        "mode": "replace",
        "data": {"a": "1"},
        "from-a-newer-client": [1],
    }
    device.put("/configData", body)
    assert told(device) == {"a": "1"}
    device.put("/configData", {"data": {"n": 12, "f": 1.5, "yes": True}})
    assert told(device) == {"a": "1", "n": "12", "f": "1.5", "yes": "true"}


def test_what_is_no_attribute(server):
    device = Device(server)
    device.put("/configData", {"data": {"a": "1"}})
    for wrong in (
        {},
        {"data": None},
        {"data": ["a"]},
        {"data": {"": "v"}},
        {"data": {"k" * 129: "v"}},
        {"data": {"k": "v" * 129}},
        {"data": {"k": {"deep": 1}}},
        {"data": {"k": "\x01"}},
        {"data": {"\x7f": "v"}},
        {"mode": "swap", "data": {"k": "v"}},
        {"mode": 1, "data": {"k": "v"}},
    ):
        device.put("/configData", wrong, 400)
    device.ask("PUT", "/configData", b'{"data": {"k": "raw\nline", "bad": "\xff"}}', 400)
    device.ask("PUT", "/configData", b'{"data": {"k": "1", "k": "2"}}', 400)
    assert told(device) == {"a": "1"}
    device.put("/configData", {"data": {"ä" * 128: "ß" * 128}})  # characters, not bytes


def test_a_hundred_and_no_more(server):
    device = Device(server)
    device.put("/configData", {"data": {f"k{i}": "v" for i in range(100)}})
    before = told(device)
    device.put("/configData", {"data": {"k0": "changed", "one-more": "v"}}, 429)
    device.put("/configData", {"mode": "replace", "data": {f"n{i}": "v" for i in range(101)}}, 429)
    assert told(device) == before
    device.put("/configData", {"data": {"k0": None, "one-more": "v"}})  # one for another
    device.put("/configData", {"data": {"k1": "changed"}})
    assert len(told(device)) == 100
    device.put("/configData", {"mode": "replace", "data": {f"n{i}": "v" for i in range(100)}})


def test_the_attribute_version_is_what_it_runs(server):
    device, action, _ = given(server)
    device.put("/configData", {"data": {"version": "0.9"}})
    assert device.shown()["version"] == "0.9"
    device.say(action, "closed", "success")
    assert device.shown()["version"] == "0.9"  # it says so by itself: nothing is assumed of it
    device.put("/configData", {"data": {"version": "no version: it has blanks"}})
    assert device.shown()["version"] == "0.9" and "blanks" in told(device)["version"]


def offered_on_old(server):
    """A device that says that it runs old-1, and what it is offered."""
    release = ddi.publish(server)
    device = Device(server)
    device.put("/configData", {"data": {"version": "old-1"}})
    deployment = ddi.deploy(server, device, release)
    return release, device, deployment, device.action()


def test_a_device_that_fell_back_has_failed(server):
    release, device, deployment, action = offered_on_old(server)
    device.say(action, "closed", "success")
    device.put("/configData", {"data": {"version": release["version"]}})
    assert device.state(action) == "succeeded" and device.member(deployment) == "succeeded"
    device.put("/configData", {"data": {"version": "old-1"}})
    assert device.state(action) == "failed" and device.member(deployment) == "failed"
    assert "fell back" in device.entries(action)[0][1][0]


def test_a_device_that_still_runs_the_old_version_has_failed(server):
    """Success names no version here: what the device says next does. It is asked until it says another."""
    release, device, deployment, action = offered_on_old(server)
    device.put("/configData", {"data": {"version": "old-1"}})  # before the end that is no news
    device.say(action, "closed", "success")
    assert device.state(action) == "succeeded" and "configData" in device.links()
    device.put("/configData", {"data": {"version": "old-1"}})
    assert device.state(action) == "failed" and device.member(deployment) == "failed"
    assert "did not restart" in device.entries(action)[0][1][0]
    device.put("/configData", {"data": {"version": "old-1"}})
    assert "configData" in device.links()
    device.put("/configData", {"data": {"version": release["version"]}})  # it did restart
    assert device.state(action) == "succeeded" and device.member(deployment) == "succeeded"
    assert "configData" not in device.links()


def test_without_a_word_of_its_own_the_release_counts(server):
    first = ddi.publish(server)
    device, action, _ = given_release(server, first)
    assert device.shown()["version"] is None
    device.say(action, "closed", "none")
    assert device.shown()["version"] == first["version"]
    second = ddi.publish(server)
    ddi.deploy(server, device, second)
    device.say(device.action(), "closed", "success")
    assert device.shown()["version"] == second["version"]
    device.put("/configData", {"data": {"version": second["version"]}})  # from now on it says so itself
    third = ddi.publish(server)
    ddi.deploy(server, device, third)
    device.say(device.action(), "closed", "success")
    assert device.shown()["version"] == second["version"]


def given_release(server, release):
    device = Device(server)
    device.get("")
    deployment = ddi.deploy(server, device, release)
    return device, device.action(), deployment


def test_installed_base_tells_it_too(server):
    device = Device(server)
    device.get("")
    assert device.put("/installedBase", {"name": "fw", "version": "7.1"}, 201).body == b""
    device.put("/installedBase", {"name": "fw", "version": "7.1"}, 200)
    assert device.shown()["version"] == "7.1"
    for wrong in (
        {},
        {"name": "fw"},
        {"version": "1"},
        {"name": "fw", "version": "a b"},
        {"name": 1, "version": "1"},
    ):
        device.put("/installedBase", wrong, 400)


def test_attributes_bring_devices_into_deployments(server):
    """A filter on an attribute, and a device that comes to match it later."""
    release = ddi.publish(server, model="m")
    device = Device(server)
    device.put("/configData", {"data": {"ring": "7"}})
    target = {"kind": "filter", "value": "attribute.ring==early"}
    body = {"release": release["id"], "target": target, "dynamic": True}
    server.api("POST", "/api/deployments", body, expect=201)
    assert "deploymentBase" not in device.links()
    device.put("/configData", {"data": {"ring": "early"}})
    ddi.wait_for(lambda: "deploymentBase" in device.links(), what="it joins")


def test_json_of_any_member_order_and_spacing(server):
    device = Device(server)
    device.ask("PUT", "/configData", json.dumps({"data": {"k": "v"}, "mode": "MERGE"}, indent=4).encode())
    assert told(device) == {"k": "v"}
