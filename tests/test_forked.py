"""Kernels forked from a process with the imports done: the same outputs as fresh ones, and as short a life."""

import json
import os
import re
import signal
import time
from functools import cache
from pathlib import Path

import psutil
import pytest
from tiny_notebooks import closing, write_notebook

import perfmodel as pm
from perfmodel.errors import RunError
from perfmodel.io import share
from perfmodel.runner import NOTEBOOKS, record
from perfmodel.runner.execute import Job, Kernels
from perfmodel.runner.run import can_fork

SAMPLE = NOTEBOOKS.parent / "data" / "2026Q3"
BOOKS = sorted(NOTEBOOKS.glob("*.ipynb"))


@cache
def patterns() -> tuple[tuple[str, str], ...]:
    """What nbval leaves out of its comparison, and what it puts in its place."""
    lines = Path(__file__).with_name("nbval_sanitize.cfg").read_text(encoding="utf-8").splitlines()
    found = [line.split(": ", 1)[1] for line in lines if line.startswith(("regex: ", "replace: "))]
    return tuple(zip(found[::2], found[1::2], strict=True))


def sanitised(value):
    """``value`` of a notebook as nbval compares it: lines joined, and without what its patterns leave out."""
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return sanitised("".join(value))
    if isinstance(value, list):
        return [sanitised(part) for part in value]
    if isinstance(value, dict):
        return {name: sanitised(part) for name, part in value.items()}
    for pattern, stands in patterns() if isinstance(value, str) else ():
        value = re.sub(pattern, stands, value)
    return value


def outputs(path: Path) -> list[tuple[str, list]]:
    """Source and outputs of each code cell that is the notebook's own; the word that its last cell leaves outside a
    run is none of its outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = []
    for cell in cells:
        if cell["cell_type"] == "code" and "injected-parameters" not in cell["metadata"].get("tags", []):
            shown = [
                {k: v for k, v in out.items() if k not in ("execution_count", "metadata")} for out in cell["outputs"]
            ]
            shown = [
                out
                for out in shown
                if out.get("text") not in (f"{path.stem}: complete\n", [f"{path.stem}: complete\n"])
            ]
            found.append(("".join(cell["source"]), shown))
    return found


@pytest.fixture(scope="module")
def forked(tmp_path_factory):
    """Every notebook of the shipped sample as forked kernels execute it."""
    work, done = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("done")
    with Kernels(work, at_once=2, timeout=900, forked=True) as kernels:
        ends = [kernels.submit(Job(book.stem, book, {}), done / book.name) for book in BOOKS]
        quarter = pm.assess(SAMPLE, seed=1)
        quarter.tables()
        share(quarter, work / record.ASSESSMENT, SAMPLE, 1)
        for end in ends:
            end.result()
    return done


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_every_output_of_every_cell_is_that_of_a_fresh_kernel(forked, book):
    # The committed outputs are a fresh kernel's: nbval holds each notebook against one, in this same suite.
    fresh, found = outputs(book), outputs(forked / book.name)
    assert [source for source, _ in found] == [source for source, _ in fresh]
    for (source, mine), (_, theirs) in zip(found, fresh, strict=True):
        assert sanitised(mine) == sanitised(theirs), source
    assert sum(len(shown) for _, shown in found) > 0


def run_one(tmp_path, *cells, times=1, at_once=1, timeout=120):
    book = write_notebook(tmp_path / "a.ipynb", *cells, closing("a"))
    work = tmp_path / "work"
    work.mkdir()
    with Kernels(work, at_once=at_once, timeout=timeout, forked=True) as kernels:
        ends = [kernels.submit(Job(f"a{n}", book, {}), tmp_path / f"out{n}.ipynb") for n in range(times)]
        for end in ends:
            end.result()
    return [outputs(tmp_path / f"out{n}.ipynb") for n in range(times)], work


def test_nothing_but_modules_is_shared_by_two_kernels(tmp_path):
    found, work = run_one(
        tmp_path,
        "import os, random, threading, uuid, numpy, sys",
        "print(os.getcwd()); print(os.environ['IPYTHONDIR']); print(os.getpgid(0) == os.getpid())",
        "print(random.random(), numpy.random.random(), uuid.uuid4())",
        "import matplotlib; print(matplotlib.get_backend()); print('perfmodel.report' in sys.modules)",
        "print(repr(sys.stdin.closed), file=sys.stderr); os.write(2, b'said aloud');",
        times=2,
        at_once=2,
    )
    (first, second) = ([shown[0]["text"] for _, shown in one if shown] for one in found)
    place, own, leads = first[0].split() if isinstance(first[0], str) else "".join(first[0]).split()
    assert place == str(tmp_path) and leads == "True" and Path(own) == work / "a0.ipython"
    assert first[1] != second[1]
    assert "inline" in "".join(first[2]) and "True" in "".join(first[2])
    assert "said aloud" in (work / "a0.1.log").read_text()


def test_a_forked_kernel_and_what_it_started_end_with_their_time_or_with_the_run(tmp_path):
    sleep = f"import subprocess; subprocess.Popen(['sleep', '{600 + os.getpid() / 1e6}']); import time; time.sleep(600)"
    with pytest.raises(RunError, match="took longer than 8 s"):
        run_one(tmp_path, sleep, timeout=8)
    late = time.monotonic() + 5
    while ours := [
        p for p in psutil.process_iter(["cmdline"]) if str(600 + os.getpid() / 1e6) in (p.info["cmdline"] or [])
    ]:
        assert time.monotonic() < late, ours
        time.sleep(0.05)
    assert not [p for p in psutil.Process().children(recursive=True) if "zygote" in " ".join(p.cmdline())]


def test_a_killed_forked_kernel_is_said_to_be_dead(tmp_path):
    with pytest.raises(RunError, match="its kernel died"):
        run_one(tmp_path, f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})")


def test_a_system_that_cannot_fork_has_fresh_kernels_and_says_so(monkeypatch):
    said = []
    monkeypatch.setattr("sys.platform", "darwin")
    assert not can_fork(said.append) and "--kernels fresh" in said[0]
