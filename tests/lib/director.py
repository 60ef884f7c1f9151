"""A server's online keys for what a device should run, made by openssl, and what they sign checked by it."""

import hashlib
import json
import sqlite3
import subprocess

import cbor2
import manifests
import tufkeys

SCHEMES = {"ML-DSA-65": ("ml-dsa", "ml-dsa-65/1"), "ED25519": ("ed25519", "ed25519")}


def openssl(*argv):
    return subprocess.run(["openssl", *map(str, argv)], capture_output=True, check=True).stdout


class Director:
    """Makes director.key and manifest.key where the server looks for them; it must be started or told."""

    def __init__(self, server):
        self.server = server
        self.work = server.folder / "director"
        self.work.mkdir()
        online = server.dir / "trust" / "online"
        online.mkdir(parents=True, exist_ok=True)
        self.keys = {}  # keyid: (object as a root has it, file of the public key)
        self.director_key, self.manifest_key = online / "director.key", online / "manifest.key"
        self.make_pair()
        self.vendor = manifests.Keys(self.work)
        self.vendor.make("vendor-1")
        openssl("genpkey", "-algorithm", "ML-DSA-44", "-out", self.manifest_key)
        self.manifest_public = self.work / "manifest.pub"
        openssl("pkey", "-in", self.manifest_key, "-pubout", "-out", self.manifest_public)

    def make_pair(self):
        """Of the director's role, as its root would name them."""
        text = b""
        for algorithm, (keytype, scheme) in SCHEMES.items():
            file = self.work / f"{algorithm}-{len(self.keys)}"
            openssl("genpkey", "-algorithm", algorithm, "-out", file)
            openssl("pkey", "-in", file, "-pubout", "-out", f"{file}.pub")
            text += file.read_bytes()
            if keytype == "ed25519":
                public = openssl("pkey", "-in", file, "-pubout", "-outform", "DER")[-32:].hex()
            else:
                public = open(f"{file}.pub", encoding="ascii").read()
            entry = {"keytype": keytype, "scheme": scheme, "keyval": {"public": public}}
            keyid = hashlib.sha256(tufkeys.canonical(entry)).hexdigest()
            self.keys[keyid] = (entry, f"{file}.pub")
        self.director_key.write_bytes(text)
        self.director_key.chmod(0o600)

    def verify(self, public, message, signature):
        (self.work / "message").write_bytes(message)
        (self.work / "signature").write_bytes(signature)
        argv = ["-in", self.work / "message", "-sigfile", self.work / "signature"]
        openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, *argv)

    def signed(self, text):
        """The body of targets.json, signed by one of each family of the director's keys."""
        envelope = json.loads(text)
        body = tufkeys.canonical(envelope["signed"])
        families = []
        for s in envelope["signatures"]:
            entry, public = self.keys[s["keyid"]]
            message = body
            if entry["keytype"] == "ml-dsa":
                message = tufkeys.TAP21_PREFIX + hashlib.sha512(body).digest()
            self.verify(public, message, bytes.fromhex(s["sig"]))
            families.append(entry["keytype"])
        assert sorted(families) == ["ed25519", "ml-dsa"]
        return envelope["signed"]

    def manifest(self, data):
        """[version, expires, device, image or None] of a manifest whose signatures both hold."""
        assert len(data) <= 5120
        form, version, expires, device, inner = self._payload(data, b"pqota-director", self.manifest_public)
        assert form == 1
        if inner is None:
            return version, expires, device, None
        public = self.work / "vendor-1.pub"
        openssl("pkey", "-in", self.work / "vendor-1", "-pubout", "-out", public)
        return version, expires, device, self._payload(inner, b"pqota-vendor", public)

    def _payload(self, data, aad, public):
        whole = cbor2.loads(data)
        assert whole.tag == 18
        protected, unprotected, payload, signature = whole.value
        assert cbor2.loads(protected) == manifests.ALGORITHM and unprotected == {}
        assert cbor2.dumps(whole, canonical=True) == data
        self.verify(public, manifests.encode(["Signature1", protected, aad, payload]), signature)
        return cbor2.loads(payload)

    # --- what signing a release leaves in the database ---

    def vouch(self, release=None, image=None):
        """As after the vendor signed: for TUF, and with an image (a manifest's) for manifests too."""
        with sqlite3.connect(self.server.dir / "data" / "pqota.db", timeout=30) as db:
            if release is None:
                db.execute("UPDATE release_model SET signed = 1")
            else:
                db.execute("UPDATE release_model SET signed = 1 WHERE release = ?", (release,))
            if image is not None:
                cose = manifests.entry(self.vendor, image)
                db.execute("INSERT INTO release_entry VALUES (?, ?, ?)", (release, image[1], cose))
        db.close()
