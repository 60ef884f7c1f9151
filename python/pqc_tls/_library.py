"""Finds libpqc_tls and tells ctypes how its functions look. ctypes releases the GIL around each call."""

import ctypes
import os
import pathlib
import stat
import threading
from collections.abc import Callable
from typing import Any

from pqc_tls._origin import TREE
from pqc_tls.errors import PQCTLSLibraryError

WANT_READ = -2
WANT_WRITE = -3

NAME = "libpqc_tls.so.1"
VARIABLE = "PQC_TLS_LIBRARY"
BUILT = pathlib.Path("build", "release", "src", "tls", NAME)

_HANDLE = ctypes.c_void_p
_TEXT = ctypes.c_char_p

# The handle of a context or connection is an address; None is NULL.
_FUNCTIONS: dict[str, tuple[object, list[object]]] = {
    "create_server_ctx": (_HANDLE, [_TEXT, _TEXT, _TEXT, _TEXT, _TEXT, ctypes.c_bool]),
    "create_client_ctx": (_HANDLE, [_TEXT, _TEXT, _TEXT, _TEXT, _TEXT]),
    "free_ctx": (None, [_HANDLE]),
    "begin": (_HANDLE, [_HANDLE, ctypes.c_int, _TEXT]),
    "handshake": (ctypes.c_int, [_HANDLE]),
    "try_read": (ctypes.c_int, [_HANDLE, ctypes.c_void_p, ctypes.c_int]),
    "try_write": (ctypes.c_int, [_HANDLE, ctypes.c_void_p, ctypes.c_int]),
    "try_shutdown": (ctypes.c_int, [_HANDLE]),
    "pending": (ctypes.c_int, [_HANDLE]),
    "free_conn": (None, [_HANDLE]),
    "error": (_TEXT, []),
    "version": (_TEXT, []),
    "group": (_TEXT, [_HANDLE]),
    "signature": (_TEXT, [_HANDLE]),
    "cipher": (_TEXT, [_HANDLE]),
    "peer_common_name": (_TEXT, [_HANDLE]),
    "peer_san": (_TEXT, [_HANDLE]),
    "peer_fingerprint": (_TEXT, [_HANDLE]),
    "peer_serial": (_TEXT, [_HANDLE]),
    "peer_issuer": (_TEXT, [_HANDLE]),
    "peer_not_after": (ctypes.c_longlong, [_HANDLE]),
    "resumed": (ctypes.c_bool, [_HANDLE]),
}

_lock = threading.Lock()
_loaded: "Library | None" = None


class Library:
    """The loaded library: function pqc_tls_X as attribute X."""

    def __init__(self, path: str, handle: ctypes.CDLL) -> None:
        self.path = path
        for name, (result, arguments) in _FUNCTIONS.items():
            try:
                function = getattr(handle, "pqc_tls_" + name)
            except AttributeError:
                raise PQCTLSLibraryError(
                    f"{path} has no pqc_tls_{name}: it is older than this package; install the one that "
                    "belongs to it"
                ) from None
            function.restype = result
            function.argtypes = arguments
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(f"libpqc_tls has no function pqc_tls_{name} that is known here")

    def reason(self) -> str:
        """What failed last in this thread."""
        text = self.error()
        return text.decode(errors="replace") if text else "libpqc_tls gives no reason"


def _foreign(path: pathlib.Path) -> pathlib.Path | None:
    """The file, or the folder above it, that others may write or own: nobody else may slip a library under a
    path that was only written down at installation."""
    for place in (path, *path.parents):
        status = place.stat()
        shared = status.st_mode & 0o022 and not (status.st_mode & stat.S_ISVTX and place != path)
        if shared or status.st_uid not in (0, os.geteuid()):
            return place
    return None


def _built() -> list[pathlib.Path]:
    """The freshly built library of the tree that this file is in, or was installed from."""
    beside = pathlib.Path(__file__).resolve().parents[2]
    trees = [beside] if (beside / "include" / "pqc_tls.h").is_file() else []
    trees += [pathlib.Path(TREE)] if TREE is not None else []
    return [tree / BUILT for tree in trees]


def _open() -> Library:
    chosen = os.environ.get(VARIABLE)
    if chosen:
        try:
            return Library(chosen, ctypes.CDLL(chosen))
        except OSError as error:
            if isinstance(error, PQCTLSLibraryError):
                raise
            raise PQCTLSLibraryError(
                f"{VARIABLE} names {chosen}, which cannot be loaded: {error}"
            ) from None
    tried: list[str] = []
    for name in [NAME, f"/usr/local/lib/{NAME}"]:
        try:
            return Library(name, ctypes.CDLL(name))
        except OSError as error:
            tried.append(str(error) if name in str(error) else f"{name}: {error}")
    for path in _built():
        try:
            foreign = _foreign(path)
            if foreign is None:
                return Library(str(path), ctypes.CDLL(str(path)))
            tried.append(f"{path}: is left alone, since others may write {foreign}, or own it")
        except FileNotFoundError:
            tried.append(f"{path}: is not there (make build makes it)")
        except OSError as error:
            tried.append(str(error))
    raise PQCTLSLibraryError(
        f"{NAME} was not found. Install it (make install, then ldconfig), build it (make build), or name "
        f"it in the environment variable {VARIABLE}, which is not set. Looked at:\n  " + "\n  ".join(tried)
    )


def library() -> Library:
    """The library, loaded at its first use."""
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = _open()
        return _loaded


def path_bytes(
    what: str, value: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None
) -> bytes | None:
    """A path or name for the C library."""
    if value is None:
        return None
    raw = os.fsencode(value)
    if b"\0" in raw:
        raise ValueError(f"{what} has a NUL byte in it")
    return raw
