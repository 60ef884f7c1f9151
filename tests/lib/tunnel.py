"""`pqota-agent tunnel` of an enrolled agent, and the real curl as the updater that speaks through it."""

import json
import pathlib
import re
import signal
import subprocess

from harness import environment, free_port, program, wait_for


class Answer:
    """What curl got: status 0 when nothing came, curl's exit code, header fields, body."""

    def __init__(self, done):
        text = done.stderr.decode(errors="replace")
        blocks = re.findall(r"HTTP/1\.1 (\d+)[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", text)
        self.curl, self.body, self.error = done.returncode, done.stdout, text
        self.status = int(blocks[-1][0]) if blocks else 0
        lines = [line.partition(":") for line in (blocks[-1][1].splitlines() if blocks else [])]
        self.headers = {name.strip().lower(): value.strip() for name, _, value in lines}

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return (
            f"curl {self.curl} status {self.status} {self.headers} {self.body[:300]!r} {self.error[-300:]}"
        )


class Tunnel:
    """Of the agent's device. settings: more lines of its section, {"ranges": "no"}."""

    def __init__(self, agent, settings=None, build=None):
        self.agent, self.build = agent, build or agent.build
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base = f"/DEFAULT/controller/v1/{agent.device}"
        rows = {"listen": f"127.0.0.1:{self.port}", **(settings or {})}
        text = agent.conf.read_text()
        agent.conf.write_text(text + "[tunnel]\n" + "".join(f"{k} = {v}\n" for k, v in rows.items()))
        self.log_file = agent.dir / "tunnel.log"
        self.process = None

    def start(self):
        before = self.logs().count("msg=started")
        with open(self.log_file, "ab") as log:
            argv = [program("pqota-agent", self.build), "tunnel", "--config", str(self.agent.conf)]
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=environment())
        wait_for(lambda: self.is_up(before), 20, "the tunnel has started")
        return self

    def is_up(self, before):
        assert self.process.poll() is None, self.logs()
        return self.logs().count("msg=started") > before

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        code = self.process.wait(40)
        self.process = None
        if how == signal.SIGTERM:
            assert code == 0, self.logs()

    def logs(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def peak_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1])

    def argv(self, path, *args):
        url = path if path.startswith("http") else self.url + path
        return ["curl", "-sS", "-D", "/dev/fd/2", "--max-time", "120", *map(str, args), url]

    def curl(self, path, *args):
        done = subprocess.run(self.argv(path, *args), capture_output=True, timeout=130)
        return Answer(done)

    def send(self, method, path, body):
        return self.curl(path, "-X", method, "-H", "Content-Type: application/json", "-d", json.dumps(body))

    def poll(self):
        answer = self.curl(self.base)
        assert answer.status == 200, answer
        return answer.json()

    def deployment(self):
        """What the server offers: the action's number, and its first file."""
        href = self.poll()["_links"]["deploymentBase"]["href"]
        answer = self.curl(href)
        assert answer.status == 200, answer
        said = answer.json()
        return int(said["id"]), said["deployment"]["chunks"][0]["artifacts"][0]

    def offered(self):
        """Where its first file is."""
        return self.deployment()[1]["_links"]["download-http"]["href"]
