"""Somebody who stole signing keys: files of the update metadata, signed with whatever keys they got."""

import copy
import hashlib
import json
import re
import subprocess

import tufkeys

FAR = 1 << 31  # a version above all that a clock gives


class Pair:
    """The keys of a file that pqota made, read with openssl."""

    def __init__(self, path, passphrase, folder):
        blocks = re.findall(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----\n", path.read_text(), re.S)
        folder.mkdir(exist_ok=True)
        self.keys = []
        for i, block in enumerate(blocks):
            file = folder / f"{hashlib.sha256(block.encode()).hexdigest()[:12]}-{i}"
            file.with_suffix(".enc").write_text(block)
            argv = ["openssl", "pkey", "-in", file.with_suffix(".enc"), "-passin", f"file:{passphrase}"]
            subprocess.run([*map(str, argv), "-out", str(file)], check=True, capture_output=True)
            self.keys.append((self._id(file), file, self._kind(file)))

    @staticmethod
    def _openssl(*argv):
        return subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True).stdout

    def _kind(self, file):
        return self._openssl("pkey", "-in", file, "-noout", "-text").decode().split()[0]

    def _id(self, file):
        kind = self._kind(file)
        if kind.upper().startswith("ED25519"):
            public = self._openssl("pkey", "-in", file, "-pubout", "-outform", "DER")[-32:].hex()
            entry = {"keytype": "ed25519", "scheme": "ed25519"}
        else:
            public = self._openssl("pkey", "-in", file, "-pubout").decode()
            entry = {"keytype": "ml-dsa", "scheme": f"{kind.lower()}/1"}
        return hashlib.sha256(tufkeys.canonical({**entry, "keyval": {"public": public}})).hexdigest()

    def sign(self, body):
        """The file, as bytes."""
        made = []
        for keyid, file, kind in self.keys:
            message = tufkeys.canonical(body)
            if not kind.upper().startswith("ED25519"):
                message = tufkeys.TAP21_PREFIX + hashlib.sha512(message).digest()
            given = file.with_suffix(".tbs")
            given.write_bytes(message)
            sig = self._openssl("pkeyutl", "-sign", "-rawin", "-inkey", file, "-in", given)
            made.append({"keyid": keyid, "sig": sig.hex()})
        return json.dumps({"signatures": made, "signed": body}, separators=(",", ":")).encode()


def meta(version, text):
    return {"version": version, "length": len(text), "hashes": {"sha256": hashlib.sha256(text).hexdigest()}}


def on_top(pair, snapshot_pair, timestamp_pair, vendor, role, body, ahead=5000):
    """That role's document, with a snapshot and a timestamp over it: {path: file}."""
    text = pair.sign(body)
    stamp = copy.deepcopy(vendor.fetch("timestamp.json")["signed"])
    shot = copy.deepcopy(
        vendor.fetch(f"{stamp['meta']['snapshot.json']['version']}.snapshot.json")["signed"]
    )
    shot["version"] += ahead
    shot["meta"][f"{role}.json"] = meta(body["version"], text)
    shot_text = snapshot_pair.sign(shot)
    stamp["version"] += ahead
    stamp["meta"]["snapshot.json"] = meta(shot["version"], shot_text)
    return {
        f"/tuf/image/{body['version']}.{role}.json": text,
        f"/tuf/image/{shot['version']}.snapshot.json": shot_text,
        "/tuf/image/timestamp.json": timestamp_pair.sign(stamp),
    }
