"""A power cut at any moment of an update that is vouched for: nothing that the device knew is forgotten (the
counter, the versions of metadata), and it goes on from there.

As tests/flow/test_agent_powercut.py, with a vendor who changes a role's keys at the same time, so that
metadata are dropped and replaced in the middle."""

import collections
import json
import random
import shutil

import harness
import powercut
import pytest
from test_agent_powercut import SHIM, spread
from tuffront import Front, trusting

SEED = 20261122
CONTINUED = harness.rounds(12, 24)  # cuts from which the agent goes on
OLD, NEW = b"the first firmware" * 500, b"the second firmware" * 7000
WHOLE = {"1.0": OLD, "2.0": NEW}
DROPPED = {"image/timestamp", "image/snapshot"}  # with the root that has other keys for one of them


def standing(disk):
    """(sequence, counter) as the stored state has them."""
    lines = dict(line.split("=", 1) for line in (disk / "state" / "state").read_text().splitlines()[1:])
    return int(lines["confirmed-sequence"]), int(lines["confirmed-counter"])


def versions(disk):
    kept = disk / "state" / "trust"
    return {
        str(path.relative_to(kept).with_suffix("")): json.loads(path.read_bytes())["signed"]["version"]
        for path in kept.rglob("*.json")
    }


class Recorded:
    """An update from 1.0 (sequence 1, counter 1) to 2.0 (sequence 2, counter 4), from poll to report."""

    def __init__(self, folder):
        (folder / "server").mkdir()
        self.server = harness.Server(folder / "server", build=harness.RELEASE).start()
        self.front = front = Front(self.server)
        self.agent = agent = trusting(self.make, self.server, front)
        self.boot(0)
        front.deploy("1.0", OLD)
        front.direct(front.sign("1.0", OLD))
        agent.once(check=0)
        front.deploy("2.0", NEW)
        self.offer = self.server.curl("/api/update?version=1.0", who=front.who).json()
        front.answer = self.answer
        front.image.rotate("timestamp")
        front.image.publish("root")
        front.direct(front.sign("2.0", NEW, sequence=2, counter=4))
        self.before = versions(self.disk)
        base = powercut.Base(self.disk)
        env = powercut.environment(SHIM, self.disk, folder / "record")
        ended = agent.run("once", "--config", agent.conf, env=env)
        assert ended.code == 0, ended
        self.after = versions(self.disk)
        self.log = powercut.Log(folder / "record", base)

    def make(self, server, device, model, settings):
        agents = server.folder / "agents"
        self.disk = agents / device / "disk"
        self.boots = agents / f"{device}.boot"
        paths = {
            "agent.boot_id_file": self.boots / "boot-id",
            "agent.state_dir": self.disk / "state",
            "installer.slots_dir": self.disk / "slots",
        }
        agent = harness.Agent(
            server, agents, device, model, settings={**settings, **paths}, build=harness.BUILD
        )
        self.disk.mkdir()
        self.boots.mkdir()
        agent.state, agent.slots = self.disk / "state", self.disk / "slots"
        return agent

    def boot(self, number):
        (self.boots / "boot-id").write_text(f"boot-{number}\n")

    def answer(self, method, path, status, headers, body):
        """The action stays open, whatever was reported before the power went."""
        if method == "GET" and path.startswith("/api/update"):
            return 200, {"Content-Type": "application/json"}, json.dumps(self.offer).encode()
        if method == "POST" and path.endswith("/status"):
            return 204, {}, b""
        return status, headers, body

    def close(self):
        self.front.close()
        self.server.stop()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    made = Recorded(tmp_path_factory.mktemp("powercut"))
    yield made
    made.close()


def check(recorded, disk):
    """Nothing went back. Answers which version runs."""
    now = versions(disk)
    for role, version in recorded.before.items():
        assert now.get(role, version if role in DROPPED else 0) >= version, (role, now)
    version = (disk / "slots" / "current" / "version").read_text().strip()
    assert (disk / "slots" / "current" / "firmware.bin").read_bytes() == WHOLE[version]
    assert standing(disk) in ((1, 1), (2, 4))
    if version == "1.0":  # raised by what confirmed itself, and not before
        assert standing(disk) == (1, 1)
    return version, standing(disk)[1], now.get("image/timestamp", 0)


@pytest.mark.parametrize("chance", [None, 1, 2], ids=["nothing", "some", "other"])
def test_nothing_goes_back(recorded, tmp_path, chance):
    """Of what was not flushed, nothing or some of it reached the disk."""
    rng = random.Random(SEED + chance) if chance else None
    seen = collections.Counter()
    for cut in recorded.log.cuts():
        powercut.Disk(recorded.log, cut, rng).write_to(tmp_path / "disk")
        seen[check(recorded, tmp_path / "disk")] += 1
        shutil.rmtree(tmp_path / "disk")
    old, new = (kept["image/timestamp"] for kept in (recorded.before, recorded.after))
    # Before; between the two roots; metadata new, firmware old; new firmware, not confirmed; all of it.
    assert {("1.0", 1, old), ("1.0", 1, 0), ("1.0", 1, new), ("2.0", 1, new), ("2.0", 4, new)} <= set(
        seen
    ), seen


@pytest.mark.long
def test_the_device_goes_on(recorded, tmp_path):
    rng = random.Random(SEED)
    kept = tmp_path / "kept"
    recorded.disk.rename(kept)
    for number, cut in enumerate(spread(recorded.log.cuts(), CONTINUED)):
        powercut.Disk(recorded.log, cut, rng if number % 2 else None).write_to(recorded.disk)
        recorded.boot(1 + number)
        done = recorded.agent.once()
        assert done.code == 0, (cut, done)
        assert check(recorded, recorded.disk)[0] == "2.0", (cut, done)
        assert standing(recorded.disk) == (2, 4), (cut, done)
        assert versions(recorded.disk) == recorded.after, (cut, done)
        shutil.rmtree(recorded.disk)
    kept.rename(recorded.disk)
