"""One at a time in a folder, by a lock of the operating system: whoever dies lets go of it, so none is ever stale.

The file that is locked says who holds it. It is taken away when the lock is given back, so a file with words in it that
nobody holds was left by one who was killed.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import RunError

fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None
msvcrt: Any = None if fcntl else import_module("msvcrt")

LOCK = ".lock"  # of whoever computes in DIR
PAGES = ".pages.lock"  # of whoever writes what lies beside the runs: latest, index.html, status.json, committee/
GLANCE = 0.5  # seconds for which a lock without words may be only somebody's look at it
PAUSE = 0.1  # seconds between two looks at a lock that somebody else holds
FAR = 1 << 20  # Windows keeps others from reading what is locked, so a byte far behind the words is
_mine: set[int] = set()


@dataclass(frozen=True)
class Holder:
    """Who works in a folder: ``verb`` of perfmodel, process ``pid`` on ``host``, ``since`` (UTC)."""

    host: str
    pid: int
    since: str
    verb: str

    def __str__(self) -> str:
        return f"perfmodel {self.verb} (process {self.pid} on {self.host}, since {self.since} UTC)"


class Busy(RunError):
    """Somebody else works in the folder; ``holder`` is who, None where that is not written yet."""

    def __init__(self, folder: Path, holder: Holder | None):
        self.holder = holder
        who = str(holder) if holder else "somebody"
        super().__init__(
            f"{who} works in {folder}, and two at once would publish over each other. "
            "Let it finish, or wait for it with --wait SECONDS."
        )


@contextmanager
def held(
    folder: Path,
    verb: str,
    *,
    wait: float = 0.0,
    name: str = LOCK,
    tell: Callable[[str], None] = lambda text: None,
) -> Iterator[Holder | None]:
    """Hold the lock ``name`` of ``folder`` for ``verb``; the value is whoever was killed while holding it.

    A folder that is not there is made, and taken away again if nothing came into it.

    Raises
    ------
    Busy
        If somebody else still holds it after ``wait`` seconds.
    RunError
        If the file system knows no locks.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path, began, told = folder / name, time.monotonic(), False
    until = began + wait
    while (handle := _take(path)) is None:
        holder = _read(path)
        if time.monotonic() >= (until if holder else max(until, began + GLANCE)):
            raise Busy(folder, holder)
        if holder and not told:
            tell(f"waiting up to {wait:g} s for {holder} in {folder}")
            told = True
        time.sleep(PAUSE)
    _mine.add(handle)
    try:
        dead = _read(path)
        _write(handle, Holder(socket.gethostname(), os.getpid(), now(), verb))
        yield dead
    finally:
        _mine.discard(handle)
        _give_back(handle, path)
        if made:
            with suppress(OSError):  # somebody put something into it
                folder.rmdir()


def holder_of(folder: Path, name: str = LOCK) -> tuple[Holder | None, bool]:
    """Whom the lock of ``folder`` names, and whether that one still holds it; (None, False) where it is free."""
    path = folder / name
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return (_read(path), path.exists())  # not ours to lock, so not ours to call abandoned
    try:
        free = _lock(handle, path)
        return _read(path), not free
    finally:
        os.close(handle)


def now() -> str:
    """The moment in UTC, as manifests have it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _take(path: Path) -> int | None:
    """An open handle that holds the lock, None where somebody else does."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _lock(handle, path):
                os.close(handle)
                return None
            if _is_there(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # whoever held it took the file away meanwhile: lock the new one


def _lock(handle: int, path: Path) -> bool:
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(handle, FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as problem:
        raise RunError(
            f"The file system of {path.parent} has no locks ({problem.strerror}), so two runs at once could not be "
            "told apart there. Publish on another disk with --out."
        ) from None
    return True


def _is_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _give_back(handle: int, path: Path) -> None:
    """Away with the words, then with the file (where an open one can be), then with the lock: in this order."""
    os.ftruncate(handle, 0)
    with suppress(OSError):
        path.unlink()
    os.close(handle)


def _write(handle: int, holder: Holder) -> None:
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, json.dumps(asdict(holder)).encode("utf-8"))


def _read(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _forget() -> None:
    """In a forked child: it must not keep alive what its parent holds."""
    for handle in _mine:
        os.close(handle)
    _mine.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
