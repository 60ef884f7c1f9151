"""Completion scripts do in a real shell what they promise."""

import subprocess

import pytest
from harness import environment, program

DRIVE = """
source /dev/stdin <<< "$SCRIPT" || exit 9
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
compopt() { :; }
_pqota
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell):
    done = subprocess.run([program("pqota"), "completion", shell], capture_output=True, text=True, timeout=60,
                          env=environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def complete(folder, *words):
    done = subprocess.run(["bash", "-c", DRIVE, "bash", *words], capture_output=True, text=True, timeout=60,
                          cwd=folder, env=environment(SCRIPT=script("bash")))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("words, want, without", [
    (["pqota", "d"], {"deploy", "deployment", "device"}, {"firmware"}),
    (["pqota", "firmware", ""], {"publish", "list", "show", "download", "delete"}, {"image.bin"}),
    (["pqota", "firmware", "publish", "--n"], {"--name", "--notes", "--notes-file"}, {"--version"}),
    (["pqota", "firmware", "publish", "im"], {"image.bin"}, {"--name"}),
    (["pqota", "firmware", "publish", "--notes-file", ""], {"image.bin"}, {"--name"}),
    (["pqota", "firmware", "publish", "--name", ""], set(), {"image.bin", "--name"}),
    (["pqota", "deploy", "--a"], {"--all", "--allow-downgrade"}, {"--device"}),
    (["pqota", "operator", "add", "eve", "--role", ""], {"viewer", "operator", "admin"}, {"--role"}),
    (["pqota", "init", "--"], {"--host", "--policy", "--help"}, {"image.bin"}),
])
def test_bash(tmp_path, words, want, without):
    (tmp_path / "image.bin").write_bytes(b"x")
    given = complete(tmp_path, *words)
    assert want <= given and not given & without


def test_every_shell_has_every_verb():
    for shell in ("bash", "zsh", "fish"):
        text = script(shell)
        for verb in ("init", "serve", "firmware", "deployment", "completion"):
            assert verb in text


def test_another_shell_is_refused():
    done = subprocess.run([program("pqota"), "completion", "csh"], capture_output=True, text=True, timeout=60,
                          env=environment())
    assert (done.returncode, done.stdout) == (2, "")
    assert "bash zsh fish" in done.stderr
