"""What TUF's public conformance suite asks of a client: what is requested, what stored, what refused."""

import json

import pytest
import tufkeys
import tufserver
from tufrepo import Repository, when

FRESH = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]
ALL = {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}
WORKFLOW = ("root", "timestamp", "snapshot", "targets")  # in the order of the requests


def test_init_stores_the_root_and_requests_nothing(tuf):
    client = tuf(init=False)
    client.init()
    assert client.repo.requests == []
    assert client.trusted() == {"root": 1}
    assert client.stored("root") == client.repo.file("root")


def test_a_fresh_refresh(tuf):
    client = tuf()
    client.refresh()
    assert client.repo.asked() == FRESH
    assert client.trusted() == ALL
    for role in WORKFLOW:
        assert client.stored(role) == client.repo.file(role)


def test_a_second_refresh_asks_for_root_and_timestamp_alone(tuf):
    client = tuf()
    client.refresh()
    client.repo.asked()
    client.refresh()
    assert client.repo.asked() == ["2.root.json", "timestamp.json"]


def test_verb_and_options_in_any_order(tuf):
    client = tuf()
    url, folder = client.server.metadata_url, client.metadata
    client.run("refresh", "--metadata-url", url, "--metadata-dir", folder, check=0)
    client.run("--metadata-url", url, "refresh", "--metadata-dir", folder, check=0)
    client.run("--metadata-dir", folder, "--metadata-url", url.rstrip("/"), "refresh", check=0)
    assert client.trusted() == ALL


def test_a_wrong_command_line_says_what_is_missing(tuf):
    client = tuf()
    folder = ["--metadata-dir", client.metadata]
    for argv, say in [
        ([], "init, refresh or download"),
        (["update"], 'not "update"'),
        (["refresh"], "--metadata-dir"),
        ([*folder, "init"], "ROOT.json"),
        ([*folder, "init", "a", "b"], '"b" is one word too many'),
        ([*folder, "init", client.folder / "none.json"], "none.json"),
        ([*folder, "refresh"], "--metadata-url"),
        ([*folder, "--metadata-url", "http://127.0.0.1:1/", "download"], "--target-name"),
        ([*folder, "--patience", "0", "refresh"], "--patience"),
        ([*folder, "--metadata-url", "ftp://127.0.0.1/", "refresh"], "ftp"),
        ([*folder, "--metadata-url", "file:///etc/", "refresh"], "file"),
    ]:
        result = client.run(*argv, check=1)
        assert say in result.err and result.err.startswith("pqota-tuf: "), (argv, result)
    assert client.trusted() == {"root": 1}


def test_download_refreshes_first(tuf):
    client = tuf()
    client.download("nobody has it", check=1)
    assert client.repo.asked() == FRESH
    assert client.trusted() == ALL


def test_without_a_root_nothing_is_requested(tuf):
    client = tuf(init=False)
    client.refresh(check=1)
    assert client.repo.requests == [] and client.trusted() == {}


@pytest.mark.parametrize("damage", ["no version", "wrong signature", "no JSON", "empty"])
def test_an_invalid_first_root(tuf, damage):
    client = tuf(init=False)
    root = json.loads(client.repo.file("root"))
    if damage == "no version":
        del root["signed"]["version"]
    root["signatures"][0]["sig"] = (
        "ab" * 64 if damage == "wrong signature" else root["signatures"][0]["sig"]
    )
    text = {"no JSON": b"<html>", "empty": b""}.get(damage, json.dumps(root).encode())
    client.init(root=text, check=None)
    client.refresh(check=1)
    assert client.repo.requests == []


@pytest.mark.parametrize("role", WORKFLOW)
def test_a_role_that_is_not_signed_as_it_must_be(tuf, role):
    client = tuf()
    client.repo.signers[role] = [tufkeys.key()]
    client.repo.publish("root", "targets", "snapshot", "timestamp")
    client.refresh(check=1)
    before = WORKFLOW[: WORKFLOW.index(role)]
    assert client.trusted() == {"root": 1, **{name: 2 for name in before}}


@pytest.mark.parametrize("role", ["root", "snapshot", "targets"])
def test_a_version_that_is_not_the_one_asked_for(tuf, role):
    client = tuf()
    repo = client.repo
    repo.publish("targets", "snapshot", "timestamp")
    if role == "root":
        repo.publish("root")
    repo.body(role)["version"] = 3
    repo.files[f"2.{role}.json"] = repo.sign(role)
    client.refresh(check=1)
    before = WORKFLOW[: WORKFLOW.index(role)]
    assert client.trusted() == {"root": 1, **{name: 2 for name in before if name != "root"}}


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_a_wrong_type(tuf, role):
    """Rightly signed and well formed, and of another type."""
    client = tuf()
    other = {"root": "targets", "timestamp": "snapshot", "snapshot": "timestamp", "targets": "snapshot"}[
        role
    ]
    body = client.repo.body(role)
    body["_type"] = other
    if role == "root":
        body["targets"] = {}
    elif other == "snapshot":
        body["meta"] = {"targets.json": {"version": 1}, "snapshot.json": {"version": 1}}
    client.repo.publish("targets", "snapshot", "timestamp", "root")
    client.refresh(check=1)
    expected = {"root": 1} if role == "root" else {"root": 2}
    for name in WORKFLOW[1 : WORKFLOW.index(role)] if role != "root" else ():
        expected[name] = 2
    assert client.trusted() == expected


def test_a_timestamp_that_changed_without_a_new_version_is_not_taken(tuf):
    client = tuf()
    client.refresh()
    kept = client.stored("timestamp")
    client.repo.body("timestamp")["meta"]["snapshot.json"]["version"] = 100
    client.repo.publish("timestamp", bump=False)
    client.repo.asked()
    client.refresh()
    assert client.repo.asked() == ["2.root.json", "timestamp.json"]
    assert client.stored("timestamp") == kept


