"""What TUF's public conformance suite asks of a client: schemes, thresholds, keys that are named twice, and
changes of keys."""

import json

import pytest
import tufkeys
from tufrepo import Repository

ALL = {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}
SCHEMES = ["ed25519", "ecdsa-sha2-nistp256", "rsassa-pss-sha256", "rsa-pkcs1v15-sha256", *tufkeys.ML_DSA]


# --- schemes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_counts_and_its_false_signature_does_not(tuf, scheme):
    client = tuf()
    repo = client.repo
    key = repo.add_key("root", tufkeys.key(scheme))
    repo.body("root")["roles"]["root"]["threshold"] = 2
    repo.publish("root")
    client.refresh()
    assert client.trusted() == {**ALL, "root": 2}
    repo.publish("root")
    false = key.sign(b"something else")

    def forge(document):
        for signature in document["signatures"]:
            if signature["keyid"] == key.keyid:
                signature["sig"] = false

    repo.edit("3.root.json", forge)
    client.refresh(check=1)
    assert client.trusted()["root"] == 2


@pytest.mark.parametrize("scheme", ["rsassa-pss-sha256", "ml-dsa-65/1"])
def test_a_whole_repository_of_one_scheme(tuf, scheme):
    repo = Repository(scheme=scheme)
    repo.delegate("team")
    repo.add_target("a", b"a", "team")
    repo.publish_all()
    client = tuf(repo)
    client.download("a")
    assert client.downloads() == {"a": b"a"}


@pytest.mark.parametrize("level", [44, 87])
def test_ml_dsa_of_another_parameter_set(tuf, level):
    """The key's object says 65, the key is another: it signs nothing."""
    client = tuf()
    key = tufkeys.key(f"ml-dsa-{level}/1")
    liar = tufkeys.Key("ml-dsa", "ml-dsa-65/1", key.public, key.sign_bytes)
    client.repo.set_role("timestamp", [liar])
    client.repo.publish("root", "timestamp")
    client.refresh(check=1)
    assert client.trusted() == {"root": 2}


def test_ml_dsa_over_the_bytes_themselves_is_no_tap_21_signature(tuf):
    client = tuf()
    key = tufkeys.key("ml-dsa-65/1")
    client.repo.set_role("timestamp", [key])
    client.repo.publish("root", "timestamp")
    body = client.repo.body("timestamp")
    plain = {"keyid": key.keyid, "sig": key.sign(tufkeys.canonical(body))}
    client.repo.edit("timestamp.json", lambda document: document.update(signatures=[plain]))
    client.refresh(check=1)
    assert client.trusted() == {"root": 2}


def test_an_unknown_scheme_counts_for_nothing_and_hinders_nobody(tuf):
    client = tuf()
    repo = client.repo
    known = tufkeys.key()
    strange = tufkeys.Key("falcon", "falcon-512/1", "AAAA", lambda message: b"\x01\x02")
    repo.set_role("timestamp", [strange, known])
    repo.publish("root", "timestamp")
    client.refresh()
    repo.body("root")["roles"]["timestamp"]["threshold"] = 2
    repo.publish("root", "timestamp")
    client.refresh(check=1)
    assert client.trusted() == {**ALL, "root": 3, "timestamp": 2}


# --- thresholds ----------------------------------------------------------------------------------------


def test_fewer_signatures_than_the_threshold(tuf):
    client = tuf()
    repo = client.repo
    keys = [tufkeys.key() for _ in range(3)]
    repo.set_role("snapshot", keys, threshold=3)
    repo.publish("root", "snapshot", "timestamp")
    client.refresh()
    repo.signers["snapshot"] = keys[:2]
    repo.publish("snapshot", "timestamp")
    client.refresh(check=1)
    assert client.trusted() == {**ALL, "root": 2, "snapshot": 2, "timestamp": 3}


def test_a_threshold_that_the_keys_cannot_meet(tuf):
    client = tuf()
    repo = client.repo
    repo.set_role("snapshot", [tufkeys.key() for _ in range(5)], threshold=6)
    repo.publish("root", "snapshot", "timestamp")
    client.refresh(check=1)
    assert "snapshot" not in client.trusted()


