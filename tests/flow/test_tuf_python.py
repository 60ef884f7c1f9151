"""pqota-tuf follows repositories that python-tuf made, and python-tuf's client follows one that is made as
pqota's are, going by the standard thresholds."""

import contextlib
import datetime
import functools

import pytest
import tufkeys
import tufrepo
import tufserver
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient import Updater

EXPIRES = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=9)
TARGET, CONTENT = "gw/app/1.0/app image.bin", b"the image" * 999


# --- pqota-tuf, and a repository by python-tuf -----------------------------------------------------------


def signed(body, *signers):
    document = Metadata(body)
    for signer in signers:
        document.sign(signer, append=True)
    return document


class MadeByPython:
    """A repository of python-tuf's own objects; what tufserver serves of it is files and blobs."""

    def __init__(self, generate, compact):
        self.signer = {
            name: generate() for name in ("root", "timestamp", "snapshot", "targets", "gw", "bin")
        }
        self.compact = compact
        self.files, self.blobs, self.requests, self.tricks = {}, {}, [], {}
        root = Root(expires=EXPIRES, consistent_snapshot=True)
        for role in ("root", "timestamp", "snapshot", "targets"):
            root.add_key(self.signer[role].public_key, role)
        self.root = root
        self.targets, self.gw, self.bin = (Targets(expires=EXPIRES) for _ in range(3))
        self.delegate(self.targets, "gw", paths=["gw/*/*/*"], terminating=True)
        self.delegate(self.targets, "bin", path_hash_prefixes=list("0123456789abcdef"))
        self.snapshot, self.timestamp = Snapshot(expires=EXPIRES), Timestamp(expires=EXPIRES)

    def delegate(self, delegator, name, terminating=False, **which):
        if delegator.delegations is None:
            delegator.delegations = Delegations({}, {})
        delegator.delegations.roles[name] = DelegatedRole(name, [], 1, terminating, **which)
        delegator.add_key(self.signer[name].public_key, name)

    def add(self, role, path, content, custom=None):
        entry = TargetFile.from_data(path, content, ["sha256", "sha512"])
        if custom:
            entry.unrecognized_fields["custom"] = custom
        role.targets[path] = entry
        for prefixed in entry.get_prefixed_paths():
            self.blobs[tufrepo.quote(prefixed, safe="/")] = content

    def bytes(self, body, *signers):
        return signed(body, *signers).to_bytes(JSONSerializer(compact=self.compact))

    def publish(self):
        for role in ("gw", "bin", "targets"):
            text = self.bytes(getattr(self, role), self.signer[role])
            version = getattr(self, role).version
            self.files[f"{version}.{role}.json"] = text
            self.snapshot.meta[f"{role}.json"] = MetaFile.from_data(version, text, ["sha256", "sha512"])
        text = self.bytes(self.snapshot, self.signer["snapshot"])
        self.files[f"{self.snapshot.version}.snapshot.json"] = text
        self.timestamp.snapshot_meta = MetaFile.from_data(self.snapshot.version, text, ["sha256"])
        self.files["timestamp.json"] = self.bytes(self.timestamp, self.signer["timestamp"])
        self.files[f"{self.root.version}.root.json"] = self.bytes(self.root, self.signer["root"])

    def file(self, _, version):
        return self.files[f"{version}.root.json"]


ONE_RSA_KEY = functools.cache(CryptoSigner.generate_rsa)  # for all roles: a key takes its time
GENERATE = {
    "ed25519": CryptoSigner.generate_ed25519,
    "ecdsa": CryptoSigner.generate_ecdsa,
    "rsa": ONE_RSA_KEY,
}


@pytest.mark.parametrize("compact", [False, True], ids=["indented", "compact"])
@pytest.mark.parametrize("generate", GENERATE.values(), ids=GENERATE.keys())
def test_a_repository_made_by_python_tuf(tuf, generate, compact):
    repo = MadeByPython(generate, compact)
    repo.add(repo.gw, TARGET, CONTENT, custom={"model": "gw", "sequence": 7})
    repo.add(repo.bin, "äö/\U0001f600 & co", b"unicode")
    repo.publish()
    client = tuf(repo)
    client.download(TARGET, "äö/\U0001f600 & co")
    assert sorted(client.downloads().values()) == sorted([CONTENT, b"unicode"])
    for name in ("timestamp", "snapshot", "targets", "gw", "bin"):
        versioned = name if name == "timestamp" else f"1.{name}"
        assert client.stored(name) == repo.files[f"{versioned}.json"]


