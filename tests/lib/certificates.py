"""Keys, requests and certificates made with openssl."""

import re

from harness import Credential, run


def new_key(folder, name="k"):
    key, csr = folder / f"{name}.key", folder / f"{name}.csr"
    run(["openssl", "genpkey", "-algorithm", "ML-DSA-65", "-out", key], check=0)
    run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=whatever", "-out", csr], check=0)
    return key, csr


def issue(server, folder, device, *args, ca="device-ca"):
    """A certificate made with the authority's key and openssl: for times that pqota would not issue."""
    key, csr = new_key(folder, device)
    cert, ext = folder / f"{device}.pem", folder / f"{device}.ext"
    ext.write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    run(["openssl", "req", "-new", "-key", key, "-subj", f"/CN={device}", "-out", csr], check=0)
    run(
        [
            "openssl",
            "x509",
            "-req",
            "-in",
            csr,
            "-CA",
            server.dir / "pki" / f"{ca}.pem",
            "-CAkey",
            server.dir / "pki" / f"{ca}.key",
            "-extfile",
            ext,
            "-out",
            cert,
            *args,
        ],
        check=0,
    )
    return Credential(cert, key)


def serial_of(cert):
    return re.search(
        r"serial=(\w+)", run(["openssl", "x509", "-in", cert, "-noout", "-serial"], check=0).out
    )[1]
