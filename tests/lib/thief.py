"""Somebody who stole signing keys: files of the update metadata, signed with whatever keys they got."""

import copy
import hashlib
import re

import tufkeys
from harness import openssl
from tufrepo import envelope, target_entry

FAR = 1 << 31  # a version above all that a clock gives


def keys_in(path, passphrase, folder):
    """The keys of a file that pqota made."""
    folder.mkdir(exist_ok=True)
    blocks = re.findall(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----\n", path.read_text(), re.S)
    return [_key(block, passphrase, folder) for block in blocks]


def _key(block, passphrase, folder):
    file = folder / hashlib.sha256(block.encode()).hexdigest()
    file.write_text(block)
    plain = file.with_suffix(".pem")
    openssl("pkey", "-in", file, "-passin", f"file:{passphrase}", "-out", plain)
    return tufkeys.in_file(plain)


def meta(version, text):
    return {"version": version, **target_entry(text)}


def above(snapshot, timestamp, vendor, documents=(), ahead=5000):
    """A snapshot and a timestamp by those keys over the served ones and over documents: (role, version,
    file). Answers {path: file}."""
    stamp = copy.deepcopy(vendor.fetch("timestamp.json")["signed"])
    at = stamp["meta"]["snapshot.json"]["version"]
    shot = copy.deepcopy(vendor.fetch(f"{at}.snapshot.json")["signed"])
    shot["version"] += ahead
    shot["meta"].update({f"{role}.json": meta(version, text) for role, version, text in documents})
    shot_text = envelope(shot, snapshot)
    stamp["version"] += ahead
    stamp["meta"]["snapshot.json"] = meta(shot["version"], shot_text)
    return {
        **{f"/tuf/image/{version}.{role}.json": text for role, version, text in documents},
        f"/tuf/image/{shot['version']}.snapshot.json": shot_text,
        "/tuf/image/timestamp.json": envelope(stamp, timestamp),
    }
