"""Releases from before anybody signed, which is what a server has after an upgrade: deployed no more, signed
as what they are, and then deployed. And a server that would have numbers signed that it may not."""

import contextlib
import sqlite3

import pytest
from vendor import Vendor


@pytest.fixture
def vendor(make_server):
    """Its server published gateway 1.0 when nobody had to sign, and deploys it."""
    server = make_server({"trust.insecure_unsigned": "yes"}, start=False)
    made = Vendor(server).start()
    made.release = server.publish("gateway", "1.0", b"firmware", filename="gw.bin")
    (server.folder / "gw.bin").write_bytes(b"firmware")
    return made


def demand_signatures(server):
    server.set("trust.insecure_unsigned", "no")
    server.reload()


def publish(vendor, version, *how, check=0):
    how = how or ("--sign-with", vendor.key("targets"), "--passphrase-file", vendor.passphrase)
    return vendor.server.pqota(
        "firmware",
        "publish",
        vendor.server.folder / "gw.bin",
        "--name",
        "gateway",
        "--version",
        version,
        *how,
        check=check,
    )


def test_signed_as_what_it_is(vendor):
    server = vendor.server
    order = {"release": vendor.release["id"], "target": {"kind": "model", "value": "gateway"}}
    running = server.api("POST", "/api/deployments", order, expect=201).json()
    device = server.enrol("gw-1", "gateway")
    demand_signatures(server)
    assert (
        server.curl("/api/update", who=device).status == 200
    )  # what was ordered goes on, for older agents
    told = server.curl("/tuf/director/gw-1/targets.json", who=device).json()
    assert told["signed"]["targets"] == {}  # and agents that want signatures wait
    refused = server.api("POST", "/api/deployments", order, expect=409).json()
    assert "nobody had to vouch for it: sign it first" in refused["detail"]
    publish(vendor, "1.0")
    signed = vendor.current("model-gateway")["targets"]["gateway/gateway/1.0/gw.bin"]["custom"]
    assert signed["sequence"] == vendor.release["sequence"] == 1
    told = server.curl("/tuf/director/gw-1/targets.json", who=device).json()
    assert list(told["signed"]["targets"]) == ["gateway/gateway/1.0/gw.bin"]
    assert server.api("GET", f"/api/deployments/{running['id']}").json()["state"] == "running"
    server.api("POST", "/api/deployments", order, expect=201)
    assert "was there already" in publish(vendor, "1.0").err  # and no second signature is wanted


def test_signed_elsewhere(vendor):
    """The same where the key is on another machine: publishing the same bytes again prepares the request."""
    server, request = vendor.server, vendor.server.folder / "gateway.sign.json"
    assert "was there already" in publish(vendor, "1.0", "--output", request).err and not request.exists()
    demand_signatures(server)
    publish(vendor, "1.0", "--output", request)
    vendor.sign(request)
    server.pqota("trust", "upload", request)
    assert server.api("GET", f"/api/trust/releases/{vendor.release['id']}", expect=200).json()[
        "models"
    ] == [{"model": "gateway", "sequence": 1, "signed": True}]


def test_signed_for_one_of_two_models(vendor):
    """Publishing again signs for the other model, and leaves what is signed as it is."""
    server = vendor.server
    release = server.publish("pair", "1.0", b"firmware", model="one,two", filename="gw.bin")
    demand_signatures(server)
    vendor.publish(release, release["sequence"], models=["one"])

    def again(*args, check=0):
        return server.pqota(
            *("firmware", "publish", server.folder / "gw.bin", "--name", "pair", "--version", "1.0"),
            *("--model", "one,two", "--sign-with", vendor.key("targets")),
            *("--passphrase-file", vendor.passphrase, *args),
            check=check,
        )

    for args, what in ((["--counter", "5"], "counter"), (["--security"], "security flag")):
        assert f"is signed already, with another {what}" in again(*args, check=1).err
    for two_is_signed in (False, True):
        told = server.api("GET", f"/api/trust/releases/{release['id']}", expect=200).json()["models"]
        assert {m["model"]: m["signed"] for m in told} == {"one": True, "two": two_is_signed}
        again()
    assert vendor.versions()["model-one"] == vendor.versions()["model-two"] == 1


def set_last(server, sequence):
    with contextlib.closing(sqlite3.connect(server.dir / "data" / "pqota.db")) as db, db:
        db.execute("UPDATE model_sequence SET last = ? WHERE model = 'gateway'", (sequence,))


def test_sequences_that_use_up_what_there_is(vendor):
    """A taken server that names high numbers would leave none for what comes after it."""
    server = vendor.server
    demand_signatures(server)
    publish(vendor, "1.0")
    for last in (2**31, 5_000_000, 1_000_001):
        set_last(server, last)
        refused = publish(vendor, f"1.{last}", check=1)
        assert (
            f"would have the sequence {last + 1} signed" in refused.err and "is not honest" in refused.err
        )
    set_last(server, 1_000_000)
    publish(vendor, "1.1")


def test_numbers_that_devices_refuse(vendor):
    server = vendor.server
    demand_signatures(server)
    release = server.publish("wide", "1", b"1")
    for sequence, custom in ((2**32, {}), (1, {"counter": 2**32}), (1, {"upgrade_from": 2**32})):
        request = vendor.prepare(release, sequence, **custom)
        vendor.sign(request)
        assert "beyond 32 bits" in vendor.upload(request, expect=400)["detail"]
    vendor.publish(release, 2**32 - 1)


def test_errors_do_not_write_to_the_terminal(vendor):
    """They quote what others said."""
    path = vendor.server.folder / "bad.json"
    path.write_text(
        '{"pqota-trust": 1, "documents": [{"role": "\\u202egpj.x", "repository": "director",'
        ' "document": {}}]}'
    )
    refused = vendor.server.pqota("trust", "sign", path, "--key", vendor.key("targets"), "--yes", check=1)
    assert "\\u202egpj.x" in refused.err and "\u202e" not in refused.err
