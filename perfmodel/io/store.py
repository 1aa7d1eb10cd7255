"""Object storage through fsspec: quarters fetched from it as bytes, and files put into it.

Whoever reads a quarter at an address reads a copy of its bytes in a temporary folder by the reader of all folders, so
digests, findings and earlier quarters are the same. Credentials are the environment's, and no message repeats them.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import basename, dirname
from typing import Any

from ..errors import DataError, Finding, PerfmodelError
from ..urls import KINDS, checked

READ = (".csv", ".parquet", ".xlsx", ".xlsm", ".yaml")  # of other files the reader only says that they are there
AT_ONCE = 16  # files on their way at a time


@dataclass(frozen=True)
class Store:
    """A folder in object storage: ``url`` as typed, its file system, and the path of the folder there."""

    url: str
    fs: Any
    root: str

    def path(self, name: str = "") -> str:
        return f"{self.root}/{name}" if name else self.root

    def entries(self, name: str = "") -> dict[str, dict]:
        """What lies directly in a folder, by name; empty where there is none."""
        with self._said():
            try:
                found = self.fs.ls(self.path(name), detail=True, refresh=True)
            except FileNotFoundError:
                return {}
        inside = self.path(name) + "/"
        # A marker object of the folder itself bears the folder's name.
        return {basename(e["name"].rstrip("/")): e for e in found if e["name"].rstrip("/").startswith(inside)}

    def files_below(self, name: str) -> list[str]:
        """Paths, from ``name``, of all files below it."""
        with self._said():
            self.fs.invalidate_cache()
            return [path.removeprefix(self.path(name) + "/") for path in self.fs.find(self.path(name))]

    def get(self, names: Iterable[str], folder: Path) -> None:
        """Copy files, by their paths from here, to the same places below ``folder``."""
        wanted = list(names)
        for name in wanted:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if wanted:
            with self._said():
                self.fs.get([self.path(n) for n in wanted], [str(folder / n) for n in wanted], batch_size=AT_ONCE)

    def put(self, names: Iterable[str], folder: Path) -> None:
        """Copy files from below ``folder`` to the same places here; back when all of them are there."""
        wanted = list(names)
        if wanted:
            with self._said():
                self.fs.put([str(folder / n) for n in wanted], [self.path(n) for n in wanted], batch_size=AT_ONCE)

    def write(self, name: str, content: bytes) -> None:
        """Put one file, whole: object storage shows it when all of it has arrived."""
        with self._said():
            self.fs.pipe_file(self.path(name), content)

    def remove(self, names: Iterable[str]) -> None:
        if wanted := [self.path(name) for name in names]:
            with self._said():
                self.fs.rm(wanted)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Errors of the store in our words: theirs may hold keys, and name neither address nor remedy."""
        try:
            yield
        except PermissionError:
            raise DataError(
                f"{self.url}: access is refused. Credentials come from the environment; check that they are there and "
                "permit to list, read and write below this address."
            ) from None
        except FileNotFoundError:
            raise DataError(f"{self.url}: there is no such bucket or file; correct the address.") from None
        except Exception as problem:
            raise DataError(
                f"{self.url} cannot be reached ({type(problem).__name__}). Check the address, the network and the "
                "credentials in the environment."
            ) from None


def open_store(url: str) -> Store:
    """The folder at ``url``, without asking yet whether anything is there.

    Raises
    ------
    DataError
        If the address holds a secret, or the package for it is not installed.
    """
    plain = checked(url)
    package = KINDS[plain.partition("://")[0]]
    try:
        from fsspec.core import url_to_fs

        fs, root = url_to_fs(plain, use_listings_cache=False)
    except ImportError:
        get = f"./run python -m pip install {package}"
        raise DataError(f"{plain}: the package {package} is not installed here. Get it with: {get}") from None
    return Store(plain, fs, root.rstrip("/"))


@dataclass(frozen=True)
class Fetched:
    """A copy of a quarter: ``path`` to read it at; ``named`` puts the address where a text names the copy."""

    path: Path
    named: Callable[[str], str]

    def findings(self, found: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(replace(f, file=self.named(f.file), message=self.named(f.message)) for f in found)


@contextmanager
def fetched(url: str) -> Iterator[Fetched]:
    """A copy of the quarter at ``url``, a folder or a workbook, and of the earlier quarters beside it; gone afterwards.

    Raises
    ------
    DataError
        If there is nothing, or it cannot be reached. What is raised inside the ``with`` block names ``url``.
    """
    plain = checked(url)
    book = basename(plain) if plain.lower().endswith((".xlsx", ".xlsm")) else ""
    folder = dirname(plain) if book else plain
    with tempfile.TemporaryDirectory(prefix="perfmodel-") as kept:
        beside = Path(kept).resolve()
        own = beside / basename(folder)
        above = dirname(folder)

        def named(text: str) -> str:
            return text.replace(str(own), folder).replace(str(beside), above)

        quarter = open_store(folder)
        if not _copy(quarter, own):
            raise DataError(f"{plain} does not exist, or holds nothing; give the folder of a quarter.")
        if not above.endswith(":/"):
            _copy_earlier(open_store(above), own, beside)
        copy = Fetched(own / book if book else own, named)
        try:
            yield copy
        except PerfmodelError as refusal:
            refusal.args = (named(str(refusal)),)
            refusal.findings = copy.findings(refusal.findings)
            raise


def _copy(store: Store, folder: Path) -> bool:
    """Copy what the reader reads, and an empty file for what it only names; whether anything is there."""
    files = [name for name, entry in store.entries().items() if entry["type"] == "file"]
    folder.mkdir()
    store.get([name for name in files if name.lower().endswith(READ)], folder)
    for name in files:
        if not name.lower().endswith(READ):
            (folder / name).touch()
    return bool(files)


def _copy_earlier(store: Store, own: Path, beside: Path) -> None:
    """Copy the quarters beside ``own`` that ended before it began: the reader takes no others."""
    from .earlier import dates_of

    dated = dates_of(own / "scheme.yaml")
    if dated is None:
        return
    folders = [name for name, entry in store.entries().items() if entry["type"] == "directory" and name != own.name]
    for name in folders:
        quarter = open_store(f"{store.url}/{name}")
        if "scheme.yaml" not in quarter.entries():
            continue
        quarter.get(["scheme.yaml"], beside / name)
        known = dates_of(beside / name / "scheme.yaml")
        if known and known[1] < dated[0]:
            (beside / name / "scheme.yaml").unlink()
            (beside / name).rmdir()
            _copy(quarter, beside / name)
