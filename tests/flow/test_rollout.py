"""Deployments that protect themselves, with simulated devices that fail, vanish, hang and fall back:
whatever happens on the way, in the end every device stands where it must."""

import collections
import os
import signal

import pytest

from certificates import operator
from fleet import Fleet, fill
from harness import wait_for

DEVICES = 150
RATES = ["--fail", "0.12", "--vanish", "0.06", "--hang", "0.06", "--fall-back", "0.06"]
# What becomes of a device of which that is known: its state in the deployment.
ENDS = {
    "success": "succeeded",
    "failure": "failed",
    "fell-back": "failed",
    "vanished": "failed",  # its deadline is over
    "hung": "failed",
}
CANARY = {"name": "canary", "count": 20, "success_percent": 40, "error_percent": 95}


@pytest.fixture
def made(make_server):
    server = make_server({"unix.proxy": "yes"})
    server.publish("fleet", "1.0", os.urandom(5000), model="fleet")
    server.publish("fleet", "2.0", os.urandom(5000), model="fleet")
    server.stop()
    server.issuer = fill(server, DEVICES, "--model", "fleet", "--certificates", DEVICES)["issuer"]
    server.start()
    return server


def simulate(server, tmp_path, *args):
    return Fleet(
        server,
        tmp_path,
        *["--protocol", "native", "--issuer", server.issuer, "-n", DEVICES, *RATES],
        *["--interval", 0.3, "--install", 0.1, "--seconds", 150, "--stay", *args],
    )


def create(server, **policy):
    body = {
        "name": "fleet",
        "version": "2.0",
        "target": {"kind": "filter", "value": "model==fleet"},
        "dynamic": False,
        "deadline_seconds": 6,
        **policy,
    }
    return server.api("POST", "/api/deployments", body, expect=201).json()["id"]


def shown(server, deployment):
    return server.api("GET", f"/api/deployments/{deployment}", expect=200).json()


def steer(server, deployment, what, who=None, expect=200):
    return server.api("POST", f"/api/deployments/{deployment}/{what}", who=who, expect=expect).json()


def members(server, deployment):
    """{device: its row}"""
    rows, after = {}, ""
    while after is not None:
        page = server.api(
            "GET",
            f"/api/deployments/{deployment}/devices?limit=100{after and '&after=' + after}",
            expect=200,
        ).json()
        rows.update({row["device"]: row for row in page["items"]})
        after = page["next"]
    return rows


def reason(server, device):
    """Why it got what it got when it last asked, as it is stored."""
    last = server.api("GET", f"/api/devices/{device}/why", expect=200).json()["last_poll"]
    return last and last["reason"]


def kill(server):
    server.stop(signal.SIGKILL)
    server.start()


def fates_of(fleet):
    """{device: the outcome of its last action}"""
    return {f.device: f.outcome for f in fleet.fates()}


def test_from_canary_to_all_with_a_pause_and_two_crashes(made, tmp_path):
    boss = operator(made, tmp_path, "boss")
    wave = {"name": "wave", "percent": 40, "success_percent": 50, "error_count": 8}
    d = create(made, approval=True, phases=[CANARY, wave, {"name": "rest", "success_percent": 0}])
    fleet = simulate(made, tmp_path).start()
    wait_for(lambda: reason(made, "fleet-0000001") == "approval", what="a device knows why it waits")
    steer(made, d, "approve", expect=403)  # whoever made it
    assert steer(made, d, "approve", who=boss)["state"] == "running"

    wait_for(lambda: shown(made, d)["phases"][0]["devices"]["active"] > 0, what="the canary begins")
    assert {row["phase"] for row in members(made, d).values() if row["attempts"]} == {1}
    kill(made)
    wait_for(lambda: shown(made, d)["phase"] == 2, 60, what="the canary's success opens the wave")

    it = wait_for(lambda: (s := shown(made, d))["state"] == "paused" and s, 60, what="errors pause it")
    assert it["phases"][1]["devices"]["failed"] >= 8  # who had begun went on
    assert it["why"] == "stopped when 8 devices of phase 2 of 3 had failed (limit 8 devices)"
    begun = sum(it["actions"].values())
    kill(made)
    wait_for(
        lambda: "paused" in {reason(made, device) for device in waiting(made, d, 3)[:5]}, what="they know"
    )
    assert sum(shown(made, d)["actions"].values()) == begun  # nobody begins

    def goes_on():
        s = shown(made, d)
        if s["state"] == "paused":  # each error more pauses it again: a person looks each time
            steer(made, d, "resume")
        return s["state"] == "finished"

    wait_for(goes_on, 100, what="it is finished")
    fleet.stop()
    told, rows = fates_of(fleet), members(made, d)
    assert len(told) == DEVICES and set(told.values()) == set(ENDS)
    assert {device: row["state"] for device, row in rows.items()} == {k: ENDS[v] for k, v in told.items()}
    assert told == {p.device: drawn(p.fate) for p in fleet.plan().values()}
    phases = collections.Counter(row["phase"] for row in rows.values())
    assert phases == {1: 20, 2: 52, 3: 78}  # 40 % of the 130 that the canary left
    assert all("fell back" in rows[k]["why"] for k, v in told.items() if v == "fell-back")
    assert all("in time" in rows[k]["why"] for k, v in told.items() if v in ("vanished", "hung"))
    s = shown(made, d)
    assert s["devices"] == {
        **dict.fromkeys(s["devices"], 0),
        **collections.Counter(ENDS[v] for v in told.values()),
    }


