#!/usr/bin/env python3
"""Makes known answers for src/trust, by other means than our own: securesystemslib and python-tuf.

    tests/kat/make_tuf.py [FOLDER]      writes tuf-canon.json and tuf-signed.json there (here by default)

tuf-canon.json: JSON texts and their canonical form (in hexadecimal; null: there is none). The same each time.
tuf-signed.json: files of each kind that python-tuf signed with Ed25519, ECDSA P-256 and RSA-PSS (PKCS #1 1.5
in one), under keys that it made; new ones each time.
"""

import datetime
import json
import pathlib
import random
import sys

from securesystemslib.exceptions import FormatError
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

FIXED = [
    "{}",
    "[]",
    ' [ 1 , "a" ,true,\tfalse , null ]\n',
    '{"b":1,"a":2}',
    '{"a":{"z":[],"y":{}},"A":0}',
    '{"10":1,"9":2,"1":3,"":4," ":5}',
    '"quote \\" and backslash \\\\ and slash \\/"',
    '"\\u0041\\u00e4\\u20ac\\ud83d\\ude00 \\u0000 \\u007f \\n\\t\\b"',
    '{"\\u00e4":1,"z":2,"\\ud83d\\ude00":3,"\\uffee":4,"\\u0061":5}',
    '{"a":1,"aa":2,"a\\u0000":3}',
    '{"\\"":1,"!":2,"#":3}',
    "[0,-1,-0,10,9223372036854775807,-9223372036854775808,18446744073709551615]",
    "[1.5]",
    "[1.0]",
    "[1e2]",
    '{"a":[{"b":[{"c":[{"d":[1,2,[3,[4]]]}]}]}]}',
]


def some_value(rng, depth):
    kind = rng.choice("onlsibz" if depth < 6 else "sibz")
    if kind == "o":
        return {some_text(rng): some_value(rng, depth + 1) for _ in range(rng.randrange(8))}
    if kind in "nl":
        return [some_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    if kind == "s":
        return some_text(rng)
    if kind == "i":
        return rng.choice([rng.randrange(-(1 << 63), 1 << 64), rng.randrange(-20, 20)])
    return rng.choice([True, False]) if kind == "b" else None


def some_text(rng):
    letters = 'abzAZ09 ~"\\/\n\u00e4\u20ac\ufb01\ue000\uffff\U00010000\U0001f600'
    return "".join(rng.choice(letters) for _ in range(rng.randrange(7)))


def canonical(text):
    try:
        return encode_canonical(json.loads(text)).encode().hex()
    except FormatError:
        return None


def canon_cases():
    rng = random.Random(1)
    made = [json.dumps(some_value(rng, 0), ensure_ascii=rng.random() < 0.5) for _ in range(200)]
    return [{"json": text, "canonical": canonical(text)} for text in FIXED + made]


def signed_cases():
    expires = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
    signers = [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa(), CryptoSigner.generate_rsa()]
    signers.append(CryptoSigner.generate_rsa(scheme="rsa-pkcs1v15-sha256"))
    root = Root(expires=expires)
    for role in ("root", "timestamp", "snapshot", "targets"):
        for signer in signers:
            root.add_key(signer.public_key, role)
        root.roles[role].threshold = len(signers)
    targets = Targets(expires=expires)
    targets.targets["a/b.bin"] = TargetFile.from_data("a/b.bin", b"content", ["sha256", "sha512"])
    cases = []
    for signed in (root, Timestamp(expires=expires), Snapshot(expires=expires), targets):
        document = Metadata(signed)
        for signer in signers:
            document.sign(signer, append=True)
        cases.append({"type": signed.type, "text": document.to_bytes().decode()})
    return cases


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, cases in (("tuf-canon.json", canon_cases()), ("tuf-signed.json", signed_cases())):
        (folder / name).write_text(json.dumps(cases, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
