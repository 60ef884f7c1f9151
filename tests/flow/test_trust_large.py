"""Metadata too large for a loop thread to read: the same bytes for everybody, however many ask at once."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

from vendor import Vendor

SIZE = 3_000_000


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
