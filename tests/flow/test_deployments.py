"""Deployments as operators make, follow and steer them, with real agents and devices."""

import os
import re

from harness import wait_for

HEALTHY = {"installer.health_command": "/bin/true"}


def device(server, name):
    return server.api("GET", f"/api/devices/{name}", expect=200).json()


def shown(server, pk):
    return server.api("GET", f"/api/deployments/{pk}", expect=200).json()


def deploy(server, *args):
    return server.pqota("deploy", *args, "--json").json()["id"]


def why(server, name, pk):
    lines = server.pqota("why", name, "--json").json()["deployments"]
    return next(line for line in lines if line["deployment"] == pk)


def made(make_agent, server, names, model, **settings):
    agents = [make_agent(server, name, model, settings=settings) for name in names]
    for agent in agents:
        agent.enrol()
        assert agent.once().code == 0
    return agents


def installed(agent):
    version = agent.slots / "current" / "version"
    return version.read_text().strip() if version.exists() else None


def poll(server, who, query="?version=0"):
    return server.api("GET", f"/api/update{query}", who=who)


def report(server, who, action, state, **more):
    server.api("POST", f"/api/update/{action}/status", {"state": state, **more}, who=who, expect=204)


def test_canary_then_the_rest(server, make_agent):
    one, two = made(make_agent, server, ("c-1", "c-2"), "c", **HEALTHY)
    server.publish("c", "1", os.urandom(5000))
    pk = deploy(
        server, "c@1", "--filter", "model==c", "--phase", "name=canary,count=1,success=100,errors=1"
    )
    told = why(server, "c-2", pk)
    assert told["reason"] == "phase" and told["waits_for_phase"] == 1 and told["of"] == 1, told
    assert "phase 2 opens when 100 % of phase 1 have succeeded: 0 % so far" in told["text"]
    assert two.once().code == 0 and installed(two) is None
    wait_for(lambda: (device(server, "c-2")["reason"] or {}).get("reason") == "phase", what="its reason")
    grid = server.pqota("deployment", "show", str(pk)).out
    assert re.search(r"1\s+canary\s+1 device\b", grid) and re.search(r"2\s+rest\s+the rest", grid), grid
    assert why(server, "c-1", pk)["gets"]
    assert one.once().code == 0 and installed(one) == "1"
    assert why(server, "c-2", pk)["gets"]
    text = server.pqota("why", "c-1").out
    assert "it has succeeded, at" in text, text
    assert two.once().code == 0 and installed(two) == "1"
    assert shown(server, pk)["phases"][1]["devices"]["succeeded"] == 1
    listed = server.pqota("deployment", "devices", str(pk), "--state", "succeeded").out
    assert "c-1" in listed and "c-2" in listed
    assert "c-1" in server.pqota("device", "list", "--filter", "version==1;id==*-1").out


def test_errors_stop_it_and_a_person_goes_on(server):
    bad, good = server.enrol("e-1", "e"), server.enrol("e-2", "e")
    server.pqota("device", "tag", "e-1", "lab")
    server.publish("e", "1", os.urandom(5000))
    pk = deploy(
        server, "e@1", "--model", "e", "--phase", "name=lab,errors=1,filter=tag==lab", "--deadline", "4h"
    )
    report(server, bad, poll(server, bad).json()["action"], "failed", message="no room")
    d = shown(server, pk)
    assert d["state"] == "paused" and d["why"], d
    out = server.pqota("deployment", "show", str(pk)).out
    assert d["why"] in out and "paused" in out and "4 h" in out, out
    assert poll(server, good).status == 204
    assert why(server, "e-2", pk)["reason"] == "paused"
    assert "no room" in why(server, "e-1", pk)["text"]
    server.pqota("deployment", "resume", str(pk))
    assert shown(server, pk)["state"] == "running"
    server.pqota("deployment", "pause", str(pk))
    server.pqota("deployment", "cancel", str(pk))
    assert shown(server, pk)["state"] == "cancelled"
    assert str(pk) in server.pqota("deployment", "list", "--state", "cancelled").out


def test_nobody_approves_his_own(server):
    server.enrol("p-1", "p")
    server.publish("p", "1", os.urandom(5000))
    pk = deploy(server, "p@1", "--all", "--approval", "--start-at", "+1h")
    assert shown(server, pk)["state"] == "approval"
    assert why(server, "p-1", pk)["reason"] == "approval"
    refused = server.pqota("deployment", "approve", str(pk), check=None)
    assert refused.code != 0 and "403" in refused.err, refused
    assert shown(server, pk)["state"] == "approval"
    server.pqota("deployment", "deny", str(pk))
    assert shown(server, pk)["state"] == "denied"