def test_the_same_key_id_many_times(tuf):
    client = tuf()
    repo = client.repo
    key = repo.add_key("snapshot")
    repo.body("root")["roles"]["snapshot"]["keyids"] += [key.keyid] * 8
    repo.body("root")["roles"]["snapshot"]["threshold"] = 6
    repo.publish("root", "snapshot", "timestamp")

    def repeat(document):
        document["signatures"] += [s for s in document["signatures"] if s["keyid"] == key.keyid] * 8

    repo.edit("2.snapshot.json", repeat)
    client.refresh(check=1)
    assert "snapshot" not in client.trusted()


def test_one_key_under_several_ids_counts_once(tuf):
    client = tuf()
    repo = client.repo
    key = tufkeys.key()
    twins = [key, key.with_extra(x=1), key.with_extra(x=2)]
    repo.set_role("snapshot", twins, threshold=2)
    repo.publish("root", "snapshot", "timestamp")
    client.refresh(check=1)
    assert "snapshot" not in client.trusted()


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_a_signature_twice_is_refused_though_there_are_enough(tuf, role):
    client = tuf()
    repo = client.repo
    repo.publish("root")
    name = {"root": "2.root.json", "timestamp": "timestamp.json"}.get(role, f"1.{role}.json")
    repo.edit(name, lambda document: document["signatures"].append(document["signatures"][0]))
    client.refresh(check=1)
    assert (client.trusted()["root"] == 1) if role == "root" else (role not in client.trusted())


@pytest.mark.parametrize("sig", ["", "00", "no hex", "ab" * 64, "ab" * 5000])
def test_a_false_signature_beside_enough_good_ones(tuf, sig):
    client = tuf()
    repo = client.repo
    spare = repo.add_key("timestamp", signs=False)
    repo.publish("root", "timestamp")
    more = [{"keyid": spare.keyid, "sig": sig}, {"keyid": "unknown", "sig": sig}]
    repo.edit("timestamp.json", lambda document: document["signatures"].extend(more))
    client.refresh()
    assert client.trusted() == {**ALL, "root": 2, "timestamp": 2}


def test_signatures_of_another_role_do_not_count(tuf):
    """The root knows the key, and not for this."""
    client = tuf()
    client.repo.signers["snapshot"] = client.repo.signers["timestamp"]
    client.repo.publish("snapshot", "timestamp")
    client.refresh(check=1)
    assert client.trusted() == {"root": 1, "timestamp": 2}


@pytest.mark.parametrize("threshold", [0, -1, "1", None, 1.5])
def test_a_threshold_that_is_none(tuf, threshold):
    client = tuf()
    repo = client.repo
    repo.body("root")["roles"]["timestamp"]["threshold"] = 1 if threshold == 1.5 else threshold
    repo.publish("root")
    if threshold == 1.5:  # it has no canonical form

        def spoil(document):
            document["signed"]["roles"]["timestamp"]["threshold"] = 1.5

        repo.edit("2.root.json", spoil)
    client.refresh(check=1)
    assert client.trusted() == {"root": 1}


def test_members_given_twice_are_refused(tuf):
    """One reader takes the first, another the last: neither is what was signed."""
    client = tuf()
    repo = client.repo
    repo.publish("timestamp")
    text = repo.files["timestamp.json"].decode()
    repo.files["timestamp.json"] = text.replace('"version": 2', '"version": 7, "version": 2', 1).encode()
    assert json.loads(repo.files["timestamp.json"])["signed"]["version"] == 2
    client.refresh(check=1)
    assert client.trusted() == {"root": 1}


# --- rotation: versions of (keys, threshold, who signs), and whether the last is taken -------------------

