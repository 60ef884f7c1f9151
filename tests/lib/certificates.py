"""Keys, requests and certificates made with openssl."""

import hashlib
import re
import sqlite3
import ssl
import subprocess

from harness import Credential, run


def new_key(folder, name="k"):
    key, csr = folder / f"{name}.key", folder / f"{name}.csr"
    run(["openssl", "genpkey", "-algorithm", "ML-DSA-65", "-out", key], check=0)
    run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=whatever", "-out", csr], check=0)
    return key, csr


def sign(csr, authority, key, extensions, cert, *life):
    """What an authority of openssl's makes of a request; extensions: a file."""
    by = ["-CA", authority, "-CAkey", key, "-extfile", extensions]
    run(["openssl", "x509", "-req", "-in", csr, *by, "-out", cert, *life], check=0)


def issue(server, folder, device, *args, ca="device-ca"):
    """A certificate made with the authority's key and openssl: for times that pqota would not issue."""
    key, csr = new_key(folder, device)
    cert, ext = folder / f"{device}.pem", folder / f"{device}.ext"
    ext.write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    run(["openssl", "req", "-new", "-key", key, "-subj", f"/CN={device}", "-out", csr], check=0)
    authority = server.dir / "pki" / f"{ca}.pem"
    sign(csr, authority, authority.with_suffix(".key"), ext, cert, *args)
    if server.via and ca == "device-ca":
        admit(server, device, cert)
    return Credential(cert, key)


def operator(server, folder, name, role="operator"):
    """Another person, registered by the first."""
    who = issue(server, folder, name, "-days", "30", ca="operator-ca")
    person = {"name": name, "role": role, "certificate": who.cert.read_text()}
    server.api("POST", "/api/operators", person, expect=201)
    return who


def told(cert, *what):
    """What openssl shows of a certificate, without its label."""
    out = run(["openssl", "x509", "-in", cert, "-noout", *what], check=0).out
    return out.strip().partition("=")[2]


def admit(server, device, cert, ca="device-ca"):
    """Enters a certificate that openssl made into the server's database, as if the server had issued it to
    that device: through a proxy only those count that are there."""

    def key_id(file):
        pem = run(["openssl", "x509", "-in", file, "-noout", "-pubkey"], check=0).out
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem.encode(),
                             capture_output=True, check=True).stdout  # fmt: skip
        return hashlib.sha256(der).hexdigest()

    def hash_of(kind):
        return told(cert, "-fingerprint", kind).replace(":", "").lower()

    def time_of(which):
        return int(ssl.cert_time_to_seconds(told(cert, which))) * 1000

    row = {
        "issuer": key_id(server.dir / "pki" / f"{ca}.pem"),
        "serial": serial_of(cert).lower().lstrip("0"),
        "fingerprint": hash_of("-sha256"),
        "sha1": hash_of("-sha1"),
        "key_id": key_id(cert),
        "not_before": time_of("-startdate"),
        "not_after": time_of("-enddate"),
        "device": device,
    }
    with sqlite3.connect(server.dir / "data" / "pqota.db", timeout=20) as db:
        db.execute(
            "INSERT INTO certificate (issuer, serial, fingerprint, sha1, key_id, not_before, not_after,"
            " issued_at, first_used_at, device) SELECT :issuer, :serial, :fingerprint, :sha1, :key_id,"
            " :not_before, :not_after, :not_before, :not_before, pk FROM device WHERE id = :device",
            row,
        )
    db.close()


def serial_of(cert):
    return re.search(
        r"serial=(\w+)", run(["openssl", "x509", "-in", cert, "-noout", "-serial"], check=0).out
    )[1]
