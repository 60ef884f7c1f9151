"""Metadata too large for a loop thread to read: the same bytes for everybody, however many ask at once."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

from vendor import Vendor

SIZE = 3_000_000
REQUEST_MAX = 16 << 20  # src/trust/request.h


def test_large_metadata(make_server):
    server = make_server({"trust.insecure_unsigned": "no"}, start=False)
    vendor = Vendor(server).start()
    body = vendor.next("targets")
    body["x-large"] = "x" * SIZE
    request = vendor.request([("image", "targets", body)])
    vendor.sign(request)
    vendor.upload(request)
    path = f"/tuf/image/{body['version']}.targets.json"
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: server.curl(path), range(24))]
    whole = answers[0]
    assert whole.status == 200 and len(whole.body) > SIZE
    assert whole.headers["etag"] == f'"{hashlib.sha256(whole.body).hexdigest()}"'
    assert all(a.status == 200 and a.body == whole.body for a in answers)
    assert server.curl(path, "-H", f"If-None-Match: {whole.headers['etag']}").status == 304
    assert server.curl(path, "-H", 'If-Match: "other"').status == 412
    # Cut off in the middle, the next one is whole again.
    server.curl(path, "--max-filesize", "100000")
    assert server.curl(path).body == whole.body


def test_a_request_that_its_signatures_would_make_too_large(make_server, tmp_path):
    """It is refused before the first holder signs."""
    vendor = Vendor(make_server({"trust.insecure_unsigned": "no"}, start=False)).start()
    server, size = vendor.server, [4_900_000, 1_000_000]

    def grow():
        body, model = vendor.next("targets"), vendor.next("model-m")
        if body["version"] == 2:
            vendor.delegate(body, "m")
        body["x-large"], model["x-large"] = ("x" * n for n in size)
        request = vendor.request([("image", "targets", body), ("image", "model-m", model)])
        vendor.sign(request)
        vendor.upload(request)

    def renew(name, check):
        return server.pqota("trust", "renew", "--no-root", "--output", tmp_path / name, check=check)

    grow()
    renew("fits.json", check=0)
    size[1] += (REQUEST_MAX - (tmp_path / "fits.json").stat().st_size) // 2 - 5000
    grow()
    refused = renew("large.json", check=1).err
    assert "with all signatures a request for 2 documents would have" in refused
    assert not (tmp_path / "large.json").exists()
    size[1] -= 20_000
    grow()
    renew("fits-again.json", check=0)
    vendor.sign(tmp_path / "fits-again.json")
    vendor.upload(tmp_path / "fits-again.json")
