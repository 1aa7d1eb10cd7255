"""The runner on real papermill and real kernels, with an assessment small enough to check by eye."""

import json
import os
import shutil
import stat
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pandas as pd
import pytest
from tiny_notebooks import closing, write_notebook

import perfmodel.report
from perfmodel.errors import Finding, RunError
from perfmodel.io.cycle import History
from perfmodel.language import spoken
from perfmodel.runner import manifest, publish
from perfmodel.runner import run as the_run
from perfmodel.runner.parameters import Parameter, UsageError, find_notebooks, parse_settings, read_notebook
from perfmodel.runner.record import digest_of
from perfmodel.runner.run import NOTEBOOKS, _plan

SCORES = pd.DataFrame({"employee_id": ["e1", "e2"], "score_raw": [81.25, 1 / 3]})


class Assessed:
    """Two people scored, one excluded."""

    status = "DRAFT"
    findings = (Finding("results.csv", 2, 3, "warning", "late", "late"),)

    def __init__(self, scores=SCORES, counts=None):
        self.scores = scores
        self.totals = pd.DataFrame({"unit": ["U1", "U1", "U2"]})
        self.raters = pd.DataFrame({"rater_id": ["r1"]})
        self.counts = counts or {"in": 3, "scored": 2, "excluded": {"on leave": 1}, "waiting": {}}

    def tables(self, **_):
        return {"scores": self.scores, "restricted/fairness": pd.DataFrame({"attribute": ["a"]})}


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """A world in which reading, computing and drawing are trivial; ``stage.run(*notebooks)`` runs in it."""
    data = SimpleNamespace(
        id="2026Q3",
        simulated=True,
        digests={"scheme.yaml": "0" * 64},
        employees=pd.DataFrame({"unit": ["U1", "U2"]}),
        scheme=SimpleNamespace(profiles=()),
    )
    world = SimpleNamespace(data=data, assessed=Assessed(), out=Path("out"), books=tmp_path, assessments=0)

    def assess(*_):
        world.assessments += 1
        return world.assessed

    monkeypatch.chdir(tmp_path)  # so that the folder of runs is a relative path, as most users give it
    module = the_run.__globals__
    monkeypatch.setitem(module, "read", lambda *_: (data, History()))
    monkeypatch.setitem(module, "assess", assess)
    monkeypatch.setattr(perfmodel.report, "index_page", lambda a, m, notebooks, **_: f"<p>{m['run_id']}</p>")
    monkeypatch.setattr(perfmodel.report, "fairness_page", lambda a: "<p>for HR and legal</p>")
    company = SimpleNamespace(html=lambda: "<p>company</p>")
    monkeypatch.setattr(perfmodel.report, "calibration_report", lambda a, **_: company)
    monkeypatch.setattr(perfmodel.report, "workbook", lambda a, path, **_: path.write_bytes(b"pack"))
    monkeypatch.setattr(perfmodel.report, "own_ratings", lambda a: ["r1"])
    monkeypatch.setattr(perfmodel.report, "feedback_sheet", lambda own: (f"{own}.html", "<p>for r1</p>"))
    monkeypatch.setattr(perfmodel.report, "export_html", lambda book, page, **_: page.write_text("<p>page</p>"))

    def run(*books, **options):
        return the_run("cycle", out=world.out, notebooks=[str(b) for b in books], **options)

    world.run = run
    return world


class NoKernels:
    """Stands where ``Kernels`` does, for what is not about kernels: every notebook ends well, at once."""

    tables: ClassVar[dict[str, str]] = {}
    restricted: ClassVar[dict[str, str]] = {}

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, job, target):
        shutil.copy(job.notebook, target)
        ended = Future()
        ended.set_result({"notebook": job.notebook.stem, "tables": self.tables, "restricted": self.restricted})
        return ended


@pytest.fixture
def quick(stage, monkeypatch):
    """``stage`` without kernels."""
    monkeypatch.setitem(the_run.__globals__, "Kernels", NoKernels)
    return stage


def test_what_a_notebook_hands_over_for_hr_and_legal_lies_where_only_they_look(quick, monkeypatch, tmp_path):
    book = write_notebook(tmp_path / "a.ipynb", closing("a"), parameters="seed = 1")
    monkeypatch.setattr(NoKernels, "restricted", {"group_gap": "attribute,n\ngender,9\n"})
    quick.run(book)
    run = newest(quick.out)
    assert (run / "restricted/group_gap.csv").read_text() == "attribute,n\ngender,9\n"
    assert "restricted/group_gap.csv" in json.loads((run / "manifest.json").read_text())["outputs"]
    for taken in ("fairness", "../tables/scores"):
        monkeypatch.setattr(NoKernels, "restricted", {taken: "n\n1\n"})
        with pytest.raises(RunError, match="take a plain name"):
            quick.run(book, seed=2)


