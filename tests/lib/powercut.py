"""Rebuilds a folder as a power cut would have left it, from what the preload library powercut.so recorded.

    log = powercut.Log(path)
    for cut in log.cuts():                       # or any offset up to log.size
        powercut.Disk(log, cut).write_to(folder) # only what was flushed is there
        powercut.Disk(log, cut, random.Random(7)).write_to(folder)  # some of the rest as well

The rules are those of POSIX at their worst: the bytes of a file are on the disk once an fsync (or
fdatasync) of that file that began after they were written has come back; a name is in its folder, or gone
from it, once the folder itself was flushed. Flushing a file does not flush its name.

A folder that was not empty when recording began is looked at before: Log(path, powercut.Base(folder)).

A program whose acknowledgements do not go through descriptor 1 (a server's go over sockets) is cut at the
place where the log stood when its answer had arrived: os.path.getsize(log), since all that happened
before the answer is in the log by then.
"""

import os
import struct

HEADER = struct.Struct("<IIQQIIQ")
MAGIC = 0x31637770
CREATE, MKDIR, WRITE, SIZE, FSYNC, RENAME, LINK, UNLINK, RMDIR, ACK, SYMLINK, SYNCFS = range(1, 13)
SECTOR = 512  # what a disk writes whole or not at all

IGNORED_ENDINGS = ("-shm",)  # SQLite's shared memory: never looked at after a restart


def environment(shim, folder, log, acks=False):
    """What to add to a program's environment. Programs built with AddressSanitizer are fine."""
    env = {
        "LD_PRELOAD": str(shim),
        "PQOTA_POWERCUT_DIR": str(folder),
        "PQOTA_POWERCUT_LOG": str(log),
        "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0",
    }
    if acks:
        env["PQOTA_POWERCUT_ACK"] = "1"
    return env


class Record:
    __slots__ = ("at", "end", "kind", "inode", "a", "path", "path2", "data")

    def __init__(self, at, end, kind, inode, a, path, path2, data):
        self.at, self.end, self.kind, self.inode, self.a = at, end, kind, inode, a
        self.path, self.path2, self.data = path, path2, data


class Symlink:
    """Its text comes to the disk with its name, as file systems do it that keep it in the inode."""

    def __init__(self, to):
        self.to = to


class Base:
    """What a folder held before the recording began; all of it counts as flushed."""

    def __init__(self, path):
        self.inode = os.stat(path).st_ino
        self.entries = {}  # name -> Base, or (inode, bytes)
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                self.entries[entry.name] = Base(entry.path)
            elif entry.is_symlink():
                self.entries[entry.name] = Symlink(os.readlink(entry.path))
            else:
                with open(entry.path, "rb") as f:
                    self.entries[entry.name] = (entry.inode(), f.read())


class Log:
    """All records; a position is a byte offset in the log file."""

    def __init__(self, path, base=None):
        self.base = base
        with open(path, "rb") as f:
            raw = f.read()
        self.records = []
        at = 0
        while at + HEADER.size <= len(raw):
            magic, kind, inode, a, n1, n2, n = HEADER.unpack_from(raw, at)
            if magic != MAGIC:
                raise ValueError(f"{path} is damaged at byte {at}")
            p = at + HEADER.size
            end = p + n1 + n2 + n
            if end > len(raw):
                break  # the recorded program was killed in the middle of this record
            path1 = raw[p : p + n1].decode(errors="surrogateescape")
            path2 = raw[p + n1 : p + n1 + n2].decode(errors="surrogateescape")
            self.records.append(Record(at, end, kind, inode, a, path1, path2, raw[p + n1 + n2 : end]))
            at = end
        self.size = at

    def acks(self):
        """(position, line) of each line that was acknowledged on descriptor 1."""
        return [
            (r.end, line)
            for r in self.records
            if r.kind == ACK
            for line in r.data.decode().splitlines()
        ]

    def cuts(self):
        """Every position between two records."""
        return [r.end for r in self.records]


class File:
    def __init__(self, base=b""):
        self.base = base
        self.changes = []  # records, in order
        self.flushed = 0  # position: what was recorded before it is on the disk


class Folder:
    def __init__(self):
        self.now = {}  # name -> File or Folder, as the program sees it
        self.changes = []  # (position, name, what or None)
        self.flushed = 0

    def put(self, at, name, what):
        self.changes.append((at, name, what))
        if what is None:
            self.now.pop(name, None)
        else:
            self.now[name] = what