def test_lengths_and_hashes_of_metadata(tuf):
    repo = Repository()
    repo.with_hashes = True
    repo.publish("targets", "snapshot", "timestamp")
    client = tuf(repo)
    client.refresh()
    repo.publish("targets")
    repo.body("snapshot")["meta"]["targets.json"]["hashes"]["sha256"] = "46" * 32
    repo.publish("snapshot", "timestamp")
    client.refresh(check=1)
    assert client.trusted() == {"root": 1, "timestamp": 3, "snapshot": 3, "targets": 2}


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_metadata_longer_than_was_said(tuf, role):
    repo = Repository()
    repo.with_hashes = True
    repo.publish("targets", "snapshot", "timestamp")
    repo.files[f"2.{role}.json"] += b" "
    client = tuf(repo)
    client.refresh(check=1)
    assert role not in client.trusted()


def test_what_is_stored_is_what_was_served(tuf):
    client = tuf()
    odd = b"\n " + client.repo.file("timestamp") + b" \n"
    client.repo.files["timestamp.json"] = odd
    client.refresh()
    assert client.stored("timestamp") == odd


def test_members_that_nobody_knows(tuf):
    client = tuf()
    client.refresh()
    repo = client.repo
    key = repo.add_key("root", tufkeys.key().with_extra(**{"x-owner": {"a": 1, "b": [True, None, 'ü"\\']}}))
    repo.body("root")["x-custom"] = "value"
    repo.body("root")["roles"]["root"].update({"x-another": {}, "threshold": 2})
    repo.body("root")["roles"]["x-role"] = {"keyids": [key.keyid], "threshold": 1}
    for role in ("timestamp", "snapshot", "targets"):
        repo.body(role)["x-custom"] = [{"deep": -1}]
    repo.body("timestamp")["meta"]["snapshot.json"]["x-custom"] = 1
    repo.publish("root", "targets", "snapshot", "timestamp")
    client.refresh()
    assert client.trusted() == {name: 2 for name in ALL}


def test_keyid_hash_algorithms_mean_nothing(tuf):
    client = tuf()
    key = tufkeys.key().with_extra(keyid_hash_algorithms="md5")
    client.repo.set_role("snapshot", [key])
    client.repo.publish("root", "snapshot", "timestamp")
    client.refresh()
    assert client.trusted() == {**ALL, "root": 2, "snapshot": 2, "timestamp": 2}


@pytest.mark.parametrize("role,kept", [("timestamp", 1), ("snapshot", 2), ("targets", 2)])
@pytest.mark.parametrize("code", [403, 404])
def test_what_is_named_and_not_there(tuf, role, kept, code):
    client = tuf()
    client.refresh()
    repo = client.repo
    repo.publish("targets", "snapshot", "timestamp")
    name = "timestamp.json" if role == "timestamp" else f"2.{role}.json"
    repo.tricks[name] = tufserver.status(code)
    repo.asked()
    client.refresh(check=1)
    assert repo.asked()[-1] == name
    assert client.trusted()["timestamp"] == kept and client.trusted()[role] == 1


def test_no_next_root_is_also_said_by_403(tuf):
    client = tuf()
    client.repo.tricks["2.root.json"] = tufserver.status(403)
    client.refresh()
    assert client.repo.asked() == FRESH


def test_a_next_root_that_could_not_be_had_is_no_last_root(tuf):
    """Else whoever can answer 500 keeps a device at a root whose keys were stolen."""
    client = tuf()
    client.repo.tricks["2.root.json"] = tufserver.status(500)
    client.refresh(check=1)
    assert client.trusted() == {"root": 1}


def test_without_consistent_snapshots(tuf):
    repo = Repository(consistent=False)
    repo.delegate("team", paths=["dir/*"])
    repo.add_target("dir/a b.txt", b"plain", "team")
    repo.publish_all()
    client = tuf(repo)
    client.download("dir/a b.txt")
    assert repo.asked() == [
        "2.root.json",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
        "team.json",
        "targets/dir/a%20b.txt",
    ]
    assert client.downloads() == {"dir%2Fa%20b.txt": b"plain"}


def test_the_root_decides_anew_whether_snapshots_are_consistent(tuf):
    repo = Repository(consistent=False)
    client = tuf(repo)
    client.refresh()
    repo.consistent = repo.body("root")["consistent_snapshot"] = True
    repo.publish("root", "targets", "snapshot", "timestamp")
    repo.asked()
    client.refresh()
    assert repo.asked() == [
        "2.root.json",
        "3.root.json",
        "timestamp.json",
        "2.snapshot.json",
        "2.targets.json",
    ]


def test_the_specification_of_another_major_version(tuf):
    client = tuf()
    client.repo.body("timestamp")["spec_version"] = "2.0.0"
    client.repo.publish("timestamp")
    client.refresh(check=1)
    assert client.trusted() == {"root": 1}


def test_stored_metadata_are_not_believed(tuf):
    """What was damaged or put into the folder counts for nothing; what is fetched takes its place."""
    client = tuf()
    client.refresh()
    other = Repository()
    other.body("timestamp")["expires"] = when(days=900)
    other.body("timestamp")["version"] = 900
    (client.metadata / "timestamp.json").write_bytes(other.sign("timestamp"))
    (client.metadata / "snapshot.json").write_bytes(b"{")
    (client.metadata / "targets.json").write_bytes(other.sign("targets"))
    client.repo.asked()
    client.refresh()
    assert client.repo.asked() == FRESH
    for role in WORKFLOW:
        assert client.stored(role) == client.repo.file(role)
