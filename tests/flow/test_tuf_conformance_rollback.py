"""What TUF's public conformance suite asks of a client: nothing goes back, recovery from fast-forward, and
what has expired."""

import pytest
import tufkeys
from tufrepo import Repository, when

ALL = {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}
WORKFLOW = ("root", "timestamp", "snapshot", "targets")
hashes = pytest.mark.parametrize("with_hashes", [False, True], ids=["versions", "versions and hashes"])


def go_to(repo, role, version):
    """The role's next publish is that version."""
    repo.body(role)["version"] = version - 1


# --- rollback ------------------------------------------------------------------------------------------


def test_timestamp_rollback(tuf):
    client = tuf()
    client.repo.publish("timestamp")
    client.refresh()
    kept = client.stored("timestamp")
    go_to(client.repo, "timestamp", 1)
    client.repo.publish("timestamp")
    client.repo.asked()
    client.refresh(check=1)
    assert client.stored("timestamp") == kept
    assert client.repo.asked() == ["2.root.json", "timestamp.json"]


@hashes
def test_snapshot_rollback(tuf, with_hashes):
    """The timestamp that names an older snapshot is not even stored."""
    client = tuf()
    repo = client.repo
    repo.with_hashes = with_hashes
    repo.publish("snapshot", "timestamp")
    client.refresh()
    go_to(repo, "snapshot", 1)
    repo.publish("snapshot", "timestamp")
    repo.asked()
    client.refresh(check=1)
    assert client.trusted() == {**ALL, "timestamp": 2, "snapshot": 2}
    assert repo.asked() == ["2.root.json", "timestamp.json"]


@hashes
def test_targets_rollback(tuf, with_hashes):
    """Goes by the versions in the snapshot that is stored, with or without hashes in what names it."""
    client = tuf()
    repo = client.repo
    repo.with_hashes = with_hashes
    repo.publish("targets", "snapshot", "timestamp")
    client.refresh()
    go_to(repo, "targets", 1)
    repo.publish("targets", "snapshot", "timestamp")
    client.refresh(check=1)
    assert client.trusted() == {"root": 1, "timestamp": 3, "snapshot": 2, "targets": 2}


def test_delegated_rollback(tuf):
    client = tuf()
    repo = client.repo
    repo.delegate("team")
    repo.publish_all()
    repo.publish("team", "snapshot", "timestamp")
    client.download("none", check=1)
    assert client.trusted()["team"] == 2
    go_to(repo, "team", 1)
    repo.publish("team", "snapshot", "timestamp")
    client.refresh(check=1)
    assert client.trusted()["snapshot"] == 3 and client.trusted()["team"] == 2


def test_root_rollback(tuf):
    """2.root.json that says version 1."""
    client = tuf()
    client.repo.files["2.root.json"] = client.repo.file("root", 1)
    client.refresh(check=1)
    assert client.trusted() == {"root": 1}


def test_a_role_that_vanishes_from_the_snapshot(tuf):
    client = tuf()
    repo = client.repo
    repo.delegate("team", paths=["team/*"])
    repo.publish_all()
    client.refresh()
    del repo.body("snapshot")["meta"]["team.json"]
    repo.publish("snapshot", "timestamp")
    client.refresh(check=1)
    assert client.trusted()["snapshot"] == 2


def test_mix_and_match(tuf):
    """A targets file that is rightly signed, of another version than the snapshot names."""
    client = tuf()
    repo = client.repo
    repo.publish("targets", "snapshot", "timestamp")
    repo.files["2.targets.json"] = repo.file("targets", 1)
    client.refresh(check=1)
    assert "targets" not in client.trusted()


# --- fast-forward, and the way back ---------------------------------------------------------------------


@pytest.mark.parametrize("rotated", ["snapshot", "timestamp"])
def test_targets_fast_forward_recovery(tuf, rotated):
    """New keys for snapshot (or for timestamp) let targets begin again and roles vanish."""
    client = tuf()
    repo = client.repo
    repo.delegate("team", paths=["team/*"])
    repo.publish("team")
    go_to(repo, "targets", 100)
    repo.publish("targets", "snapshot", "timestamp")
    client.refresh()
    assert client.trusted()["targets"] == 100
    repo.rotate(rotated)
    repo.withdraw("targets")
    del repo.body("snapshot")["meta"]["team.json"]
    if rotated == "timestamp":
        repo.withdraw("snapshot")
    repo.publish("root", "targets", "snapshot", "timestamp")
    client.refresh()
    assert client.trusted()["targets"] == 1


def test_snapshot_fast_forward_recovery(tuf):
    client = tuf()
    repo = client.repo
    go_to(repo, "snapshot", 100)
    repo.publish("snapshot", "timestamp")
    client.refresh()
    repo.rotate("snapshot")
    repo.rotate("timestamp")
    repo.withdraw("snapshot")
    repo.publish("root", "targets", "snapshot", "timestamp")
    client.refresh()
    assert client.trusted()["snapshot"] == 1


