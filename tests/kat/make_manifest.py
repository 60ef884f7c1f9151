#!/usr/bin/env python3
"""Makes the test vectors of manifests for microcontrollers, by other means than our own: cbor2 and openssl.

    tests/kat/make_manifest.py [FOLDER]      writes manifest.json and manifest-*.hex there (here by default)

and what tests/fuzz/manifest.c begins with to FOLDER/../fuzz/corpus/manifest.

Keys come from seeds and signatures are deterministic (FIPS 204, rnd of zeros), so each run makes the same
bytes. manifest.json has the cases; their bytes are in a .hex file (really signed), or in the case itself
(what only looks like it: "*" stands for a signature of 2420 zero bytes, and whoever runs the case lets
every signature count).
"""

import json
import pathlib
import sys
import tempfile

import cbor2

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import manifests  # noqa: E402
from manifests import ALGORITHM, SIG, encode, seal  # noqa: E402

KEYS = {"vendor-1": "11", "vendor-2": "12", "director-1": "21", "director-2": "22"}
NOW = 1795400000
IMAGE = [1, "gateway", "gateway-os", "2.4.1", 42, bytes(range(32)), 1835008, 40, 3]
TRUST = {"device": "gw-0001", "model": "gateway", "vendor": [1], "director": [1]}
STANDING = {"version": NOW - 86400, "sequence": 41, "counter": 3}
GIVES = {
    "version": NOW, "expires": NOW + 604800, "update": True, "name": "gateway-os", "release": "2.4.1",
    "sequence": 42, "upgrade_from": 40, "counter": 3, "size": 1835008, "sha256": bytes(range(32)).hex(),
}  # fmt: skip
NOTHING = {"version": NOW, "expires": NOW + 604800, "update": False}


