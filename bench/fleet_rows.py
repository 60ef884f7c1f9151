#!/usr/bin/env python3
"""Fills a stopped server's database with devices, in one transaction: all of them or none.

    bench/fleet_rows.py SERVER_DIR --devices 1000000 --model box --certificates 10000

Ids are the prefix and seven digits, as pqfleet has them. Models, versions and the values of attributes are
dealt out evenly and independently of each other. The first --certificates devices get a row of a certificate
that was never made, by which pqfleet can act as them through the server's Unix socket ([unix] proxy = yes):
its serial is "f1ee" and 28 digits of the id's SHA-1. Prints a JSON object with the issuer's name, which
pqfleet wants.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import pathlib
import sqlite3
import subprocess
import sys
import time

NUMBER_MAX = 9999999
DAY_MS = 86400 * 1000
CERTIFICATE_DAYS = 365
CACHE_KIB = 512 * 1024


class Failed(Exception):
    pass


def issuer_of(server):
    """Name (RFC 2253) and key id of the devices' authority, as the server tells it."""
    pem = server / "pki" / "device-ca.pem"
    name = openssl("x509", "-in", pem, "-noout", "-subject", "-nameopt", "RFC2253")
    key = openssl("x509", "-in", pem, "-noout", "-pubkey")
    der = openssl("pkey", "-pubin", "-outform", "DER", stdin=key)
    return name.decode().strip().removeprefix("subject=").strip(), hashlib.sha256(der).hexdigest()


