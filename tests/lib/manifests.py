"""Manifests for microcontrollers made without our code: cbor2 and the openssl command line."""

import pathlib

import cbor2
from harness import openssl

SIG = 2420
ALGORITHM = {1: -48}  # ML-DSA-44 (RFC 9964)


class Keys:
    """ML-DSA-44 keys by name, kept in a folder; made from a seed (64 hex digits) when there is one."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def make(self, name, seed=None):
        options = ["-pkeyopt", f"hexseed:{seed}"] if seed else []
        openssl("genpkey", "-algorithm", "ML-DSA-44", *options, "-out", self.folder / name)

    def public(self, name):
        """The key itself: what a SubjectPublicKeyInfo (RFC 9881) ends with."""
        return openssl("pkey", "-in", self.folder / name, "-pubout", "-outform", "DER")[-1312:]

    def sign(self, name, message):
        file = self.folder / "message"
        file.write_bytes(message)
        return openssl(
            "pkeyutl",
            "-sign",
            "-rawin",
            "-inkey",
            self.folder / name,
            "-in",
            file,
            "-pkeyopt",
            "deterministic:1",
        )


def encode(x):
    return cbor2.dumps(x, canonical=True)


def seal(payload, signature):
    return encode(cbor2.CBORTag(18, [encode(ALGORITHM), {}, payload, signature]))


def sign1(keys, key, aad, payload):
    """RFC 9052 sections 4.2 and 4.4."""
    return seal(payload, keys.sign(key, encode(["Signature1", encode(ALGORITHM), aad, payload])))


def entry(keys, image, key="vendor-1", aad=b"pqota-vendor"):
    """image: [1, model, name, release, sequence, sha256, size, upgrade_from, counter]"""
    return sign1(keys, key, aad, encode(image))


def manifest(keys, version, expires, device, inner, key="director-1", aad=b"pqota-director"):
    return sign1(keys, key, aad, encode([1, version, expires, device, inner]))