class Vectors:
    def __init__(self, keys, folder):
        self.keys, self.folder, self.cases = keys, folder, []

    def write(self, name, data):
        text = data.hex()
        lines = [text[i : i + 100] for i in range(0, len(text), 100)]
        (self.folder / f"manifest-{name}.hex").write_text("\n".join(lines) + "\n")

    def entry(self, image=None, key="vendor-1", aad=b"pqota-vendor"):
        return manifests.entry(self.keys, image or IMAGE, key, aad)

    def manifest(self, entry, key="director-1", aad=b"pqota-director"):
        return manifests.manifest(self.keys, NOW, NOW + 604800, "gw-0001", entry, key, aad)

    def case(self, name, answer, *, trust=None, standing=None, now=NOW, gives=None, **source):
        case = {"name": name, **source, "trust": {**TRUST, **(trust or {})},
                "standing": {**STANDING, **(standing or {})}, "now": now, "answer": answer}  # fmt: skip
        if answer == "OK":
            case["gives"] = gives or GIVES
        self.cases.append(case)

    # --- really signed ------------------------------------------------------------------------------------

    def signed(self):
        entry = self.entry()
        made = {
            "good": self.manifest(entry),
            "nothing": self.manifest(None),
            "next-keys": self.manifest(self.entry(key="vendor-2"), key="director-2"),
            "server-invents": self.manifest(self.entry(key="director-1")),
            "server-as-vendor": self.manifest(self.entry(key="director-1", aad=b"pqota-director")),
            "vendor-as-director": self.manifest(entry, key="vendor-1"),
            "other-purpose": self.manifest(entry, aad=b"pqota-vendor"),
            "spliced": self.manifest(self.spliced(entry)),
            "unsigned": self.manifest(encode(IMAGE)),
            "entry-alone": entry,
        }
        for name, data in made.items():
            self.write(name, data)
        refused = {
            "server-invents": "VENDOR", "server-as-vendor": "VENDOR", "vendor-as-director": "DIRECTOR",
            "other-purpose": "DIRECTOR", "spliced": "VENDOR", "unsigned": "MALFORMED",
            "entry-alone": "DIRECTOR",
        }  # fmt: skip
        for name, answer in refused.items():
            self.case(name, answer, file=name)
        self.situations()

    def spliced(self, entry):
        """The vendor's signature of one image around another."""
        other = self.entry([*IMAGE[:5], bytes(32), *IMAGE[6:]])
        return other[:-SIG] + entry[-SIG:]

    def situations(self):
        """The same two manifests as devices in different situations see them."""
        both = {"vendor": [1, 2], "director": [1, 2]}
        end = NOW + 604800
        for name, answer, how in [
            ("good", "OK", {}),
            ("first start", "OK", {"standing": {"version": 0, "sequence": 0, "counter": 0}, "now": 0}),
            ("seen before", "OK", {"standing": {"version": NOW}}),
            ("one more key", "OK", {"trust": both}),
            ("last second", "OK", {"now": end - 1}),
            ("expired", "EXPIRED", {"now": end}),
            ("long expired", "EXPIRED", {"now": 4294967295}),
            ("expired, no clock", "OK", {"now": 0}),
            ("older than the last", "OLD", {"standing": {"version": NOW + 1}}),
            ("older, no clock", "OLD", {"standing": {"version": NOW + 1}, "now": 0}),
            ("another device", "DEVICE", {"trust": {"device": "gw-0002"}}),
            ("a device with a longer id", "DEVICE", {"trust": {"device": "gw-00011"}}),
            ("a device with a shorter id", "DEVICE", {"trust": {"device": "gw-000"}}),
            ("another model", "MODEL", {"trust": {"model": "gatewax"}}),
            ("below the counter", "COUNTER", {"standing": {"counter": 4}}),
            ("a step in between", "STEP", {"standing": {"sequence": 39}}),
            ("the lowest step", "OK", {"standing": {"sequence": 40}}),
            ("back to it", "OK", {"standing": {"sequence": 50}}),
            ("nothing was confirmed yet", "OK", {"standing": {"sequence": 0}}),
            ("vendor's key replaced", "VENDOR", {"trust": {"vendor": [2]}}),
            ("director's key replaced", "DIRECTOR", {"trust": {"director": [2]}}),
        ]:
            self.case(name, answer, file="good", **how)
        self.case("nothing to run", "OK", file="nothing", gives=NOTHING)
        self.case("nothing, another device", "DEVICE", file="nothing", trust={"device": "gw-0002"})
        self.case("nothing, expired", "EXPIRED", file="nothing", now=end)
        self.case("nothing, old", "OLD", file="nothing", standing={"version": NOW + 1})
        self.case("the next keys", "OK", file="next-keys", trust=both)
        self.case("the next keys, not known yet", "DIRECTOR", file="next-keys")
        self.case("the next of one", "VENDOR", file="next-keys", trust={"director": [1, 2]})

    # --- what only looks like it ---------------------------------------------------------------------------

    def malformed(self):
        entry = shape(encode(IMAGE))
        whole = order(entry)
        self.case("looks good", "OK", bytes=text(shape(whole)))
        self.case("looks good, nothing", "OK", bytes=text(shape(order(None))), gives=NOTHING)
        for name, data in envelopes(whole):
            self.case(f"envelope: {name}", "MALFORMED", bytes=text(data))
            inner = dict(envelopes(encode(IMAGE)))[name]
            self.case(f"inner envelope: {name}", "MALFORMED", bytes=text(shape(order(inner))))
        for name, data in orders(entry):
            self.case(f"order: {name}", "MALFORMED", bytes=text(shape(data)))
        for name, data in images():
            self.case(f"image: {name}", "MALFORMED", bytes=text(shape(order(shape(data)))))
        self.limits()

    def limits(self):
        """What is just within and just past the limits."""
        longest = ["m" * 10, "n" * 51, "v" * 50, 4294967295, bytes(32), 4294967295, 4294967295, 4294967295]
        device = "d" * 64
        data = shape(encode([1, 4294967295, 4294967295, device, shape(encode([1, *longest]))]))
        gives = {"version": 4294967295, "expires": 4294967295, "update": True, "name": "n" * 51,
                 "release": "v" * 50, "sequence": 4294967295, "upgrade_from": 4294967295,
                 "counter": 4294967295, "size": 4294967295, "sha256": "00" * 32}  # fmt: skip
        assert len(data) == 5120, len(data)
        trust = {"device": device, "model": "m" * 10}
        self.case("largest", "OK", bytes=text(data), trust=trust, standing={"sequence": 0}, gives=gives)
        more = [longest[0], longest[1] + "n", *longest[2:]]
        data = shape(encode([1, 4294967295, 4294967295, device, shape(encode([1, *more]))]))
        self.case("one byte larger", "MALFORMED", bytes=text(data), trust=trust, standing={"sequence": 0})
        for name, at, n in [("name", 2, 128), ("release", 3, 128)]:
            fits, past = [list(IMAGE), list(IMAGE)]
            fits[at], past[at] = "x" * n, "x" * (n + 1)
            self.case(f"longest {name}", "OK", bytes=text(shape(order(shape(encode(fits))))),
                      gives={**GIVES, name: "x" * n})  # fmt: skip
            self.case(f"{name} too long", "MALFORMED", bytes=text(shape(order(shape(encode(past))))))
        self.case("device too long", "MALFORMED", bytes=text(shape(order(None, device="d" * 65))),
                  trust={"device": "d" * 65})  # fmt: skip


