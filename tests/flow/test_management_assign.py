"""hawkBit's management interface: assigning distribution sets, with the device's side of it."""

import datetime
import hashlib

import pytest

import hawkbit


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = hawkbit.start(tmp_path_factory.mktemp("assign"))
    yield made
    made.close()


@pytest.fixture
def hawk(server):
    return server.hawkbit


@pytest.fixture
def device(hawk):
    return hawk.target()


def newest(hawk, device, action):
    return hawk.entries(device, action)[0]


def test_the_reply(hawk, device):
    set_id = hawk.simple_set()
    path = f"distributionsets/{set_id}/assignedTargets"
    made = hawk.post(path, [{"id": device.id}])
    action = made["assignedActions"][0]["id"]
    self = f"http://127.0.0.1:{hawk.port}/rest/v1/targets/{device.id}/actions/{action}"
    assert made == {
        "assigned": 1,
        "alreadyAssigned": 0,
        "total": 1,
        "assignedActions": [{"id": action, "_links": {"self": {"href": self}}}],
    }
    shown = hawk.get(self)
    assert (shown["id"], shown["type"], shown["status"], shown["active"]) == (
        action,
        "update",
        "running",
        True,
    )
    assert shown["forceType"] == "forced" and shown["detailStatus"] == "running"
    first = hawk.entries(device, action)
    assert [e["type"] for e in first] == ["running"] and "'hawk'" in first[0]["messages"][0]
    again = hawk.post(path, [{"id": device.id}])
    assert again == {"assigned": 0, "alreadyAssigned": 1, "total": 1, "assignedActions": []}
    assert hawk.get(f"targets/{device.id}")["updateStatus"] == "pending"


def test_from_the_targets_side(hawk, device):
    made = hawk.post(f"targets/{device.id}/assignedDS", {"id": hawk.simple_set(), "type": "soft"})
    action = made["assignedActions"][0]["id"]
    assert hawk.action(device, action)["forceType"] == "soft"
    assert device.deployment()["deployment"]["download"] == "attempt"
    hawk.post(f"targets/{device.id}/assignedDS", {}, expect=400)
    hawk.post("targets/nobody/assignedDS", {"id": hawk.simple_set()}, expect=404)


def test_an_update_from_end_to_end(hawk, device):
    data = b"the new firmware" * 1000
    action = hawk.assign(hawk.simple_set(data, version="2.0"), device)
    chunk = device.deployment()["deployment"]["chunks"][0]
    artifact = chunk["artifacts"][0]
    assert (chunk["part"], chunk["version"], artifact["size"]) == ("os", "1.0", len(data))
    link = artifact["_links"].get("download") or artifact["_links"]["download-http"]
    assert (
        hashlib.sha1(device("GET", link["href"], expect=200).body).hexdigest() == artifact["hashes"]["sha1"]
    )
    device.feedback(action, "proceeding", "none", "installing it")
    device.feedback(action, "closed", "success", "Software bundle installed successfully.")
    shown = hawk.action(device, action)
    assert (shown["type"], shown["status"], shown["detailStatus"]) == ("update", "finished", "finished")
    assert not shown["active"]
    entries = hawk.entries(device, action)
    assert entries[0]["type"] == "finished"
    assert entries[0]["messages"][0] == "Software bundle installed successfully."
    assert entries[0]["reportedAt"] >= entries[-1]["reportedAt"] > 1.7e12
    assert [e["id"] for e in entries] == sorted((e["id"] for e in entries), reverse=True)
    assert {"retrieved", "running"} <= {e["type"] for e in entries}
    target = hawk.get(f"targets/{device.id}")
    assert target["updateStatus"] == "in_sync" and target["installedAt"] > 1.7e12
    listed = hawk.get(f"targets/{device.id}/actions")
    assert [a["id"] for a in listed["content"]] == [action] and listed["total"] == 1
    assert hawk.get(f"actions?q=id=={action}")["content"] == listed["content"]


def test_a_set_that_it_has_counts_as_assigned(hawk, device):
    first, second = hawk.simple_set(), hawk.simple_set()  # of the same version, as scripts make them
    action = hawk.assign(first, device)
    device.feedback(action, "closed", "success")
    path = f"distributionsets/{first}/assignedTargets"
    assert hawk.post(path, [{"id": device.id}])["alreadyAssigned"] == 1
    action = hawk.assign(second, device)
    assert "deploymentBase" in device.links()
    device.feedback(action, "closed", "failure")
    assert hawk.get(f"targets/{device.id}")["updateStatus"] == "error"
    retry = hawk.assign(second, device)  # what failed is tried again when somebody says so
    assert retry > action and "deploymentBase" in device.links()


