"""hawkBit's device protocol: what a poll says."""

import re
import time

import cbor2
import ddi
import pytest
from ddi import Device, asked_to_stop, cancel, deploy, given


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ddi.start(tmp_path_factory.mktemp("ddi-poll"))
    yield server
    server.close()


def test_a_new_device_is_asked_for_its_attributes(server):
    device = Device(server)
    answer = device.get("")
    assert answer.json() == {
        "config": {"polling": {"sleep": "00:05:00"}},
        "_links": {"configData": {"href": f"http://127.0.0.1:{server.plain_port}{device.base}/configData"}},
    }
    assert answer.headers["content-type"] == "application/hal+json"
    assert int(answer.headers["content-length"]) == len(answer.body)
    device.put("/configData", {"data": {"a": "b"}})
    assert "_links" not in device.get("").json()  # not even an empty one


def test_sleep_has_eight_characters_whatever_is_set(server):
    for said, seconds in (("00:00:30", 30), ("01:02:03", 3723), ("23:59:59", 86399)):
        ddi.setting(server, "pollingTime", said)
        sleep = Device(server).get("").json()["config"]["polling"]["sleep"]
        assert re.fullmatch(r"\d\d:\d\d:\d\d", sleep)
        assert sum(int(p) * f for p, f in zip(sleep.split(":"), (3600, 60, 1))) == seconds
    ddi.setting(server, "pollingTime", "00:05:00")


def test_exactly_one_of_three_links(server):
    kinds = {"deploymentBase", "cancelAction", "confirmationBase"}
    device, action, deployment = given(server)
    links = device.links()
    assert kinds & set(links) == {"deploymentBase"}
    assert re.search(rf"{device.base}/deploymentBase/{action}\?c=\d+$", links["deploymentBase"])
    cancel(server, deployment)
    links = device.links()
    assert kinds & set(links) == {"cancelAction"}
    assert links["cancelAction"].endswith(
        f"{device.base}/cancelAction/{action}"
    )  # no query: it is appended to
    device, action, _ = given_consent(server)
    links = device.links()
    assert kinds & set(links) == {"confirmationBase"}
    assert re.search(rf"/confirmationBase/{action}\?c=\d+$", links["confirmationBase"])


def given_consent(server):
    device = Device(server)
    device.get("")
    deployment = deploy(server, device, consent=True)
    return device, device.action("confirmationBase"), deployment


def test_the_oldest_that_is_open_comes_first(server):
    device, action, _ = asked_to_stop(server)
    deploy(server, device, priority=900)
    assert device.action("cancelAction") == action
    device.say(action, "closed", "success", kind="cancelAction")
    assert device.action() > action


def test_action_ids_stay_small_and_links_short(server):
    device, action, _ = given(server)
    assert 0 < action < 2**31
    path = device.links()["deploymentBase"].split("/", 3)[3]
    assert len(f"/{path}") < 60 + len(device.id)


def test_installed_base(server):
    device, action, _ = given(server)
    assert "installedBase" not in device.links()
    device.say(action, "closed", "success")
    links = device.links()
    assert links["installedBase"].endswith(f"{device.base}/installedBase/{action}")
    assert "deploymentBase" not in links
    assert "configData" in links  # attributes may be others now
    device.put("/configData", {"data": {"version": "something-else"}})
    assert "installedBase" not in device.links()  # it does not run that any more


def test_a_failed_update_is_not_installed(server):
    device, action, _ = given(server)
    device.say(action, "closed", "failure")
    assert set(device.links()) & {"installedBase", "deploymentBase"} == set()


def test_c_changes_with_force_and_window(server):
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    device, action, _ = given(server, mode="time_forced", force_at=soon)
    before = device.links()["deploymentBase"]
    assert device.links()["deploymentBase"] == before
    assert device.get(f"/deploymentBase/{action}").json()["deployment"]["download"] == "attempt"
    ddi.wait_for(lambda: device.links()["deploymentBase"] != before, what="it is forced")
    assert device.get(f"/deploymentBase/{action}").json()["deployment"]["download"] == "forced"


def in_window(hours, seconds=60):
    """A schedule that begins in so many hours, each day."""
    at = time.gmtime(time.time() + hours * 3600)
    return {"schedule": f"0 {at.tm_min} {at.tm_hour} ? * *", "seconds": seconds, "zone": "+00:00"}


def test_a_window_ahead_shortens_the_interval_and_never_lengthens_it(server):
    ddi.setting(server, "pollingTime", "03:00:00")
    device, _, _ = given(server, window=in_window(3))
    h, m, s = map(int, device.get("").json()["config"]["polling"]["sleep"].split(":"))
    assert 59 * 60 - 60 <= h * 3600 + m * 60 + s <= 3600  # a third of the way
    ddi.setting(server, "pollingTime", "00:05:00")
    assert device.get("").json()["config"]["polling"]["sleep"] == "00:05:00"
    device, _, _ = given(server, window=in_window(0, 3600))
    assert device.get("").json()["config"]["polling"]["sleep"] == "00:05:00"


