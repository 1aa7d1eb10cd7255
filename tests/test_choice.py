"""Choosing weights for the next plan: optima known in closed form, what near-optimal means, and what is refused."""

import shutil
from datetime import date
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

import perfmodel as pm
from perfmodel import DataError, SchemeError, WeightSpace, choose_weights, planning
from perfmodel.io import write_plan
from perfmodel.scheme import read_scheme
from perfmodel.scheme.writing import for_next_quarter, with_weights

FOUR = {"sales": (40, 60), "team": (20, 30), "market": (10, 20), "ops": (5, 10)}
TREE = {
    "sales": ((40, 60), {"attainment": (30, 50), "new": (20, 40), "margin": (20, 40)}),
    "team": ((20, 40), {"reach": (40, 60), "culture": (40, 60)}),
    "ops": ((10, 30), {"forecast": (100, 100)}),
}


def random_points(space, n=30, seed=3):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(75, 10, (n, len(space.names))), [f"e{i:02}" for i in range(n)], space.names)


def test_the_largest_margin_of_two_statements_is_where_they_balance():
    # Two weights a + b = 100. x beats y by (a - b) / 10, y beats z by (2 b - a) / 10 points of the scores below:
    # the smaller is largest where a - b = 2 b - a, so 2 a = 3 b: a = 60, b = 40, margin 2.
    space = WeightSpace({"a": (0, 100), "b": (0, 100)})
    points = pd.DataFrame({"a": [20, 10, 20], "b": [0, 10, -10]}, index=["x", "y", "z"], dtype=float)
    choice = choose_weights(points, space, pairs=[("x", "y"), ("y", "z")])
    assert choice.weights.tolist() == pytest.approx([60, 40], abs=1e-6)
    assert choice.value == pytest.approx(2) and choice.consistent and choice.statements.kept.all()
    # Margin of at least 95 % of 2: (a - b) / 10 >= 1.9 gives a >= 59.5; (2 b - a) / 10 >= 1.9 gives a <= 60.33.
    assert choice.near.loc["a", ["low", "high"]].tolist() == pytest.approx([59.5, 181 / 3], abs=1e-6)
    assert (choice.tau, choice.tau_found) == (1, 1)


def test_weights_behind_an_order_are_among_those_that_keep_it():
    space = WeightSpace(FOUR)
    points = random_points(space)
    truth = pd.Series({"sales": 55, "team": 22, "market": 15, "ops": 8})
    order = (points @ truth).sort_values(ascending=False).index[:10]
    choice = choose_weights(points, space, order=order)
    assert choice.consistent and choice.statements.kept.all() and len(choice.statements) == 45
    assert choice.value >= (points.loc[order] @ truth / 100).diff().iloc[1:].mul(-1).min() - 1e-9
    assert space.contains(choice.weights)
    fresh = choice.check(points.iloc[::-1], baseline=truth)
    assert fresh.loc["chosen", "value"] == fresh.loc["baseline", "value"] == 1 and (fresh.n == 45).all()


def test_contradictions_are_violated_least_and_named():
    # x over y and y over x: lead l and -l; the violation is |l|, least where they are level: a = 50.
    space = WeightSpace({"a": (0, 100), "b": (0, 100)})
    points = pd.DataFrame({"a": [20, 10], "b": [0, 10]}, index=["x", "y"], dtype=float)
    choice = choose_weights(points, space, pairs=[("x", "y"), ("y", "x")])
    assert not choice.consistent and choice.value == pytest.approx(0, abs=1e-9)
    assert choice.weights["a"] == pytest.approx(50, abs=1e-6) and "contradict" in repr(choice)
    # One pair stated against two: the two are kept.
    points = pd.DataFrame({"a": [20, 10, 0], "b": [20, 10, 0]}, index=["x", "y", "z"], dtype=float)
    choice = choose_weights(points, space, order=["x", "y", "z"], pairs=[("z", "x")])
    assert choice.statements.set_index(["better", "worse"]).kept.to_dict() == {
        ("x", "y"): True, ("x", "z"): True, ("y", "z"): True, ("z", "x"): False,
    }  # fmt: skip
    assert choice.value == pytest.approx(-20)  # z lies 20 under x whatever the weights


