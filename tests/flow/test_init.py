"""`pqota init`, `pqota check-config` and the frame of the verbs, judged by the real openssl."""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import time

import pytest

from harness import rounds

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PQOTA_BUILD", TREE / "build" / "check"))
PQOTA = os.environ.get("PQOTA_BIN", str(BUILD / "src" / "cmd" / "pqota"))
ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8",
       "ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99"}

CERTIFICATES = {  # file -> the root that it verifies with, and its purpose
    "pki/server.pem": ("pki/server-ca.pem", "sslserver"),
    "operator/admin.pem": ("pki/operator-ca.pem", "sslclient"),
}
ROOTS = ["pki/server-ca.pem", "pki/device-ca.pem", "pki/operator-ca.pem"]
KEYS = ["pki/server-ca.key", "pki/device-ca.key", "pki/operator-ca.key", "pki/server.key",
        "operator/admin.key"]


def pqota(*args, code=0, **kw):
    done = subprocess.run([PQOTA, *map(str, args)], capture_output=True, text=True, timeout=60, env=ENV, **kw)
    assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def openssl(*args, code=0):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == (code == 0), f"openssl {args}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def text_of(cert):
    return openssl("x509", "-in", cert, "-noout", "-text")


def public(cert):
    return openssl("x509", "-in", cert, "-noout", "-pubkey")


