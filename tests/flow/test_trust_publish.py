"""`pqota firmware publish` that cannot sign: what it leaves behind, and how it goes on."""

import concurrent.futures

import pytest
from relay import Relay
from vendor import Vendor


@pytest.fixture
def vendor(make_server):
    server = make_server({"trust.insecure_unsigned": "no"}, start=False)
    made = Vendor(server).start()
    (server.folder / "gw.bin").write_bytes(b"firmware")
    return made


def publish(vendor, *args, key="targets", check=0):
    server = vendor.server
    return server.pqota(
        *("firmware", "publish", server.folder / "gw.bin", "--name", "gateway", "--version", "1.0"),
        *("--sign-with", vendor.key(key), "--passphrase-file", vendor.passphrase, *args),
        check=check,
    )


def releases(vendor):
    return [(r["version"], r["state"]) for r in vendor.server.api("GET", "/api/firmware").json()["items"]]


def test_a_wrong_line_uploads_nothing(vendor):
    wrong = [("--advisory", "x" * 1025), ("--counter", "many"), ("--upgrade-from", "-1")]
    for args in (*wrong, ("--unpacked-size", "1k")):
        assert args[0] in publish(vendor, *args, check=2).err
    assert releases(vendor) == []


def test_a_draft_that_is_left_is_told_and_completed(vendor):
    refused = publish(vendor, key="root-1", check=1).err
    assert "belong to no role" in refused
    assert "gateway 1.0 stays on the server as a draft, release 1: " in refused
    assert releases(vendor) == [("1.0", "draft")]
    done = publish(vendor).err
    assert "Published gateway 1.0 as release 1" in done and "stays" not in done
    assert releases(vendor) == [("1.0", "published")]


def test_models_whose_devices_check_no_signature(make_server):
    """[ddi] insecure_unsigned_models: published at once, if all models of the release are such."""
    server = make_server(
        {"trust.insecure_unsigned": "no", "ddi.insecure_unsigned_models": "old, older"}, start=False
    )
    vendor = Vendor(server).start()
    (server.folder / "gw.bin").write_bytes(b"firmware")
    argv = ("firmware", "publish", server.folder / "gw.bin", "--name", "gateway", "--version")
    assert "Published gateway 1.0" in server.pqota(*argv, "1.0", "--model", "old,older").err
    server.pqota("deploy", "gateway@1.0", "--model", "old")
    for version, models in (("1.1", "old,new"), ("1.2", "new")):
        request = server.folder / f"{version}.json"
        server.pqota(*argv, version, "--model", models, "--output", request)
        assert request.exists()
        refused = server.pqota("deploy", f"gateway@{version}", "--all", check=1).err
        assert "nobody has vouched for" in refused
    assert sorted(releases(vendor)) == [("1.0", "published"), ("1.1", "draft"), ("1.2", "draft")]


def test_a_request_that_is_there_is_not_written_over(vendor):
    server, request = vendor.server, vendor.server.folder / "gateway.sign.json"
    argv = ("firmware", "publish", server.folder / "gw.bin", "--name", "gateway", "--version", "1.0")
    server.pqota(*argv, "--output", request, check=0)
    before = request.read_bytes()
    refused = server.pqota(*argv, "--output", request, check=1).err
    assert f"{request} is there already" in refused and "--output" in refused
    assert request.read_bytes() == before


def test_several_at_once(vendor):
    """Signed files are looked through one at a time; who has to wait does."""
    server, models = vendor.server, [f"m{i}" for i in range(6)]
    keys = ("--sign-with", vendor.key("targets"), "--passphrase-file", vendor.passphrase)
    argv = ("firmware", "publish", server.folder / "gw.bin", "--name", "gateway", *keys)
    server.pqota(*argv, "--version", "1.0", "--model", ",".join(models), check=0)
    with concurrent.futures.ThreadPoolExecutor(len(models)) as pool:
        jobs = [pool.submit(server.pqota, *argv, "--version", f"2.{m}", "--model", m) for m in models]
    done = [job.result() for job in jobs]
    assert [d.code for d in done] == [0] * len(models), done
    assert {state for _, state in releases(vendor)} == {"published"}


def test_no_draft_is_told_of_that_is_none(vendor):
    """The server took the signatures, and then shows something else."""
    server, taken = vendor.server, []

    def answer(method, path, status, headers, body):
        if method == "POST" and path == "/api/trust":
            taken.append(status)
        if taken and path.endswith("/timestamp.json"):
            body = body.replace(b'"sig":"', b'"sig":"00', 1)
        return status, headers, body

    relay = Relay(server, answer=answer)
    profile = server.profile.with_name("relayed")
    profile.write_text(server.profile.read_text().replace(server.url, relay.url))
    refused = publish(vendor, "--profile", profile, check=1).err
    relay.close()
    assert taken == [200] and "cannot be trusted" in refused and "stays on the server" not in refused
    assert releases(vendor) == [("1.0", "published")]
