"""Packs and cycles shared out among processes, here and on a cluster: the same bytes, and none lost whoever dies."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from dask_cluster import HERE, Cluster
from small_cycle import write_small
from tiny_notebooks import closing, write_notebook

import perfmodel as pm
from perfmodel.cli import main
from perfmodel.errors import RunError
from perfmodel.runner import Engine, UnitsFailed, engine, manifest, packs, run, several
from perfmodel.runner.kept import kept_in
from perfmodel.runner.packs import folder_of, folders_of, write_packs
from perfmodel.runner.parameters import UsageError

FACTS = {"run_id": "7f3a-91c2-0b5e", "finished": "2026-10-20 18:04:00", "versions": {}, "inputs": {}}
UNITS = 6


@pytest.fixture(scope="module")
def cycle(tmp_path_factory):
    """The small quarter, its eight people in six units."""
    folder = write_small(tmp_path_factory.mktemp("company") / "2026Q3")
    head, *rows = (folder / "employees.csv").read_text(encoding="utf-8").splitlines()
    cells = [row.split(",") for row in rows]
    text = [",".join([*row[:2], f"U{n % UNITS + 1}", *row[3:]]) for n, row in enumerate(cells)]
    (folder / "employees.csv").write_text("\n".join([head, *text]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def quarter(cycle):
    return pm.assess(cycle, seed=1)


def files_of(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def page_in(folder: Path) -> Path:
    (folder / "page" / "restricted").mkdir(parents=True)
    return folder / "page"


def test_no_two_units_share_a_folder_on_any_system():
    found = folders_of(["abc", "ABC", "North", "CON", "nul.x", "x.", "x", "../../x", "console"])
    assert len({name.casefold() for name in found.values()}) == len(found)
    assert (found["North"], found["x"], found["console"]) == ("North", "x", "console")
    assert all(name not in ("CON", "nul.x") and name[-1] != "." and "/" not in name for name in found.values())


@pytest.fixture(scope="module")
def alone(quarter, tmp_path_factory):
    """Digests of the packs as one process makes them."""
    page = page_in(tmp_path_factory.mktemp("alone"))
    assert len(write_packs(quarter, page, FACTS).pages) == UNITS
    return files_of(page)


@pytest.fixture
def small_batches(monkeypatch):
    """Each pack by itself, and processes are worth their start."""
    monkeypatch.setattr(packs, "TOGETHER", 1)
    monkeypatch.setattr(packs, "WORTH", 1)


def test_two_processes_make_the_packs_that_one_makes_to_the_last_byte_though_one_is_killed(
    quarter, alone, tmp_path, small_batches
):
    done, told = [], []

    def tick():
        done.append(1)
        if len(done) == 1:
            workers = [p for p in psutil.Process().children(recursive=True) if "loky" in " ".join(p.cmdline())]
            max(workers, key=lambda p: p.memory_info().rss).kill()

    page = page_in(tmp_path)
    found = write_packs(quarter, page, FACTS, engine=Engine(jobs=2), tick=tick, tell=told.append)
    assert found.failed == {} and len(done) == UNITS  # each once
    assert files_of(page) == alone
    assert any("asked for again" in text for text in told)


def test_a_unit_that_fails_stops_no_other_and_its_reason_names_nobody(quarter, alone, tmp_path, monkeypatch):
    first, second, *others = sorted(set(quarter.totals["unit"]))
    whole, cut = packs.pack_files, pm.report.Excerpts.of

    def drawn(piece, facts):
        if piece.unit == first:
            raise ValueError("the score of Ana is 71")
        return whole(piece, facts)

    def of(self, unit):
        if unit == second:
            raise RunError("cannot be cut")
        return cut(self, unit)

    monkeypatch.setattr(packs, "pack_files", drawn)
    monkeypatch.setattr(pm.report.Excerpts, "of", of)
    page = page_in(tmp_path)
    found = write_packs(quarter, page, FACTS)
    assert found.failed == {first: "ValueError", second: "RunError: cannot be cut"}
    assert sorted(found.pages) == others
    gone = (f"units/{folder_of(first)}/", f"units/{folder_of(second)}/")
    assert files_of(page) == {name: digest for name, digest in alone.items() if not name.startswith(gone)}


def test_what_is_kept_is_not_made_again_and_says_what_it_said_at_first(quarter, alone, tmp_path, monkeypatch):
    made = []
    whole = packs.pack_files
    monkeypatch.setattr(packs, "pack_files", lambda piece, facts: made.append(piece.unit) or whole(piece, facts))
    units = sorted(set(quarter.totals["unit"]))
    few = iter(units[:3])

    def give_up():
        if next(few, None) == units[2]:
            raise KeyboardInterrupt

    kept = kept_in(tmp_path, "a run")
    with pytest.raises(KeyboardInterrupt):
        write_packs(quarter, page_in(tmp_path / "1"), FACTS, kept=kept, tick=give_up)
    made.clear()
    page = page_in(tmp_path / "2")
    write_packs(quarter, page, {**FACTS, "finished": "2026-10-21 06:00:00"}, kept=kept_in(tmp_path, "a run"))
    assert sorted(made) == units[3:] and files_of(page) == alone
    made.clear()
    write_packs(quarter, page_in(tmp_path / "3"), FACTS, kept=kept_in(tmp_path, "another run"))
    assert sorted(made) == units
    kept.remove()
    assert len(list((tmp_path / ".packs").iterdir())) == 1  # the other run's, of today
    kept_in(tmp_path, "another run").remove()
    assert not (tmp_path / ".packs").exists()


def test_a_run_lists_a_unit_that_failed_publishes_the_others_and_makes_it_alone_next_time(tmp_path, monkeypatch):
    cycle, book = write_small(tmp_path / "2026Q3"), write_notebook(tmp_path / "one.ipynb", closing("one"))
    made = []
    whole = packs.pack_files

    def drawn(piece, facts):
        made.append(piece.unit)
        if piece.unit == "South" and len(made) < 3:
            raise MemoryError
        return whole(piece, facts)

    monkeypatch.setattr(packs, "pack_files", drawn)
    options = {"out": tmp_path / "out", "notebooks": [str(book)], "each_unit": True}
    with pytest.raises(UnitsFailed, match=r"1 units have no pack: South: MemoryError") as failed:
        run(str(cycle), **options)
    page = tmp_path / "out" / (tmp_path / "out" / "latest").read_text().strip()
    assert failed.value.page == tmp_path / "out" / "index.html"
    assert manifest.read_manifest(page)["failed_units"] == {"South": "MemoryError"} and not manifest.changes(page)
    assert "No pack: MemoryError" in (page / "index.html").read_text(encoding="utf-8")
    assert [p.name for p in (page / "units").iterdir()] == ["North"]
    north = files_of(page / "units" / "North")
    assert main(["status", str(tmp_path / "out"), "--json"]) == 0  # what is published is whole
    run(str(cycle), **options)
    assert made == ["North", "South", "South"]
    assert manifest.read_manifest(page)["failed_units"] == {} and not manifest.changes(page)
    assert files_of(page / "units" / "North") == north and (page / "units" / "South" / "pack.xlsx").exists()
    assert not (tmp_path / "out" / ".packs").exists()


def test_a_run_without_some_packs_is_published_and_yet_told_as_failed(tmp_path, monkeypatch, capsys):
    cycle, book = write_small(tmp_path / "2026Q3"), write_notebook(tmp_path / "one.ipynb", closing("one"))

    def drawn(piece, facts):
        raise MemoryError

    monkeypatch.setattr(packs, "pack_files", drawn)
    out = tmp_path / "out"
    assert main(["run", str(cycle), "--out", str(out), "--notebook", str(book), "--each-unit", "--json"]) == 1
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert (summary["outcome"], summary["exit"]) == ("failed", 1) and (out / summary["run"] / "index.html").exists()
    assert summary["what"] == "2 units have no pack; everything else is published." and "South" in told.err
    assert main(["status", str(out)]) == 1  # the last attempt failed


WAITING = """
import time
from perfmodel.runner.engine import Engine, each
if __name__ == "__main__":
    for _ in each(time.sleep, [0.2] * 1000, Engine(jobs=2), print):
        print("one", flush=True)
