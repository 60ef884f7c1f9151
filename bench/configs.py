"""The configurations of the table: which servers they are made of, and what is asked of them."""

import pathlib

import parts

EXAMPLE = parts.TREE / "python" / "examples" / "flask_app.py"


class Config:
    """paths: what is asked for, by kind: "public" of anyone, "latest" and "file" of a device.

    absent: kind -> why it has none.
    """

    def __init__(self, name, title, port, own, shared, paths, absent=None):
        self.name, self.title, self.port, self.own, self.shared = name, title, port, own, shared
        self.paths, self.absent = paths, absent or {}

    def url(self, kind):
        return f"https://localhost:{self.port}{self.paths[kind]}"

    def pids(self):
        return [pid for part in [*self.own, *self.shared] for pid in part.pids()]

    def restart(self):
        """New processes, so that no memory of what was before is counted. What others share stays."""
        for part in reversed(self.own):
            part.stop()
        for part in self.own:
            part.start()


class Bench:
    """Everything that runs. Servers that are not measured at the moment have nothing to do."""

    NAMES = ("pqota", "pqota-nginx", "nginx", "nginx-cache", "flask-nginx", "flask-tls")

    def __init__(self, folder, names, mib):
        self.folder = parts.fresh_folder(pathlib.Path(folder))
        self.skipped, self.configs = {}, {}
        self.pqota = parts.Pqota(self.folder)
        self.running = [self.pqota]
        self.pqota.start()
        try:
            self.material = parts.Material(self.folder, self.pqota, mib)
            for name in names:
                config = getattr(self, "make_" + name.replace("-", "_"))()
                if config is not None:
                    self.configs[name] = config
                    for part in config.own:
                        if part not in self.running:
                            self.running.append(part)
                            part.start()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for part in reversed(self.running):
            part.stop()

    def api(self):
        return {"public": "/healthz", "latest": "/api/firmware/latest", "file": self.material.file_path}

    def static(self):
        return {"public": "/healthz", "latest": "/latest.json", "file": "/firmware.bin"}

    def make_pqota(self):
        return Config(
            "pqota", "pqota, TLS in process", self.pqota.server.port, [self.pqota], [], self.api()
        )

    def make_pqota_nginx(self):
        nginx = parts.nginx_proxy(self.folder, "pqota-nginx", self.material, self.pqota.server.unix)
        own = [self.pqota, nginx]
        return Config("pqota-nginx", "pqota behind nginx", nginx.port, own, [], self.api())

    def make_nginx(self):
        nginx = parts.nginx_static(self.folder, "nginx", self.material)
        return Config("nginx", "nginx, static files", nginx.port, [nginx], [], self.static())

    def make_nginx_cache(self):
        sessions = "ssl_session_tickets off; ssl_session_cache shared:bench:64m;"
        nginx = parts.nginx_static(self.folder, "nginx-cache", self.material, sessions)
        title = "nginx, static files, tickets off, shared cache"
        return Config("nginx-cache", title, nginx.port, [nginx], [], self.static())

    def make_flask_nginx(self):
        return self.skip("flask-nginx")

    def make_flask_tls(self):
        return self.skip("flask-tls")

    def skip(self, name):
        self.skipped[name] = f"{EXAMPLE.relative_to(parts.TREE)} is not there"