def test_what_does_not_make_sense_is_said(server):
    server.publish("w", "1", os.urandom(500))
    for args, says in (
        (("w@1",), "say to whom"),
        (("w@1", "--all", "--filter", "model==w"), "exclude each other"),
        (("w@1", "--filter", "model=w"), "column"),
        (("w@1", "--all", "--phase", "count=ten"), "--phase, number 1"),
        (("w@1", "--all", "--deadline", "soon"), "--deadline"),
        (("w@1", "--all", "--window", "0 0 2 * * ?"), "--window-duration"),
        (("w@1", "--all", "--window", "every night", "--window-duration", "1h"), "window"),
        (("w@1", "--all", "--rollback", "w@9"), "--rollback"),
    ):
        done = server.pqota("deploy", *args, check=None)
        assert done.code != 0 and says in done.err, (args, done)
    assert server.api("GET", "/api/deployments").json()["items"] == []


def test_only_downloaded(server, make_agent):
    (agent,) = made(make_agent, server, ("d-1",), "d", **HEALTHY)
    server.publish("d", "1", os.urandom(300_000))
    pk = deploy(server, "d@1", "--device", "d-1", "--mode", "download-only")
    old = server.enrol("d-2", "d")
    deploy(server, "d@1", "--device", "d-2", "--mode", "download-only")
    assert poll(server, old).status == 204  # an agent that does not know of this would install it
    assert poll(server, old, "?version=0&hold=yes").json()["install"] == "skip"
    assert agent.once().code == 0 and installed(agent) is None
    wait_for(lambda: shown(server, pk)["actions"]["downloaded"] == 1, what="its report")
    assert "downloaded" in agent.run("status", "--config", agent.conf).out
    artifact = agent.state / "artifact"
    kept = artifact.stat()
    pk = deploy(server, "d@1", "--device", "d-1")
    assert agent.once().code == 0 and installed(agent) == "1"
    assert kept.st_size == 300_000
    states = [h.get("state") for h in server.api("GET", "/api/devices/d-1/history").json()["items"]]
    assert states.count("downloading") == 1, states  # by the first deployment alone
    assert shown(server, pk)["actions"]["succeeded"] == 1


def test_soft_waits_where_the_device_says_so(server, make_agent):
    (agent,) = made(make_agent, server, ("s-1",), "s", **HEALTHY, **{"update.attempt": "wait"})
    server.publish("s", "1", os.urandom(5000))
    deploy(server, "s@1", "--all", "--mode", "soft")
    who = server.enrol("s-2", "s")
    told = poll(server, who).json()
    assert (told["download"], told["install"]) == ("attempt", "attempt")
    assert agent.once().code == 0 and installed(agent) is None
    assert device(server, "s-1")["action"]["state"] == "downloaded"
    server.publish("s", "2", os.urandom(5000))
    deploy(server, "s@2", "--all")  # another release, and forced: that one is taken
    assert agent.once().code == 0 and installed(agent) == "2"


def test_the_user_is_asked(server, make_agent):
    (agent,) = made(make_agent, server, ("u-1",), "u", **HEALTHY)
    server.publish("u", "1", os.urandom(5000))
    pk = deploy(server, "u@1", "--all", "--consent")
    assert agent.run("consent", "show", "--config", agent.conf).code != 0
    assert agent.once().code == 0 and installed(agent) is None
    assert why(server, "u-1", pk)["reason"] == "consent"
    assert "u 1" in agent.run("consent", "show", "--config", agent.conf, check=0).out
    agent.run("consent", "deny", "--config", agent.conf, check=0)
    assert agent.once().code == 0 and installed(agent) is None
    history = server.api("GET", "/api/devices/u-1/history").json()["items"]
    assert any("refused" in h["text"] for h in history), history
    agent.start()  # one that runs is woken by the answer
    agent.run("consent", "confirm", "--config", agent.conf, check=0)
    wait_for(lambda: installed(agent) == "1", what="the update that was agreed to")
    wait_for(lambda: shown(server, pk)["actions"]["succeeded"] == 1, what="its report")
    wait_for(
        lambda: agent.run("consent", "show", "--config", agent.conf).code != 0, what="the question's end"
    )
    agent.stop()


