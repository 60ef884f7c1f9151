"""A TUF repository in memory, for tests: made of plain dicts, signed by tests/lib/tufkeys, served by
tests/lib/tufserver.

    repo = tufrepo.Repository()               root, targets, snapshot, timestamp, version 1, one key each
    repo.body("targets")["custom"] = 1        what is signed next; change it as you like
    repo.publish("targets", "snapshot", "timestamp")     +1, signed, and named by what names it
    repo.files["2.targets.json"]              what a client can fetch; bytes, change them as you like
    repo.requests                             what clients asked for, in order

With pqota="image" or "director" every role has a pair of keys (ML-DSA and Ed25519) and the counts of pqota's
own rules, and the root says which repository it is. ML-DSA keys are then in the members "pqota", where other
clients do not look; with tap21=True they are where TAP 21 has them, among the specification's.
"""

import datetime
import hashlib
import json
import time
from urllib.parse import quote

import tufkeys

TOP = ("root", "timestamp", "snapshot", "targets")
SPEC = "1.0.34"
LEVELS = {"root": 87, "targets": 87}  # of pqota's ML-DSA keys; the online ones have 65


def when(days=0, seconds=0):
    """The time that far from now, as metadata have it."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days, seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def envelope(body, keys):
    """The signed file, bytes."""
    signatures = [key.sign_metadata(body) for key in keys]
    return json.dumps({"signatures": signatures, "signed": body}, indent=1).encode()


def role_object(keys, threshold=1, counts=None, tap21=False):
    """Who may sign, as a root or a delegation has it. counts: pqota's (ml-dsa, classical)."""
    it = {"keyids": [key.keyid for key in keys], "threshold": threshold}
    if counts is not None:
        it["pqota"] = {"ml-dsa": counts[0], "classical": counts[1]}
    if counts is not None and not tap21:
        it["keyids"] = [key.keyid for key in keys if not key.post_quantum]
        it["pqota"]["keyids"] = [key.keyid for key in keys if key.post_quantum]
    return it


def keyids_of(role):
    """All that a role names: the specification's, then pqota's own."""
    return role["keyids"] + role.get("pqota", {}).get("keyids", [])


def keys_of(body):
    """All keys of a root, or of a targets body's delegations, by id."""
    standard = body["keys"] if body["_type"] == "root" else body.get("delegations", {}).get("keys", {})
    return {**standard, **body.get("pqota", {}).get("keys", {})}


def put_keys(body, objects, tap21=False):
    """Gives a body keys (objects by id), each in its place."""
    standard = (
        body if body["_type"] == "root" else body.setdefault("delegations", {"keys": {}, "roles": []})
    )
    for keyid, key in objects.items():
        own = key["keytype"] == "ml-dsa" and not tap21
        place = body.setdefault("pqota", {}).setdefault("keys", {}) if own else standard["keys"]
        place[keyid] = key


def target_entry(data, hashes=("sha256",), custom=None):
    """What a targets role says of a file."""
    it = {"length": len(data), "hashes": {name: hashlib.new(name, data).hexdigest() for name in hashes}}
    return it if custom is None else {**it, "custom": custom}


def file_name(role, version=None):
    """The metadata file's name in the repository (and its URL: the role is percent-encoded)."""
    name = quote(role, safe="") + ".json"
    return name if version is None else f"{version}.{name}"


