"""docs/trust.md, typed: its commands one by one, against a real server, real agents and relays before them
that a thief may use."""

import os
import pathlib
import re
import shutil
import subprocess

import harness
from harness import TREE, Credential, environment, program
from relay import Relay
from vendor import PASSPHRASE, Vendor, weaken

# What a person answers, or what is otherwise where the test runs.
ANSWERS = """
pqota() {
    case "$1 ${2-}" in
    "trust init" | "trust rotate" | "firmware publish") command pqota "$@" --passphrase-file pass ;;
    "trust sign") command pqota "$@" --passphrase-file pass --yes ;;
    "firmware delete") command pqota "$@" --yes ;;
    "init ./pqota") command pqota "$@" --host localhost --host 127.0.0.1 ;;
    *) command pqota "$@" ;;
    esac
}
openssl() {
    case "$1" in
    genpkey) command openssl "$@" -pass file:pass ;;
    pkey) command openssl "$@" -passin file:pass ;;
    esac
}
"""


def page():
    """Heading -> blocks -> commands."""
    made, heading = {}, None
    text = (TREE / "docs" / "trust.md").read_text()
    for title, block in re.findall(r"^#{2,3} ([^\n]*)$|^```sh\n(.*?)^```$", text, re.M | re.S):
        if title:
            heading = title
        else:
            made.setdefault(heading, []).append([line for line in block.splitlines() if line])
    return made


class Answered(Vendor):
    """Only its ways to look at what is served: the page makes the keys."""

    def __init__(self, server):
        self.server, self.dir, self.count = server, server.dir / "trust", 0

    def root_version(self, repository="image"):
        version = 1
        while self.ask(f"{version + 1}.root.json", repository)[0] == 200:
            version += 1
        return version


class Device:
    """A real agent behind a relay of its own; what is in `lies` is what it gets to see of the server."""

    def __init__(self, drill, name, model="gateway"):
        server, self.name = drill.server, name
        roots = {
            f"trust.{r}_root": server.dir / "trust" / "device" / f"{r}.root.json"
            for r in ("image", "director")
        }
        settings = {**roots, "installer.health_command": "/bin/true"}
        self.agent = harness.Agent(server, drill.folder / "agents", name, model, settings=settings)
        self.agent.enrol()
        self.lies = {}
        who = Credential(self.agent.state / "device.crt", self.agent.state / "device.key")
        self.relay = Relay(server, who, answer=self._answer)
        self.agent.conf.write_text(self.agent.conf.read_text().replace(server.url, self.relay.url))

    def _answer(self, method, path, status, headers, body):
        if path in self.lies:
            return 200, {"Content-Type": "application/json"}, self.lies[path]
        for pattern, data in self.lies.items():
            if pattern.endswith("*") and path.startswith(pattern[:-1]):
                return 200, {"Content-Type": "application/octet-stream"}, data
        return status, headers, body

    def running(self):
        return (self.agent.slots / "current" / "version").read_text().strip()

    def updates_to(self, version):
        done = self.agent.once()
        assert done.code == 0 and self.running() == version, (done, self.running())

    def refuses(self, *words):
        """It stays as it is, and says why."""
        before = self.running()
        done = self.agent.once()
        assert done.code in (3, 4) and self.running() == before, done
        for word in words:
            assert word in done.err, done

    def close(self):
        self.relay.close()


class Drill:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.page = page()
        self.typed = set()
        self.env = {}
        (self.folder / "pass").write_text(PASSPHRASE)
        self.server = harness.Server(self.folder, {"trust.insecure_unsigned": "no"}, via="")
        (self.folder / "pqota").symlink_to("server")
        for key in ("server-ca.key", "console-ca.key"):  # as `pqota init` says
            shutil.move(self.server.dir / "pki" / key, self.folder)
        self.vendor = Answered(self.server)
        self.devices = []

    def file(self, name):
        return self.folder / name

    # --- typing ---

    def run(self, heading, *blocks, until=None, names=None):
        """The commands under a heading: those blocks, or all; up to the first that begins so. names: other
        words for those on the page."""
        for n, block in enumerate(self.page[heading]):
            for line in block if not blocks or n in blocks else ():
                if until and line.startswith(until):
                    return
                self.type(line, names or {})

    def rest(self, heading, block, since):
        """From the first command on that begins so."""
        lines = self.page[heading][block]
        at = next(i for i, line in enumerate(lines) if line.startswith(since))
        return [self.type(line) for line in lines[at:]]

    def type(self, line, names=None):
        self.typed.add(line)
        for old, new in (names or {}).items():
            line = line.replace(old, new)
        if line.startswith("systemctl "):
            return self.systemctl(line.split()[1])
        if line.startswith("export PQOTA_PROFILE="):
            self.env["PQOTA_PROFILE"] = str(self.server.profile)
            return None
        before = self.keys()
        said = self.shell(re.sub(r"-v2(?=\.key)", "-v*", line))
        for file in self.keys() - before:
            if "ENCRYPTED" in file.read_text():
                weaken(file, PASSPHRASE)
        return said

    def keys(self):
        return {*self.folder.glob("*.key"), *(self.server.dir / "trust" / "offline").glob("*.key")}

    def shell(self, line, check=0):
        commands = pathlib.Path(program("pqota", self.server.build)).parent
        env = environment(**self.env)
        env["PATH"] = f"{commands}:{os.environ['PATH']}"
        argv = ["bash", "-euc", ANSWERS + line]
        done = subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, timeout=60)
        if check is not None:
            assert (
                done.returncode == check
            ), f"{line}\n{done.stdout}\n{done.stderr}\n{self.server.logs()[-3000:]}"
        return done.stdout + done.stderr

    def systemctl(self, verb):
        server = self.server
        if verb == "start":
            server.start()
            self.vendor.signs()
        elif verb == "stop":
            server.stop()
        else:
            server.reload()

    def tidy(self):
        """What the sections leave: as if each began in an empty folder."""
        for pattern in ("*.json", "*-v*.key"):
            for file in self.folder.glob(pattern):
                file.unlink()

    # --- the usual ---

    def image(self, name, size=20000):
        self.file(name).write_bytes(os.urandom(size))

    def publish(self, version, *args, deploy=True):
        self.image(f"image-{version}.bin")
        self.shell(
            f"pqota firmware publish image-{version}.bin --filename image.bin --name gateway "
            f"--version {version} --sign-with targets.key {' '.join(args)}"
        )
        if deploy:
            self.shell(f"pqota deploy gateway@{version} --model gateway")

    def device(self, name, model="gateway"):
        self.devices.append(Device(self, name, model))
        return self.devices[-1]

    def close(self):
        for device in self.devices:
            device.close()
        self.server.close()
