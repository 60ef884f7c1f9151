"""The row "trust": what signed update metadata cost. pqtrust measures; here are rounds, doubts, the table."""

import statistics

import measure
from parts import harness
from table import SPREAD_MAX, rounded, spread

PQTRUST = harness.RELEASE / "bench" / "pqtrust"
QUICK = ("--repeat", "20", "--devices", "500")
PAIR = 2  # signatures of each holder: ML-DSA and Ed25519
KIB = 1024

# What the table shows of a refresh, beside the whole: where the time goes.
PARTS_OF_REFRESH = (
    ("ml_dsa_ms", "ML-DSA"),
    ("classical_ms", "Ed25519"),
    ("hash_ms", "hashes"),
    ("json_ms", "JSON"),
    ("canon_ms", "canonical form"),
    ("rest_ms", "rest"),
)


def run_once(more=()):
    """pqtrust's object; what went wrong is an exception."""
    return measure.program([PQTRUST, *more], 600)


def exact_or_rounded(value):
    """Bytes and counts as they are, times to four digits."""
    return int(value) if float(value).is_integer() else rounded(value)


def summary(rounds):
    """Medians of the rounds, and how far they differ where that is more than nothing."""
    found = {"figures": {}, "spread": {}}
    for part, fields in rounds[0].items():
        for field in fields:
            values = [r[part][field] for r in rounds]
            found["figures"].setdefault(part, {})[field] = exact_or_rounded(statistics.median(values))
            if wide := spread(values):
                found["spread"].setdefault(part, {})[field] = round(wide, 3)
    return found


def run(count, quick):
    return summary([run_once(QUICK if quick else ()) for _ in range(count)])


# --- what was aimed at -----------------------------------------------------------------------------------


def device_bytes(figures):
    memory = figures["memory"]
    return memory["client_bytes"] + memory["stack_bytes"] + memory["heap_bytes"]


def aims(figures):
    """(what, whether it was reached), in the order of the table."""
    signing, director = figures["signing"], figures["director"]
    return (
        ("a first refresh, ML-DSA-65 everywhere, below 10 ms", figures["first"]["cpu_ms"] < 10),
        ("a device's memory below 4 MB", device_bytes(figures) < 4_000_000),
        ("one pair of signatures a role", signing["signatures"] == PAIR * signing["roles"]),
        (
            "one pair of signatures a decision, however often devices ask",
            director["signatures"] == PAIR * director["decisions"] == PAIR * director["devices"],
        ),
    )


def doubts(found):
    noisy = [
        f"{part}: rounds differ by {fields['cpu_ms']:.0%}"
        for part, fields in found["spread"].items()
        if fields.get("cpu_ms", 0) > SPREAD_MAX
    ]
    return noisy + [f"not reached: {what}" for what, reached in aims(found["figures"]) if not reached]


# --- the table -------------------------------------------------------------------------------------------


def refresh_row(title, r):
    checked = int(r["ml_dsa_verified"] + r["classical_verified"])
    return title, f"{r['cpu_ms']:.1f} ms", f"{checked} signatures, {r['bytes'] / KIB:.0f} KiB fetched"


def rows(figures):
    """(what, figure, remark)"""
    memory, signing, director = figures["memory"], figures["signing"], figures["director"]
    sizes = figures["sizes"]
    return [
        refresh_row("First refresh of both repositories, ML-DSA-65", figures["first"]),
        refresh_row("Refresh when only the timestamp is new, ML-DSA-65", figures["steady"]),
        refresh_row("First refresh, ML-DSA-87 offline", figures["first_87"]),
        refresh_row("Refresh when only the timestamp is new, ML-DSA-87 offline", figures["steady_87"]),
        (
            f"A device's memory, {memory['targets']:.0f} targets under {memory['delegations']:.0f} roles",
            f"{device_bytes(figures) / KIB:.0f} KiB",
            f"client {memory['client_bytes'] / KIB:.0f}, stack {memory['stack_bytes'] / KIB:.0f}, "
            f"OpenSSL {memory['heap_bytes'] / KIB:.0f}",
        ),
        (
            f"Signing {signing['targets']:.0f} targets",
            f"{signing['cpu_ms']:.1f} ms",
            f"{signing['signatures']:.0f} signatures for {signing['roles']:.0f} roles",
        ),
        (
            "A director's decision",
            f"{director['decision_cpu_us'] / 1000:.2f} ms",
            f"{director['signatures'] / director['decisions']:.3g} signatures, none in the other "
            f"{director['polls'] - director['decisions']:.0f} of {director['polls']:.0f} polls; "
            f"{director['stored_bytes_per_device'] / KIB:.1f} KiB stored",
        ),
        (
            "A million devices' decisions",
            f"{director['million_cpu_minutes']:.0f} min",
            f"of one core; {director['million_stored_gb']:.1f} GB",
        ),
        (
            "timestamp, snapshot, director's file",
            f"{sizes['timestamp'] + sizes['snapshot'] + sizes['director']:.0f} B",
            f"{sizes['timestamp']:.0f}, {sizes['snapshot']:.0f} (+{sizes['snapshot_each_role']:.0f} a role), "
            f"{sizes['director']:.0f}",
        ),
        (
            "root, targets, a model's role",
            f"{sizes['root'] + sizes['targets'] + sizes['delegated']:.0f} B",
            f"{sizes['root']:.0f}, {sizes['targets']:.0f} (+{sizes['targets_each_role']:.0f} a role), "
            f"{sizes['delegated']:.0f} (+{sizes['delegated_each_target']:.0f} a target)",
        ),
        (
            "A microcontroller's manifest",
            f"{sizes['manifest']:.0f} B",
            f"the vendor's entry in it {sizes['manifest_entry']:.0f}",
        ),
    ]


def where(r):
    return ", ".join(f"{title} {r[field]:.2f} ms" for field, title in PARTS_OF_REFRESH)


def text(found):
    figures = found["figures"]
    out = ["", "trust: Signed update metadata (processor time, bytes)"]
    out += [f"  {what:<60}{figure:>10}  {remark}" for what, figure, remark in rows(figures)]
    out += [f"  {'where a first refresh goes, ML-DSA-65':<60}{'':>10}  {where(figures['first'])}"]
    out += [f"  ^ {doubt}" for doubt in doubts(found)]
    return "\n".join(out)


def markdown(found):
    out = ["| Signed update metadata | | |", "|---|---|---|"]
    out += [f"| {what} | {figure} | {remark} |" for what, figure, remark in rows(found["figures"])]
    out += ["", "A first refresh: " + where(found["figures"]["first"]) + "."]
    return "\n".join(out)