def test_tau_is_kendalls():
    space = WeightSpace(FOUR)
    points = random_points(space, 8)
    order = list(points.index)
    choice = choose_weights(points, space, order=order)
    scores = points @ choice.weights
    assert choice.tau == pytest.approx(kendalltau(-np.arange(8), scores[order]).statistic, abs=1e-6)
    assert choice.tau_found >= choice.tau


def test_the_most_discriminating_weights_are_the_best_corner():
    for seed in range(5):
        space = WeightSpace.tree(TREE)
        points = random_points(space, seed=seed)
        choice = choose_weights(points, space, "discriminating")
        best = max(np.var(points.to_numpy() @ v / 100, ddof=1) for v in space.vertices().to_numpy())
        assert choice.value == pytest.approx(best) and space.contains(choice.weights)
        assert ((choice.near.low <= choice.near.weight + 1e-9) & (choice.near.weight <= choice.near.high + 1e-9)).all()


def test_the_most_reliable_weights_of_two_independent_kpis():
    # Uncorrelated in the sample, variances s and errors e: reliability 1 - sum w^2 e / sum w^2 s. With all error in b,
    # as much weight on a as is permitted.
    space = WeightSpace({"a": (30, 70), "b": (30, 70)})
    points = pd.DataFrame({"a": [60, 60, 80, 80], "b": [60, 80, 60, 80]}, index=list("wxyz"), dtype=float)
    choice = choose_weights(points, space, "reliable", error=pd.Series({"a": 0, "b": 50}))
    assert choice.weights.tolist() == pytest.approx([70, 30], abs=1e-4)
    variance = np.var([60, 60, 80, 80], ddof=1)
    assert choice.value == pytest.approx(1 - 0.09 * 50 / (0.58 * variance))


def test_errors_that_go_together_lower_the_reliability_of_their_sum():
    # Two rated KPIs of one rater with error variance 50 each and covariance 40: at equal weights the error of the score
    # is (50 + 50 + 2 * 40) / 4 = 45, not 25, and weight shifts to the measured third.
    space = WeightSpace({"a": (20, 60), "b": (20, 60), "c": (10, 60)})
    points = random_points(space, 60)
    linked = pd.DataFrame([[50, 40, 0], [40, 50, 0], [0, 0, 0]], list("abc"), list("abc"), dtype=float)
    one = choose_weights(points, space, "reliable", error=linked)
    half = pd.Series({"a": 50.0, "b": 50.0, "c": 0.0})
    w = pd.Series({"a": 40.0, "b": 40.0, "c": 20.0})
    spread = w @ points.cov() @ w
    apart = choose_weights(points, space, "reliable", error=half)
    measured = {k: c.check(points, w).loc["baseline", "value"] for k, c in (("linked", one), ("apart", apart))}
    assert measured["apart"] == pytest.approx(1 - (1600 * 50 * 2) / spread)
    assert measured["linked"] == pytest.approx(1 - (1600 * 50 * 2 + 2 * 1600 * 40) / spread)
    with pytest.raises(DataError, match="negative variance"):
        choose_weights(points, space, "reliable", error=linked.replace(40, 80))


def test_the_error_of_a_score_is_that_of_the_joint_draws(closed):
    # The covariance of KPI errors must give back the variance of the score's error that the chances of grades use:
    # two independent ways through the same draws, within 3 % (people with other weights by sharing, 4,000 draws there).
    for profile in ("regional_manager", "key_account_manager"):
        error = planning.error_covariance(closed, profile)
        simulation = closed.weights[profile]
        w = simulation.baseline[error.index]
        assert error.loc["sales_attainment"].abs().max() == 0 and np.diag(error).max() > 0
        se = closed.chances.se.reindex(closed.profile_points(profile).index).dropna()
        assert w @ error @ w / 1e4 == pytest.approx((se**2).mean(), rel=0.05)
        assert w**2 @ np.diag(error) / 1e4 < 0.7 * (se**2).mean()  # variances alone: about half


def test_a_holdout_measures_what_was_aimed_at_on_other_points():
    space = WeightSpace(FOUR)
    choice = choose_weights(random_points(space), space, "discriminating")
    other = random_points(space, seed=9)
    found = choice.check(other)
    assert found.loc["chosen", "value"] == pytest.approx(np.var(other.to_numpy() @ choice.weights / 100, ddof=1))
    assert found.loc["centre", "n"] == 30


