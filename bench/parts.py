"""The servers that are measured: each on one processor core, with the same certificates and groups."""

import os
import pathlib
import resource
import shutil
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests" / "lib"))

import harness  # noqa: E402

SERVER_CORE, LOAD_CORE = "0", "1"
GROUP = "X25519MLKEM768"
CONNECTIONS_MAX = 16000  # of devices, on any server
BACKLOG = 4096  # as pqota has it
EXAMPLES = TREE / "python" / "examples"
MODEL = "bench"

# Around every nginx that is measured; body is what its http block has besides.
NGINX = """
daemon off;
pid nginx.pid;
error_log stderr error;
user root;
worker_processes 1;
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_requests 100000;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    {body}
}}
"""

# One that answers itself or passes on to another program.
SERVER = """
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 75s;
    {upstream}
    server {{
        listen 127.0.0.1:{port} ssl backlog={backlog};
        server_name localhost;
        ssl_protocols TLSv1.3;
        ssl_ecdh_curve {group};
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_client_certificate {clients};
        ssl_verify_client optional;
        {sessions}
        {locations}
    }}
"""

# Answers what pqota answers: the same bytes, from files.
STATIC = """
        root {root};
        location = /healthz {{ }}
        location = /latest.json {{
            default_type application/json;
            if ($ssl_client_verify != SUCCESS) {{ return 401; }}
        }}
        location = /firmware.bin {{
            if ($ssl_client_verify != SUCCESS) {{ return 401; }}
        }}
        location /poll/ {{
            if ($ssl_client_verify != SUCCESS) {{ return 401; }}
        }}
        location /poll-ddi/ {{
            default_type application/hal+json;
            if ($ssl_client_verify != SUCCESS) {{ return 401; }}
        }}
"""

# In front of gunicorn, as python/examples/nginx.conf, but also for those who show no certificate.
FLASK = """
        location / {
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Client-Verify $ssl_client_verify;
            proxy_set_header X-Client-Name $flask_client;
            proxy_set_header X-Client-Serial $ssl_client_serial;
        }
"""

FLASK_UPSTREAM = """
    map $ssl_client_s_dn $flask_client {{ default ""; "~^CN=(?<flask_cn>[A-Za-z0-9._:-]+)$" $flask_cn; }}
    upstream backend {{ server unix:{socket}; keepalive 64; }}
"""


class Pqota:
    """The C server; unless said otherwise with one loop, so that it uses one core as the others do."""

    def __init__(self, folder, settings=None, cores=SERVER_CORE):
        own = {
            "server.loops": 1,
            "limits.connections": CONNECTIONS_MAX,
            "limits.connections_per_address": CONNECTIONS_MAX,
            "unix.proxy": "yes",
            "ddi.enabled": "yes",
        }
        self.cores = cores
        self.server = harness.Server(folder, own | (settings or {}), build=harness.RELEASE)

    def start(self):
        self.server.start(wrapper=("taskset", "-c", self.cores))

    def stop(self):
        self.server.stop()

    def pids(self):
        return [self.server.process.pid]


class Material:
    """What all serve: a device's certificate, a published firmware, pqota's answers as files for nginx."""

    def __init__(self, folder, pqota, mib):
        server = pqota.server
        self.ca, self.roots = server.roots, server.dir / "pki" / "device-ca.pem"
        self.cert, self.key = server.dir / "pki" / "server.pem", server.dir / "pki" / "server.key"
        self.server, self.mib = server, mib
        self.device = server.enrol("bench-1", MODEL)
        self.viewer = self.operator("viewer")
        made = server.publish(MODEL, "1.0", os.urandom(mib << 20))
        self.file_path = f"/api/firmware/{made['id']}/file"
        self.static = folder / "static"
        self.static.mkdir()
        self.save("/healthz", "healthz", harness.ANYONE)
        self.save("/api/firmware/latest", "latest.json", self.device)
        self.save(self.file_path, "firmware.bin", self.device)

    def operator(self, role):
        """For Flask, which asks pqota."""
        folder = self.server.folder / role
        self.server.pqota("operator", "add", "bench-app", "--role", role, "-o", folder)
        key = next(folder.glob("*.key"))
        return harness.Credential(key.with_suffix(".pem"), key)

    def save(self, path, name, who):
        reply = self.server.curl(path, who=who)
        assert reply.status == 200, reply
        (self.static / name).write_bytes(reply.body)


