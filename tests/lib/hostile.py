"""A server in the wrong hands in front of a real agent: what each key is good for, and what it is not.

    stage      made once for a module: the real server, a device that runs 1.0 and confirmed it, the vendor's
               and the director's repositories with all of their keys (tests/lib/tufrepo)
    scene      for one test: the device and the repositories as they were, and whatever the thief does

The thief has the server's machine: its TLS key and all that it answers. Which of the signing keys he has
beside it each test says. The device trusts the root that it began with: three holders, two of whom must sign,
the same for both repositories, as `pqota trust init` makes it. The vendor signed 0.9 (counter 0), 1.0 and 2.0
(counter 1), and pump's 2.0.
"""

import copy
import http.client
import json
import shutil
import time

import tufrepo
from harness import Agent, Server, program, run
from tuffront import Front, trusting

DEVICE, MODEL = "gw-1", "gw"
DATA = {v: f"firmware {v} ".encode() * 700 for v in ("0.9", "1.0", "2.0")}
EVIL = b"firmware that nobody signed " * 400
HOLDERS, THRESHOLD = 3, 2  # of the root
ONLINE = ("timestamp", "snapshot")
TRIES = 4  # what may be better next time is asked for this often
UNPACK = """#!/bin/sh
echo "$PQOTA_VERSION" >>{trace}
/bin/cat "$PQOTA_FILE" >"$PQOTA_SLOT/firmware.bin"
"""


def path_of(version, model=MODEL):
    return f"{model}/fw/{version}/firmware.bin"


def family(keys, post_quantum):
    """Those of the keys that are ML-DSA, or those that are not."""
    return [key for key in keys if key.post_quantum == post_quantum]


def holders(keys, count):
    """The pairs of the first so many holders."""
    return keys[: 2 * count]


def copied(repo):
    """The same repository with the same keys, for somebody to change."""
    new = copy.copy(repo)
    for name, value in vars(repo).items():
        if name == "signers":
            value = {role: list(keys) for role, keys in value.items()}
        elif name in ("files", "blobs"):
            value = dict(value)
        else:
            value = copy.deepcopy(value)
        setattr(new, name, value)
    return new


class Thief(Front):
    """Stands between device and server. Besides the repositories' tricks:

    offer      a dict: polls are answered with it, in the API's words
    artifact   bytes, or a trick (tests/lib/tufserver): what comes instead of each file
    mute       the device's reports stay here
    reports    what it reported, dicts; files: what it began to download
    """

    def __init__(self, server):
        super().__init__(server)
        self.ask = self._note
        self.clean()

    def clean(self):
        self.offer = self.artifact = self.answer = None
        self.mute, self.reports, self.files = False, [], []

    def _note(self, method, path, body):
        if method == "POST" and path.startswith("/api/update/"):
            self.reports.append(json.loads(body))
        return path, body

    def _handle(self, handler):
        path = handler.path
        self._lend(handler)
        if path.startswith("/api/firmware/"):
            self.files.append(path)
            if self.artifact is not None:
                trick = self.artifact
                return handler.reply(200, trick) if isinstance(trick, bytes) else trick(handler, EVIL)
        if path.startswith("/api/update/") and self.mute:
            body = handler.rfile.read(int(handler.headers["Content-Length"]))
            self._note("POST", path, body)
            handler.send_response(204)
            return handler.end_headers()
        if path.startswith("/api/update?") and self.offer is not None:
            return handler.reply(
                200, json.dumps(self.offer).encode(), **{"Content-Type": "application/json"}
            )
        return super()._handle(handler)


