"""The image repository as other TUF clients read it."""

import tuf.ngclient
from vendor import Vendor

from harness import free_port, run, wait_for


def test_other_clients_read_it(make_server, tmp_path):
    """python-tuf, which goes by Ed25519 alone, and pqota's own conformance client."""
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
