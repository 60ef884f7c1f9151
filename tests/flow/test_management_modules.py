"""hawkBit's management interface: modules, their files, distribution sets, types, settings."""

import hashlib
import signal

import pytest

import hawkbit
from harness import ANYONE, run, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = hawkbit.start(tmp_path_factory.mktemp("management"))
    yield made
    made.close()


@pytest.fixture
def hawk(server):
    return server.hawkbit


def error(answer):
    """hawkBit's error body; what it says."""
    body = answer.json()
    assert set(body) == {"exceptionClass", "errorCode", "message"}
    assert body["errorCode"].startswith("hawkbit.server.error.")
    return body["message"]


def test_the_server_is_up(server, hawk):
    root = run(
        ["curl", "-sS", "-I", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{hawk.port}/"]
    )
    assert root.out == "200"
    assert server.curl("/", "-I", who=ANYONE).status == 200


def test_modules(hawk):
    name = hawk.name("software module") + " (with blanks)"
    made = hawk.post(
        "softwaremodules",
        [
            {"name": name, "version": "1.0", "type": "os", "vendor": "ACME", "description": "the first"},
            {"name": name, "version": "1.0", "type": "application"},
        ],
        expect=201,
    )
    assert [m["type"] for m in made] == ["os", "application"] and made[0]["name"] == name
    assert made[0]["vendor"] == "ACME" and made[0]["description"] == "the first" and "vendor" not in made[1]
    one = hawk.get(f"softwaremodules/{made[0]['id']}")
    assert one == made[0] and one["createdBy"] == "hawk" and not one["deleted"]
    assert (
        one["_links"]["self"]["href"] == f"http://127.0.0.1:{hawk.port}/rest/v1/softwaremodules/{one['id']}"
    )
    assert hawk.get(one["_links"]["self"]["href"]) == one
    changed = hawk.put(f"softwaremodules/{one['id']}", {"description": "another"}).json()
    assert changed["description"] == "another" and changed["vendor"] == "ACME"
    again = {"name": name, "version": "1.0", "type": "os"}
    assert "already" in error(hawk("POST", "softwaremodules", [again], expect=409))
    hawk.delete(f"softwaremodules/{one['id']}")
    hawk("GET", f"softwaremodules/{one['id']}", expect=404)
    hawk.delete(f"softwaremodules/{one['id']}", expect=404)
    hawk.post("softwaremodules", [again], expect=201)  # nothing had it: its name is free again


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        [{"name": "x", "version": "1"}],
        [{"name": "x", "version": "1", "type": "firmware"}],
        [{"name": "x", "version": "1 0", "type": "os"}],
        [{"name": " x", "version": "1", "type": "os"}],
        [{"name": "x\n", "version": "1", "type": "os"}],
        [{"name": "x" * 129, "version": "1", "type": "os"}],
        [{"name": 7, "version": "1", "type": "os"}],
        ["x"],
        "x",
    ],
)
def test_modules_that_cannot_be(hawk, body):
    assert error(hawk("POST", "softwaremodules", body, expect=400))


@pytest.mark.parametrize("field", ["lastControllerRequestAt>=1", "tag==x", "attribute.x==1"])
@pytest.mark.parametrize("what", ["softwaremodules", "distributionsets", "actions"])
def test_a_device_s_fields_cannot_be_asked_for(hawk, what, field):
    assert "createdAt can be asked for" in error(hawk("GET", f"{what}?q={field}", expect=400))


def test_what_fails_leaves_nothing(hawk):
    name = hawk.name()
    good, bad = {"name": name, "version": "1", "type": "os"}, {"name": name, "version": "1", "type": "x"}
    hawk("POST", "softwaremodules", [good, bad], expect=400)
    assert hawk.get(f"softwaremodules?q=name=={name}")["total"] == 0
    many = [{"name": f"{name}-{i}", "version": "1", "type": "os"} for i in range(1001)]
    assert "1000" in error(hawk("POST", "softwaremodules", many, expect=429))


