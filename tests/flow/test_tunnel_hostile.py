"""A server that turned against the device, before `pqota-agent tunnel`: what it sends is not made good by
asking for it in parts, and what it leaves out does not hold anybody up."""

from tunnel import DATA, ddi, front, make_tunnel, offer, same, trusted  # noqa: F401


def test_a_part_that_ends_early_is_asked_for_again(ddi, front, trusted, make_tunnel):
    """Its length says less than its Content-Range: nobody waits for what does not come."""
    tunnel = make_tunnel(trusted)
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
