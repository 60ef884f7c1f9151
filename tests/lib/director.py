"""A server's online keys for what a device should run, made by openssl, and what they sign checked by it."""

import hashlib
import json
import pathlib
import sqlite3

import cbor2
import manifests
import tufkeys
import tufrepo
from harness import openssl

ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")  # DER before the key (RFC 8410)


class Checker:
    """Checks what a director signed by the public keys of its root (objects as the root has them)."""

    def __init__(self, work, role=(), manifest=None, vendor=None):
        self.work = pathlib.Path(work)
        self.work.mkdir(exist_ok=True)
        self.role = {self.keyid(entry): entry for entry in role}
        self.manifest_key, self.vendor_key = manifest, vendor

    @classmethod
    def by_root(cls, work, root):
        body = json.loads(root)["signed"]
        keys, small = tufrepo.keys_of(body), body["pqota"]["manifest"]
        ids = tufrepo.keyids_of(body["roles"]["targets"])
        it = cls(work, [keys[k] for k in ids])
        assert sorted(it.role) == sorted(ids)
        it.manifest_key, it.vendor_key = keys[small["director"]], keys[small["vendor"]]
        return it

    @staticmethod
    def keyid(entry):
        return hashlib.sha256(tufkeys.canonical(entry)).hexdigest()

    def verify(self, entry, message, signature):
        text = entry["keyval"]["public"]
        if entry["keytype"] == "ed25519":
            form, data = "DER", ED25519_SPKI + bytes.fromhex(text)
        else:
            form, data = "PEM", text.encode()
        names = {"key": data, "message": message, "signature": signature}
        for name, content in names.items():
            (self.work / name).write_bytes(content)
        key, message, signature = (self.work / name for name in names)
        argv = ["-inkey", key, "-keyform", form, "-in", message, "-sigfile", signature]
        openssl("pkeyutl", "-verify", "-rawin", "-pubin", *argv)

    def signed(self, text):
        """The body of targets.json, signed by one of each family of the director's keys."""
        envelope = json.loads(text)
        body = tufkeys.canonical(envelope["signed"])
        families = []
        for s in envelope["signatures"]:
            entry = self.role[s["keyid"]]
            message = body
            if entry["keytype"] == "ml-dsa":
                message = tufkeys.TAP21_PREFIX + hashlib.sha512(body).digest()
            self.verify(entry, message, bytes.fromhex(s["sig"]))
            families.append(entry["keytype"])
        assert sorted(families) == ["ed25519", "ml-dsa"]
        return envelope["signed"]

    def manifest(self, data):
        """[version, expires, device, image or None] of a manifest whose signatures both hold."""
        assert len(data) <= 5120
        form, version, expires, device, inner = self._payload(data, b"pqota-director", self.manifest_key)
        assert form == 1
        image = self._payload(inner, b"pqota-vendor", self.vendor_key) if inner is not None else None
        return version, expires, device, image

    def _payload(self, data, aad, entry):
        assert entry["scheme"] == "ml-dsa-44/1"
        whole = cbor2.loads(data)
        assert whole.tag == 18
        protected, unprotected, payload, signature = whole.value
        assert cbor2.loads(protected) == manifests.ALGORITHM and unprotected == {}
        assert cbor2.dumps(whole, canonical=True) == data
        self.verify(entry, manifests.encode(["Signature1", protected, aad, payload]), signature)
        return cbor2.loads(payload)


class Director(Checker):
    """Makes director.key and manifest.key where the server looks for them; it must be started or told."""

    def __init__(self, server):
        super().__init__(server.folder / "director")
        self.server = server
        self.online = server.dir / "trust" / "online"
        self.online.mkdir(parents=True, exist_ok=True)
        self.make_pair()
        self.manifest_key = self.make_key("manifest", "ML-DSA-44")
        self.write("manifest.key", "manifest")
        self.vendor_key = self.make_key("vendor-1", "ML-DSA-44")

    def make_key(self, name, algorithm):
        """A private key in a file of ours; answers its object."""
        file = self.work / name
        openssl("genpkey", "-algorithm", algorithm, "-out", file)
        return tufkeys.in_file(file).object

    def write(self, name, *keys):
        path = self.online / name
        path.write_bytes(b"".join((self.work / key).read_bytes() for key in keys))
        path.chmod(0o600)

    def make_pair(self):
        """A new one for the role."""
        pair = [self.make_key("ml-dsa", "ML-DSA-65"), self.make_key("ed25519", "ED25519")]
        self.role = {self.keyid(entry): entry for entry in pair}
        self.write("director.key", "ml-dsa", "ed25519")

    def vouch(self, release=None, image=None):
        """What signing leaves in the database, without a vendor; an image (of a manifest) makes an entry."""
        with sqlite3.connect(self.server.dir / "data" / "pqota.db", timeout=30) as db:
            if release is None:
                db.execute("UPDATE release_model SET signed = 1")
            else:
                db.execute("UPDATE release_model SET signed = 1 WHERE release = ?", (release,))
            if image is not None:
                cose = manifests.entry(manifests.Keys(self.work), image)
                db.execute("INSERT INTO release_entry VALUES (?, ?, ?)", (release, image[1], cose))
        db.close()
