"""hawkBit's device protocol against docs/openapi.yaml: every operation, every answer as it is described."""

import re

from test_openapi import Caller

from harness import ANYONE


def test_by_a_device_with_a_certificate(make_server):
    server = make_server({"ddi.enabled": "yes"})
    there = Caller(server)
    who = dict(who=server.enrol("oa-ddi", "oa-m"), tenant="DEFAULT", id="oa-ddi")
    release = server.publish("oa-ddi", "1", b"bytes", model="oa-m")

    def offer(kind, **policy):
        body = {"release": release["id"], "target": {"kind": "device", "value": "oa-ddi"}, **policy}
        deployment = server.api(
            "POST", "/api/deployments", {**body, "allow_downgrade": True}, expect=201
        ).json()
        href = there("ddiPoll", 200, **who).json()["_links"][kind]["href"]
        return deployment["id"], int(re.search(r"/(\d+)\?c=", href)[1])

    def said(execution, finished="none"):
        return {"status": {"execution": execution, "result": {"finished": finished}, "details": ["so"]}}

    tag = there("ddiPoll", 200, **who).headers["etag"]
    there("ddiPoll", 304, **who, args=["-H", f"If-None-Match: {tag}"])
    there("ddiPoll", 404, **{**who, "tenant": "another"})
    there("ddiPoll", 401, **{**who, "who": ANYONE})
    there("ddiPoll", 403, **{**who, "id": "other"})
    there("ddiConfigData", 200, **who, body={"mode": "replace", "data": {"ring": "early", "n": 1}})
    there("ddiConfigData", 400, **who, body={"mode": "swap", "data": {}})
    there("ddiConfigData", 429, **who, body={"data": {str(n): "" for n in range(101)}})
    there("ddiSetInstalled", 201, **who, body={"name": "oa", "version": "0"})
    there("ddiSetInstalled", 200, **who, body={"name": "oa", "version": "0"})
    there("ddiSetInstalled", 400, **who, body={"name": "oa"})

    deployment, action = offer("deploymentBase")
    one = {**who, "action": action}
    update = there("ddiDeployment", 200, **one, query="?actionHistory=-1").json()["deployment"]
    there("ddiDeployment", 404, **{**one, "action": action + 1})
    links = update["chunks"][0]["artifacts"][0]["_links"]
    module = int(re.search(r"/softwaremodules/(\d+)/", links["download"]["href"])[1])
    there("ddiArtifacts", 200, **who, module=module)
    there("ddiArtifacts", 404, **who, module=module + 1)
    file = {**who, "module": module, "file": "firmware.bin"}
    assert there("ddiArtifact", 200, **file).body == b"bytes"
    there("ddiArtifact", 206, **file, args=["-H", "Range: bytes=0-1"])
    there("ddiArtifact", 416, **file, args=["-H", "Range: bytes=5-"])
    there("ddiArtifact", 412, **file, args=["-H", 'If-Match: "x"'])
    there("ddiFeedback", 200, **one, body=said("proceeding"))
    there("ddiFeedback", 400, **one, body={"status": {}})
    there("ddiCancelFeedback", 405, **one, body=said("closed"))
    there("ddiInstalled", 404, **one)
    there("ddiFeedback", 200, **one, body=said("closed", "success"))
    there("ddiFeedback", 410, **one, body=said("closed", "success"))
    there("ddiInstalled", 200, **one, query="?actionHistory=1")

    deployment, action = offer("deploymentBase")
    server.api("POST", f"/api/deployments/{deployment}/cancel", expect=200)
    assert there("ddiPoll", 200, **who).json()["_links"]["cancelAction"]
    there("ddiCancel", 200, **who, action=action)
    there("ddiCancelFeedback", 200, **who, action=action, body=said("closed", "success"))
    there("ddiCancel", 404, **who, action=action)

    deployment, action = offer("confirmationBase", consent=True)
    one = {**who, "action": action}
    there("ddiConfirmationAction", 200, **one)
    there("ddiConfirmation", 200, **who)
    there("ddiConfirmationFeedback", 400, **one, body={"confirmation": "perhaps"})
    there("ddiConfirmationFeedback", 200, **one, body={"confirmation": "denied"})
    there("ddiAutoConfirm", 200, **who, body={"initiator": "oa", "remark": "always"})
    there("ddiAutoConfirm", 409, **who)
    there("ddiConfirmation", 200, **who)
    there("ddiAutoConfirmOff", 200, **who)
    there("ddiConfirmationFeedback", 404, **one, body={"confirmation": "confirmed"})
    assert {name for name, (path, _, _) in there.by_id.items() if "/controller/" in path} == there.succeeded
