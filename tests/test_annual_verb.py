"""The year and the scheme's health as people ask for them: the verb, the notebooks in a run, what is refused."""

import json
import shutil
from datetime import date

import pandas as pd
import pytest
from committee_sample import Quarter, read_rows
from small_cycle import write_small
from tiny_notebooks import closing, write_notebook

from perfmodel import committee, plots, report
from perfmodel.cli import main
from perfmodel.errors import DataError, DecisionError, RunError
from perfmodel.io import read_beside, read_table, read_year
from perfmodel.language import speaking
from perfmodel.ledger import open_ledger
from perfmodel.quarters import DECIDED, PROPOSED, health, quarters_beside, quarters_of_year
from perfmodel.report.year import _reasons
from perfmodel.runner import manifest
from perfmodel.runner.parameters import find_notebooks, read_notebook
from perfmodel.runner.run import NOTEBOOKS

AFTER = date(2027, 1, 31)  # every window for appeals is over


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    """Two quarters of a year: of 2026Q2 everybody is decided and it is final, of 2026Q3 nothing is."""
    folder = tmp_path_factory.mktemp("year")
    write_small(folder / "2026Q2", "2026Q2")
    write_small(folder / "2026Q3", "2026Q3")
    quarter = Quarter(folder, folder / "2026Q2")
    quarter.run()
    case, book = committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)
    committee.freeze(book, case.cycle, "data", by="HR")
    typed = {"reason": "as the figures say", "proposer": "P", "authoriser": "Chair"}
    choices = [committee.Choice(who, **typed) for who in case.roll.scored if who != "001"]
    proposed = case.roll.people["001"].proposed
    lower = case.roll.grades[case.roll.grades.index(proposed) + 1]
    committee.decide(book, case, [*choices, committee.Choice("001", lower, code="R3", **typed)])
    committee.finalize(book, case, ["HR", "Chair"])
    return quarter


