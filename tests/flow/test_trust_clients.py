"""The image repository as other TUF clients read it."""

import tuf.ngclient
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import KEY_FOR_TYPE_AND_SCHEME, SSlibKey
from vendor import Vendor

from harness import free_port, run, wait_for


class UnknownKey(SSlibKey):
    """python-tuf takes no root with a kind of key that it has never heard of: it is told of one by which it
    believes nothing."""

    def verify_signature(self, signature, data):
        raise UnverifiedSignatureError("not a kind that this client knows")


def test_other_clients_read_it(make_server, tmp_path, monkeypatch):
    """python-tuf, which goes by Ed25519 alone, and pqota's own conformance client."""
    for level in (44, 65, 87):
        monkeypatch.setitem(KEY_FOR_TYPE_AND_SCHEME, ("ml-dsa", f"ml-dsa-{level}/1"), UnknownKey)
    port = free_port()
    settings = {
        "trust.insecure_unsigned": "no",
        "plain.enabled": "yes",
        "plain.listen": f"127.0.0.1:{port}",
    }
    server = make_server(settings, start=False)
    vendor = Vendor(server)
    server.start()
    wait_for(lambda: server.curl("/tuf/image/timestamp.json").status == 200, what="the server has signed")
    release = server.publish("read", "1", b"for everybody")
    vendor.publish(release, 1)
    url, root = f"http://127.0.0.1:{port}/tuf/image", vendor.dir / "device" / "image.root.json"
    (tmp_path / "py").mkdir()
    (tmp_path / "py" / "root.json").write_bytes(root.read_bytes())
    updater = tuf.ngclient.Updater(str(tmp_path / "py"), f"{url}/")
    updater.refresh()
    info = updater.get_targetinfo("read/read/1/firmware.bin")
    assert info.hashes["sha256"] == release["sha256"] and info.custom["sequence"] == 1
    client = server.build / "src" / "tuf" / "pqota-tuf"
    run([client, "--metadata-dir", tmp_path / "own", "init", root], check=0)
    run([client, "--metadata-url", url, "--metadata-dir", tmp_path / "own", "refresh"], check=0)
    for name in ("timestamp", "snapshot", "targets"):
        assert (tmp_path / "own" / f"{name}.json").exists()