def test_files(hawk):
    data = bytes(range(256)) * 3000 + b"\r\n--a-boundary-of-the-test\r\n"
    module = hawk.module()
    made = hawk.upload(module, "image.swu", data)
    assert made["providedFilename"] == "image.swu" and made["size"] == len(data)
    assert made["hashes"] == {h: hashlib.new(h, data).hexdigest() for h in ("sha1", "md5", "sha256")}
    other = hawk.upload(module, "notes.txt", b"x", query="?filename=other.txt")
    assert other["providedFilename"] == "other.txt"
    assert hawk.get(f"softwaremodules/{module}/artifacts") == [made, other]
    assert hawk.get(f"softwaremodules/{module}/artifacts/{made['id']}") == made
    assert hawk("GET", made["_links"]["download"]["href"], expect=200).body == data
    hawk("GET", f"softwaremodules/{hawk.module()}/artifacts/{made['id']}", expect=404)
    assert "already" in hawk.upload(module, "image.swu", b"y", expect=409)["message"]
    hawk.delete(f"softwaremodules/{module}/artifacts/{made['id']}")
    hawk("GET", f"softwaremodules/{module}/artifacts/{made['id']}", expect=404)
    again = hawk.upload(module, "image.swu", b"x")  # bytes that are there
    assert hawk.get(f"softwaremodules/{module}/artifacts/{again['id']}") == again


def test_files_by_the_real_curl(server, hawk, tmp_path):
    module = hawk.module()
    file = tmp_path / "update.bin"
    file.write_bytes(b"\0" * 5_000_000)
    url = f"http://127.0.0.1:{hawk.port}/rest/v1/softwaremodules/{module}/artifacts"
    for more in ([], ["-H", "Transfer-Encoding: chunked", "-F", "note=a field"]):
        argv = ["curl", "-sS", "-H", f"Authorization: {hawk.headers['Authorization']}", *more]
        done = run([*argv, "-F", f"file=@{file};filename=f{len(more)}.bin", url], check=0).json()
        assert done["size"] == 5_000_000 and done["providedFilename"] == f"f{len(more)}.bin"
    wait_for(lambda: not list((server.dir / "data" / "tmp").iterdir()), what="nothing stays behind")


def test_files_that_cannot_be(server, hawk):
    module = hawk.module()
    assert "name" in hawk.upload(module, "a b.bin", b"x", expect=400)["message"]
    assert "name" in hawk.upload(module, "../x", b"x", expect=400)["message"]
    assert "empty" in hawk.upload(module, "x", b"", expect=400)["message"]
    assert (
        "SHA-256" in hawk.upload(module, "x", b"x", expect=400, query="?sha256sum=" + "0" * 64)["message"]
    )
    assert "SHA-256" in hawk.upload(module, "x", b"x", expect=400, query="?md5sum=" + "0" * 32)["message"]
    path = f"softwaremodules/{module}/artifacts"
    body, headers = hawkbit.form("x", b"data", field="data")
    assert '"file"' in error(hawk("POST", path, body, headers=headers, expect=400))
    body, headers = hawkbit.form("x", b"data")
    assert "multipart" in error(hawk("POST", path, body[:-8], headers=headers, expect=400))
    hawk("POST", path, b"{}", headers={"Content-Type": "application/json"}, expect=415)
    hawk.upload(9999999, "x", b"x", expect=404)
    assert hawk.get(path) == []
    wait_for(lambda: not list((server.dir / "data" / "tmp").iterdir()), what="nothing stays behind")


def test_metadata(hawk):
    module = hawk.module()
    entries = [
        {"key": "a", "value": "1", "targetVisible": True},
        {"key": "b", "value": "two\nlines"},
    ]
    hawk("POST", f"softwaremodules/{module}/metadata", [entries[0]], expect=201)
    page = hawk.get(f"softwaremodules/{module}/metadata")
    assert page == {"content": [entries[0]], "total": 1, "size": 1}
    hawk("POST", f"softwaremodules/{module}/metadata", [{"key": "a", "value": "2"}], expect=201)
    assert hawk.get(f"softwaremodules/{module}/metadata")["content"] == [
        {"key": "a", "value": "2", "targetVisible": False}
    ]
    many = [{"key": f"k{i}", "value": "v"} for i in range(100)]
    assert "100" in error(hawk("POST", f"softwaremodules/{module}/metadata", many, expect=429))
    long = [{"key": f"l{i}", "value": "v" * 4000} for i in range(9)]  # more than a device could be told
    assert "32768" in error(hawk("POST", f"softwaremodules/{module}/metadata", long, expect=429))
    assert hawk.get(f"softwaremodules/{module}/metadata")["total"] == 1
    hawk("POST", f"softwaremodules/{module}/metadata", [{"key": "x"}], expect=400)