def test_timestamp_fast_forward_recovery(tuf):
    client = tuf()
    repo = client.repo
    go_to(repo, "timestamp", 1 << 52)
    repo.publish("timestamp")
    client.refresh()
    repo.rotate("timestamp")
    repo.withdraw("timestamp")
    repo.publish("root", "timestamp")
    client.refresh()
    assert client.trusted() == {**ALL, "root": 2}


def test_a_new_root_with_the_same_keys_lets_nothing_go_back(tuf):
    client = tuf()
    repo = client.repo
    go_to(repo, "timestamp", 100)
    repo.publish("timestamp")
    client.refresh()
    repo.withdraw("timestamp")
    repo.publish("root", "timestamp")
    client.refresh(check=1)
    assert client.trusted() == {**ALL, "root": 2, "timestamp": 100}


# --- expiry --------------------------------------------------------------------------------------------


def test_an_expired_root_is_stored_and_nothing_more_is_done(tuf):
    client = tuf()
    client.refresh()
    repo = client.repo
    repo.body("root")["expires"] = when(days=-1)
    repo.publish("root", "targets", "snapshot", "timestamp")
    repo.asked()
    client.refresh(check=1)
    assert repo.asked() == ["2.root.json", "3.root.json"]
    assert client.trusted() == {**ALL, "root": 2}


def test_roots_between_may_be_expired(tuf):
    client = tuf()
    repo = client.repo
    repo.body("root")["expires"] = when(days=-1)
    repo.publish("root")
    repo.body("root")["expires"] = when(days=9)
    repo.publish("root")
    client.refresh()
    assert client.trusted() == {**ALL, "root": 3}


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_an_expired_role_is_not_stored(tuf, role):
    client = tuf()
    client.refresh()
    client.repo.body(role)["expires"] = when(days=-5)
    client.repo.publish("targets", "snapshot", "timestamp")
    client.refresh(check=1)
    before = WORKFLOW[1 : WORKFLOW.index(role)]
    assert client.trusted() == {**ALL, **{name: 2 for name in before}}


def test_the_clock_is_time(tuf):
    client = tuf()
    client.repo.body("root")["expires"] = when(days=7)
    client.repo.publish("root")
    client.refresh()
    client.refresh(later=6)
    assert "expired" in client.refresh(later=8, check=1).err


def test_expired_local_metadata_are_followed_to_newer_ones(tuf):
    client = tuf()
    repo = client.repo
    for role in WORKFLOW:
        repo.body(role)["expires"] = when(days=7)
    repo.publish("root", "targets", "snapshot", "timestamp")
    client.refresh()
    for role in WORKFLOW:
        repo.body(role)["expires"] = when(days=21)
    repo.publish("root", "targets", "snapshot", "timestamp")
    client.refresh(later=18)
    assert client.trusted() == {name: 3 for name in ALL}


def test_expired_local_metadata_still_say_what_must_not_go_back(tuf):
    client = tuf()
    repo = client.repo
    repo.body("timestamp")["expires"] = when(days=7)
    repo.publish("timestamp")
    client.refresh()
    repo.body("timestamp")["expires"] = when(days=29)
    go_to(repo, "timestamp", 1)
    repo.publish("timestamp")
    client.refresh(later=8, check=1)
    assert client.trusted()["timestamp"] == 2


def test_an_expired_timestamp_that_does_not_change_is_a_freeze(tuf):
    client = tuf()
    client.repo.body("timestamp")["expires"] = when(days=7)
    client.repo.publish("timestamp")
    client.refresh()
    client.refresh(later=8, check=1)


def delegated(days, base_days=29):
    repo = Repository(days=base_days)
    repo.delegate("team", paths=["team/*"])
    repo.body("team")["expires"] = when(days=days)
    repo.add_target("team/first", b"first", "team")
    repo.add_target("team/second", b"second", "team")
    repo.publish_all()
    return repo


def test_an_expired_delegated_role(tuf):
    client = tuf(delegated(-1))
    client.refresh()
    client.download("team/first", check=1)
    assert client.downloads() == {} and "team" not in client.trusted()


def test_a_delegated_role_expires_while_it_is_stored(tuf):
    client = tuf(delegated(7))
    client.download("team/first")
    client.download("team/second", later=18, check=1)
    assert client.downloads() == {"team%2Ffirst": b"first"}


def test_an_expired_delegated_role_is_followed_by_a_newer_one(tuf):
    client = tuf(delegated(7))
    client.download("team/first")
    client.repo.body("team")["expires"] = when(days=21)
    client.repo.publish("team", "snapshot", "timestamp")
    client.download("team/second", later=18)
    assert client.downloads() == {"team%2Ffirst": b"first", "team%2Fsecond": b"second"}
    assert client.trusted()["team"] == 2


def test_keys_taken_from_a_role_end_what_they_signed(tuf):
    """The stored timestamp, snapshot and targets are verified by the present root each time."""
    client = tuf()
    client.refresh()
    repo = client.repo
    for role in ("timestamp", "snapshot", "targets"):
        repo.set_role(role, [tufkeys.key()])
    repo.publish("root")
    client.refresh(check=1)
    repo.publish("targets", "snapshot", "timestamp")
    client.refresh()
    assert client.trusted() == {name: 2 for name in ALL}
