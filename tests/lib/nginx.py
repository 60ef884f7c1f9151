"""The real nginx in front of a harness.Server, with the configuration that `pqota nginx-conf` writes."""

import pathlib
import signal
import socket
import subprocess

from harness import environment, free_port, program, run, wait_for

MAIN = """
daemon off;
{user}
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/temp/body;
    proxy_temp_path {folder}/temp/proxy;
    fastcgi_temp_path {folder}/temp/fastcgi;
    uwsgi_temp_path {folder}/temp/uwsgi;
    scgi_temp_path {folder}/temp/scgi;
    include {folder}/pqota.conf;
    access_log {folder}/access.log {log_format};
    # What a stock configuration has, for the server block to be stronger than it.
    ssl_protocols TLSv1.2 TLSv1.3;
    {more}
}}
"""


class Nginx:
    """Stands in front of a server on a port of its own. args: further options of nginx-conf."""

    def __init__(self, server, folder, port=None, args=(), more="", log_format="pqota"):
        self.server = server
        self.folder = pathlib.Path(folder)
        self.temp = self.folder / "temp"
        self.temp.mkdir(parents=True)
        self.port = port or free_port()
        self.conf = self.folder / "nginx.conf"
        self.process = None
        self.args = [str(a) for a in args]
        self.more, self.log_format = more, log_format
        self.url = f"https://localhost:{self.port}"
        self.write()

    def write(self):
        """Asks pqota for the configuration, as it is now."""
        self.made = run(
            [
                program("pqota", self.server.build),
                "nginx-conf",
                "-c",
                self.server.conf,
                "--name",
                "localhost",
                "--port",
                self.port,
                "-o",
                self.folder / "pqota.conf",
                "--force",
                *self.args,
            ],
            check=0,
        )
        self.write_main()

    def write_main(self):
        """The file around it."""
        # As root nginx gives its work to another user, who cannot enter a test's folder.
        root = pathlib.Path("/proc/self/status").read_text().split("Uid:")[1].split()[1] == "0"
        self.conf.write_text(
            MAIN.format(
                folder=self.folder,
                more=self.more,
                log_format=self.log_format,
                user="user root;" if root else "",
            )
        )

    def check(self):
        """What nginx -t says."""
        return run(["nginx", "-t", "-p", self.folder, "-e", self.folder / "error.log", "-c", self.conf])

    def start(self):
        self.output = open(self.folder / "output.log", "ab")
        self.process = subprocess.Popen(
            ["nginx", "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(self.conf)],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            env=environment(),
        )
        wait_for(self.listens, 20, "nginx listens")
        return self

    def listens(self):
        assert self.process.poll() is None, f"nginx ended:\n{self.logs()}"
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def reload(self):
        """Reads its configuration again, and waits until the new workers serve."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: (now := self.workers()) and not now & before, 20, "nginx has new workers")

    def workers(self):
        """The children that take connections: one that is shutting down says so in its title."""
        out = run(["ps", "--ppid", str(self.process.pid), "-o", "pid=,args="]).out
        return {
            line.split()[0]
            for line in out.splitlines()
            if "worker process" in line and "shutting" not in line
        }

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.output.close()
        self.process = None

    def logs(self):
        names = ("output.log", "error.log")
        return "".join(
            (self.folder / n).read_text(errors="replace") for n in names if (self.folder / n).exists()
        )

    def access(self):
        return (self.folder / "access.log").read_text()

    def on_disk(self):
        """What nginx holds in its folders for temporary files."""
        return [p for p in self.temp.rglob("*") if p.is_file()]
