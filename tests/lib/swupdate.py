"""The real swupdate as a device of hawkBit's protocol (suricatta), and signed .swu files for it."""

import functools
import hashlib
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading

from harness import environment, run, wait_for
from relay import Acceptor

BOARD = "board:1.0"


class Signer:
    """Who signs .swu files, with CMS, which Debian's swupdate knows with classical keys only."""

    def __init__(self, folder):
        self.key, self.cert = pathlib.Path(folder) / "swu.key", pathlib.Path(folder) / "swu.pem"
        how = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=images"
        for_what = ("extendedKeyUsage=emailProtection", "keyUsage=digitalSignature")
        more = [part for extension in for_what for part in ("-addext", extension)]
        run(["openssl", *how.split(), *more, "-keyout", self.key, "-out", self.cert], check=0)

    def sign(self, folder, name):
        how = "-outform DER -nosmimecap -binary".split()
        who = ("-signer", self.cert, "-inkey", self.key)
        run(
            ["openssl", "cms", "-sign", "-in", name, "-out", name + ".sig", *who, *how], cwd=folder, check=0
        )


@functools.cache
def signer(name="vendor"):
    """The same one for every test of a process; another name, another key."""
    folder = tempfile.TemporaryDirectory(prefix="swu")
    made = Signer(folder.name)
    made.folder = folder
    return made


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def make_swu(path, version, files, description, by=None):
    """files: name -> bytes, in the order in which they stand in it. description: what sw-description says of
    them."""
    with tempfile.TemporaryDirectory(prefix="swu") as name:
        folder = pathlib.Path(name)
        (folder / "sw-description").write_text(
            f'software = {{\n version = "{version}";\n hardware-compatibility: ["1.0"];\n{description}\n}}\n'
        )
        (by or signer()).sign(folder, "sw-description")
        for file, data in files.items():
            (folder / file).write_bytes(data)
        order = "".join(f"{n}\n" for n in ("sw-description", "sw-description.sig", *files))
        with open(path, "wb") as out:
            argv = ["cpio", "-o", "-H", "crc", "--quiet"]
            subprocess.run(argv, input=order.encode(), stdout=out, cwd=folder, check=True)
    return pathlib.Path(path)


def file_swu(path, version, payload, target, by=None):
    """A .swu that writes one file."""
    what = f'filename = "payload.bin"; path = "{target}"; sha256 = "{sha256(payload)}";'
    return make_swu(path, version, {"payload.bin": payload}, f" files: ({{ {what} }});", by)


