"""Chance bands against sums written out, false flags against full enumeration, pools and quotas by hand."""

from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multinomial
from small_cycle import SCHEME

from perfmodel.distribution import NOT_TESTED, OUTSIDE, WITHIN, chance_band, distribution, expected_false_flags, quotas
from perfmodel.scheme import read_scheme


@pytest.fixture(scope="module")
def scheme():
    return read_scheme(SCHEME.read_text(encoding="utf-8"))[0]


def people(**units):
    """``scores`` with one stage; a unit's grades as a text, "-" for nobody graded."""
    rows = [(f"{unit}{i}", unit, g.replace("-", "")) for unit, grades in units.items() for i, g in enumerate(grades)]
    return pd.DataFrame(rows, columns=["employee_id", "unit", "grade_adjusted"])


def row(table, unit, grade):
    return table.set_index(["unit", "grade"]).loc[(unit, grade)]


def test_a_fair_coin_thrown_ten_times():
    # P(0 or 1) = 11/1024 = .0107, P(0 to 2) = 56/1024 = .0547: at most .025 may lie below, so 2 is the lowest.
    assert sum(comb(10, k) for k in range(2)) / 2**10 < 0.025 < sum(comb(10, k) for k in range(3)) / 2**10
    assert chance_band(10, 0.5, 0.95) == (2, 8)


@pytest.mark.parametrize(("n", "share", "level"), [(14, 0.65, 0.99), (27, 0.03, 0.95), (200, 0.2, 0.9), (1, 0.5, 0.95)])
def test_a_band_leaves_at_most_half_of_the_rest_at_each_end_and_no_narrower_one_does(n, share, level):
    def chance(counts):
        return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in counts)

    low, high = chance_band(n, share, level)
    tail = (1 - level) / 2
    assert chance(range(low)) <= tail < chance(range(low + 1))
    assert chance(range(high + 1, n + 1)) <= tail < chance(range(high, n + 1))


def counts_of_twenty(grades=5, n=20):
    """Every way in which twenty people can fall into five grades."""
    bars = np.array(list(combinations(range(n + grades - 1), grades - 1)))
    edges = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), n + grades - 1)])
    return np.diff(edges, axis=1) - 1


def test_a_margin_of_five_points_flags_three_of_four_normal_units_of_twenty_and_the_band_under_one_of_twenty():
    """Full enumeration, no simulation: grades drawn from the company's own shares, so every flag is false."""
    shares = np.array([0.05, 0.15, 0.55, 0.20, 0.05])
    counts = counts_of_twenty()
    chance = multinomial.pmf(counts, 20, shares)
    assert chance.sum() == pytest.approx(1)
    margin = (np.abs(counts / 20 - shares) > 0.05 + 1e-9).any(axis=1)
    assert chance @ margin == pytest.approx(0.77, abs=0.01)
    low, high = np.transpose([chance_band(20, share, 1 - 0.05 / 5) for share in shares])
    outside = ((counts < low) | (counts > high)).any(axis=1)
    assert 0.01 < chance @ outside < 0.05  # the level holds for all grades of a unit together


def test_a_unit_is_compared_with_the_company_without_it(scheme):
    # 30 people elsewhere, 18 of them B: with half a person more, B being one of five grades, 18.1 of 30.5.
    table = distribution(people(X="B" * 12, Y="B" * 18 + "C" * 12), scheme)
    found = row(table, "X", "B")
    assert (found.chance_low, found.chance_high) == chance_band(12, 18.1 / 30.5, 1 - 0.05 / 5)
    assert found.n == 12 and found.share == 1 and found.verdict == OUTSIDE
    assert row(table, "company", "B").verdict == NOT_TESTED


def test_a_band_of_grades_adds_their_counts_and_carries_its_guideline(scheme):
    table = distribution(people(X="SSAAABBBBB", Y="A" * 8 + "B" * 22), scheme)
    found = row(table, "X", "S+A")
    assert found.n == 5 and (found.guideline_low, found.guideline_high) == (0.10, 0.20)
    assert (found.chance_low, found.chance_high) == chance_band(10, 8.2 / 30.5, 1 - 0.05 / 5)


def test_under_ten_people_no_test_and_siblings_are_pooled_to_thirty(scheme):
    units = {f"U{i}": "B" * 8 + "C" for i in range(9)}
    table = distribution(people(**units, Big="B" * 30 + "C" * 10), scheme)
    small = row(table, "U0", "B")
    assert small.verdict == NOT_TESTED and np.isnan(small.chance_low)
    assert "too few to tell from chance; pooled with sibling units" in small.reason
    pools = [unit for unit in table.unit.unique() if unit.startswith("pooled")]
    # 9 + 9 + 9 + 9 = 36 reach thirty; the next four too; the ninth unit alone does not and joins them.
    assert pools == ["pooled: U0 + U1 + U2 + U3", "pooled: U4 + U5 + U6 + U7 + U8"]
    assert row(table, pools[1], "B").n == 40 and row(table, pools[1], "B").verdict == WITHIN


def test_a_lone_small_unit_and_an_empty_one_say_why_they_are_not_tested(scheme):
    table = distribution(people(Small="BBB", Empty="--", Big="B" * 40), scheme)
    assert "no small sibling" not in row(table, "Small", "B").reason  # Empty is small too: a pool of three
    assert row(table, "Empty", "B").reason == "nobody graded"
    alone = distribution(people(Small="BBB", Big="B" * 40), scheme)
    assert "no small sibling units to pool with" in row(alone, "Small", "B").reason
    assert "too few to compare with" in row(alone, "Big", "B").reason


def test_whoever_has_no_grade_is_in_no_count(scheme):
    table = distribution(people(X="B" * 12 + "----", Y="B" * 20 + "C" * 10), scheme)
    assert row(table, "X", "B").n == 12 and row(table, "X", "B").share == 1


def test_expected_false_flags_are_the_tails_summed(scheme):
    table = distribution(people(X="B" * 8 + "C" * 4, Y="B" * 20 + "C" * 10), scheme)
    shares, expected = {"B": 28 / 42, "C": 14 / 42}, 0.0
    for unit, n in (("X", 12), ("Y", 30)):
        for grade in "SABCD":
            low, high, p = *row(table, unit, grade)[["chance_low", "chance_high"]], shares.get(grade, 0.0)
            inside = sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(int(low), int(high) + 1))
            expected += 1 - inside
    assert expected_false_flags(table, scheme) == pytest.approx(expected, abs=1e-12)


def test_quotas_by_largest_remainder_and_ties_are_named():
    # 17 people: .85, 2.55, 9.35, 2.55, 1.7 -> floors 0 2 9 2 1, three left: S .85, D .7, then A and C tie at .55.
    seats, tied = quotas(17, {"S": 5, "A": 15, "B": 55, "C": 15, "D": 10})
    assert seats == {"S": 1, "A": 3, "B": 9, "C": 2, "D": 2} and tied == ("A", "C")
    assert quotas(20, {"A": 25, "B": 75}) == ({"A": 5, "B": 15}, ())
