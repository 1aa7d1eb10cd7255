"""From a folder that is being built to a run that is there: all of it or nothing.

``.building-<run id>-<pid>/`` holds ``page/``, what will be published, and ``work/``, what will not. One
rename publishes. Whoever builds holds a lock in it, so that what a killed run left is told from what
another run is still making.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from ..errors import RunError
from ..language import speaking
from .manifest import changes, read_manifest

# Windows has none: an open file cannot be removed there, which serves as the lock.
fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None
BUILDING, REPLACED = ".building-", ".replaced-"


@contextmanager
def building(out: Path, run_id: str) -> Iterator[Path]:
    """An empty folder to build ``run_id`` in, as an absolute path: kernels work elsewhere. Gone afterwards."""
    folder = out.absolute() / f"{BUILDING}{run_id}-{os.getpid()}"
    folder.mkdir(mode=0o700)
    with open(folder / "lock", "w") as lock:
        _hold(lock)
        try:
            (folder / "work").mkdir()
            (folder / "page").mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def clear(out: Path) -> None:
    """Remove what killed runs left in ``out``, and bring back a run that one had put aside to replace it."""
    for folder in sorted(out.glob(f"{REPLACED}*")):
        run = out / folder.name.removeprefix(REPLACED)
        if run.exists():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            os.replace(folder, run)
    for folder in sorted(out.glob(f"{BUILDING}*")):
        if not _is_held(folder / "lock"):
            shutil.rmtree(folder, ignore_errors=True)


def _hold(lock: IO[str]) -> None:
    if fcntl:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_held(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        with open(path) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def publish(page: Path, run: Path, *, replace: bool = False) -> None:
    """Make ``page`` the run folder ``run``, durable before it is visible.

    With ``replace`` the run that is there is put aside first; ``clear`` brings it back if the
    process dies between the two renames. Without, a run that is there stays: it is the same one.
    """
    page.chmod(0o777 & ~_umask())
    _sync_all(page)
    if replace and run.exists():
        aside = run.with_name(REPLACED + run.name)
        os.replace(run, aside)
        os.replace(page, run)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        try:
            os.rename(page, run)
        except OSError:
            if not (run / "manifest.json").exists():
                raise
    _sync(run.parent)


def point_to(out: Path, run_id: str) -> Path:
    """``out/index.html`` and ``out/latest`` name ``run_id`` as the newest run; the page to open.

    The list of runs speaks the language of that run.
    """
    from ..report.runs import runs_page

    _replace(out / "latest", f"{run_id}\n")
    found = (read_manifest(path.parent) for path in sorted(out.glob("*/manifest.json")) if path.parent.name[0] != ".")
    runs = {run["run_id"]: run for run in found if "finished" in run}
    with speaking(runs[run_id]["parameters"]["lang"]):
        _replace(out / "index.html", runs_page(runs.values(), run_id, committee_of(out)))
    return out / "index.html"


def committee_of(out: Path) -> dict[str, Any]:
    """What the committee's pages beside the runs say they were made from; empty where there are none."""
    try:
        return json.loads((out / "committee" / "committee.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def verify(run: Path) -> None:
    """Raise if a published run is no longer what was published."""
    if damaged := changes(run):
        raise RunError(
            f"{run.name} is published already, but was changed since: {', '.join(damaged[:3])}"
            f"{f' and {len(damaged) - 3} more' if len(damaged) > 3 else ''}. "
            "Published runs never change; make it anew with --force."
        )


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with open(draft, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


def _sync_all(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return
    with suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