@pytest.fixture
def place(decided, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(decided.folder, tmp_path / "year")
    return Quarter(tmp_path / "year", tmp_path / "year" / "2026Q2")


# --- The verb -----------------------------------------------------------------------------------------------------


def test_a_year_takes_decided_grades_of_final_quarters_and_says_of_the_others_that_they_are_proposals(place, capsys):
    out = place.folder / "annual"
    words = ["annual", "2026", "--data", str(place.folder), "--out", str(out), "--ledger", str(place.ledger)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "decided grades, but of 2026Q3 from proposals, not decided" in said
    assert said.splitlines()[-1] == str(out / "2026" / "index.html")
    page = (out / "2026" / "index.html").read_text(encoding="utf-8")
    assert "2026Q2: decided grades of 7 people" in page and "2026Q3: from proposals, not decided." in page
    assert open_ledger(place.ledger).head() in page and "a proposal, which a named person accepts or changes" in page
    assert "PARTIAL" in page and "not a whole year" in page and "Simulated data" in page
    rows = {row["employee_id"]: row for row in read_rows(out / "2026" / "tables" / "annual.csv")}
    assert len(rows) == 8 and rows["002"]["n_decided"] == "1" and "decided" in rows["001"]["reason"]
    note = json.loads((out / "2026" / "year.json").read_text(encoding="utf-8"))
    assert note["rests_on"] == {"2026Q2": DECIDED, "2026Q3": PROPOSED}
    for name, digest in note["files"].items():
        assert manifest.sha256((out / "2026" / name).read_bytes()) == digest
    before = {path.name: path.read_bytes() for path in (out / "2026").rglob("*.csv")}
    assert main(words) == 0, "made anew in its own place"
    assert before == {path.name: path.read_bytes() for path in (out / "2026").rglob("*.csv")}


def test_annual_evaluations_enter_the_mixed_method_and_a_doubtful_file_is_refused(place, capsys, monkeypatch):
    monkeypatch.delenv("PERFMODEL_LEDGER", raising=False)
    monkeypatch.chdir(place.folder)
    out, file = place.folder / "annual", place.folder / "evaluations.csv"
    words = ["annual", "2026", "--data", str(place.folder), "--out", str(out), "--evaluations", str(file)]
    file.write_text("工号,年度得分\n001,95\n", encoding="utf-8")
    assert main(words) == 0
    table = read_table(out / "2026/tables/annual.csv", ("employee_id",)).set_index("employee_id")
    page = (out / "2026" / "index.html").read_text(encoding="utf-8")
    # By hand, with the scheme's shares: 60 % of the quarters' mean and 40 % of the evaluation.
    assert table.score_mixed["001"] == pytest.approx(0.6 * table.score_mean["001"] + 0.4 * 95)
    assert table.score_mixed["002"] == pytest.approx(
        0.6 * table.score_mean["002"] + 0.4 * table.score_cumulative["002"]
    )
    assert "The annual evaluation of 1 person, from evaluations.csv." in (out / "2026" / "index.html").read_text(
        "utf-8"
    )
    assert json.loads((out / "2026" / "year.json").read_text("utf-8"))["inputs"].keys() >= {"evaluations.csv"}
    for text, said in (
        ("employee_id,score\n001,95\n001,90\n", "two annual evaluations"),
        ("employee_id,score\n001,-1\n", "scores begin at 0"),
        ("employee_id,score\n001,high\n", "high"),
        ("employee_id,score\nX9,80\n", "X9 has an annual evaluation and stands in no quarter"),
        ("employee_id\n001\n", "score"),
    ):
        file.write_text(text, encoding="utf-8")
        capsys.readouterr()
        assert main(words) == 1 and said in capsys.readouterr().err
    assert (out / "2026" / "index.html").read_text(encoding="utf-8") == page


def test_without_a_ledger_every_quarter_is_from_proposals(place, capsys, monkeypatch):
    monkeypatch.chdir(place.folder)
    monkeypatch.delenv("PERFMODEL_LEDGER", raising=False)
    assert main(["annual", "2026", "--data", ".", "--out", "out"]) == 0
    assert "Grades of the year: from proposals, not decided." in capsys.readouterr().out
    page = (place.folder / "out" / "2026" / "index.html").read_text(encoding="utf-8")
    assert page.count("from proposals, not decided") >= 4 and "there is no ledger here" in page


def test_a_year_without_quarters_is_refused_in_words_and_wrong_usage_is_2(place, capsys):
    assert main(["annual", "2024", "--data", str(place.folder)]) == 1
    assert "There is no quarter of 2024" in (said := capsys.readouterr().err) and "2026Q2 to 2026Q3" in said
    assert main(["annual", "2024", "--data", str(place.folder / "nowhere")]) == 1
    assert "it holds no quarter at all" in capsys.readouterr().err
    assert main(["annual", "2026", "--data", str(place.folder), "--ledger", str(place.folder / "none.sqlite")]) == 1
    assert "no ledger" in capsys.readouterr().err
    with pytest.raises(SystemExit) as wrong:
        main(["annual", "last"])
    assert wrong.value.code == 2


def test_a_quarter_that_cannot_be_read_is_never_left_out_of_the_year_in_silence(place):
    (place.folder / "2026Q3" / "employees.csv").unlink()
    with pytest.raises(DataError, match=r"2026Q3 cannot be read .* Run check on .*2026Q3"):
        read_year(place.folder, 2026)
    with pytest.raises(DataError, match="2026Q3 cannot be read"):
        read_beside(write_small(place.folder / "2026Q4", "2026Q4"))


def test_data_that_changed_after_the_quarter_was_final_make_no_year(place):
    entries = open_ledger(place.ledger).entries()
    path = place.folder / "2026Q2" / "results.csv"
    path.write_text(path.read_text().replace("33.1", "33.2") + "\n")
    with pytest.raises(DecisionError, match=r"2026Q2 is final on the data of run .*\[data-changed\]"):
        committee.year_of(read_year(place.folder, 2026), entries)


def test_other_scores_than_were_decided_on_make_no_year(place, monkeypatch):
    from perfmodel.assessment import Assessment

    moved = property(lambda one: one.totals.assign(score_proposed=one.totals["score_raw"] + 1))
    monkeypatch.setattr(Assessment, "proposals", moved)
    with pytest.raises(DecisionError, match=r"7 people of 2026Q2 .*\[scores-changed\]"):
        committee.year_of(read_year(place.folder, 2026), open_ledger(place.ledger).entries())


def test_a_folder_of_somebody_else_is_not_replaced_by_a_year(place):
    (place.folder / "out" / "2026").mkdir(parents=True)
    (place.folder / "out" / "2026" / "letter.txt").write_text("mine")
    with pytest.raises(RunError, match="holds no year that was made here"):
        committee.write_year(place.folder, 2026, place.folder / "out")
    assert (place.folder / "out" / "2026" / "letter.txt").read_text() == "mine"


def test_the_status_of_a_quarter_follows_its_window_for_appeals(place):
    entries = open_ledger(place.ledger).entries()
    cycles = read_year(place.folder, 2026)
    final = next(entry for entry in entries if entry.kind == "final")
    for day, status in ((date.fromisoformat(final.at[:10]), "PROVISIONAL"), (date(2099, 1, 1), "FINAL")):
        _, (one, other) = committee.year_of(cycles, entries, day)
        assert one.status == status and status in one.sentence() and one.run == final.data["run"]
        assert other.sentence() == "2026Q3: from proposals, not decided."
    reopened = committee.Source("2026Q3", "", "", 0, 3)
    assert reopened.sentence().endswith("3 decisions are recorded, and the quarter is not final.")


# --- Quarters beside a cycle ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """Six quarters of eight people, the newest last."""
    root = tmp_path_factory.mktemp("six")
    names = ("2025Q2", "2025Q3", "2025Q4", "2026Q1", "2026Q2", "2026Q3")
    return [write_small(root / name, name) for name in names]


def test_a_years_quarters_are_found_beside_any_quarter_of_it_or_after_it(six):
    def found(cycle, *year):
        return [one.cycle.id for one in quarters_of_year(cycle, *year)]

    assert found(six[-1]) == ["2026Q1", "2026Q2", "2026Q3"] == found(six[-1], 2026)
    assert found(six[-1], 2025) == ["2025Q2", "2025Q3", "2025Q4"] and found(six[1]) == ["2025Q2", "2025Q3"]
    assert [one.cycle.id for one in quarters_beside(six[-1])] == [folder.name for folder in six]
    with pytest.raises(DataError, match="There is no quarter of 2024: 2026Q3 is not of it"):
        quarters_of_year(six[-1], 2024)


def test_the_health_of_one_quarter_refuses_row_by_row_and_says_why(six):
    alone = health(quarters_beside(six[0]))
    assert alone.stability.reason.eq("0 values of 0 people: too few to tell").all()
    assert set(alone.prediction.reason) == {
        "0 values of 0 superiors: too few to tell",
        "0 values of 0 units: too few to tell",
    }
    refused = report.health_refused_table(alone)
    assert {"reliability", "raw against adjusted", "caps"} <= set(refused.question)
    assert refused.n.sum() == sum(
        table.reason.ne("").sum()
        for table in (alone.stability, alone.pairs, alone.inflation, alone.caps, alone.drift, alone.prediction)
    )
    for about in ("reliability", "validity", "redundancy", "caps", "drift", "prediction"):
        assert "nan" not in report.health_finding(alone, about)


# --- In a run ---------------------------------------------------------------------------------------------------------


def test_a_run_does_the_notebooks_of_one_quarter_and_those_of_several_when_asked_by_name():
    everyday = {book.name for book in find_notebooks([], NOTEBOOKS)}
    assert "06_distribution" in everyday and not everyday & {"07_annual", "08_scheme_health"}
    asked = find_notebooks(["07_annual", "06_distribution"], NOTEBOOKS)
    assert [book.all_quarters for book in asked] == [True, False]
    year = asked[0].parameters["year"]
    assert year.parse("2025") == 2025 and year.default is None


def test_a_run_with_a_notebook_of_several_quarters_has_them_all_in_its_id(six, tmp_path):
    from perfmodel.runner import run

    book = write_notebook(tmp_path / "one.ipynb", "x = 1", closing("one"))
    content = json.loads(book.read_text())
    content["metadata"]["perfmodel"] = {"reads": "all quarters"}
    wide = tmp_path / "all.ipynb"
    wide.write_text(json.dumps(content).replace('done(\\"one\\")', 'done(\\"all\\")'))
    assert read_notebook(wide).all_quarters
    found = {}
    for notebook in (book, wide):
        out = tmp_path / notebook.stem
        run(str(six[-1]), out=out, notebooks=[str(notebook)])
        inputs = manifest.read_manifest(out / (out / "latest").read_text().strip())["inputs"]
        found[notebook.stem] = {name.split("/")[0] for name in inputs}
    assert found["one"] == {"2026Q1", "2026Q2", "2026Q3"} and found["all"] == {folder.name for folder in six}


# --- Charts and tables ------------------------------------------------------------------------------------------------


def result(who, mean, mixed, cumulative, grades, method="mean"):
    scores = {"score_mean": mean, "score_mixed": mixed, "score_cumulative": cumulative}
    given = dict(zip(("grade_mean", "grade_mixed", "grade_cumulative"), grades, strict=True))
    return {"employee_id": who, "method": method, **scores, **given}


CUTS = {"S": 90.0, "A": 80.0, "B": 70.0, "C": 60.0, "D": 0.0}


def test_the_chart_of_methods_names_those_alone_whose_grade_depends_on_them():
    table = pd.DataFrame([
        result("e1", 80.2, 79.9, 79.4, "ABB"), result("e2", 75.0, 74.0, 73.0, "BBB"),
        result("e3", 70.5, 71.0, None, ["B", "B", ""]),
    ])  # fmt: skip
    chart = plots.year_methods(table, CUTS)
    assert "e1: mean of quarters 80.2 A" in chart.description
    assert "e2" not in chart.description and "e3" not in chart.description
    assert "A from 80" in chart.svg("t")
    assert plots.year_methods(table.iloc[1:], CUTS).description == "Nobody's grade depends on the method."
    many = pd.concat([table.iloc[:1].assign(employee_id=f"e{i:02d}") for i in range(30)])
    assert "6 more" in plots.year_methods(many, CUTS).svg("t")


PREDICTED = pd.DataFrame([{
    "cluster": "manager_id", "n": 90, "n_clusters": 12, "r_raw": 0.4, "r_adjusted": 0.46, "difference": 0.06,
    "lower": 0.01, "upper": 0.11, "verdict": "better", "reason": "",
}])  # fmt: skip


def test_the_grey_of_a_difference_is_its_interval_turned_about_none():
    chart = plots.rating_prediction(PREDICTED)
    band = next(patch for patch in chart.axes[0].patches if patch.get_width() > 0)
    # -.05 to +.05: the dot at .06 lies outside, as its interval, .01 to .11, lies clear of 0.
    assert band.get_x() == pytest.approx(-0.05) and band.get_x() + band.get_width() == pytest.approx(0.05)
    assert chart.description.endswith("12 superiors resampled .060 (.010 to .110), .40 → .46.")


def test_what_cannot_be_drawn_is_said(six):
    alone = health(quarters_beside(six[0]))
    for chart in (
        plots.retest(report.health_rows(alone.stability)),
        plots.validity(report.health_rows(alone.stability)),
        plots.kpi_pairs(report.health_rows(alone.pairs)),
        plots.rating_prediction(alone.prediction),
        plots.drift(alone.moves),
    ):
        assert chart.description.endswith(".") and "nan" not in chart.description


def test_every_table_of_the_year_counts_everybody_where_they_belong(place):
    year, _ = committee.year_of(read_year(place.folder, 2026), open_ledger(place.ledger).entries())
    by_method = report.year_methods_table(year).set_index("method")
    assert (by_method[list(CUTS)].sum(axis=1) == year.counts["scored"]).all()
    quarters = report.year_quarters_table(year).set_index("quarter")
    assert quarters.people.to_list() == [8, 8] and quarters.decided.to_list() == [7, 0]
    assert list(report.year_missing_table(year).employee_id) == ["008"]
    service = report.year_service_table(year).set_index("employee_id")
    assert service.stays["004"] > 1 and "008" in service.index and "002" not in service.index
    projects = report.year_milestones_table(year)
    assert projects.quarters.eq(2).all() and projects.share.between(0.89, 0.91).all()  # (1 + .8) / 2 in each quarter
    with speaking("zh"):
        assert "strategic_milestones" not in set(report.year_milestones_table(year)["kpi"])
        assert report.annual_page(year).html().count("<table") >= 5


def test_notes_of_a_year_are_said_one_by_one():
    # Said together, "decided D; 2 of 3 quarters ..." passes for one sentence of which the first half is the number.
    notes = "2026Q3 counts as 59.99, not 78.19: decided D; 2 of 3 quarters are proposals, not decisions"
    with speaking("zh"):
        shown = _reasons(pd.DataFrame({"n_decided": [1], "reason": [notes]}))["reason"][0]
    assert shown == "2026Q3 按 59.99 计，而不是 78.19：决定为 D；3 个季度中有 2 个是建议，不是决定"
