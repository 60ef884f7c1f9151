"""The load generator counts right, sees what fails, leaves no waiting out; it does what it is told."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest
from harness import ANYONE, BUILD, Server, environment, free_port, run, wait_for

PQLOAD = BUILD / "bench" / "pqload"
PQCERTS = BUILD / "bench" / "pqcerts"


def command(server, *args, path="/healthz", who=ANYONE, ca=None, port=None):
    argv = [PQLOAD, "--json", "--ca", ca or server.roots, "--address", "127.0.0.1", "--warmup", "0"]
    argv += ["--cert", who.cert, "--key", who.key] if who.cert else []
    return [str(a) for a in [*argv, *args, f"https://localhost:{port or server.port}{path}"]]


def load(server, *args, check=0, **kw):
    result = run(command(server, *args, **kw), check=check)
    return result.json() if result.out else result


def answered(server):
    """Requests and handshakes that the server counted."""
    page = server.curl("/metrics").body.decode()
    return {
        name: int(value)
        for name, value in re.findall(
            r'^pqota_(?:requests|handshakes)_total{\w+="(\w+)"} (\d+)', page, re.M
        )
    }


@pytest.fixture(scope="module")
def device(shared):
    shared.data = os.urandom(300_000)
    shared.made = shared.publish("gateway", "1.0", shared.data)
    return shared.enrol("gw-1", "gateway")


def test_each_operation_is_one_of_the_server(shared):
    before = answered(shared)
    result = load(shared, "--rate", "40", "--seconds", "0.5", "-c", "8")
    after = answered(shared)
    assert result["operations"] == 20
    assert result["handshakes_full"] == 20 and result["handshakes_resumed"] == 0
    for name in ("handshake", "request", "operation"):
        latency = result[name]
        assert latency["count"] == 20
        assert 0 < latency["p50_ms"] <= latency["p90_ms"] <= latency["p99_ms"] <= latency["max_ms"]
    # One more each: of the request for the metrics themselves.
    assert after["full"] - before["full"] == 20 + 1
    assert after["2xx"] - before["2xx"] == 20 + 1
    assert result["errors"] == {"count": 0, "kinds": {}, "samples": []}


def test_sessions_are_resumed_and_counted(shared, device):
    before = answered(shared)
    result = load(shared, "-m", "resumed", "-c", "2", "--rate", "40", "--seconds", "0.5", who=device,
                  path="/api/firmware/latest")  # fmt: skip
    after = answered(shared)
    assert result["mutual"] and result["operations"] == 20
    # Each of the two connections begins with a session that there is not yet.
    assert (result["handshakes_full"], result["handshakes_resumed"]) == (2, 18)
    assert after["resumed"] - before["resumed"] == 18


def test_bytes_on_the_wire(shared, device):
    full = load(shared, "--rate", "20", "--seconds", "0.3")
    # ML-DSA-65: a certificate and two signatures one way; ML-KEM-768: a key the other.
    assert 8_000 < full["bytes_to_client"] < 20_000
    assert 1_184 < full["bytes_from_client"] < 3_000
    mutual = load(shared, "--rate", "20", "--seconds", "0.3", who=device)
    assert 8_000 < mutual["bytes_from_client"] - full["bytes_from_client"] < 20_000
    path = f"/api/firmware/{shared.made['id']}/file"
    kept = load(shared, "-m", "download", "-c", "2", "--seconds", "0.5", who=device, path=path)
    assert kept["operations"] > 0
    assert kept["bytes_to_client"] * kept["operations"] > kept["body_bytes"] > 0
    assert kept["body_bytes"] >= (kept["operations"] - 2) * len(shared.data)


def test_requests_on_kept_connections(shared):
    before = answered(shared)
    result = load(shared, "-m", "keep", "-c", "4", "--seconds", "0.3", "--cpu-of", shared.process.pid)
    after = answered(shared)
    assert result["reconnects"] == 0
    assert after["full"] - before["full"] == 4 + 1
    # What was under way at the end is not counted.
    assert 0 <= after["2xx"] - before["2xx"] - 1 - result["operations"] <= 4
    assert result["server_cpu_us"] * result["operations"] == pytest.approx(result["server_cpu_total_us"])


def test_waiting_is_not_left_out(shared):
    """The server stands still for a while: what was due meanwhile is timed from when it was due."""
    argv = command(shared, "-m", "keep", "-c", "1", "--rate", "100", "--seconds", "1")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        wait_for(lambda: connected(shared.port), what="pqload has connected")
        shared.process.send_signal(signal.SIGSTOP)
        resume = threading.Timer(0.5, lambda: shared.process.send_signal(signal.SIGCONT))
        resume.start()
        out = process.communicate(timeout=30)[0]
        resume.join()
    assert process.returncode == 0
    result = json.loads(out)
    assert result["operations"] == 100
    latency = result["operation"]
    assert latency["max_ms"] > 400
    # About fifty of the hundred were due while it stood still, and waited 250 ms in the mean.
    assert latency["mean_ms"] > 80


def connected(port):
    """Whether somebody has a connection to that port (proc_pid_net(5): state 01, remote address)."""
    rows = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[2].endswith(f":{port:04X}") and row.split()[3] == "01" for row in rows)


def test_errors_are_seen(shared, tmp_path):
    wrong = load(shared, "--rate", "20", "--seconds", "0.2", path="/nothing", check=1)
    assert wrong["operations"] == 0
    assert wrong["errors"]["kinds"] == {"status": 4}
    assert "404" in wrong["errors"]["samples"][0]
    assert load(shared, "-n", "2", "--expect", "404", path="/nothing")["operations"] == 2
    args = ["--rate", "20", "--seconds", "0.2", "--allow-errors"]
    assert load(shared, *args, path="/nothing")["errors"]["count"] == 4

    other = shared.dir / "pki" / "device-ca.pem"
    untrusted = load(shared, "--rate", "20", "--seconds", "0.2", ca=other, check=1)
    assert set(untrusted["errors"]["kinds"]) == {"handshake"}
    assert "untrusted CA" in untrusted["errors"]["samples"][0]

    gone = run(command(shared, port=free_port()), check=1)
    assert "nobody answers" in gone.err
    assert run(command(shared, "--rate", "fast"), check=2).err.startswith("pqload: --rate")
    assert "needed" in run([PQLOAD, "https://localhost/"], check=2).err


def test_a_server_that_dies(make_server):
    server = make_server()
    argv = command(server, "-m", "keep", "-c", "2", "--rate", "50", "--seconds", "1")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        wait_for(lambda: connected(server.port), what="pqload has connected")
        server.stop(signal.SIGKILL)
        out = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert json.loads(out)["errors"]["count"] > 0


class Idle:
    """pqload in idle mode, told what to do line by line."""

    def __init__(self, server, *args, **kw):
        pipe = subprocess.PIPE
        argv = command(server, "-m", "idle", *args, **kw)
        self.process = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment()
        )
        self.opened = self.answer()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self, code=0):
        """Its result."""
        out, err = self.process.communicate("quit\n", timeout=30)
        assert self.process.returncode == code, err
        return json.loads(out)


def test_idle_connections_answer_when_asked(shared):
    idle = Idle(shared, "-c", "40")
    for _ in range(2):
        idle.say("ping")
        assert idle.answer() == {"connections": 40, "errors": 0}
    assert idle.opened == {"connections": 40, "errors": 0}
    result = idle.end()
    assert (result["operations"], result["handshakes_full"]) == (120, 40)


def test_idle_connections_poll_at_a_rate(shared):
    idle = Idle(shared, "-c", "20")
    idle.say("poll 200 0.5")
    first = idle.answer()
    assert (first["operations"], first["undone"], first["errors"]) == (100, 0, 0)
    assert first["seconds"] == 0.5 and 0 < first["operation"]["p50_ms"] <= first["operation"]["max_ms"]
    idle.say("poll 50 600")
    shared.process.send_signal(signal.SIGSTOP)
    resume = threading.Timer(1, lambda: shared.process.send_signal(signal.SIGCONT))
    resume.start()
    resume.join()
    idle.say("stop")
    second = idle.answer()
    assert second["undone"] == 0 and 0.4 <= second["seconds"] < 30
    # What was due while the server stood still waited from then on.
    assert second["operation"]["max_ms"] > 300
    idle.say("ping")
    assert idle.answer() == {"connections": 20, "errors": 0}
    result = idle.end()
    assert result["operations"] == 20 + 100 + second["operations"] + 20
    assert result["handshakes_full"] == 20


def stands_still(process):
    """Each of its threads has stopped: the signal alone lets one that runs answer yet."""
    stats = pathlib.Path(f"/proc/{process.pid}/task").glob("*/stat")
    return all(stat.read_text().rpartition(") ")[2][0] == "T" for stat in stats)


def test_a_stretch_ends_though_nobody_answers(make_server):
    server = make_server()
    idle = Idle(server, "-c", "4", "--timeout", "0.3")
    server.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: stands_still(server.process), what="the server stands still")
    idle.say("poll 40 0.2")
    stretch = idle.answer()
    server.process.send_signal(signal.SIGCONT)
    assert stretch["operations"] == 0 and stretch["errors"] + stretch["undone"] >= 4
    idle.end(code=1)


def test_a_stretch_that_cannot_be_read(shared):
    idle = Idle(shared, "-c", "1")
    idle.say("poll often")
    _, err = idle.process.communicate(timeout=30)
    assert idle.process.returncode == 1 and "a rate and seconds" in err


# --- what is asked, and by whom -------------------------------------------------------------------------


def identities(tmp_path, *rows):
    file = tmp_path / "identities"
    file.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A server where each device may ask for its own path alone."""
    server = Server(tmp_path_factory.mktemp("own"), {"ddi.enabled": "yes"}, via="").start()
    server.devices = {f"d-{i}": server.enrol(f"d-{i}", "board") for i in range(3)}
    yield server
    server.close()


