"""swupdate over TLS as its library knows it, without post-quantum algorithms: a listener for such devices,
and nginx with certificates of another authority. The settings are those of docs/hawkbit.md."""

import re
import shlex
import socket
import subprocess

import pytest
from harness import TREE, environment, free_port, openssl, wait_for
from swupdate import Device, Update, signer

PAGE = (TREE / "docs" / "hawkbit.md").read_text()


def block(start, end):
    """What stands on the page between two lines, as it would be typed."""
    text = PAGE[PAGE.index(start) :]
    lines = text[: text.index(end) + len(end)].splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines)


def given(text, **names):
    """The same with a test's own names; each must be there."""
    for old, new in names.items():
        assert old in text, (old, text)
        text = text.replace(old, str(new))
    return text


def certificate(folder):
    """For a name, by the page's command."""
    line = block("openssl req -x509", "keyUsage=critical,digitalSignature")
    argv = shlex.split(
        line.replace("\\\n", " ").replace("ota.example", "localhost").replace("pki/", f"{folder}/")
    )
    openssl(*argv[1:])
    return folder / "classical.pem", folder / "classical.key"


@pytest.fixture
def make_device(tmp_path):
    made = []

    def make(*args, **kw):
        made.append(Device(tmp_path, *args, **kw))
        return made[-1].start()

    yield make
    for device in made:
        device.stop()


def take(server, device, folder, model):
    """An update to the end, and how the device came."""
    update = Update(server, device, folder, model=model).deploy()
    device.wait_said("pending testing, ignoring available update action")
    assert device.target.read_bytes() == update.payload
    old, new = (f'name = "version"; value = "{v}"' for v in ("1.0", update.version))
    device.conf.write_text(given(device.conf.read_text(), **{old: new}))  # the new image has its own
    device.reboot()
    update.wait("succeeded")
    shown = lambda: server.api("GET", f"/api/devices/{device.name}", expect=200).json()  # noqa: E731
    return lambda how: wait_for(lambda: shown()["transport"] == how, what=f"it is noted that it came {how}")


def settings_of(server, name, url, more):
    """/etc/swupdate.cfg of the page."""
    text = block("globals: {", 'ca.pem";\n    };')
    names = {"pump-7": name, "https://ota.example:8445": url, "/etc/swupdate/images.pem": signer().cert}
    token = 'targettoken = "bH7XXAprK1ChnLfKSdtlsp7NOlPnZAYY";'
    return given(text, **names, **{token: more[0], "/etc/swupdate/ca.pem": more[1]})


def test_with_a_token(make_server, make_device, tmp_path):
    cert, key = certificate(tmp_path)
    listen = f"127.0.0.1:{free_port()}"
    settings = {"classical.enabled": "yes", "classical.listen": listen, "ddi.enabled": "yes"}
    files = {"classical.certificate": cert, "classical.key": key, "ddi.poll_seconds": "1"}
    server = make_server({**settings, **files}, via="")
    token = server.pqota("device", "add", "swu-1", "--model", "board").out.strip()
    more = (f'targettoken = "{token}";', cert)
    conf = settings_of(server, "swu-1", f"https://localhost:{listen.split(':')[1]}", more)
    device = make_device(None, "swu-1", conf=conf)
    came = take(server, device, tmp_path, "board")
    came("classical")
    shown = lambda: server.api("GET", "/api/devices/swu-1", expect=200).json()  # noqa: E731
    new = {"hw": "rev-b", "version": "2.0"}
    wait_for(lambda: shown()["attributes"] == new, what="the new image has told what it is")


def authority(folder):
    """One of the vendor's own, for devices, and a device's certificate."""
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30".split()
    ca, key = folder / "old-ca.pem", folder / "old-ca.key"
    openssl("req", "-x509", *curve, "-keyout", key, "-out", ca, "-subj", "/O=Works/CN=old devices")
    mine, own = folder / "device.pem", folder / "device.key"
    openssl(
        *("req", "-x509", *curve, "-keyout", own, "-out", mine, "-subj", "/CN=swu-1/O=Works"),
        *("-CA", ca, "-CAkey", key, "-addext", "extendedKeyUsage=clientAuth"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
    )
    return ca, mine, own


@pytest.fixture
def nginx(tmp_path):
    """With the server of the page."""
    made = []

    def start(server, port, cert, key, ca):
        names = {
            "/etc/nginx/classical.pem": cert,
            "/etc/nginx/classical.key": key,
            "/etc/nginx/old-devices-ca.pem": ca,
            "/var/lib/pqota/pqota.sock": server.unix,
            "listen 8446": f"listen 127.0.0.1:{port}",
            "ota.example": "localhost",
        }
        text = given(block("map $ssl_client_s_dn", "    }\n}"), **names)
        kinds = "client_body proxy fastcgi uwsgi scgi".split()
        temp = "".join(f"{kind}_temp_path {tmp_path}/temp-{kind};\n" for kind in kinds)
        conf = tmp_path / "nginx.conf"
        head = f"user root;\ndaemon off;\nmaster_process off;\npid {tmp_path}/nginx.pid;\n"
        conf.write_text(f"{head}events {{}}\nhttp {{\naccess_log off;\n{temp}{text}}}\n")
        argv = ["nginx", "-p", tmp_path, "-e", tmp_path / "error.log", "-c", conf]
        made.append(subprocess.Popen([str(a) for a in argv], env=environment()))
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, what="nginx listens")

    yield start
    for process in made:
        process.terminate()
        process.wait(20)


def test_with_a_certificate_of_nginxs_authority(make_server, make_device, nginx, tmp_path):
    cert, key = certificate(tmp_path)
    ca, mine, own = authority(tmp_path)
    settings = {"ddi.enabled": "yes", "ddi.header": "yes", "ddi.header_authority": "old-devices"}
    server = make_server({**settings, "ddi.model": "board", "ddi.poll_seconds": "1"}, via="")
    port = free_port()
    nginx(server, port, cert, key, ca)
    more = (f'sslcert = "{mine}"; sslkey = "{own}";', cert)
    conf = settings_of(server, "swu-1", f"https://localhost:{port}", more)
    device = make_device(None, "swu-1", conf=conf)
    wait_for(lambda: server.curl("/api/devices/swu-1").status == 200, what="it registers itself")
    came = take(server, device, tmp_path, "board")
    came("proxy")
    # What a client claims is replaced, and the path's id must be the certificate's.
    url = f"https://localhost:{port}/DEFAULT/controller/v1"
    base = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", str(cert)]
    for who, path, want in (
        (["--cert", str(mine), "--key", str(own)], "swu-1", b"200"),
        (["--cert", str(mine), "--key", str(own)], "swu-2", b"401"),
        (["--cert", str(mine), "--key", str(own), "-H", "X-Controller-Id: swu-2"], "swu-2", b"401"),
        (["-H", "X-Controller-Id: swu-1", "-H", "X-Authority: old-devices"], "swu-1", b"400"),
    ):
        assert subprocess.run([*base, *who, f"{url}/{path}"], capture_output=True).stdout == want, (
            who,
            path,
        )
