"""What TUF's public conformance suite asks of a client: who may sign for which target, in which order roles
are looked at, and names that are no file names."""

import hashlib
from urllib.parse import quote

import pytest
import tufkeys
from tufrepo import Repository

TOP = 4  # requests of a fresh refresh


def graph(edges, targets=()):
    """edges: (delegator, role, more for delegate()); targets: (role, path)."""
    repo = Repository()
    for delegator, role, more in edges:
        repo.delegate(role, delegator, **more)
    for role, path in targets:
        repo.add_target(path, f"{path} by {role}".encode(), role)
    repo.publish_all()
    return repo


def visited(client):
    """The delegated roles that were asked for, in order."""
    return [name.removeprefix("1.").removesuffix(".json") for name in client.repo.requests[TOP:]]


PY, END = {"paths": ["*.py"]}, {"terminating": True}
GRAPHS = {
    "one": ([("targets", "A", {})], "A"),
    "two": ([("targets", "A", {}), ("targets", "B", {})], "AB"),
    "below the second": ([("targets", "A", {}), ("targets", "B", {}), ("B", "C", {})], "ABC"),
    "depth before breadth": (
        [("targets", "A", {}), ("targets", "B", {}), ("A", "C", {}), ("A", "D", {})],
        "ACDB",
    ),
    "depth before breadth, deeper": (
        [("targets", "A", {}), ("targets", "B", {}), ("A", "C", {}), ("C", "D", {})],
        "ACDB",
    ),
    "a terminating role ends the search": (
        [("targets", "A", {}), ("targets", "B", {}), ("A", "C", END), ("A", "D", {})],
        "AC",
    ),
    "and not what is below it": (
        [("targets", "A", {}), ("targets", "B", {}), ("A", "C", END), ("C", "D", {})],
        "ACD",
    ),
    "a terminating role that is not for the target ends nothing": (
        [("targets", "A", {**PY, **END}), ("targets", "B", {})],
        "B",
    ),
    "patterns": ([("targets", "A", PY), ("targets", "B", {}), ("A", "C", {})], "B"),
    "patterns, deeper": (
        [("targets", "A", {}), ("targets", "B", {}), ("A", "C", PY), ("C", "D", {})],
        "AB",
    ),
    "a cycle": (
        [("targets", "A", {}), ("targets", "B", {}), ("B", "C", {}), ("C", "D", {}), ("D", "B", {})],
        "ABCD",
    ),
    "a role that names itself": ([("targets", "A", {}), ("A", "A", {}), ("targets", "B", {})], "AB"),
    "two that name a third": (
        [("targets", "A", {}), ("targets", "B", {}), ("B", "C", {}), ("A", "C", {})],
        "ACB",
    ),
    "two that name a third for other paths": (
        [("targets", "A", {}), ("targets", "B", {}), ("B", "C", {}), ("A", "C", PY)],
        "ABC",
    ),
}


@pytest.mark.parametrize("edges,order", GRAPHS.values(), ids=GRAPHS.keys())
def test_order_of_the_search(tuf, edges, order):
    client = tuf(graph(edges))
    client.download("missing", check=1)
    assert visited(client) == list(order)
    assert {*client.trusted()} == {"root", "timestamp", "snapshot", "targets", *order}


TREE = (
    [
        ("targets", "A", {"paths": ["*.doc", "*.md", "foo-?.tgz"]}),
        ("targets", "B", {"paths": ["releases/*/*"]}),
        ("B", "C", {"paths": ["releases/x/*"]}),
        ("B", "D", {"paths": ["releases/y/*.zip"]}),
    ],
    [
        ("targets", "file"),
        ("A", "README.md"),
        ("A", "releases/README.md"),
        ("A", "foo-1.tgz"),
        ("A", "foo-alpha.tgz"),
        ("C", "releases/x/x_v1"),
        ("D", "releases/y/y_v1.zip"),
        ("D", "releases/z/z_v1.zip"),
    ],
)


@pytest.mark.parametrize(
    "path,found,order",
    [
        ("file", True, ""),
        ("README.md", True, "A"),
        ("releases/x/x_v1", True, "BC"),
        ("releases/y/y_v1.zip", True, "BD"),
        ("releases/z/z_v1.zip", False, "B"),
        ("releases/README.md", False, ""),
        ("foo-1.tgz", True, "A"),
        ("foo-alpha.tgz", False, ""),
        ("foo-/.tgz", False, ""),
        ("README.MD", False, ""),
    ],
)
def test_patterns(tuf, path, found, order):
    client = tuf(graph(*TREE))
    client.download(path, check=0 if found else 1)
    names = [name for name in visited(client) if not name.startswith("targets/")]
    assert names == list(order)
    assert len(client.downloads()) == (1 if found else 0)


def test_who_is_asked_first_is_believed(tuf):
    """Both name the target, and each another content."""
    repo = graph([("targets", "A", {}), ("targets", "B", {})])
    repo.add_target("x", b"by B", "B")
    repo.add_target("x", b"by A", "A")
    repo.publish_all()
    client = tuf(repo)
    client.download("x")
    assert client.downloads() == {"x": b"by A"}


