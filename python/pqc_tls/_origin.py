"""The source tree that this package was installed from; written anew by setup.py."""

TREE: str | None = None
