"""Simulated devices for tests: rows in a stopped server's database, and pqfleet that acts as them."""

import collections
import json
import signal
import subprocess
import sys

import harness
from harness import TREE, environment, run

ROWS = TREE / "bench" / "fleet_rows.py"

# What a device did with an action: a line of the fate file.
Fate = collections.namedtuple("Fate", "device action attempt outcome status version")
# What is drawn beforehand: succeed, fail, vanish, hang or fall-back; confirm or deny.
Plan = collections.namedtuple("Plan", "device attempt fate consent")


def fill(server, devices, *args, check=0):
    """Rows for so many devices; the server must not run. With "--certificates" the answer has the issuer."""
    done = run([sys.executable, ROWS, server.dir, "--devices", devices, *args], check=check)
    return done.json() if check == 0 else done


class Fleet:
    """pqfleet in a folder. By the Unix socket, or with "--server" among the arguments elsewhere."""

    def __init__(self, server, folder, *args, build=None):
        self.fate_file, self.log_file = folder / "fates", folder / "fleet.log"
        self.argv = [(build or harness.BUILD) / "bench" / "pqfleet", *args]
        self.where = [] if "--server" in args else ["--server", f"unix:{server.unix}"]
        self.process = None

    def plan(self, attempts=1):
        """{(device, attempt): Plan}"""
        done = run([*self.argv, "--plan", attempts], check=0)
        rows = [line.split() for line in done.out.splitlines()]
        plans = [Plan(device, int(attempt), fate, consent) for device, attempt, fate, consent in rows]
        return {(p.device, p.attempt): p for p in plans}

    def start(self):
        argv = [*self.argv, *self.where, "--progress", "--fate-file", self.fate_file]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [str(a) for a in argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(),
            )
        return self

    def wait(self, timeout=120):
        """Its result, once it ended by itself."""
        out, _ = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, (self.process.returncode, self.log_file.read_text())
        return json.loads(out)

    def stop(self, timeout=60):
        """Its result; it ends now."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def fates(self):
        """What each device did, in the order in which it became certain; without a line being written."""
        whole = self.fate_file.read_text().rpartition("\n")[0] if self.fate_file.exists() else ""
        rows = [line.split(" ") for line in whole.splitlines()]
        return [
            Fate(device, int(action), int(attempt), outcome, int(status), version)
            for device, action, attempt, outcome, status, version in rows
        ]