def test_sets(hawk):
    os, app = hawk.module(), hawk.module(type="application")
    name = hawk.name("distribution") + " (12.5)"
    made = hawk.get(f"distributionsets/{hawk.set_of(os, app, type='os_app', name=name)}")
    assert made["name"] == name and made["complete"] and made["valid"] and made["type"] == "os_app"
    assert [m["id"] for m in made["modules"]] == [os, app] and made["description"] == "Test distribution"
    assert "already" in hawk.set_of(os, app, type="os_app", name=name, expect=409)["message"]
    assert "type application" in hawk.set_of(os, app, expect=400)["message"]
    assert "at most 1" in hawk.set_of(os, hawk.module(), expect=400)["message"]
    assert "twice" in hawk.set_of(os, os, expect=400)["message"]
    assert "type" in hawk.set_of(os, type="firmware", expect=400)["message"]
    hawk.set_of(9999999, expect=404)
    empty = hawk.set_of(type="app")
    assert not hawk.get(f"distributionsets/{empty}")["complete"]
    many = [hawk.module(*[(f"f{k}", b"x") for k in range(9)], type="application") for _ in range(2)]
    assert "16" in hawk.set_of(*many, type="app", expect=429)["message"]


def test_a_used_module_is_only_hidden(hawk):
    name = hawk.name()
    module = hawk.module(("f.bin", b"abc"), name=name)
    made = hawk.set_of(module)
    hawk.delete(f"softwaremodules/{module}")
    hawk("GET", f"softwaremodules/{module}", expect=404)
    assert hawk.get(f"softwaremodules?q=name=={name}")["total"] == 0
    inside = hawk.get(f"distributionsets/{made}")["modules"]
    assert [m["id"] for m in inside] == [module] and inside[0]["deleted"]
    again = [{"name": name, "version": "1.0", "type": "os"}]
    assert "deleted" in error(hawk("POST", "softwaremodules", again, expect=409))
    hawk.set_of(module, expect=404)
    hawk.delete(f"distributionsets/{made}")
    hawk("GET", f"distributionsets/{made}", expect=404)


def test_a_deleted_version_does_not_come_back(hawk):
    name, module = hawk.name(), hawk.module()
    hawk.delete(f"distributionsets/{hawk.set_of(module, name=name)}")
    assert "cannot be used again" in hawk.set_of(module, name=name, expect=409)["message"]
    hawk.set_of(module, name=name, version="1.1")


def test_lists(hawk):
    name = hawk.name("list")
    ids = [hawk.module(name=f"{name}-{i}", version=f"{i}") for i in range(5)]
    query = f"softwaremodules?q=name=={name}*"
    page = hawk.get(query)
    assert [m["id"] for m in page["content"]] == ids and page["total"] == page["size"] == 5
    page = hawk.get(query + "&sort=name:DESC&offset=1&limit=2")
    assert [m["id"] for m in page["content"]] == [ids[3], ids[2]]
    assert page["total"] == 5 and page["size"] == 2
    page = hawk.get(query + "&sort=version%3Adesc%2Cid%3Aasc&limit=1")
    assert [m["id"] for m in page["content"]] == [ids[4]]
    assert hawk.get(f"softwaremodules?q=id=in=({ids[0]},{ids[2]})")["total"] == 2
    assert hawk.get(f"{query}%3Bversion!=3")["total"] == 4
    assert hawk.get("softwaremodules?limit=100000")["size"] <= 500
    for bad in (
        "sort=colour:ASC",
        "sort=name",
        "sort=name:UP",
        "q=colour==red",
        "q=(",
        "offset=x",
        "q=tag==a",
    ):
        assert error(hawk("GET", f"softwaremodules?{bad}", expect=400)), bad
    for what in ("distributionsets", "targets", "actions"):
        page = hawk.get(f"{what}?limit=1&sort=id:DESC")
        assert set(page) == {"content", "total", "size"} and page["size"] <= 1
        hawk("GET", f"{what}?sort=colour:ASC", expect=400)
    made = hawk.set_of(ids[0], name=name + " set", version="7.1")
    assert [
        s["id"] for s in hawk.get(f"distributionsets?q=name=='{name}%20set';version==7.*")["content"]
    ] == [made]


