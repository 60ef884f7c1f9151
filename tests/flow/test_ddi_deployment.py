"""hawkBit's device protocol: what an update consists of."""

import hashlib
import re
import time

import ddi
import pytest
from ddi import Device, asked_to_stop, given, query


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ddi.start(tmp_path_factory.mktemp("ddi-deployment"))
    yield server
    server.close()


def test_all_of_it(server):
    data = b"the firmware"
    device = Device(server)
    device.get("")
    release = ddi.publish(server, data=data, filename="f+1.swu")
    ddi.deploy(server, device, release)
    action = device.action()
    body = device.get(f"/deploymentBase/{action}").json()
    artifact = body["deployment"]["chunks"][0]["artifacts"][0]
    links = artifact.pop("_links")
    assert body == {
        "id": str(action),
        "deployment": {
            "download": "forced",
            "update": "forced",
            "chunks": [
                {
                    "part": "os",
                    "version": release["version"],
                    "name": "fw",
                    "artifacts": [
                        {
                            "filename": "f+1.swu",
                            "size": len(data),
                            "hashes": {
                                n: hashlib.new(n, data).hexdigest() for n in ("sha1", "md5", "sha256")
                            },
                        }
                    ],
                }
            ],
        },
    }
    hrefs = {rel: link["href"] for rel, link in links.items()}
    where = rf"http://127.0.0.1:{server.plain_port}{device.base}/softwaremodules/\d+/artifacts/f%2B1.swu"
    assert re.fullmatch(where, hrefs["download"]) and hrefs["download-http"] == hrefs["download"]
    assert hrefs["md5sum"] == hrefs["download"] + ".MD5SUM" == hrefs["md5sum-http"]
    assert device.get(hrefs["download"]).body == data
    # Whatever the query: c is only there to change.
    assert device.get(device.links()["deploymentBase"]).json()["id"] == str(action)
    assert device.get(f"/deploymentBase/{action}?c=-2127183556&x=y").status == 200


def module_of(device, action):
    href = device.get(f"/deploymentBase/{action}").json()["deployment"]["chunks"][0]["artifacts"][0][
        "_links"
    ]
    return int(re.search(r"/softwaremodules/(\d+)/", href["download"]["href"])[1])


def test_parts_encrypted_and_metadata(server):
    device, action, _ = given(server)
    module = module_of(device, action)
    for type_, part in (("application", "bApp"), ("runtime", "jvm"), ("os", "os"), ("my-own", "my-own")):
        query(server, "UPDATE module SET type = ? WHERE pk = ?", type_, module)
        chunk = device.get(f"/deploymentBase/{action}").json()["deployment"]["chunks"][0]
        assert chunk["part"] == part and "encrypted" not in chunk and "metadata" not in chunk
    query(server, "UPDATE module SET encrypted = 1 WHERE pk = ?", module)
    for key, visible in (("b", 1), ("a", 1), ("secret", 0)):
        query(
            server,
            "INSERT INTO module_metadata VALUES (?, ?, ?, ?)",
            module,
            key,
            f"value of {key}",
            visible,
        )
    chunk = device.get(f"/deploymentBase/{action}").json()["deployment"]["chunks"][0]
    assert chunk["encrypted"] is True
    assert chunk["metadata"] == [{"key": "a", "value": "value of a"}, {"key": "b", "value": "value of b"}]


def test_all_metadata_that_a_module_may_have(server):
    device, action, _ = given(server)
    module = module_of(device, action)
    keys = [f"k{n:02}" for n in range(100)]
    for key in keys:
        query(server, "INSERT INTO module_metadata VALUES (?, ?, 'v', 1)", module, key)
    chunk = device.get(f"/deploymentBase/{action}").json()["deployment"]["chunks"][0]
    assert [entry["key"] for entry in chunk["metadata"]] == keys


