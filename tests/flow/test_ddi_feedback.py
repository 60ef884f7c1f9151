"""hawkBit's device protocol: what a device tells of its update, and what that closes."""

import json

import ddi
import pytest
from ddi import Device, asked_to_stop, cancel, given

STATUS_MAX = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ddi.start(tmp_path_factory.mktemp("ddi-feedback"), {"devices.status_max": STATUS_MAX})
    yield server
    server.close()


@pytest.mark.parametrize(
    "execution, finished, state, kind, member",
    [
        ("closed", "success", "succeeded", "succeeded", "succeeded"),
        ("closed", "none", "succeeded", "succeeded", "succeeded"),
        ("closed", "failure", "failed", "failed", "failed"),
    ],
)
def test_what_closes(server, execution, finished, state, kind, member):
    device, action, deployment = given(server)
    answer = device.say(action, execution, finished, details=["the device's own text", "and another"])
    assert answer.body == b"" and answer.headers["content-length"] == "0"
    assert device.state(action) == state and device.closed(action) and device.member(deployment) == member
    assert device.entries(action)[0] == (kind, ["the device's own text", "and another"])
    assert "deploymentBase" not in device.links()


@pytest.mark.parametrize(
    "execution, state, kind",
    [
        ("downloaded", "downloaded", "downloaded"),
        ("download", "downloading", "downloading"),
        ("proceeding", "installing", "installing"),
        ("scheduled", "offered", "running"),
        ("resumed", "offered", "running"),
        ("canceled", "offered", "cancelled"),
        ("rejected", "offered", "warning"),
    ],
)
@pytest.mark.parametrize("finished", ["none", "success", "failure"])
def test_what_does_not_close(server, execution, state, kind, finished):
    device, action, deployment = given(server)
    device.say(action, execution, finished, details=["on the way"])
    assert device.state(action) == state and not device.closed(action)
    assert device.entries(action)[0] == (kind, ["on the way"])
    assert device.member(deployment) == "active" and device.action() == action
    device.say(action, "closed", "success")


def test_download_only_ends_with_the_download(server):
    device, action, deployment = given(server, mode="download_only")
    device.get(f"/deploymentBase/{action}")
    device.say(action, "download")
    assert not device.closed(action)
    device.say(action, "downloaded", details=["it is here"])
    assert device.state(action) == "downloaded" and device.closed(action)
    assert device.member(deployment) == "succeeded"
    assert device.entries(action)[0] == ("downloaded", ["it is here"])
    links = device.links()
    assert "deploymentBase" not in links and "configData" in links
    # It may still say, once, what became of it.
    device.say(action, "proceeding", expect=410)
    device.say(action, "downloaded", expect=410)
    device.say(action, "closed", "success")
    assert device.state(action) == "succeeded"
    device.say(action, "closed", "success", expect=410)


def test_download_only_may_fail_afterwards(server):
    device, action, deployment = given(server, mode="download_only")
    device.say(action, "downloaded")
    device.say(action, "closed", "failure")
    assert device.state(action) == "failed" and device.member(deployment) == "failed"


def test_what_is_over_is_over(server):
    for finished in ("success", "failure"):
        device, action, _ = given(server)
        device.say(action, "closed", finished)
        for execution in ("closed", "proceeding", "downloaded", "canceled"):
            device.say(action, execution, expect=410)


def test_whose_action(server):
    device, action, _ = given(server)
    other = Device(server)
    other.get("")
    other.say(action, "closed", "success", expect=404)
    device.say(999999, "closed", "success", expect=404)
    device.post("/deploymentBase/x/feedback", {}, 404)
    assert device.state(action) == "offered"


def test_while_it_is_to_be_given_up(server):
    device, action, deployment = asked_to_stop(server)
    device.say(action, "proceeding", details=["still at it"])
    assert device.state(action) == "cancelling" and device.action("cancelAction") == action
    assert device.entries(action)[0] == ("installing", ["still at it"])
    device.say(action, "closed", "success")  # it was first
    assert device.state(action) == "succeeded" and device.member(deployment) == "succeeded"
    assert "cancelAction" not in device.links()
    device.say(action, "closed", "success", kind="cancelAction", expect=405)
    device, action, deployment = asked_to_stop(server, retries=3)
    device.say(action, "closed", "failure")
    assert device.state(action) == "failed" and device.member(deployment) == "failed"  # not tried again


def test_a_failure_is_tried_again_as_the_deployment_says(server):
    device, action, deployment = given(server, retries=1, retry_seconds=1)
    device.say(action, "closed", "failure")
    assert device.member(deployment) == "waiting"
    ddi.wait_for(lambda: "deploymentBase" in device.links(), what="the second try")
    second = device.action()
    assert second > action
    device.say(second, "closed", "failure")
    assert device.member(deployment) == "failed"


def test_progress_and_code(server):
    device, action, _ = given(server)
    body = {"execution": "proceeding", "code": 42, "details": ["half"]}
    for progress, percent in (
        ({"cnt": 2, "of": 5}, 40),
        ({"cnt": 6, "of": 5}, None),
        ({"cnt": 1, "of": 0}, None),
    ):
        device.post(
            f"/deploymentBase/{action}/feedback",
            {"status": {**body, "result": {"finished": "none", "progress": progress}}},
        )
        assert ddi.query(server, "SELECT progress FROM action WHERE pk = ?", action)[0][0] == percent
    assert device.entries(action)[0][1] == ["half", "Device reported status code: 42"]
    device.say(action, "proceeding", code=-1)
    assert device.entries(action)[0][1] == ["Device reported status code: -1"]