"""


def test_workers_of_a_killed_run_end_with_it(tmp_path):
    (tmp_path / "waiting.py").write_text(WAITING)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "waiting.py"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    parent.stdout.readline()
    workers = [p for p in psutil.Process(parent.pid).children() if "LokyProcess" in " ".join(p.cmdline())]
    parent.kill()
    assert len(workers) == 2 and psutil.wait_procs(workers, timeout=30)[1] == []


def test_after_kill_9_only_the_missing_packs_are_made(cycle, tmp_path):
    book, out = write_notebook(tmp_path / "one.ipynb", closing("one")), tmp_path / "out"
    command = [sys.executable, "-m", "perfmodel", "run", str(cycle), "--each-unit", "--jobs", "1"]
    command += ["--out", str(out), "--notebook", str(book)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while len(list(out.glob(".packs/*/U*"))) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    there = {path.name: (path / "pack.xlsx").stat().st_ino for path in out.glob(".packs/*/U*")}
    assert 3 <= len(there) < UNITS and not (out / "latest").exists()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    units = out / (out / "latest").read_text().strip() / "units"
    assert len(list(units.iterdir())) == UNITS
    # The very files of the first attempt, under a second name.
    assert {name: (units / name / "pack.xlsx").stat().st_ino for name in there} == there
    assert not (out / ".packs").exists()


def test_several_cycles_are_published_each_in_its_folder_and_one_that_is_refused_stops_none(tmp_path, capsys):
    book = write_notebook(tmp_path / "one.ipynb", closing("one"))
    good, other = write_small(tmp_path / "a" / "2026Q3"), write_small(tmp_path / "b" / "2026Q3")
    (tmp_path / "b" / "2025Q1").mkdir()
    cycles = [str(good), str(tmp_path / "b" / "2025Q1"), str(other)]
    out = tmp_path / "out"
    assert main(["run", *cycles, "--notebook", str(book), "--out", str(out), "--jobs", "1"]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"{cycles[0]}: {out / 'a' / '2026Q3' / 'index.html'}",
        f"{cycles[1]}: nothing published",
        f"{cycles[2]}: {out / 'b' / '2026Q3' / 'index.html'}",
    ]
    assert f"perfmodel: {cycles[1]}: " in said.err and "[scheme-absent]" in said.err


def test_two_cycles_at_once_are_two_processes_runs(tmp_path):
    book = write_notebook(tmp_path / "one.ipynb", closing("one"))
    cycles = [str(write_small(tmp_path / name, name)) for name in ("2026Q2", "2026Q3")]
    found = list(several.run_each(cycles, notebooks=[str(book)], out=str(tmp_path), jobs=2))
    assert sorted(ended.source for ended in found) == cycles and not any(ended.error for ended in found)
    assert all(ended.outcome.exit == 0 and Path(ended.outcome.page).exists() for ended in found)


def test_cycles_that_would_share_a_folder_and_an_engine_without_a_cluster_are_refused(tmp_path):
    for name in ("a b", "a_b"):
        write_small(tmp_path / name)
    with pytest.raises(UsageError, match="one folder"):
        several.folders([str(tmp_path / "a b"), str(tmp_path / "a_b")], None)
    with pytest.raises(UsageError, match="twice"):
        several.folders([str(tmp_path / "a b"), f"{tmp_path}/a b/"], None)
    with pytest.raises(UsageError, match="--cluster"):
        Engine("dask")
    with pytest.raises(UsageError, match="--engine dask"):
        Engine(cluster="tcp://h:1")


def test_on_a_cluster_no_pack_is_lost_or_doubled_whoever_is_killed(
    quarter, alone, tmp_path, small_batches, monkeypatch
):
    monkeypatch.setattr(engine, "PATIENCE", 3.0)
    with Cluster(tmp_path / "cluster", [HERE, HERE]) as cluster:
        there, done, told = Engine("dask", cluster.address), [], []

        def kill_a_worker():
            done.append(1)
            if len(done) == 2:
                os.kill(cluster.workers[0].pid, signal.SIGKILL)

        page = page_in(tmp_path / "1")
        found = write_packs(quarter, page, FACTS, engine=there, tick=kill_a_worker, tell=told.append)
        assert found.failed == {} and len(done) == UNITS and files_of(page) == alone
        assert "watch them at http" in told[0]

        done.clear()

        def kill_the_scheduler():
            done.append(1)
            if len(done) == 2:
                os.kill(cluster.scheduler.pid, signal.SIGKILL)

        kept = kept_in(tmp_path, "a run")
        with pytest.raises(RunError, match=r"No Dask scheduler answers at tcp://.*dask scheduler"):
            write_packs(quarter, page_in(tmp_path / "2"), FACTS, engine=there, tick=kill_the_scheduler, kept=kept)
    before = len(done)
    assert 2 <= before < UNITS
    made = []
    whole = packs.pack_files
    monkeypatch.setattr(packs, "pack_files", lambda piece, facts: made.append(piece.unit) or whole(piece, facts))
    page = page_in(tmp_path / "3")
    write_packs(quarter, page, FACTS, kept=kept_in(tmp_path, "a run"))
    assert len(made) <= UNITS - before and files_of(page) == alone


def test_a_worker_of_another_version_is_refused():
    with pytest.raises(RunError, match="another perfmodel"):
        packs.make(packs.pickle.dumps((({}, "en", "0"), [])))