def test_the_top_is_believed_before_its_delegations(tuf):
    repo = graph([("targets", "A", {})])
    repo.add_target("x", b"by A", "A")
    repo.add_target("x", b"by targets")
    repo.publish_all()
    client = tuf(repo)
    client.download("x")
    assert client.downloads() == {"x": b"by targets"}
    assert client.repo.asked()[TOP:] == [f"targets/{hashlib.sha256(b'by targets').hexdigest()}.x"]


def test_hashed_bins(tuf):
    path = "dir/some file"
    own = hashlib.sha256(path.encode()).hexdigest()
    other = "0" if own[0] != "0" else "1"
    repo = Repository()
    repo.delegate("bin-other", prefixes=[other])
    repo.delegate("bin-own", prefixes=[other, own[:2]])
    repo.add_target(path, b"content", "bin-own")
    repo.publish_all()
    client = tuf(repo)
    client.download(path)
    assert visited(client)[0] == "bin-own" and client.downloads() == {quote(path, safe=""): b"content"}


@pytest.mark.parametrize("where", ["kept", "in one command"])
def test_a_kept_role_is_verified_again_by_who_names_it_now(tuf, where):
    """Two parents know "release" by different keys: what the one vouches for, the other does not."""
    repo = Repository()
    for team in "ab":
        repo.delegate(f"parent-{team}", paths=[f"team-{team}/*"])
    repo.delegate("release", "parent-a", paths=["team-a/*"])
    repo.delegate("release", "parent-b", paths=["team-b/*"], signs=False)
    repo.add_target("team-a/x", b"trusted", "release")
    repo.add_target("team-b/x", b"malicious", "release")
    repo.publish_all()
    client = tuf(repo)
    if where == "kept":
        client.download("team-a/x")
        client.download("team-b/x", check=1)
        client.download("team-a/x")
    else:
        client.download("team-a/x", "team-b/x", check=1)
    assert client.downloads() == {"team-a%2Fx": b"trusted"}


def test_a_kept_role_ends_when_its_keys_are_changed(tuf):
    repo = graph([("targets", "A", {})], [("A", "x"), ("A", "y")])
    client = tuf(repo)
    client.download("x")
    repo.signers["A"] = []
    repo.delegate("A", keys=[tufkeys.key()], signs=False)
    repo.publish("targets", "snapshot", "timestamp")
    client.download("y", check=1)
    assert list(client.downloads()) == ["x"]


def test_a_role_that_the_snapshot_does_not_name(tuf):
    repo = Repository()
    repo.delegate("team", paths=["team/*"])
    repo.publish("team", "targets")
    del repo.body("snapshot")["meta"]["team.json"]
    repo.publish("snapshot", "timestamp")
    client = tuf(repo)
    client.refresh()
    repo.asked()
    client.download("team/x", check=1)
    assert repo.asked() == ["2.root.json", "timestamp.json"] and "team" not in client.trusted()


@pytest.mark.parametrize("threshold,signing", [(2, 1), (2, 2), (3, 2)])
def test_threshold_of_a_delegation(tuf, threshold, signing):
    repo = Repository()
    keys = repo.delegate("team", threshold=threshold)
    repo.signers["team"] = keys[:signing]
    repo.add_target("x", b"x", "team")
    repo.publish_all()
    client = tuf(repo)
    client.download("x", check=0 if signing == threshold else 1)
    assert len(client.downloads()) == (1 if signing == threshold else 0)


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_a_delegated_role_with_the_name_of_a_top_level_one(tuf, role):
    """Its file would take the place of theirs."""
    repo = Repository()
    repo.delegate("team", paths=["x"])
    for delegation in repo.body("targets")["delegations"]["roles"]:
        delegation["name"] = role
    repo.publish("team", "targets", "snapshot", "timestamp")
    client = tuf(repo)
    client.download("x", check=1)
    for name in client.trusted():
        assert client.stored(name) == repo.file(name)


def test_a_chain_too_long_ends(tuf):
    repo = Repository()
    last = "targets"
    for number in range(80):
        repo.delegate(f"r{number}", last)
        last = f"r{number}"
    repo.add_target("deep", b"deep", last)
    repo.publish_all()
    client = tuf(repo)
    client.download("deep", check=1)
    assert client.downloads() == {} and len(visited(client)) < 80


UNUSUAL = ["?", "#", "/role", "../role", "..", ".", "a b", "ü%2F", '"\\', "role.json"]


@pytest.mark.parametrize("role", UNUSUAL)
def test_unusual_role_names(tuf, role):
    client = tuf(graph([("targets", role, {})], [(role, "x")]))
    client.download("x")
    assert visited(client)[0] == quote(role, safe="")
    kept = set(client.trusted()) - {"root", "timestamp", "snapshot", "targets"}
    assert len(kept) == 1 and client.stored(kept.pop()) == client.repo.file(role)
    assert sorted(path.name for path in client.folder.iterdir()) == ["metadata", "targets"]
    client.repo.asked()
    client.download("x")
    assert client.repo.asked() == ["2.root.json", "timestamp.json"]


def test_a_role_name_too_long_for_a_file(tuf):
    """It can be fetched and not be kept, so it is not used."""
    client = tuf(graph([("targets", "ü" * 100, {})], [("ü" * 100, "x")]))
    client.download("x", check=1)
    assert set(client.trusted()) == {"root", "timestamp", "snapshot", "targets"}
    assert client.downloads() == {}