def test_types(hawk):
    modules = hawk.get("softwaremoduletypes")
    assert [t["key"] for t in modules["content"]] == ["os", "application"] and modules["total"] == 2
    assert [t["key"] for t in hawk.get("distributionsettypes")["content"]] == ["os", "app", "os_app"]
    for page in (modules, hawk.get("distributionsettypes")):
        for each in page["content"]:
            assert hawk.get(each["_links"]["self"]["href"]) == each
    hawk("GET", "softwaremoduletypes/3", expect=404)
    hawk("GET", "distributionsettypes/4", expect=404)


def test_settings(hawk):
    for key, value in (
        ("pollingTime", "00:00:30"),
        ("pollingOverdueTime", "00:03:00"),
        ("authentication.targettoken.enabled", True),
        ("authentication.gatewaytoken.enabled", True),
        ("authentication.gatewaytoken.key", "0123456789abcdef0123456789abcdef"),
        ("authentication.header.enabled", False),
        ("authentication.header.authority", "fda7b7"),
    ):
        hawk.set(key, value)
        assert hawk.get(f"system/configs/{key}")["value"] == value
    assert hawk.get("system/configs")["pollingTime"]["value"] == "00:00:30"
    assert "0123456789abcdef" not in str(hawk.get("system/configs"))
    hawk.delete("system/configs/pollingTime")
    assert hawk.get("system/configs/pollingTime")["value"] != "00:00:30"
    hawk.put("system/configs/pollingTime", {"value": "30"}, expect=400)
    hawk.put("system/configs/pollingTime", {}, expect=400)
    hawk.put("system/configs/colour", {"value": "red"}, expect=404)
    hawk("GET", "system/configs/colour", expect=404)


def test_who_may(server, hawk):
    for name in ("vera", "otto"):
        role = {"vera": "viewer", "otto": "operator"}[name]
        password = server.pqota("account", "create", name, "--role", role).out.strip()
        who = hawkbit.Hawkbit(server, hawk.port, name, password)
        who.get("softwaremodules")
        allowed = 201 if name == "otto" else 403
        who.post("softwaremodules", [{"name": hawk.name(), "version": "1", "type": "os"}], expect=allowed)
        who.put("system/configs/pollingTime", {"value": "00:01:00"}, expect=403)
        module = hawk.module()
        who.upload(module, "f", b"x", expect=allowed)
        device = hawk.target()
        shown = who.get(f"targets/{device.id}")
        who.delete(f"targets/{device.id}", expect=403)
        assert shown.get("securityToken") == (device.token if name == "otto" else None)
        assert who("GET", "system/configs/authentication.gatewaytoken.key").status == (
            200 if name == "otto" else 403
        )
    stranger = hawkbit.Client(hawk.port, prefix="/rest/v1/")
    assert error(stranger("GET", "softwaremodules", expect=401))
    body, headers = hawkbit.form("f", b"x")
    stranger("POST", f"softwaremodules/{hawk.module()}/artifacts", body, headers=headers, expect=401)
    made = server.api("GET", "/rest/v1/softwaremodules?limit=1")  # by an operator's certificate
    assert made.status == 200


def test_a_file_that_is_too_large(tmp_path):
    server = hawkbit.start(tmp_path, {"limits.upload_bytes": "65536"})
    try:
        hawk = server.hawkbit
        module = hawk.module(("f.bin", b"x" * 60000))
        body, headers = hawkbit.form("g.bin", b"x" * 66000)
        answer = hawk("POST", f"softwaremodules/{module}/artifacts", body, headers=headers, expect=413)
        assert "upload_bytes" in error(answer)
    finally:
        server.close()


def test_what_was_made_survives_a_crash(tmp_path):
    server = hawkbit.start(tmp_path)
    try:
        hawk = server.hawkbit
        data = b"kept" * 50000
        module = hawk.module(("f.bin", data))
        set_id, device = hawk.set_of(module), hawk.target()
        action = hawk.assign(set_id, device)
        server.stop(signal.SIGKILL)
        server.start()
        file = hawk.get(f"softwaremodules/{module}/artifacts")[0]
        assert hawk("GET", file["_links"]["download"]["href"], expect=200).body == data
        assert hawk.action(device, action)["active"] and device.deployment()["id"] == str(action)
    finally:
        server.close()
