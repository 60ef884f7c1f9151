"""A vendor: the offline keys of `pqota trust init`, and requests prepared by hand and signed by `pqota trust
sign`. What a request says is up to the test, so that it may also say what it must not."""

import copy
import functools
import json
import pathlib
import re
import shutil
import socket
import tempfile

import tufrepo
from harness import environment, program, run, wait_for

PASSPHRASE = "correct horse\n"
UPLOADS = 5  # of one file, when the server's own signing came between


def weaken(file, passphrase):
    """The keys in it encrypted again by the least scrypt there is: reading one takes a millisecond then, not
    a fifth of a second, and tests read hundreds."""
    blocks = re.findall(r"-----BEGIN .*?-----END [^\n]*\n", file.read_text(), re.S)
    how = "pkcs8 -topk8 -v2 aes-256-cbc -scrypt -scrypt_N 2 -scrypt_r 1 -scrypt_p 1"
    argv = ["openssl", *how.split(), "-passin", "env:PASS", "-passout", "env:PASS"]
    env = environment(PASS=passphrase.strip())
    file.write_text("".join(run(argv, check=0, env=env, input=block).out for block in blocks))


@functools.cache
def made_once(build, *args):
    """A server's folder that `pqota trust init` filled, for every vendor with the same arguments."""
    folder = tempfile.TemporaryDirectory(prefix="vendor")
    home = pathlib.Path(folder.name)
    (home / "passphrase").write_text(PASSPHRASE)
    how = ("--passphrase-file", home / "passphrase", *args)
    run([program("pqota", build), "init", home / "server"], check=0)
    run([program("pqota", build), "trust", "init", home / "server", *how], check=0)
    shutil.copytree(home / "server" / "trust" / "offline", home / "as-made")
    for file in (home / "server" / "trust" / "offline").iterdir():
        weaken(file, PASSPHRASE)
    return folder