def test_each_connection_is_somebody_else(own, tmp_path):
    rows = [(who.cert, who.key, f"/DEFAULT/controller/v1/{name}") for name, who in own.devices.items()]
    everybody = ["--identities", identities(tmp_path, *rows), "--rate", "50", "--seconds", "0.6"]
    for mode in ("full", "keep"):
        result = load(own, "-m", mode, "-c", "6", *everybody)
        assert result["mutual"] and (result["operations"], result["errors"]["count"]) == (30, 0)
    # Each slot has a session of its own, and resumes it.
    assert load(own, "-m", "resumed", "-c", "3", *everybody)["handshakes_resumed"] == 27
    crossed = [(*row[:2], other[2]) for row, other in zip(rows, [*rows[1:], rows[0]])]
    wrong = load(
        own, "--identities", identities(tmp_path, *crossed), "--rate", "20", "--seconds", "0.3", check=1
    )
    assert wrong["operations"] == 0 and "403" in wrong["errors"]["samples"][0]
    # Without a path it is the URL's.
    short = identities(tmp_path, rows[1][:2])
    assert load(own, "--identities", short, "-n", "1", path=rows[1][2])["operations"] == 1


def test_certificates_for_many(own, tmp_path):
    authority = own.dir / "pki" / "device-ca.pem"
    by = ["--ca", authority, "--ca-key", authority.with_suffix(".key"), "--id-prefix", "m-", "--first", "8"]
    path = "/DEFAULT/controller/v1/m-0000009"
    done = run([PQCERTS, *by, "-n", "3", "--path", path, tmp_path], check=0)
    file = tmp_path / "many"
    file.write_text(done.out)
    everybody = load(own, "--identities", file, "-c", "3", "-n", "9", check=1)
    assert everybody["operations"] >= 3 and everybody["errors"]["kinds"]["status"] >= 2
    (mine,) = [line for line in done.out.splitlines() if "m-0000009.pem" in line]
    file.write_text(mine + "\n")
    assert load(own, "--identities", file, "-n", "4")["operations"] == 4
    assert "exists already" in run([PQCERTS, *by, tmp_path], check=1).err
    other = tmp_path / "other"
    other.mkdir()
    assert "no device's id" in run([PQCERTS, *by[:4], "--id-prefix", "?", other], check=1).err
    assert run([PQCERTS, tmp_path], check=2).err.startswith("pqcerts: --ca and --ca-key")


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "names nobody"),
        ("only-a-certificate\n", "line 1 is not CERT KEY [PATH]"),
        ("c k / more\n", "line 1 is not CERT KEY [PATH]"),
        ("c k nowhere\n", "line 1: the path must begin with /"),
        ("c k /\n", "cannot"),
    ],
)
def test_identities_that_are_none(shared, tmp_path, text, said):
    file = tmp_path / "identities"
    file.write_text(text)
    assert said in run(command(shared, "--identities", file), check=1).err


