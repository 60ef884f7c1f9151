"""Keeps the source tree clean while pip builds, and tells the package where it was built from."""

import atexit
import pathlib
import shutil
import tempfile

from setuptools import setup
from setuptools.command.build_py import build_py

PYTHON = pathlib.Path(__file__).resolve().parent
SCRATCH = tempfile.mkdtemp(prefix="pqc_tls-")
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)


class BuildPy(build_py):
    """Writes pqc_tls/_origin.py, so that the installed package finds this tree's library too."""

    def run(self) -> None:
        super().run()
        tree = PYTHON.parent
        if (tree / "meson.build").is_file():
            origin = pathlib.Path(self.build_lib) / "pqc_tls" / "_origin.py"
            origin.write_text(f"TREE: str | None = {str(tree)!r}\n", encoding="utf-8")


setup(
    cmdclass={"build_py": BuildPy},
    options={"build": {"build_base": SCRATCH}, "egg_info": {"egg_base": SCRATCH}},
)