def openssl(*argv, stdin=b""):
    done = subprocess.run(["openssl", *map(str, argv)], input=stdin, capture_output=True)
    if done.returncode != 0:
        raise Failed(f"openssl {argv[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def columns(db, table):
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


class Dealer:
    """SQL for "the device's value of that list", each list dealt out independently of those before."""

    def __init__(self):
        self.width = 1

    def column(self, values):
        at = f"(n / {self.width}) % {len(values)}"
        self.width *= len(values)
        cases = " ".join(f"WHEN {i} THEN ?" for i in range(len(values)))
        return f"CASE {at} {cases} END", list(values)


def numbers(o):
    """A table expression of the devices' numbers."""
    return "WITH RECURSIVE number (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM number WHERE n < ?)", [
        o.first,
        o.first + o.devices - 1,
    ]


def add_devices(db, o, now):
    dealer = Dealer()
    model, models = dealer.column(o.model)
    version, versions = dealer.column(o.version)
    series, bounds = numbers(o)
    db.execute(
        f"{series} INSERT INTO device (id, model, version, version_at, created_at, interface)"
        f" SELECT printf('%s%07d', ?, n), {model}, {version}, ?, ?, ? FROM number",
        [*bounds, o.id_prefix, *models, *versions, now, now, "ddi" if o.ddi else "native"],
    )
    return dealer


def add_attributes(db, o, dealer):
    if not o.attribute:
        return
    if not columns(db, "device_attribute"):
        raise Failed("this server's database has no attributes")
    for text in o.attribute:
        key, equals, values = text.partition("=")
        if not key or not equals or not values:
            raise Failed(f"--attribute is {text!r}; it must be KEY=VALUE[,VALUE]...")
        value, parameters = dealer.column(values.split(","))
        series, bounds = numbers(o)
        db.execute(
            f"{series} INSERT INTO device_attribute (device, key, value)"
            f" SELECT d.pk, ?, {value} FROM number JOIN device d ON d.id = printf('%s%07d', ?, n)",
            [*bounds, key, *parameters, o.id_prefix],
        )


def add_tags(db, o):
    for text in o.tag or ():
        tag, _, each = text.partition(":")
        if not tag or not (each or "1").isdecimal() or int(each or "1") < 1:
            raise Failed(f"--tag is {text!r}; it must be TAG or TAG:EACH")
        series, bounds = numbers(o)
        db.execute(
            f"{series} INSERT INTO device_tag (tag, id, device)"
            " SELECT ?, d.id, d.pk FROM number JOIN device d ON d.id = printf('%s%07d', ?, n)"
            " WHERE n % ? = 0",
            [*bounds, tag, o.id_prefix, int(each or "1")],
        )


def certificate_rows(db, o, key_id, now):
    """In the order of the table, so that no page of it is written twice."""
    rows = []
    first, last = (f"{o.id_prefix}{n:07d}" for n in (o.first, o.first + o.certificates - 1))
    for pk, name in db.execute("SELECT pk, id FROM device WHERE id BETWEEN ? AND ?", (first, last)):
        sha1 = hashlib.sha1(name.encode()).hexdigest()
        fingerprint = hashlib.sha256(name.encode()).hexdigest()
        end = now + CERTIFICATE_DAYS * DAY_MS
        rows.append((key_id, f"f1ee{sha1[:28]}", fingerprint, fingerprint, pk, now, end, now, now, sha1))
    return sorted(rows)


def add_certificates(db, o, now, server):
    if o.certificates == 0:
        return None
    name, key_id = issuer_of(server)
    db.executemany(
        "INSERT INTO certificate (issuer, serial, fingerprint, key_id, device, not_before, not_after,"
        " issued_at, first_used_at, sha1) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        certificate_rows(db, o, key_id, now),
    )
    return name


@contextlib.contextmanager
def locked(data):
    """The server's own lock: it counts in memory what is added here, so it must not run."""
    with open(data / "lock", "r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failed(f"a pqota works on {data}: stop it first") from error
        yield


def open_database(path):
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=1)
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    db.execute("PRAGMA foreign_keys = OFF")  # what is referred to was added a moment before
    db.execute("BEGIN EXCLUSIVE")
    return db


def fill(o):
    begun = time.monotonic()
    now = int(time.time() * 1000)
    server = pathlib.Path(o.server)
    path = server / "data" / "pqota.db"
    with locked(path.parent), contextlib.closing(open_database(path)) as db:
        dealer = add_devices(db, o, now)
        add_attributes(db, o, dealer)
        add_tags(db, o)
        issuer = add_certificates(db, o, now, server)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if o.analyze:
            db.execute("ANALYZE")
    return {
        "devices": o.devices,
        "certificates": o.certificates,
        "issuer": issuer,
        "seconds": round(time.monotonic() - begun, 2),
        "bytes": path.stat().st_size,
    }


def parse(argv):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("server", help="the server's folder")
    p.add_argument("-n", "--devices", type=int, default=1000)
    p.add_argument("--first", type=int, default=1, help="number of the first (1)")
    p.add_argument("--id-prefix", default="fleet-", help="before the number (fleet-)")
    p.add_argument("--model", action="append", help="may be repeated (fleet)")
    p.add_argument("--version", action="append", help="may be repeated (1.0)")
    p.add_argument("--attribute", action="append", metavar="KEY=VALUE[,VALUE]...", help="may be repeated")
    p.add_argument("--tag", action="append", metavar="TAG[:EACH]", help="of each EACHth; may be repeated")
    p.add_argument("--certificates", type=int, default=0, metavar="N", help="of the first N (none)")
    p.add_argument("--ddi", action="store_true", help="they speak hawkBit's protocol")
    p.add_argument("--analyze", action="store_true", help="let SQLite look at how the rows are spread")
    o = p.parse_args(argv)
    o.model, o.version = o.model or ["fleet"], o.version or ["1.0"]
    if not 1 <= o.devices or not 0 <= o.first or o.first + o.devices - 1 > NUMBER_MAX:
        p.error(f"devices' numbers go from 0 to {NUMBER_MAX}")
    if not 0 <= o.certificates <= o.devices:
        p.error("--certificates is at most --devices")
    return o


def main():
    try:
        print(json.dumps(fill(parse(sys.argv[1:]))))
    except (Failed, sqlite3.Error, OSError) as error:
        print(f"fleet_rows: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
