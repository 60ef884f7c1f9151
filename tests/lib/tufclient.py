"""pqota-tuf as a test runs it, with a metadata folder and a downloads folder of its own."""

import json
import pathlib

import harness
import tufserver


class Client:
    """One pqota-tuf that follows one tufrepo.Repository, which it serves."""

    def __init__(self, folder, repo):
        self.folder, self.repo = pathlib.Path(folder), repo
        self.metadata, self.targets = self.folder / "metadata", self.folder / "targets"
        self.metadata.mkdir(parents=True)
        self.targets.mkdir()
        self.server = tufserver.Server(repo)

    def close(self):
        self.server.close()

    # --- commands -----------------------------------------------------------------------------------

    def run(self, *argv, later=0, check=None):
        """later: days by which the program's clock is ahead."""
        return harness.run([harness.program("pqota-tuf"), *argv], check=check, later=later, timeout=20)

    def init(self, root=None, check=0):
        """root: bytes; the repository's first one unless told otherwise."""
        file = self.folder / "initial.json"
        file.write_bytes(self.repo.file("root", 1) if root is None else root)
        return self.run("--metadata-dir", self.metadata, "init", file, check=check)

    def begin(self):
        """What init does, without a process."""
        (self.metadata / "root.json").write_bytes(self.repo.file("root", 1))

    def refresh(self, check=0, later=0, more=()):
        url = self.server.metadata_url
        return self.run(
            "--metadata-dir",
            self.metadata,
            "--metadata-url",
            url,
            *more,
            "refresh",
            check=check,
            later=later,
        )

    def download(self, *names, check=0, later=0, more=()):
        argv = ["--metadata-dir", self.metadata, "--metadata-url", self.server.metadata_url]
        for name in names:
            argv += ["--target-name", name]
        argv += [
            "--target-dir",
            self.targets,
            "--target-base-url",
            self.server.targets_url,
            *more,
            "download",
        ]
        return self.run(*argv, check=check, later=later)

    # --- what it keeps ------------------------------------------------------------------------------

    def trusted(self):
        """{file name without .json: version}; nothing else may lie in the folder."""
        found = {}
        for path in self.metadata.iterdir():
            assert path.suffix == ".json", f"left behind: {path.name}"
            found[path.name.removesuffix(".json")] = json.loads(path.read_bytes())["signed"]["version"]
        return found

    def stored(self, role):
        """The bytes of its file, None when there is none."""
        path = self.metadata / f"{role}.json"
        return path.read_bytes() if path.exists() else None

    def downloads(self):
        """{file name: bytes}"""
        return {path.name: path.read_bytes() for path in self.targets.iterdir()}