class Stage:
    def __init__(self, folder):
        self.folder = folder
        self.server = Server(folder).start()
        self.front = Thief(self.server)
        self.releases = {v: self.server.publish("fw", v, data, model=MODEL) for v, data in DATA.items()}
        self.image, self.director = self._repositories()
        self.front.image, self.front.director = self.image, self.director
        self.trace, unpack = folder / "trace", folder / "unpack"
        unpack.write_text(UNPACK.format(trace=self.trace))
        unpack.chmod(0o755)
        settings = {"installer.unpack_command": unpack}
        self.agent = trusting(self._agent, self.server, self.front, settings)
        self.conf = self.agent.conf.read_text()
        self._run_1_0()
        self.kept = [self._keep(self.agent.state), self._keep(self.agent.slots)]

    def _agent(self, server, device, model, **kw):
        return Agent(server, self.folder, device, model, **kw)

    def _repositories(self):
        """As the vendor made them, in two steps, so that there is something to go back to; nothing of 2.0."""
        image = tufrepo.Repository(pqota="image", roles=())
        director = tufrepo.Repository(pqota="director", roles=())
        image.with_hashes = True
        root = image.new_keys("root", HOLDERS)
        for repo in (image, director):
            repo.set_role("root", root, THRESHOLD)
        for model in (MODEL, "pump"):
            keys = image.signers["targets"]
            image.delegate(f"model-{model}", paths=[f"{model}/*/*/*"], keys=keys, terminating=True)
        image.publish("root")
        director.publish("root")
        self.add(image, "0.9")
        self.add(image, "2.0", "pump")
        image.publish_all()
        self.old = {"timestamp": image.file("timestamp")}  # what has no versions in its name
        self.add(image, "1.0")
        image.publish_all()
        return image, director

    def add(self, image, version, model=MODEL, data=None, **custom):
        """What the vendor's next file of the model says."""
        usual = {"sequence": list(DATA).index(version) + 1, "counter": 0 if version == "0.9" else 1}
        said = {"name": "fw", "version": version, "model": model, **usual, **custom}
        image.add_target(path_of(version, model), data or DATA[version], f"model-{model}", custom=said)

    def _run_1_0(self):
        self.deploy("1.0")
        now = int(time.time())
        self.old["director"] = self.front.direct(path_of("0.9"), version=now - 2000)
        self.front.direct(path_of("1.0"), version=now - 1000)
        done = self.agent.once()
        assert done.code == 0, done
        assert (self.agent.slots / "current" / "firmware.bin").read_bytes() == DATA["1.0"]

    def _keep(self, path):
        kept = self.folder / f"{path.name}.kept"
        shutil.copytree(path, kept, symlinks=True)
        return path, kept

    def call(self, method, path, body=None):
        """The operator's, without a process."""
        connection = http.client.HTTPSConnection(
            "localhost", self.server.port, context=self.server.tls_context(), timeout=30
        )
        text = json.dumps(body) if body is not None else None
        connection.request(method, path, text, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        assert reply.status in (200, 201), (method, path, reply.status, data)
        return json.loads(data)

    def deploy(self, version):
        target = {"kind": "device", "value": DEVICE}
        body = {"release": self.releases[version]["id"], "target": target, "allow_downgrade": True}
        return self.call("POST", "/api/deployments", body)["id"]

    def again(self):
        """Device as after 1.0; a scene on copies of the repositories."""
        for path, kept in self.kept:
            shutil.rmtree(path)
            shutil.copytree(kept, path, symlinks=True)
        self.trace.unlink(missing_ok=True)
        self.agent.conf.write_text(self.conf)
        self.front.clean()
        self.front.image, self.front.director = copied(self.image), copied(self.director)
        self.front.image.asked()
        return Scene(self)

    def close(self):
        self.front.close()
        self.server.close()


class Scene:
    """2.0 is offered to the device, signed by the vendor and named by the director."""

    def __init__(self, stage):
        self.stage, self.front, self.agent = stage, stage.front, stage.agent
        self.image, self.director = self.front.image, self.front.director
        self.before = self.look()
        self.deployment = None

    # --- what the honest ones do ---

    def publish(self, version="2.0", **custom):
        """The vendor signs it, the server what must be fresh."""
        self.stage.add(self.image, version, **custom)
        self.refresh("model-gw")

    def refresh(self, *roles):
        self.image.publish(*roles, "snapshot", "timestamp")

    def direct(self, release="2.0", **how):
        """The director names it. how: days, version, signers (tufrepo)."""
        return self.front.direct(path_of(release), **how)

    def deploy(self, version="2.0"):
        self.deployment = self.stage.deploy(version)

    def offer(self, version="2.0", **custom):
        """All of it."""
        self.publish(version, **custom)
        self.direct(version)
        self.deploy(version)

    # --- what came of it ---

    def look(self):
        """All of the device's slots, byte for byte."""
        slots = self.agent.slots
        found = {p.relative_to(slots): p.read_bytes() for p in slots.rglob("*") if p.is_file()}
        return (slots / "current").readlink(), found

    def once(self, later=0):
        """later: days by which the device's clock is ahead."""
        return run([program("pqota-agent"), "once", "--config", self.agent.conf], later=later)

    def status(self):
        return self.agent.run("status", "--config", self.agent.conf, check=0).out

    def unchanged(self):
        assert self.look() == self.before
        assert not self.stage.trace.exists(), "something was handed to the installer"
        assert not (self.agent.state / "artifact").exists()
        assert "confirmed    sequence 2, anti-rollback counter 1" in self.status()

    def told(self):
        """What the operator reads of the device's update."""
        actions = self.stage.call("GET", f"/api/deployments/{self.deployment}/actions")["items"]
        if not actions:
            return {"state": "none", "message": ""}
        action = actions[0]
        history = self.stage.call("GET", f"/api/devices/{DEVICE}/history?limit=5")["items"]
        if action["state"] == "failed":
            assert any(action["message"] in event["text"] for event in history), (action, history)
        return action

    def refused(self, words, tries=1, downloads=0):
        """The update failed, and the operator knows why."""
        for i in range(tries):
            done = self.once()
            assert done.code == (3 if i == tries - 1 else 4), (i, done)
        self.unchanged()
        assert len(self.front.files) == downloads, self.front.files
        action = self.told()
        assert action["state"] == "failed" and words in action["message"], action
        assert self.front.reports[-1]["state"] == "failed" and self.front.reports[-1]["version"] == "1.0"
        assert words.replace('"', '\\"') in done.err

    def held(self, words, later=0):
        """Nothing happens as yet; the device says what it waits for."""
        done = self.once(later)
        assert done.code == 4 and words in done.err, done
        self.unchanged()
        assert words in self.status()
        assert self.front.files == [] and self.front.reports == []

    def idle(self, later=0):
        """It does not know that there is anything."""
        done = self.once(later)
        assert done.code == 0, done
        self.unchanged()
        assert self.front.files == []

    def installs(self, version="2.0", data=None, later=0):
        done = self.once(later)
        assert done.code == 0, done
        slot = self.agent.slots / "current"
        assert (slot / "firmware.bin").read_bytes() == (data or DATA[version])
        assert (slot / "version").read_text().strip() == version
        assert self.told()["state"] == "succeeded"

    def close(self):
        """No action stays open for the next one."""
        if self.deployment is not None and self.told()["state"] not in ("failed", "succeeded"):
            self.stage.call("POST", f"/api/deployments/{self.deployment}/cancel")
