"""The rows of the table: how the load is put on, and which figure tells who is faster."""

import dataclasses

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    mode: str  # of pqload
    kind: str  # what is asked for
    mutual: bool  # with a client certificate
    connections: int
    figure: str = "per_second"  # what the ratio is made of; of p50_ms and rss_per_connection less is better
    latency: str = "operation"  # which of pqload's latencies
    rate_of: str = ""  # at half the rate that nginx reached in that row


ROWS = [
    Row("full", "Full handshake, GET, close", "full", "public", False, 32),
    Row("full-mutual", "The same, mutual", "full", "latest", True, 32),
    Row("resumed", "Resumed handshake, GET, close", "resumed", "public", False, 32),
    Row("resumed-mutual", "The same, mutual", "resumed", "latest", True, 32),
    Row("keep", "GET on kept-alive connections", "keep", "public", False, 64),
    Row("keep-mutual", "The same, mutual", "keep", "latest", True, 64),
    Row("handshake", "Handshake, one connection", "full", "public", False, 1, "p50_ms", "handshake"),
    Row("handshake-mutual", "The same, mutual", "full", "latest", True, 1, "p50_ms", "handshake"),
    Row(
        "handshake-load",
        "Handshake, at half of nginx's rate",
        "full",
        "public",
        False,
        64,
        "p50_ms",
        "handshake",
        "full",
    ),
    Row(
        "handshake-load-mutual",
        "The same, mutual",
        "full",
        "latest",
        True,
        64,
        "p50_ms",
        "handshake",
        "full-mutual",
    ),
    Row("download", "Download, 1 MiB each", "download", "file", True, 16),
    Row("idle", "Idle connections", "idle", "public", False, 1000, "rss_per_connection"),
    Row("idle-mutual", "The same, mutual", "idle", "latest", True, 1000, "rss_per_connection"),
    # The last ones: with them many devices come into pqota's store.
    Row("poll", "A poll that finds nothing new, mutual", "keep", "poll", True, 64),
    Row("poll-ddi", "The same, hawkBit's protocol", "keep", "poll-ddi", True, 64),
]

FIELDS = (
    "per_second",
    "p50_ms",
    "p99_ms",
    "server_cpu_us",
    "bytes_to_client",
    "bytes_from_client",
    "rss_per_connection",
)


def figures_of(row, result):
    """pqload's result as the fields of the table. Of a download an operation is one MiB."""
    latency = result[row.latency]
    found = {
        "per_second": result["per_second"],
        "p50_ms": latency["p50_ms"] if latency["count"] else None,
        "p99_ms": latency["p99_ms"] if latency["count"] else None,
        "server_cpu_us": result["server_cpu_us"],
        "bytes_to_client": result["bytes_to_client"],
        "bytes_from_client": result["bytes_from_client"],
        "rss_per_connection": None,
    }
    if row.mode == "download":
        mib = result["body_bytes"] / MIB
        found["per_second"] = result["body_bytes_per_second"] / MIB
        found["server_cpu_us"] = result["server_cpu_total_us"] / mib
        for way in ("bytes_to_client", "bytes_from_client"):
            found[way] *= max(1, result["operations"]) / mib
        found["p50_ms"] = found["p99_ms"] = None  # of whole files: they say nothing that GB/s does not
    return found


def better(row, value, other):
    """How many times as good as the other: above 1 is better."""
    if not value or not other:
        return None
    return value / other if row.figure == "per_second" else other / value
