"""`pqota-agent tunnel` of an enrolled agent, and the real curl as the updater that speaks through it."""

import hashlib
import json
import pathlib
import re
import signal
import subprocess

import pytest
from harness import environment, free_port, program, wait_for
from tuffront import Front, trusting


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
    """Of the agent's device. settings: more lines of its section, {"ranges": "vouched"}."""

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


# --- what the tests of it share: fixtures, to be imported with their names ---

DATA = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(12_000))  # 384000 bytes
LAST = 65536  # bytes that wait for the hash


@pytest.fixture
def ddi(make_server):
    return make_server({"ddi.enabled": "yes"})


@pytest.fixture
def make_tunnel():
    made = []

    def make(agent, settings=None):
        made.append(Tunnel(agent, settings))
        return made[-1].start()

    yield make
    for it in made:
        it.stop()


@pytest.fixture
def plain(ddi, make_agent):
    """A device that takes what the server says; nothing stands between the two."""
    agent = make_agent(ddi, "gw-1", "gw")
    agent.enrol()
    return agent


@pytest.fixture
def front(ddi):
    it = Front(ddi)
    yield it
    it.close()


@pytest.fixture
def trusted(ddi, make_agent, front):
    """A device that begins with the vendor's and the director's roots, which the test holds."""
    return trusting(make_agent, ddi, front)


def same(one, two):
    """Without a hundred pages when they are not."""
    return len(one) == len(two) and hashlib.sha256(one).digest() == hashlib.sha256(two).digest()


def deploy(server, data=DATA, version="1.0", device="gw-1"):
    release = server.publish("fw", version, data, model="gw")
    target = {"kind": "device", "value": device}
    server.api("POST", "/api/deployments", {"release": release["id"], "target": target}, expect=201)
    return release


def offer(front, version="1.0", data=DATA, **custom):
    """The server has it, the vendor signed it, and the director wants it."""
    front.deploy(version, data)
    front.direct(front.sign(version, data, **custom))


def history(server, device="gw-1"):
    items = server.api("GET", f"/api/devices/{device}/history", expect=200).json()["items"]
    return "\n".join(item["text"] for item in items)


def flip(front, at):
    """From now on one byte of every file is another."""

    def change(method, path, status, headers, body):
        if "/artifacts/" in path and status in (200, 206):
            first = re.search(r"bytes (\d+)-", headers.get("Content-Range", ""))
            i = at - int(first[1]) if first else at
            if 0 <= i < len(body):
                body = body[:i] + bytes([body[i] ^ 1]) + body[i + 1 :]
        return status, headers, body

    front.answer = change


def begin(tunnel, href, path, rate):
    """A slow download into a file."""
    return subprocess.Popen(tunnel.argv(href, "--limit-rate", rate, "-o", path), stderr=subprocess.PIPE)