def newest(out: Path) -> Path:
    return out / (out / "latest").read_text().strip()


def left_over(out: Path) -> list[str]:
    return sorted(p.name for p in out.glob("*") if p.name.startswith(".") and p.name != ".failed")


def test_a_run_leaves_the_contracts_files_and_a_manifest_with_the_digest_of_each(stage):
    book = write_notebook(stage.books / "a.ipynb", "x = 1", closing("a"), parameters="seed: int = 5")
    page = stage.run(book, seed=9)
    run = newest(stage.out)
    assert page == stage.out / "index.html" and run.name in page.read_text()
    files = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
    assert files == {
        *("index.html", "company.html", "a.html", "a.ipynb", "pack.xlsx", "manifest.json"),
        *("tables/scores.csv", "restricted/fairness.csv", "restricted/fairness.html", "restricted/feedback/r1.html"),
    }
    assert stat.S_IMODE((run / "restricted").stat().st_mode) == 0o700
    said = manifest.read_manifest(run)
    assert said["outputs"].keys() == files - {"manifest.json"} and manifest.changes(run) == []
    assert said["counts"] == {"in": 3, "scored": 2, "excluded": {"on leave": 1}, "waiting": {}}
    assert said["warnings"]["codes"] == {"late": 1} and said["simulated"] and said["parameters"]["seed"] == 9
    assert said["inputs"] == {"2026Q3/scheme.yaml": "0" * 64}
    assert "seed = 9" in (run / "a.ipynb").read_text(), "the notebook got the run's seed"
    assert left_over(stage.out) == []


def test_the_same_run_is_done_once_and_other_parameters_input_or_code_make_another(quick):
    book = write_notebook(quick.books / "a.ipynb", closing("a"), parameters="seed: int = 5\nlevel: float = .9")
    quick.run(book)
    first, before = newest(quick.out), quick.assessments
    quick.run(book, jobs=1)
    assert newest(quick.out) == first and quick.assessments == before, "already done"
    seen = {first}
    quick.run(book, seed=2)
    seen.add(newest(quick.out))
    quick.run(book, settings=["level=.5"])
    seen.add(newest(quick.out))
    quick.data.digests = {"scheme.yaml": "1" * 64}
    quick.run(book)
    seen.add(newest(quick.out))
    write_notebook(book, "y = 2", closing("a"), parameters="seed: int = 5\nlevel: float = .9")
    quick.run(book)
    seen.add(newest(quick.out))
    assert len(seen) == 5
    assert all(run.name in (quick.out / "index.html").read_text() for run in seen), "earlier runs are listed"
    quick.data.digests = {"scheme.yaml": "0" * 64}
    write_notebook(book, closing("a"), parameters="seed: int = 5\nlevel: float = .9")
    quick.run(book)
    assert newest(quick.out) == first, "what was done before is found again"


def test_force_redoes_and_repairs_but_never_replaces_numbers_by_other_numbers(quick):
    book = write_notebook(quick.books / "a.ipynb", closing("a"))
    quick.run(book)
    run, before = newest(quick.out), quick.assessments
    quick.run(book, force=True)
    assert quick.assessments == before + 1 and manifest.changes(run) == []
    quick.assessed = Assessed(SCORES.assign(score_raw=[1.0, 2.0]))
    with pytest.raises(RunError, match=r"other numbers in scores\.csv"):
        quick.run(book, force=True)
    assert manifest.changes(run) == [], "the published run stands"
    (run / "tables" / "scores.csv").write_text("edited")
    with pytest.raises(RunError, match=r"changed since: tables/scores\.csv"):
        quick.run(book)
    quick.assessed = Assessed()
    quick.run(book, force=True)
    assert manifest.changes(run) == [] and left_over(quick.out) == []


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("raise KeyError('Secret Name')", closing("bad")), r"failed in its cell 1: KeyError\."),
        (("nonsense", closing("bad")), "NameError: name 'nonsense' is not defined"),
        (("import sys; sys.exit(0)", closing("bad")), r'without an error.* last cell must call pm\.done\("bad"\)'),
        ((closing("other"),), "calls itself other"),
        (("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", closing("bad")), "its kernel died"),
    ],
    ids=["error", "name", "exit", "misnamed", "killed"],
)
def test_a_notebook_that_does_not_end_well_fails_the_run_by_name_and_what_was_published_stays(
    stage, monkeypatch, cells, said
):
    with monkeypatch.context() as patch:
        patch.setitem(the_run.__globals__, "Kernels", NoKernels)
        stage.run(write_notebook(stage.books / "good.ipynb", closing("good")))
    run = newest(stage.out)
    with pytest.raises(RunError, match=said) as caught:
        stage.run(write_notebook(stage.books / "bad.ipynb", *cells))
    assert "bad" in str(caught.value) and "Secret Name" not in str(caught.value)
    assert newest(stage.out) == run and manifest.changes(run) == [] and left_over(stage.out) == []


