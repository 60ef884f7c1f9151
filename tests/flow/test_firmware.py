"""Publishing and fetching, with the real curl."""

import hashlib
import os
import signal
import subprocess
import time

import pytest

from harness import ANYONE, RELEASE, environment, wait_for


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def temporary_files(server):
    return list((server.dir / "data" / "tmp").iterdir())


def blobs(server):
    return [p for p in (server.dir / "data" / "blobs").rglob("*") if p.is_file()]


def test_publish_by_curl_and_read_back(shared):
    data = os.urandom(123_457)
    made = shared.publish("pub", "1.0", data, model="pub-a,pub-b", filename="image.bin")
    assert made["sha256"] == sha256(data) and made["size"] == len(data)
    assert sorted(made["models"]) == ["pub-a", "pub-b"]
    latest = shared.api("GET", "/api/firmware/latest?model=pub-b", expect=200).json()
    assert latest["id"] == made["id"] and latest["version"] == "1.0" and latest["filename"] == "image.bin"
    assert latest["url"] == f"{shared.url}/api/firmware/{made['id']}/file"
    fetched = shared.curl(f"/api/firmware/{made['id']}/file")
    assert fetched.body == data
    assert 'filename="image.bin"' in fetched.headers["content-disposition"]


def test_the_newest_published_is_latest_whatever_its_name(shared):
    for version in ["9.0", "10.0", "2.0"]:
        shared.publish("seq", version, version.encode())
    assert shared.api("GET", "/api/firmware/latest?model=seq").json()["version"] == "2.0"
    listed = shared.api("GET", "/api/firmware?model=seq").json()["items"]
    assert {f["version"]: f["sequence"] for f in listed} == {"9.0": 1, "10.0": 2, "2.0": 3}


def test_the_same_bytes_again_are_fine_and_other_bytes_are_not(shared):
    first = shared.publish("again", "1.0", b"one")
    assert shared.publish("again", "1.0", b"one", expect=200)["id"] == first["id"]
    answer = shared.publish("again", "1.0", b"two", expect=409)
    assert "again" in answer["detail"] and "1.0" in answer["detail"]
    assert shared.curl(f"/api/firmware/{first['id']}/file").body == b"one"


def test_announced_hashes_are_checked(shared, tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"hello")
    wrong = shared.curl("/api/firmware/hashed/1.0/f.bin?sha256=" + "0" * 64, "-T", file)
    assert wrong.status == 422, wrong
    assert shared.api("GET", "/api/firmware?name=hashed").json()["items"] == []
    right = shared.curl(f"/api/firmware/hashed/1.0/f.bin?sha256={sha256(b'hello')}", "-T", file)
    assert right.status == 201, right


@pytest.mark.parametrize(
    "path",
    [
        "/api/firmware/.hidden/1/f",
        "/api/firmware/a/..%2f/f",
        "/api/firmware/a/1/%00",
        "/api/firmware/a/1/" + "f" * 200,
        "/api/firmware/a%20b/1/f",
    ],
)
def test_names_that_are_no_names(shared, tmp_path, path):
    file = tmp_path / "f"
    file.write_bytes(b"hello")
    before = len(blobs(shared))
    assert shared.curl(path, "-T", file).status == 400
    assert len(blobs(shared)) == before


def test_a_bad_name_is_said_before_the_file_is_sent(shared):
    gone = shared.publish("early", "1", b"x")
    shared.api("DELETE", f"/api/firmware/{gone['id']}", expect=204)
    for path, status in [
        (b"/api/firmware/.hidden/1/f", b"400"),
        (b"/api/firmware/a/1/f?model=.bad", b"400"),
        (b"/api/firmware/early/1/f", b"409"),
    ]:
        with shared.connect() as s:
            s.sendall(
                b"PUT " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
            )
            assert s.makefile("rb").readline().split()[1] == status, path


def test_an_empty_file_is_no_firmware(shared, tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"")
    assert shared.curl("/api/firmware/empty/1.0/f", "-T", file, "-H", "Content-Length: 0").status == 400


def test_a_truncated_upload_leaves_nothing(make_server):
    server = make_server()
    with server.connect() as s:
        s.sendall(
            b"PUT /api/firmware/cut/1.0/f.bin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
        )
        s.sendall(os.urandom(600_000))
        wait_for(lambda: temporary_files(server), what="the upload has begun")
    wait_for(lambda: not temporary_files(server), what="the temporary file is gone")
    assert blobs(server) == []
    assert server.api("GET", "/api/firmware").json()["items"] == []


