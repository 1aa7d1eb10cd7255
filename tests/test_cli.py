"""The command as a black box: what it prints where, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_cycle import write_small
from tiny_notebooks import closing, write_notebook

from perfmodel import tables
from perfmodel.cli import main
from perfmodel.cli.console import coloured
from perfmodel.cli.quarter import write_files

ROOT = Path(__file__).parents[1]


def perfmodel(*words, **options) -> subprocess.CompletedProcess:
    """``perfmodel WORDS`` as a shell would run it."""
    extra = options.pop("env", {})
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **extra}
    command = [sys.executable, "-m", "perfmodel", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)


@pytest.fixture(scope="module")
def cycle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "2026Q3"
    write_small(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def ended(words) -> int:
    """How ``perfmodel WORDS`` ends, in this process: for what is refused before anything is read."""
    try:
        return main(list(words))
    except SystemExit as end:
        return end.code


def test_help_and_version_load_nothing_heavy():
    asked = "import sys; from perfmodel.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    heavy = "print([m for m in ('numpy', 'pandas', 'papermill', 'dataclasses', 'yaml') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", asked + heavy], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.splitlines()[-1] == "[]", run.stderr
    assert perfmodel("--version").stdout.startswith("perfmodel ")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("run",),
        ("run", "x", "--seed", "-1"),
        ("run", "x", "--jobs", "0"),
        ("run", "x", "--lang", "xx"),
        ("tables", "x"),
        ("run", "x", "--notebook", "nonsense"),
        ("run", "x", "--set", "nonsense=1"),
        ("freeze", "x", "--stage", "ratings", "--by", "HR"),
        ("decide", "x"),
        ("decide", "x", "001", "--accept", "--consent"),
        ("decide", "x", "001"),
        ("finalize", "x", "--reopen", "--sign", "HR"),
        ("ledger",),
        ("compare", "x"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_so_on_stderr(words, capsys):
    assert ended(words) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err


@pytest.mark.parametrize("verb", ["check", "run", "tables", "decide --pages", "finalize"])
def test_a_cycle_that_is_not_there_is_refused_with_1(verb, tmp_path):
    verb, *more = verb.split()
    run = perfmodel(verb, tmp_path / "none", *more, *(["--out", tmp_path / "out"] if verb != "check" else []))
    assert run.returncode == 1 and "none" in run.stdout + run.stderr and "Traceback" not in run.stderr
    assert not (tmp_path / "out" / "latest").exists()


def test_check_prints_findings_with_their_place_and_refuses_errors(cycle, tmp_path):
    clean = perfmodel("check", cycle)
    assert clean.returncode == 0 and clean.stdout.splitlines()[-1].startswith("2026Q3 can be read: 8 employees")
    for name, data in contents(cycle).items():
        (tmp_path / name).write_bytes(data.replace(b",3.5,", b",9,") if name == "ratings.csv" else data)
    refused = perfmodel("check", tmp_path)
    assert refused.returncode == 1 and "ratings.csv:" in refused.stdout and "error" in refused.stdout
    assert "\033[" not in refused.stdout, "no colour where nobody looks"


def test_tables_are_the_contracts_and_the_same_bytes_whatever_the_order_of_rows_or_threads(cycle, tmp_path):
    first = perfmodel("tables", cycle, "--out", tmp_path / "a")
    assert first.returncode == 0, first.stderr
    before = contents(tmp_path / "a")
    assert {f"{name}.csv" for name in tables.OUTPUTS} <= before.keys()
    shuffled = tmp_path / "2026Q3"
    shuffled.mkdir()
    for name, data in contents(cycle).items():
        head, *rows = data.splitlines(keepends=True)
        (shuffled / name).write_bytes(b"".join([head, *reversed(rows)]) if name.endswith(".csv") else data)
    again = perfmodel("tables", shuffled, "--out", tmp_path / "b", env={"OPENBLAS_NUM_THREADS": "2"})
    assert again.returncode == 0, again.stderr
    assert contents(tmp_path / "b") == before
    assert not [p for p in (tmp_path / "a").iterdir() if p.name.startswith(".")]


def test_run_ends_with_the_page_to_open_and_says_done_the_second_time(cycle, tmp_path):
    book = write_notebook(tmp_path / "a.ipynb", closing("a"), parameters="level: float = .9")
    words = ("run", cycle, "--out", tmp_path / "out", "--notebook", book, "--set", "level=.5")
    first = perfmodel(*words)
    assert first.returncode == 0, first.stderr
    page = first.stdout.splitlines()[-1]
    assert page == str(tmp_path / "out" / "index.html") and Path(page).exists()
    second = perfmodel(*words)
    assert second.returncode == 0 and second.stdout.splitlines()[-1] == page and "already done" in second.stderr
    wrong = perfmodel("run", cycle, "--out", tmp_path / "out", "--notebook", book, "--unit", "Nowhere")
    assert wrong.returncode == 2 and "Known: North, South" in wrong.stderr
    post = perfmodel(
        "run", cycle, "--out", tmp_path / "out", "--notebook", "03_weights", "--set", "profile=key_manager"
    )
    assert post.returncode == 2 and "Did you mean key_account_manager?" in post.stderr


def test_a_folder_that_cannot_be_written_is_named_without_a_traceback(cycle, tmp_path):
    (tmp_path / "file").write_text("")
    run = perfmodel("tables", cycle, "--out", tmp_path / "file" / "out")
    assert run.returncode == 1 and "file" in run.stderr and "Traceback" not in run.stderr


def test_a_reader_that_leaves_is_no_error_of_ours(cycle):
    command = f"{sys.executable} -m perfmodel check {cycle} | true"
    run = subprocess.run(
        command, shell=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert run.stderr == ""


def test_a_sample_never_overwrites_somebodys_work(tmp_path):
    files = {"2026Q3/scheme.yaml": b"simulated: yes\n", "README.md": b"x"}
    place = tmp_path / "mine"
    write_files(str(place), files, force=False)
    write_files(str(place), files, force=False)
    (place / "README.md").write_bytes(b"edited")
    with pytest.raises(Exception, match=r"other files of these names: README\.md"):
        write_files(str(place), files, force=False)
    write_files(str(place), files, force=True)
    assert contents(place) == files
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(Exception, match="is not empty"):
        write_files(str(tmp_path / "full"), files, force=False)


def test_sample_writes_a_quarter_that_check_reads(tmp_path):
    run = perfmodel("sample", tmp_path / "s", "--employees", 24, "--quarters", 1, "--seed", 3)
    assert run.returncode == 0 and "simulated" in run.stderr, run.stderr
    (quarter,) = (p.parent for p in (tmp_path / "s").glob("*/scheme.yaml"))
    assert perfmodel("check", quarter).returncode == 0


def test_colour_is_for_terminals_without_no_color(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("a.csv:1: error: x") == "a.csv:1: \033[31merror\033[0m: x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("a.csv:1: error: x") == "a.csv:1: error: x"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "x", "--seed", "-1"), "no whole number of 0 or more"),
        (("run", "x", "--jobs", "0"), "no whole number of 1 or more"),
        (("tables", "x", "--out", ""), "an empty name is no folder"),
    ],
)
def test_a_mistyped_option_says_what_it_takes(words, said, capsys):
    assert ended(words) == 2 and said in capsys.readouterr().err


def test_results_are_not_written_among_what_was_delivered(cycle):
    run = perfmodel("tables", cycle, "--out", cycle)
    assert run.returncode == 2 and "holds the quarter itself" in run.stderr
    assert not (Path(cycle) / "scores.csv").exists()
