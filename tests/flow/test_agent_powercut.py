"""A power cut at any moment of an update into slots leaves a whole old or a whole new version, and an agent
that goes on from there.

The real agent works under the preload library that records what reaches the disk (tests/lib/powercut); then
its folder is rebuilt as a cut there would have left it, and the agent is started anew, in a new boot, against
the server as it stood. Programs that the agent starts are not recorded: they write nothing here."""

import collections
import random
import shutil

import pytest

import harness
import powercut

SHIM = harness.BUILD / "tests" / "lib" / "powercut" / "powercut.so"
SEED = 20261122
CHECKED = 200  # cuts at which the folder is looked at, for each kind of loss; an update has about 80
CONTINUED = harness.rounds(16, 40)  # cuts from which the agent goes on
SIZE = 150_000
OLD, NEW = (random.Random(SEED + i).randbytes(SIZE) for i in (0, 1))
WHOLE = {"1": OLD, "2": NEW}


def deploy(server, version):
    body = {"name": "c", "version": version, "target": {"kind": "model", "value": "c"}}
    server.api("POST", "/api/deployments", body, expect=201)


class Recorded:
    """An update from version 1 to 2, as it was recorded from the poll to the report."""

    def __init__(self, folder):
        (folder / "server").mkdir()
        self.server = harness.Server(folder / "server", build=harness.RELEASE).start()
        agents = folder / "agents"
        self.agent = harness.Agent(self.server, agents, "c-1", "c", settings={
            "agent.boot_id_file": agents / "c-1.boot" / "boot-id",
            "agent.state_dir": agents / "c-1" / "disk" / "state",
            "installer.slots_dir": agents / "c-1" / "disk" / "slots",
            "installer.health_command": "/bin/true",
        }, build=harness.BUILD)
        self.disk = self.agent.dir / "disk"
        self.disk.mkdir()
        self.agent.state, self.agent.slots = self.disk / "state", self.disk / "slots"
        self.boots = agents / "c-1.boot"
        self.boots.mkdir()
        self.boot(0)
        self.agent.enrol()
        self.server.publish("c", "1", OLD)
        deploy(self.server, "1")
        self.agent.once(check=0)
        self.server.publish("c", "2", NEW)
        deploy(self.server, "2")
        # Offered, so that the server knows the action; the agent gets the same one.
        who = harness.Credential(self.agent.state / "device.crt", self.agent.state / "device.key")
        assert self.server.curl("/api/update?version=1", who=who).status == 200
        self.server.stop()
        self.offered = self.server.folder / "offered"
        shutil.copytree(self.server.dir / "data", self.offered)
        self.server.start()
        self.base = powercut.Base(self.disk)
        record = folder / "record"
        done = self.agent.run("once", "--config", self.agent.conf,
                              env=powercut.environment(SHIM, self.disk, record))
        assert done.code == 0, done
        assert self.version(self.disk) == "2"
        self.log = powercut.Log(record, self.base)

    def boot(self, number):
        (self.boots / "boot-id").write_text(f"boot-{number}\n")

    def rewind(self):
        """The server as it stood when it had offered the update."""
        self.server.stop()
        shutil.rmtree(self.server.dir / "data")
        shutil.copytree(self.offered, self.server.dir / "data")
        self.server.start()

    @staticmethod
    def version(disk):
        return (disk / "slots" / "current" / "version").read_text().strip()

    def rebuild(self, cut, folder, rng=None):
        powercut.Disk(self.log, cut, rng).write_to(folder)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    made = Recorded(tmp_path_factory.mktemp("powercut"))
    yield made
    made.server.stop()


def check(disk):
    """What `current` points to is whole, and says the version that it is."""
    version = Recorded.version(disk)
    whole = (disk / "slots" / "current" / "firmware.bin").read_bytes() == WHOLE[version]
    assert whole, version  # without the bytes: pytest would compare them for minutes
    return version


@pytest.mark.parametrize("chance", [None, 1, 2], ids=["nothing", "some", "other"])
def test_what_runs_is_whole_after_any_cut(recorded, tmp_path, chance):
    """Of what was not flushed, nothing or some of it reached the disk."""
    rng = random.Random(SEED + (chance or 0))
    cuts = recorded.log.cuts()
    seen = collections.Counter()
    for cut in sorted(rng.sample(cuts, min(CHECKED, len(cuts)))) + [cuts[0], cuts[-1]]:
        recorded.rebuild(cut, tmp_path / "disk", rng if chance else None)
        seen[check(tmp_path / "disk")] += 1
        shutil.rmtree(tmp_path / "disk")
    assert seen["1"] >= 10 and seen["2"] >= 3, (seen, len(cuts))
    print(f"\n{len(cuts)} places to cut; looked at: {dict(seen)}")


def spread(cuts, n):
    """Evenly over the records: an update has few writes, and each of them is a moment of its own."""
    return [cuts[i * (len(cuts) - 1) // (n - 1)] for i in range(n)]


@pytest.mark.long
def test_the_agent_goes_on_from_any_cut(recorded, tmp_path):
    """Each time the server is back where it had offered the update; each second time some of what was not
    flushed is on the disk."""
    rng = random.Random(SEED)
    server, agent, disk = recorded.server, recorded.agent, recorded.disk
    kept = tmp_path / "kept"
    disk.rename(kept)
    began = collections.Counter()
    for number, cut in enumerate(spread(recorded.log.cuts(), CONTINUED)):
        recorded.rewind()
        recorded.rebuild(cut, disk, rng if number % 2 else None)
        began[check(disk)] += 1
        recorded.boot(1 + number)
        done = agent.once()
        assert done.code == 0, (cut, done)
        assert check(disk) == "2", (cut, done)
        assert server.api("GET", "/api/devices/c-1").json()["version"] == "2", (cut, done)
        assert not (disk / "slots" / "pending").exists()
        agent.once(check=0)  # what the cut left beside the slots is swept when no switch is under way
        left = [p for p in disk.rglob("*") if p.name.endswith((".tmp", ".check")) or p.name == "artifact"]
        assert left == [], (cut, left)
        shutil.rmtree(disk)
    kept.rename(disk)
    assert began["1"] >= 5 and began["2"] >= 2, began
    print(f"\ncut in version 1: {began['1']} times, in version 2: {began['2']} times")


def test_the_check_can_fail(recorded, tmp_path):
    """Without its flushes the agent leaves damage: what is tested above is its doing."""
    flushed = [r.a for r in recorded.log.records]
    for r in recorded.log.records:
        if r.kind in (powercut.FSYNC, powercut.SYNCFS):
            r.a = 0
    failures = 0
    rng = random.Random(SEED)
    for cut in spread(recorded.log.cuts(), CHECKED):
        try:
            recorded.rebuild(cut, tmp_path / "disk", rng)
            check(tmp_path / "disk")
        except (AssertionError, OSError, KeyError):
            failures += 1
        shutil.rmtree(tmp_path / "disk", ignore_errors=True)
    for r, a in zip(recorded.log.records, flushed):
        r.a = a
    assert failures > 0
