"""The fixtures of the flow tests."""

import importlib.util
import pathlib

flow = pathlib.Path(__file__).resolve().parents[1] / "flow" / "conftest.py"
spec = importlib.util.spec_from_file_location("flow_conftest", flow)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
make_server, server, shared, make_agent = module.make_server, module.server, module.shared, module.make_agent
