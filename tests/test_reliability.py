"""Agreement against the published example, reliability and grade chances against closed forms."""

import numpy as np
import pytest

from perfmodel.errors import DataError
from perfmodel.reliability import grade_chances, icc, raters_needed, reliability

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