def test_who_lacks_a_point_takes_no_part_and_is_named():
    space = WeightSpace(FOUR)
    points = random_points(space)
    points.loc["e03", "ops"] = np.nan
    choice = choose_weights(points, space, "discriminating")
    assert choice.left_out.to_dict() == {"e03": "no points in ops"}
    with pytest.raises(DataError, match="e03 cannot stand in a statement: no points in ops"):
        choose_weights(points, space, order=["e01", "e03"])


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"aim": "cost"}, SchemeError, "Cost is never an aim"),
        ({}, DataError, "No statement"),
        ({"order": ["e01", "e01"]}, DataError, "twice"),
        ({"pairs": [("e01", "nobody")]}, DataError, "nobody stands in a statement"),
        ({"pairs": [("e01", "e01")]}, DataError, "better than itself"),
        ({"aim": "reliable"}, DataError, "error variance"),
        ({"aim": "reliable", "error": pd.Series({"sales": 0, "team": 0, "market": 0, "ops": 0})}, DataError, "above 0"),
        ({"order": ["e01", "e02"], "tolerance": 2}, DataError, "between 0 and 1"),
    ],
)
def test_what_cannot_be_aimed_at_is_refused(asked, error, message):
    space = WeightSpace(FOUR)
    with pytest.raises(error, match=message):
        choose_weights(random_points(space), space, **asked)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["sales", "team", "ops", "attainment", "new", "margin", "reach"]), st.floats(0, 100))
def test_a_slider_moves_one_weight_and_the_others_stay_permitted(name, value):
    for order in ((), ("sales >= team",)):
        space = WeightSpace.tree(TREE, order=order)
        found = space.moved(space.centre, name, value)
        assert space.contains(found, tolerance=1e-5)
        names, nodes = space.nodes(found.to_numpy()[None])
        box = space.outer if name in TREE else space.inner[space.categories[name]]
        at = list(TREE).index(name) if name in TREE else list(space.within[space.categories[name]]).index(name)
        wanted = np.clip(value, box.reach[0][at], box.reach[1][at])
        assert nodes[0, names.index(name)] == pytest.approx(wanted, abs=1e-5)


# ---- writing the plan ----


def test_chosen_weights_are_written_and_everything_else_stays(closed):
    text = Path("data/2026Q2/scheme.yaml").read_text(encoding="utf-8")
    space = closed.cycle.scheme.weight_space("key_account_manager")
    wanted = space.sample(1, seed=5).iloc[0]
    changed = with_weights(text, "key_account_manager", wanted, "accounts grew\nfaster than the region")
    scheme, _ = read_scheme(changed)
    written = scheme.weights("key_account_manager").set_index("kpi")["weight"]
    assert (written - wanted).abs().max() < 0.2 and space.contains(written)
    before, after = text.splitlines(), changed.splitlines()
    gone = [line for line in before if line not in after]
    assert len(gone) <= 4 and "# accounts grew faster than the region" in changed
    others = [p.id for p in scheme.profiles if p.id != "key_account_manager"]
    for other in others:
        pd.testing.assert_frame_equal(scheme.weights(other), closed.cycle.scheme.weights(other))
    again = with_weights(changed, "key_account_manager", wanted, "said once more")
    assert "accounts grew" not in again and "# said once more" in again


def test_every_profile_takes_the_weights_of_every_permitted_choice(closed):
    text = Path("data/2026Q2/scheme.yaml").read_text(encoding="utf-8")
    for profile in closed.cycle.scheme.profiles:
        space = closed.cycle.scheme.weight_space(profile.id)
        for wanted in (space.sample(3, seed=2).iloc[i] for i in range(3)):
            scheme, _ = read_scheme(with_weights(text, profile.id, wanted, "why"))
            assert space.contains(scheme.weights(profile.id).set_index("kpi")["weight"])


def test_the_next_quarter_follows():
    text = Path("data/2025Q4/scheme.yaml").read_text(encoding="utf-8")
    scheme, _ = read_scheme(for_next_quarter(text))
    assert (scheme.cycle, scheme.start, scheme.end) == ("2026Q1", date(2026, 1, 1), date(2026, 3, 31))


@pytest.fixture()
def alone(tmp_path):
    """The closed quarter of the sample with no later one beside it."""
    shutil.copytree("data/2026Q1", tmp_path / "quarters" / "2026Q1")  # year-to-date figures are differenced against it
    return shutil.copytree("data/2026Q2", tmp_path / "quarters" / "2026Q2")


