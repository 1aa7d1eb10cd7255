"""Agreement against the published example, reliability and grade chances against closed forms."""

import numpy as np
import pandas as pd
import pytest

import perfmodel as pm
from perfmodel.errors import DataError
from perfmodel.reliability import (
    agreement,
    d_study,
    grade_chances,
    icc,
    icc_interval,
    krippendorff_alpha,
    raters_needed,
    reliability,
)

# Shrout and Fleiss (1979), table 2: four judges rate six targets.
TABLE_2 = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_icc_shrout_fleiss_1979():
    # Their table 4, to the two digits printed.
    assert icc(TABLE_2).round(2).tolist() == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]


def test_raters_who_agree_but_for_a_constant_are_reliable_only_if_the_constant_is_no_error():
    x = np.array([1.0, 2, 3, 4])[:, None] + np.array([0.0, 2.0])
    found = icc(x)
    assert found["ICC(3,1)"] == pytest.approx(1.0) and found["ICC(2,1)"] < 0.6


def test_an_incomplete_table_is_refused():
    with pytest.raises(DataError, match="every employee"):
        icc(np.array([[1.0, np.nan], [2.0, 3.0]]))


def test_reliability_is_the_share_of_variance_that_is_the_employees():
    # .3 / (.3 + (.1 + .1 + .2 / 2) / 3) = .3 / .4
    v = {"employee": 0.3, "rater": 0.1, "halo": 0.1, "residual": 0.2}
    assert reliability(v, raters=3, items=2) == pytest.approx(0.75)


def test_raters_needed_is_the_first_number_that_reaches_the_aim():
    # .3 / (.3 + .3 / k) >= .8  <=>  k >= 4
    assert raters_needed({"employee": 0.3, "residual": 0.3}, 0.8) == 4
    assert raters_needed({"employee": 0.0, "residual": 0.3}, 0.8) is None


def test_chances_count_draws_with_the_lower_bound_inside():
    draws = np.array([[70.0, 59.0], [69.9, 80.0], [90.0, np.nan]])
    shares = grade_chances(draws, {"A": 80, "B": 70, "C": 0})
    assert shares[0].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert np.isnan(shares[1]).all()


def test_a_gate_gives_its_cap_what_lies_above():
    shares = grade_chances(np.array([[95.0], [75.0], [40.0], [85.0]]), {"A": 80, "B": 70, "C": 0}, caps=["B"])
    assert shares[0].tolist() == [0.0, 0.75, 0.25]


def tidy(table):
    """Rows raters, columns units; NaN where a rater gave none."""
    rows = [(f"r{i}", f"u{j:02d}", "k", v) for i, row in enumerate(table) for j, v in enumerate(row) if not np.isnan(v)]
    return pd.DataFrame(rows, columns=["rater_id", "employee_id", "kpi", "rating"])


# Krippendorff (2011), section C: four observers, twelve units, some missing.
N = np.nan
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]


