"""Fixtures over tests/lib/harness.py."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import harness  # noqa: E402
from through_proxy import goes_through  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "through_proxy: is also run with nginx in front of the server")


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