def test_a_plan_under_which_people_are_rated_is_not_written(closed, alone, tmp_path):
    scheme, post, later = alone / "scheme.yaml", "regional_manager", date(2026, 7, 1)
    wanted = closed.cycle.scheme.weight_space(post).centre
    place = tmp_path / "plan"
    diff = write_plan(scheme, place, post, wanted, "the mean of all permitted", today=later)
    assert "+cycle: {id: 2026Q3" in diff
    assert "# the mean of all permitted" in (place / "scheme.yaml").read_text("utf-8")
    (place / "ratings.csv").write_text("rater_id\n")
    with pytest.raises(SchemeError, match=r"is frozen: ratings\.csv is there already"):
        write_plan(scheme, place, post, wanted, "late", today=later)
    with pytest.raises(SchemeError, match="has begun"):
        write_plan(scheme, alone, post, wanted, "now", today=later)
    with pytest.raises(SchemeError, match="Say why"):
        write_plan(scheme, tmp_path / "next", post, wanted, "  ", today=later)
    with pytest.raises(SchemeError, match="not permitted"):
        write_plan(scheme, tmp_path / "next", post, wanted * 0.9, "because", today=later)
    # The next quarter stands beside this one and people are rated in it, wherever the plan is to be written.
    begun = alone.parent / "any name"
    begun.mkdir()
    shutil.copy("data/2026Q3/scheme.yaml", begun)
    write_plan(scheme, tmp_path / "next", post, wanted, "nobody is rated yet", today=later)
    (begun / "ratings.csv").write_text("rater_id\n")
    with pytest.raises(SchemeError, match="plan of 2026Q3 is frozen"):
        write_plan(scheme, tmp_path / "another", post, wanted, "late", today=later)
    assert not (tmp_path / "another").exists()


def test_weights_of_an_open_quarter_are_not_written(closed, alone, tmp_path):
    post = "regional_manager"
    wanted = closed.cycle.scheme.weight_space(post).centre
    with pytest.raises(SchemeError, match="2026Q2 runs until 2026-06-30"):
        write_plan(alone / "scheme.yaml", tmp_path / "plan", post, wanted, "early", today=date(2026, 6, 30))
    with pytest.raises(SchemeError, match="2026Q3 waits for results of"):
        write_plan("data/2026Q3/scheme.yaml", tmp_path / "plan", post, wanted, "tuned", today=date(2027, 1, 1))
    assert not (tmp_path / "plan").exists()


def test_one_profile_after_another_gathers_in_one_plan(closed, alone, tmp_path):
    scheme, place, later = alone / "scheme.yaml", tmp_path / "plan", date(2026, 7, 1)
    posts = ("regional_manager", "key_account_manager")
    first, second = (closed.cycle.scheme.weight_space(post).sample(2, seed=5) for post in posts)
    write_plan(scheme, place, posts[0], first.iloc[0], "reason of the first", today=later)
    diff = write_plan(scheme, place, posts[1], second.iloc[0], "reason of the second", today=later)
    assert "2026Q3" not in diff and "+    # reason of the second" in diff  # against the plan, not the old scheme
    again = write_plan(scheme, place, posts[0], first.iloc[1], "second thoughts", today=later)
    assert "-    # reason of the first" in again and "+    # second thoughts" in again
    text = (place / "scheme.yaml").read_text(encoding="utf-8")
    assert "reason of the second" in text and "reason of the first" not in text
    written, _ = read_scheme(text)
    for post, wanted in zip(posts, (first.iloc[1], second.iloc[0]), strict=True):
        assert (written.weights(post).set_index("kpi")["weight"] - wanted).abs().max() < 0.2
    # A scheme of another quarter is not taken for a plan of this one.
    shutil.copy("data/2026Q1/scheme.yaml", place / "scheme.yaml")
    with pytest.raises(SchemeError, match="is no plan of the quarter after 2026Q2"):
        write_plan(scheme, place, posts[0], first.iloc[0], "why", today=later)
    assert "+cycle: {id: 2026Q3" in write_plan(scheme, place, posts[0], first.iloc[0], "why", today=later, force=True)