FIVE = [0, 1, 2, 3, 4]
ONE_NEW = [0, 1, 3, 4, 5]
ROOTS = {
    "one key": ([([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])], True),
    "one key, others sign too": (
        [([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])],
        True,
    ),
    "any three of five": (
        [(FIVE, 3, [0, 2, 4]), (FIVE, 3, [0, 4, 1]), (FIVE, 3, [0, 1, 3]), (FIVE, 3, [1, 2, 3])],
        True,
    ),
    "one of five": ([(FIVE, 3, [0, 2, 4]), (ONE_NEW, 3, [0, 4, 1])], True),
    "one of five, by the old and the new": (
        [(FIVE, 3, [0, 2, 4]), (ONE_NEW, 3, [0, 2, 4, 5]), (ONE_NEW, 3, [0, 4, 5])],
        True,
    ),
    "all five": (
        [(FIVE, 3, [0, 2, 4]), ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]), ([5, 6, 7, 8, 9], 3, [5, 6, 7])],
        True,
    ),
    "threshold up": ([([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [1, 2])], True),
    "threshold down": ([([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])], True),
    "one more key": ([([1], 1, [1]), ([1, 2], 2, [1, 2])], True),
    "not by the old key": ([([1], 1, [1]), ([2], 1, [2, 3, 4])], False),
    "not by the new key": ([([1], 1, [1]), ([2], 1, [1, 3, 4])], False),
    "not by three new ones": ([(FIVE, 3, [0, 2, 4]), (ONE_NEW, 3, [0, 2, 4])], False),
    "not by three old ones": ([(FIVE, 3, [0, 2, 4]), (ONE_NEW, 3, [0, 4, 5])], False),
    "threshold up, by too few": ([([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [2])], False),
    "threshold down, by too few": ([([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1])], False),
}
OTHERS = {
    "one key": (([2], 1, [2]), True),
    "others sign too": (([1], 1, [3, 1, 4]), True),
    "not by the new key": (([2], 1, [1, 3, 4]), False),
    "one of three is no key of it": ((ONE_NEW, 3, [0, 2, 4]), False),
    "one is missing": ((ONE_NEW, 3, [0, 4]), False),
    "three of five": ((FIVE, 3, [0, 2, 4]), True),
    "three others of five": ((FIVE, 3, [3, 1, 2]), True),
}


@pytest.mark.parametrize("versions,taken", ROOTS.values(), ids=ROOTS.keys())
def test_root_rotation(tuf, versions, taken):
    keys = [tufkeys.key() for _ in range(10)]
    repo = Repository()
    repo.withdraw("root")
    for number, (named, threshold, signers) in enumerate(versions):
        repo.set_role("root", [keys[i] for i in named], threshold, signers=[keys[i] for i in signers])
        repo.publish("root", bump=number > 0)
    client = tuf(repo)
    client.refresh(check=0 if taken else 1)
    last = len(versions) if taken else len(versions) - 1
    assert client.stored("root") == repo.file("root", last)
    if taken:
        assert repo.requests[: len(versions)] == [f"{n}.root.json" for n in range(2, len(versions) + 2)]


@pytest.mark.parametrize("version,taken", OTHERS.values(), ids=OTHERS.keys())
def test_rotation_of_the_others(tuf, version, taken):
    keys = [tufkeys.key() for _ in range(6)]
    client = tuf()
    repo = client.repo
    named, threshold, signers = version
    for role in ("timestamp", "snapshot", "targets"):
        repo.set_role(role, [keys[i] for i in named], threshold, signers=[keys[i] for i in signers])
        repo.publish("root", "targets", "snapshot", "timestamp")
        client.refresh(check=0 if taken else 1)
        if taken:
            assert client.stored(role) == repo.file(role)
        else:
            assert role not in client.trusted()


def test_many_roots_in_one_refresh(tuf):
    client = tuf()
    for _ in range(40):
        client.repo.publish("root")
    client.refresh()
    assert client.trusted() == {**ALL, "root": 41}
    assert client.repo.asked()[:41] == [f"{n}.root.json" for n in range(2, 43)]


def test_a_root_that_was_taken_stays_when_a_later_one_is_refused(tuf):
    client = tuf()
    repo = client.repo
    repo.publish("root")
    good = repo.signers["root"]
    repo.signers["root"] = [tufkeys.key()]
    repo.publish("root")
    client.refresh(check=1)
    assert client.trusted() == {"root": 2}
    repo.body("root")["version"] = 2
    repo.signers["root"] = good
    repo.publish("root")
    client.refresh()
    assert client.trusted() == {**ALL, "root": 3}