def test_consent_over_the_interface(server):
    who, other = server.enrol("i-1", "i"), server.enrol("i-2", "i")
    server.publish("i", "1", os.urandom(5000))
    deploy(server, "i@1", "--all", "--consent")
    assert poll(server, who).status == 204  # it does not say that it can ask
    told = poll(server, who, "?version=0&consent=yes").json()
    assert told["state"] == "waiting" and "artifacts" not in told
    where = f"/api/update/{told['action']}/consent"
    assert server.api("POST", where, {"answer": "perhaps"}, who=who).status == 400
    assert server.api("POST", where, {"answer": "confirmed"}, who=other).status == 404
    server.api("POST", where, {"answer": "denied", "message": "not before the show"}, who=who, expect=204)
    assert poll(server, who, "?version=0&consent=yes").json()["state"] == "waiting"
    server.api("POST", where, {"answer": "confirmed"}, who=who, expect=204)
    assert poll(server, who).json()["install"] == "forced"
    assert poll(server, who, "?consent=perhaps").status == 400


def test_what_people_say_of_a_device(server):
    server.enrol("t-1", "t")
    server.enrol("t-2", "t")
    server.pqota(
        "device", "set", "t-1", "site=berlin", "ram=512", "--name", "the lab's", "--utc-offset", "+05:30"
    )
    d = device(server, "t-1")
    assert d["attributes"] == {"site": "berlin", "ram": "512"}
    assert d["name"] == "the lab's" and d["utc_offset_minutes"] == 330 and d["interface"] == "native"
    out = server.pqota("device", "show", "t-1").out
    assert "site=berlin" in out and "+05:30" in out and "the lab's" in out
    assert [
        i["id"] for i in server.api("GET", "/api/devices?filter=attribute.ram%3E=512").json()["items"]
    ] == ["t-1"]
    server.pqota("device", "set", "t-1", "ram=1024", "--remove", "site", "--utc-offset", "-")
    d = device(server, "t-1")
    assert (
        d["attributes"] == {"ram": "1024"} and d["utc_offset_minutes"] is None and d["name"] == "the lab's"
    )
    assert server.api("PUT", "/api/devices/t-1/attributes", {"version": "9"}).status == 403
    server.api("PUT", "/api/devices/t-1/attributes", {"a": "1"}, expect=204)
    assert device(server, "t-1")["attributes"] == {"a": "1"}
    for args, says in ((("t-1",), "say what to set"), (("t-1", "x"), "KEY=VALUE"), (("t-9", "a=b"), "t-9")):
        done = server.pqota("device", "set", *args, check=None)
        assert done.code != 0 and says in done.err, done
    bad = server.pqota("device", "list", "--filter", "model=t", check=None)
    assert bad.code != 0 and "column 6" in bad.err, bad


def test_pages_of_a_filter(server):
    for i in range(7):
        server.enrol(f"f-{i}", "f")
    seen, after = [], ""
    while after is not None:
        page = server.api(
            "GET", f"/api/devices?filter=model==f&limit=3{after and '&after=' + after}"
        ).json()
        seen += [i["id"] for i in page["items"]]
        after = page["next"]
    assert seen == [f"f-{i}" for i in range(7)]


def test_members_are_found_by_phase_and_by_what_they_wait_for(server):
    devices = [server.enrol(f"mem-{i}", "members") for i in range(1, 5)]
    server.publish("members", "2", b"x" * 100)
    pk = deploy(server, "members@2", "--model", "members", "--retries", 1, "--phase", "count=2")

    def of(query, expect=200):
        reply = server.api("GET", f"/api/deployments/{pk}/devices?{query}", expect=expect).json()
        return [m["device"] for m in reply["items"]] if expect == 200 else reply["detail"]

    wait_for(lambda: shown(server, pk)["prepared"], what="its devices are known")
    report(server, devices[0], poll(server, devices[0], "?version=1").json()["action"], "failed")
    poll(server, devices[1], "?version=1")
    assert shown(server, pk)["retrying"] == 1
    assert "1 of those that wait" in server.pqota("deployment", "show", pk).out
    assert of("state=retrying") == ["mem-1"]
    assert of("state=retrying&phase=2") == of("state=failed") == []
    assert of("state=active") == of("state=active&phase=1") == ["mem-2"]
    assert of("state=waiting&phase=1") == ["mem-1"]
    assert of("phase=2&limit=1") == ["mem-3"]
    assert of("phase=2") == of("state=waiting&phase=2") == ["mem-3", "mem-4"]
    assert "retrying, active" in of("state=lost", expect=400)
    assert "phase=" in of("phase=one", expect=400)
    words = server.pqota("deployment", "devices", pk, "--phase", 2).out
    assert "mem-3" in words and "mem-1" not in words
    assert "mem-1" in server.pqota("deployment", "devices", pk, "--state", "retrying").out
