"""The operator's command line against a running server."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from harness import environment, program, run


def test_publish_list_show_download_delete(shared, tmp_path):
    image = tmp_path / "image.bin"
    image.write_bytes(os.urandom(200_000))
    done = shared.pqota(
        "firmware",
        "publish",
        image,
        "--name",
        "cli",
        "--version",
        "1.0",
        "--model",
        "cli-a",
        "--model",
        "cli-b",
        "--notes",
        "first light",
    )
    assert "cli" in done.out and "1.0" in done.out
    listed = shared.pqota("firmware", "list", "--model", "cli-b")
    assert re.search(r"cli\s+1\.0", listed.out), listed
    item = shared.pqota("firmware", "list", "--model", "cli-a", "--json").json()
    item = (item["items"] if isinstance(item, dict) else item)[0]
    assert item["notes"] == "first light" and sorted(item["models"]) == ["cli-a", "cli-b"]
    assert "first light" in shared.pqota("firmware", "show", "cli", "1.0").out
    out = tmp_path / "back.bin"
    shared.pqota("firmware", "download", str(item["id"]), "-o", out)
    assert out.read_bytes() == image.read_bytes()
    assert (
        shared.pqota("firmware", "delete", str(item["id"]), check=None, stdin=subprocess.DEVNULL).code != 0
    )
    shared.pqota("firmware", "delete", str(item["id"]), "--yes")
    assert shared.pqota("firmware", "show", str(item["id"]), check=None).code == 3


def test_a_download_resumes(shared, tmp_path):
    data = os.urandom(2_000_000)
    made = shared.publish("cli-resume", "1", data)
    out = tmp_path / "x.bin"
    part = tmp_path / f"x.bin.{made['sha256'][:12]}.part"
    part.write_bytes(data[:1_500_000])
    shared.pqota("firmware", "download", str(made["id"]), "-o", out)
    assert out.read_bytes() == data
    assert not part.exists()
    # Bytes that are not those of the file never get its name.
    part.write_bytes(bytes(1_500_000))
    out.unlink()
    assert shared.pqota("firmware", "download", str(made["id"]), "-o", out, check=None).code != 0
    assert not out.exists()


def test_tokens_devices_deployments_events(shared):
    token = shared.pqota("token", "new", "-q", "--model", "cli-m", "--device", "cli-1").out.strip()
    who = shared.enrol("cli-1", "cli-m", token)
    assert re.search(r"cli-1\s+cli-m", shared.pqota("device", "list", "--model", "cli-m").out)
    shared.pqota("device", "tag", "cli-1", "berlin")
    assert "cli-1" in shared.pqota("device", "list", "--tag", "berlin").out
    shared.publish("cli-m", "1", b"one")
    shared.publish("cli-m", "2", b"two")
    done = shared.pqota("deploy", "cli-m@2", "--tag", "berlin", "--json").json()
    update = shared.curl("/api/update?version=1", who=who).json()
    assert update["release"]["version"] == "2"
    shown = shared.pqota("deployment", "show", str(done["id"])).out
    assert "cli-m" in shown and "offered" in shown
    assert "cli-1" in shared.pqota("deployment", "actions", str(done["id"])).out
    shared.pqota("deployment", "cancel", str(done["id"]))
    assert shared.curl("/api/update?version=1", who=who).status == 204
    assert "cancelled" in shared.pqota("deployment", "list").out
    assert "deployment" in shared.pqota("events", "--limit", "20").out
    assert re.search(r"cli-m 2 +cancelled", shared.pqota("device", "history", "cli-1").out)
    shared.pqota("device", "revoke", "cli-1", "--reason", "lost", "--yes")
    assert shared.curl("/api/update", who=who).status == 401
    assert "revoked" in shared.pqota("device", "show", "cli-1").out


def test_operators(shared, tmp_path):
    shared.pqota(
        "operator",
        "add",
        "vera",
        "--role",
        "viewer",
        "--ca-dir",
        shared.dir / "pki",
        "--out",
        tmp_path / "vera",
    )
    profile = next((tmp_path / "vera").rglob("profile"))
    viewer = environment(PQOTA_PROFILE=str(profile))
    assert run([program("pqota"), "status"], env=viewer).code == 0
    assert run([program("pqota"), "token", "new", "--model", "x"], env=viewer).code == 4
    assert "vera" in shared.pqota("operator", "list").out
    shared.pqota("operator", "revoke", "vera", "--yes")
    assert run([program("pqota"), "status"], env=viewer).code == 4


def test_exit_codes_and_errors_that_help(shared, tmp_path):
    assert shared.pqota("firmware", "show", "999999", check=None).code == 3
    assert shared.pqota("firmware", "shwo", check=None).code == 2
    assert shared.pqota("nonsense", check=None).code == 2
    done = run([program("pqota"), "status"], env=environment(PQOTA_PROFILE=str(tmp_path / "none")))
    assert done.code != 0 and "none" in done.err
    done = run([program("pqota"), "status"], env=environment(), cwd=tmp_path)
    assert done.code != 0 and "pqota init" in done.err
    profile = tmp_path / "profile"
    operator = shared.dir / "operator"
    profile.write_text(re.sub(r"server = .*", "server = https://localhost:1", shared.profile.read_text()))
    for f in operator.iterdir():
        if f.name != "profile":
            (tmp_path / f.name).write_bytes(f.read_bytes())
            (tmp_path / f.name).chmod(0o600)
    done = run([program("pqota"), "status"], env=environment(PQOTA_PROFILE=str(profile)))
    assert done.code == 5, done


@pytest.mark.parametrize(
    "verb",
    [
        "init",
        "serve",
        "firmware",
        "deploy",
        "deployment",
        "device",
        "token",
        "operator",
        "status",
        "events",
        "backup",
        "restore",
        "completion",
        "check-config",
    ],
)
def test_every_verb_has_help(verb):
    done = run([program("pqota"), verb, "--help"], check=0)
    assert verb in done.out and len(done.out.splitlines()) >= 3
    assert verb in run([program("pqota"), "--help"], check=0).out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell, tmp_path):
    script = run([program("pqota"), "completion", shell], check=0).out
    assert "firmware" in script and "publish" in script
    if shell == "bash":
        (tmp_path / "c").write_text(script)
        got = run(
            [
                "bash",
                "-c",
                f". {tmp_path}/c; COMP_WORDS=(pqota fir); COMP_CWORD=1; "
                "f=$(complete -p pqota | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
                "$f pqota fir pqota; echo ${COMPREPLY[@]}",
            ]
        )
        assert got.out.strip() == "firmware", got


def test_progress_is_shown_on_a_terminal_only(shared, tmp_path):
    image = tmp_path / "big.bin"
    image.write_bytes(os.urandom(30_000_000))
    env = environment(PQOTA_PROFILE=str(shared.profile), TERM="xterm")
    argv = [program("pqota"), "firmware", "publish", str(image), "--name", "progress", "--version"]
    quiet = run([*argv, "1"], env=env)
    assert quiet.code == 0 and "%" not in quiet.err
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    child = subprocess.Popen([*argv, "2"], stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    assert child.wait(60) == 0 and b"%" in shown, shown


def test_hostile_device_text_does_not_reach_the_terminal(shared):
    who = shared.enrol("hostile", "hostile-m")
    shared.publish("hostile-m", "1", b"x")
    shared.api(
        "POST",
        "/api/deployments",
        {"name": "hostile-m", "version": "1", "target": {"kind": "model", "value": "hostile-m"}},
        expect=201,
    )
    action = shared.curl("/api/update", who=who).json()["action"]
    reply = shared.api(
        "POST",
        f"/api/update/{action}/status",
        {"state": "failed", "message": "\u202egood\u200b <b>&\u00e9"},
        who=who,
    )
    if reply.status == 204:
        out = shared.pqota("device", "history", "hostile").out
        assert "\u202e" not in out and "\u200b" not in out
    control = shared.api(
        "POST", f"/api/update/{action}/status", {"state": "failed", "message": "\x1b[31m"}, who=who
    )
    assert control.status in (400, 204, 410)
    for verb in (["device", "history", "hostile"], ["events"], ["device", "show", "hostile"]):
        assert "\x1b" not in shared.pqota(*verb).out