def test_what_old_clients_send(server):
    """rauc-hawkbit-updater, SWUpdate, Zephyr: each with its own members around the same."""
    device, action, _ = given(server)
    status = {
        "result": {"finished": "none"},
        "execution": "proceeding",
        "details": ["Download complete. 1.20 MB/s"],
    }
    where = f"/deploymentBase/{action}/feedback"
    device.post(where, {"id": str(action), "time": "20251231T235959", "status": status})
    swupdate = {"result": {"progress": {"cnt": 1, "of": 1}, "finished": "none"}, "execution": "proceeding"}
    device.post(where, {"id": action, "time": "20251231T235959", "status": {**swupdate, "details": []}})
    device.post(where, {"status": {"execution": "scheduled", "result": {"finished": "none"}}})
    device.post(
        where, {"id": "999", "timestamp": 1627997501890, "x": {"y": [1]}, "status": {**status, "z": None}}
    )


def test_raw_bytes_in_messages(server):
    """SWUpdate puts what its installers print into JSON as it is."""
    device, action, _ = given(server)
    raw = (
        b'{"id": 1, "status": {"execution": "proceeding", "result": {"finished": "none"},'
        b' "details": ["first\nline\x01\x7f", "tab\there \xff\xc3\xa4\xe2\x82", "", "   ", null, 7]}}'
    )
    device.ask("POST", f"/deploymentBase/{action}/feedback", raw)
    assert device.entries(action)[0][1] == ["first line", "tab here ?\u00e4??", "7"]
    history = device.get(f"/deploymentBase/{action}?actionHistory=5").json()["actionHistory"]
    assert "first line" in history["messages"]


def test_long_messages_are_cut(server):
    device, action, _ = given(server)
    device.say(action, "closed", "failure", details=["x" * 600, "\u00e4" * 400])
    messages = device.entries(action)[0][1]
    assert messages == ["x" * 512, "\u00e4" * 256]
    assert ddi.query(server, "SELECT message FROM action WHERE pk = ?", action)[0][0] == "x" * 512


def test_what_is_no_feedback(server):
    device, action, _ = given(server)
    fine = {"execution": "closed", "result": {"finished": "success"}}
    where = f"/deploymentBase/{action}/feedback"
    for wrong in (
        {},
        {"status": {}},
        {"status": [fine]},
        {"status": {"execution": "closed"}},
        {"status": {"result": {"finished": "success"}}},
        {"status": {**fine, "execution": "finished"}},
        {"status": {**fine, "execution": None}},
        {"status": {**fine, "result": {"finished": "maybe"}}},
        {"status": {**fine, "result": {}}},
        {"status": {**fine, "result": "success"}},
        {"status": {**fine, "details": "text"}},
        {"status": {**fine, "details": [{}]}},
        {"status": {**fine, "code": "x"}},
    ):
        device.post(where, wrong, 400)
    device.ask("POST", where, b"{", 400)
    device.ask("POST", where, b'{"a": [' + b"[" * 100 + b"]" * 100 + b"]}", 400)
    assert device.state(action) == "offered" and len(device.entries(action)) == 1


def test_no_more_entries_than_are_kept_but_the_last(server):
    device, action, _ = given(server)
    while len(device.entries(action)) < STATUS_MAX:
        device.say(action, "proceeding", details=["again"])
    for execution in ("proceeding", "download", "rejected", "scheduled"):
        answer = device.say(action, execution, expect=429)
        assert answer.json()["errorCode"] == "hawkbit.server.error.quota.tooManyEntries"
    device.get(f"/deploymentBase/{action}")  # and no more are made by that
    assert len(device.entries(action)) == STATUS_MAX
    device.say(action, "closed", "success", details=["the end"])
    assert device.entries(action)[0] == ("succeeded", ["the end"]) and device.closed(action)


def test_no_more_messages_than_are_kept(server):
    device, action, _ = given(server)
    device.say(action, "proceeding", details=[str(n) for n in range(50)])
    device.say(action, "proceeding", details=[str(n) for n in range(51)], expect=429)
    assert len(device.entries(action)) == 2
    device.say(action, "closed", "failure", details=[f"m{n}" for n in range(60)])
    assert device.entries(action)[0][1] == [f"m{n}" for n in range(50)]


def test_a_cancelled_deployment_before_the_device_came(server):
    device = Device(server)
    device.get("")
    deployment = ddi.deploy(server, device)
    cancel(server, deployment)
    assert not {"deploymentBase", "cancelAction"} & set(device.links())


def test_the_body_is_bounded(server):
    device, action, _ = given(server)
    body = {"status": {"execution": "closed", "result": {"finished": "success"}, "details": ["x" * 200000]}}
    device.ask("POST", f"/deploymentBase/{action}/feedback", json.dumps(body).encode(), 413)
    assert not device.closed(action)