class Repository:
    def __init__(self, pqota=None, scheme="ed25519", consistent=True, roles=TOP, days=30, tap21=False):
        """pqota: None for a plain TUF repository whose keys are of `scheme`; "image"; "director"."""
        self.pqota, self.scheme, self.consistent = pqota, scheme, consistent
        self.tap21 = tap21 or not pqota
        self.with_hashes = False  # whether snapshot and timestamp say lengths and hashes
        self.bodies, self.signers = {}, {}
        self.files = {}  # metadata: name -> bytes
        self.blobs = {}  # targets: URL path below the targets' base -> bytes
        self.requests = []  # paths as asked: "2.root.json", "targets/..."
        self.tricks = {}  # path -> function(handler, bytes or None) that answers in the server's place
        self.days = days
        for role in ("targets", "snapshot", "timestamp", "root"):
            self._new_body(role)
        for role in TOP:
            self.set_role(role, self.new_keys(role))
        for role in ("targets", "snapshot", "timestamp", "root"):
            if role in roles:
                self.publish(role, bump=False)

    # --- bodies -------------------------------------------------------------------------------------

    def body(self, role):
        """What the role's next file will say; a dict to be changed."""
        return self.bodies[role]

    def _new_body(self, role):
        kind = role if role in TOP else "targets"
        body = {"_type": kind, "spec_version": SPEC, "version": 1, "expires": when(days=self.days)}
        if kind == "root":
            body.update(keys={}, roles={}, consistent_snapshot=self.consistent)
            if self.pqota:
                body["pqota"] = {"repository": self.pqota}
        elif kind == "targets":
            body["targets"] = {}
        else:
            named = "snapshot.json" if kind == "timestamp" else "targets.json"
            body["meta"] = {named: {"version": 1}}
        self.bodies[role] = body

    # --- keys ---------------------------------------------------------------------------------------

    def new_keys(self, role, holders=1):
        """Keys for that many holders: one of the repository's scheme each, or a pair."""
        if not self.pqota:
            return [tufkeys.key(self.scheme) for _ in range(holders)]
        level = LEVELS.get(role, 87 if role not in TOP else 65)
        return [key for _ in range(holders) for key in tufkeys.pair(level)]

    def set_role(self, role, keys, threshold=1, counts=None, signers=None):
        """The root's next version has these keys (and no others) for the role; they sign what comes, or
        `signers` do. counts: pqota's, (threshold, threshold) where pqota's rules hold."""
        if counts is None and self.pqota:
            counts = (threshold, threshold)
        self.body("root")["roles"][role] = role_object(keys, threshold, counts, self.tap21)
        self.signers[role] = list(keys if signers is None else signers)
        self._put_keys("root", keys)
        self._forget_unused()

    def add_key(self, role, key=None, signs=True):
        """One more key for a top-level role. Answers the key."""
        key = key or self.new_keys(role)[0]
        self._put_keys("root", [key])
        named = self.body("root")["roles"][role]
        if key.post_quantum and not self.tap21:
            named = named["pqota"]
        named["keyids"].append(key.keyid)
        if signs:
            self.signers[role].append(key)
        return key

    def rotate(self, role):
        """As many new keys as it had; the old ones are gone from the root. For "root" the old ones still
        sign the next version: publish_root_rotation."""
        of_role = self.body("root")["roles"][role]
        holders = len(keyids_of(of_role)) // (2 if self.pqota else 1)
        keys = self.new_keys(role, holders)
        self.set_role(role, keys, of_role["threshold"])
        return keys

    def publish_root_rotation(self, keys, threshold=1):
        """A next root whose root role has these keys, signed by the old and the new ones."""
        old = self.signers["root"]
        self.set_role("root", keys, threshold, signers=[*old, *keys])
        self.publish("root")
        self.signers["root"] = list(keys)

    def _put_keys(self, role, keys):
        put_keys(self.body(role), {key.keyid: key.object for key in keys}, self.tap21)

    def _forget_unused(self):
        root = self.body("root")
        used = {keyid for role in root["roles"].values() for keyid in keyids_of(role)}
        for keys in (root["keys"], root.get("pqota", {}).get("keys", {})):
            for keyid in [k for k in keys if k not in used]:
                del keys[keyid]

    # --- targets ------------------------------------------------------------------------------------

    def delegate(self, name, delegator="targets", paths=("*",), keys=None, signs=True, **more):
        """The delegator names the role, last of all. more: threshold, terminating, prefixes. Answers keys."""
        threshold = more.get("threshold", 1)
        keys = self.new_keys(name, threshold) if keys is None else keys
        counts = (threshold, threshold) if self.pqota else None
        role = {"name": name, **role_object(keys, threshold, more.get("counts", counts), self.tap21)}
        role["terminating"] = more.get("terminating", False)
        if "prefixes" in more:
            role["path_hash_prefixes"] = list(more["prefixes"])
        else:
            role["paths"] = list(paths)
        delegations = self.body(delegator).setdefault("delegations", {"keys": {}, "roles": []})
        self._put_keys(delegator, keys)
        delegations["roles"] = [r for r in delegations["roles"] if r["name"] != name] + [role]
        if name not in self.bodies:
            self._new_body(name)
        signers = self.signers.setdefault(name, [])
        if signs:
            signers.extend(key for key in keys if key not in signers)
        return keys

    def add_target(self, path, data, role="targets", hashes=("sha256",), custom=None):
        """The file can be fetched, and the role's next version names it. Answers the entry."""
        entry = target_entry(data, hashes, custom)
        self.body(role)["targets"][path] = entry
        self.serve_target(path, data, entry["hashes"])
        return entry

    def serve_target(self, path, data, hashes):
        """Under what consistent snapshots call it, once for each hash, or by its path."""
        folder, slash, name = path.rpartition("/")
        names = [f"{value}.{name}" for value in hashes.values()] if self.consistent else [name]
        for one in names:
            self.blobs[quote(folder + slash + one, safe="/")] = data

    # --- publishing ---------------------------------------------------------------------------------

    def sign(self, role):
        """The role's file as its body and signers are now; bytes."""
        return envelope(self.bodies[role], self.signers[role])

    def publish(self, *roles, bump=True):
        """Signs them in this order, a version higher unless they are new, and serves them; a targets role's
        version goes into the snapshot's body, a snapshot's into the timestamp's."""
        for role in roles:
            body = self.bodies[role]
            if bump and self.is_published(role):
                body["version"] += 1
            self.serve(role, body["version"], self.sign(role))

    def publish_all(self):
        """All targets roles, then snapshot and timestamp."""
        self.publish(*[role for role in self.bodies if role not in TOP], "targets", "snapshot", "timestamp")

    def is_published(self, role):
        return any(
            name.split(".", 1)[-1] == file_name(role) or name == file_name(role) for name in self.files
        )

    def serve(self, role, version, text):
        """Serves a file as that version of the role, and has it named."""
        versioned = role == "root" or (self.consistent and role != "timestamp")
        self.files[file_name(role, version if versioned else None)] = text
        if role in ("root", "timestamp"):
            return
        meta = {"version": version}
        if self.with_hashes:
            meta.update(length=len(text), hashes={"sha256": hashlib.sha256(text).hexdigest()})
        namer = "timestamp" if role == "snapshot" else "snapshot"
        self.bodies[namer]["meta"][f"{role}.json"] = meta

    def withdraw(self, role):
        """No version of it is served any more; the next publish is version 1 again."""
        for name in [
            n for n in self.files if n == file_name(role) or n.split(".", 1)[-1] == file_name(role)
        ]:
            del self.files[name]
        self.bodies[role]["version"] = 1

    def file(self, role, version=None):
        """What is served for the role now, or as that version."""
        versioned = role == "root" or (self.consistent and role != "timestamp")
        version = self.bodies[role]["version"] if version is None else version
        return self.files[file_name(role, version if versioned else None)]

    def edit(self, name, change):
        """Changes a served file (by its name) without signing it anew: change(dict)."""
        document = json.loads(self.files[name])
        change(document)
        self.files[name] = json.dumps(document).encode()

    def asked(self):
        """What was asked for since the last call."""
        requests, self.requests[:] = list(self.requests), []
        return requests

    # --- pqota's director ---------------------------------------------------------------------------

    def direct(self, device, targets=None, version=None, days=7, signers=None):
        """The director's file for one device: what it should run, {path: entry} or nothing. Answers bytes."""
        name = f"{device}/targets.json"
        last = json.loads(self.files[name])["signed"]["version"] if name in self.files else 0
        body = {
            "_type": "targets",
            "spec_version": SPEC,
            "version": max(last + 1, int(time.time())) if version is None else version,
            "expires": when(days=days),
            "targets": targets or {},
            "pqota": {"device": device},
        }
        self.files[name] = envelope(body, self.signers["targets"] if signers is None else signers)
        return self.files[name]


def image_repository(models=("gw",), tap21=False):
    """As pqota's vendor has it: a terminating role for each model, signed by the targets holders."""
    repo = Repository(pqota="image", tap21=tap21)
    for model in models:
        repo.delegate(
            f"model-{model}",
            paths=[f"{model}/*/*/*"],
            keys=repo.signers["targets"],
            terminating=True,
        )
    repo.publish_all()
    return repo


def director_repository(tap21=False):
    """Its root alone; the files for devices come by direct()."""
    return Repository(pqota="director", roles=("root",), tap21=tap21)
