"""Starts the real programs for tests: a server in its own folder, operators, devices, raw connections."""

import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PQOTA_BUILD", TREE / "build" / "check"))
RELEASE = pathlib.Path(os.environ.get("PQOTA_RELEASE", TREE / "build" / "release"))

LONG = bool(os.environ.get("PQOTA_LONG"))  # make soak: what is repeated is repeated more often


def rounds(few, many):
    """How often a test that is marked `long` does what it does: in make check, in make soak."""
    return many if LONG else few


# A sanitizer's finding ends a program with a code that no test takes for an ordinary failure.
SANITIZED = {
    "ASAN_OPTIONS": "exitcode=99:abort_on_error=0:detect_leaks=1:malloc_context_size=20",
    "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=1",
}


def program(name, build=None):
    folder = {"pqota": "cmd", "pqota-agent": "agent", "pqota-tuf": "tuf"}[name]
    return str((build or BUILD) / "src" / folder / name)


def environment(**extra):
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", **SANITIZED, **extra}


def _ports():
    """Outside the range that the kernel hands to clients. Each of several processes that run tests has its
    own, and no port comes back soon: who asked for one may not listen on it yet, or not just now."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw7").removeprefix("gw")) % 8
    mine = range(20000 + worker, 30000, 8)
    first = int.from_bytes(os.urandom(2), "big") % len(mine)
    return itertools.cycle([*mine[first:], *mine[:first]])


PORTS = _ports()


def free_port():
    """A port that was free a moment ago."""
    for port in itertools.islice(PORTS, 1250):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port between 20000 and 30000")


def wait_for(condition, seconds=20, what="condition"):
    """Asks until it holds; answers what it answered."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: did not come true in {seconds} s")
        time.sleep(0.02)


class Result:
    """What a program answered."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


def run(argv, timeout=60, check=None, env=None, later=0, **kw):
    """later: days by which the program's clock is ahead."""
    env = env or environment()
    if later:
        argv = ["faketime", "-f", f"{later:+}d", *argv]
        env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"  # faketime's library stands before it
    done = subprocess.run(
        [str(a) for a in argv],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=env,
        **kw,
    )
    result = Result(done)
    assert result.code != 99, f"a sanitizer found something in {argv[0]}:\n{result.err}"
    if check is not None:
        assert result.code == check, f"{argv}: wanted exit {check}, got {result!r}"
    return result


def openssl(*argv):
    """What the openssl program wrote, bytes."""
    return subprocess.run(["openssl", *map(str, argv)], capture_output=True, check=True).stdout


class Reply:
    """An HTTP response as curl saw it."""

    def __init__(self, code, status, headers, body, error):
        self.curl, self.status, self.headers, self.body, self.error = code, status, headers, body, error

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"curl {self.curl} status {self.status} {self.headers} {self.body[:400]!r} {self.error}"


class Credential:
    def __init__(self, cert=None, key=None):
        self.cert, self.key = cert, key


ANYONE = Credential()

# OpenSSL's own list has one group with ML-KEM; the policies know more.
GROUPS = "X25519MLKEM768:SecP256r1MLKEM768:MLKEM768:SecP384r1MLKEM1024:MLKEM1024:MLKEM512"


