"""Proposals and the discussion list, on cases small enough to check by eye."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from small_cycle import SCHEME, write_small

from perfmodel import read_cycle
from perfmodel.calibration import agenda, discussion, propose
from perfmodel.scheme import read_scheme


@pytest.fixture(scope="module")
def scheme():
    return read_scheme(SCHEME.read_text(encoding="utf-8"))[0]


@pytest.fixture(scope="module")
def cycle(tmp_path_factory):
    return read_cycle(write_small(tmp_path_factory.mktemp("calibration") / "2026Q3"))


def proposed(scheme, raw, adjusted, *, cap="", left_alone=False, assuming="", n_ratings=20):
    """The proposal for one person rated by R1 alone."""
    totals = pd.DataFrame(
        {"employee_id": ["1"], "score_raw": [raw], "score_adjusted": [adjusted], "cap": [cap], "reason": [""]}
    )
    ratings = pd.DataFrame({"rater_id": ["R1"], "employee_id": ["1"], "kpi": ["team_culture"], "role": ["manager"]})
    known = pd.DataFrame({"employee_id": ["1"], "reason": ["left alone: no shared rater" if left_alone else assuming]})
    raters = pd.DataFrame({"n_ratings": [n_ratings]}, pd.Index(["R1"], name="rater_id"))
    return propose(totals, known, raters, ratings, scheme).iloc[0]


def test_a_proposal_goes_to_the_adjusted_score_but_no_further_than_five_points(scheme):
    near, up, down = (proposed(scheme, 78.0, to) for to in (80.5, 86.0, 71.0))
    assert (near.score_proposed, near.grade_proposed, near.moved_by) == (80.5, "A", "severity")
    assert (up.score_proposed, up.moved_by) == (83.0, "severity, held at 5 points")
    assert (down.score_proposed, down.grade_proposed) == (73.0, "B")


def test_where_severity_is_unknown_the_raw_score_stands_and_the_reason_says_so(scheme):
    alone, tiny = proposed(scheme, 78.0, 78.0, left_alone=True), proposed(scheme, 78.0, 82.0, n_ratings=4)
    assert alone.score_proposed == 78.0 and alone.moved_by == "" and "cannot be told apart" in alone.reason
    assert tiny.score_proposed == 78.0 and "under 5 ratings" in tiny.reason


def test_a_score_that_rests_on_a_named_assumption_repeats_it(scheme):
    moved = proposed(scheme, 78.0, 80.5, assuming="assuming equal teams")
    assert (moved.moved_by, moved.reason) == ("severity, assuming equal teams", "assuming equal teams")
    held = proposed(scheme, 78.0, 86.0, assuming="assuming equal teams")
    assert held.moved_by == "severity, held at 5 points, assuming equal teams"
    tiny = proposed(scheme, 78.0, 82.0, assuming="assuming equal teams", n_ratings=4)
    # The proposal does not move, but the adjusted score beside it rests on the assumption all the same.
    assert tiny.moved_by == "" and "under 5 ratings" in tiny.reason and tiny.reason.endswith("; assuming equal teams")
    assert proposed(scheme, np.nan, np.nan, assuming="assuming equal teams").reason == ""


def test_a_gate_holds_the_proposal_too_and_no_score_gets_none(scheme):
    assert proposed(scheme, 84.0, 85.0, cap="C").grade_proposed == "C"
    late = proposed(scheme, np.nan, np.nan)
    assert np.isnan(late.score_proposed) and late.grade_proposed == "" and late.moved_by == ""


def listed(cycle, past=None, **case):
    """The discussion list of employee 001 alone; what is not said is an unremarkable B."""
    usual = {"employee_id": "001", "unit": "North", "score_raw": 75.0, "score_proposed": 75.0, "grade_raw": "B"}
    usual |= {"grade_proposed": "B", "p_stay": 0.9, "p_S": 0.0, "p_A": 0.05, "p_B": 0.9, "p_C": 0.05, "p_D": 0.0}
    usual |= {"kpi_score": 75.0, "rating": 3.0, "rating_points": 75.0, "cap": "", "status": "scored", "reason": ""}
    whole = pd.DataFrame([usual | case])
    of_totals = ["kpi_score", "rating", "rating_points", "cap", "status"]
    found = discussion(whole.drop(columns=of_totals), whole[["employee_id", *of_totals]], cycle, past)
    return found.set_index("flag")


def test_an_unremarkable_person_is_not_on_the_list(cycle):
    assert listed(cycle).empty


@pytest.mark.parametrize(
    ("flag", "case", "evidence"),
    [
        ("lower_grade", {"grade_proposed": "D", "grade_raw": "D", "kpi_score": 54.2}, "D rests on KPI score 54.2"),
        ("gate", {"grade_proposed": "C", "cap": "C"}, "A gate holds the grade at C; the score of 75.0 alone gives B."),
        (
            "crosses_cut",
            {"score_raw": 69.0, "grade_raw": "C", "score_proposed": 71.5},
            "69.0 becomes 71.5, C becomes B",
        ),
        ("disagree", {"kpi_score": 92.0}, "KPI score 92.0, rating 3.0 worth 75.0 points: 17.0 apart."),
        ("too_close", {"p_stay": 0.6, "p_B": 0.6, "p_A": 0.36, "p_C": 0.04}, "Rating error alone gives A .36, B .60."),
        (
            "missing_evidence",
            {"status": "late", "grade_proposed": "", "reason": "gross_margin late"},
            "gross_margin late.",
        ),
        (
            "missing_evidence",
            {"p_stay": np.nan, "score_proposed": 79.6},
            "Score 79.60, 0.40 from the cut at 80; no P: severity of the rater is not identified.",
        ),
    ],
)
def test_each_flag_carries_its_numbers(cycle, flag, case, evidence):
    found = listed(cycle, **case)
    assert flag in found.index and evidence in found.evidence[flag]


def test_flags_that_look_at_the_quarter_before(cycle):
    past = {"2026Q1": pd.Series({"001": "D"}), "2026Q2": pd.Series({"001": "C"})}
    low = listed(cycle, past, grade_proposed="C", grade_raw="C")
    assert low.evidence["repeated_low"] == "C in 2026Q2, C now."
    jump = listed(cycle, past, grade_proposed="A", grade_raw="A", score_proposed=84.0, score_raw=84.0)
    assert jump.evidence["two_level_jump"] == "C in 2026Q2, A now."
    assert "repeated_low" not in listed(cycle, {"2026Q2": pd.Series({"001": "A"})}, grade_proposed="C").index


def test_a_top_grade_soon_after_the_start_is_looked_at(cycle):
    people = cycle.employees.assign(hire_date=pd.Timestamp("2026-05-01"))
    new = dataclasses.replace(cycle, tables=cycle.tables | {"employees": people})
    case = {"grade_proposed": "A", "grade_raw": "A", "score_proposed": 84.0, "score_raw": 84.0}
    assert listed(new, **case).evidence["new_and_top"] == "A after 153 days in post."  # 1 May to 30 September
    assert "new_and_top" not in listed(cycle, **case).index


def test_a_grade_that_changes_pay_without_a_word_of_comment_is_looked_at(cycle):
    silent = dataclasses.replace(cycle, tables=cycle.tables | {"ratings": cycle.ratings.assign(comment="")})
    case = {"grade_proposed": "A", "grade_raw": "A", "score_proposed": 84.0, "score_raw": 84.0}
    assert "no rating that counts carries a comment" in listed(silent, **case).evidence["missing_evidence"]
    assert listed(silent).empty  # a B pays in full


def test_what_does_not_fit_on_the_page_remains_and_is_counted():
    table = pd.DataFrame({"unit": ["X"] * 12 + ["Y"], "employee_id": [f"{i % 11}" for i in range(12)] + ["y"]})
    assert agenda(table, 8).to_dict("list") == {
        "unit": ["X", "Y"],
        "flagged": [11, 1],
        "shown": [8, 1],
        "remaining": [3, 0],
    }