def test_two_modules_give_two_chunks(hawk, device):
    os = hawk.module(("a.bin", b"1"))
    app = hawk.module(("b.bin", b"2"), ("c.bin", b"33"), type="application")
    hawk.assign(hawk.set_of(os, app, type="os_app"), device)
    chunks = device.deployment()["deployment"]["chunks"]
    assert {c["part"]: [a["filename"] for a in c["artifacts"]] for c in chunks} == {
        "os": ["a.bin"],
        "bApp": ["b.bin", "c.bin"],
    }


def test_metadata_for_devices_alone(hawk, device):
    module = hawk.module(("a.bin", b"1"))
    hawk.post(
        f"softwaremodules/{module}/metadata",
        [{"key": "shown", "value": "v", "targetVisible": True}, {"key": "hidden", "value": "v"}],
        expect=201,
    )
    hawk.assign(hawk.set_of(module), device)
    assert device.deployment()["deployment"]["chunks"][0]["metadata"] == [{"key": "shown", "value": "v"}]


def test_a_failure_says_why(hawk, device):
    action = hawk.assign(hawk.simple_set(), device)
    device.deployment()
    device.feedback(action, "closed", "failure", "Failed to download the bundle", "and more of it")
    last = newest(hawk, device, action)
    assert last["type"] == "error"
    assert last["messages"][:2] == ["Failed to download the bundle", "and more of it"]
    shown = hawk.action(device, action)
    assert (shown["type"], shown["status"], shown["active"]) == ("update", "error", False)


def test_cancelled_before_it_polled(hawk, device):
    action = hawk.assign(hawk.simple_set(), device)
    hawk.delete(f"targets/{device.id}/actions/{action}")
    shown = hawk.action(device, action)
    assert (shown["type"], shown["status"], shown["active"]) == ("cancel", "canceling", True)
    links = device.links()
    assert "cancelAction" in links and "deploymentBase" not in links
    assert device.get(links["cancelAction"]["href"])["cancelAction"]["stopId"] == str(action)
    device.feedback(action, "closed", "success", "Action canceled.", to="cancelAction")
    shown = hawk.action(device, action)
    assert (shown["type"], shown["status"], shown["active"]) == ("cancel", "canceled", False)
    assert shown["detailStatus"] == shown["status"]
    last = newest(hawk, device, action)
    assert last["type"] == "canceled" and last["messages"][0] == "Action canceled."
    assert "cancelAction" not in device.links()
    assert hawk("DELETE", f"targets/{device.id}/actions/{action}").status == 405


def test_cancelled_while_it_installs(hawk, device):
    action = hawk.assign(hawk.simple_set(), device)
    device.deployment()
    device.feedback(action, "proceeding")
    hawk.delete(f"targets/{device.id}/actions/{action}")
    assert "cancelAction" in device.links()
    device.feedback(action, "closed", "success", "Software bundle installed successfully.")
    shown = hawk.action(device, action)
    assert (shown["type"], shown["status"]) == ("update", "finished")
    last = newest(hawk, device, action)
    assert last["type"] == "finished" and last["messages"][0] == "Software bundle installed successfully."


def test_cancel_is_refused_by_the_device(hawk, device):
    action = hawk.assign(hawk.simple_set(), device)
    hawk.delete(f"targets/{device.id}/actions/{action}")
    device.feedback(action, "rejected", "none", "not now", to="cancelAction")
    shown = hawk.action(device, action)
    assert (shown["type"], shown["status"], shown["active"]) == ("update", "running", True)
    assert "cancel_rejected" in {e["type"] for e in hawk.entries(device, action)}
    assert "deploymentBase" in device.links()


def test_force(hawk, device):
    action = hawk.assign(hawk.simple_set(), device)
    path = f"targets/{device.id}/actions/{action}"
    error = hawk("DELETE", path + "?force=true", expect=405).json()
    assert error["errorCode"] == "hawkbit.server.error.action.notCancelable"
    hawk.delete(path)
    hawk.delete(path, expect=405)
    hawk.delete(path + "?force=true")
    shown = hawk.action(device, action)
    assert (shown["type"], shown["active"], shown["status"]) == ("cancel", False, "canceled")
    assert "_links" not in device.poll() or set(device.links()) <= {"configData"}
    hawk.delete(path + "?force=maybe", expect=400)
    hawk.delete(f"targets/{hawk.target().id}/actions/{action}", expect=404)