class Server:
    """`pqota init` and `pqota serve` in a folder. Settings are given as {"section.key": value}. With
    via="nginx" (or PQOTA_VIA=nginx in the environment) nginx stands in front: port and url are its own."""

    def __init__(self, folder, settings=None, build=None, init_args=(), env=None, via=None):
        self.folder = pathlib.Path(folder)
        self.build = build or BUILD
        self.via = os.environ.get("PQOTA_VIA", "") if via is None else via
        self.nginx = None
        self.port = free_port()
        self.direct_port = free_port() if self.via else self.port
        self.dir = self.folder / "server"
        self.log_file = self.folder / "server.log"
        self.env = environment(**(env or {}))
        self.process = None
        run(
            [
                program("pqota", self.build),
                "init",
                self.dir,
                "--port",
                self.port,
                "--host",
                "localhost",
                "--host",
                "127.0.0.1",
                *init_args,
            ],
            check=0,
        )
        self.conf = self.dir / "pqota.conf"
        self.unix = self.dir / "pqota.sock"
        self.set("tls.listen", f"127.0.0.1:{self.direct_port}")
        self.console_port = free_port()
        self.console_url = f"https://localhost:{self.console_port}"
        if "[console]\n" in self.conf.read_text():
            self.set("console.listen", f"127.0.0.1:{self.console_port}")
        if self.via:
            self.set("unix.proxy", "yes")
        settings = dict(settings or {})
        if "trust.insecure_unsigned" not in settings and "[trust]\n" in self.conf.read_text():
            settings["trust.insecure_unsigned"] = "yes"  # most tests are not about who vouches for firmware
        for key, value in settings.items():
            self.set(key, value)
        self.url = f"https://localhost:{self.port}"
        self.direct_url = f"https://localhost:{self.direct_port}"
        self.roots = self.dir / "pki" / "server-ca.pem"
        self.profile = self.dir / "operator" / "profile"
        self.admin = Credential(*self._operator_files())

    def _operator_files(self):
        folder = self.dir / "operator"
        cert = next(p for p in folder.glob("*.pem") if p.name != "server-ca.pem")
        return cert, cert.with_suffix(".key")

    def set(self, name, value):
        """Changes one setting in the file."""
        section, key = name.split(".")
        text = self.conf.read_text()
        head, found, rest = text.partition(f"[{section}]\n")
        assert found, f"no section {section}"
        body, sep, tail = rest.partition("\n[")
        body, n = re.subn(rf"(?m)^#?\s*{key}\s*=.*$", f"{key} = {value}", body, count=1)
        assert n == 1, f"no setting {name} in:\n{body}"
        self.conf.write_text(head + found + body + sep + tail)

    def start(self, wait=True, wrapper=()):
        self.log = open(self.log_file, "ab")
        self.process = subprocess.Popen(
            [*wrapper, program("pqota", self.build), "serve", "-c", str(self.conf)],
            stderr=self.log,
            stdout=self.log,
            stdin=subprocess.DEVNULL,
            env=self.env,
        )
        if wait:
            wait_for(self.is_ready, 30, "the server is ready")
        if self.via and self.nginx is None:
            self.start_nginx()
        return self

    def start_nginx(self, **kw):
        import nginx  # which imports this

        self.nginx = nginx.Nginx(self, self.folder / "nginx", port=self.port, **kw).start()

    def is_ready(self):
        assert (
            self.process.poll() is None
        ), f"the server ended with {self.process.returncode}:\n{self.logs()}"
        return self.curl("/readyz", who=ANYONE, url=self.direct_url).status == 200

    def reload(self):
        """SIGHUP, and it has read its settings, keys and certificates again."""
        said = "configuration and certificates read again"
        before = self.logs().count(said)
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.logs().count(said) > before, what="SIGHUP was seen")

    def stop(self, how=signal.SIGTERM, timeout=40):
        """Ends it; a clean end must be clean for the sanitizers too. nginx stays: it waits for the next
        one, and goes with close()."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout)
        self.log.close()
        self.process = None
        if how == signal.SIGTERM:
            assert code == 0, f"the server ended with {code}:\n{self.logs()}"
        return code

    def close(self):
        """The test is over."""
        if self.nginx is not None:
            self.nginx.stop()
        self.stop()

    def logs(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def peak_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1])

    # --- foreign clients ---

    def curl(self, path, *args, who=None, timeout=60, url=None):
        """The real curl, as the first admin unless said otherwise."""
        who = who or self.admin
        argv = [
            "curl",
            "-sS",
            "--max-time",
            str(timeout),
            "--cacert",
            str(self.roots),
            "-D",
            "/dev/fd/2",
            "-o",
            "-",
        ]
        if who.cert:
            argv += ["--cert", str(who.cert), "--key", str(who.key)]
        if "--curves" not in args:
            argv += ["--curves", GROUPS]
        argv += [str(a) for a in args] + [(url or self.url) + path]
        done = subprocess.run(argv, capture_output=True, timeout=timeout + 10, env=environment())
        err = done.stderr.decode(errors="replace")
        blocks = re.findall(r"HTTP/(?:1\.[01]|2) (\d+)[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", err)
        status, headers = 0, {}
        if blocks:
            status = int(blocks[-1][0])
            for line in blocks[-1][1].splitlines():
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
        return Reply(done.returncode, status, headers, done.stdout, err)

    def api(self, method, path, body=None, who=None, expect=None):
        args = ["-X", method]
        if body is not None:
            args += ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        reply = self.curl(path, *args, who=who)
        if expect is not None:
            assert reply.status == expect, f"{method} {path}: wanted {expect}, got {reply!r}"
        return reply

    def pqota(self, *args, check=0, timeout=60, **kw):
        """The operator's command line with the first admin's profile."""
        return run(
            [program("pqota", self.build), *args],
            timeout=timeout,
            check=check,
            env=environment(PQOTA_PROFILE=str(self.profile)),
            **kw,
        )

    def tls_context(self, who=None):
        who = who or self.admin
        context = ssl.create_default_context(cafile=str(self.roots))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if who.cert:
            context.load_cert_chain(str(who.cert), str(who.key))
        return context

    @contextlib.contextmanager
    def connect(self, who=None, timeout=20):
        """A raw TLS connection for bytes that no decent client sends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as plain:
            with self.tls_context(who).wrap_socket(plain, server_hostname="localhost") as tls:
                yield tls

    # --- things that tests need often ---

    def publish(self, name, version, data, model=None, filename="firmware.bin", expect=201):
        file = self.folder / f"upload-{os.urandom(4).hex()}"
        file.write_bytes(data)
        query = f"?model={model}" if model else ""
        reply = self.curl(f"/api/firmware/{name}/{version}/{filename}{query}", "-T", file)
        file.unlink()
        assert reply.status == expect, repr(reply)
        return reply.json() if reply.body else None

    def token(self, model, **more):
        return self.api("POST", "/api/tokens", {"model": model, **more}, expect=201).json()["token"]

    def enrol(self, device, model, token=None):
        """A device enrolled with nothing but openssl and curl. Answers its credential."""
        folder = self.folder / "devices" / device
        folder.mkdir(parents=True, exist_ok=True)
        key, csr, cert = folder / "key.pem", folder / "csr.pem", folder / "cert.pem"
        if not key.exists():
            run(["openssl", "genpkey", "-algorithm", "ML-DSA-65", "-out", key], check=0)
        run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=ignored", "-out", csr], check=0)
        body = {"token": token or self.token(model, device=device), "csr": csr.read_text()}
        reply = self.api("POST", "/api/enroll", body, who=ANYONE)
        assert reply.status in (200, 201), repr(reply)
        cert.write_text(reply.json()["certificate"])
        return Credential(cert, key)


