"""Fixtures over tests/lib/harness.py."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import harness  # noqa: E402
from announced import is_up  # noqa: E402
from certificates import issue  # noqa: E402
from hostile import Stage  # noqa: E402
from mosquitto import Mosquitto  # noqa: E402
from through_proxy import goes_through  # noqa: E402
from tufclient import Client  # noqa: E402
from tufrepo import Repository  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "through_proxy: is also run with nginx in front of the server")
    config.addinivalue_line("markers", "long: make soak runs it with more repetitions")


def pytest_collection_modifyitems(items):
    for item in items:
        if goes_through(item.path.stem, item.originalname):
            item.add_marker("through_proxy")


@pytest.fixture
def make_server(tmp_path):
    """Makes servers that end with the test, each in a folder of its own."""
    made = []

    def make(settings=None, start=True, **kw):
        folder = tmp_path / f"s{len(made)}"
        folder.mkdir()
        server = harness.Server(folder, settings, **kw)
        made.append(server)
        return server.start() if start else server

    yield make
    for server in made:
        server.close()


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server for a module's tests that do not disturb each other."""
    server = harness.Server(tmp_path_factory.mktemp("shared")).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def unstarted(tmp_path_factory):
    """A server that was set up and does not run: its authorities, and what it configures others with."""
    return harness.Server(tmp_path_factory.mktemp("unstarted"))


@pytest.fixture(scope="module")
def devices(unstarted, tmp_path_factory):
    """Two devices' certificates, as the device authority of `unstarted` issues them."""
    folder = tmp_path_factory.mktemp("devices")
    return {name: issue(unstarted, folder, name, "-days", "30") for name in ("dev-1", "dev-2")}


@pytest.fixture
def broker(server, tmp_path):
    """A mosquitto as the test's server configures it."""
    it = Mosquitto(server, tmp_path).start()
    yield it
    it.stop()


@pytest.fixture
def make_broker(tmp_path):
    """Makes brokers that servers announce at; they end with the test."""
    made = []

    def make(server, start=True):
        broker = Mosquitto(server, tmp_path)
        made.append(broker)
        server.set("mqtt.enabled", "yes")
        server.set("mqtt.broker", broker.broker)
        return broker.start() if start else broker

    yield make
    for broker in made:
        broker.stop()


@pytest.fixture
def pair(make_server, make_broker):
    """A server and its broker, connected."""
    server = make_server(start=False)
    broker = make_broker(server)
    server.start()
    harness.wait_for(lambda: is_up(server), what="the server is connected to the broker")
    return server, broker


@pytest.fixture
def make_agent(tmp_path):
    """Makes agents that end with the test."""
    made = []

    def make(server, device, model, **kw):
        agent = harness.Agent(server, tmp_path / "agents", device, model, **kw)
        made.append(agent)
        return agent

    yield make
    for agent in made:
        agent.stop()


@pytest.fixture
def tuf(tmp_path):
    """Makes clients (pqota-tuf) that were given a repository's first root; all end with the test."""
    made = []

    def make(repo=None, init=True):
        client = Client(tmp_path / f"tuf{len(made)}", repo or Repository())
        made.append(client)
        if init:
            client.begin()
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A server in the wrong hands and a real device, for all of a module's attacks."""
    made = Stage(tmp_path_factory.mktemp("stage"))
    yield made
    made.close()


@pytest.fixture
def scene(stage):
    """The device runs 1.0, and nothing is offered yet."""
    made = stage.again()
    yield made
    made.close()
