"""From a folder that is being built to a run that is there: all of it or nothing.

``.building-<name>-<pid>/`` holds ``page/``, what will be published, and ``work/``, what will not. One
rename publishes. Whoever builds or clears a name holds the lock that it belongs to (``lock``): one for the runs of a
folder, one for the pages beside them. So what lies there under that name was left by one who was killed.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..language import speaking
from . import lock
from .manifest import changes, published

BUILDING, REPLACED = ".building-", ".replaced-"
PATIENCE = 600.0  # seconds to wait for whoever writes the pages beside the runs: the committee's take their time
RUNS = "[0-9a-f]" * 4 + "-*"  # names of runs, as a pattern of file names


@contextmanager
def building(out: Path, name: str) -> Iterator[Path]:
    """An empty folder to build ``name`` in, as an absolute path: kernels work elsewhere. Gone afterwards.

    Its own name is of this process alone: the kernel of a killed run may for a moment go on writing into the old one.
    """
    folder = out.absolute() / f"{BUILDING}{name}-{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        (folder / "work").mkdir()
        (folder / "page").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear(out: Path, names: str) -> None:
    """Remove what was left half made of ``names`` (a pattern) in ``out``, and bring back what was put aside for it.

    Only for whoever holds the lock that these names belong to.
    """
    for folder in sorted(out.glob(f"{REPLACED}{names}")):
        run = out / folder.name.removeprefix(REPLACED)
        if run.exists():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            os.replace(folder, run)
    for folder in sorted(out.glob(f"{BUILDING}{names}-*")):
        shutil.rmtree(folder, ignore_errors=True)


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
    """``out/index.html`` and ``out/latest`` name ``run_id`` as the newest run; the page to open."""
    with lock.held(out, "run", wait=PATIENCE, name=lock.PAGES):
        replace_text(out / "latest", f"{run_id}\n")
        return list_runs(out)


def list_runs(out: Path) -> Path:
    """``out/index.html`` made anew from the manifests, for whoever holds the lock of the pages; the page to open.

    The list of runs speaks the language of the newest run.
    """
    from ..report.runs import runs_page

    run_id = newest(out)
    runs = {run["run_id"]: run for run in published(out)}
    if run_id not in runs:
        raise RunError(f"{out} names {run_id} as its newest run, and there is no whole run of that id. Run again.")
    with speaking(runs[run_id]["parameters"]["lang"]):
        replace_text(out / "index.html", runs_page(runs.values(), run_id, committee_of(out)))
    return out / "index.html"


def newest(out: Path) -> str:
    """Id of the newest run in ``out``, "" where there is none yet or nobody can read which."""
    try:
        return (out / "latest").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, ValueError):
        return ""


def committee_of(out: Path) -> dict[str, Any]:
    """What the committee's pages beside the runs say they were made from; empty where there are none, or they do not
    say it."""
    try:
        found = json.loads((out / "committee" / "committee.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    told = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in ("head", "run", "status"))
    return found if told else {}


def verify(run: Path) -> None:
    """Raise if a published run is no longer what was published."""
    if damaged := changes(run):
        raise RunError(
            f"{run.name} is published already, but was changed since: {', '.join(damaged[:3])}"
            f"{f' and {len(damaged) - 3} more' if len(damaged) > 3 else ''}. "
            "Published runs never change; make it anew with --force."
        )


def replace_text(path: Path, text: str) -> None:
    """``text`` in ``path``, durable, and never half of it."""
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
