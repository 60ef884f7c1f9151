"""hawkBit's management interface against docs/openapi.yaml: each operation, each answer as described."""

import pytest
from test_openapi import Caller

import hawkbit
from harness import ANYONE


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = hawkbit.start(tmp_path_factory.mktemp("described"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def call(server):
    return Caller(server)


def test_modules_and_their_files(call, tmp_path):
    body = [
        {"name": "a module", "version": "1.0", "type": "os", "vendor": "ACME", "description": "text"},
        {"name": "another", "version": "1.0", "type": "application"},
    ]
    module = call("hawkbitMakeModules", 201, body=body).json()[0]["id"]
    call("hawkbitMakeModules", 409, body=body)
    call("hawkbitMakeModules", 400, body=[{}])
    call("hawkbitListModules", 200, query="?sort=id:DESC&limit=1&q=name=='a*'")
    call("hawkbitListModules", 401, who=ANYONE)
    call("hawkbitShowModule", 200, id=module)
    call("hawkbitShowModule", 404, id=999)
    call("hawkbitChangeModule", 200, id=module, body={"description": "another"})
    entry = [{"key": "k", "value": "v", "targetVisible": True}]
    call("hawkbitMakeMetadata", 201, id=module, body=entry)
    call("hawkbitListMetadata", 200, id=module)
    file = tmp_path / "f.bin"
    file.write_bytes(b"bytes")
    made = call("hawkbitUpload", 201, id=module, args=["-F", f"file=@{file}"]).json()["id"]
    call("hawkbitUpload", 409, id=module, args=["-F", f"file=@{file}"])
    call("hawkbitUpload", 400, id=module, args=["-F", "other=x"])
    where = dict(id=module, artifact=made)
    call("hawkbitListArtifacts", 200, id=module)
    call("hawkbitShowArtifact", 200, **where)
    whole = call("hawkbitDownload", 200, **where)
    assert whole.body == b"bytes"
    assert call("hawkbitDownload", 206, **where, args=["-H", "Range: bytes=1-2"]).body == b"yt"
    call("hawkbitDownload", 304, **where, args=["-H", "If-None-Match: " + whole.headers["etag"]])
    call("hawkbitDownload", 412, **where, args=["-H", 'If-Match: "x"'])
    beyond = call("hawkbitDownload", 416, **where, args=["-H", "Range: bytes=5-"])
    assert beyond.headers["content-range"] == "bytes */5"
    call("hawkbitDeleteArtifact", 204, **where)
    call("hawkbitDeleteArtifact", 404, **where)
    call("hawkbitDeleteModule", 204, id=module)


def test_types_and_settings(call):
    for kind in ("Module", "Set"):
        for each in call(f"hawkbitList{kind}Types", 200).json()["content"]:
            call(f"hawkbitShow{kind}Type", 200, id=each["id"])
        call(f"hawkbitShow{kind}Type", 404, id=99)
    call("hawkbitListSettings", 200)
    call("hawkbitChangeSetting", 200, key="pollingTime", body={"value": "00:01:00"})
    call("hawkbitShowSetting", 200, key="pollingTime")
    call("hawkbitShowSetting", 200, key="authentication.gatewaytoken.key")
    call("hawkbitShowSetting", 404, key="colour")
    call("hawkbitResetSetting", 204, key="pollingTime")


def test_sets_targets_and_actions(call, server):
    module = call("hawkbitMakeModules", 201, body=[{"name": "m", "version": "1", "type": "os"}]).json()[0][
        "id"
    ]
    body = [{"name": "a set", "version": "1", "type": "os", "modules": [{"id": module}]}]
    set_id = call("hawkbitMakeSets", 201, body=body).json()[0]["id"]
    call("hawkbitMakeSets", 409, body=body)
    call("hawkbitListSets", 200)
    call("hawkbitShowSet", 200, id=set_id)

    made = call("hawkbitMakeTargets", 201, body=[{"controllerId": "oa-1", "name": "Pump"}]).json()[0]
    call("hawkbitMakeTargets", 409, body=[{"controllerId": "oa-1"}])
    call("hawkbitChangeTarget", 200, device="oa-1", body={"description": "text"})
    call("hawkbitListTargets", 200, query="?q=controllerId==oa*")
    call("hawkbitShowTarget", 404, device="oa-2")
    device = hawkbit.Device(server.hawkbit, "oa-1", made["securityToken"])
    device.put("/configData", {"data": {"a": "b"}})
    assert call("hawkbitShowAttributes", 200, device="oa-1").json() == {"a": "b"}

    window = {"schedule": "0 0 3 ? * SUN", "duration": "01:00:00", "timezone": "+02:00"}
    first = call(
        "hawkbitAssignTargets", 200, id=set_id, body=[{"id": "oa-1", "maintenanceWindow": window}]
    ).json()["assignedActions"][0]["id"]
    call("hawkbitAssignSet", 200, device="oa-1", body={"id": set_id, "type": "soft"})
    call("hawkbitAssignTargets", 404, id=999, body=[{"id": "oa-1"}])
    call("hawkbitAssignTargets", 400, id=set_id, body=[{"id": "oa-1"}], query="?offline=true")
    where = dict(device="oa-1", action=first)
    call("hawkbitShowAction", 200, **where)
    call("hawkbitListActions", 200)
    call("hawkbitListTargetActions", 200, device="oa-1", query="?sort=id:DESC")
    call("hawkbitCancelAction", 405, **where, query="?force=true")
    call("hawkbitCancelAction", 204, **where)
    device.feedback(first, "closed", "success", "given up", to="cancelAction")
    call("hawkbitShowActionStatus", 200, **where, query="?offset=0&limit=50&sort=id%3ADESC")
    call("hawkbitShowTarget", 200, device="oa-1")
    call("hawkbitDeleteSet", 204, id=set_id)
    call("hawkbitDeleteTarget", 204, device="oa-1")


def test_every_operation_was_called(call):
    """Runs last."""
    mine = {name for name, (path, _, _) in call.by_id.items() if path.startswith("/rest/v1/")}
    call("userInfo", 200)
    assert mine <= call.succeeded