def test_a_notebook_that_takes_too_long_is_stopped_and_so_is_its_kernel(stage):
    mark = stage.books / "pid"
    slow = write_notebook(
        stage.books / "slow.ipynb",
        f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)",
        closing("slow"),
    )
    with pytest.raises(RunError, match="slow took longer than 4 s"):
        stage.run(slow, timeout=4)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_a_notebook_proves_its_numbers_by_the_digest_of_the_file_they_would_become(stage):
    frame = "pd.DataFrame({'employee_id': ['e1', 'e2'], 'score_raw': [81.25, 1 / 3]})"
    last = f"import pandas as pd, perfmodel as pm\npm.done('a', {{'scores': {frame}}})"
    stage.run(write_notebook(stage.books / "a.ipynb", last))
    assert manifest.read_manifest(newest(stage.out))["notebooks"]["a"]["tables"] == {"scores": digest_of(SCORES)}


def test_a_clash_of_ports_is_tried_again_and_nothing_else_is(stage):
    clash = (
        "import os, signal\n"
        "log = os.environ['PERFMODEL_RECORDS'] + '/a.{}.log'\n"
        "if not os.path.exists(log.format(2)):\n"
        "    open(log.format(1), 'w').write('zmq: Address already in use')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    stage.run(write_notebook(stage.books / "a.ipynb", clash, closing("a")))
    assert manifest.changes(newest(stage.out)) == []


@pytest.mark.parametrize(
    ("table", "scores", "said"),
    [
        ("scores", [81.25, 0.333], "a computed other numbers than the run in table scores"),
        ("score", [81.25, 1 / 3], "a reports a table 'score'"),
    ],
)
def test_numbers_of_a_notebook_that_differ_from_the_runs_fail_it(quick, monkeypatch, table, scores, said):
    monkeypatch.setattr(NoKernels, "tables", {table: digest_of(SCORES.assign(score_raw=scores))})
    with pytest.raises(RunError, match=said):
        quick.run(write_notebook(quick.books / "a.ipynb", closing("a")))
    assert not (quick.out / "latest").exists() and left_over(quick.out) == []


def test_each_unit_gets_its_page_where_the_notebook_takes_a_unit(quick):
    one = write_notebook(quick.books / "one.ipynb", closing("one"), parameters="unit: str = ''")
    all_ = write_notebook(quick.books / "all.ipynb", closing("all"))
    quick.run(one, all_, units=["U1", "U2"])
    pages = {p.name for p in newest(quick.out).glob("*.html")}
    assert pages == {"index.html", "company.html", "one-U1.html", "one-U2.html", "all.html"}
    with pytest.raises(UsageError, match=r"--unit U3: there is none in 2026Q3.* Known: U1, U2"):
        quick.run(one, units=["U3"])


def test_every_page_of_a_run_is_built_in_its_language_and_the_caller_goes_on_in_the_own(quick, monkeypatch):
    heard = {}

    def part(name, before):
        def build(*args, **more):
            heard[name] = spoken()
            return before(*args, **more)

        return build

    for name in ("export_html", "feedback_sheet", "workbook", "index_page"):
        monkeypatch.setattr(perfmodel.report, name, part(name, getattr(perfmodel.report, name)))
    quick.run(write_notebook(quick.books / "a.ipynb", closing("a")), lang="zh")
    assert heard == dict.fromkeys(("export_html", "feedback_sheet", "workbook", "index_page"), "zh")
    assert spoken() == "en" and '<html lang="zh">' in (quick.out / "index.html").read_text(encoding="utf-8")


def test_the_language_reaches_the_notebooks_that_have_it_as_a_parameter(tmp_path):
    speaks = read_notebook(write_notebook(tmp_path / "speaks.ipynb", closing("speaks"), parameters="lang = 'en'"))
    mute = read_notebook(write_notebook(tmp_path / "mute.ipynb", closing("mute")))
    first, second = _plan((speaks, mute), {"speaks": {}, "mute": {}}, (), {"seed": 1, "lang": "zh"})
    assert first.values == {"lang": "zh"} and second.values == {}
    with pytest.raises(UsageError, match="--set lang=zh: lang is set by --lang"):
        parse_settings(["lang=zh"], [speaks])
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        book = read_notebook(path)
        assert book.parameters["lang"].default == "en" and "pm.speak(lang)" in path.read_text(encoding="utf-8"), path


def test_people_who_went_in_and_did_not_come_out_stop_the_run(quick):
    quick.assessed = Assessed(counts={"in": 4, "scored": 2, "excluded": {"on leave": 1}, "waiting": {}})
    with pytest.raises(RunError, match="4 employees went in, 3 are"):
        quick.run(write_notebook(quick.books / "a.ipynb", closing("a")))
    assert not (quick.out / "latest").exists() and left_over(quick.out) == []


def test_what_killed_runs_left_is_cleared_and_what_the_committee_builds_is_not(tmp_path):
    dead = tmp_path / ".building-aaaa-bbbb-1"
    dead.mkdir()
    with publish.building(tmp_path, "committee") as alive:
        publish.clear(tmp_path, publish.RUNS)
        assert alive.exists() and not dead.exists()
    assert not alive.exists()


def test_a_run_put_aside_by_a_process_that_then_died_comes_back(tmp_path):
    aside = tmp_path / ".replaced-aaaa-bbbb"
    aside.mkdir()
    (aside / "manifest.json").write_text("{}")
    publish.clear(tmp_path, publish.RUNS)
    assert (tmp_path / "aaaa-bbbb" / "manifest.json").exists() and not aside.exists()


def test_two_digests_with_one_beginning_get_two_ids(quick, monkeypatch):
    book = write_notebook(quick.books / "a.ipynb", closing("a"))
    for end in "ab":
        monkeypatch.setattr(manifest, "identity", lambda *_, end=end: "0123456789ab" + end * 52)
        quick.run(book)
    assert {p.name for p in quick.out.glob("0*")} == {"0123-4567-89ab", "0123-4567-89ab-bbbb"}


def test_parameters_are_read_without_a_kernel(tmp_path):
    cell = 'cycle: str = "x"  # which\nn: int | None = None\nlevel = 0.9\nnames: list[str] = ["a"]\nflag: bool = False'
    book = read_notebook(write_notebook(tmp_path / "a.ipynb", parameters=cell))
    assert book.title == "Question of a?"
    assert {p.name: (p.default, p.types) for p in book.parameters.values()} == {
        "cycle": ("x", (str,)),
        "n": (None, (int,)),
        "level": (0.9, (float,)),
        "names": (["a"], (list,)),
        "flag": (False, (bool,)),
    }


@pytest.mark.parametrize(
    ("types", "text", "value"),
    [
        ((int,), "3", 3),
        ((float,), "3", 3.0),
        ((float,), "1e-3", 1e-3),
        ((str,), "3", "3"),
        ((str,), "001", "001"),
        ((bool,), "no", False),
        ((list,), "['a']", ["a"]),
        ((), "(1, 2)", (1, 2)),
    ],
)
def test_a_value_is_read_as_its_parameter_is_typed(types, text, value):
    parsed = Parameter("k", None, types).parse(text)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("types", "text"), [((int,), "3.5"), ((int,), "many"), ((int,), "yes"), ((float,), "x"), ((bool,), "2")]
)
def test_a_value_of_another_type_is_refused_with_what_it_should_be(types, text):
    with pytest.raises(UsageError, match=rf"k takes {types[0].__name__}"):
        Parameter("k", 1, types).parse(text)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("lvel=1", "Did you mean level"),
        ("level", "KEY=VALUE"),
        ("seed=1", "is set by --seed"),
        ("cycle=x", "is set by CYCLE"),
    ],
)
def test_a_setting_that_no_notebook_would_see_is_refused(tmp_path, setting, said):
    books = find_notebooks([str(write_notebook(tmp_path / "a.ipynb", parameters="level = .9\nseed = 1"))], tmp_path)
    with pytest.raises(UsageError, match=said):
        parse_settings([setting], books)