def test_numbered_bodies_are_all_different(own, tmp_path):
    """Reports that differ are all stored."""
    own.publish("board", "2.0", os.urandom(1000))
    target = {"kind": "device", "value": "d-0"}
    order = {"name": "board", "version": "2.0", "target": target}
    own.api("POST", "/api/deployments", order, expect=201)
    action = own.curl("/api/update?version=1.0", who=own.devices["d-0"]).json()["action"]
    body = tmp_path / "report"
    body.write_text('{"state":"downloading","progress":7,"message":"#### of ######"}')
    result = load(own, "-m", "keep", "-c", "2", "-n", "25", "--body", body, "--expect", "204",
                  "--header", "Content-Type: application/json", who=own.devices["d-0"],
                  path=f"/api/update/{action}/status")  # fmt: skip
    assert result["operations"] == 25
    told = own.api("GET", "/api/devices/d-0/history", expect=200).json()["items"]
    texts = " ".join(entry["text"] for entry in told)
    assert sorted(re.findall(r"(\d{4}) of ######", texts)) == [f"{n:04}" for n in range(1, 26)]


def test_header_fields_and_methods(shared, device):
    path = f"/api/firmware/{shared.made['id']}/file"
    part = ["-m", "download", "-n", "4", "--header", "Range: bytes=1000-1999", "--expect", "206"]
    result = load(shared, *part, who=device, path=path)
    assert (result["operations"], result["body_bytes"]) == (4, 4000)
    head = load(shared, "-m", "keep", "-n", "3", "--method", "HEAD", who=device, path=path)
    assert (head["operations"], head["body_bytes"]) == (3, 0)
    assert load(shared, "-n", "1", "--method", "DELETE", "--expect", "405")["operations"] == 1