class Agent:
    """A pqota-agent with its own state, slots and configuration."""

    def __init__(self, server, folder, device, model, settings=None, installer="slots", build=None):
        self.server, self.device, self.model = server, device, model
        self.build = build or server.build
        self.dir = pathlib.Path(folder) / device
        self.dir.mkdir(parents=True, exist_ok=True)
        self.state = self.dir / "state"
        self.slots = self.dir / "slots"
        self.conf = self.dir / "agent.conf"
        self.process = None
        rows = {
            "agent": {"server": server.url, "ca": str(server.roots), "state_dir": str(self.state)},
            "installer": {"type": installer},
        }
        if installer == "slots":
            rows["installer"]["slots_dir"] = str(self.slots)
        for name, value in (settings or {}).items():
            section, key = name.split(".")
            rows.setdefault(section, {})[key] = value
        rows.setdefault("trust", {"insecure_unsigned": "yes"})  # unless the test is about trust
        self.conf.write_text(
            "".join(
                f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in pairs.items())
                for section, pairs in rows.items()
            )
        )

    def run(self, *args, check=None, timeout=90, env=None):
        return run(
            [program("pqota-agent", self.build), *args],
            check=check,
            timeout=timeout,
            env=environment(**(env or {})),
        )

    def enrol(self, token=None):
        token = token or self.server.token(self.model, device=self.device)
        return self.run("enroll", "--config", self.conf, "--token", token, check=0)

    def once(self, check=None):
        return self.run("once", "--config", self.conf, check=check)

    def start(self):
        self.log = open(self.dir / "agent.log", "ab")
        self.process = subprocess.Popen(
            [program("pqota-agent", self.build), "run", "--config", str(self.conf)],
            stdout=self.log,
            stderr=self.log,
            env=environment(),
        )
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        code = self.process.wait(30)
        self.log.close()
        self.process = None
        if how == signal.SIGTERM:
            assert code == 0, (self.dir / "agent.log").read_text(errors="replace")


def have(name):
    return shutil.which(name) is not None
