"""A server that turned against the device, before `pqota-agent tunnel`: what it sends is not made good by
asking for it in parts, and what it leaves out does not hold anybody up."""

from tunnel import DATA, LAST, ddi, flip, front, make_tunnel, offer, same, trusted  # noqa: F401

RANGES = {"ranges": "vouched"}  # what lets the most through


def away(front):
    """From now on the server has no file for anybody."""
    front.answer = lambda method, path, status, headers, body: (
        (503, {}, b"") if "/artifacts/" in path else (status, headers, body)
    )


def test_an_end_that_was_withheld_does_not_come_by_ranges(ddi, front, trusted, make_tunnel):
    """Until a whole one was right, parts of it come only as what is hashed: from the beginning."""
    tunnel = make_tunnel(trusted, RANGES)
    offer(front)
    href = tunnel.offered()
    flip(front, len(DATA) - 1)
    have = len(tunnel.curl(href).body)
    assert 0 < have <= len(DATA) - LAST
    for spec in (f"{have}-", "-1", f"{have}-{len(DATA) - 2}", f"0-0,{have}-"):
        got = tunnel.curl(href, "-r", spec)
        assert got.status == 200 and got.curl == 18, (spec, got)
        assert len(got.body) <= len(DATA) - LAST
    front.answer = None
    assert tunnel.curl(href, "-r", "100-199").status == 200
    got = tunnel.curl(href, "-r", "100-199")  # the one before was right
    assert got.status == 206 and same(got.body, DATA[100:200]), got


def test_a_server_that_is_away_meanwhile_is_not_believed_more(ddi, front, trusted, make_tunnel):
    """What was hashed is not forgotten by a try that came to nothing: the rest is hashed with it."""
    tunnel = make_tunnel(trusted, RANGES)
    offer(front)
    href = tunnel.offered()
    assert same(tunnel.curl(href, "-r", "0-199999").body, DATA[:200_000])
    away(front)
    assert tunnel.curl(href, "-r", "200000-").status == 503
    assert tunnel.curl(href, "-I").status == 503
    assert tunnel.curl(href).status == 503
    flip(front, len(DATA) - 1)
    got = tunnel.curl(href, "-r", "200000-")
    assert got.curl == 18 and len(got.body) <= len(DATA) - 200_000 - LAST, got


def test_a_part_that_ends_early_is_asked_for_again(ddi, front, trusted, make_tunnel):
    """Its length says less than its Content-Range: nobody waits for what does not come."""
    tunnel = make_tunnel(trusted, RANGES)
    offer(front)
    href, short = tunnel.offered(), [1000, 0]

    def shorten(method, path, status, headers, body):
        if status == 206 and "/artifacts/" in path and short:
            body = body[: short.pop(0)]
        return status, headers, body

    front.answer = shorten
    got = tunnel.curl(href, "-r", "0-299999", "--max-time", "20")
    assert got.curl == 0 and same(got.body, DATA[:300_000]), got
    assert tunnel.logs().count("a download broke off and goes on") == 2


def test_a_whole_url_asks_for_its_path(ddi, front, trusted, make_tunnel):
    """As a client sends it that takes the tunnel for its proxy (RFC 9112 section 3.2.2)."""
    tunnel = make_tunnel(trusted)
    offer(front)
    for url in (tunnel.url, "http://evil.example"):
        got = tunnel.curl(f"{url}{tunnel.base}?a=b", "--proxy", tunnel.url, "-H", "Host: localhost")
        assert got.status == 200 and got.json()["_links"]["deploymentBase"], got
        assert front.seen[-1][1] == f"{tunnel.base}?a=b"
    got = tunnel.curl(tunnel.offered(), "--proxy", tunnel.url)
    assert got.status == 200 and same(got.body, DATA), got
    got = tunnel.curl(f"http://evil.example{tunnel.base}", "--proxy", tunnel.url)
    assert got.status == 421, got