def test_uploads_past_the_limit_are_refused(make_server):
    server = make_server({"limits.upload_bytes": "1M"})
    assert server.publish("fits", "1", os.urandom(1 << 20))
    server.publish("large", "1", os.urandom((1 << 20) + 1), expect=413)
    with server.connect() as s:  # and when the size is not known beforehand
        s.sendall(
            b"PUT /api/firmware/large/2/f HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        try:
            for _ in range(40):
                s.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
        except OSError:
            pass
        assert b"413" in s.recv(4096)
    wait_for(lambda: not temporary_files(server), what="the temporary file is gone")


def test_a_cut_download_resumes(shared, tmp_path):
    data = os.urandom(3_000_000)
    made = shared.publish("resume", "1.0", data)
    out = tmp_path / "out"
    out.write_bytes(data[:1_234_567])
    argv = [
        "curl",
        "-sS",
        "--cacert",
        str(shared.roots),
        "--cert",
        str(shared.admin.cert),
        "--key",
        str(shared.admin.key),
        "-C",
        "-",
        "-o",
        str(out),
        made["url"],
    ]
    subprocess.run(argv, check=True, timeout=60, env=environment())
    assert out.read_bytes() == data


def test_delete(shared):
    made = shared.publish("gone", "1.0", b"gone")
    shared.publish("gone-used", "1.0", b"used")
    used = shared.api(
        "POST",
        "/api/deployments",
        {"name": "gone-used", "version": "1.0", "target": {"kind": "model", "value": "gone-used"}},
        expect=201,
    )
    assert shared.api("DELETE", f"/api/firmware/{made['id']}").status == 204
    assert shared.api("GET", f"/api/firmware/{made['id']}").status == 404
    assert shared.publish("gone", "1.0", b"gone", expect=409)  # a version never comes back
    assert shared.api("DELETE", f"/api/firmware/{used.json()['release']['id']}").status == 409


def test_paging(shared):
    for i in range(7):
        shared.publish(f"page-{i}", "1", str(i).encode(), model="paged")
    got, after = [], ""
    while True:
        page = shared.api("GET", f"/api/firmware?model=paged&limit=3{after}", expect=200).json()
        got += [f["name"] for f in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(got) == [f"page-{i}" for i in range(7)]
    assert shared.api("GET", "/api/firmware?limit=0").status == 400
    assert shared.api("GET", "/api/firmware?after=nonsense").status == 400


def test_downloads_while_the_client_reads_slowly(shared):
    """The reply is larger than every buffer on the way, and arrives whole."""
    data = os.urandom(20_000_000)
    made = shared.publish("slow-reader", "1.0", data)
    with shared.connect(timeout=60) as s:
        s.sendall(
            f"GET /api/firmware/{made['id']}/file HTTP/1.1\r\nHost: localhost\r\n".encode()
            + b"Connection: close\r\n\r\n"
        )
        got = bytearray()
        while piece := s.recv(1 << 16):
            got += piece
            if len(got) % 7 == 0:
                time.sleep(0.001)
    assert got.partition(b"\r\n\r\n")[2] == data


def test_two_gibibytes_need_no_more_memory(make_server, tmp_path):
    """With the programs as they are shipped: sanitizers keep freed memory."""
    server = make_server(build=RELEASE)
    server.publish("small", "1", os.urandom(1 << 20))
    before = server.peak_kib()
    big = tmp_path / "big"
    with open(big, "wb") as f:  # holes between: making and reading it is not what takes the time
        for at in range(0, 2 << 30, 1 << 16):
            f.seek(at)
            f.write(os.urandom(64))
        f.truncate(2 << 30)
    with subprocess.Popen(["sha256sum", str(big)], stdout=subprocess.PIPE, text=True) as sum_of_it:
        reply = server.curl("/api/firmware/big/1/big.bin", "-T", big, timeout=300)
        want = sum_of_it.stdout.read().split()[0]
    assert reply.status == 201, reply
    assert reply.json()["size"] == 2 << 30
    assert reply.json()["sha256"] == want
    grown = server.peak_kib() - before
    print(
        f"\n2 GiB upload: peak resident memory {server.peak_kib()} KiB, {grown} KiB more than after 1 MiB"
    )
    assert grown < 16 * 1024
    last = server.curl(f"/api/firmware/{reply.json()['id']}/file", "-r", f"{(2 << 30) - 1024}-")
    with open(big, "rb") as f:
        f.seek(-1024, os.SEEK_END)
        assert last.body == f.read()


def test_a_full_disk_says_so_and_keeps_what_is_there(make_server, tmp_path):
    """The data folder on a file system of 24 MiB."""
    server = make_server(start=False)
    data = server.dir / "data"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M", "tmpfs", str(data)], check=True)
    try:
        from harness import program, run

        run([program("pqota", server.build), "init", server.dir], check=0)
        server.start(wait=False)
        wait_for(lambda: server.curl("/healthz", who=ANYONE).status == 200, what="it answers")
        kept = server.publish("kept", "1", os.urandom(1 << 20))
        answer = server.publish("full", "1", os.urandom(40 << 20), expect=507)
        assert "space" in answer["detail"].lower() or "full" in answer["detail"].lower(), answer
        wait_for(lambda: not temporary_files(server), what="the temporary file is gone")
        assert server.api("GET", "/api/firmware?name=full").json()["items"] == []
        assert server.curl(f"/api/firmware/{kept['id']}/file").status == 200
        assert server.curl("/readyz", who=ANYONE).status == 507
        server.publish("after", "1", os.urandom(1 << 20))
        server.stop()
    finally:
        server.stop(how=signal.SIGKILL)
        subprocess.run(["umount", "-l", str(data)], check=True)
