"""The load generator counts right, sees what fails, leaves no waiting out; `make bench` writes its table."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree

import pytest
from harness import ANYONE, BUILD, TREE, environment, free_port, run, wait_for

sys.path.insert(0, str(TREE / "bench"))

import rows as bench_rows  # noqa: E402
import table as bench_table  # noqa: E402

PQLOAD = BUILD / "bench" / "pqload"
KEYS = {
    "config",
    "row",
    "per_second",
    "p50_ms",
    "p99_ms",
    "server_cpu_us",
    "bytes_to_client",
    "bytes_from_client",
    "rss_per_connection",
    "ratio_to_nginx",
}


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
    assert load(shared, "--seconds", "0.1", "--expect", "404", path="/nothing")["operations"] > 0
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


def test_idle_connections_answer_when_asked(shared):
    argv = command(shared, "-m", "idle", "-c", "40")
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        for _ in range(2):
            assert json.loads(process.stdout.readline()) == {"connections": 40, "errors": 0}
            process.stdin.write("ping\n")
            process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"connections": 40, "errors": 0}
        out = process.communicate("quit\n", timeout=30)[0]
    assert process.returncode == 0
    result = json.loads(out)
    assert (result["operations"], result["handshakes_full"]) == (120, 40)


# --- make bench ---------------------------------------------------------------------------------------


def test_ratios_go_round_by_round_to_the_better_nginx():
    rows = {row.name: row for row in bench_rows.ROWS}
    full, latency = rows["full"], rows["handshake"]
    table = bench_table.Table()
    speeds = {"pqota": [100, 90, 110], "nginx": [50, 100, 100], "nginx-cache": [100, 60, 55]}
    for name, values in speeds.items():
        for value in values:
            figures = dict.fromkeys(bench_rows.FIELDS) | {"per_second": value, "p50_ms": value}
            table.add(full, name, figures, {"others": 0.0})
            table.add(latency, name, figures, {})
    assert table.ratios(full, "pqota") == [1.0, 0.9, 1.1]
    line = table.line(full, "pqota")
    assert (line["per_second"], line["ratio_to_nginx"]) == (100, 1.0)
    assert table.line(full, "nginx")["ratio_to_nginx"] == 1.0
    # Of a latency less is better.
    assert table.ratios(latency, "pqota") == [0.5, 60 / 90, 0.5]
    assert table.doubts(full, "pqota") == []
    for value in (10, 200, 100):
        table.add(full, "flask-tls", dict.fromkeys(bench_rows.FIELDS) | {"per_second": value}, {})
    assert "too noisy to tell" in table.doubts(full, "flask-tls")[0]
    table.fail(full, "flask-nginx", "it broke")
    assert table.doubts(full, "flask-nginx") == ["failed: it broke"]
    assert table.line(full, "flask-nginx")["per_second"] is None


def test_noise_and_a_session_that_is_never_resumed_are_told():
    row = next(row for row in bench_rows.ROWS if row.name == "resumed-mutual")
    table = bench_table.Table()
    figures = dict.fromkeys(bench_rows.FIELDS) | {"per_second": 100}
    for _ in range(3):
        table.add(row, "nginx", figures, {"others": 0.3, "resumed": 1.0, "generator": 0.2})
        table.add(row, "nginx-cache", figures, {"others": 0.0, "resumed": 0.0, "generator": 0.99})
    assert table.doubts(row, "nginx")[0].startswith("noisy")
    assert table.doubts(row, "nginx-cache") == ["never resumes", "the load was the limit"]


# The last one's rate is half of what nginx reaches in a row that is not run here.
ROWS_RUN = ("full", "keep", "idle", "handshake-load-mutual")


PRIORITY = """
import pathlib, sys, priority
with priority.raised(print, pathlib.Path(sys.argv[1])):
    print("within", *pathlib.Path(sys.argv[1]).read_text().split())
"""


@pytest.mark.parametrize("begin, within", [("", "within"), ("/autogroup-7 nice 3\n", "within -15")])
def test_priority_on_any_kernel(begin, within, tmp_path):
    """A process that is in no group has an empty /proc/self/autogroup."""
    group = tmp_path / "autogroup"
    group.write_text(begin)
    env = environment(PYTHONPATH=str(TREE / "bench"))
    lines = run([sys.executable, "-c", PRIORITY, group], env=env, check=0).out.splitlines()
    if "could not be raised" in lines[0]:
        within = f"within {begin}".strip()
        del lines[0]
    assert lines == [within]
    assert group.read_text() == ("3" if begin else "")


def test_the_table_is_written(tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("the measurement needs two processor cores")
    bench = [sys.executable, TREE / "bench" / "run.py", "--place", tmp_path]
    part = ["--rows", ",".join(ROWS_RUN), "--configs", "pqota,nginx,pqota-nginx"]
    done = run([*bench, *part, "--rounds", "1", "--seconds", "0.2", "--idle", "20"], check=0, timeout=120)
    lines = json.loads((tmp_path / "bench.json").read_text())
    assert {(line["row"], line["config"]) for line in lines} == {
        (row, config) for row in ROWS_RUN for config in ("pqota", "nginx", "pqota-nginx")
    }
    for line in lines:
        assert set(line) == KEYS
        assert (line["rss_per_connection"] is None) == (line["row"] != "idle")
        assert (line["per_second"] is None) == (line["row"] == "idle")
        if line["config"] == "nginx" and line["row"] != "idle":
            assert line["ratio_to_nginx"] == 1.0
    machine = json.loads((tmp_path / "machine.json").read_text())
    assert {"date", "machine", "versions", "calibration", "doubts"} <= set(machine)
    chart = xml.etree.ElementTree.parse(tmp_path / "bench.svg").getroot()
    assert len(chart.findall(".//{*}rect[@class='pqota']")) >= 2
    assert "full: Full handshake" in done.out

    readme = run([*bench, "--readme"], check=0).out
    head, rule, *body = readme.splitlines()
    assert head == "| | pqota | pqota-nginx | nginx |" and rule == "|---|---|---|---|"
    assert len([line for line in body if line.startswith("|")]) == len(ROWS_RUN)
    assert run([*bench, "--rows", "fast"]).code == 2