def drawn(fate):
    return {
        "succeed": "success",
        "fail": "failure",
        "vanish": "vanished",
        "hang": "hung",
        "fall-back": "fell-back",
    }[fate]


def waiting(server, deployment, phase):
    rows = members(server, deployment)
    return [device for device, row in rows.items() if row["state"] == "waiting" and row["phase"] == phase]


def test_called_off_in_the_middle(made, tmp_path):
    d = create(made, per_minute=60, phases=[CANARY, {"name": "rest", "success_percent": 0}])
    fleet = simulate(made, tmp_path).start()
    wait_for(lambda: shown(made, d)["phases"][0]["devices"]["succeeded"] >= 8, 60, what="some succeed")
    kill(made)
    wait_for(lambda: sum(shown(made, d)["actions"].values()) >= 30, 60, what="the rest begins")
    assert steer(made, d, "cancel")["state"] == "cancelled"

    def over():
        states = shown(made, d)["devices"]
        return states["waiting"] + states["active"] == 0

    wait_for(over, 30, what="nobody is at it any more")
    fleet.stop()
    rows, told = members(made, d), fates_of(fleet)
    assert len(rows) == DEVICES
    for device, row in rows.items():
        outcome = told.get(device)
        if outcome in ("success", "failure", "fell-back"):
            assert row["state"] == ENDS[outcome], (device, outcome, row)
        elif outcome == "claimed":  # and it will fall back with its next poll
            assert row["state"] == "succeeded", (device, outcome, row)
        else:  # it had not ended: called off, or given up before that
            assert row["state"] in ("cancelled", "failed"), (device, outcome, row)
            assert row["state"] == "cancelled" or "in time" in row["why"]
    never = [row for row in rows.values() if row["attempts"] == 0]
    assert len(never) >= DEVICES - 2 * 60 and {row["state"] for row in never} == {"cancelled"}
    steer(made, d, "resume", expect=409)


def test_errors_bring_the_old_one_back(made, tmp_path):
    """Those that got the new release before it was stopped go back, and only those."""
    releases = made.api("GET", "/api/firmware", expect=200).json()["items"]
    old = next(r["id"] for r in releases if r["version"] == "1.0")
    d = create(
        made,
        rollback=old,
        phases=[
            {**CANARY, "success_percent": 100, "error_percent": None, "error_count": 4},
            {"name": "rest"},
        ],
    )
    fleet = simulate(made, tmp_path).start()
    s = wait_for(lambda: (s := shown(made, d))["state"] == "cancelled" and s, 60, what="errors stop it")
    back = int(s["why"].rsplit(" ", 1)[1])
    assert "rolled back by deployment" in s["why"]
    assert shown(made, back)["rolls_back"] == d

    def through():
        """All but those that will never come again."""
        gone = {f.device for f in fleet.fates() if f.outcome == "vanished"}
        left = {k for k, v in members(made, back).items() if v["state"] in ("waiting", "active")}
        return left <= gone

    wait_for(through, 60, what="the roll-back is through")
    fleet.stop()
    reached = {device for device, row in members(made, d).items() if row["attempts"]}
    rows = members(made, back)
    assert set(rows) == reached and 4 <= len(reached) <= 20
    succeeded = {k for k, v in rows.items() if v["state"] == "succeeded"}
    assert succeeded and {rows[k]["version"] for k in succeeded} == {"1.0"}