@pytest.mark.parametrize(
    "level, published", [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_krippendorff_2011(level, published):
    found = krippendorff_alpha(tidy(OBSERVERS), level)
    # Eleven of the twelve units have two values or more. To the three digits printed.
    assert found["value"] == pytest.approx(published, abs=5e-4) and found["units"] == 11


def test_alpha_without_two_ratings_of_a_thing_or_without_any_difference_has_a_reason():
    alone = krippendorff_alpha(tidy([[1, 2, N], [N, N, 3]]))
    assert np.isnan(alone["value"]) and "two raters" in alone["reason"]
    equal = krippendorff_alpha(tidy([[3, 3], [3, 3]]))
    assert np.isnan(equal["value"]) and "equal" in equal["reason"]


# Brennan (2001), Generalizability Theory, synthetic data set no. 1 (table 2.2): ten persons, twelve items.
BRENNAN_1 = [
    "101000000000", "111001000000", "111110000000", "110110010000", "111110100000",
    "111011100000", "111111100000", "111101111100", "111111111110", "111111111111",
]  # fmt: skip


def test_a_crossed_g_study_brennan_2001():
    # His table 2.3 (p. 28): persons .0574, items .0754, residual .1269; with 12 items E rho squared .844, Phi .773.
    # Items stand in the place of raters.
    table = tidy(np.array([[float(c) for c in row] for row in BRENNAN_1]).T)
    found = pm.fit_severity(table).variances
    assert found[["employee", "rater", "residual"]].round(4).tolist() == [0.0574, 0.0754, 0.1269]
    twelve = d_study(found, raters=[12]).iloc[0]
    assert twelve.relative == pytest.approx(0.844, abs=6e-4) and twelve.absolute == pytest.approx(0.773, abs=6e-4)


# Huebner and Lucht (2019), Generalizability theory in R, Pract. Assess. Res. Eval. 24(5): six persons, four items.
HUEBNER = [[9, 9, 7, 4], [9, 8, 4, 6], [8, 8, 6, 2], [9, 8, 6, 3], [10, 9, 8, 7], [6, 4, 5, 1]]


def test_a_g_study_and_its_d_study_huebner_lucht_2019():
    # Their tables 3 and 4: 1.91, 4.03, 1.28; E rho squared and Phi .8564, .5896 with 4 items, .9372, .7822 with 10.
    found = pm.fit_severity(tidy(np.array(HUEBNER, float).T)).variances
    assert found[["employee", "rater", "residual"]].round(2).tolist() == [1.91, 4.03, 1.28]
    table = d_study(found, raters=[4, 10]).round(4)
    assert table.relative.tolist() == [0.8564, 0.9372] and table.absolute.tolist() == [0.5896, 0.7822]


def test_a_d_study_of_what_cannot_be_told_apart_says_so():
    table = d_study({"employee and halo": 0.3, "rater and team": 0.2, "residual": 0.1})
    assert table[["relative", "absolute"]].isna().all(axis=None)
    assert table.reason.str.contains("cannot be told apart").all()
    with pytest.raises(DataError, match="no variance component luck"):
        reliability({"luck": 1.0})


@pytest.mark.parametrize("form, degrees", [("ICC(1,1)", 6 * 3), ("ICC(3,1)", 5 * 3)])
def test_limits_of_the_forms_1_and_3_are_quantiles_of_f(form, degrees):
    # F = (1 + (k - 1) icc) / (1 - icc) x F(n - 1, degrees), so F / quantile, turned back, is a limit.
    from scipy.stats import f

    value = icc(TABLE_2)[form]
    ratio = (1 + 3 * value) / (1 - value)
    low, high = icc_interval(TABLE_2, form, level=0.95)
    least, most = ratio / f.ppf(0.975, 5, degrees), ratio / f.ppf(0.025, 5, degrees)
    assert low == pytest.approx((least - 1) / (least + 3)) and high == pytest.approx((most - 1) / (most + 3))


def test_limits_hold_the_planted_agreement_about_as_often_as_they_say():
    # Employees 1, raters .25, residual .75: ICC(2,1) = .5, ICC(3,1) = 1 / 1.75.
    rng, hits = np.random.default_rng(4), []
    for _ in range(400):
        x = rng.normal(size=(40, 1)) + 0.5 * rng.normal(size=(1, 12)) + np.sqrt(0.75) * rng.normal(size=(40, 12))
        for form, truth in (("ICC(2,1)", 0.5), ("ICC(3,1)", 1 / 1.75)):
            low, high = icc_interval(x, form, level=0.90)
            hits.append(low <= truth <= high)
    shares = np.reshape(hits, (-1, 2)).mean(axis=0)
    # Standard error of a share of .9 in 400 sets: .015; four of them. The form 2 is an approximation.
    assert shares == pytest.approx([0.9, 0.9], abs=0.06)


def test_the_form_of_agreement_follows_who_rated_whom():
    crossed = agreement(tidy(np.array(TABLE_2, float).T))
    assert crossed.measure.tolist()[:3] == ["ICC(2,1)", "ICC(2,k)", "ICC(3,1)"]
    assert crossed.value[:3].round(2).tolist() == [0.29, 0.62, 0.71]  # Shrout and Fleiss 1979, table 4
    assert (crossed.lower[:3] < crossed.value[:3]).all() and (crossed.upper[:3] > crossed.value[:3]).all()
    other = tidy(np.array(TABLE_2, float).T)
    other["rater_id"] = other.rater_id + other.employee_id  # everybody has four raters, nobody the same
    nested = agreement(other)
    assert nested.measure.tolist()[:2] == ["ICC(1,1)", "ICC(1,k)"] and nested.value[:2].round(2).tolist() == [
        0.17,
        0.44,
    ]
    uneven = agreement(tidy(OBSERVERS)).iloc[0]
    assert np.isnan(uneven.value) and "no form fits" in uneven.reason
    single = agreement(tidy([[1, 2, N], [N, N, 3]]))
    assert single.value.isna().all() and single.reason.str.contains("two raters").all()


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ([[3.0, 3.0, 3.0], [3.0, 3.0, 3.0]], "nothing to agree on"),
        ([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]], "no limits can be given"),
        ([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], "no limits can be given|nothing to agree on"),
    ],
)
@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_an_agreement_without_a_number_says_which_number_and_why(table, why):
    found = agreement(tidy(table)).iloc[:-1]
    assert found[["lower", "upper"]].isna().all(axis=None) and found.reason.str.contains(why).all()
    # Every other table has its numbers and no such words.
    plain = agreement(tidy([[1.0, 2.0, 4.0], [2.0, 2.0, 3.0]])).iloc[:-1]
    assert plain[["value", "lower", "upper"]].notna().all(axis=None)
    assert not plain.reason.str.contains("nothing to agree|no limits").any()


def test_people_with_other_raters_each_who_are_all_rated_alike_have_no_agreement_and_the_reason():
    rows = [(f"{e}{j}", e, "k", 3.0) for e in "xyz" for j in range(2)]
    found = agreement(pd.DataFrame(rows, columns=["rater_id", "employee_id", "kpi", "rating"])).iloc[:-1]
    assert found.measure.tolist() == ["ICC(1,1)", "ICC(1,k)"] and found.value.isna().all()
    assert found.reason.str.contains("nothing to agree on").all()
