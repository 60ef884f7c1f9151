"""docs/python.md: what it tells to type is typed."""

import os
import re
import signal
import subprocess

from harness import RELEASE, TREE, environment, free_port

PYTHON_BLOCKS = ("hello.py", "client.py", "document.py")  # in the page's order
EXPECTED = (
    "hello gw-1 over X25519MLKEM768",
    "1.0 over X25519MLKEM768",
    "ok",
    '"version":"1.0"',
    '"version":"1.0"',
    "version 1.1 is available",
)


def script(folder):
    """The page's shell blocks, with ports that are free."""
    page = (TREE / "docs" / "python.md").read_text()
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```$", page, re.M | re.S)
    code = [text for kind, text in blocks if kind == "python"]
    shell = "".join(text for kind, text in blocks if kind == "sh")
    assert len(code) == len(PYTHON_BLOCKS)
    ports = {str(port): str(free_port()) for port in (8443, 8445, 8446, 8447, 8448)}

    assert "8444" not in page  # the console of the server that runs beside

    def move(text):
        return re.sub(r"\b844[35-8]\b", lambda m: ports[m[0]], text)

    for name, text in zip(PYTHON_BLOCKS, code):
        (folder / name).write_text(move(text))
    shell = move(shell).replace("pqota init ./pqota", f"pqota init ./pqota --port {ports['8443']}")
    broker = free_port()
    shell = shell.replace(
        "pqota mosquitto-conf", f"pqota mosquitto-conf --port {broker} --operator-port {free_port()}"
    )
    return shell.replace("mqtt_client.py ", f"mqtt_client.py --broker localhost:{broker} ")


def test_the_pages_commands(tmp_path):
    (tmp_path / "python").symlink_to(TREE / "python")
    path = f"{RELEASE}/src/cmd:{RELEASE}/src/agent:{os.environ['PATH']}"
    more = {"HOME": str(tmp_path), "LD_LIBRARY_PATH": str(RELEASE / "src" / "tls")}
    # Those that a failing step leaves running end with the shell.
    text = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + script(tmp_path)
    process = subprocess.Popen(
        ["bash", "-eu", "-c", text],
        cwd=tmp_path,
        env={**environment(**more), "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    logs = "".join(f"--- {p.name}\n{p.read_text()[-2000:]}" for p in sorted(tmp_path.glob("*.log")))
    assert process.returncode == 0, f"{out}\n{err}\n{logs}"
    at = 0
    for words in EXPECTED:
        found = out.find(words, at)
        assert found >= 0, f"{words!r} is not there:\n{out}\n{err}\n{logs}"
        at = found + len(words)