def test_two_modules_two_chunks_two_files_two_artifacts(server):
    device, action, _ = given(server)
    module = module_of(device, action)
    query(server, "INSERT INTO module (pk, name, version, type) VALUES (9001, 'app', '1', 'application')")
    query(
        server,
        "INSERT INTO release_module SELECT release, 9001 FROM release_module WHERE module = ?",
        module,
    )
    for name in ("b.bin", "a.bin"):
        columns = "INSERT INTO module_artifact (module, filename, sha256)"
        query(server, columns + " SELECT 9001, ?, sha256 FROM artifact LIMIT 1", name)
    chunks = device.get(f"/deploymentBase/{action}").json()["deployment"]["chunks"]
    assert [(c["part"], c["name"], len(c["artifacts"])) for c in chunks] == [
        ("os", "fw", 1),
        ("bApp", "app", 2),
    ]
    assert [a["filename"] for a in chunks[1]["artifacts"]] == ["b.bin", "a.bin"]
    listed = device.get("/softwaremodules/9001/artifacts").json()
    assert listed == chunks[1]["artifacts"]


def terms(device, action):
    deployment = device.get(f"/deploymentBase/{action}").json()["deployment"]
    return deployment["download"], deployment["update"], deployment.get("maintenanceWindow")


def test_forced_soft_download_only_and_time_forced(server):
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    for policy, expected in (
        ({"mode": "forced"}, ("forced", "forced", None)),
        ({"mode": "soft"}, ("attempt", "attempt", None)),
        ({"mode": "download_only"}, ("forced", "skip", None)),
        ({"mode": "time_forced", "force_at": later}, ("attempt", "attempt", None)),
    ):
        device, action, _ = given(server, **policy)
        assert terms(device, action) == expected, policy


def test_maintenance_windows(server):
    at = time.gmtime(time.time() + 3 * 3600)
    ahead = {"schedule": f"0 {at.tm_min} {at.tm_hour} ? * * *", "seconds": 60, "zone": "+00:00"}
    device, action, _ = given(server, window=ahead)
    assert terms(device, action) == ("forced", "skip", "unavailable")
    always = {"schedule": "0 0 * ? * *", "seconds": 3600, "zone": "+05:30"}
    device, action, _ = given(server, window=always)
    assert terms(device, action) == ("forced", "forced", "available")
    device, action, _ = given(server, window=always, mode="soft")
    assert terms(device, action) == ("attempt", "attempt", "available")
    device, action, _ = given(server, window=always, mode="download_only")
    assert terms(device, action)[1] == "skip"


def test_a_window_opens_by_itself(server):
    at = time.gmtime(time.time() + 4)
    soon = {"schedule": f"{at.tm_sec} {at.tm_min} {at.tm_hour} ? * *", "seconds": 60, "zone": "+00:00"}
    device, action, _ = given(server, window=soon)
    first = device.links()["deploymentBase"]
    assert terms(device, action)[1:] == ("skip", "unavailable")
    ddi.wait_for(lambda: terms(device, action)[1:] == ("forced", "available"), what="the window opens")
    assert device.links()["deploymentBase"] != first


def test_an_update_whose_last_window_is_over_is_called_off(server):
    at = time.gmtime(time.time() + 3)
    once = f"{at.tm_sec} {at.tm_min} {at.tm_hour} {at.tm_mday} {at.tm_mon} ? {at.tm_year}"
    window = {"schedule": once, "seconds": 1, "zone": "+00:00"}
    device, action, deployment = given(server, window=window)
    assert terms(device, action)[1:] == ("skip", "unavailable")
    ddi.wait_for(lambda: "cancelAction" in device.links(), what="it is called off")
    device.say(action, "closed", "success", kind="cancelAction")
    assert device.member(deployment) == "cancelled" and "deploymentBase" not in device.links()


def test_who_may_see_it(server):
    device, action, deployment = given(server)
    other = Device(server)
    other.get("")
    other.get(f"/deploymentBase/{action}", 404)
    ddi.cancel(server, deployment)
    device.links()
    device.get(f"/deploymentBase/{action}", 404)  # it is to be given up
    device.say(action, "closed", "success", kind="cancelAction")
    device.get(f"/deploymentBase/{action}", 404)  # and was


