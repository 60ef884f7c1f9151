"""A power cut at any moment of an update leaves the example of a device (ports/posix) on a whole version, and
it goes on from there. What reaches the disk is recorded by tests/lib/powercut while the real program works.
"""

import collections
import random
import shutil

import pytest

import harness
import powercut
from test_agent import deploy
from test_port import REBOOT, same
from test_port_manifest import Scene, make_keys

SHIM = harness.BUILD / "tests" / "lib" / "powercut" / "powercut.so"
SEED = 20261122
CHECKED = 120  # cuts at which the flash is looked at, for each kind of loss
CONTINUED = harness.rounds(12, 24)  # cuts from which the device goes on
SIZE = 200_000
OLD, NEW = (random.Random(SEED + i).randbytes(SIZE) for i in (0, 1))
WHOLE = {"1": OLD, "2": NEW}


class Recorded:
    """An update from version 1 to 2, recorded from the poll over the reset to the report."""

    def __init__(self, folder):
        (folder / "server").mkdir()
        self.server = harness.Server(folder / "server", build=harness.RELEASE).start()
        (folder / "keys").mkdir()
        self.scene = Scene(self.server, folder / "device", make_keys(folder / "keys"))
        self.device = self.scene.device
        for version, data in WHOLE.items():
            self.scene.publish(version, data)
            self.scene.manifest = self.scene.sign(
                self.scene.entry(version, int(version)), version=int(version)
            )
            if version == "1":
                deploy(self.server, "p", version)
                assert self.device.update() == 2
        deploy(self.server, "p", "2")
        who = harness.Credential(self.device.dir / "device.crt", self.device.dir / "device.key")
        assert self.server.curl("/api/update?version=1", who=who).status == 200  # offered from here on
        self.server.stop()
        self.offered = folder / "offered"
        shutil.copytree(self.server.dir / "data", self.offered)
        self.server.start()
        base, record = powercut.Base(self.device.dir), folder / "record"
        env = powercut.environment(SHIM, self.device.dir, record)
        assert self.device.boot(**env).code == REBOOT
        assert self.device.boot(**env).code == 0 and self.device.running() == "2"
        self.log = powercut.Log(record, base)

    def rewind(self):
        """The server as it stood when it had offered the update."""
        self.server.stop()
        shutil.rmtree(self.server.dir / "data")
        shutil.copytree(self.offered, self.server.dir / "data")
        self.server.start()

    def rebuild(self, cut, rng):
        shutil.rmtree(self.device.dir)
        powercut.Disk(self.log, cut, rng).write_to(self.device.dir)

    def check(self):
        """The slot that runs, or that the boot loader is to try, holds a whole version."""
        slot, version = self.device.record()
        image = (self.device.dir / f"slot.{slot}").read_bytes()
        assert same(image, WHOLE[version]), version
        return version


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    made = Recorded(tmp_path_factory.mktemp("powercut"))
    yield made
    made.scene.relay.close()
    made.server.stop()


def spread(cuts, n):
    return [cuts[i * (len(cuts) - 1) // (n - 1)] for i in range(n)]


@pytest.mark.parametrize("chance", [None, 1, 2], ids=["nothing", "some", "other"])
def test_what_runs_is_whole_after_any_cut(recorded, chance):
    """Of what was not flushed, nothing or some of it reached the disk."""
    rng = random.Random(SEED + chance) if chance else None
    seen = collections.Counter()
    for cut in spread(recorded.log.cuts(), CHECKED):
        recorded.rebuild(cut, rng)
        seen[recorded.check()] += 1
    assert seen["1"] >= 10 and seen["2"] >= 3, seen


@pytest.mark.long
def test_the_device_goes_on_from_any_cut(recorded):
    """A cut in the trial sends it back to version 1, as it should: then that is what it reports."""
    rng = random.Random(SEED)
    ends = collections.Counter()
    for number, cut in enumerate(spread(recorded.log.cuts(), CONTINUED)):
        recorded.rewind()
        recorded.rebuild(cut, rng if number % 2 else None)
        recorded.device.update()
        version = recorded.check()
        told = recorded.server.api("GET", "/api/devices/p-1").json()
        assert told["version"] == version, (cut, told)
        history = recorded.server.api("GET", "/api/devices/p-1/history").json()["items"]
        outcome = next(h["state"] for h in history if h.get("state") in ("succeeded", "failed"))
        assert outcome == ("succeeded" if version == "2" else "failed"), (cut, history[:3])
        ends[version] += 1
    assert ends["2"] >= CONTINUED // 2, ends


def test_the_check_can_fail(recorded):
    """Without its flushes the device leaves damage: what is tested above is its doing."""
    flushed = [r.a for r in recorded.log.records]
    for r in recorded.log.records:
        if r.kind == powercut.FSYNC:
            r.a = 0
    failures = 0
    rng = random.Random(SEED)
    for cut in spread(recorded.log.cuts(), CHECKED):
        try:
            recorded.rebuild(cut, rng)
            recorded.check()
        except (AssertionError, KeyError, OSError):
            failures += 1
    for r, a in zip(recorded.log.records, flushed):
        r.a = a
    assert failures > 0
