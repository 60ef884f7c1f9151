"""What nginx tells pqota of a client, for tests that say it themselves, and the ways to say it."""

import re

from harness import ANYONE, free_port, run

FIELD = "X_Pqota_Client"


def told_of(cert):
    """The header's value for a certificate, as pqota nginx-conf has nginx write it."""
    shown = run(
        ["openssl", "x509", "-in", cert, "-noout", "-serial", "-issuer", "-fingerprint", "-sha1", "-nameopt",
         "RFC2253"],
        check=0,
    ).out  # fmt: skip
    serial = re.search(r"serial=(\w+)", shown)[1]
    issuer = re.search(r"issuer=(.*)", shown)[1].strip()
    sha1 = re.search(r"(?i)fingerprint=([\w:]+)", shown)[1].replace(":", "").lower()
    return f"verify=SUCCESS; serial={serial}; sha1={sha1}; issuer={issuer}"


NOBODY = "verify=NONE; serial=; sha1=; issuer="


def by_socket(server, path, *fields, method="GET", args=()):
    """A request on the Unix socket with these header lines, as a proxy would send it."""
    headers = [word for field in fields for word in ("-H", field)]
    return server.curl(
        path,
        *("-X", method),
        *("--unix-socket", server.unix),
        *headers,
        *args,
        who=ANYONE,
        url="http://localhost",
    )


def classical_certificate(folder):
    """A P-256 certificate for the listener without post-quantum algorithms: (certificate, key)."""
    key, cert = folder / "classical.key", folder / "classical.pem"
    run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-addext", "extendedKeyUsage=serverAuth", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=0,
    )  # fmt: skip
    return cert, key


def every_listener(folder):
    """Settings that open them all, and their ports."""
    cert, key = classical_certificate(folder)
    plain, classical = free_port(), free_port()
    return (
        plain,
        classical,
        {
            "plain.enabled": "yes",
            "plain.listen": f"127.0.0.1:{plain}",
            "classical.enabled": "yes",
            "classical.listen": f"127.0.0.1:{classical}",
            "classical.certificate": cert,
            "classical.key": key,
        },
    )