def test_another_assignment_takes_over(hawk, device):
    first = hawk.assign(hawk.simple_set(), device)
    device.deployment()
    second = hawk.assign(hawk.simple_set(), device)
    assert hawk.action(device, first)["status"] == "canceling"
    assert "cancelAction" in device.links()
    device.feedback(first, "closed", "success", to="cancelAction")
    assert device.deployment()["id"] == str(second)
    third = hawk.assign(hawk.simple_set(), device)
    path = f"targets/{device.id}/actions"
    newest_first = [(a["id"], a["status"]) for a in hawk.get(path)["content"]]
    assert newest_first == [(third, "running"), (second, "canceling"), (first, "canceled")]
    for order, ids in (
        ("id:ASC", [first, second, third]),
        ("active:ASC,id:ASC", [first, second, third]),
        ("active:DESC,id:ASC", [second, third, first]),
        ("status:ASC,id:ASC", [first, second, third]),
    ):
        assert [a["id"] for a in hawk.get(f"{path}?sort={order}")["content"]] == ids, order


def test_download_only(hawk, device):
    action = hawk.assign(hawk.simple_set(), device, type="downloadonly")
    assert hawk.action(device, action)["forceType"] == "downloadonly"
    found = device.deployment()["deployment"]
    assert (found["download"], found["update"]) == ("forced", "skip")
    device.feedback(action, "downloaded", "none", "it is here")
    last = newest(hawk, device, action)
    assert last["type"] == "downloaded" and last["messages"][0] == "it is here"
    shown = hawk.action(device, action)
    assert (shown["active"], shown["status"]) == (False, "downloaded")
    assert hawk.get(f"targets/{device.id}")["updateStatus"] == "in_sync"
    assert "deploymentBase" not in device.links()


def test_forced_from_a_time_on(hawk):
    past, future = hawk.target(), hawk.target()
    set_id = hawk.simple_set()
    hawk.assign(set_id, past, type="timeforced", forcetime=1000)
    hawk.assign(set_id, future, type="timeforced", forcetime=4102444800000)
    assert past.deployment()["deployment"]["update"] == "forced"
    assert future.deployment()["deployment"]["update"] == "attempt"
    hawk.assign(set_id, hawk.target(), expect=400, type="timeforced")
    hawk.assign(set_id, hawk.target(), expect=400, type="now")


def test_consent(hawk, device):
    action = hawk.assign(hawk.simple_set(), device, confirmationRequired=True)
    assert hawk.action(device, action)["status"] == "wait_for_confirmation"
    assert "confirmationBase" in device.links() and "deploymentBase" not in device.links()
    device.post(f"/confirmationBase/{action}/feedback", {"confirmation": "confirmed"})
    assert "deploymentBase" in device.links()
    assert hawk.action(device, action)["status"] == "running"