def test_weights_are_chosen_on_closed_quarters_alone_under_pseudonyms(closed, quarter):
    profile = "regional_manager"
    with pytest.raises(DataError, match="runs until 2026-06-30"):
        planning.choice_points(closed, profile, key="k", today=date(2026, 6, 30))
    with pytest.raises(DataError, match="waits for results"):
        planning.choice_points(quarter, profile, key="k", today=date(2027, 1, 1))
    with pytest.raises(DataError, match="need a key"):
        planning.choice_points(closed, profile, key="", today=date(2027, 1, 1))
    points = planning.choice_points(closed, profile, key="k", today=date(2027, 1, 1))
    assert not set(points.index) & set(closed.cycle.employees["employee_id"]) and points.index.is_unique
    other = planning.choice_points(pm.assess("data/2026Q1", seed=1), profile, key="k", today=date(2027, 1, 1))
    assert len(set(points.index) & set(other.index)) > 50  # the same person, the same pseudonym


def test_consequences_are_those_of_scoring_anew(closed):
    profile = "regional_manager"
    space = closed.cycle.scheme.weight_space(profile)
    table = planning.consequences(closed, profile, space.sample(1, seed=3).iloc[0])
    simulation = closed.weights[profile]
    assert table.loc["in force", "changed"] == 0
    known = simulation.grade[simulation.reason == ""].value_counts()
    assert {g: table.loc["in force", g] for g in known.index} == known.to_dict()
    stage = closed.pool.set_index("step").loc["proposed"]
    assert table.loc["in force", "cost"] == pytest.approx(stage["cost"])


def test_all_pairs_of_a_long_order_are_not_asked():
    space = WeightSpace(FOUR)
    points = random_points(space, 60)
    choice = choose_weights(points, space, order=list(points.index))
    assert len(choice.statements) == 59 and len(list(combinations(range(60), 2))) == 1770


def test_a_page_on_closed_quarters_asks_no_clock_and_names_nobody(monkeypatch, quarter):
    class Clock(date):
        @classmethod
        def today(cls):
            raise AssertionError("the clock was asked")

    monkeypatch.setattr(planning, "date", Clock)
    found = planning.on_closed(quarter, "key_account_manager")
    assert (found.chosen_on, found.checked_on, found.reason) == ("2026Q2", "2026Q1", "")
    moved = {"in force to discriminating", "in force to reliable"}
    assert set(found.group_gap.weights) == {"in force", "discriminating", "reliable"} | moved
    people = set(quarter.cycle.employees["employee_id"])
    for table in (found.weights, found.check, found.cost, found.group_gap):
        assert not people & set(table.astype(str).to_numpy().ravel())


def test_rates_by_group_in_force_and_chosen_are_counts_and_small_ones_are_not_told(closed):
    post = "regional_manager"
    weights = closed.cycle.scheme.weight_space(post).sample(1, seed=3).iloc[0]
    table = planning.group_gap(closed, post, {"chosen": weights})
    assert {"in force", "chosen", "in force to chosen"} == set(table.weights)
    assert list(table.columns) == list(planning.GAP) and not table.empty
    scores = closed.scores.set_index("employee_id")
    grades = {"in force": scores.grade_proposed, "chosen": scores.grade_proposed.copy()}
    simulation = closed.weights[post]
    who = simulation.reason.index[simulation.reason == ""]
    place = simulation.ladder.place(simulation.panel.scores(weights.to_numpy()[None])[0])
    grades["chosen"][who] = np.array(simulation.ladder.grades, object)[place]
    groups = closed.cycle.groups
    told = 0
    for row in table[table.weights.isin(list(grades)) & (table.rate.notna())].itertuples():
        of = groups[(groups.attribute == row.attribute) & (groups.value == row.group)].employee_id
        has = grades[row.weights][grades[row.weights].index.isin(of)]
        has = has[has.fillna("") != ""]
        assert row.n == len(has) and row.rate == pytest.approx(has.isin(row.outcome.split("+")).mean())
        yes = round(row.rate * row.n)
        assert 5 <= yes <= row.n - 5 or yes in (0, row.n)
        told += 1
    # A reader may hold what is in force from the quarter's own table, so a choice is hidden before that.
    shown = table[~table.weights.str.contains(" to ")].groupby("weights").rate.count()
    assert shown["in force"] >= shown["chosen"]
    assert told > 0 and table.loc[table.rate.isna(), "reason"].str.contains("under 5|not shown").all()
    with pytest.raises(DataError, match="too many for one table"):
        planning.group_gap(closed, post, dict.fromkeys("abcd", weights))
