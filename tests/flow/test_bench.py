"""`make bench` writes its tables; what stands in them is worked out right."""

import json
import os
import sys
import xml.etree.ElementTree

import pytest
from harness import BUILD, RELEASE, TREE, environment, run

sys.path.insert(0, str(TREE / "bench"))

import idle_many as bench_idle_many  # noqa: E402
import rows as bench_rows  # noqa: E402
import scaling as bench_scaling  # noqa: E402
import table as bench_table  # noqa: E402
import trust as bench_trust  # noqa: E402

PQTRUST = BUILD / "bench" / "pqtrust"
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


# --- open consoles --------------------------------------------------------------------------------------


def test_consoles_are_measured(tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("the measurement needs two processor cores")
    bench = [sys.executable, TREE / "bench" / "run.py", "--place", tmp_path, "--rows", "consoles"]
    done = run([*bench, "--rounds", "1", "--seconds", "1"], check=0, timeout=120)
    found = json.loads((tmp_path / "consoles.json").read_text())
    assert set(found) == {"full-mutual", "resumed-mutual", "keep-mutual", "handshake-mutual"}
    rounds = [kinds[k] for kinds in found.values() for k in ("with", "without")]
    assert all(len(figures) == 1 and min(figures[0]) > 0 for figures in rounds)
    assert "| 50 consoles |" in done.out


# --- signed update metadata -----------------------------------------------------------------------------

REFRESH = {"cpu_ms", "cpu_ms_least", "requests", "bytes", "ml_dsa_verified", "classical_verified"}
REFRESH |= {"ml_dsa_ms", "classical_ms", "hash_ms", "json_ms", "canon_ms", "rest_ms"}
TRUST_KEYS = {
    "first": REFRESH,
    "steady": REFRESH,
    "first_87": REFRESH,
    "steady_87": REFRESH,
    "memory": {"delegations", "targets", "client_bytes", "client_bytes_least", "stack_bytes", "heap_bytes"}
    | {"resident_bytes", "process_bytes"},
    "signing": {"targets", "roles", "signatures", "bytes", "make_ms", "canon_ms", "sign_ms", "write_ms"}
    | {"cpu_ms"},
    "director": {"devices", "polls", "decisions", "signatures", "decision_cpu_us", "fetch_cpu_us"}
    | {"stored_bytes_per_device", "million_cpu_minutes", "million_stored_gb"},
    "sizes": {"root", "timestamp", "snapshot", "snapshot_each_role", "targets", "targets_each_role"}
    | {"delegated", "delegated_each_target", "director", "manifest", "manifest_entry"},
}


def pqtrust(**options):
    argv = [PQTRUST, *(a for name, value in options.items() for a in (f"--{name}", str(value)))]
    return run(argv, timeout=120).json()


def test_what_signed_metadata_cost():
    result = pqtrust(repeat=2, delegations=3, targets=4, sign=30, devices=5)
    assert {part: set(fields) for part, fields in result.items()} == TRUST_KEYS
    first, memory = result["first"], result["memory"]
    # Roots 2, timestamp, snapshot, targets, a delegated role, the director's file; two roots 3 are not there.
    assert first["requests"] == 9 and result["steady"]["requests"] == 4
    assert 0 < first["cpu_ms_least"] <= first["cpu_ms"] and first["ml_dsa_ms"] > 0
    assert first["ml_dsa_verified"] == first["classical_verified"] >= 9
    assert result["steady"]["bytes"] < first["bytes"] < result["first_87"]["bytes"]
    assert memory["targets"] == 12 and 0 < memory["client_bytes"] < 4_000_000
    # Where it is found out how little will do, that is what was used, to a page.
    assert abs(memory["client_bytes_least"] - memory["client_bytes"]) < 8192
    # A pair for each role, for each decision: not for each target, not for each poll.
    assert (result["signing"]["roles"], result["signing"]["signatures"]) == (3, 6)
    director = result["director"]
    assert (director["devices"], director["polls"], director["decisions"]) == (5, 50, 5)
    assert director["signatures"] == 10
    assert 7_000 < result["sizes"]["timestamp"] < 8_000 and result["sizes"]["manifest"] < 5_000


def test_more_targets_take_more_memory_and_no_more_signatures():
    few, many = (pqtrust(repeat=1, delegations=1, targets=n, sign=n, devices=1) for n in (10, 300))
    assert many["memory"]["client_bytes"] > few["memory"]["client_bytes"]
    assert many["signing"]["bytes"] > few["signing"]["bytes"]
    assert many["signing"]["signatures"] == few["signing"]["signatures"]


def test_pqtrust_says_what_is_wrong():
    assert run([PQTRUST, "--devices", "none"], check=2).err.startswith("pqtrust: --devices")
    assert "see --help" in run([PQTRUST, "--fast"], check=2).err
    assert "too much" in run([PQTRUST, "more"], check=2).err
    assert "Exit code" in run([PQTRUST, "--help"], check=0).out


def trust_rounds(*changes):
    """Rounds as pqtrust prints them, every figure 1 but what is changed."""
    reached = {"director": {"devices": 4, "decisions": 4, "signatures": 8, "polls": 40}}
    reached["signing"] = {"roles": 3, "signatures": 6}
    rounds = []
    for change in changes:
        one = {part: dict.fromkeys(fields, 1.0) for part, fields in TRUST_KEYS.items()}
        for part, fields in [*reached.items(), *change.items()]:
            one[part] |= fields
        rounds.append(one)
    return rounds


def test_medians_and_doubts_of_metadata():
    good = bench_trust.summary(trust_rounds(*({"first": {"cpu_ms": ms}} for ms in (5.0, 5.2, 5.1))))
    assert good["figures"]["first"]["cpu_ms"] == 5.1
    assert good["spread"] == {"first": {"cpu_ms": round(0.2 / 5.1, 3)}}
    assert bench_trust.doubts(good) == []
    assert "5.1 ms" in bench_trust.text(good) and "| 5.1 ms |" in bench_trust.markdown(good)
    noisy = bench_trust.summary(trust_rounds(*({"first": {"cpu_ms": ms}} for ms in (5.0, 9.0, 5.1))))
    assert bench_trust.doubts(noisy) == ["first: rounds differ by 78%"]
    for change in (
        {"first": {"cpu_ms": 10.1}},
        {"memory": {"client_bytes": 3_999_999}},
        {"signing": {"signatures": 2000}},
        {"director": {"signatures": 80}},
        {"director": {"decisions": 40, "signatures": 80}},
    ):
        missed = bench_trust.doubts(bench_trust.summary(trust_rounds(change)))
        assert len(missed) == 1 and missed[0].startswith("not reached: ")


def test_the_table_of_metadata_is_written(tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("the measurement needs two processor cores")
    bench = [sys.executable, TREE / "bench" / "run.py", "--place", tmp_path, "--rows", "trust"]
    assert "nothing in" in run([*bench, "--readme"], check=1).err
    env = environment(PQOTA_RELEASE=str(RELEASE))
    done = run([*bench, "--rounds", "1", "--quick"], check=0, timeout=120, env=env)
    assert "trust: Signed update metadata" in done.out
    found = json.loads((tmp_path / "trust.json").read_text())
    assert {part: set(fields) for part, fields in found["figures"].items()} == TRUST_KEYS
    assert {"machine", "doubts", "spread"} <= set(found)
    assert not (tmp_path / "bench.json").exists()
    readme = run([*bench, "--readme"], check=0).out.splitlines()
    assert readme[0] == "| Signed update metadata | | |" and len(readme) > 10


# --- very many devices ----------------------------------------------------------------------------------


def few(tmp_path, *rows, share=0.02):
    """These rows, with a part of their devices; answers what was printed."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("the measurement needs two processor cores")
    bench = [sys.executable, TREE / "bench" / "run.py", "--place", tmp_path, "--rows", ",".join(rows)]
    part = ["--rounds", "1", "--seconds", "0.2", "--share", share, "--configs", "pqota,nginx,pqota-nginx"]
    env = environment(PQOTA_RELEASE=str(RELEASE.resolve()))
    return run([*bench, *part], check=0, timeout=180, env=env).out


def test_polls_of_many_devices(tmp_path):
    few(tmp_path, "poll", "poll-ddi")
    lines = {(x["row"], x["config"]): x for x in json.loads((tmp_path / "bench.json").read_text())}
    assert set(lines) == {(r, c) for r in ("poll", "poll-ddi") for c in ("pqota", "nginx", "pqota-nginx")}
    assert all(line["per_second"] > 0 and line["ratio_to_nginx"] > 0 for line in lines.values())
    static = tmp_path / "work" / "static"
    # nginx has the very bytes that pqota answers: none to a native device, hawkBit's words to the others.
    assert all(f.stat().st_size == 0 for f in (static / "poll").iterdir())
    words = [json.loads(f.read_text()) for f in (static / "poll-ddi").iterdir()]
    assert len(words) == 64 and all(w["config"]["polling"]["sleep"] == "00:05:00" for w in words)


def test_reports_of_many_devices(tmp_path):
    printed = few(tmp_path, "reports")
    found = json.loads((tmp_path / "reports.json").read_text())
    (figures,) = found["rounds"]
    assert found["connections"] == 5
    assert all(value > 0 for name, value in figures.items() if name != "others_share")
    # Each is in the log, with its row of the history.
    assert figures["log_bytes"] > 100 and figures["reports_per_commit"] >= 1
    assert f"| {figures['per_second']:.0f}/s |" in printed


def test_a_storm(tmp_path):
    printed = few(tmp_path, "storm")
    found = json.loads((tmp_path / "storm.json").read_text())
    assert set(found) == {"pqota", "nginx"}
    for figures in found.values():
        assert figures["storm"]["served"] == figures["storm"]["clients"] == 200
        assert figures["without"]["polls"] > 0 and figures["during"]["polls"] > 0
        assert figures["during"]["errors"] == figures["during"]["undone"] == 0
        assert figures["memory"]["peak"] >= figures["memory"]["before"] > 0
    assert "200 of 200" in printed


def test_idle_connections_and_downloads_of_many(tmp_path):
    printed = few(tmp_path, "idle-15000", "downloads-1000")
    idle = json.loads((tmp_path / "idle-15000.json").read_text())
    assert idle["connections"] == idle["wanted"] == 300 and idle["rate"] == 20
    assert idle["rounds"][0]["polls"] > 0 and idle["memory_per_connection"] > 0
    downloads = json.loads((tmp_path / "downloads-1000.json").read_text())
    assert downloads["connections"] == 20 and set(downloads["rounds"]) == {"pqota", "nginx"}
    assert all(rounds[0]["bytes_per_second"] > 0 for rounds in downloads["rounds"].values())
    assert "| 300 |" in printed and "20 downloads at once" in printed


def test_what_makes_rows_of_many_doubtful():
    rounds = {"pqota": [{"others_share": 0.5}, {"others_share": 0.4}, {"others_share": 0.0}]}
    rounds["nginx"] = [{"generator_cpu_share": 0.97, "others_share": 0.1}]
    assert bench_table.remarks(rounds) == [
        "",
        "The load was the limit: nginx.",
        "Too noisy to tell, others took much of the servers' core: pqota.",
    ]
    assert bench_table.remarks({"pqota": [{"others_share": 0.1}]}) == []


def test_a_server_that_takes_fewer_connections():
    log = 'msg="fewer connections than limits.connections allows: the process may open too few files" '
    log += "connections=9872 limits.connections=16000\n"
    assert bench_idle_many.admitted(log, 15000) == 9856
    assert bench_idle_many.admitted(log, 300) == 300
    assert bench_idle_many.admitted("", 15000) == 15000


def test_what_two_loops_do(tmp_path):
    printed = few(tmp_path, "scaling")
    found = json.loads((tmp_path / "scaling.json").read_text())
    assert set(found) == {"full-mutual", "resumed-mutual", "keep-mutual"}
    assert all(set(rounds) == {"1", "2"} for rounds in found.values())
    assert "keep-mutual | " in printed
    rates = {"1": [{"per_second": 100}, {"per_second": 80}], "2": [{"per_second": 190}, {"per_second": 160}]}
    assert bench_scaling.factors_of(rates) == [1.9, 2]


def test_what_sessions_take(tmp_path):
    printed = few(tmp_path, "sessions")
    found = json.loads((tmp_path / "sessions.json").read_text())
    assert list(found) == ["2000", "20000"]
    for count, (figures,) in found.items():
        assert figures["sessions"] == int(count) and figures["put_us"] > 0
        assert 100 < figures["bytes_each"] < 2000
    assert "| 20000 |" in printed
    program = BUILD / "bench" / "pqsessions"
    assert "-n is" in run([program, "-n", "10"], check=2).err
    assert "too much" in run([program, "more"], check=2).err
