"""One bit of one file of metadata, turned over on its way to a real agent: its structure, its signatures, its
keys, its body. All bytes of all files are turned over in tests/unit/client/flips.c (every one in make soak),
those of a small device's manifest in tests/unit/trust/manifest.c and test_port_manifest.py."""

import pytest
from hostile import DEVICE, THRESHOLD, holders

FILES = (
    "director/2.root.json",
    f"director/{DEVICE}/targets.json",
    "image/2.root.json",
    "image/timestamp.json",
    "image/3.snapshot.json",
    "image/3.targets.json",
    "image/3.model-gw.json",
)


def places(text, structure):
    """Offsets of what a file consists of, by name."""
    signed = text.index(b'"signed"')
    found = {
        "a key's id": text.index(b'"keyid": "') + 20,
        "the first signature": text.index(b'"sig": "') + 30,
        "the last signature": text.rindex(b'"sig": "', 0, signed) + 100,
        "its version": text.index(b'"version": ', signed) + len(b'"version": '),
    }
    if structure:
        found["the first brace"] = text.index(b"{")
        found["the list of signatures"] = text.index(b'"signatures"') + 3
        found["the body's name"] = signed + 2
        found["its end"] = text.index(b'"expires": "', signed) + len(b'"expires": "') + 3
        found["the last brace"] = text.rindex(b"}")
    for name, mark, ahead in (
        ("a public key", b"-----BEGIN PUBLIC KEY-----", 100),
        ("a count", b'"classical": ', len(b'"classical": ')),
        ("a hash", b'"sha256": "', 20),
        ("a counter", b'"counter": ', len(b'"counter": ')),
        ("whose it is", b'"device": "', len(b'"device": "')),
    ):
        if mark in text[signed:]:
            found[name] = text.index(mark, signed) + ahead
    return found


def turned(text, at, bit=0):
    return text[:at] + bytes([text[at] ^ 1 << bit]) + text[at + 1 :]


@pytest.mark.parametrize("which", FILES)
def test_a_bit_turned_over(stage, which):
    repository, _, name = which.partition("/")
    scene = stage.again()
    for repo in (scene.image, scene.director):
        repo.signers["root"] = holders(repo.signers["root"], THRESHOLD)  # none too many
        repo.publish("root")
    scene.stage.add(scene.image, "2.0")
    scene.refresh("targets", "model-gw")
    scene.direct()
    images, directors = scene.image.files, scene.director.files
    text = (images if repository == "image" else directors)[name]
    for place, at in places(text, structure=repository == "director").items():
        scene = stage.again()
        scene.image.files, scene.director.files = dict(images), dict(directors)
        getattr(scene.front, repository).files[name] = turned(text, at)
        artifact = {"filename": "f", "size": 1, "sha256": "0" * 64, "url": "/api/firmware/1/file"}
        scene.front.offer = {
            "action": 1,
            "release": {"name": "fw", "version": "2.0"},
            "artifacts": [artifact],
        }
        scene.front.mute = True
        done = scene.once()
        assert done.code == 3, (place, done)
        assert scene.look() == scene.before and not stage.trace.exists(), place
        report = scene.front.reports[-1]
        assert report["state"] == "failed" and f"{repository}: {name}: " in report["message"], (
            place,
            report,
        )
        assert scene.front.files == []