def text(data):
    return data.hex().replace("00" * SIG, "*")


def order(entry, device="gw-0001"):
    return encode([1, NOW, NOW + 604800, device, entry])


def shape(payload):
    return seal(payload, bytes(SIG))


def envelopes(payload):
    good, protected = shape(payload), encode(ALGORITHM)
    head, length = good[:8], len(payload)
    # Each item's head, one byte longer than it need be.
    sig_long = b"\x5a\x00\x00" + SIG.to_bytes(2, "big") + bytes(SIG)
    payload_item, sig_item = encode(payload), encode(bytes(SIG))
    yield "empty", b""
    yield "a byte after it", good + b"\x00"
    yield "cut", good[:-1]
    yield "no tag", good[1:]
    yield "tag 98", b"\xd8\x62" + good[1:]
    yield "tag 18 in two bytes", b"\xd8\x12" + good[1:]
    yield "tagged twice", good[:1] + good
    yield "three items", good[:1] + b"\x83" + good[2 : -len(sig_item)]
    yield "five items", good[:1] + b"\x85" + good[2:] + b"\xf6"
    yield "indefinite array", good[:1] + b"\x9f" + good[2:] + b"\xff"
    yield "array's length in two bytes", good[:1] + b"\x98\x04" + good[2:]
    for name, header in [
        ("ML-DSA-65", {1: -49}),
        ("ES256", {1: -7}),
        ("none", {}),
        ("key id too", {1: -48, 4: b"x"}),
    ]:
        yield f"algorithm {name}", encode(cbor2.CBORTag(18, [encode(header), {}, payload, bytes(SIG)]))
    yield "algorithm in three bytes", good[:2] + b"\x45\xa1\x01\x39\x00\x2f" + good[7:]
    yield "algorithm unprotected", encode(cbor2.CBORTag(18, [b"", ALGORITHM, payload, bytes(SIG)]))
    yield "unprotected header", encode(cbor2.CBORTag(18, [protected, {4: b"x"}, payload, bytes(SIG)]))
    yield "payload elsewhere", head + b"\xf6" + sig_item
    yield "payload a text", head + bytes([payload_item[0] | 0x60]) + payload_item[1:] + sig_item
    yield "payload's length longer", head + b"\x5a" + length.to_bytes(4, "big") + payload + sig_item
    yield "payload's length in 64 bits", head + b"\x5b" + length.to_bytes(8, "big") + payload + sig_item
    yield "payload's length past the end", head + b"\x5a\xff\xff\xff\xff" + payload + sig_item
    yield "payload in pieces", head + b"\x5f" + payload_item + b"\xff" + sig_item
    yield "payload empty", head + b"\x40" + sig_item
    yield "signature's length longer", head + payload_item + sig_long
    yield "signature short", head + payload_item + encode(bytes(SIG - 1))
    yield "signature long", head + payload_item + encode(bytes(SIG + 1))
    yield "signature a text", head + payload_item + b"\x79" + sig_item[1:]


