"""hawkBit's device protocol: updates that wait until their user agrees."""

import time

import ddi
import pytest
from ddi import Device, cancel, deploy


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ddi.start(tmp_path_factory.mktemp("ddi-confirmation"))
    yield server
    server.close()


def waiting(server, **policy):
    device = Device(server)
    device.get("")
    deployment = deploy(server, device, consent=True, **policy)
    return device, device.action("confirmationBase"), deployment


def answer(device, action, word, expect=200, **more):
    return device.post(f"/confirmationBase/{action}/feedback", {"confirmation": word, **more}, expect)


def test_what_waits_is_shown_as_an_update_is(server):
    device, action, _ = waiting(server)
    body = device.get(device.links()["confirmationBase"]).json()
    assert body["id"] == str(action) and set(body) == {"id", "confirmation"}
    assert body["confirmation"]["download"] == "forced"
    assert body["confirmation"]["chunks"][0]["artifacts"][0]["hashes"]["sha1"]
    history = device.get(f"/confirmationBase/{action}?actionHistory=-1").json().get("actionHistory")
    assert history is None or history["status"] == "WAIT_FOR_CONFIRMATION"
    device.get(f"/deploymentBase/{action}", 404)
    device.say(action, "closed", "success", expect=404)
    assert device.entries(action)[0][0] == "waiting"  # nothing was retrieved


def test_confirmed(server):
    device, action, deployment = waiting(server, deadline_seconds=600)
    assert ddi.query(server, "SELECT deadline_at FROM action WHERE pk = ?", action)[0][0] is None
    reply = answer(device, action, "confirmed", code=200, details=["yes, please"])
    assert reply.headers["content-length"] == "0"
    assert device.entries(action)[0] == ("offered", ["yes, please", "Device reported status code: 200"])
    links = device.links()
    assert "confirmationBase" not in links and device.action() == action
    ends = ddi.query(server, "SELECT deadline_at FROM action WHERE pk = ?", action)[0][0]
    assert 500 < ends / 1000 - time.time() <= 600  # the time for it begins now
    device.get(f"/confirmationBase/{action}", 404)
    answer(device, action, "confirmed", 404)  # nobody asks any more
    device.get(f"/deploymentBase/{action}")
    device.say(action, "closed", "success")
    answer(device, action, "confirmed", 410)
    assert device.member(deployment) == "succeeded"


def test_denied_goes_on_waiting(server):
    device, action, deployment = waiting(server)
    answer(device, action, "denied", details=["not now"])
    assert device.state(action) == "waiting" and device.entries(action)[0] == ("waiting", ["not now"])
    assert device.action("confirmationBase") == action and device.member(deployment) == "active"
    answer(device, action, "confirmed")
    assert device.action() == action


def test_what_is_no_answer(server):
    device, action, _ = waiting(server)
    for wrong in (
        {},
        {"confirmation": "perhaps"},
        {"confirmation": True},
        {"confirmation": "denied", "details": "x"},
    ):
        device.post(f"/confirmationBase/{action}/feedback", wrong, 400)
    other = Device(server)
    other.get("")
    answer(other, action, "confirmed", 404)
    other.get(f"/confirmationBase/{action}", 404)
    answer(device, 999999, "confirmed", 404)
    assert device.state(action) == "waiting"


def test_cancelled_while_it_waits(server):
    device, action, deployment = waiting(server)
    cancel(server, deployment)
    assert not {"confirmationBase", "deploymentBase", "cancelAction"} & set(device.links())
    answer(device, action, "confirmed", 410)


def test_in_advance(server):
    device, action, _ = waiting(server)
    base = f"http://127.0.0.1:{server.plain_port}{device.base}/confirmationBase"
    assert device.get("/confirmationBase").json() == {
        "autoConfirm": {"active": False},
        "_links": {
            "activateAutoConfirm": {"href": f"{base}/activateAutoConfirm"},
            "confirmationBase": {"href": f"{base}/{action}"},
        },
    }
    before = int(time.time() * 1000)
    device.post("/confirmationBase/activateAutoConfirm", {"initiator": "the owner", "remark": "always"})
    shown = device.get("/confirmationBase").json()
    assert before - 1000 <= shown["autoConfirm"].pop("activatedAt") <= before + 60000
    assert shown == {
        "autoConfirm": {"active": True, "initiator": "the owner", "remark": "always"},
        "_links": {"deactivateAutoConfirm": {"href": f"{base}/deactivateAutoConfirm"}},
    }
    assert device.action() == action  # what waited is confirmed
    device.post("/confirmationBase/activateAutoConfirm", expect=409)
    device.say(action, "closed", "success")
    deploy(server, device, consent=True)
    device.say(device.action(), "closed", "success")  # and nobody asks for the next one
    device.post("/confirmationBase/deactivateAutoConfirm")
    device.post("/confirmationBase/deactivateAutoConfirm", {})
    assert device.get("/confirmationBase").json()["autoConfirm"] == {"active": False}
    deploy(server, device, consent=True)
    assert device.action("confirmationBase")


def test_in_advance_without_a_word(server):
    device = Device(server)
    device.get("")
    for wrong in ({"initiator": "x" * 65}, {"remark": "x" * 513}, {"remark": "\u0001"}):
        device.post("/confirmationBase/activateAutoConfirm", wrong, 400)
    device.post("/confirmationBase/activateAutoConfirm")
    assert set(device.get("/confirmationBase").json()["autoConfirm"]) == {"active", "activatedAt"}
    device.ask("GET", "/confirmationBase/activateAutoConfirm", expect=404)
