"""The health of a scheme: correlations planted and found again, and sentences that say the numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from perfmodel.assessment import Assessment
from perfmodel.errors import DataError
from perfmodel.health import (
    advice,
    caps,
    correlation,
    correlation_difference,
    kpi_stability,
    prediction,
    rater_drift,
    redundancy,
)
from perfmodel.io import read_cycle
from perfmodel.quarters import health, points_by_quarter, ratings_and_next

DATA = Path(__file__).parents[1] / "data"


def made(people=400, quarters=6, *, lasting, copies=(), seed=1, profiles=("p",), cap=np.inf):
    """Points of KPIs k0, k1 ... with test-retest correlation ``lasting[i]`` and no relation but ``copies``.

    points = sqrt(r) u + sqrt(1 - r) e by person and quarter; a copy (i, j, c) makes k_j = c k_i + sqrt(1 - c^2) k_j.
    """
    rng = np.random.default_rng(seed)
    stay = np.sqrt(np.array(lasting))
    lasts = rng.standard_normal((people, 1, len(lasting)))
    values = stay * lasts + np.sqrt(1 - stay**2) * rng.standard_normal((people, quarters, len(lasting)))
    for i, j, c in copies:
        values[..., j] = c * values[..., i] + np.sqrt(1 - c**2) * values[..., j]
    season = 3 * rng.standard_normal((1, quarters, 1))  # moves everybody alike: must make no correlation
    points = np.minimum(75 + 10 * values + season, cap)
    who, quarter, kpi = np.indices(points.shape).reshape(3, -1)
    return pd.DataFrame({
        "quarter": [f"Q{q}" for q in quarter], "employee_id": who.astype(str),
        "profile": np.array(profiles)[who % len(profiles)], "kpi": [f"k{k}" for k in kpi], "category": "c",
        "kind": "measured", "points": points.ravel(), "weight": 100 / len(lasting),
        "at_cap": points.ravel() >= cap, "at_floor": False,
    })  # fmt: skip


# --- Intervals ---------------------------------------------------------------------------------------------------


def test_a_correlation_is_the_ordinary_one():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 50))
    value, low, high = correlation(x, y, np.arange(50))
    assert value == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12) and low < value < high


def test_intervals_over_clusters_cover_and_those_over_rows_would_not():
    # 40 people with 5 rows each, all of a person's errors shared: 90 % intervals over people hold the truth (0)
    # in about 90 % of 200 trials; over rows, as if there were 200 independent ones, far less often.
    rng = np.random.default_rng(2)
    over_people = over_rows = 0
    for _ in range(200):
        x, y = np.repeat(rng.standard_normal((2, 40)), 5, axis=1) + 0.2 * rng.standard_normal((2, 200))
        people = np.repeat(np.arange(40), 5)
        _, low, high = correlation(x, y, people)
        over_people += low < 0 < high
        _, low, high = correlation(x, y, np.arange(200))
        over_rows += low < 0 < high
    # Binomial standard error of 200 trials at .9: 4.2 trials.
    assert 180 - 3 * 4.2 < over_people <= 200 and over_rows < 150


def test_the_difference_of_two_correlations_is_paired():
    # x2 is x1 with a little noise: the two intervals overlap widely, the paired difference is told.
    rng = np.random.default_rng(3)
    y = rng.standard_normal(400)
    x1 = y + rng.standard_normal(400)
    x2 = x1 + 0.5 * rng.standard_normal(400)
    r1, r2, apart, low, high = correlation_difference(x2, x1, y, np.arange(400))
    assert apart == pytest.approx(r2 - r1) and 0 < low < apart < high
    assert correlation(x1, y, np.arange(400))[1] < r1


# --- Reliability, redundancy, caps -------------------------------------------------------------------------------


def test_planted_retest_correlations_are_found_whatever_the_season():
    truth = [0.0, 0.3, 0.6]
    table = kpi_stability(made(lasting=truth, profiles=("p", "q"))).set_index(["profile", "kpi"])
    for i, r in enumerate(truth):
        row = table.loc["all", f"k{i}"]
        # 400 people, 5 pairs: a standard error of about .03 at most.
        assert row.retest == pytest.approx(r, abs=0.09) and row.n_pairs == 2000 and row.n_people == 400
    assert table.verdict["all"].to_list() == ["mostly chance", "holds", "holds"]
    assert table.loc[("all", "k2"), "year"] == pytest.approx(4 * 0.6 / 2.8, abs=0.05)  # Spearman-Brown
    assert table.loc["p", "n_people"].eq(200).all()


def test_a_kpi_bought_at_the_others_cost_has_a_negative_validity():
    points = made(lasting=[0.7, 0.7], copies=((0, 1, -0.8),))
    table = kpi_stability(points).set_index(["profile", "kpi"])
    assert table.loc[("all", "k1"), "validity_upper"] < 0
    said = advice(*_empty_but(stability=kpi_stability(points)))
    assert said.finding.eq("against the rest").any()


def test_pairs_pair_a_quarter_with_the_very_next_one():
    points = made(40, 3, lasting=[0.5])
    away = points.quarter.eq("Q1") & points.employee_id.astype(int).lt(10)
    assert kpi_stability(points[~away]).n_pairs.eq(2 * 30).all()  # Q0 and Q2 of the ten are no pair
    named = points.assign(quarter=pd.Categorical(points.quarter, ["Q2", "Q1", "Q0"], ordered=True))
    # Read backward it is the same pairs.
    assert kpi_stability(named).retest[0] == pytest.approx(kpi_stability(points).retest[0])


def test_redundant_kpis_are_named_and_inflation_is_that_of_the_planted_correlation():
    pairs, inflation = redundancy(made(lasting=[0.5, 0.5, 0.5], copies=((0, 1, 0.9),)))
    first = pairs.iloc[0]
    assert (first.kpi, first.other, first.verdict) == ("k0", "k1", "same") and first.r == pytest.approx(0.9, abs=0.02)
    assert pairs[pairs.profile.eq("all")].verdict.to_list() == ["same", "apart", "apart"]
    vif = inflation[inflation.profile.eq("all")].set_index("kpi")
    # 1 / (1 - .81) = 5.26 of both, 1 of the third.
    assert vif.vif["k0"] == pytest.approx(5.26, rel=0.1) and vif.vif["k2"] == pytest.approx(1, abs=0.02)
    inflation = redundancy(made(100, 2, lasting=[0.5, 0.5, 0.5], copies=((0, 1, 1.0),)))[1]
    told = inflation[inflation.profile.eq("all")].set_index("kpi").vif
    assert told["k0"] == told["k1"] == np.inf and told["k2"] == pytest.approx(1, abs=0.05)  # one figure, paid twice


def test_the_share_at_the_cap_is_counted():
    # A cap half a standard deviation above the mean stops P(z > .5) = .309 of the results, the season aside.
    points = made(300, 4, lasting=[0.2], cap=80.0, seed=4)
    row = caps(points).iloc[0]
    assert row.share_at_cap == points.at_cap.mean() and row.lower < row.share_at_cap < row.upper
    assert row.verdict == "cap binds" and row.share_at_floor == 0


def test_too_few_people_are_a_row_with_a_reason():
    small = made(6, 3, lasting=[0.5, 0.5])
    table, (pairs, inflation), capped = kpi_stability(small), redundancy(small), caps(small)
    for found in (table, pairs, capped):
        assert found.verdict.eq("").all() and found.reason.str.contains("6 people: too few to tell").all()
    assert inflation.vif.isna().all() and inflation.reason.ne("").all()
    with pytest.raises(DataError, match="lack the columns kind"):
        kpi_stability(small.drop(columns="kind"))
    with pytest.raises(DataError, match="twice"):
        caps(pd.concat([small, small]))


# --- Raters ------------------------------------------------------------------------------------------------------


def rated(severity_known=1.0, raters=40, people=12, seed=5):
    """Ratings = merit - severity + noise; adjusted gives back ``severity_known`` of the severity planted."""
    rng = np.random.default_rng(seed)
    severity = np.repeat(0.8 * rng.standard_normal(raters), people)
    merit, noise, luck = rng.standard_normal((3, raters * people))
    raw = merit - severity + 0.5 * noise
    return pd.DataFrame({
        "employee_id": np.arange(len(raw)).astype(str), "quarter": "Q1", "profile": "p",
        "manager_id": np.repeat(np.arange(raters), people).astype(str),
        "unit": np.repeat(np.arange(raters) // 4, people).astype(str), "rating_raw": raw,
        "rating_adjusted": raw + severity_known * severity, "kpi_next": merit + luck,
    })  # fmt: skip


def test_an_adjustment_that_is_right_predicts_better_one_turned_round_worse_and_none_is_said():
    assert prediction(rated()).verdict.to_list() == ["better", "better"]
    assert prediction(rated(-1.0)).verdict.to_list() == ["worse", "worse"]
    none = prediction(rated(0.0))
    assert none.verdict.eq("").all() and none.reason.str.contains("no rating was adjusted").all()
    row = prediction(rated(raters=400)).iloc[0]
    # corr = 1 / sqrt(var(rating) x 2): raw variance 1 + .64 + .25, adjusted 1 + .25; 4800 people, standard error .01.
    assert row.r_raw == pytest.approx(1 / np.sqrt(1.89 * 2), abs=0.05)
    assert row.r_adjusted == pytest.approx(1 / np.sqrt(1.25 * 2), abs=0.05)
    few = prediction(rated(raters=5))
    assert few.reason.str.contains("too few to tell").all()


def test_drift_is_one_row_a_rater_with_the_first_signal():
    moves = pd.DataFrame({"rater_id": ["b", "a", "a", "a"], "quarter": ["Q1", "Q1", "Q2", "Q3"],
                          "severity": [0.1, 0.0, 0.4, 0.5], "signal": ["", "", "severer", "severer"]})  # fmt: skip
    table = rater_drift(moves).set_index("rater_id")
    assert table.loc["a", ["first", "last", "least", "most", "signal", "quarter"]].to_list() == [
        0.0, 0.5, 0.0, 0.5, "severer", "Q2"
    ]  # fmt: skip
    assert table.reason["b"] == "seen in one quarter only"


def _empty_but(**given):
    pairs, inflation = redundancy(made(6, 2, lasting=[0.5]))
    tables = {"stability": kpi_stability(made(6, 2, lasting=[0.5])), "pairs": pairs, "inflation": inflation,
              "capped": caps(made(6, 2, lasting=[0.5])),
              "drifts": rater_drift(pd.DataFrame(columns=["rater_id", "quarter", "severity", "signal"])),
              "predicted": prediction(rated(raters=2))}  # fmt: skip
    return list((tables | given).values())


def test_the_sentences_state_the_numbers_and_a_profile_speaks_only_where_it_differs():
    points = made(lasting=[0.0, 0.8], profiles=("p", "q"))
    stability = kpi_stability(points)
    said = advice(*_empty_but(stability=stability, predicted=prediction(rated())))
    (row,) = said[said.subject.eq("reliability")].to_dict("records")
    all_k0 = stability.set_index(["profile", "kpi"]).loc["all", "k0"]
    assert row["kpi"] == "k0" and row["profile"] == "all"
    assert f"correlate {all_k0.retest:.2f}".replace("0.", ".") in row["sentence"] and "400 people" in row["sentence"]
    better = said[said.subject.eq("adjustment")].sentence.iloc[0]
    assert "Adjusting did better" in better and "40 superiors resampled, 480 people and quarters" in better


# --- The sample --------------------------------------------------------------------------------------------------


def test_two_quarters_of_the_sample_go_through_and_nothing_is_lost():
    quarters = [Assessment(read_cycle(DATA / name)) for name in ("2025Q1", "2025Q2")]
    found = health(quarters)
    assert found.quarters == ("2025Q1", "2025Q2")
    scheme = quarters[0].cycle.scheme
    assert set(found.stability.kpi) == {k.id for k in scheme.kpis}
    assert len(found.stability) == len(scheme.kpis) * (1 + len(scheme.profiles))
    points = points_by_quarter(quarters)
    for one in quarters:
        own = points[points.quarter.eq(one.cycle.id)]
        assert own.employee_id.nunique() == one.counts["scored"]
        # On one scorecard the points are those of the quarter's own table.
        table = one.kpi_scores.merge(own, on=["employee_id", "kpi"])
        table = table[table.scorecard.eq("")]
        assert np.allclose(table.points, table.score_raw, equal_nan=True) and len(table) > 2500
    compared = ratings_and_next(quarters)
    alone = quarters[0].totals.loc[quarters[0].unidentified, "employee_id"]
    assert len(alone) and not set(alone) & set(compared.employee_id)
    assert found.prediction.n.iloc[0] == len(compared.dropna()) and found.advice.sentence.str.len().gt(40).all()
    alone = health(quarters[:1])  # of one quarter, rows say why what needs a next one cannot be told
    assert alone.stability.reason.ne("").all() and alone.prediction.reason.ne("").all() and len(alone.pairs)
    with pytest.raises(DataError, match="there is none"):
        health([])
