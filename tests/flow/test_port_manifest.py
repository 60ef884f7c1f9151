"""A small device that goes by signed manifests (ports/posix/trust.c), and what a server in the wrong hands
can do to it: nothing but keep it where it is. Manifests are made without our code (tests/lib/manifests.py).
"""

import hashlib
import os
import struct
import time
import zlib

import cbor2
import pytest

import harness
import manifests
from harness import run, wait_for
from relay import Relay
from test_agent import action_of, deploy
from test_port import PAGE, REBOOT, Device, same
from vendor import Vendor

NAMES = ("vendor-1", "vendor-2", "director-1", "director-2")
MANIFEST = "/tuf/director/p-1/manifest.cbor"


def make_keys(folder):
    made = manifests.Keys(folder)
    for name in NAMES:
        made.make(name)
        (folder / f"{name}.pub").write_bytes(made.public(name))
    return made


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return make_keys(tmp_path_factory.mktemp("keys"))


class Scene:
    """A device that trusts both first keys, and a server behind which somebody sits."""

    def __init__(self, server, folder, keys):
        self.server, self.keys = server, keys
        self.now = int(time.time())
        self.device = Device(server, folder)
        self.believe()
        who = harness.Credential(self.device.dir / "device.crt", self.device.dir / "device.key")
        self.relay = Relay(server, who, answer=self.answer)
        self.device.port = self.relay.port
        self.manifest = None  # what is served; None: nothing is, bytes
        self.head = {}  # of it, beside what belongs there
        self.image = {}  # by version
        self.file = None  # what is served as the file instead of the published one

    def believe(self, vendor=("vendor-1",), director=("director-1",), device="p-1", model="p"):
        options = ["--device", device, "--model", model]
        for name in vendor:
            options += ["--vendor-key", str(self.keys.folder / f"{name}.pub")]
        for name in director:
            options += ["--director-key", str(self.keys.folder / f"{name}.pub")]
        self.device.trust = options

    def answer(self, method, path, status, headers, body):
        if path == MANIFEST:
            found = self.manifest is not None
            headers = {"Content-Type": "application/cbor", **self.head}
            return (200 if found else 404), headers, self.manifest or b""
        if self.file is not None and path.endswith("/file"):
            return status, headers, self.file
        return status, headers, body

    def publish(self, version, data=None):
        self.image[version] = data or os.urandom(50_000)
        self.server.publish("p", version, self.image[version])

    def entry(self, version, sequence, *, model="p", upgrade_from=0, counter=0, image=None, **how):
        data = image or self.image[version]
        fields = [
            1,
            model,
            "p",
            version,
            sequence,
            hashlib.sha256(data).digest(),
            len(data),
            upgrade_from,
            counter,
        ]
        return manifests.entry(self.keys, fields, **how)

    def sign(self, entry, *, version=None, expires=None, device="p-1", **how):
        return manifests.manifest(
            self.keys, version or self.now, expires or self.now + 3600, device, entry, **how
        )

    def update(self):
        """Boots until there is nothing to do; the texts of the last boot."""
        for _ in range(4):
            done = self.device.boot()
            if done.code == 0:
                return done
        raise AssertionError(done)

    def taken(self):
        """The version of the manifest that was taken last."""
        raw = (self.device.dir / "manifest").read_bytes()
        pages = [raw[at : at + PAGE] for at in (0, PAGE) if len(raw) >= at + PAGE]
        good = [p for p in pages if struct.unpack_from("<2I", p) == (0x50514F54, zlib.crc32(p[8:24]))]
        return max(struct.unpack_from("<II", p, 8)[0:1] + struct.unpack_from("<I", p, 16) for p in good)[1]

    def accepts(self, version):
        deploy(self.server, "p", version)
        done = self.update()
        assert self.device.running() == version, done
        assert same(self.device.image(), self.image[version])
        assert action_of(self.server, "p-1")["state"] == "succeeded"

    def refuses(self, version, why):
        """The old version goes on, nothing was written where the new one would lie, the operator is told."""
        running, slots = self.device.running(), self.slots()
        deploy(self.server, "p", version)
        done = self.update()
        assert self.device.running() == running, done
        assert self.slots() == slots, "something was written to flash"
        told = action_of(self.server, "p-1")
        assert told["state"] == "failed", (told, done)
        texts = [h["text"] for h in self.server.api("GET", "/api/devices/p-1/history").json()["items"]]
        assert why in texts[0] or why in texts[1], (why, texts[:3])

    def waits(self, version, why):
        """It may be a moment behind: the device asks again, and nothing is written meanwhile."""
        running, slots = self.device.running(), self.slots()
        deploy(self.server, "p", version)
        self.device.start()
        wait_for(lambda: why in self.device.log.read_text(), 30, f"it says: {why}")
        self.device.kill()
        assert self.device.running() == running and self.slots() == slots

    def slots(self):
        return [hashlib.sha256((self.device.dir / f"slot.{i}").read_bytes()).digest() for i in (0, 1)]


