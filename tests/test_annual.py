"""Quarters to a year: each step with its working, and four equal quarters as a whole."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_cycle import SCHEME, write_small

from perfmodel.annual import (
    METHODS,
    annual_results,
    cumulate,
    cumulate_milestones,
    held,
    mean_of_quarters,
    over_quarters,
)
from perfmodel.assessment import Assessment
from perfmodel.errors import DataError
from perfmodel.io import read_cycle
from perfmodel.quarters import annual
from perfmodel.scheme import read_scheme

TEXT = SCHEME.read_text(encoding="utf-8")
NA = np.nan


@pytest.fixture(scope="module")
def scheme():
    return read_scheme(TEXT)[0]


# --- Figures of several quarters ---------------------------------------------------------------------------------


def test_revenue_is_added_up_and_a_margin_is_the_mean_by_days():
    # Sum: 100 + 300. Mean: (30 x 30 % + 90 x 34 %) / 120 = 33 %. A missing value takes no part.
    found = over_quarters([100, 300, 30, 34, NA, 7], [30, 90, 30, 90, 92, 8], list("aabbcc"), [True] * 2 + [False] * 4)
    assert found.to_dict() == {"a": 400, "b": 33, "c": 7}


def test_what_adds_up_follows_from_unit_and_rule_unless_the_scheme_says(scheme):
    adds = {item.id for item in scheme.items if item.kind == "measured" and item.additive}
    assert adds == {"sales_attainment", "new_customers"}  # CNY thousand and customers; all others are % or points
    said = read_scheme(TEXT.replace("        unit: customers\n", "        unit: customers\n        adds: no\n"))[0]
    assert not said.kpi("new_customers").items[0].additive
    faults = TEXT.replace("rule: threshold_target_max\n        at: {threshold: 0.70, stretch: 1.30}", "rule: deduction")
    assert not read_scheme(faults)[0].kpi("new_customers").items[0].additive  # faults of one quarter, not of four


def item(name, days, target, actual, status="final", kind="measured", threshold=NA, stretch=NA, rating=NA):
    return dict(employee_id="x", scorecard="1", item=name, kind=kind, days=days, status=status, target=target,
                actual=actual, threshold=threshold, stretch=stretch, rating_raw=rating)  # fmt: skip


def test_a_year_of_figures_is_worked_out_by_item(scheme):
    rows = [
        item("sales_attainment", 90, 1000, 900),
        item("sales_attainment", 90, 3000, 3300, threshold=2400, stretch=3600),
        item("gross_margin", 90, 30, 33),
        item("gross_margin", 30, 34, 29),
        item("customer_satisfaction", 90, 85, NA, "not_due"),
        item("customer_satisfaction", 90, 85, 87),
        item("core_attrition", 90, 4, NA, "not_applicable"),
        item("forecast_accuracy", 90, 12, 10),
        item("forecast_accuracy", 90, 12, NA, "late"),
        item("crm_use", 90, NA, NA, kind="rated", rating=3.0),
        item("crm_use", 30, NA, NA, kind="rated", rating=4.0),
    ]
    year = cumulate(pd.DataFrame(rows), scheme).set_index("item")
    sales = year.loc["sales_attainment"]
    # The first quarter's own threshold is the scheme's .85 x 1000, its stretch 1.10 x 1000.
    assert (sales.target, sales.actual, sales.threshold, sales.stretch) == (4000, 4200, 850 + 2400, 1100 + 3600)
    assert (year.target["gross_margin"], year.actual["gross_margin"]) == (31, 32)  # (90 x 33 + 30 x 29) / 120
    assert (year.status["customer_satisfaction"], year.actual["customer_satisfaction"]) == ("final", 87)
    assert year.status["core_attrition"] == "not_applicable" and year.status["forecast_accuracy"] == "late"
    assert year.rating_raw["crm_use"] == 3.25 and year.n_quarters["crm_use"] == 2
    assert np.isnan(year.threshold["gross_margin"])


def test_what_the_scheme_implies_for_a_threshold_turns_round_where_lower_is_better(scheme):
    rows = [item("expense_ratio", 90, 10, 9), item("expense_ratio", 90, 8, 8, threshold=9.0)]
    # Mirror: attainment .80 at 2 - a / t = .80, a = 1.2 x 10 = 12; mean of 12 and 9 over equal days.
    assert cumulate(pd.DataFrame(rows), scheme).threshold[0] == pytest.approx(10.5)


def test_a_project_over_several_quarters_counts_each_milestone_once_as_last_reported():
    def row(quarter, closed, name, due, accepted=None, done=0.0):
        return ("x", "1", "strategic_milestones", name, 25.0, due, accepted, done, quarter, closed)

    names = "employee_id scorecard kpi milestone weight due accepted_on share_done quarter closed".split()
    table = pd.DataFrame(
        [
            row("Q1", "2026-03-31", "M1", "2026-03-01", "2026-03-05", 1.0),
            row("Q1", "2026-03-31", "M2", "2026-06-01"),  # listed again: the second quarter speaks
            row("Q2", "2026-06-30", "M2", "2026-06-01", None, 0.6),
            row("Q2", "2026-06-30", "M3", "2026-09-01"),  # nobody reported on it when it was due
            row("Q2", "2026-06-30", "M4", "2026-08-01", "2026-06-20", 1.0),  # accepted ahead of time
            row("Q3", "2026-09-30", "M5", "2026-12-01"),  # due after the last table: not due, and no question
        ],
        columns=names,
    )
    plan, left = cumulate_milestones(table.astype({c: "datetime64[us]" for c in ("due", "accepted_on", "closed")}))
    assert plan.set_index("milestone").share_done.to_dict() == {"M1": 1.0, "M2": 0.6, "M4": 1.0, "M5": 0.0}
    assert list(left.milestone) == ["M3"] and "due after Q2" in left.reason[0]


# --- Scores of several quarters ----------------------------------------------------------------------------------


def test_a_score_is_held_in_the_band_of_the_decided_grade_and_moved_no_further(scheme):
    found = held([78.0, 78.0, 78.0, 78.0, 78.0, NA], ["B", "A", "S", "C", "D", "A"], scheme.cuts)
    assert np.array_equal(found, [78.0, 80.0, 90.0, 69.99, 59.99, NA], equal_nan=True)


def test_a_quarter_half_worked_counts_half():
    # (80 x 1 + 60 x .5) / 1.5
    assert mean_of_quarters([80, 60], [1, 0.5], [False, False]) == (pytest.approx(110 / 1.5), [])


@given(st.lists(st.tuples(st.floats(0, 120), st.floats(0.3, 1), st.booleans()), min_size=1, max_size=4))
def test_no_quarter_of_leave_lowers_the_mean(quarters):
    scores, shares, leave = (np.array(column) for column in zip(*quarters, strict=True))
    mean, left_out = mean_of_quarters(scores, shares, leave)
    if not leave.all():
        assert mean >= np.average(scores[~leave], weights=shares[~leave]) - 1e-9
        for i in np.flatnonzero(leave):
            without = np.arange(len(scores)) != i
            assert mean >= mean_of_quarters(scores[without], shares[without], leave[without])[0] - 1e-9
    assert all(leave[i] for i in left_out)


def quarter_rows(*rows):
    names = "quarter score grade decided leave status cap reason days".split()
    table = pd.DataFrame([(*row, 91) if len(row) == 8 else row for row in rows], columns=names)
    return table.assign(employee_id="x", length=91, score_frozen=NA)


def year_of(scheme, rows, recomputed=NA, without=NA, evaluation=None):
    cumulative = pd.DataFrame({"employee_id": ["x"], "score": [recomputed], "score_without_leave": [without],
                               "reason": [""]})  # fmt: skip
    people = pd.DataFrame({"employee_id": ["x"], "unit": "N", "profile": "regional_manager"})
    given = None if evaluation is None else pd.DataFrame({"employee_id": ["x"], "score": [evaluation]})
    return annual_results(rows, cumulative, people, scheme, given).iloc[0]


def scored(quarter, score, grade, *, decided=True, leave=False, cap="", days=91):
    return (quarter, score, grade, decided, leave, "scored", cap, "", days)


def test_three_methods_stand_side_by_side_and_the_scheme_picks_one(scheme):
    rows = quarter_rows(*(scored(f"Q{i}", s, g) for i, (s, g) in enumerate(zip((70, 80, 90, 84), "BASA", strict=True))))
    row = year_of(scheme, rows, recomputed=76.0)
    # Mean 81; mixed .6 x 81 + .4 x 76 = 79; cumulative 76.
    assert [row[f"score_{m}"] for m in METHODS] == [81, pytest.approx(79), 76]
    assert [row[f"grade_{m}"] for m in METHODS] == ["A", "B", "B"] and (row.method, row.grade) == ("mean", "A")
    mixed = read_scheme(TEXT.replace("method: mean", "method: mixed"))[0]
    row = year_of(mixed, rows, recomputed=76.0, evaluation=96.0)
    assert row.score == pytest.approx(87) and row.grade == "A"  # .6 x 81 + .4 x 96
    assert "stands in for it" in year_of(mixed, rows, recomputed=76.0).reason


@pytest.mark.parametrize(
    ("grades", "leave", "grade", "says"),
    [
        ("SSSB", "....", "S", ""),
        ("SSBB", "....", "A", "quarters at A or above: 2 of the 3 asked for; the score alone gives S"),
        ("SSSD", "....", "A", "D in a quarter of the year"),
        ("SSS-", "...L", "S", "leave in Q3: 2 at A are asked for"),
        ("SSB-", "...L", "S", "2 at A are asked for"),  # leave asks one less
        # Away for another reason: it asks no less.
        ("SSB-", "....", "A", "quarters at A or above: 2 of the 3 asked for; the score alone gives S"),
        ("S---", ".LLL", "S", "1 at A are asked for"),
        ("SSSD", "...L", "S", "leave in Q3: 2 at A are asked for"),  # worked in part: it lowers nothing either
        ("SSBB", "..L.", "S", "leave in Q2: 2 at A are asked for"),
    ],
)
def test_the_best_grade_needs_its_quarters_and_leave_asks_for_fewer(scheme, grades, leave, grade, says):
    rows = [
        scored(f"Q{i}", 95.0, g, leave=on == "L")
        if g != "-"
        else (f"Q{i}", NA, "", False, on == "L", "excluded", "", "away")
        for i, (g, on) in enumerate(zip(grades, leave, strict=True))
    ]
    # The score is that of the figures: 95 where it was decided S, else held under 90 and the year under S; so all
    # quarters count with S's band here through the cumulative method.
    chosen = read_scheme(TEXT.replace("method: mean", "method: cumulative"))[0]
    row = year_of(chosen, quarter_rows(*rows), recomputed=95.0)
    assert row.grade == grade and says in row.reason
    assert row.top_grade == ("met" if grade == "S" else "not met")
    assert all(f"Q{i}: away" in row.missing for i, g in enumerate(grades) if g == "-")


def test_a_gate_caps_the_year_unless_the_committee_lifted_it_or_the_scheme_says_no(scheme):
    rows = [scored("Q1", 85.0, "C", cap="C"), scored("Q2", 85.0, "A")]
    row = year_of(scheme, quarter_rows(*rows), recomputed=85.0)
    # 85 decided C counts as 69.99: mean 77.495; the gate caps at C.
    assert row.score == pytest.approx(77.495) and row.grade == "C" and "a gate in Q1 caps the year at C" in row.reason
    lifted = [scored("Q1", 85.0, "A", cap="C"), scored("Q2", 85.0, "A")]
    assert year_of(scheme, quarter_rows(*lifted), recomputed=85.0).grade == "A"
    free = read_scheme(TEXT.replace("gates: yes", "gates: no"))[0]
    assert year_of(free, quarter_rows(*rows), recomputed=85.0).grade == "B"


def test_what_is_late_keeps_the_year_open_and_what_is_proposed_is_said(scheme):
    open_rows = [scored("Q1", 85.0, "A"), ("Q2", NA, "", False, False, "late", "", "gross_margin (result late)")]
    row = year_of(scheme, quarter_rows(*open_rows), recomputed=85.0)
    assert row.status == "late" and np.isnan(row.score) and row.grade == ""
    assert row.missing == "Q2: gross_margin (result late)"
    half = quarter_rows(scored("Q1", 85.0, "A"), scored("Q2", 85.0, "A", decided=False))
    row = year_of(scheme, half, recomputed=85.0)
    assert "1 of 2 quarters are proposals" in row.reason and row.n_decided == 1


def test_figures_of_leave_never_lower_the_recomputed_score(scheme):
    rows = quarter_rows(scored("Q1", 85.0, "A"), scored("Q2", 60.0, "C", leave=True))
    row = year_of(scheme, rows, recomputed=70.0, without=85.0)
    assert (row.score_mean, row.score_cumulative) == (85, 85) and "left out" in row.reason
    assert year_of(scheme, rows, recomputed=88.0, without=85.0).score_cumulative == 88


def test_a_table_that_loses_or_doubles_somebody_is_refused(scheme):
    rows = quarter_rows(scored("Q1", 85.0, "A"))
    with pytest.raises(DataError, match="stands twice in the quarters"):
        year_of(scheme, pd.concat([rows, rows]))
    with pytest.raises(DataError, match="nobody may be lost"):
        year_of(scheme, rows.assign(employee_id="y"))


# --- Whole quarters ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quarters(tmp_path_factory):
    root = tmp_path_factory.mktemp("year")
    return [Assessment(read_cycle(write_small(root / q, q))) for q in ("2026Q1", "2026Q2", "2026Q3", "2026Q4")]


def test_four_equal_quarters_make_a_year_equal_to_each_of_them_by_every_method(quarters):
    year = annual(quarters)
    one = quarters[0].proposals.set_index("employee_id").score_proposed.dropna()
    found = year.results.set_index("employee_id")
    for method in METHODS:
        assert found[f"score_{method}"].dropna().to_dict() == pytest.approx(one.to_dict(), abs=1e-9)
    assert year.note == "4 quarters, 365 days" and len(year.left_out) == 0
    assert year.counts == {"in": 8, "scored": 7, "late": 0, "no score": 1}
    assert found.missing["008"].count("On leave since the second week") == 4
    # 004 moved from North to South in each quarter: eight stays, one after the other.
    stays = year.kpi_scores[year.kpi_scores.employee_id.eq("004")].scorecard
    assert sorted(stays.unique()) == list("12345678")


def test_the_years_targets_and_actuals_reconcile_with_the_quarters(quarters):
    year = annual(quarters)
    sums = sum(
        one.cycle.results[one.cycle.results.kpi.eq("sales_attainment")]
        .groupby("employee_id")[["target", "actual"]]
        .sum()
        for one in quarters
    )
    own = year.kpi_scores[year.kpi_scores.kpi.eq("sales_attainment")].groupby("employee_id")[["target", "actual"]].sum()
    assert np.allclose(own, sums.loc[own.index]) and len(own) == 7  # all but the one excluded


def test_decisions_of_some_quarters_are_told_from_proposals(quarters):
    decided = {"2026Q1": pd.DataFrame({"employee_id": ["001"], "grade": ["A"]})}
    found = annual(quarters, decided=decided).results.set_index("employee_id")
    before = quarters[0].proposals.set_index("employee_id")
    assert before.grade_proposed["001"] == "B" and found.n_decided.to_dict() == dict.fromkeys(found.index, 0) | {
        "001": 1
    }
    # One quarter counts as 80, the others as they are; by days 90, 91, 92, 92 of equal shares.
    assert found.score_mean["001"] == pytest.approx((80 + 3 * before.score_proposed["001"]) / 4)
    assert "3 of 4 quarters are proposals" in found.reason["001"]
    with pytest.raises(DataError, match="which is not among the quarters"):
        annual(quarters, decided={"2025Q4": decided["2026Q1"]})
    with pytest.raises(DataError, match="not among its employees"):
        annual(quarters, decided={"2026Q1": pd.DataFrame({"employee_id": ["nobody"], "grade": ["A"]})})


def test_a_part_of_a_year_says_so_and_a_doubled_quarter_is_refused(quarters):
    assert annual(quarters[:3]).note == "3 quarters, 273 days: not a whole year"
    assert annual([quarters[0], quarters[2]]).note.endswith("; 91 days between them are in no quarter")
    with pytest.raises(DataError, match="the same days would count twice"):
        annual([quarters[0], quarters[0]])
    assert quarters[0].cycle.scheme.end == date(2026, 3, 31)


def test_a_year_in_which_nobody_is_scored_has_everybody_and_no_grade(tmp_path):
    folder = write_small(tmp_path / "2026Q3")
    (folder / "exclusions.csv").write_text("employee_id,reason\n" + "".join(f"00{i},left\n" for i in range(1, 9)))
    year = annual([Assessment(read_cycle(folder))])
    assert year.counts == {"in": 8, "scored": 0, "late": 0, "no score": 8} and year.results.grade.eq("").all()