@pytest.mark.parametrize(
    ("cell", "said"),
    [("a = 1\nb = a + 1", "b is computed"), ("def f(): pass", "name = literal"), ("a = ", "is not Python")],
)
def test_a_parameters_cell_that_papermill_could_not_replace_is_refused(tmp_path, cell, said):
    with pytest.raises(RunError, match=said):
        read_notebook(write_notebook(tmp_path / "a.ipynb", parameters=cell))


def test_an_unknown_notebook_is_refused_with_the_known_ones(tmp_path):
    write_notebook(tmp_path / "02_scores.ipynb")
    with pytest.raises(UsageError, match=r"Did you mean 02_scores\? Known: 02_scores"):
        find_notebooks(["02_score"], tmp_path)
    (tmp_path / "02_scores.ipynb").write_text(json.dumps([1]))
    with pytest.raises(RunError, match="cannot be read as a notebook"):
        find_notebooks([], tmp_path)


def test_outside_of_a_run_a_notebook_only_says_that_it_is_complete(monkeypatch, capsys, tmp_path):
    from perfmodel.runner import done

    monkeypatch.delenv("PERFMODEL_RECORDS", raising=False)
    monkeypatch.chdir(tmp_path)
    done("02_scores", {"scores": SCORES})
    assert capsys.readouterr().out == "02_scores: complete\n" and list(tmp_path.iterdir()) == []