@pytest.fixture
def scene(server, tmp_path, keys):
    made = Scene(server, tmp_path / "device", keys)
    made.publish("1")
    assert made.update().code == 0
    yield made
    made.device.kill()
    made.relay.close()


def test_what_both_signed_is_installed(scene):
    scene.manifest = scene.sign(scene.entry("1", 1), version=7)
    scene.accepts("1")
    assert scene.taken() == 7
    scene.publish("2")
    scene.manifest = scene.sign(scene.entry("2", 2, upgrade_from=1, counter=2), version=8)
    scene.accepts("2")
    assert scene.taken() == 8
    scene.publish("3")
    scene.manifest = scene.sign(scene.entry("3", 9, upgrade_from=3, counter=2), version=9)
    scene.refuses("3", "another release must be installed before")
    # Back to something older the director may, but not below the counter that the second one brought.
    scene.manifest = scene.sign(scene.entry("3", 1, counter=1), version=10)
    scene.refuses("3", "below the device's counter")
    scene.manifest = scene.sign(scene.entry("3", 1, counter=2), version=10)
    scene.accepts("3")


def test_what_a_stolen_server_can_sign(scene):
    """It has the director's key, and everything that the vendor ever signed."""
    evil = os.urandom(50_000)
    scene.file = evil
    for entry in (
        scene.entry("1", 1, image=evil, key="director-1"),
        scene.entry("1", 1, image=evil, key="director-1", aad=b"pqota-director"),
        scene.entry("1", 1, image=evil)[: -manifests.SIG] + scene.entry("1", 1)[-manifests.SIG :],
    ):
        scene.manifest = scene.sign(entry)
        scene.refuses("1", "not signed by the vendor's key")
    scene.manifest = scene.sign(manifests.encode([1, "p", "p", "1", 1, bytes(32), len(evil), 0, 0]))
    scene.refuses("1", "not a manifest")  # the vendor's signature stripped
    scene.manifest = scene.sign(scene.entry("1", 1, model="other"))
    scene.refuses("1", "for another model")


def test_the_right_manifest_with_another_file(scene):
    scene.file = os.urandom(50_000)
    scene.manifest = scene.sign(scene.entry("1", 1))
    deploy(scene.server, "p", "1")
    done = scene.update()
    assert scene.device.running() == "factory" and "after 2 downloads" in done.err, done
    assert action_of(scene.server, "p-1")["state"] == "failed"


def test_without_the_directors_key(scene):
    for manifest, why in (
        (scene.sign(scene.entry("1", 1), device="p-2"), "for another device"),
        (scene.sign(scene.entry("1", 1), key="director-2"), "not signed by the server's key"),
        (scene.sign(scene.entry("1", 1), key="vendor-1"), "not signed by the server's key"),
        (scene.entry("1", 1), "not signed by the server's key"),
        (b"", "not a manifest"),
        (b"{}", "not a manifest"),
        (scene.sign(scene.entry("1", 1)) + b"\0", "not a manifest"),
        (bytes(5121), "larger than a manifest can be"),
    ):
        scene.manifest = manifest
        scene.refuses("1", why)


def test_a_bit_turned_over_in_each_part(scene):
    good = scene.sign(scene.entry("1", 1))
    inner = good.index(b"\x58", 30)  # anywhere: what it hits is another part each time
    for at in (0, 1, 6, 9, 14, 30, inner + 60, 1500, len(good) - 2420, len(good) - 1):
        turned = bytearray(good)
        turned[at] ^= 1 << (at % 8)
        scene.manifest = bytes(turned)
        scene.refuses("1", "manifest")
    scene.manifest = good
    scene.accepts("1")


def test_old_ones_are_not_taken_again(scene):
    scene.manifest = scene.sign(scene.entry("1", 1), version=100)
    scene.accepts("1")
    scene.publish("2")
    scene.manifest = scene.sign(scene.entry("2", 2), version=99)
    scene.refuses("2", "older than the one that was taken last")
    scene.manifest = scene.sign(scene.entry("2", 2), version=101, expires=scene.now - 1)
    scene.waits("2", "has expired")
    assert scene.taken() == 100
    scene.manifest = scene.sign(None, version=102)
    scene.waits("2", "names nothing for this device")
    assert scene.taken() == 102
    scene.manifest = None
    scene.waits("2", "there is no manifest: the server answered 404")
    scene.manifest = scene.sign(scene.entry("1", 1), version=103)
    scene.waits("2", "1 is vouched for, the server offers p 2")
    scene.manifest = scene.sign(scene.entry("2", 2), version=104)
    scene.accepts("2")