def test_changes_and_rotation_by_python_tuf(tuf):
    repo = MadeByPython(CryptoSigner.generate_ed25519, True)
    repo.add(repo.gw, TARGET, CONTENT)
    repo.publish()
    client = tuf(repo)
    client.download(TARGET)
    old, new = repo.signer["root"], CryptoSigner.generate_ecdsa()
    repo.root.revoke_key(old.public_key.keyid, "root")
    repo.root.add_key(new.public_key, "root")
    for body in (repo.root, repo.gw, repo.snapshot, repo.timestamp):
        body.version += 1
    repo.add(repo.gw, TARGET, b"changed")
    repo.publish()
    repo.files["2.root.json"] = repo.bytes(repo.root, old, new)
    client.download(TARGET)
    assert list(client.downloads().values()) == [b"changed"]
    assert client.trusted() == {
        "root": 2,
        "timestamp": 2,
        "snapshot": 2,
        "targets": 1,
        "gw": 2,
    }
    repo.snapshot.version += 1
    repo.timestamp.version += 1
    repo.signer["snapshot"] = CryptoSigner.generate_ed25519()
    repo.publish()
    repo.files["2.root.json"] = repo.bytes(repo.root, old, new)
    client.refresh(check=1)
    assert client.trusted()["snapshot"] == 2


def test_both_sign_the_same_bytes():
    """Our canonical form and python-tuf's."""
    body = tufrepo.Repository().body("root")
    body["x-custom"] = {"b": ['"\\\n\t/é\U0001f600', -5, 1 << 53], "a": {}, "B": None, "é": True}
    theirs = Metadata.from_dict({"signed": tufrepo.json.loads(tufrepo.json.dumps(body)), "signatures": []})
    assert theirs.signed_bytes == tufkeys.canonical(body)


# --- python-tuf's client, and a repository as pqota makes them ---------------------------------------------


@contextlib.contextmanager
def followed_by_python(repo, folder):
    for name in ("metadata", "targets"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "metadata" / "root.json").write_bytes(repo.files["1.root.json"])
    with tufserver.Server(repo) as server:
        yield Updater(
            str(folder / "metadata"), server.metadata_url, str(folder / "targets"), server.targets_url
        )


def image():
    repo = tufrepo.image_repository()
    custom = {"model": "gw", "name": "app", "version": "1.0", "sequence": 1, "security": True}
    repo.add_target(TARGET, CONTENT, "model-gw", custom=custom)
    repo.publish_all()
    return repo


def without_post_quantum(document):
    """As if whoever served it had left them out."""
    sizes = {len(signature["sig"]) for signature in document["signatures"]}
    assert min(sizes) == 128 < max(sizes)
    document["signatures"] = [s for s in document["signatures"] if len(s["sig"]) == 128]


def test_python_tuf_follows_it_by_the_ed25519_halves(tmp_path):
    repo = image()
    with followed_by_python(repo, tmp_path) as updater:
        updater.refresh()
        info = updater.get_targetinfo(TARGET)
        assert info.unrecognized_fields["custom"]["sequence"] == 1
        path = updater.download_target(info)
    with open(path, "rb") as file:
        assert file.read() == CONTENT
    for name in list(repo.files):
        repo.edit(name, without_post_quantum)
    (tmp_path / "again").mkdir()
    with followed_by_python(repo, tmp_path / "again") as updater:
        assert updater.get_targetinfo(TARGET) is not None


def test_python_tuf_refuses_it_without_the_ed25519_halves(tmp_path):
    """A signature that it cannot verify counts for nothing."""
    repo = image()

    def strip(document):
        document["signatures"] = [s for s in document["signatures"] if len(s["sig"]) != 128]

    repo.edit("timestamp.json", strip)
    with followed_by_python(repo, tmp_path) as updater, pytest.raises(UnsignedMetadataError):
        updater.refresh()


def test_python_tuf_follows_two_of_three_holders_and_a_rotation(tmp_path):
    repo = image()
    holders = [tufkeys.pair(87) for _ in range(3)]
    keys = [key for pair in holders for key in pair]
    two = [key for pair in holders[:2] for key in pair]
    repo.publish_root_rotation(keys, threshold=2)
    repo.signers["root"] = two
    repo.rotate("timestamp")
    repo.publish("root", "timestamp")
    with followed_by_python(repo, tmp_path) as updater:
        updater.refresh()
    assert repo.requests[:3] == ["2.root.json", "3.root.json", "4.root.json"]
    repo.signers["root"] = two[:2]
    repo.publish("root")
    with followed_by_python(repo, tmp_path) as updater, pytest.raises(RepositoryError):
        updater.refresh()


