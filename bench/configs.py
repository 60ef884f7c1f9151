"""The configurations of the table: which servers they are made of, and what is asked of them."""

import pathlib

import devices
import parts


class Config:
    """What is measured: its own servers, those it shares, and what is asked for by kind.

    paths: "public" is for anyone, "latest" and "file" for a device, "poll", "poll-ddi" and "return" for many,
    each with its own certificate and path; a kind that is not there is not measured. static: nginx's files.
    """

    def __init__(self, name, title, port, own, shared, paths, static=False):
        self.name, self.title, self.port = name, title, port
        self.own, self.shared, self.paths, self.static = own, shared, paths, static
        self.identities = {}  # by kind: pqload's file, where each connection is another device's
        self.expect = {}  # by kind: the answer's status, where it is not 200
        self.load_cores = parts.LOAD_CORE

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

    def __init__(self, folder, names, mib, settings=None, cores=parts.SERVER_CORE):
        self.folder = parts.fresh_folder(pathlib.Path(folder))
        self.configs = {}
        self.quiet = None
        self.pqota = parts.Pqota(self.folder, settings, cores)
        self.running = [self.pqota]
        self.pqota.start()
        try:
            self.material = parts.Material(self.folder, self.pqota, mib)
            for name in names:
                config = getattr(self, "make_" + name.replace("-", "_"))()
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

    def give_fleet(self, many, returning=0):
        """So many devices in pqota's store, and some that poll; once."""
        if self.quiet is not None:
            return
        self.quiet = devices.Quiet(self.pqota, self.folder, self.material.static, many, returning)
        for config in self.configs.values():
            kinds = [kind for kind, static in self.quiet.files if static == config.static]
            config.identities = {kind: self.quiet.files[kind, config.static] for kind in kinds}
            config.expect = {} if config.static else devices.Quiet.EXPECT

    def api(self):
        firmware = {"latest": "/api/firmware/latest", "file": self.material.file_path}
        return {"public": "/healthz", **firmware, "poll": "/", "poll-ddi": "/", "return": "/"}

    def static(self):
        firmware = {"latest": "/latest.json", "file": "/firmware.bin"}
        return {"public": "/healthz", **firmware, "poll": "/", "poll-ddi": "/", "return": "/"}

    def make_pqota(self):
        return Config(
            "pqota", "pqota, TLS in process", self.pqota.server.port, [self.pqota], [], self.api()
        )

    def make_pqota_nginx(self):
        nginx = parts.nginx_pqota(self.folder, "pqota-nginx", self.material)
        own = [self.pqota, nginx]
        return Config("pqota-nginx", "pqota behind nginx", nginx.port, own, [], self.api())

    def make_nginx(self):
        nginx = parts.nginx_static(self.folder, "nginx", self.material)
        return Config("nginx", "nginx, static files", nginx.port, [nginx], [], self.static(), True)

    def make_nginx_cache(self):
        sessions = "ssl_session_tickets off; ssl_session_cache shared:bench:64m;"
        nginx = parts.nginx_static(self.folder, "nginx-cache", self.material, sessions)
        title = "nginx, static files, tickets off, shared cache"
        return Config("nginx-cache", title, nginx.port, [nginx], [], self.static(), True)

    def make_flask_nginx(self):
        gunicorn, nginx = parts.gunicorn_and_nginx(self.folder, "flask-nginx", self.material)
        title = "Flask under gunicorn behind nginx"
        return self.flask("flask-nginx", title, nginx.port, [gunicorn, nginx])

    def make_flask_tls(self):
        flask = parts.FlaskTls(self.folder, "flask-tls", self.material)
        return self.flask("flask-tls", "Flask, TLS in process", flask.port, [flask])

    def flask(self, name, title, port, own):
        paths = {"public": "/healthz", "latest": "/api/firmware/latest"}
        return Config(name, title, port, own, [self.pqota], paths)