def test_an_answer_without_a_length_is_no_refusal(scene):
    """What became of the head on the way says nothing of the manifest: it is asked for again."""
    scene.manifest = scene.sign(scene.entry("1", 1))
    scene.head = {"Content-Range": "of what?"}  # the length comes after it
    scene.waits("1", "the manifest could not be fetched")
    scene.head = {}
    scene.accepts("1")


def test_keys_are_replaced_by_a_firmware(scene):
    """Both, then the new one alone: versions begin anew, whatever a thief of the old one did to them."""
    scene.believe(vendor=("vendor-1", "vendor-2"), director=("director-1", "director-2"))
    scene.manifest = scene.sign(scene.entry("1", 1), version=4294967295)
    scene.accepts("1")
    scene.publish("2")
    scene.manifest = scene.sign(scene.entry("2", 2, key="vendor-2"), key="director-2")
    scene.waits("2", "older than the one that was taken last")
    scene.believe(vendor=("vendor-2",), director=("director-2",))
    scene.accepts("2")
    assert scene.taken() == scene.now
    scene.publish("3")
    scene.manifest = scene.sign(scene.entry("3", 3), version=4294967295)
    scene.refuses("3", "not signed by the server's key")


def test_options(server, tmp_path, keys):
    device = Device(server, tmp_path / "device")
    good = ["--device", "p-1", "--model", "p", "--vendor-key", str(keys.folder / "vendor-1.pub")]
    short = tmp_path / "short"
    short.write_bytes(bytes(1311))
    director = ["--director-key", str(keys.folder / "director-1.pub")]
    for options in ([], good, good + ["--director-key", str(short)], good + 3 * director, director):
        device.trust = options
        done = run(device.argv("-o"))
        assert done.code == 2 and "usage: pqota-device" in done.err, (options, done)
        assert not (device.dir / "slot.0").exists()
    device.trust = good + 2 * director
    assert device.boot().code == 0


def test_the_vectors_are_made_again_as_they_are(tmp_path):
    """tests/kat/make_manifest.py gives what is kept in the tree, to the byte."""
    kept = harness.TREE / "tests"
    (tmp_path / "kat").mkdir()
    run(["python3", kept / "kat" / "make_manifest.py", tmp_path / "kat"], check=0)
    made = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert len(made) == 21, made
    for name in made:
        assert (tmp_path / name).read_bytes() == (kept / name).read_bytes(), name


def raw_key(pem, path):
    """As docs/devices.md has it: the end of the SubjectPublicKeyInfo."""
    path.write_bytes(manifests.openssl("pkey", "-pubin", "-in", pem, "-outform", "DER")[-1312:])
    return str(path)


def test_the_whole_way(make_server, tmp_path):
    """Keys by trust init, the vendor's entry by trust sign, the manifest by the server."""
    server = make_server({"trust.insecure_unsigned": "no"}, start=False)
    vendor = Vendor(server).start()
    device = Device(server, tmp_path / "device")
    device.trust = ["--device", "p-1", "--model", "p"]
    for who in ("vendor", "director"):
        key = raw_key(vendor.dir / "device" / f"manifest-{who}.pem", tmp_path / who)
        device.trust += [f"--{who}-key", key]
    who = harness.Credential(device.dir / "device.crt", device.dir / "device.key")
    for sequence, custom in ((1, {}), (2, {"upgrade_from": 1, "counter": 1})):
        version, data = str(sequence), os.urandom(50_000)
        release = server.publish("p", version, data)
        request = vendor.prepare(release, sequence, **custom)
        vendor.sign(request, vendor.key("targets"), vendor.key("manifest"))
        vendor.upload(request)
        deploy(server, "p", version)
        first = device.boot()
        assert first.code == REBOOT, first
        assert device.update() == 1
        assert device.running() == version and same(device.image(), data)
        assert action_of(server, "p-1")["state"] == "succeeded"
        manifest = server.curl(MANIFEST, who=who)
        assert manifest.status == 200 and len(manifest.body) < 5000
        form, made, expires, name, entry = cbor2.loads(cbor2.loads(manifest.body).value[2])
        assert (form, name) == (1, "p-1") and made <= time.time() + 1 < expires
        said = cbor2.loads(cbor2.loads(entry).value[2])
        assert said[1:5] == ["p", "p", version, sequence] and said[5] == hashlib.sha256(data).digest()
        assert said[6:] == [len(data), custom.get("upgrade_from", 0), custom.get("counter", 0)]