def test_retrieving_is_noted_once(server):
    device, action, _ = given(server)
    assert [kind for kind, _ in device.entries(action)] == ["offered"]
    for _ in range(3):
        device.get(f"/deploymentBase/{action}")
    assert [kind for kind, _ in device.entries(action)] == ["retrieved", "offered"]
    said = "Update Server: Target retrieved update action and should start now the download."
    assert device.entries(action)[0][1] == [said]
    device.say(action, "proceeding")
    device.get(f"/deploymentBase/{action}")
    device.get(f"/deploymentBase/{action}")
    assert [kind for kind, _ in device.entries(action)] == [
        "retrieved",
        "installing",
        "retrieved",
        "offered",
    ]
    device.ask("HEAD", f"/deploymentBase/{action}")


def test_action_history(server):
    device, action, _ = given(server)
    where = f"/deploymentBase/{action}"
    for n in range(4):
        device.say(action, "proceeding", details=[f"step {n}", f"more of {n}"])
    assert "actionHistory" not in device.get(where).json()
    assert "actionHistory" not in device.get(where + "?actionHistory=0").json()
    history = device.get(where + "?actionHistory=3").json()["actionHistory"]
    retrieved = "Update Server: Target retrieved update action and should start now the download."
    assert history == {"status": "RUNNING", "messages": [retrieved, "step 3", "more of 3"]}
    for all_of_it in ("-1", "-7", "100", "5000"):
        messages = device.get(f"{where}?actionHistory={all_of_it}").json()["actionHistory"]["messages"]
        assert messages[-2:] == ["step 0", "more of 0"] and len(messages) == 9
    device.get(where + "?actionHistory=x", 400)
    device.say(action, "closed", "success")
    history = device.get(f"/installedBase/{action}?actionHistory=-1").json()["actionHistory"]
    assert history["status"] == "FINISHED"


def test_at_most_a_hundred_messages(server):
    device, action, _ = given(server)
    for n in range(3):
        device.say(action, "proceeding", details=[f"{n}-{i}" for i in range(50)])
    messages = device.get(f"/deploymentBase/{action}?actionHistory=-1").json()["actionHistory"]["messages"]
    assert messages[0] == "2-0" and len(messages) == 100


def test_installed_base(server):
    device, action, _ = given(server)
    shown = device.get(f"/deploymentBase/{action}").json()
    device.get(f"/installedBase/{action}", 404)  # not yet
    device.say(action, "closed", "success")
    assert (
        device.get(f"/installedBase/{action}").json()["deployment"]["chunks"]
        == shown["deployment"]["chunks"]
    )
    other = Device(server)
    other.get("")
    other.get(f"/installedBase/{action}", 404)
    device, action, _ = asked_to_stop(server)
    device.get(f"/installedBase/{action}", 404)
    device.say(action, "closed", "success", kind="cancelAction")
    device.get(f"/installedBase/{action}", 404)


def test_hashes_of_files_that_came_before(server):
    """As after an update of the server: they are computed in the background."""
    device, action, _ = given(server)
    before = device.get(f"/deploymentBase/{action}").json()
    query(server, "UPDATE artifact SET sha1 = NULL, md5 = NULL")
    ddi.wait_for(
        lambda: not query(server, "SELECT 1 FROM artifact WHERE sha1 IS NULL"),
        what="hashes are computed again",
    )
    assert device.get(f"/deploymentBase/{action}").json() == before


def test_a_damaged_file_does_not_keep_the_others_waiting(tmp_path):
    server = ddi.start(tmp_path)
    try:
        (fine, _, _), (bad, action, _) = given(server), given_file(server, b"soon damaged")
        sha256 = hashlib.sha256(b"soon damaged").hexdigest()
        (server.dir / "data" / "blobs" / sha256[:2] / sha256[2:]).write_bytes(b"is damaged !")
        query(server, "UPDATE artifact SET sha1 = NULL, md5 = NULL")
        left = "SELECT sha256 FROM artifact WHERE sha1 IS NULL"
        ddi.wait_for(lambda: query(server, left) == [(sha256,)], what="the others are hashed")
        ddi.wait_for(lambda: "damaged" in server.logs(), what="that is said")
        answer = bad.get(f"/deploymentBase/{action}", 503)  # rather later than without hashes
        assert int(answer.headers["retry-after"]) > 0
        assert fine.action()
    finally:
        server.close()


def given_file(server, data):
    device = Device(server)
    device.get("")
    deployment = ddi.deploy(server, device, ddi.publish(server, data=data))
    return device, device.action(), deployment