def test_python_tuf_keeps_what_it_does_not_know(tmp_path):
    """pqota's own members are read and written again by it as they were."""
    repo = image()
    for role in ("root", "targets", "model-gw"):
        body = Metadata.from_bytes(repo.file(role)).signed.to_dict()
        assert body == repo.body(role)
    assert "ml-dsa" in repr(repo.body("root")["pqota"]) and "ml-dsa" in repr(repo.body("targets")["pqota"])


@pytest.mark.parametrize("tap21", [False, True], ids=["own members", "TAP 21"])
def test_pqota_tuf_follows_both_places_of_ml_dsa_keys(tuf, tap21):
    """By the standard thresholds: TAP 21's keys count, those in pqota's own members are not looked at."""
    repo = tufrepo.image_repository(tap21=tap21)
    repo.add_target(TARGET, CONTENT, "model-gw")
    repo.publish_all()
    keys = repo.body("root")["keys"].values()
    assert {key["keytype"] for key in keys} == ({"ed25519", "ml-dsa"} if tap21 else {"ed25519"})
    client = tuf(repo)
    client.download(TARGET)
    assert list(client.downloads().values()) == [CONTENT]
    repo.signers["timestamp"] = [key for key in repo.signers["timestamp"] if key.post_quantum]
    repo.publish("timestamp")
    client.refresh(check=0 if tap21 else 1)


SPOILS = {
    "nothing": ("targets", lambda body: None),
    "expired": ("timestamp", lambda body: body.update(expires=tufrepo.when(days=-1))),
    "no date": ("snapshot", lambda body: body.update(expires="tomorrow")),
    "a date that is a number": ("targets", lambda body: body.update(expires=4102444800)),
    "no snapshot": ("timestamp", lambda body: body["meta"].clear()),
    "no meta": ("snapshot", lambda body: body.pop("meta")),
    "meta that is a list": ("snapshot", lambda body: body.update(meta=[])),
    "a version that is a text": (
        "timestamp",
        lambda body: body["meta"]["snapshot.json"].update(version="1"),
    ),
    "a version below 1": ("snapshot", lambda body: body["meta"]["targets.json"].update(version=0)),
    "a length below 0": ("snapshot", lambda body: body["meta"]["targets.json"].update(length=-1)),
    "its own version is missing": ("targets", lambda body: body.pop("version")),
    "its own version is a text": ("targets", lambda body: body.update(version="2")),
    "targets that are a list": ("targets", lambda body: body.update(targets=[])),
    "a target without a length": ("targets", lambda body: body["targets"]["x"].pop("length")),
    "a target without hashes": ("targets", lambda body: body["targets"]["x"].update(hashes={})),
    "delegations without keys": ("targets", lambda body: body.update(delegations={"roles": []})),
    "no specification": ("timestamp", lambda body: body.pop("spec_version")),
    "another specification": ("timestamp", lambda body: body.update(spec_version="3.0.0")),
    "keys that are missing": ("root", lambda body: body.pop("keys")),
    "a role that is missing": ("root", lambda body: body["roles"].pop("snapshot")),
    "a threshold of 0": ("root", lambda body: body["roles"]["targets"].update(threshold=0)),
    "a key without a value": ("root", lambda body: next(iter(body["keys"].values())).pop("keyval")),
}


@pytest.mark.parametrize("what", SPOILS)
def test_both_clients_say_the_same_of_what_is_signed_and_wrong(tuf, tmp_path, what):
    role, spoil = SPOILS[what]
    repo = tufrepo.Repository()
    repo.add_target("x", b"x")
    for name in ("targets", "snapshot", "timestamp", "root"):
        if name == role:
            repo.body(role)["version"] = 2
            spoil(repo.body(role))
            repo.serve(role, 2, repo.sign(role))
        else:
            repo.publish(name)
    refused = False
    try:
        with followed_by_python(repo, tmp_path) as updater:
            updater.refresh()
    except (RepositoryError, DeserializationError):
        refused = True
    assert refused == (what != "nothing")
    tuf(repo).refresh(check=1 if refused else 0)