class Disk:
    """The folder after a cut at `cut`. With a random generator, changes that were not flushed are there or
    not by chance, a file's by the sector; a rename's two halves together. Without one, none of them is."""

    def __init__(self, log, cut, rng=None):
        self.root = Folder()
        self.rng = rng
        self.chances = {}
        self.by_inode = {}
        if log.base:
            self._put_base(self.root, log.base)
        for r in log.records:
            if r.end > cut:
                break
            self._replay(r)

    def _put_base(self, folder, base):
        self.by_inode[base.inode] = folder
        for name, what in base.entries.items():
            if isinstance(what, Base):
                thing = Folder()
                self._put_base(thing, what)
            elif isinstance(what, Symlink):
                thing = what
            else:
                thing = self.by_inode[what[0]] = File(what[1])
            folder.put(-1, name, thing)

    # -- the program's view --

    def _folder_of(self, path):
        *parents, name = path.split("/")
        folder = self.root
        for part in parents:
            folder = folder.now[part]
        return folder, name

    def _replay(self, r):
        if r.kind in (CREATE, MKDIR):
            thing = File() if r.kind == CREATE else Folder()
            self.by_inode[r.inode] = thing  # a number that was used before belongs to a file that is gone
            folder, name = self._folder_of(r.path)
            folder.put(r.at, name, thing)
        elif r.kind == SYMLINK:
            folder, name = self._folder_of(r.path)
            folder.put(r.at, name, Symlink(r.data.decode()))
        elif r.kind == SYNCFS:
            self._flush_all(self.root, r.a)
        elif r.kind in (WRITE, SIZE):
            self._thing(r.inode).changes.append(r)
        elif r.kind == FSYNC:
            thing = self._thing(r.inode)
            thing.flushed = max(thing.flushed, r.a)
        elif r.kind == RENAME:
            source, old = self._folder_of(r.path)
            target, new = self._folder_of(r.path2)
            thing = source.now[old]
            if target.now.get(new) is thing:
                return  # two names of one file: rename(2) does nothing
            source.put(r.at, old, None)
            target.put(r.at, new, thing)
        elif r.kind == LINK:
            source, old = self._folder_of(r.path)
            target, new = self._folder_of(r.path2)
            target.put(r.at, new, source.now[old])
        elif r.kind in (UNLINK, RMDIR):
            folder, name = self._folder_of(r.path)
            folder.put(r.at, name, None)

    def _flush_all(self, thing, at):
        if isinstance(thing, Symlink):
            return
        thing.flushed = max(thing.flushed, at)
        if isinstance(thing, Folder):
            for below in thing.now.values():
                self._flush_all(below, at)

    def _thing(self, inode):
        if inode not in self.by_inode:  # the recorded folder itself is the only one not made under record
            self.by_inode[inode] = self.root
        return self.by_inode[inode]

    # -- the disk's view --

    def _there(self, position, flushed):
        if position < flushed:
            return True
        if self.rng is None:
            return False
        if position not in self.chances:
            self.chances[position] = self.rng.random() < 0.5
        return self.chances[position]

    def _bytes(self, file):
        data = bytearray(file.base)
        for r in file.changes:
            if r.kind == SIZE:
                if self._there(r.at, file.flushed):
                    del data[r.a :]
                    data.extend(bytes(r.a - len(data)))
                continue
            if r.at < file.flushed:
                self._overwrite(data, r.a, r.data)
            elif self.rng is not None:
                at = 0
                while at < len(r.data):
                    n = min(SECTOR - (r.a + at) % SECTOR, len(r.data) - at)
                    if self.rng.random() < 0.5:
                        self._overwrite(data, r.a + at, r.data[at : at + n])
                    at += n
        return data

    @staticmethod
    def _overwrite(data, at, piece):
        if at > len(data):
            data.extend(bytes(at - len(data)))
        data[at : at + len(piece)] = piece

    def _entries(self, folder):
        names = {}
        for at, name, thing in folder.changes:
            if self._there(at, folder.flushed):
                if thing is None:
                    names.pop(name, None)
                else:
                    names[name] = thing
        return names

    def write_to(self, path):
        """Makes `path`, which must not exist."""
        self._write_folder(self.root, str(path))

    def _write_folder(self, folder, path):
        os.mkdir(path, 0o700)
        for name, thing in self._entries(folder).items():
            where = os.path.join(path, name)
            if isinstance(thing, Folder):
                self._write_folder(thing, where)
            elif isinstance(thing, Symlink):
                os.symlink(thing.to, where)
            elif not name.endswith(IGNORED_ENDINGS):
                with open(where, "wb") as f:
                    f.write(self._bytes(thing))
                os.chmod(where, 0o600)
