"""A server in front of the real one whose /tuf/ comes from two simulated repositories, with all
of their keys: what a vendor, a director, or a thief of some of the keys would put there.
The rest is the real server's."""

import threading
import types

import tufrepo
import tufserver
from harness import Credential
from relay import Relay


class Front(Relay):
    """The agent's TLS ends here. `image` and `director` are tests/lib/tufrepo repositories."""

    def __init__(self, server, models=("gw",), **kw):
        self.image, self.director = tufrepo.image_repository(models), tufrepo.director_repository()
        self.stopping = threading.Event()
        super().__init__(server, **kw)
        self.http.stopping = self.stopping
        self.http.daemon_threads = True

    def _handle(self, handler):
        for prefix, repo in (("/tuf/image/", self.image), ("/tuf/director/", self.director)):
            if handler.path.startswith(prefix):
                return self._metadata(handler, repo, handler.path[len(prefix) :])
        return super()._handle(handler)

    @staticmethod
    def _lend(handler):
        """What tricks call."""
        for method in ("begin", "send", "reply"):
            setattr(handler, method, types.MethodType(getattr(tufserver.Handler, method), handler))

    def _metadata(self, handler, repo, name):
        self._lend(handler)
        repo.requests.append(name)
        held, trick = repo.files.get(name), repo.tricks.get(name)
        if trick is not None:
            trick(handler, held)
        else:
            handler.reply(200 if held is not None else 404, held if held is not None else b"none")

    def close(self):
        self.stopping.set()
        super().close()

    # --- what vendor, operator and director do ---

    def sign(self, version, data, model="gw", name="fw", filename="firmware.bin", **custom):
        """The vendor signs a release. Answers its path."""
        path = f"{model}/{name}/{version}/{filename}"
        custom = {"name": name, "version": version, "model": model, "sequence": 1, "counter": 1, **custom}
        self.image.add_target(path, data, role=f"model-{model}", custom=custom)
        self.image.publish(f"model-{model}", "snapshot", "timestamp")
        return path

    def entry(self, path, model="gw"):
        """What the vendor signed of it, as a director repeats it."""
        whole = self.image.body(f"model-{model}")["targets"][path]
        return {"length": whole["length"], "hashes": whole["hashes"]}

    def direct(self, path, entry=None, device="gw-1", **how):
        """The device should run that; None: nothing."""
        targets = {} if path is None else {path: entry or self.entry(path)}
        return self.director.direct(device, targets, **how)

    def deploy(self, version, data, name="fw", model="gw", device="gw-1"):
        """The server has that file and offers it."""
        release = self.server.publish(name, version, data, model=model)
        target = {"kind": "device", "value": device}
        self.server.api(
            "POST", "/api/deployments", {"release": release["id"], "target": target}, expect=201
        )
        return release


def trusting(make_agent, server, front, settings=None, **kw):
    """An enrolled agent that began with the front's roots and talks to the front."""
    roots = {}
    for name in ("image", "director"):
        roots[name] = server.folder / f"{name}.root.json"
        roots[name].write_bytes(getattr(front, name).files["1.root.json"])
    own = {"trust.image_root": roots["image"], "trust.director_root": roots["director"]}
    own["installer.health_command"] = "/bin/true"
    agent = make_agent(server, "gw-1", "gw", settings={**own, **(settings or {})}, **kw)
    agent.enrol()
    front.who = Credential(agent.state / "device.crt", agent.state / "device.key")
    agent.conf.write_text(agent.conf.read_text().replace(server.url, front.url))
    return agent
