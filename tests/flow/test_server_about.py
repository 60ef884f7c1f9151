"""What the server tells of itself: GET /api/server and GET /api/server/history."""

import contextlib
import datetime
import re
import sqlite3

import pytest
from harness import ANYONE, RELEASE, TREE, openssl, run, wait_for


def about(server, **kw):
    return server.api("GET", "/api/server", expect=200, **kw).json()


def lattice_code():
    """The code path that the provider takes on this processor, as the module says itself."""
    module = ["-provider-path", RELEASE / "src" / "provider", "-provider", "pqlattice"]
    listed = openssl("list", "-providers", "-verbose", *module).decode()
    return re.search(r"build info: \S+ (avx512|avx2|portable)\n", listed)[1]


@pytest.mark.parametrize("asked", ["auto", "openssl", "lattice"])
def test_whose_lattices(make_server, asked):
    server = make_server({"tls.crypto": asked})
    code = lattice_code()
    used = "openssl" if asked == "openssl" or (asked == "auto" and code == "portable") else code
    assert about(server)["crypto"]["lattice"] == used
    page = server.curl("/metrics").body.decode()
    assert f'pqota_info{{version="{about(server)["version"]}",lattice="{used}"}} 1' in page
    assert re.search(rf"\bmsg=ready .*\blattice={used}\b", server.logs())


def test_what_runs(shared):
    said = about(shared)
    assert said["version"] in run([shared_program(shared), "--version"]).out
    assert said["started"] < said["now"]
    assert {"name": "tls", "address": f"127.0.0.1:{shared.port}"} in said["listeners"]
    assert {"name": "unix", "address": str(shared.unix)} in said["listeners"]
    assert said["crypto"]["policy"] == "balanced" and said["crypto"]["signatures"] == ["mldsa65"]
    assert said["crypto"]["groups"][0] == "X25519MLKEM768" and said["crypto"]["openssl"].startswith("3.")
    assert "TLS_AES_256_GCM_SHA384" in said["crypto"]["ciphers"]
    assert all(0 <= q["waiting"] <= q["limit"] for q in said["queues"].values())
    assert said["connections"] >= 1 and said["memory_bytes"] > 1 << 20
    assert said["sessions"] <= said["limits"]["sessions"]
    per_address = re.search(r"(?m)^#?connections_per_address = (\d+)$", shared.conf.read_text())
    assert said["limits"]["connections_per_address"] == int(per_address[1])


def shared_program(server):
    return server.build / "src" / "cmd" / "pqota"


def openssl_says(path):
    """Subject and end of a file's first certificate, as OpenSSL's own program reads them."""
    out = run(
        ["openssl", "x509", "-in", path, "-noout", "-subject", "-nameopt", "RFC2253", "-enddate"], check=0
    ).out
    subject, end = re.fullmatch(r"subject=(.*)\nnotAfter=(.*) GMT\n", out).groups()
    end = datetime.datetime.strptime(end, "%b %d %H:%M:%S %Y")
    return subject, end.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_certificates_are_those_of_the_files(shared):
    rows = about(shared)["certificates"]
    assert {"tls", "device-ca", "device-roots", "operator-roots", "server-roots"} <= {
        r["what"] for r in rows
    }
    for row in rows:
        assert (row["subject"], row["expires"]) == openssl_says(row["file"]), row
        assert row["algorithm"] == ("p256" if row["what"] in ("console", "classical") else "mldsa65"), row


def test_a_reload_renews_what_is_shown(make_server):
    server = make_server()
    was = [r for r in about(server)["certificates"] if r["what"] == "device-roots"]
    roots = server.dir / "pki" / "device-ca.pem"
    assert [r["file"] for r in was] == [str(roots)]
    old = roots.read_text()
    roots.write_text(old + (server.dir / "pki" / "server-ca.pem").read_text())
    assert [r for r in about(server)["certificates"] if r["what"] == "device-roots"] == was
    server.reload()
    now = [r for r in about(server)["certificates"] if r["what"] == "device-roots"]
    assert now[0] == was[0] and len(now) == 2 and now[1]["subject"] != was[0]["subject"]


def test_certificates_that_end(make_server):
    server = make_server({"pki.device_days": 20})
    assert about(server)["renewals"] == {"due_30_days": 0, "expired": 0}
    server.enrol("soon-1", "m")
    server.enrol("soon-2", "m")
    assert about(server)["renewals"] == {"due_30_days": 2, "expired": 0}
    server.api("POST", "/api/devices/soon-2/revoke", {"reason": "lost"}, expect=204)
    assert about(server)["renewals"] == {"due_30_days": 1, "expired": 0}
    server.stop()
    with contextlib.closing(sqlite3.connect(server.dir / "data" / "pqota.db")) as db:
        day = 86400 * 1000  # milliseconds
        db.execute("UPDATE certificate SET not_after = not_after - 25 * ? WHERE device IS NOT NULL", (day,))
        db.commit()
    server.start()
    assert about(server)["renewals"] == {"due_30_days": 0, "expired": 1}


def test_who_may(shared):
    device = shared.enrol("ab-1", "ab")
    for path in ("/api/server", "/api/server/history"):
        assert shared.curl(path, who=ANYONE).status == 401
        assert shared.curl(path, who=device).status == 403


def test_history(shared):
    def steps():
        return shared.api("GET", "/api/server/history", expect=200).json()

    assert steps()["step_seconds"] == 10
    for _ in range(20):
        about(shared)
    # The first is there ten seconds after the start.
    said = wait_for(lambda: (h := steps())["times"] and h, what="a step of the history")
    assert {len(v) for v in said.values() if isinstance(v, list)} == {len(said["times"])}
    assert max(said["requests_per_second"]) > 0 and max(said["bytes_out_per_second"]) > 100
    assert max(said["errors_per_second"]) == 0
    assert said["share_post_quantum"][0] == 1 and said["handshakes_per_second"][0] > 0
    assert 0 < said["p50_ms"][0] <= said["p99_ms"][0] <= 10000


def test_a_listener_goes_with_a_restart_alone(make_server):
    server = make_server()
    server.set("console.enabled", "no")
    server.set("limits.connections_per_address", 77)
    server.reload()
    told = server.api("GET", "/api/server").json()
    assert "console" in {c["what"] for c in told["certificates"]}
    assert told["limits"]["connections_per_address"] == 77