class Device:
    """One device: its swupdate, started again and again in the same folder."""

    def __init__(self, folder, url, name, token=(), more=(), cert=None, conf=None):
        """token: ("-k", TOKEN), ("-g", TOKEN) or (). more: options of suricatta. conf: the text of a
        configuration file that has all of this."""
        self.dir = pathlib.Path(folder) / name
        self.dir.mkdir(parents=True)
        self.url, self.id, self.name, self.token, self.more = url, name, name, token, more
        self.cert = cert or signer().cert
        self.target = self.dir / "installed"
        self.log_file = self.dir / "swupdate.log"
        self.conf = self.dir / "swupdate.cfg"
        self.whole = conf is not None
        if self.whole:
            self.conf.write_text(conf)
        else:
            self.tells()
        # Its sockets have fixed names, in a folder of the environment; a socket's path has 107 bytes.
        self.run_dir = tempfile.TemporaryDirectory(prefix="swu")
        self.process = None

    def tells(self, **attributes):
        """What it tells the server of itself, from its next start on."""
        rows = ", ".join(f'{{ name = "{k}"; value = "{v}"; }}' for k, v in attributes.items())
        self.conf.write_text(f"globals: {{ loglevel = 5; }};\nidentify: ( {rows} );\n")

    def start(self, confirm=None):
        """confirm: 2 or 3 as a boot script says it after a reboot: what was installed works, or does not."""
        suricatta = ["-S", "hawkbit", "-p", "1", "-w", "1", *self.more]
        argv = ["swupdate", "-f", self.conf, "-v", "-H", BOARD]
        if not self.whole:
            suricatta += ["-t", "default", "-u", self.url, "-i", self.name, *self.token]
            argv += ["-k", self.cert]
        suricatta += ["-c", str(confirm)] if confirm else []
        argv += ["-u", " ".join(suricatta)]
        self.log = open(self.log_file, "ab")
        folder = self.run_dir.name
        self.process = subprocess.Popen(
            [str(a) for a in argv],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=environment(TMPDIR=folder, RUNTIME_DIRECTORY=folder),
            start_new_session=True,
        )
        return self

    def stop(self):
        """Its processes end with the first; one that does not is killed with its group."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        self.log.close()
        self.process = None

    def reboot(self, works=True):
        self.stop()
        return self.start(confirm=2 if works else 3)

    def says(self, text):
        return len(re.findall(text, self.logs()))

    def logs(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def reported(self):
        """The lines it says that it sent as feedback. Which of its log go along is a matter of its
        threads; and what it prints of a long feedback ends early, so the last line of one may be
        missing here."""
        sent = re.findall(r'POST to \S+/feedback: .*"details" : \[ (.*)', self.logs())
        return [line.strip() for details in sent for line in re.findall(r'"([^"]+)"(?=[, ])', details)]

    def wait_said(self, text, seconds=30, times=1):
        def said():
            assert (
                self.process.poll() is None
            ), f"swupdate ended with {self.process.returncode}:\n{self.logs()}"
            return self.says(text) >= times

        try:
            wait_for(said, seconds, f"swupdate says {text!r}")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.logs()[-6000:]}") from None


class Update:
    """A release of one .swu file that writes a file on the device, published natively, and its deployment."""

    def __init__(self, server, device, folder, version="2.0", model=None, size=100_000, by=None, how=()):
        self.server, self.device, self.version, self.name = server, device, version, device.name
        self.payload = os.urandom(size)
        self.swu = folder / f"{self.name}-{version}.swu"
        file_swu(self.swu, version, self.payload, device.target, by)
        what = ("--name", self.name, "--version", version, "--model", model or self.name)
        server.pqota("firmware", "publish", self.swu, *what, *how)
        self.id = None

    def deploy(self, *how):
        what = ("deploy", self.name, self.version, "--device", self.device.name, "--json", *how)
        self.id = self.server.pqota(*what).json()["id"]
        return self

    def cancel(self):
        self.server.pqota("deployment", "cancel", self.id)

    def state(self):
        items = self.server.api("GET", f"/api/deployments/{self.id}/actions", expect=200).json()["items"]
        return items[0]["state"] if items else None

    def wait(self, *states, seconds=30):
        try:
            return wait_for(lambda: self.state() in states, seconds, f"the update is {' or '.join(states)}")
        except AssertionError as e:
            raise AssertionError(f"{e}: it is {self.state()}\n{self.device.logs()[-5000:]}") from None


def history(server, device):
    """[(state, text)], the oldest first."""
    items = server.api("GET", f"/api/devices/{device.name}/history", expect=200).json()["items"]
    return [(i.get("state"), i["text"]) for i in reversed(items)]


def why(server, device):
    return server.pqota("why", device.name).out


class Meter(Acceptor):
    """Passes bytes on to a port and counts those that come back."""

    def __init__(self, port):
        self.to, self.received, self.lock = port, 0, threading.Lock()
        self.closed = False
        self.listen(self._serve)

    def _serve(self, near):
        with near, socket.create_connection(("127.0.0.1", self.to)) as far:
            other = {near: far, far: near}
            while not self.closed:
                for source in select.select([near, far], [], [], 0.2)[0]:
                    try:
                        piece = source.recv(65536)
                    except OSError:
                        return
                    if not piece:
                        return
                    if source is far:
                        with self.lock:
                            self.received += len(piece)
                    try:
                        other[source].sendall(piece)
                    except OSError:
                        return

    def close(self):
        self.closed = True
        super().close()