def orders(entry):
    end, device = NOW + 604800, "gw-0001"
    good = order(entry)
    yield "form 2", encode([2, NOW, end, device, entry])
    yield "form 0", encode([0, NOW, end, device, entry])
    yield "form a text", encode(["1", NOW, end, device, entry])
    yield "form in two bytes", good[:1] + b"\x18\x01" + good[2:]
    yield "four items", encode([1, NOW, end, device])
    yield "six items", encode([1, NOW, end, device, entry, 0])
    yield "a map", b"\xa5" + good[1:]
    yield "indefinite", b"\x9f" + good[1:] + b"\xff"
    yield "version 0", encode([1, 0, end, device, entry])
    yield "version negative", encode([1, -1, end, device, entry])
    yield "version past 32 bits", encode([1, 1 << 32, end, device, entry])
    yield "version in eight bytes", b"\x85\x01\x1b" + NOW.to_bytes(8, "big") + good[7:]
    yield "version 5 in two bytes", b"\x85\x01\x18\x05" + good[7:]
    yield "version 5 in three bytes", b"\x85\x01\x19\x00\x05" + good[7:]
    yield "version 255 in five bytes", b"\x85\x01\x1a\x00\x00\x00\xff" + good[7:]
    yield "version reserved", b"\x85\x01\x1c" + good[7:]
    yield "expires 0", encode([1, NOW, 0, device, entry])
    yield "expires a float", encode([1, NOW, 1.5, device, entry])
    yield "expires tagged", encode([1, NOW, cbor2.CBORTag(1, end), device, entry])
    yield "device bytes", encode([1, NOW, end, device.encode(), entry])
    yield "device empty", encode([1, NOW, end, "", entry])
    yield "device begins with a dot", encode([1, NOW, end, ".gw", entry])
    yield "device with a NUL", encode([1, NOW, end, "gw-0001\0", entry])
    yield "device with a slash", encode([1, NOW, end, "gw/0001", entry])
    yield "device not ASCII", encode([1, NOW, end, "gw\u00e4", entry])
    yield "device in pieces", good[:12] + b"\x7f\x67gw-0001\xff" + good[20:]
    yield "entry false", encode([1, NOW, end, device, False])
    yield "entry undefined", encode([1, NOW, end, device, cbor2.undefined])
    yield "entry empty", encode([1, NOW, end, device, b""])
    yield "entry not in bytes", good[: -len(encode(entry))] + entry
    yield "a byte after it", good + b"\x00"
    yield "null twice", encode([1, NOW, end, device, None]) + b"\xf6"


def images():
    rows = {
        "form 2": (0, 2), "model empty": (1, ""), "model bytes": (1, b"gateway"), "model null": (1, None),
        "name begins with a dash": (2, "-os"), "name with a colon": (2, "a:b"), "name with a NUL": (2, "a\0"),
        "name with a slash": (2, "../x"), "name with a space": (2, "a b"), "release DEL": (3, "1\x7f"),
        "sequence 0": (4, 0), "sequence past 32 bits": (4, 1 << 32), "hash short": (5, bytes(31)),
        "hash long": (5, bytes(33)), "hash a text": (5, "00" * 16), "size 0": (6, 0),
        "size negative": (6, -2), "size past 32 bits": (6, 1 << 32),
        "upgrade_from null": (7, None), "counter true": (8, True),
        "counter past 32 bits": (8, 1 << 40),
    }  # fmt: skip
    for name, (at, value) in rows.items():
        image = list(IMAGE)
        image[at] = value
        yield name, encode(image)
    good = encode(IMAGE)
    yield "eight items", encode(IMAGE[:8])
    yield "ten items", encode([*IMAGE, 0])
    yield "a byte after it", good + b"\x00"
    yield "counter in two bytes", good[:-1] + b"\x18\x03"
    yield "size in pieces", good[:-8] + b"\x5f" + good[-7:]


def corpus():
    """The first byte says what the rest is: a manifest, an order, or an image."""
    whole = order(shape(encode(IMAGE)))
    large = [*IMAGE[:2], "n" * 128, "v" * 128, 1 << 31, bytes(32), 70000, 300, 24]
    return {
        "whole": b"\x00" + shape(whole), "whole-nothing": b"\x00" + shape(order(None)),
        "order": b"\x01" + whole, "order-nothing": b"\x01" + order(None),
        "image": b"\x02" + encode(IMAGE), "image-large": b"\x02" + encode(large),
    }  # fmt: skip


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as secret:
        keys = manifests.Keys(secret)
        vectors = Vectors(keys, folder)
        for name, byte in KEYS.items():
            keys.make(name, byte * 32)
            vectors.write(name, keys.public(name))
        vectors.signed()
        vectors.malformed()
    fuzz = folder.parent / "fuzz" / "corpus" / "manifest"
    fuzz.mkdir(parents=True, exist_ok=True)
    for name, data in corpus().items():
        (fuzz / name).write_bytes(data)
    rows = ",\n".join(json.dumps(case) for case in vectors.cases)
    (folder / "manifest.json").write_text(f'{{"cases": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
