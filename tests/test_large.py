"""Large quarters take shorter ways to the same numbers, and pages that stay usable say what they leave out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_sample import sample
from small_cycle import write_small

import perfmodel.assessment
import perfmodel.fairness.strata
import perfmodel.report.unit
from perfmodel import assess, plots
from perfmodel.errors import DataError
from perfmodel.fairness.strata import digits_to_tell
from perfmodel.io import csv_bytes
from perfmodel.io.findings import Findings
from perfmodel.io.sources import _regular, _row_by_row
from perfmodel.report import calibration_report
from perfmodel.runner.bench_cycles import growth
from perfmodel.simulate import simulate_quarters
from perfmodel.weights.tally import smallest


def test_a_regular_file_read_by_blocks_is_the_file_read_row_by_row():
    text = "id,name,x\n" + "".join(f'{i},"Name, ""{i}""",{"" if i % 3 else i}\n' for i in range(9000))
    found = Findings()
    assert _regular(text, "t.csv") == _row_by_row(text, "t.csv", found) and not found.sorted()


@pytest.mark.parametrize(
    "text",
    ["", "one\n1\n", "a,b\n1\n", "a,b\n1,2\n\n", "a,b\n,2\n", 'a,b\n1,"2\n3"\n', 'a,b\n1,"2\n', "\na,b\n1,2\n"],
    ids=["empty", "one column", "ragged", "blank row", "no key", "two lines", "open quote", "blank first"],
)
def test_a_file_of_which_something_may_have_to_be_said_is_read_row_by_row(text):
    assert _regular(text, "t.csv") is None


def test_values_at_places_are_those_of_a_whole_sort_with_ties_and_without():
    rng = np.random.default_rng(3)
    for scores in (rng.normal(75, 8, (4, 999)), np.round(rng.normal(75, 2, (4, 999))), np.full((2, 50), 7.0)):
        places = [0, 1, scores.shape[1] // 2, scores.shape[1] - 1]
        assert (smallest(scores, places) == np.sort(scores, axis=1)[:, places]).all()


def test_a_large_quarter_computed_by_parts_gives_the_same_tables(tmp_path, monkeypatch):
    cycle = write_small(tmp_path / "2026Q3")
    named = ("scores", "weight_grades", "weight_rank_bands", "weight_importance")
    plain = {name: csv_bytes(table) for name, table in assess(cycle).tables(*named).items()}
    monkeypatch.setattr(perfmodel.assessment, "LARGE", 1)
    asked = []

    def elsewhere(function, questions):
        asked.extend(profile for profile, _ in questions)
        return reversed(list(map(function, questions)))

    tables = assess(cycle).tables(elsewhere=elsewhere)
    assert asked and {name: csv_bytes(tables[name]) for name in named} == plain


def test_draws_behind_a_chance_are_all_of_them_up_to_fifty_thousand_ratings_and_never_few():
    draws = perfmodel.assessment.chance_draws
    assert [draws(n) for n in (0, 1000, 50_000, 100_000, 10**7)] == [4000, 4000, 4000, 2000, 1000]


def test_digits_of_a_ratio_are_safe_or_not_whatever_number_of_units_is_looked_at_together(monkeypatch):
    rng = np.random.default_rng(5)
    for trial in range(12):
        n1, n0 = rng.integers(0, 9 if trial % 2 else 60, (2, 40))
        a, b = rng.binomial(n1, 0.3), rng.binomial(n0, 0.3)
        found = []
        for units in (1, 7, 1000):
            monkeypatch.setattr(perfmodel.fairness.strata, "UNITS", units)
            found.append(digits_to_tell(a, n1, b, n0))
        assert len(set(found)) == 1


def test_a_sample_has_as_many_units_as_are_asked_for():
    from perfmodel.scheme import read_scheme

    path = Path(perfmodel.__file__).with_name("default_scheme.yaml")
    scheme, _ = read_scheme(path.read_text(encoding="utf-8"), "scheme.yaml")
    (quarter,) = simulate_quarters(scheme, 60, 1, units=6)
    assert quarter.tables["employees"]["unit"].nunique() == 6
    with pytest.raises(DataError, match="ask for 1 to 12"):
        simulate_quarters(scheme, 60, 1, units=13)


def test_a_company_of_very_many_units_lists_some_and_says_where_the_others_are(monkeypatch):
    assessment = sample(people=64, units=4)
    whole = calibration_report(assessment).html()
    assert "tables/discussion.csv" not in whole
    monkeypatch.setattr(perfmodel.report.unit, "LISTED_UNITS", 1)
    monkeypatch.setattr(perfmodel.report.unit, "LISTED_PEOPLE", 10)
    short = calibration_report(assessment).html()
    assert len(short) < len(whole) and "but in tables/discussion.csv and in their own reports: 3" in short
    assert "others, in that table: " in short
    for unit in set(assessment.totals["unit"]):
        assert short.count(f'id="u-{unit}"') == 1
    linked = {part.split('"')[0] for part in short.split('href="#s-')[1:]}
    assert linked and all(f'id="s-{who}"' in short for who in linked)


def test_units_beyond_those_drawn_are_counted_in_words():
    table = sample(people=64, units=4).tables()["distribution"]
    chart = plots.unit_multiples(table, most=3)
    assert "Units not drawn here, in the table distribution: 1." in chart.description
    assert "not drawn" not in plots.unit_multiples(table).description


def test_growth_is_one_where_time_is_in_proportion():
    table = pd.DataFrame({"employees": [500, 5000, 20_000, 50_000], "cpu": [3.0, 10.0, 40.0, 100.0]})
    assert growth(table) == pytest.approx(1.0)