def tree(folder):
    """Every file's bytes but the database's."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*")) if p.is_file() and "data" not in p.relative_to(folder).parts}


def operators(folder):
    with sqlite3.connect(f"file:{folder}/data/pqota.db?mode=ro", uri=True) as db:
        return sorted(db.execute("select name, role from operator").fetchall())


def check_whole(folder):
    for cert, (root, purpose) in CERTIFICATES.items():
        openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", folder / root, folder / cert)
    for root in ROOTS:
        openssl("verify", "-x509_strict", "-check_ss_sig", "-CAfile", folder / root, folder / root)
    for key in KEYS:
        cert = (folder / key).with_suffix(".pem")
        assert openssl("pkey", "-in", folder / key, "-pubout") == public(cert)
        assert stat.S_IMODE((folder / key).stat().st_mode) == 0o600
        assert stat.S_IMODE((folder / key).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "pqota.conf").stat().st_mode) == 0o644
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600
    assert (folder / "secret.key").stat().st_size == 32
    assert (folder / "operator/server-ca.pem").read_bytes() == (folder / "pki/server-ca.pem").read_bytes()
    assert operators(folder) == [("admin", "admin")]
    assert not list(folder.rglob("*.tmp"))
    pqota("check-config", "-c", folder / "pqota.conf")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder that was made once; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("init") / "first"
    out = pqota("init", folder).stdout
    return folder, out


@pytest.fixture
def made(first, tmp_path):
    folder = tmp_path / "made"
    shutil.copytree(first[0], folder)
    return folder


def test_first_run(first):
    folder, out = first
    check_whole(folder)
    assert f"pqota serve -c {folder}/pqota.conf" in out
    assert f"{folder}/pki/server-ca.key" in out and f"{folder}/pki/operator-ca.key" in out
    assert "kept" not in out
    profile = (folder / "operator/profile").read_text()
    assert "server = https://localhost:8443\n" in profile
    assert "certificate = admin.pem\nkey = admin.key\nca = server-ca.pem\npolicy = balanced\n" in profile


def test_names_lives_and_algorithms(first):
    folder, _ = first
    server = text_of(folder / "pki/server.pem")
    host = os.uname().nodename
    for name in ("DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1", f"DNS:{host}"):
        assert name in server
    marks = set()
    for root in ROOTS:
        text = text_of(folder / root)
        role = root.split("/")[1].split("-")[0]
        marks.add(re.search(rf"Subject: CN=pqota {role} CA ([0-9a-f]{{6}})\n", text)[1])
        assert "Public Key Algorithm: ML-DSA-65" in text
        openssl("x509", "-in", folder / root, "-noout", "-checkend", 19 * 365 * 86400)
    assert len(marks) == 3
    for cert in CERTIFICATES:
        assert "Public Key Algorithm: ML-DSA-65" in text_of(folder / cert)
        openssl("x509", "-in", folder / cert, "-noout", "-checkend", 396 * 86400)
        openssl("x509", "-in", folder / cert, "-noout", "-checkend", 398 * 86400, code=1)


def test_second_run_keeps_every_byte(made):
    (made / "pqota.conf").write_text((made / "pqota.conf").read_text() + "\n# mine\n")
    before = tree(made)
    out = pqota("init", made).stdout
    assert tree(made) == before
    assert operators(made) == [("admin", "admin")]
    assert "made   " not in out and out.count("kept   ") == 13
    check_whole(made)


@pytest.mark.parametrize("missing", [
    ["pqota.conf"], ["pki/server.pem"], ["pki/server.pem", "pki/server.key"], ["operator/admin.pem"],
    ["operator/profile"], ["operator/server-ca.pem", "operator/profile"], ["data"],
    ["pki/device-ca.pem"], ["pki/device-ca.pem", "pki/device-ca.key"], ["pqota.conf", "data", "operator"],
])
def test_what_is_missing_is_made(made, missing):
    keys = {k: (made / k).read_bytes() for k in KEYS}
    for name in missing:
        path = made / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = tree(made)
    if "operator/admin.pem" in missing:  # a new certificate needs its place in the database
        shutil.rmtree(made / "data")
    out = pqota("init", made).stdout
    after = tree(made)
    assert {k: after[k] for k in before} == before
    for key in KEYS:  # a key that was there has its certificate made for it
        if key not in missing and key.split("/")[0] not in missing:
            assert (made / key).read_bytes() == keys[key]
    assert "made   " in out
    check_whole(made)


def test_keys_that_were_taken_offline(made, tmp_path):
    for role in ("server", "operator", "console"):
        shutil.move(made / f"pki/{role}-ca.key", tmp_path / f"{role}-ca.key")
    before = tree(made)
    out = pqota("init", made).stdout
    assert tree(made) == before
    assert "Take these keys offline" not in out
    (made / "pki/server.pem").unlink()
    failed = pqota("init", made, code=1)
    assert "pki/server-ca.key" in failed.stderr and "bring" in failed.stderr
    assert not (made / "pki/server-ca.key").exists()
    shutil.copy(tmp_path / "server-ca.key", made / "pki/server-ca.key")
    pqota("init", made)
    openssl("verify", "-CAfile", made / "pki/server-ca.pem", made / "pki/server.pem")


@pytest.mark.long
def test_killed_runs_are_completed(tmp_path):
    stopped = 0
    for i in range(rounds(11, 44)):  # each of what is wanted below, once or more
        folder = tmp_path / f"k{i}"
        process = subprocess.Popen([PQOTA, "init", str(folder)], stdout=subprocess.DEVNULL, env=ENV)
        wanted = [f for f in (*ROOTS, *KEYS, "pki/server.pem", "operator/profile", "data/pqota.db")][i % 11]
        end = time.monotonic() + 20
        while process.poll() is None and not (folder / wanted).exists() and time.monotonic() < end:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        stopped += process.wait() != 0
        for left in folder.rglob("*.tmp"):  # never a half-written file under a real name
            left.unlink()
        keys = {p: p.read_bytes() for p in folder.rglob("*.key")}
        pqota("init", folder)
        for path, data in keys.items():
            assert path.read_bytes() == data
        check_whole(folder)
    assert stopped > 0


@pytest.mark.parametrize("policy,algorithm", [("cnsa2", "ML-DSA-87"), ("constrained", "ML-DSA-44")])
def test_policies(tmp_path, policy, algorithm):
    folder = tmp_path / "p"
    pqota("init", folder, "--policy", policy)
    check_whole(folder)
    for cert in (*ROOTS, *CERTIFICATES):
        text = text_of(folder / cert)
        assert f"Public Key Algorithm: {algorithm}" in text
        assert f"Signature Algorithm: {algorithm}" in text
    assert f"\npolicy = {policy}\n" in (folder / "pqota.conf").read_text()
    assert f"policy = {policy}\n" in (folder / "operator/profile").read_text()
    # What is missing later still fits.
    (folder / "pki/server.pem").unlink()
    (folder / "pki/server.key").unlink()
    pqota("init", folder)
    check_whole(folder)
    refused = pqota("init", folder, "--policy", "balanced", code=1)
    assert f"has the policy {policy} already" in refused.stderr


def test_hosts_and_port(tmp_path):
    folder = tmp_path / "h"
    pqota("init", folder, "--host", "2001:db8::7", "--host", "updates.example.com", "--port", "9443")
    text = text_of(folder / "pki/server.pem")
    assert "IP Address:2001:DB8:0:0:0:0:0:7, DNS:updates.example.com\n" in text
    assert "localhost" not in text
    assert "server = https://[2001:db8::7]:9443\n" in (folder / "operator/profile").read_text()
    assert "listen = [::]:9443, 0.0.0.0:9443\n" in (folder / "pqota.conf").read_text()
    assert "listens on port 9443 already" in pqota("init", folder, "--port", "1", code=1).stderr


def test_another_operator(made):
    out = pqota("init", made, "--operator", "bob").stdout
    assert "operator/bob.pem" in out
    assert operators(made) == [("admin", "admin"), ("bob", "admin")]
    assert "certificate = admin.pem" in (made / "operator/profile").read_text()
    assert "Subject: CN=bob\n" in text_of(made / "operator/bob.pem")
    # Without a name nobody new is made.
    before = tree(made)
    pqota("init", made)
    assert tree(made) == before and len(operators(made)) == 2


def test_first_operator_by_another_name_stays_the_only_one(tmp_path):
    folder = tmp_path / "o"
    pqota("init", folder, "--operator", "carol")
    pqota("init", folder)
    assert operators(folder) == [("carol", "admin")]
    assert not (folder / "operator/admin.pem").exists()


def test_while_a_server_runs(made):
    conf = made / "pqota.conf"
    conf.write_text(conf.read_text().replace("listen = [::]:8443, 0.0.0.0:8443", "listen = 127.0.0.1:0"))
    server = subprocess.Popen([PQOTA, "serve", "-c", str(conf)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=ENV)
    try:
        end = time.monotonic() + 20
        while not (made / "pqota.sock").exists() and time.monotonic() < end:
            time.sleep(0.02)
        before = tree(made)
        assert "in use by a server, so not looked into" in pqota("init", made).stdout
        assert tree(made) == before
        assert "stop the server" in pqota("init", made, "--operator", "dora", code=1).stderr
    finally:
        server.terminate()
        assert server.wait(40) == 0
    # What the refused run had begun is completed now.
    pqota("init", made, "--operator", "dora")
    assert operators(made) == [("admin", "admin"), ("dora", "admin")]


def test_places(tmp_path):
    odd = tmp_path / "a folder; with 'odd' signs:x"
    pqota("init", f"{odd}//")
    check_whole(odd)
    pqota("init", cwd=tmp_path)
    check_whole(tmp_path / "pqota")
    pqota("init", "deep/er/yet", cwd=tmp_path)
    check_whole(tmp_path / "deep/er/yet")
    (tmp_path / "file").write_text("x")
    assert "file" in pqota("init", tmp_path / "file", code=1).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_another_users_folder_is_refused_to_root(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    assert "belongs to the user 12345" in pqota("init", folder, code=1).stderr
    assert not list(folder.iterdir())


@pytest.mark.parametrize("args,says", [
    (["a", "b"], '"b" is too much'), (["--policy", "best"], "balanced, cnsa2 or constrained"),
    (["--port", "0"], "1 to 65535"), (["--port", "x"], "1 to 65535"),
    (["--host", "a b"], "neither a DNS name"), (["--host"], "missing"),
    (["--operator", "../x"], "--operator"),
    (["--operator", "kim:dev"], "letters, digits and . _ -"),
    (["--operator", "server"], "no operator may be called"),
    (["--nonsense"], "not known"), ([""], "empty"),
])
def test_usage(tmp_path, args, says):
    done = pqota("init", *args, code=2, cwd=tmp_path)
    assert says in done.stderr and "pqota init --help" in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_existing_file_that_is_wrong_is_not_touched(made):
    conf = made / "pqota.conf"
    conf.write_text(conf.read_text().replace("policy = balanced", "policy = balnced"))
    before = tree(made)
    assert re.search(r"pqota\.conf:\d+: .*balnced", pqota("init", made, code=1).stderr)
    assert tree(made) == before
    conf.write_text("")
    (made / "pki/server.key").write_text("rubbish")
    assert "pki/server.key" in pqota("init", made, code=1).stderr
    assert (made / "pki/server.key").read_text() == "rubbish"


def test_check_config(made):
    conf = made / "pqota.conf"
    out = pqota("check-config", "-c", conf).stdout
    assert f"{conf}: OK" in out and "TLS, balanced: [::]:8443, 0.0.0.0:8443" in out
    text = conf.read_text()
    line = text.split("\n").index("idle_seconds = 75") + 1
    conf.write_text(text.replace("idle_seconds = 75", "idle_seconds = 75s"))
    failed = pqota("check-config", "--config", conf, code=1).stderr
    assert f'{conf}:{line}: [limits] idle_seconds = "75s" is not a whole number from 1 to 3600' in failed
    conf.write_text(text.replace("idle_seconds", "idle_second"))
    assert 'did you mean "idle_seconds"?' in pqota("check-config", "-c", conf, code=1).stderr
    conf.write_text(text)
    (made / "pki/server.key").rename(made / "pki/away")
    assert "pki/server.key" in pqota("check-config", "-c", conf, code=3).stderr
    shutil.copy(made / "pki/device-ca.key", made / "pki/server.key")
    assert "is not that of the certificate" in pqota("check-config", "-c", conf, code=1).stderr
    pqota("check-config", code=2)
    pqota("check-config", "-c", conf, "more", code=2)
    pqota("check-config", "-c", made / "absent", code=3)


def test_what_is_missing_is_made_for_the_names_of_the_rest(tmp_path):
    """As on a server of a version that had no console."""
    server = tmp_path / "srv"
    hosts = ("updates.example.com", "192.0.2.7", "2001:db8::7")
    pqota("init", server, *(word for host in hosts for word in ("--host", host)))
    for name in ("console", "server"):
        names = openssl("x509", "-in", server / "pki" / f"{name}.pem", "-noout", "-ext", "subjectAltName")
        for file in server.glob(f"pki/{name}.*"):
            file.unlink()
        assert f"pki/{name}.pem" in pqota("init", server).stdout
        again = openssl("x509", "-in", server / "pki" / f"{name}.pem", "-noout", "-ext", "subjectAltName")
        assert again == names and "updates.example.com" in again and "2001:DB8" in again
    pqota("check-config", "-c", server / "pqota.conf")


def test_frame():
    out = pqota("--help").stdout
    for verb in ("init", "check-config"):
        assert f"  {verb} " in out
        usage = pqota(verb, "--help").stdout
        assert usage.startswith(f"pqota {verb} ")
        assert pqota("help", verb).stdout == usage == pqota(verb, "x", "-h").stdout
    assert "Exit codes" in out
    version = pqota("--version").stdout
    assert re.match(r"pqota \d+\.\d+\.\d+\nOpenSSL 3\.", version)
    assert 'did you mean "init"?' in pqota("inti", code=2).stderr
    assert 'did you mean "check-config"?' in pqota("checkconfig", code=2).stderr
    assert "did you mean" not in pqota("zzzzzz", code=2).stderr
    assert "Verbs" in pqota(code=2).stderr
    with open("/dev/full", "w") as full:
        done = subprocess.run([PQOTA, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, env=ENV)
    assert done.returncode == 1 and "No space left" in done.stderr
