"""The many-facet model: published numbers, closed forms, and what it says where it cannot measure."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

from perfmodel.errors import DataError
from perfmodel.raters import fit_facets, fit_severity
from perfmodel.simulate import simulate_ratings

# Creativity of seven junior scientists as three seniors rated it on five traits from 1 to 9 (Guilford 1954,
# Psychometric Methods, p. 282), the example of Linacre's program FACETS. A text is a junior, its digits are the traits:
# attack, basis, clarity, daring, enthusiasm.
CREATIVITY = {
    "Avogadro": ["55353", "97585", "33371", "73133", "97785", "35351", "77555"],
    "Brahe": ["65463", "87572", "45366", "56455", "24323", "44642", "33554"],
    "Cavendish": ["55573", "77575", "35555", "53331", "97777", "33353", "77757"],
}
JUNIORS = ["Anne", "Betty", "Chris", "David", "Edward", "Fred", "George"]


@pytest.fixture(scope="module")
def creativity():
    rows = [
        (senior, junior, trait, float(rating))
        for senior, sheets in CREATIVITY.items()
        for junior, sheet in zip(JUNIORS, sheets, strict=True)
        for trait, rating in zip("ABCDE", sheet, strict=True)
    ]
    return pd.DataFrame(rows, columns=["rater_id", "employee_id", "kpi", "rating"])


def chances(total, tau):
    """Chance of each step at a sum of measures, written out from the model."""
    log = np.arange(len(tau) + 1) * total - np.r_[0.0, np.cumsum(tau)]
    return np.exp(log - log.max()) / np.exp(log - log.max()).sum()


def test_the_creativity_table_has_the_counts_that_facets_prints(creativity):
    # Linacre, Facets manual, how estimates are calculated: scores counted from 0, Betty 79 and Fred 39; rating 5 given
    # 31 times, 6 given 6 times.
    counted = creativity.assign(score=creativity.rating - 1).groupby("employee_id").score.sum()
    assert (counted["Betty"], counted["Fred"]) == (79, 39)
    assert creativity.rating.eq(5).sum() == 31 and creativity.rating.eq(6).sum() == 6


@pytest.mark.parametrize("senior, measure, se", [("Brahe", 0.25, 0.29), ("Cavendish", -1.05, 0.35)])
def test_what_each_senior_sees_in_david_as_facets_prints_it(creativity, senior, measure, se):
    # Linacre, Facets manual, table 14: David's measure in the eyes of Brahe .25 (S.E. .29), of Cavendish -1.05 (.35).
    # There seniors are not centred (ours are: their mean is added to people), and the program stops while scores are
    # still .4 off (its table 3), which is some .03 logits for five ratings.
    fit = fit_facets(creativity, scale=(1, 9, 1))
    own = creativity[(creativity.rater_id == senior) & (creativity.employee_id == "David")]
    hard = fit.raters.measure[senior] + fit.kpis.measure[own.kpi].to_numpy()
    tau = fit.thresholds.threshold.to_numpy()

    def excess(ability):
        return sum(chances(ability - h, tau) @ np.arange(9) for h in hard) - (own.rating - 1).sum()

    ability = brentq(excess, -6, 6)
    information = sum(chances(ability - h, tau) @ np.arange(9) ** 2 - (chances(ability - h, tau) @ np.arange(9)) ** 2
                      for h in hard)  # fmt: skip
    # Juniors have mean 0 in FACETS.
    assert ability - fit.employees.measure.mean() == pytest.approx(measure, abs=0.03)
    assert information**-0.5 == pytest.approx(se, abs=0.01)


def test_observed_and_expected_scores_agree(creativity):
    # The likelihood equations, written out: the sum of expected steps of every level is its score.
    fit = fit_facets(creativity, scale=(1, 9, 1))
    tau = fit.thresholds.threshold.to_numpy()
    total = (
        fit.employees.measure[creativity.employee_id].to_numpy()
        - fit.raters.measure[creativity.rater_id].to_numpy()
        - fit.kpis.measure[creativity.kpi].to_numpy()
    )
    rest = creativity.rating - 1 - np.array([chances(t, tau) @ np.arange(9) for t in total])
    for column in ("employee_id", "rater_id", "kpi"):
        assert rest.groupby(creativity[column]).sum().abs().max() < 1e-5
    assert fit.raters.measure.sum() == pytest.approx(0, abs=1e-9) and tau.sum() == pytest.approx(0, abs=1e-9)
    assert fit.raters.infit.mean() == pytest.approx(1.0, abs=0.1)


def test_two_raters_on_a_yes_or_no_have_the_closed_form():
    # a says yes and b no to p people, the reverse to q; the rest tell nothing (all yes or all no). Conditional maximum
    # likelihood gives log(p / q) for b's severity against a's, joint maximum likelihood twice that (Andersen 1973).
    p, q = 30, 10
    rows = [("a", f"e{i:02d}", float(i < p)) for i in range(p + q)] + [
        ("b", f"e{i:02d}", float(i >= p)) for i in range(p + q)
    ]
    fit = fit_facets(pd.DataFrame(rows, columns=["rater_id", "employee_id", "rating"]))
    assert fit.raters.measure["b"] - fit.raters.measure["a"] == pytest.approx(2 * np.log(p / q), abs=1e-5)


def test_planted_severities_are_found_and_the_linear_fit_agrees():
    ratings, truth = simulate_ratings("linked", n_raters=15, n_employees=180, double=0.6, scale=(1, 5, 0.5), seed=4)
    fit = fit_facets(ratings, scale=(1, 5, 0.5))
    planted = truth["raters"].set_index("rater_id").severity
    linear = fit_severity(ratings).raters.severity
    assert fit.raters.measure.corr(planted) > 0.8 and fit.raters.measure.corr(linear) > 0.9
    # Its spread is a known fault: farther out than what was planted, relative to the spread of people.
    assert "too far out" in fit.bias_note and fit.reason == ""


@pytest.mark.parametrize("thresholds, groups", [("common", 1), ("by_kpi", 3), ("by_rater", 8)])
def test_thresholds_are_common_or_each_groups_own(thresholds, groups):
    ratings, _ = simulate_ratings("crossed", n_raters=8, n_employees=60, n_kpis=3, scale=(1, 5, 1), seed=6)
    fit = fit_facets(ratings, thresholds=thresholds, scale=(1, 5, 1))
    assert fit.thresholds.group.nunique() == groups
    assert fit.thresholds.groupby("group").threshold.sum().abs().max() < 1e-9
    assert fit.employees[["measure", "se"]].notna().all(axis=None)


def test_the_order_of_rows_and_names_of_others_change_nothing(creativity):
    one = fit_facets(creativity, scale=(1, 9, 1))
    other = fit_facets(creativity.sample(frac=1, random_state=1), scale=(1, 9, 1))
    pd.testing.assert_frame_equal(one.raters, other.raters, check_exact=True)
    assert set(one.map_table().facet) == {"employee", "rater", "kpi"} and len(one.map_table()) == 15


def test_who_has_only_the_highest_ratings_gets_a_finite_measure_and_the_reason(creativity):
    best = creativity.assign(rating=creativity.rating.where(creativity.employee_id != "Betty", 9.0))
    fit = fit_facets(best, scale=(1, 9, 1))
    assert "all highest" in fit.employees.reason["Betty"] and np.isfinite(fit.employees.measure["Betty"])
    assert fit.employees.measure.idxmax() == "Betty" and fit.employees.se["Betty"] > fit.employees.se["Anne"]
    assert fit.employees.drop("Betty").reason.eq("").all()


def test_a_step_nobody_used_is_named(creativity):
    few = creativity[creativity.rating != 6]
    assert "Nobody was rated 6" in fit_facets(few, scale=(1, 9, 1)).reason


def test_raters_who_share_nobody_are_each_centred_with_their_own_and_it_is_said():
    one, _ = simulate_ratings("crossed", n_raters=3, n_employees=20, n_kpis=2, scale=(1, 5, 1), seed=1)
    two = one.assign(rater_id="x" + one.rater_id, employee_id="x" + one.employee_id)
    fit = fit_facets(pd.concat([one, two]), scale=(1, 5, 1))
    assert "cannot be compared" in fit.reason
    assert fit.raters.measure.iloc[:3].sum() == pytest.approx(0, abs=1e-9)
    assert fit.raters.measure.iloc[:3].to_numpy() == pytest.approx(fit.raters.measure.iloc[3:].to_numpy(), abs=1e-5)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda t: t.drop(columns="rater_id"), "no column rater_id"),
        (lambda t: t.assign(rating=t.rating + 0.3), "no step of the scale"),
        (lambda t: t.assign(rating=5.0), "All ratings are equal"),
        (lambda t: t[t.rater_id == "Brahe"], "one rater only"),
        (lambda t: pd.concat([t, t]), "twice"),
        (lambda t: t.assign(rating=t.rating.where(t.index > 0)), "missing"),
        (lambda t: t.assign(rating=np.where(t.rater_id == "Brahe", 1.0, 9.0)), "nothing to measure"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(creativity, change, said):
    with pytest.raises(DataError, match=said):
        fit_facets(change(creativity), scale=(1, 9, 1))


def test_thresholds_of_an_unknown_kind_are_refused(creativity):
    with pytest.raises(DataError, match="by_kpi"):
        fit_facets(creativity, thresholds="each")


def test_a_step_that_only_an_extreme_person_reached_has_no_threshold_and_moves_nobody():
    # Nobody else is given a 5: the fit without that person is the fit of the rest.
    rng = np.random.default_rng(4)
    rows = [
        (f"R{r}", f"E{e:02}", f"k{k}", float(np.clip(np.rint(2.5 + rng.normal() + 0.4 * (r - 1)), 1, 4)))
        for e in range(30)
        for r in range(3)
        for k in range(2)
    ]
    rest = pd.DataFrame(rows, columns=["rater_id", "employee_id", "kpi", "rating"])
    top = pd.DataFrame([(f"R{r}", "TOP", f"k{k}", 5.0) for r in range(3) for k in range(2)], columns=rest.columns)
    alone, both = fit_facets(rest), fit_facets(pd.concat([rest, top], ignore_index=True))
    assert np.isnan(both.thresholds.threshold.iloc[-1]) and np.isnan(both.employees.measure["TOP"])
    assert "nobody else reached" in both.employees.reason["TOP"]
    assert both.thresholds.threshold.dropna().tolist() == pytest.approx(alone.thresholds.threshold.tolist(), abs=1e-3)
    gap = both.employees.measure.drop("TOP") - alone.employees.measure
    assert gap.abs().max() < 1e-2


def test_a_search_that_does_not_end_says_how_far_scores_are_apart(creativity, monkeypatch):
    assert fit_facets(creativity).reason == ""
    monkeypatch.setattr("perfmodel.raters.facets.STEPS", 2)
    short = fit_facets(creativity)
    assert "did not end in 2 rounds" in short.reason and "points apart" in short.reason


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_who_is_left_without_information_has_no_figure_and_the_reason():
    # Two raters each of six people, on steps that often only one person has: some keep no rating that could tell.
    rows = [(f"r{i}{j}", f"e{i}", float(1 + (i + j) % 3)) for i in range(6) for j in range(2)]
    fit = fit_facets(pd.DataFrame(rows, columns=["rater_id", "employee_id", "rating"]))
    for table in (fit.raters, fit.employees):
        figures = table.drop(columns=["n", "reason"])
        none = figures["measure"].isna()
        assert none.any() and figures[none].isna().all(axis=None)
        assert (table.reason[none] != "").all()
        assert figures.loc[~none, "measure"].notna().all() and figures.loc[~none, "se"].notna().all()
    assert fit.employees.reason.str.contains("rated the same throughout").any()


def test_self_ratings_make_nobody_a_rater_of_themselves():
    ratings, _ = simulate_ratings("linked", n_raters=5, n_employees=30, n_kpis=2, scale=(1, 5, 1), double=0.5, seed=3)
    own = ratings.drop_duplicates(["employee_id", "kpi"]).assign(role="self", rating=5.0)
    both = pd.concat([ratings, own.assign(rater_id=own["employee_id"])])
    alone, with_self = fit_facets(ratings), fit_facets(both)
    pd.testing.assert_frame_equal(alone.raters, with_self.raters)
    pd.testing.assert_frame_equal(alone.employees, with_self.employees)