# --- how many, and what is turned away ------------------------------------------------------------------


def test_so_many_operations_and_no_more(shared):
    before = answered(shared)
    result = load(shared, "-n", "20", "-c", "8", "--seconds", "60")
    after = answered(shared)
    assert result["operations"] == 20 and result["seconds"] < 60
    assert after["full"] - before["full"] == 20 + 1


def test_it_waits_for_its_beginning(shared):
    argv = command(shared, "-n", "3", "--await")
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert json.loads(process.stdout.readline()) == {"ready": True}
        before = answered(shared)
        out = process.communicate("go\n", timeout=30)[0]
    assert json.loads(out)["operations"] == 3
    assert answered(shared)["full"] - before["full"] == 3 + 1


def test_operations_that_nobody_does_are_told(shared):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        result = load(shared, "-n", "3", "-c", "2", "--seconds", "0.3", port=port, check=1)
    assert result["operations"] == 0
    assert "3 of 3 operations were not done after 0.3 s" in result["errors"]["samples"][0]


def test_connections_that_are_open_before(shared):
    before = answered(shared)
    result = load(shared, "-m", "keep", "-c", "40", "--open-first", "--rate", "100", "--seconds", "0.2")
    after = answered(shared)
    assert (result["operations"], result["handshakes_full"], result["reconnects"]) == (20, 0, 0)
    assert after["full"] - before["full"] == 40 + 1
    assert after["2xx"] - before["2xx"] == 20 + 1


def test_who_is_turned_away_tries_again(make_server):
    server = make_server({"limits.connections_per_address": 2})
    refused = load(server, "-n", "40", "-c", "8", check=1)
    assert refused["errors"]["count"] > 0 and refused["retries"]["count"] == 0
    result = load(server, "-n", "40", "-c", "8", "--retry", "0.05")
    assert result["operations"] == 40 and result["errors"]["count"] == 0
    assert result["retries"]["count"] == sum(result["retries"]["kinds"].values()) > 0
    # It is timed from when it began, with all the waiting.
    assert result["operation"]["max_ms"] > 25
    # What is wrong in itself is not tried again.
    wrong = load(server, "-n", "2", "--retry", "0.05", path="/nothing", check=1)
    assert (wrong["retries"]["count"], wrong["errors"]["kinds"]) == (0, {"status": 2})


@pytest.mark.parametrize(
    "args, said",
    [
        (["--header", "no colon"], "Name: value"),
        (["--header", "Two words: x"], "Name: value"),
        (["-m", "keep", "-n", "5", "--rate", "5"], "--operations makes no sense"),
        (["-n", "0"], "--operations is"),
        (["--open-first"], "--open-first makes sense"),
        (["--retry", "0"], "--retry is"),
        (["-m", "idle", "--await"], "--await makes no sense"),
        (["--method", "TWO WORDS"], "one word"),
        (["--identities", "f", "--cert", "c", "--key", "k"], "makes no sense beside it"),
    ],
)
def test_options_that_make_no_sense(shared, args, said):
    assert said in run(command(shared, *args), check=2).err
