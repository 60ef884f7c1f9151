"""pqfleet does what it drew and says what it did, whatever becomes of the server; fleet_rows.py adds rows."""

import json
import os
import signal
import sqlite3
import subprocess

import pytest

from fleet import Fleet, fill
from harness import ANYONE, BUILD, run, wait_for

DEVICES = 120
RATES = ["--fail", "0.15", "--vanish", "0.1", "--hang", "0.1", "--fall-back", "0.1"]
FATES = {
    "succeed": "success",
    "fail": "failure",
    "vanish": "vanished",
    "hang": "hung",
    "fall-back": "fell-back",
}
# What the server must have of an action of which the device did that: its state, what the device runs.
STORED = {
    "success": ("succeeded", "2.0"),
    "failure": ("failed", "1.0"),
    "vanished": ("offered", "1.0"),
    "hung": ("downloading", "1.0"),
    "fell-back": ("failed", "1.0"),
}


def actions(server):
    """{(device, action): (state, version that the device runs)}, from a stopped server's database."""
    with sqlite3.connect(server.dir / "data" / "pqota.db") as db:
        rows = db.execute(
            "SELECT d.id, a.pk, a.state, d.version FROM action a JOIN device d ON d.pk = a.device"
        ).fetchall()
    return {(device, action): (state, version) for device, action, state, version in rows}


@pytest.fixture
def made(make_server):
    """A server that has a release for devices that were never enrolled, and deploys it to all."""
    server = make_server({"unix.proxy": "yes"})
    server.publish("fleet", "2.0", os.urandom(5000), model="fleet")
    server.stop()
    server.issuer = fill(server, DEVICES, "--model", "fleet", "--certificates", DEVICES)["issuer"]
    server.start()
    server.pqota("deploy", "fleet@2.0", "--all")
    return server


def native(server, tmp_path, *args):
    return Fleet(
        server, tmp_path, "--protocol", "native", "--issuer", server.issuer, "-n", DEVICES, *RATES, *args
    )


def test_every_device_does_what_was_drawn_though_the_server_is_killed(made, tmp_path):
    fleet = native(
        made, tmp_path, "--interval", 0.6, "--install", 0.3, "--download", "full", "--seconds", 100
    )
    fleet.start()
    for share in (0.2, 0.5):
        wait_for(
            lambda: len(fleet.fates()) > 0 if fleet.fate_file.exists() else False, what="a device is done"
        )
        wait_for(lambda: opened(made) > share * DEVICES, what="devices are at it")
        made.stop(signal.SIGKILL)
        made.start()
    result = fleet.wait()
    made.stop()
    fates = fleet.fates()
    assert result["ended"] == "done" and result["done"] and result["settled"] == DEVICES, result
    assert len({f.device for f in fates}) == len(fates) == DEVICES
    plan = fleet.plan()
    assert {f.device: f.outcome for f in fates} == {p.device: FATES[p.fate] for p in plan.values()}
    assert {(f.device, f.action): STORED[f.outcome] for f in fates} == actions(made)
    assert {(f.outcome, f.version) for f in fates} == {(how, STORED[how][1]) for how in STORED}
    assert result["outcomes"]["success"] == sum(f.outcome == "success" for f in fates)
    assert result["errors"]["count"] > 0  # it noticed
    assert set(result["errors"]["kinds"]) <= {"connect", "io", "closed", "busy", "timeout"}, result[
        "errors"
    ]
    assert result["download_bytes"] == 5000 * result["downloads"]


def opened(server):
    """How many devices were offered the update by now."""
    return sum(server.api("GET", "/api/deployments/1", expect=200).json()["actions"].values())


def test_it_ends_when_it_is_told_and_says_where_all_stand(made, tmp_path):
    fleet = native(made, tmp_path, "--interval", 0.2, "--install", 1000, "--stay").start()
    wait_for(lambda: opened(made) == DEVICES, what="all are offered the update")
    result = fleet.stop()
    made.stop()
    fates = {(f.device, f.action): f.outcome for f in fleet.fates()}
    assert result["ended"] == "signal" and not result["done"]
    assert set(fates.values()) <= {"vanished", "hung", "offered", "proceeding", "reporting"}
    assert fates.keys() == actions(made).keys()


def test_a_device_that_the_server_does_not_know_is_an_error(made, tmp_path):
    fleet = native(made, tmp_path, "--interval", 0.2, "--seconds", 1, "--first", 500).start()
    result = fleet.wait()
    assert result["ended"] == "time" and result["polls"] == 0 and fleet.fates() == []
    assert set(result["errors"]["kinds"]) == {"status"} and "401" in result["errors"]["samples"][0]


def test_nobody_there(tmp_path):
    argv = [BUILD / "bench" / "pqfleet", "--server", "http://127.0.0.1:9", "--gateway-token", "t"]
    done = run([*argv, "-n", 5, "--interval", 0.2, "--seconds", 1], check=0)
    result = json.loads(done.out)
    assert set(result["errors"]["kinds"]) == {"connect"} and result["settled"] == 0
    bad = run([*argv, "--fate-file", tmp_path / "no" / "file"], check=1)
    assert bad.err.startswith("pqfleet: ") and "no/file" in bad.err
    assert run([*argv, "--interval", "soon"], check=2).err.startswith("pqfleet: --interval")


def test_a_result_that_cannot_be_written_is_an_error():
    argv = [BUILD / "bench" / "pqfleet", "--plan", "1", "-n", "100000"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"could not be written" in done.stderr


def test_rows(make_server):
    server = make_server()
    assert "stop it first" in fill(server, 5, check=1).err
    server.stop()
    kinds = ["--model", "a", "--model", "b", "--version", "1", "--version", "2"]
    said = fill(server, 60, *kinds, "--tag", "few:20", "--certificates", 3)
    assert said["devices"] == 60 and said["issuer"].startswith("CN=")
    assert "UNIQUE" in fill(server, 1, "--first", 60, check=1).err  # none of it is there twice
    fill(server, 1, "--first", 61, "--ddi")
    with sqlite3.connect(server.dir / "data" / "pqota.db") as db:
        kinds = db.execute(
            "SELECT model, version, interface, count(*) FROM device GROUP BY 1, 2, 3"
        ).fetchall()
        tagged = db.execute("SELECT id FROM device_tag WHERE tag = 'few' ORDER BY 1").fetchall()
        certified = db.execute(
            "SELECT d.id FROM certificate c JOIN device d ON d.pk = c.device ORDER BY 1"
        ).fetchall()
    assert sorted(kinds) == [
        ("a", "1", "native", 15),
        ("a", "2", "native", 15),
        ("b", "1", "native", 15),
        ("b", "2", "native", 15),
        ("fleet", "1.0", "ddi", 1),
    ]
    assert [row[0] for row in tagged] == ["fleet-0000020", "fleet-0000040", "fleet-0000060"]
    assert [row[0] for row in certified] == ["fleet-0000001", "fleet-0000002", "fleet-0000003"]
    server.start()
    status = server.api("GET", "/api/status", expect=200).json()
    assert status["devices"]["total"] == 61, status
    assert server.curl("/readyz", who=ANYONE).status == 200
