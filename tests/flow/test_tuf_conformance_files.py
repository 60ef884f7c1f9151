"""What TUF's public conformance suite asks of a client: downloads; and beyond it, servers that misbehave."""

import hashlib
import os
import time
from urllib.parse import quote

import pytest
import tufserver
from tufrepo import Repository

CONTENT = b"target file contents" * 1000


def with_target(path="file.txt", content=CONTENT, **how):
    repo = Repository()
    repo.add_target(path, content, **how)
    repo.publish_all()
    return repo


def url_of(path, content, algorithm="sha256"):
    folder, slash, name = path.rpartition("/")
    return "targets/" + quote(folder + slash + hashlib.new(algorithm, content).hexdigest() + "." + name)


def test_download(tuf):
    client = tuf(with_target())
    client.refresh()
    assert client.downloads() == {}
    client.repo.asked()
    result = client.download("file.txt")
    assert client.repo.asked() == ["2.root.json", "timestamp.json", url_of("file.txt", CONTENT)]
    assert client.downloads() == {"file.txt": CONTENT}
    assert result.out == f"{client.targets}/file.txt fetched\n"


@pytest.mark.parametrize(
    "path", ["a/b/c/file.txt", "dir with space/ü?#.bin", "a%2Fb", "../up", "/abs", "..", ".", "dir/", "-x"]
)
def test_names(tuf, path):
    """The hash stands before the last part, the rest is quoted; one flat file, inside the folder."""
    client = tuf(with_target(path))
    client.download(path)
    assert client.repo.requests[-1] == url_of(path, CONTENT)
    name = {".": "%2E", "..": "%2E%2E"}.get(path, quote(path, safe=""))
    assert client.downloads() == {name: CONTENT}
    assert sorted(p.name for p in client.folder.iterdir()) == ["metadata", "targets"]


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_001])
def test_sizes(tuf, size):
    content = os.urandom(size)
    client = tuf(with_target(content=content))
    client.download("file.txt")
    assert client.downloads() == {"file.txt": content}


def test_several_targets_in_order_until_one_fails(tuf):
    repo = Repository()
    for name in "abc":
        repo.add_target(name, name.encode())
    repo.publish_all()
    client = tuf(repo)
    repo.tricks[url_of("b", b"b")] = tufserver.status(404)
    client.download("a", "b", "c", check=1)
    assert client.downloads() == {"a": b"a"}
    assert repo.asked()[4:] == [url_of("a", b"a"), url_of("b", b"b")]
    repo.tricks.clear()
    client.download("c", "b", "a")
    assert client.downloads() == {"a": b"a", "b": b"b", "c": b"c"}
    assert repo.asked() == ["2.root.json", "timestamp.json", url_of("c", b"c"), url_of("b", b"b")]


def test_what_is_there_is_not_fetched_again(tuf):
    client = tuf(with_target())
    client.download("file.txt")
    before = (client.targets / "file.txt").stat()
    client.repo.asked()
    assert client.download("file.txt").out.endswith("was there\n")
    assert client.repo.asked() == ["2.root.json", "timestamp.json"]
    after = (client.targets / "file.txt").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("damage", ["shorter", "longer", "changed", "a link to it", "a folder"])
def test_what_is_there_and_is_not_the_target_is_replaced(tuf, damage):
    client = tuf(with_target())
    path = client.targets / "file.txt"
    if damage == "a folder":
        path.mkdir()
        client.download("file.txt", check=1)
        assert path.is_dir() and len(list(client.targets.iterdir())) == 1
        return
    if damage == "a link to it":
        elsewhere = client.folder / "elsewhere"
        elsewhere.write_bytes(CONTENT)
        path.symlink_to(elsewhere)
    else:
        other = {"shorter": CONTENT[:-1], "longer": CONTENT + b"x", "changed": CONTENT[:-1] + b"S"}[damage]
        path.write_bytes(other)
    client.download("file.txt")
    assert path.read_bytes() == CONTENT and not path.is_symlink()
    assert client.repo.requests[-1] == url_of("file.txt", CONTENT)


def test_changed_content_is_kept_out(tuf):
    repo = with_target()
    repo.add_target("other", b"other")
    repo.publish_all()
    client = tuf(repo)
    client.download("file.txt")
    for url in repo.blobs:
        repo.blobs[url] = b"malicious"
    client.download("file.txt")
    client.download("other", check=1)
    assert client.downloads() == {"file.txt": CONTENT}


def test_changes_of_a_target(tuf):
    """Each content that was signed takes the place of the one before; what was not signed never does."""
    client = tuf(with_target())
    repo = client.repo
    for number in range(3):
        content = f"version {number}".encode()
        repo.add_target("file.txt", content)
        repo.publish_all()
        client.download("file.txt")
        assert client.downloads() == {"file.txt": content}
        entry = repo.add_target("file.txt", f"other {number}".encode())
        repo.serve_target("file.txt", b"malicious", entry["hashes"])
        repo.publish_all()
        client.download("file.txt", check=1)
        assert client.downloads() == {"file.txt": content}