class Vendor:
    """Of a server that was set up and not started yet; with other=True one whose keys nobody else has."""

    def __init__(self, server, *args, other=False):
        self.server = server
        self.dir = server.dir / "trust"
        self.passphrase = server.folder / "passphrase"
        self.passphrase.write_text(PASSPHRASE)
        self.count = 0
        self.roots = {"image": 1, "director": 1}  # their versions, as far as upload brought them
        made = (made_once.__wrapped__ if other else made_once)(server.build, *args)
        for part in ("trust", "operator/trust"):
            shutil.copytree(pathlib.Path(made.name) / "server" / part, server.dir / part)

    def key(self, name):
        return self.dir / "offline" / f"{name}.key"

    def start(self):
        """The server, which has signed."""
        self.server.start()
        self.signs()
        return self

    def signs(self):
        wait_for(lambda: self.ask("timestamp.json")[0] == 200, what="the server has signed")

    # --- what is in force ---

    def ask(self, name, repository="image"):
        """(status, body), over the Unix socket: anybody may have them, and tests ask for many."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.server.unix))
            s.sendall(f"GET /tuf/{repository}/{name} HTTP/1.0\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: s.recv(1 << 16), b"")).partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def fetch(self, name, repository="image"):
        status, body = self.ask(name, repository)
        assert status == 200, (name, status, body)
        return json.loads(body)

    def versions(self):
        """Of the image repository's roles, as its snapshot says."""
        at = self.fetch("timestamp.json")["signed"]["meta"]["snapshot.json"]["version"]
        meta = self.fetch(f"{at}.snapshot.json")["signed"]["meta"]
        return {name.removesuffix(".json"): m["version"] for name, m in meta.items()}

    def current(self, role, repository="image"):
        """The body in force; None when there is none."""
        if role != "root" and repository != "image":
            return None
        if role == "root":
            version = self.roots[repository]
        else:
            version = self.versions().get(role)
        return self.fetch(f"{version}.{role}.json", repository)["signed"] if version else None

    def next(self, role, repository="image", days=90):
        """A body that follows on it."""
        body = copy.deepcopy(self.current(role, repository))
        if body is None:
            body = {"_type": "targets", "spec_version": "1.0.34", "version": 0, "targets": {}}
        body["version"] += 1
        body["expires"] = tufrepo.when(days)
        return body

    # --- what is to be signed ---

    def delegate(self, targets, model):
        """Adds the model's role to a targets body, with the keys of targets itself."""
        root = self.current("root")
        role = root["roles"]["targets"]
        keys = tufrepo.keys_of(root)
        tufrepo.put_keys(targets, {k: keys[k] for k in tufrepo.keyids_of(role)})
        targets["delegations"]["roles"].append(
            {
                "name": f"model-{model}",
                "keyids": role["keyids"],
                "threshold": role["threshold"],
                "pqota": role["pqota"],
                "terminating": True,
                "paths": [f"{model}/*/*/*"],
            }
        )

    def request(self, documents, entries=()):
        """documents: (repository, role, body)."""
        request = {
            "pqota-trust": 1,
            "documents": [
                {"repository": repository, "role": role, "document": {"signatures": [], "signed": body}}
                for repository, role, body in documents
            ],
            "entries": list(entries),
            "context": {
                "image": self.root("image"),
                "director": self.root("director"),
                "base": self.base({("image", "targets"), *((r, role) for r, role, _ in documents)}),
            },
        }
        self.count += 1
        path = self.server.folder / f"request-{self.count}.json"
        path.write_text(json.dumps(request))
        return path

    def base(self, roles):
        """What the documents follow on, and who signs for models."""
        order = ["root", "targets"]
        made = []
        for repository, role in sorted(
            roles, key=lambda r: (order.index(r[1]) if r[1] in order else 2, r[1], r[0])
        ):
            now = self.current(role, repository)
            if now:
                document = self.fetch(f"{now['version']}.{role}.json", repository)
                made.append({"repository": repository, "role": role, "document": document})
        return made

    def root(self, repository):
        version = self.current("root", repository)["version"]
        return self.fetch(f"{version}.root.json", repository)

    def sign(self, request, *keys):
        keys = keys or (self.key("targets"),)
        args = [a for key in keys for a in ("--key", key)]
        return run(
            [
                program("pqota", self.server.build),
                "trust",
                "sign",
                request,
                *args,
                "--passphrase-file",
                self.passphrase,
                "--yes",
            ],
            check=0,
        )

    def upload(self, request, expect=200, who=None):
        """What `pqota trust sign` left in the file. When the server signed something itself meanwhile, it is
        sent again, as `pqota trust upload` does."""
        argv = ["/api/trust", "-H", "Content-Type: application/json", "--data-binary", f"@{request}"]
        for _ in range(UPLOADS):
            reply = self.server.curl(*argv, who=who)
            if b"changed meanwhile: try again" not in reply.body:
                break
        assert reply.status == expect, repr(reply)
        answer = reply.json()
        for document in answer.get("documents", []):
            if document["role"] == "root":
                self.roots[document["repository"]] = document["version"]
        return answer

    # --- the usual ---

    def target(self, release, model, sequence, **custom):
        """A release that was uploaded, as (path, entry)."""
        path = f"{model}/{release['name']}/{release['version']}/{release['filename']}"
        return path, {
            "length": release["size"],
            "hashes": {"sha256": release["sha256"]},
            "custom": {
                "name": release["name"],
                "version": release["version"],
                "model": model,
                "type": "os",
                "sequence": sequence,
                **custom,
            },
        }

    def prepare(self, release, sequence, models=None, **custom):
        """A request that vouches for it; the models' roles are made when there are none yet."""
        documents, targets = [], None
        delegated = {r["name"] for r in self.current("targets").get("delegations", {"roles": []})["roles"]}
        for model in models or release["models"]:
            if f"model-{model}" not in delegated:
                targets = targets or self.next("targets")
                self.delegate(targets, model)
            body = self.next(f"model-{model}")
            path, entry = self.target(release, model, sequence, **custom)
            body["targets"][path] = entry
            documents.append(("image", f"model-{model}", body))
        if targets:
            documents.insert(0, ("image", "targets", targets))
        return self.request(documents)

    def publish(self, release, sequence, models=None, **custom):
        request = self.prepare(release, sequence, models, **custom)
        self.sign(request)
        return self.upload(request)