def test_a_paused_deployment_is_not_begun_and_what_has_begun_goes_on(server):
    device, action, deployment = given(server)
    server.api("POST", f"/api/deployments/{deployment}/pause", expect=200)
    assert "deploymentBase" not in device.links()
    device.get(f"/deploymentBase/{action}", 404)
    server.api("POST", f"/api/deployments/{deployment}/resume", expect=200)
    device.get(f"/deploymentBase/{action}")
    server.api("POST", f"/api/deployments/{deployment}/pause", expect=200)
    assert device.action() == action
    device.get(f"/deploymentBase/{action}")


def test_tenant(server):
    device = Device(server)
    for tenant in ("DEFAULT", "default", "Default"):
        device.base = f"/{tenant}/controller/v1/{device.id}"
        assert f"/{tenant}/controller/v1/" in device.links()["configData"]
    device.base = f"/other/controller/v1/{device.id}"
    device.get("", 404)
    device.put("/configData", {"data": {}}, 404)


def test_what_is_not_there(server):
    device = Device(server)
    device.get("")
    for path in (
        "/deploymentBase/0",
        "/deploymentBase/x",
        "/deploymentBase/999999",
        "/cancelAction/7x",
        "/installedBase/99999999999",
        "/confirmationBase/1a",
        "/softwaremodules/0/artifacts",
    ):
        device.get(path, 404)
    answer = device.ask("DELETE", "/configData", expect=405)
    assert "PUT" in answer.headers["allow"]
    device.ask("POST", "", {}, expect=405)


def test_entity_tags(server):
    device, action, _ = given(server)
    for path in ("", f"/deploymentBase/{action}", "/confirmationBase"):
        device.get(path)
        first = device.get(path)
        tag = first.headers["etag"]
        assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
        again = device.get(path, 304, If_None_Match=tag)
        assert again.body == b"" and again.headers["etag"] == tag
        assert device.get(path, If_None_Match='"other"').body == first.body
        assert device.get(path, If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT").status == 200
        device.get(path, 412, If_Match='"other"')
        head = device.ask("HEAD", path)
        assert head.headers["etag"] == tag and int(head.headers["content-length"]) == len(first.body)
    tag = device.get("").headers["etag"]
    device.say(action, "closed", "success")
    assert device.get("", If_None_Match=tag).headers["etag"] != tag


def test_cbor_and_json(server):
    device, action, _ = given(server)
    for path in ("", f"/deploymentBase/{action}", "/confirmationBase"):
        device.get(path)
        plain = device.get(path, Accept="application/json")
        assert plain.headers["content-type"] == "application/json"
        packed = device.get(path, Accept="application/cbor")
        assert packed.headers["content-type"] == "application/cbor"
        assert cbor2.loads(packed.body) == plain.json()
        assert packed.headers["etag"] != plain.headers["etag"]
    wanted = {
        "*/*": "application/hal+json",
        "application/json;q=0.5, application/cbor;q=0.9": "application/cbor",
        "application/cbor;q=0, application/json": "application/json",
        "application/hal+json, application/cbor": "application/hal+json",
        "text/html": "application/hal+json",
    }
    for accept, type_ in wanted.items():
        assert device.get("", Accept=accept).headers["content-type"] == type_, accept
    cbor = {"Content-Type": "application/cbor"}
    body = cbor2.dumps({"mode": "merge", "data": {"k": "from cbor"}})
    device.ask("PUT", "/configData", body, headers=cbor)
    assert device.shown()["attributes"]["k"] == "from cbor"
    status = {"execution": "closed", "result": {"finished": "success"}, "details": ["fine"]}
    device.ask("POST", f"/deploymentBase/{action}/feedback", cbor2.dumps({"status": status}), headers=cbor)
    assert device.state(action) == "succeeded"
    device.ask("PUT", "/configData", b"\xa1\x61", 400, cbor)
    device.ask("PUT", "/configData", cbor2.dumps([1]), 400, cbor)
    device.ask("PUT", "/configData", b"{}", 415, {"Content-Type": "text/plain"})
    hal = {"Content-Type": "Application/HAL+JSON; charset=UTF-8"}
    device.ask("PUT", "/configData", b'{"data": {"k": "v"}}', headers=hal)
    device.ask("PUT", "/configData", b"{nonsense", 400)
    device.ask("PUT", "/configData", b"[]", 400)
    device.ask("PUT", "/configData", b" " * 200000, 413)


def commits(server):
    return int(re.search(rb"(?m)^pqota_store_commits_total (\d+)", server.curl("/metrics").body)[1])


def test_a_poll_that_finds_nothing_new_writes_nothing(server):
    device, _, _ = given(server)
    device.links()
    before = commits(server)
    for _ in range(200):
        device.get("")
    assert commits(server) - before < 100  # background work, some each second
