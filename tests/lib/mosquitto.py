"""Runs the real mosquitto with what `pqota mosquitto-conf` writes, and its clients."""

import os
import re
import signal
import subprocess

from certificates import issue
from harness import BUILD, Credential, environment, free_port, program, run, wait_for


class Mosquitto:
    """A broker for a Server. It runs as whoever runs the tests; all files are in `folder`."""

    def __init__(self, server, folder, *args, operators=True):
        self.server = server
        self.dir = folder / "mosquitto"
        self.log_file = folder / "mosquitto.log"
        self.port = free_port()
        self.operator_port = free_port() if operators else 0
        self.process, self.starts = None, 0
        self.folder = folder
        self.configure(*args)

    def configure(self, *args):
        """Writes (again) what the verb writes."""
        return run(
            [
                program("pqota", self.server.build),
                "mosquitto-conf",
                "-c",
                self.server.conf,
                "--dir",
                self.dir,
                "--port",
                self.port,
                "--operator-port",
                self.operator_port,
                "--listen",
                "127.0.0.1",
                "--user",
                "root" if os.geteuid() == 0 else "mosquitto",
                "--force",
                *args,
            ],
            check=0,
        )

    @property
    def broker(self):
        """As settings name it."""
        return f"localhost:{self.port}"

    def start(self):
        self.log = open(self.log_file, "ab")
        self.process = subprocess.Popen(
            ["mosquitto", "-c", self.dir / "mosquitto.conf"],
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            env=environment(OPENSSL_CONF=str(self.dir / "openssl.cnf")),
        )

        def is_up():
            assert self.process.poll() is None, f"mosquitto ended:\n{self.logs()}"
            return self.logs().count(" running\n") > self.starts

        wait_for(is_up, 10, "mosquitto runs")
        self.starts += 1
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            self.log.close()
            self.process = None

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def logs(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def server_credential(self):
        """What the server shows to the broker: @pqota under the devices' authority."""
        made = self.server.dir / "pki" / "mqtt.pem"
        if made.exists():
            return Credential(made, made.with_suffix(".key"))
        folder = self.folder / "credentials"
        folder.mkdir(exist_ok=True)
        if (folder / "@pqota.pem").exists():
            return Credential(folder / "@pqota.pem", folder / "@pqota.key")
        return issue(self.server, folder, "@pqota", "-days", "30")

    def _arguments(self, who, port=None):
        argv = ["-h", "localhost", "-p", str(port or self.port), "-V", "5", "-q", "1"]
        argv += ["--cafile", str(self.server.roots), "--tls-version", "tlsv1.3"]
        if who.cert:
            argv += ["--cert", str(who.cert), "--key", str(who.key)]
        return argv

    def publish(self, topic, text, who=None, retain=False, port=None, check=0, env=None):
        """mosquitto_pub, as the server unless said otherwise. An empty text takes a retained message away."""
        who = who or self.server_credential()
        argv = ["mosquitto_pub", *self._arguments(who, port), "-t", topic]
        argv += ["-n"] if text == "" else ["-m", text]
        argv += ["-r"] if retain else []
        return run(argv, check=check, timeout=20, env=environment(**(env or {})))

    def subscribe(self, *topics, who=None, port=None, env=None):
        return Subscriber(self, topics, who or self.server_credential(), port, env)


class Subscriber:
    """mosquitto_sub in the background. Use as a context; `messages` is what came: (topic, retained, text)."""

    def __init__(self, broker, topics, who, port=None, env=None):
        self.broker = broker
        self.file = broker.folder / f"subscriber-{os.urandom(4).hex()}"
        argv = ["stdbuf", "-oL", "mosquitto_sub", *broker._arguments(who, port), "-d", "-F", "= %t %r %p"]
        for topic in topics:
            argv += ["-t", topic]
        self.out = open(self.file, "wb")
        self.process = subprocess.Popen(
            argv, stdout=self.out, stderr=self.out, stdin=subprocess.DEVNULL, env=environment(**(env or {}))
        )

    def __enter__(self):
        wait_for(lambda: "received SUBACK" in self.text(), 20, "mosquitto_sub is subscribed")
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait(10)
        self.out.close()

    def text(self):
        return self.file.read_text(errors="replace")

    @property
    def messages(self):
        found = re.findall(r"^= (\S+) ([01]) (.*)$", self.text(), re.M)
        return [(topic, retained == "1", text) for topic, retained, text in found]

    def wait(self, condition, seconds=20, what="the message came"):
        """Until a message for which condition(topic, retained, text) holds; answers it."""
        return wait_for(lambda: next((m for m in self.messages if condition(*m)), None), seconds, what)


class Client:
    """src/mqtt, driven by its test program."""

    def __init__(self, broker, who, *topics, name="client", session=0, ca=None, host=None):
        self.file = broker.folder / f"client-{os.urandom(4).hex()}"
        self.out = open(self.file, "wb")
        self.process = subprocess.Popen(
            [
                str(BUILD / "tests" / "lib" / "mqtt" / "mqtt-client"),
                host or broker.broker,
                str(ca or broker.server.roots),
                str(who.cert or ""),
                str(who.key or ""),
                name,
                str(session),
                *topics,
            ],
            stdin=subprocess.PIPE,
            stdout=self.out,
            stderr=self.out,
            text=True,
            env=environment(),
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        try:
            if self.process.poll() is None:
                self.process.stdin.close()
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise
        finally:
            self.out.close()
        assert code == 0, self.file.read_text(errors="replace")

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    @property
    def lines(self):
        return self.file.read_text(errors="replace").splitlines()

    def wait(self, start, seconds=20, count=1):
        """Until that many lines begin so; answers the last of them."""

        def found():
            lines = [line for line in self.lines if line.startswith(start)]
            return lines[count - 1] if len(lines) >= count else None

        return wait_for(found, seconds, f"{count} x {start!r} in {self.file}")