@pytest.mark.parametrize("hashes", [["sha256"], ["sha512"], ["sha256", "sha512"]], ids="+".join)
def test_hash_algorithms(tuf, hashes):
    client = tuf(with_target(hashes=hashes))
    client.download("file.txt")
    assert client.repo.requests[4:] == [url_of("file.txt", CONTENT, hashes[0])]
    assert client.downloads() == {"file.txt": CONTENT}


@pytest.mark.parametrize("false", ["sha256", "sha512"])
def test_both_hashes_are_checked(tuf, false):
    repo = with_target(hashes=["sha256", "sha512"])
    entry = repo.body("targets")["targets"]["file.txt"]
    entry["hashes"][false] = hashlib.new(false, b"other").hexdigest()
    repo.serve_target("file.txt", CONTENT, entry["hashes"])
    repo.publish_all()
    client = tuf(repo)
    assert "hash" in client.download("file.txt", check=1).err
    assert client.downloads() == {}


def test_an_unknown_hash_algorithm(tuf):
    repo = with_target()
    hashes = repo.body("targets")["targets"]["file.txt"]["hashes"]
    hashes["unknown"] = hashes.pop("sha256")
    repo.publish_all()
    client = tuf(repo)
    client.download("file.txt", check=1)
    assert client.downloads() == {}


def test_an_unknown_hash_algorithm_beside_a_known_one(tuf):
    repo = with_target()
    repo.body("targets")["targets"]["file.txt"]["hashes"]["unknown"] = "00"
    repo.publish_all()
    client = tuf(repo)
    client.download("file.txt")
    assert client.downloads() == {"file.txt": CONTENT}


# --- servers that misbehave ----------------------------------------------------------------------------

TRICKS = {
    "404": tufserver.status(404),
    "403": tufserver.status(403),
    "500": tufserver.status(500),
    "204": tufserver.status(204, b""),
    "a large refusal": tufserver.status(404, b"x" * 300_000),
    "a byte too few": tufserver.instead(CONTENT[:-1]),
    "a byte too many": tufserver.instead(CONTENT + b"x"),
    "another byte": tufserver.instead(CONTENT[:-1] + b"S"),
    "nothing": tufserver.instead(b""),
    "cut off": tufserver.short_of(10),
    "endless": tufserver.endless(),
    "endless, promised": tufserver.endless(promised=1 << 40),
}


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS.keys())
def test_a_target_that_is_not_it(tuf, trick):
    client = tuf(with_target())
    (client.targets / "file.txt").write_bytes(b"old")
    url = url_of("file.txt", CONTENT)
    client.repo.tricks[url] = trick
    client.download("file.txt", check=1)
    assert client.downloads() == {"file.txt": b"old"}
    assert client.repo.requests.count(url) == 1


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
@pytest.mark.parametrize("trick", ["endless", "endless, promised", "cut off"])
def test_endless_or_cut_off_metadata(tuf, role, trick):
    client = tuf()
    client.repo.publish("root", "targets", "snapshot", "timestamp")
    name = "timestamp.json" if role == "timestamp" else f"2.{role}.json"
    client.repo.tricks[name] = TRICKS[trick]
    client.refresh(check=1)
    assert client.trusted().get(role) == (1 if role == "root" else None)


def test_a_length_that_was_said_bounds_what_is_read(tuf):
    repo = Repository()
    repo.with_hashes = True
    repo.publish("targets", "snapshot", "timestamp")
    client = tuf(repo)
    length = len(repo.file("snapshot"))
    repo.tricks["2.snapshot.json"] = tufserver.endless()
    assert f"{length} bytes" in client.refresh(check=1).err
    assert "snapshot" not in client.trusted()


@pytest.mark.parametrize("what", ["timestamp.json", "target"])
def test_slow_drip(tuf, what):
    client = tuf(with_target())
    what = url_of("file.txt", CONTENT) if what == "target" else what
    client.repo.tricks[what] = tufserver.drip
    begun = time.monotonic()
    client.download("file.txt", check=1, more=["--patience", "1"])
    assert time.monotonic() - begun < 5
    assert client.downloads() == {}


def test_redirects_are_followed_a_few_times_and_to_the_web_alone(tuf):
    client = tuf()
    repo, url = client.repo, client.server.metadata_url
    repo.files["moved.json"] = repo.files["timestamp.json"]
    repo.tricks["timestamp.json"] = tufserver.redirect(url + "moved.json")
    client.refresh()
    repo.asked()
    repo.tricks["timestamp.json"] = tufserver.redirect(url + "timestamp.json")
    client.refresh(check=1)
    assert repo.asked().count("timestamp.json") == 4
    secret = client.folder / "secret"
    secret.write_bytes(repo.files["timestamp.json"])
    repo.tricks["timestamp.json"] = tufserver.redirect(f"file://{secret}")
    client.refresh(check=1)


def test_no_server(tuf):
    client = tuf()
    client.server.close()
    client.refresh(check=1)
    assert client.trusted() == {"root": 1}
