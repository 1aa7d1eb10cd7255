"""Runs and tables of quarters in object storage, and into it.

A run is made on this machine, in a folder that looks like DIR, by the run of all folders; then it goes up: its files,
then its manifest, then ``index.html``, and ``latest`` last. Until then the newest run is the one before. A run is
there when its manifest is; what a killed upload left has none, and the next run takes it away.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import PerfmodelError, RunError
from ..io.store import Store, fetched, open_store
from ..urls import is_url
from . import lock
from .run import FAILED, Progress
from .run import run as run_here
from .run import write_tables as tables_here

RUN_ID = re.compile(r"[0-9a-f]{4}(-[0-9a-f]{4}){2,15}")
UPLOADING = ".uploading-"  # beside a run while it goes up
PATIENCE = 600.0  # seconds to wait for others who look after the same temporary folder
LEFT_AFTER = timedelta(hours=6)  # another run's upload without an end is taken for a killed one


def run(source: str, *, out: str | Path | None = None, progress: Progress | None = None, **options: Any) -> str | Path:
    """:func:`perfmodel.runner.run.run`, where ``source`` and ``out`` may be addresses in object storage; the page.

    Notebooks are given the address, so that an executed one names it, and read the run's own numbers. Whoever may
    read below DIR/<run id>/restricted/ is for the store to say: object storage has no modes.
    """
    progress = progress or Progress()
    with ExitStack() as stack:
        if is_url(source):
            copy = stack.enter_context(fetched(source))
            place, options["known_as"] = str(copy.path), source
        else:
            place = source
        if out is None or not is_url(out):
            return run_here(place, out=out, progress=progress, **options)
        mirror = stack.enter_context(mirrored(str(out)))
        heard = replace(progress, say=lambda text: progress.say(mirror.named(text)))
        try:
            run_here(place, out=mirror.folder, progress=heard, bring=mirror.bring, **options)
        except PerfmodelError as refusal:
            refusal.args = (mirror.named(str(refusal)),)
            mirror.put_failed()
            raise
        return mirror.put_up()


def write_tables(source: str, out: str, **options: Any) -> dict[str, int]:
    """:func:`perfmodel.runner.run.write_tables`, where both may be addresses; files that stand there are replaced."""
    with ExitStack() as stack:
        place = str(stack.enter_context(fetched(source)).path) if is_url(source) else source
        if not is_url(out):
            return tables_here(place, out, **options)
        store, folder = open_store(out), stack.enter_context(_folder())
        rows = tables_here(place, folder, **options)
        store.put(sorted(rows), folder)
        return rows


class Mirror:
    """DIR in object storage and the folder here that stands for it: all manifests, no other file of earlier runs."""

    def __init__(self, store: Store, folder: Path):
        self.store, self.folder = store, folder
        there = store.entries()
        runs: list[str] = []
        left: list[str] = []
        for name, entry in there.items():
            if entry["type"] == "directory" and RUN_ID.fullmatch(name):
                (runs if "manifest.json" in store.entries(name) else left).append(name)
        self._remove_left([name for name in left if self._is_left(name, there)], there)
        store.get([f"{name}/manifest.json" for name in runs], folder)
        beside: list[str] = [name for name in ("latest", "index.html") if name in there]
        if "committee" in there and "committee.json" in store.entries("committee"):
            beside.append("committee/committee.json")
        store.get(beside, folder)
        self._before = {name: (folder / name / "manifest.json").read_bytes() for name in runs}

    def named(self, text: str) -> str:
        """``text`` with the address where it names the folder here."""
        return text.replace(str(self.folder), self.store.url)

    def bring(self, run: Path) -> None:
        """All files of a run that is there, to be looked at."""
        self.store.get([f"{run.name}/{name}" for name in self.store.files_below(run.name)], self.folder)

    def put_up(self) -> str:
        """What the run here made, in an order in which no reader sees half of it; the page to open."""
        run_id = (self.folder / "latest").read_text(encoding="utf-8").strip()
        manifest = f"{run_id}/manifest.json"
        if self._before.get(run_id) != (self.folder / manifest).read_bytes():
            marker = f"{UPLOADING}{run_id}"
            self.store.write(marker, b"")
            files = [p.relative_to(self.folder).as_posix() for p in (self.folder / run_id).rglob("*") if p.is_file()]
            gone = {f"{run_id}/{name}" for name in self.store.files_below(run_id)} - set(files)
            self.store.remove(sorted(gone))
            self.store.put(sorted(name for name in files if name != manifest), self.folder)
            self.store.put([manifest], self.folder)
            self.store.remove([marker])
        for name in ("index.html", "latest"):
            self.store.write(name, (self.folder / name).read_bytes())
        return f"{self.store.url}/index.html"

    def put_failed(self) -> None:
        """The notebooks of a failed run as far as they came, where their author can open them."""
        kept = [p.relative_to(self.folder).as_posix() for p in (self.folder / FAILED).glob("*") if p.is_file()]
        self.store.put(sorted(kept), self.folder)

    def _is_left(self, run_id: str, there: dict[str, dict]) -> bool:
        """Whether nobody is still putting the run up: no marker, or one of long ago."""
        marker = there.get(f"{UPLOADING}{run_id}")
        if marker is None:
            return True
        since = marker.get("LastModified") or marker.get("updated") or marker.get("last_modified")
        return isinstance(since, datetime) and datetime.now(UTC) - since > LEFT_AFTER

    def _remove_left(self, run_ids: list[str], there: dict[str, dict]) -> None:
        for run_id in run_ids:
            self.store.remove([f"{run_id}/{name}" for name in self.store.files_below(run_id)])
            self.store.remove([name for name in (f"{UPLOADING}{run_id}",) if name in there])


@contextmanager
def mirrored(url: str) -> Iterator[Mirror]:
    """DIR at ``url`` as a folder here, gone afterwards."""
    store = open_store(url)
    with _folder() as folder:
        yield Mirror(store, folder)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder of this process's own; those that killed processes left are taken away first."""
    beside = Path(tempfile.gettempdir()) / f"perfmodel-runs-{os.getuid() if hasattr(os, 'getuid') else 'own'}"
    beside.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and beside.stat().st_uid != os.getuid():
        raise RunError(f"{beside} belongs to somebody else, and a run holds names; set TMPDIR to a folder of your own.")
    with ExitStack() as stack:
        with lock.held(beside, "run", wait=PATIENCE):
            for left in (one for one in beside.iterdir() if one.is_dir() and not lock.holder_of(one)[1]):
                shutil.rmtree(left, ignore_errors=True)
            own = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=beside, ignore_cleanup_errors=True)))
            stack.enter_context(lock.held(own, "run"))
        page = own / "page"
        page.mkdir()
        yield page