class Process:
    """A program in the foreground on the servers' core."""

    def __init__(self, folder, name, argv, ready, env=None):
        self.folder, self.argv, self.is_ready, self.env = folder / name, argv, ready, env
        self.folder.mkdir()
        self.process = None

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", SERVER_CORE, *map(str, self.argv)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=harness.environment(**(self.env or {})),
            )
        harness.wait_for(self.check, 20, f"{self.argv[0]} answers")

    def check(self):
        assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
        return self.is_ready()

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def pids(self):
        return [self.process.pid, *children(self.process.pid)]


def children(pid):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == pid:
            child = int(stat.parent.name)
            found += [child, *children(child)]
    return found


class Nginx(Process):
    """nginx as Debian has it. body: what its http block says; {port} and what more says is filled in."""

    def __init__(self, folder, name, material, body, **more):
        self.port, self.material = harness.free_port(), material
        argv = ["nginx", "-p", ".", "-c", "nginx.conf", "-e", "stderr"]
        super().__init__(folder, name, argv, self.answers)
        body = body.format(port=self.port, **more)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        text = NGINX.format(connections=2 * CONNECTIONS_MAX, files=files, body=body)
        (self.folder / "nginx.conf").write_text(text)

    def answers(self):
        url = f"https://localhost:{self.port}"
        return self.material.server.curl("/healthz", who=harness.ANYONE, url=url).status == 200


def nginx(folder, name, material, locations, sessions="", upstream=""):
    """PQ TLS with the server's certificate; client certificates are asked for and verified."""
    return Nginx(
        folder,
        name,
        material,
        SERVER,
        backlog=BACKLOG,
        group=GROUP,
        cert=material.cert,
        key=material.key,
        clients=material.roots,
        sessions=sessions,
        locations=locations,
        upstream=upstream,
    )


def nginx_static(folder, name, material, sessions=""):
    return nginx(folder, name, material, STATIC.format(root=material.static), sessions)


def nginx_pqota(folder, name, material):
    """What a user gets: the configuration that pqota writes, with one worker."""
    made = Nginx(folder, name, material, "include pqota.conf;")
    server = material.server
    server.pqota(
        "nginx-conf",
        "-c",
        server.conf,
        "--name",
        "localhost",
        "--port",
        made.port,
        "--user",
        "root",
        "-o",
        made.folder / "pqota.conf",
    )
    return made


def flask_environment(material, **more):
    server, python = material.server, TREE / "python"
    return {
        "PYTHONPATH": f"{python}:{EXAMPLES}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PQC_TLS_LIBRARY": str(harness.RELEASE / "src" / "tls" / "libpqc_tls.so.1"),
        "PQOTA_URL": server.url,
        "PQOTA_CA": str(server.roots),
        "PQOTA_CERT": str(material.viewer.cert),
        "PQOTA_KEY": str(material.viewer.key),
        **more,
    }


def gunicorn_and_nginx(folder, name, material):
    """The example under gunicorn, one worker with eight threads, on a Unix socket behind nginx."""
    socket = folder / "flask.sock"
    argv = [sys.executable, "-m", "gunicorn", "--bind", f"unix:{socket}", "--threads", "8", "flask_app:app"]
    env = flask_environment(material, BEHIND_NGINX="1")
    gunicorn = Process(folder, name + "-gunicorn", argv, socket.exists, env)
    front = nginx(folder, name, material, FLASK, upstream=FLASK_UPSTREAM.format(socket=socket))
    return gunicorn, front


class FlaskTls(Process):
    """The example with TLS in its own process, by pqc_tls."""

    def __init__(self, folder, name, material):
        self.port, self.material = harness.free_port(), material
        program = pathlib.Path(__file__).with_name("flask_tls.py")
        argv = [sys.executable, program, self.port, material.cert, material.key, material.roots]
        super().__init__(folder, name, argv, self.answers, flask_environment(material))

    answers = Nginx.answers


def fresh_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