def cron(minutes):
    """hawkBit's examples write it thus, for a time so many minutes from now, UTC."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    return at.strftime("%-S %-M %-H ? %-m * %Y")


def window(minutes, duration="00:01:00", zone="+00:00"):
    return {"schedule": cron(minutes), "timezone": zone, "duration": duration}


def test_a_window_that_is_to_come(hawk, device):
    action = hawk.assign(hawk.simple_set(), device, maintenanceWindow=window(60))
    found = device.deployment()["deployment"]
    assert (found["download"], found["update"]) == ("forced", "skip")
    assert found["maintenanceWindow"] == "unavailable"
    assert hawk.action(device, action)["maintenanceWindow"]["duration"] == "00:01:00"


def test_a_window_that_is_open(hawk, device):
    hawk.assign(hawk.simple_set(), device, maintenanceWindow=window(-1, "00:10:00"))
    found = device.deployment()["deployment"]
    assert (found["update"], found["maintenanceWindow"]) == ("forced", "available")


@pytest.mark.parametrize(
    "terms",
    [
        {"schedule": "0 0 0 ? 1 * 2020", "timezone": "+00:00", "duration": "00:01:00"},
        {"schedule": "0 0 0 ? 1 *", "timezone": "Europe/Berlin", "duration": "00:01:00"},
        {"schedule": "0 0 0 ? 1 *", "timezone": "+00:00", "duration": "1 hour"},
        {"schedule": "0 0 0 1 1 *", "timezone": "+00:00", "duration": "00:01:00"},
        {"schedule": "0 0 0 ? 1 *", "timezone": "+00:00"},
        "tomorrow",
    ],
)
def test_windows_that_cannot_be(hawk, device, terms):
    hawk.assign(hawk.simple_set(), device, expect=400, maintenanceWindow=terms)
    assert hawk.get(f"targets/{device.id}/actions")["total"] == 0


def test_many_at_once(hawk):
    devices = [hawk.target() for _ in range(6)]
    set_id = hawk.simple_set()
    path = f"distributionsets/{set_id}/assignedTargets"
    hawk.assign(set_id, devices[0])
    body = [{"id": d.id, "type": "soft" if i % 2 else "forced"} for i, d in enumerate(devices)]
    made = hawk.post(path, body)
    assert (made["assigned"], made["alreadyAssigned"], made["total"]) == (5, 1, 6)
    for one in made["assignedActions"]:
        assert hawk.get(one["_links"]["self"]["href"])["id"] == one["id"]
    kinds = [hawk.get(f"targets/{d.id}/actions")["content"][0]["forceType"] for d in devices]
    assert kinds == ["forced", "soft"] * 3
    fresh = hawk.target()
    assert "nobody" in hawk.post(path, [{"id": fresh.id}, {"id": "nobody"}], expect=404)["message"]
    assert "twice" in hawk.post(path, [{"id": fresh.id}] * 2, expect=400)["message"]
    assert hawk.get(f"targets/{fresh.id}/actions")["total"] == 0
    hawk.post(f"distributionsets/{set_id}/assignedTargets?offline=true", [{"id": fresh.id}], expect=400)


def test_what_cannot_be_assigned(server, hawk, device):
    assert "not complete" in hawk.assign(hawk.set_of(type="app"), device, expect=400)["message"]
    hawk.assign(9999999, device, expect=404)
    server.enrol("other-1", "other-model")
    body = [{"id": "other-1"}]
    answer = hawk.post(f"distributionsets/{hawk.simple_set()}/assignedTargets", body, expect=409)
    assert "does not fit" in answer["message"]


def test_what_was_deployed_stays_as_it_is(hawk, device):
    module = hawk.module(("f.bin", b"x"))
    set_id = hawk.set_of(module)
    hawk.upload(module, "g.bin", b"y")
    assert not hawk.get(f"distributionsets/{set_id}")["locked"]
    action = hawk.assign(set_id, device)
    assert hawk.get(f"distributionsets/{set_id}")["locked"]
    assert "locked" in hawk.upload(module, "h.bin", b"z", expect=423)["message"]
    artifact = hawk.get(f"softwaremodules/{module}/artifacts")[0]["id"]
    hawk.delete(f"softwaremodules/{module}/artifacts/{artifact}", expect=423)
    # Both are taken away, and what is under way goes on.
    hawk.delete(f"distributionsets/{set_id}")
    hawk.delete(f"softwaremodules/{module}")
    found = device.deployment()["deployment"]["chunks"][0]["artifacts"]
    assert [a["filename"] for a in found] == ["f.bin", "g.bin"]
    device.feedback(action, "closed", "success")
    assert hawk.action(device, action)["status"] == "finished"
    hawk.assign(set_id, hawk.target(), expect=404)


def test_a_device_that_cannot_be_asked(server, hawk):
    """One of pqota's own protocol: what it was offered is taken back at once."""
    who = server.enrol("native-1", "generic")
    set_id = hawk.simple_set(version="3.0")
    action = hawk.post(f"distributionsets/{set_id}/assignedTargets", [{"id": "native-1"}])[
        "assignedActions"
    ][0]
    offered = server.curl("/api/update?version=1.0", who=who).json()
    assert offered["action"] == action["id"]
    hawk.delete(f"targets/native-1/actions/{action['id']}")
    assert hawk.get(f"targets/native-1/actions/{action['id']}")["status"] == "canceled"
    assert server.curl("/api/update?version=1.0", who=who).status == 204


def test_who_has_to_sign(tmp_path):
    server = hawkbit.start(tmp_path, {"trust.insecure_unsigned": "no", "ddi.insecure_unsigned_models": ""})
    try:
        hawk = server.hawkbit
        device = hawk.target()
        assert "name" in hawk.simple_set(expect=400, name="with blanks")["message"]
        set_id = hawk.simple_set()
        assert not hawk.get(f"distributionsets/{set_id}")["valid"]
        message = hawk.assign(set_id, device, expect=409)["message"]
        assert "draft" in message and "sign" in message
        server.stop()
        server.set("ddi.insecure_unsigned_models", "generic")
        server.start()
        hawk.assign(set_id, device, expect=409)
        action = hawk.assign(hawk.simple_set(name="with blanks"), device)
        assert device.deployment()["id"] == str(action)
    finally:
        server.close()
