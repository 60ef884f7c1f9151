"""Keys that sign update metadata in tests: Ed25519, ECDSA and RSA by python3-cryptography, ML-DSA by openssl.

    key = tufkeys.key("ed25519")              another one each time, made once a process
    key.sign(b"...")                          hex, over these bytes
    key.sign_metadata(body)                   {"keyid", "sig"} by the scheme's rules
    ml, ed = tufkeys.pair(65)                 what one holder has

Keys are kept for the process: tests that start again with tufkeys.restart() get the same ones again, so that
nothing waits for RSA.
"""

import atexit
import hashlib
import os
import shutil
import tempfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from harness import openssl

ML_DSA = {"ml-dsa-44/1": "ML-DSA-44", "ml-dsa-65/1": "ML-DSA-65", "ml-dsa-87/1": "ML-DSA-87"}
TAP21_PREFIX = b"tuf\x01"  # before the SHA-512 of the canonical form


def canonical(value):
    """OLPC canonical JSON: what a signature and a key id are over. Refuses what it has no form for."""
    return _canonical(value).encode()


def _canonical(value):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(_canonical(v) for v in value) + "]"
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda m: m[0].encode())
        return "{" + ",".join(_canonical(k) + ":" + _canonical(v) for k, v in members) + "}"
    raise ValueError(f"no canonical form for {value!r}")


class Key:
    """One key. object is what metadata have of it (a copy each time), keyid its usual name."""

    def __init__(self, keytype, scheme, public, sign):
        self.keytype, self.scheme, self.public, self._sign = keytype, scheme, public, sign
        self.extra = {}  # further members of the object

    @property
    def object(self):
        own = {"keytype": self.keytype, "scheme": self.scheme, "keyval": {"public": self.public}}
        return {**own, **self.extra}

    @property
    def keyid(self):
        return hashlib.sha256(canonical(self.object)).hexdigest()

    @property
    def post_quantum(self):
        return self.scheme in ML_DSA

    def sign_bytes(self, message):
        return self._sign(message)

    def sign(self, message):
        return self._sign(message).hex()

    def sign_metadata(self, body):
        message = canonical(body)
        if self.post_quantum:
            message = TAP21_PREFIX + hashlib.sha512(message).digest()
        return {"keyid": self.keyid, "sig": self.sign(message)}

    def with_extra(self, **members):
        """The same key under another id."""
        twin = Key(self.keytype, self.scheme, self.public, self._sign)
        twin.extra = members
        return twin

    def __repr__(self):
        return f"<{self.scheme} {self.keyid[:8]}>"


def pem(public):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()


def ed25519_of(private):
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return Key("ed25519", "ed25519", public.hex(), private.sign)


def new_ed25519():
    return ed25519_of(ed25519.Ed25519PrivateKey.generate())


def new_ecdsa():
    private = ec.generate_private_key(ec.SECP256R1())
    return Key(
        "ecdsa",
        "ecdsa-sha2-nistp256",
        pem(private.public_key()),
        lambda message: private.sign(message, ec.ECDSA(hashes.SHA256())),
    )


def new_rsa(scheme):
    private = rsa.generate_private_key(65537, 2048)
    sha = hashes.SHA256()
    how = padding.PKCS1v15() if scheme == "rsa-pkcs1v15-sha256" else padding.PSS(padding.MGF1(sha), 32)
    return Key("rsa", scheme, pem(private.public_key()), lambda message: private.sign(message, how, sha))


class _Folder:
    """Where openssl finds the private keys; removed when the process ends."""

    path = None

    @classmethod
    def file(cls, name):
        if cls.path is None:
            cls.path = tempfile.mkdtemp(prefix="tufkeys-")
            atexit.register(shutil.rmtree, cls.path, ignore_errors=True)
        return os.path.join(cls.path, name)


def new_ml_dsa(scheme, number):
    file = _Folder.file(f"{ML_DSA[scheme]}-{number}.pem")
    openssl("genpkey", "-algorithm", ML_DSA[scheme], "-out", file)
    return ml_dsa_in(file, scheme)


def ml_dsa_in(file, scheme):
    public = openssl("pkey", "-in", file, "-pubout").decode()

    def sign(message):
        with tempfile.NamedTemporaryFile(dir=_Folder.path) as f:  # it asks for the size: no pipe
            f.write(message)
            f.flush()
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", file, "-in", f.name)

    return Key("ml-dsa", scheme, public, sign)


def in_file(file):
    """The key that openssl wrote there: ML-DSA or Ed25519, not encrypted."""
    kind = openssl("pkey", "-in", file, "-noout", "-text").decode().split()[0].lower()
    if kind == "ed25519":
        with open(file, "rb") as f:
            return ed25519_of(serialization.load_pem_private_key(f.read(), None))
    return ml_dsa_in(file, f"{kind}/1")


def _make(scheme, number):
    if scheme == "ed25519":
        return new_ed25519()
    if scheme == "ecdsa-sha2-nistp256":
        return new_ecdsa()
    if scheme in ("rsassa-pss-sha256", "rsa-pkcs1v15-sha256"):
        return new_rsa(scheme)
    return new_ml_dsa(scheme, number)


_made, _next = {}, {}


def key(scheme="ed25519"):
    """The next key of that scheme."""
    number = _next.get(scheme, 0)
    _next[scheme] = number + 1
    made = _made.setdefault(scheme, [])
    if number == len(made):
        made.append(_make(scheme, number))
    return made[number]


def pair(level=65):
    """What one holder of pqota's has: an ML-DSA key of that level (44, 65, 87) and an Ed25519 key."""
    return [key(f"ml-dsa-{level}/1"), key("ed25519")]


def restart():
    """The keys that were made are handed out from the first one again."""
    _next.clear()
