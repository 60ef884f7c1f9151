"""hawkBit's device protocol: an update that is to be given up."""

import ddi
import pytest
from ddi import Device, asked_to_stop, cancel, deploy, given
from harness import wait_for

WHY = "the deployment was cancelled"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ddi.start(tmp_path_factory.mktemp("ddi-cancel"))
    yield server
    server.close()


def stop(device, action, execution, finished="none", **kw):
    return device.say(action, execution, finished, kind="cancelAction", **kw)


def test_before_the_device_has_read_it(server):
    device, action, deployment = given(server)
    device.get(f"/cancelAction/{action}", 404)  # nobody asked yet
    stop(device, action, "closed", "success", expect=405)
    cancel(server, deployment)
    links = device.links()
    assert links["cancelAction"].endswith(f"/cancelAction/{action}") and "deploymentBase" not in links
    assert device.get(f"/cancelAction/{action}").json() == {
        "id": str(action),
        "cancelAction": {"stopId": str(action)},
    }
    answer = device.post(links["cancelAction"] + "/feedback", feedback("closed", "success"))
    assert answer.headers["content-length"] == "0"
    assert device.state(action) == "cancelled" and device.member(deployment) == "cancelled"
    assert device.entries(action)[0][0] == "cancelled"
    assert "cancelAction" not in device.links()
    device.get(f"/cancelAction/{action}", 404)
    device.say(action, "closed", "success", expect=410)


def feedback(execution, finished):
    return {"status": {"execution": execution, "result": {"finished": finished}}}


def test_skipped_while_it_was_called_off(server):
    """SWUpdate calls what it must not install yet a success; that may cross the request to give it up."""
    never = {"schedule": "0 0 0 1 1 ? 2099", "seconds": 3600, "zone": "+00:00"}
    device, action, deployment = given(server, window=never)
    device.get(f"/deploymentBase/{action}")
    cancel(server, deployment)
    wait_for(lambda: device.state(action) == "cancelling", what="the device is asked")
    device.say(action, "closed", "success", details=["Skipped Update."])
    assert device.state(action) == "cancelling" and device.shown()["version"] is None
    stop(device, action, "closed", "success")
    assert device.member(deployment) == "cancelled" and device.shown()["version"] is None


@pytest.mark.parametrize("finished", ["success", "none"])
def test_given_up(server, finished):
    device, action, deployment = asked_to_stop(server)
    stop(device, action, "closed", finished, details=["as you wish"])
    assert device.state(action) == "cancelled" and device.closed(action)
    assert device.entries(action)[0] == ("cancelled", ["as you wish"])
    assert ddi.query(server, "SELECT message FROM action WHERE pk = ?", action)[0][0] == WHY
    stop(device, action, "closed", "success", expect=405)


@pytest.mark.parametrize(
    "execution, finished, kind", [("closed", "failure", "failed"), ("rejected", "none", "cancel_rejected")]
)
def test_refused(server, execution, finished, kind):
    device, action, deployment = asked_to_stop(server)
    stop(device, action, execution, finished, details=["too late"])
    assert device.state(action) == "installing" and not device.closed(action)
    assert device.entries(action)[0] == (kind, ["too late"])
    assert device.action() == action  # it goes on, and is not asked again
    device.get(f"/deploymentBase/{action}")
    device.get(f"/cancelAction/{action}", 404)
    stop(device, action, "closed", "success", expect=405)
    device.say(action, "closed", "success")
    assert device.member(deployment) == "succeeded"


@pytest.mark.parametrize(
    "execution, kind",
    [
        ("canceled", "warning"),
        ("proceeding", "running"),
        ("scheduled", "running"),
        ("resumed", "running"),
        ("download", "running"),
        ("downloaded", "running"),
    ],
)
def test_what_does_not_close(server, execution, kind):
    device, action, deployment = asked_to_stop(server)
    stop(device, action, execution, "success", details=["hm"])
    assert device.state(action) == "cancelling" and not device.closed(action)
    assert device.entries(action)[0] == (kind, ["hm"])
    assert device.action("cancelAction") == action


def test_whose(server):
    device, action, _ = asked_to_stop(server)
    other = Device(server)
    other.get("")
    other.get(f"/cancelAction/{action}", 404)
    stop(other, action, "closed", "success", expect=404)
    stop(device, 999999, "closed", "success", expect=404)
    device.post(f"/cancelAction/{action}/feedback", {"status": {}}, 400)
    assert device.state(action) == "cancelling"


def test_not_cancelable_is_said_in_hawkbits_words(server):
    device, action, _ = given(server)
    body = stop(device, action, "closed", "success", expect=405).json()
    assert body["errorCode"] == "hawkbit.server.error.action.notCancelable"


def test_a_newer_deployment_takes_its_place(server):
    device, action, first = given(server)
    second = deploy(server, device)
    assert device.action("cancelAction") == action  # the older one first
    stop(device, action, "closed", "success")
    newer = device.action()
    assert newer > action and device.member(first) == "cancelled"
    device.say(newer, "closed", "success")
    assert device.member(second) == "succeeded"


def test_while_it_is_being_installed(server):
    device, action, deployment = given(server)
    device.say(action, "proceeding")
    cancel(server, deployment)
    assert device.action("cancelAction") == action  # it is asked all the same
    stop(device, action, "closed", "success")
    assert device.state(action) == "cancelled"


def test_many_entries_do_not_keep_it_from_ending(server):
    device, action, _ = asked_to_stop(server)
    for _ in range(3):
        stop(device, action, "proceeding", details=[str(n) for n in range(50)])
    stop(device, action, "proceeding", details=[str(n) for n in range(51)], expect=429)
    stop(device, action, "closed", "success", details=[str(n) for n in range(51)])
    assert device.closed(action)
