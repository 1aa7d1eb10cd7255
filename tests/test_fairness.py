"""Outcomes by group: formulae against published tables, and hidden counts attacked by integer programs."""

import re
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.stats import binom, fisher_exact, hypergeom

from perfmodel.errors import DataError
from perfmodel.fairness import (
    Counts,
    digits_to_tell,
    fairness,
    fisher,
    flip_one,
    hide,
    mantel_haenszel,
    ratio_interval,
    shortfall,
    smallest_detectable,
    top_band,
)
from perfmodel.fairness.rates import findings, power_of_test, score_statistic
from perfmodel.fairness.suppression import LEAST, SPAN
from perfmodel.fairness.table import COLUMNS, TEXTS
from perfmodel.language import speaking
from perfmodel.plots import ratios
from perfmodel.report import fairness_page
from perfmodel.scheme import read_scheme
from perfmodel.tables import OUTPUTS, conform

SCHEME = read_scheme((Path(__file__).parents[1] / "perfmodel" / "default_scheme.yaml").read_text(encoding="utf-8"))[0]


# --- two rates ------------------------------------------------------------------------------------------------------


def test_fisher_tea_tasting_1935():
    # Fisher, The Design of Experiments: 3 of 4 cups right either way. One tail is 17/70, and the two are alike.
    assert fisher(3, 4, 1, 4) == pytest.approx(34 / 70)


def test_fisher_1935_convictions_of_twins():
    # 10 of 13 against 2 of 17 (Fisher 1935, J. R. Stat. Soc. 98): two-sided p = .00054, as R prints it (fisher.test).
    assert fisher(10, 13, 2, 17) == pytest.approx(0.0005367, abs=5e-8)


def test_the_exact_p_sums_all_tables_no_likelier_than_the_one_seen():
    yes, n, yes_reference, n_reference = 4, 19, 15, 31
    law = hypergeom(n + n_reference, yes + yes_reference, n).pmf(np.arange(n + 1))
    assert fisher(yes, n, yes_reference, n_reference) == pytest.approx(law[law <= law[yes] * (1 + 1e-9)].sum())


def test_ratio_interval_koopman_1984():
    # Biometrics 40, example: 36 of 40 against 16 of 80, at 95 %: 2.94 to 7.15.
    assert ratio_interval(36, 40, 16, 80) == pytest.approx((2.94, 7.15), abs=0.005)


# statsmodels 0.15.0, confint_proportions_2indep(..., compare="ratio", method="score", correction=False)
STATSMODELS = {
    (36, 40, 16, 80): (2.9395691922, 7.1522234349),
    (18, 112, 21, 128): (0.5532329927, 1.7272730405),
    (7, 30, 20, 60): (0.3281306851, 1.3933273067),
    (4, 9, 2, 33): (1.7542752773, 30.0892517118),
    (0, 12, 5, 20): (0.0, 1.0726361468),
}


@pytest.mark.parametrize("counts", STATSMODELS, ids=str)
def test_the_interval_is_that_of_statsmodels(counts):
    assert ratio_interval(*counts) == pytest.approx(STATSMODELS[counts], rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("counts", [(4, 9, 2, 33), (20, 40, 11, 60), (1, 30, 29, 30)])
def test_the_ends_of_the_interval_are_where_the_score_statistic_reaches_the_limit(counts):
    for end in ratio_interval(*counts, confidence=0.9):
        assert score_statistic(end, *counts) == pytest.approx(1.6448536**2, rel=1e-6)


def test_turning_the_groups_round_turns_the_interval_round():
    low, high = ratio_interval(7, 30, 20, 60)
    assert ratio_interval(20, 60, 7, 30) == pytest.approx((1 / high, 1 / low))


def test_at_zero_counts_the_interval_still_has_an_answer():
    low, high = ratio_interval(0, 20, 6, 20)
    assert low == 0 and 0 < high < 1
    assert ratio_interval(6, 20, 0, 20) == (pytest.approx(1 / high), np.inf)
    assert ratio_interval(0, 20, 0, 20) == (0, np.inf)


def test_the_interval_covers_the_true_ratio_as_often_as_it_says():
    # All 61 x 41 outcomes, each with its exact chance; a score interval keeps its level on average, not at every rate.
    covered = []
    for rate, reference_rate in ((0.1, 0.2), (0.15, 0.15), (0.3, 0.2), (0.5, 0.4)):
        a, b = np.arange(41)[:, None], np.arange(61)[None]
        chance = binom.pmf(a, 40, rate) * binom.pmf(b, 60, reference_rate)
        both = (a + b) > 0  # nobody anywhere: 0 to infinity covers
        with np.errstate(invalid="ignore"):
            inside = np.where(both, score_statistic(rate / reference_rate, a, 40, b, 60) <= 1.959964**2, True)
        covered.append((chance * inside).sum())
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)
    assert min(covered) > 0.93


def test_two_equal_groups_of_fifty_show_a_ratio_under_four_fifths_in_six_cases_of_ten():
    # Why four fifths alone say nothing: exact, both groups with the same rate, the lower over the higher of the two.
    k = np.arange(51)
    under = np.minimum.outer(k, k) < 0.8 * np.maximum.outer(k, k)
    share = {rate: binom.pmf(k, 50, rate) @ under @ binom.pmf(k, 50, rate) for rate in (0.15, 0.2)}
    assert share[0.15] == pytest.approx(0.63, abs=0.005) and share[0.2] == pytest.approx(0.56, abs=0.005)


def test_a_finding_that_one_person_undoes_is_named_so():
    # p of 2/20 against 8/20 is .065, of 1/20 .020: the finding at 1 is undone when a second has the outcome.
    assert fisher(1, 20, 8, 20) < 0.05 < fisher(2, 20, 8, 20)
    assert flip_one(1, 20, 8, 20) == "yes"
    assert flip_one(10, 100, 60, 100) == "no"  # p and ratio stand whoever changes
    assert flip_one(20, 100, 20, 100) == "no finding"
    # 15.8 % against 20 % is a ratio of .79, no p to speak of: one person more makes it .84.
    assert findings(3, 19, 20, 100) == (False, True) and flip_one(3, 19, 20, 100) == "yes"


def test_the_shortfall_is_counted_in_persons():
    # A quarter of 40 is 10 people; 7 have it, so 3 more would.
    assert shortfall(7, 40, 20, 80) == 3
    assert shortfall(13, 40, 20, 80) == -3


def _exact_power(rate, reference_rate, n, n_reference):
    power = 0.0
    chance = np.outer(
        binom.pmf(np.arange(n + 1), n, rate), binom.pmf(np.arange(n_reference + 1), n_reference, reference_rate)
    )
    for total in range(n + n_reference + 1):  # every margin has its own law, and its own tables with p < .05
        a = np.arange(max(0, total - n_reference), min(n, total) + 1)
        law = hypergeom.pmf(a, n + n_reference, total, n)
        p = np.array([law[law <= one * (1 + 1e-9)].sum() for one in law])
        power += chance[a, total - a][p < 0.05].sum()
    return power


def test_the_smallest_detectable_gap_is_found_with_power_of_eighty_percent_by_the_exact_test():
    # The power is a normal approximation with continuity correction: within .03 of the exact at these sizes.
    gap = smallest_detectable(0.45, 40, 50)
    assert min(abs(_exact_power(0.45 + sign * gap, 0.45, 40, 50) - 0.8) for sign in (-1, 1)) < 0.03
    assert power_of_test(0.45 - gap, 0.45, 40, 50) == pytest.approx(0.8) or power_of_test(
        0.45 + gap, 0.45, 40, 50
    ) == pytest.approx(0.8)


def test_more_people_show_smaller_gaps_and_few_show_none():
    gaps = [smallest_detectable(0.2, n, n) for n in (20, 50, 100, 1000, 10000)]
    assert gaps == sorted(gaps, reverse=True)
    assert np.isnan(smallest_detectable(0.5, 3, 3))


# --- inside units ---------------------------------------------------------------------------------------------------


def test_mantel_haenszel_ugdp_1970():
    # Deaths under tolbutamide and placebo, under 55 and from 55 on (University Group Diabetes Program 1970, as
    # tabulated by Rothman): 8/106 and 5/120, 22/98 and 16/85. Ratio and interval as Stata's manual prints them for
    # `cs ..., by(age)`; the ratio is also statsmodels 0.15.0, StratifiedTable.riskratio_pooled.
    found = mantel_haenszel([8, 22], [106, 98], [5, 16], [120, 85])
    assert found == pytest.approx((1.3255553, 0.797907, 2.202132), abs=5e-7)


def test_one_unit_gives_its_own_ratio_and_the_interval_of_its_logarithm():
    # In one stratum the variance of Greenland and Robins is Katz's: 1/a - 1/n + 1/b - 1/m.
    se = np.sqrt(1 / 12 - 1 / 40 + 1 / 20 - 1 / 50)
    assert mantel_haenszel([12], [40], [20], [50]) == pytest.approx(
        (0.75, 0.75 * np.exp(-1.959964 * se), 0.75 * np.exp(1.959964 * se)), rel=1e-6
    )


def test_a_unit_without_one_of_the_groups_carries_no_weight():
    assert mantel_haenszel([12, 9], [40, 9], [20, 0], [50, 0]) == mantel_haenszel([12], [40], [20], [50])


def test_a_difference_between_units_is_not_one_between_groups():
    # Half of unit 1 and a tenth of unit 2 have the outcome, whatever the group; the group is mostly in unit 2.
    found = mantel_haenszel([5, 9], [10, 90], [45, 1], [90, 10])
    assert found[0] == pytest.approx(1) and (14 / 100) / (46 / 100) < 0.8


def test_of_two_units_no_digit_of_the_ratio_can_be_told():
    # Unlike make-up: another person in unit 1 and one fewer in unit 2 would show.
    assert digits_to_tell([4, 1], [6, 2], [1, 9], [2, 12]) is None
    # Twenty-four like units of ten: many ways to the same figures.
    rng = np.random.default_rng(1)
    n = np.full(24, 5)
    assert digits_to_tell(rng.binomial(5, 0.4, 24), n, rng.binomial(5, 0.4, 24), n) == 2


def test_every_units_count_can_differ_without_a_shown_digit_differing():
    rng = np.random.default_rng(2)
    checked = 0
    for _ in range(40):
        units = int(rng.integers(6, 20))
        n, m = rng.integers(1, 9, units), rng.integers(1, 9, units)
        a, b = rng.binomial(n, 0.3), rng.binomial(m, 0.35)
        digits = digits_to_tell(a, n, b, m)
        if digits is None:
            continue
        shown = np.round(mantel_haenszel(a, n, b, m), digits)
        for i in np.flatnonzero(((a < n) & (b > 0)) | ((a > 0) & (b < m))):
            others = [j for j in range(units) if j != i]
            swaps = ((i, j, d) for j in others for d in (1, -1))
            assert any(_swapped(a, n, b, m, *swap, shown, digits) for swap in swaps)
            checked += 1
    assert checked > 50


def _swapped(a, n, b, m, i, j, d, shown, digits):
    a, b = a.copy(), b.copy()
    a[i], b[i], a[j], b[j] = a[i] + d, b[i] - d, a[j] - d, b[j] + d
    possible = (a >= 0).all() and (b >= 0).all() and (a <= n).all() and (b <= m).all()
    return possible and np.array_equal(np.round(mantel_haenszel(a, n, b, m), digits), shown)


# --- what is not shown ----------------------------------------------------------------------------------------------


def _random_counts(rng):
    """A company whose patterns are those of two stages: top, bottom at each, and moves."""
    sizes = rng.integers(1, 60, int(rng.integers(2, 5)))
    shares = rng.dirichlet((2, 6, 4, 1))
    before = [rng.choice(4, n, p=shares) for n in sizes]
    after = [np.clip(g + rng.choice((-1, 0, 1), len(g), p=(0.1, 0.8, 0.1)), 0, 3) for g in before]
    was, now = np.concatenate(before), np.concatenate(after)
    has = np.stack([was == 0, was == 3, now == 0, now == 3, now < was, now > was], axis=1)
    patterns, which = np.unique(has, axis=0, return_inverse=True)
    members = np.zeros((len(sizes), len(patterns)), int)
    np.add.at(members, (np.repeat(np.arange(len(sizes)), sizes), which.ravel()), 1)
    return Counts(
        members,
        patterns.T,
        parts=[(0, 1), (2, 3), (4, 5)],
        flows=[(0, 2), (1, 3)],
        worth=[0, 0, 1, 1, 0.5, 0.5],
        reference=int(np.argmax(sizes)),
    )


class Reader:
    """Somebody who holds all published cells and works out what a hidden count can be, by integer programs."""

    def __init__(self, counts, groups, hidden):
        n_groups, n_patterns = counts.members.shape
        self.shape = counts.members.shape
        facts = []  # row, least, most
        for t in range(n_patterns):  # every person's outcomes stand in other tables
            known = counts.members[:, t].sum()
            facts.append((np.tile(np.arange(n_patterns) == t, n_groups), known, known))
        for i in range(n_groups):
            people = self.of(i, np.ones(n_patterns))
            size = counts.members[i].sum()
            facts.append((people, 1, np.inf) if groups[i] else (people, size, size))
            if groups.any() and i != counts.reference:
                facts.append((self.of(counts.reference, np.ones(n_patterns)) - people, 0, np.inf))
            for r, yes in enumerate(counts.yes):
                if not hidden[i, r]:
                    value = counts.members[i] @ yes
                    facts.append((self.of(i, yes), value, value))
        rows, low, high = zip(*facts, strict=True)
        self.facts = LinearConstraint(np.array(rows, float), low, high)
        self.agreeing = [counts.members]  # tables that agree with all of it, as they are found

    def of(self, g, pattern):
        row = np.zeros(self.shape)
        row[g] = pattern
        return row.ravel()

    def range(self, g, pattern, *, enough=(np.inf, np.inf)):
        """Least and most people of group ``g`` with ``pattern``; not looked for beyond a span and a reach."""
        span, reach = enough
        for sign in (-1, 1):
            seen = [table[g] @ pattern for table in self.agreeing]
            if max(seen) - min(seen) >= span and max(seen) >= reach:
                break
            found = milp(sign * self.of(g, pattern), integrality=np.ones(np.prod(self.shape)), bounds=Bounds(0, np.inf),
                         constraints=self.facts)  # fmt: skip
            table = np.rint(found.x)
            assert (self.facts.A @ table >= self.facts.lb).all() and (self.facts.A @ table <= self.facts.ub).all()
            self.agreeing.append(table.reshape(self.shape))
        seen = [table[g] @ pattern for table in self.agreeing]
        return min(seen), max(seen)


def _found_out(counts, groups, hidden):
    """Small counts of which the reader learns too much: (group, name of the count, what is inferred)."""
    reader, outsider = Reader(counts, groups, hidden), Reader(counts, groups, np.ones_like(hidden))
    formed = {}
    for r, yes in enumerate(counts.yes):
        formed |= {f"yes {r}": yes, f"no {r}": ~yes}
    formed |= {f"neither {i}, {j}": ~(counts.yes[i] | counts.yes[j]) for i, j in counts.parts}
    for i, j in counts.flows:
        formed |= {f"flow {i}, {j}": counts.yes[i] & ~counts.yes[j], f"flow {j}, {i}": counts.yes[j] & ~counts.yes[i]}
    exposed = []
    for g in range(len(groups)):
        for name, pattern in formed.items():
            if counts.members[g] @ pattern >= LEAST:
                continue
            span, reach = (1, 0) if name.startswith("flow") else (SPAN, LEAST)
            least, most = reader.range(g, pattern, enough=(span, reach))
            if most - least >= span and most >= reach:
                continue
            first, last = outsider.range(g, pattern)  # what totals and the group's size say alone
            if most - least < min(span, last - first) or most < min(reach, last):
                exposed.append((g, name, (least, most)))
    return exposed


@cache
def _companies(seed):
    """Twenty random companies with what is hidden of each; a hundred in all."""
    rng = np.random.default_rng(seed)
    return [(counts, *hide(counts)) for counts in (_random_counts(rng) for _ in range(20))]


@pytest.mark.parametrize("seed", range(5))
def test_no_hidden_count_can_be_inferred_from_all_published_cells(seed):
    # A count under five lies, for all that is published, in a range at least three values wide that reaches five; who
    # entered or left an outcome is never known exactly; unless totals and the size of the group alone say as much.
    for counts, groups, hidden in _companies(seed):
        assert not _found_out(counts, groups, hidden)


def test_hiding_small_cells_alone_would_be_undone():
    # The attack above can succeed: with nothing but the small cells hidden it does, most of the time.
    rng = np.random.default_rng(0)
    undone = 0
    for _ in range(10):
        counts = _random_counts(rng)
        groups = counts.sizes < LEAST
        small = (counts.values[:, :6] < LEAST) | (counts.values[:, 6:12] < LEAST) | groups[:, None]
        undone += bool(_found_out(counts, groups, small))
    assert undone >= 8


@pytest.mark.parametrize("seed", range(5))
def test_no_small_cell_is_shown_unless_totals_alone_give_it(seed):
    for counts, groups, hidden in _companies(seed):
        assert groups[counts.sizes < LEAST].all() and hidden[groups].all()
        totals, everybody = counts.members.sum(axis=0) @ counts.yes.T, counts.sizes.sum()
        n, yes = counts.sizes[:, None], counts.members @ counts.yes.T
        small = np.minimum(yes, n - yes) < LEAST
        known = (totals == 0) | (totals == everybody)
        assert (hidden | ~small | known | _given(counts, totals, everybody)).all()


def _given(counts, totals, everybody):
    """Cells whose count the total and the size of the group leave no choice."""
    n = counts.sizes[:, None]
    return np.minimum(n, totals) == np.maximum(0, totals - (everybody - n))


def test_of_two_groups_a_small_cell_takes_the_other_with_it():
    # 3 of 40 and 12 of 60, the total of 15 known: 12 gives the 3 away.
    counts = Counts(np.array([[3, 37], [12, 48]]), np.array([[True, False]]), reference=1)
    assert hide(counts)[1].tolist() == [[True], [True]]


def test_of_three_groups_the_smaller_of_the_others_is_hidden_and_the_reference_stays():
    counts = Counts(np.array([[3, 37], [9, 51], [20, 80]]), np.array([[True, False]]), reference=2)
    groups, hidden = hide(counts)
    assert not groups.any() and hidden.tolist() == [[True], [True], [False]]


def test_two_small_cells_need_no_third_when_together_they_are_not_small():
    # 3 and 4: together 7, of which either could have 5 or more.
    counts = Counts(np.array([[3, 37], [4, 36], [9, 51], [20, 80]]), np.array([[True, False]]), reference=3)
    assert hide(counts)[1].ravel().tolist() == [True, True, False, False]
    # 1 and 2: together 3, a small count of its own, so a third is hidden.
    counts = Counts(np.array([[1, 39], [2, 38], [9, 51], [20, 80]]), np.array([[True, False]]), reference=3)
    assert hide(counts)[1].ravel().tolist() == [True, True, True, False]


def test_a_small_group_takes_another_with_it_and_two_single_persons_a_third():
    yes = np.array([[True, False]])
    groups, _ = hide(Counts(np.array([[1, 2], [10, 20], [40, 60]]), yes, reference=2))
    assert groups.tolist() == [True, True, False]
    # One person and one person: both sizes follow from their sum, for no group is empty.
    groups, _ = hide(Counts(np.array([[0, 1], [1, 0], [10, 20], [40, 60]]), yes, reference=3))
    assert groups.tolist() == [True, True, True, False]


def test_nobody_in_the_whole_company_hides_nothing():
    counts = Counts(np.array([[0, 40], [0, 60]]), np.array([[True, False]]), reference=1)
    assert not hide(counts)[1].any()


def test_who_entered_an_outcome_between_two_stages_is_not_told_by_the_difference():
    # Patterns: in at both stages, entered, out. 10 and 12 in the first group: 2 entered, and nobody left anywhere.
    members = np.array([[10, 2, 28], [15, 1, 44]])
    yes = np.array([[True, False, False], [True, True, False]])
    assert not hide(Counts(members, yes, reference=1))[1].any()
    hidden = hide(Counts(members, yes, flows=[(0, 1)], worth=[0, 1], reference=1))[1]
    assert hidden.tolist() == [[True, False], [True, False]]  # the earlier stage goes, the later stays


# --- the table ------------------------------------------------------------------------------------------------------


def _company(rng, sizes, rates, *, shift=0.0):
    """Scores and groups of an attribute with groups of given sizes and rates of S and A."""
    people, groups = [], []
    for (name, size), rate in zip(sizes.items(), rates, strict=True):
        for i in range(size):
            who = f"{name}{i:03d}"
            raw = rng.choice(
                list("SABCD"), p=[rate / 4, 3 * rate / 4, (1 - rate) * 0.6, (1 - rate) * 0.3, (1 - rate) * 0.1]
            )
            place = min(4, max(0, "SABCD".index(raw) + int(rng.random() < 0.1 + shift) - int(rng.random() < 0.1)))
            people.append((who, f"U{rng.integers(8)}", raw, "SABCD"[place]))
            groups.append((who, "origin", name))
    scores = pd.DataFrame(people, columns=["employee_id", "unit", "grade_raw", "grade_adjusted"])
    return scores, pd.DataFrame(groups, columns=["employee_id", "attribute", "value"])


@pytest.fixture(scope="module")
def company():
    return _company(np.random.default_rng(3), {"p": 160, "q": 120, "r": 60}, (0.3, 0.25, 0.3))


@pytest.fixture(scope="module")
def table(company):
    return fairness(*company, SCHEME)


def _row(table, group, outcome, stage):
    return table.set_index(["group", "outcome", "stage"]).loc[(group, outcome, stage)]


def test_the_table_is_the_contracts_and_has_a_row_for_every_group_outcome_and_stage(table):
    assert conform(table, "restricted/fairness").columns.tolist() == COLUMNS
    assert sum(OUTPUTS["restricted/fairness"], ()) == tuple(COLUMNS)
    stages = {("S+A", "raw"), ("S+A", "adjusted"), ("D", "raw"), ("D", "adjusted"),
              ("moved up", "raw to adjusted"), ("moved down", "raw to adjusted")}  # fmt: skip
    assert set(zip(table.outcome, table.stage, strict=True)) == stages
    assert len(table) == 3 * len(stages) and table.reference.eq("p").all()


def test_who_entered_between_stages_that_are_no_neighbours_is_not_told_either():
    # Best band at raw, adjusted, proposed. Nobody is there at first and not at last, so of 26 and 28 people of p two
    # entered; between neighbours at least six go each way, which needs no protection.
    people = {"BBB": (50, 70), "BAB": (7, 8), "BBA": (2, 6), "ABA": (6, 9), "AAA": (20, 30)}
    rows = [(of, *way) for way, n in people.items() for of, k in zip("pq", n, strict=True) for _ in range(k)]
    scores = pd.DataFrame(rows, columns=["value", "grade_raw", "grade_adjusted", "grade_proposed"])
    scores = scores.assign(employee_id=[f"E{i}" for i in range(len(rows))], unit="u", attribute="origin")
    found = fairness(scores, scores[["employee_id", "attribute", "value"]], SCHEME)
    shown = {stage: _row(found, "p", "S+A", stage).rate for stage in ("raw", "proposed")}
    assert shown["proposed"] == pytest.approx(28 / 85) and np.isnan(shown["raw"])
    neighbours = scores.drop(columns="grade_proposed"), scores[["employee_id", "attribute", "value"]]
    assert fairness(*neighbours, SCHEME).query("outcome == 'S+A'").rate.notna().all()


def test_the_figures_of_a_row_are_those_counted_by_hand(company, table):
    scores, groups = company
    top = scores.grade_adjusted.isin(["S", "A"]).groupby(groups.value).agg(["sum", "size"])
    (a, n), (b, m) = top.loc["q"], top.loc["p"]
    row = _row(table, "q", "S+A", "adjusted")
    assert (row.n, row.rate, row.difference) == (n, a / n, pytest.approx(a / n - b / m))
    assert row.ratio == pytest.approx((a / n) / (b / m))
    assert row.p_exact == fisher_exact([[a, n - a], [b, m - b]]).pvalue
    units = pd.crosstab(scores.unit, groups.value)
    tops = pd.crosstab(scores.unit[scores.grade_adjusted.isin(["S", "A"])], groups.value).reindex_like(units).fillna(0)
    inside = mantel_haenszel(tops.q, units.q, tops.p, units.p)
    assert (row.mh_ratio, row.mh_low, row.mh_high) in (tuple(np.round(inside, 1)), tuple(np.round(inside, 2)))


def test_moves_are_counted_from_grades_before_and_after(company, table):
    scores, groups = company
    place = "SABCD".index
    up = scores.grade_adjusted.map(place) < scores.grade_raw.map(place)
    row = _row(table, "p", "moved up", "raw to adjusted")
    assert row.rate == up[groups.value.eq("p")].mean() and row.verdict == "reference"


def test_a_ratio_under_four_fifths_alone_is_no_finding():
    # 8 of 50 against 20 of 80: ratio .64, p = .28.
    scores, groups = _planned({"p": (80, 20), "q": (50, 8)})
    row = _row(fairness(scores, groups, SCHEME), "q", "S+A", "raw")
    assert row.ratio == pytest.approx(0.64) and row.p_exact > 0.05 and row.verdict == "within chance"
    assert row.shortfall == pytest.approx(50 * 20 / 80 - 8)


def _planned(groups, units=1):
    """One stage; of each group (size, S+A): the others have a B, and ten of them a D so that no cell is small."""
    rows = [
        (f"{name}{i:03d}", f"U{i % units}", "A" if i < top else "D" if i < top + 10 else "B", name)
        for name, (size, top) in groups.items()
        for i in range(size)
    ]
    frame = pd.DataFrame(rows, columns=["employee_id", "unit", "grade_raw", "value"])
    return frame[["employee_id", "unit", "grade_raw"]], frame[["employee_id", "value"]].assign(attribute="origin")


def test_a_large_difference_is_outside_chance_and_says_how_many_persons():
    scores, groups = _planned({"p": (200, 80), "q": (100, 10)})
    row = _row(fairness(scores, groups, SCHEME), "q", "S+A", "raw")
    assert row.verdict == "outside chance" and row.flip_one == "no" and row.shortfall == 30


def test_a_finding_among_many_comparisons_may_be_within_chance_among_them_all():
    # One of six groups at p = .03, the other five like the reference: q = .03 x 10 comparisons or so.
    sizes = {"p": (120, 40), "q": (60, 10), **{name: (60, 20) for name in "rstuv"}}
    found = fairness(*_planned(sizes), SCHEME)
    row = _row(found, "q", "S+A", "raw")
    assert row.p_exact < 0.05 < row.q and row.verdict == "outside chance alone, within it among all comparisons"
    p = np.sort(found.p_exact.dropna())
    steps = p * len(p) / np.arange(1, len(p) + 1)  # Benjamini and Hochberg's step-up
    assert row.q == pytest.approx(np.minimum.accumulate(steps[::-1])[::-1][np.searchsorted(p, row.p_exact)])


def test_the_reference_is_the_largest_group_and_of_equals_the_first_by_name():
    found = fairness(*_planned({"q": (60, 20), "p": (60, 20), "r": (40, 10)}), SCHEME)
    assert found.reference.eq("p").all()


def test_who_states_no_group_forms_one_that_is_never_the_reference():
    scores, groups = _planned({"p": (40, 12), "q": (30, 10), "x": (90, 30)})
    found = fairness(scores, groups[groups.value.ne("x")], SCHEME)
    assert found.reference.eq("p").all() and _row(found, "not stated", "S+A", "raw").n == 90


def test_a_group_under_ten_is_counted_and_not_tested():
    scores, groups = _planned({"p": (80, 24), "q": (50, 15), "s": (8, 3)})
    row = _row(fairness(scores, groups, SCHEME), "s", "S+A", "raw")
    assert row.n == 8 and row.verdict == "too few to test" and np.isnan(row.p_exact)


def test_a_group_under_five_shows_nothing_at_all():
    scores, groups = _planned({"p": (80, 24), "q": (50, 15), "s": (4, 1), "t": (20, 6)})
    found = fairness(scores, groups, SCHEME)
    figures = [c for c in COLUMNS if c not in TEXTS]
    small = found[found.group.isin(["s", "t"])]  # t goes with it: the total would give s away
    assert small[figures].isna().all(axis=None) and small.verdict.eq("not shown").all()
    assert small.reason.nunique() == 1  # which of the two is the small one is not told


def test_outcomes_of_the_caller_stand_at_the_last_stage(company):
    scores, groups = company
    slate = pd.Series(np.arange(len(scores)) % 4 == 0, scores.employee_id)
    found = fairness(scores, groups, SCHEME, outcomes={"promotion slate": slate})
    row = _row(found, "p", "promotion slate", "adjusted")
    assert row.rate == slate[groups.value.eq("p").to_numpy()].mean()


def test_an_outcome_that_says_nothing_of_somebody_is_refused(company):
    with pytest.raises(DataError, match="promotion slate says nothing of p001"):
        fairness(*company, SCHEME, outcomes={"promotion slate": pd.Series([True], ["p000"])})


def test_somebody_twice_under_one_attribute_is_refused(company):
    scores, groups = company
    with pytest.raises(DataError, match="p000 stands twice under the attribute origin"):
        fairness(scores, pd.concat([groups, groups.head(1)]), SCHEME)


def test_without_groups_there_is_nothing_to_say(company):
    none = pd.DataFrame(columns=["employee_id", "attribute", "value"])
    assert fairness(company[0], none, SCHEME).columns.tolist() == COLUMNS


def test_the_top_band_is_that_of_the_guideline():
    assert top_band(SCHEME) == ("S", "A")


def test_where_no_count_is_shown_no_figure_is():
    rng = np.random.default_rng(5)
    for _ in range(4):
        sizes = {name: int(n) for name, n in zip("pqrs", rng.integers(3, 90, 4), strict=True)}
        found = fairness(*_company(rng, sizes, rng.uniform(0.05, 0.5, 4)), SCHEME)
        figures = [c for c in COLUMNS if c not in TEXTS]
        hidden = found.rate.isna()
        assert found.loc[hidden, [c for c in figures if c != "n"]].isna().all(axis=None)
        rates = found[found.group.eq(found.reference)].set_index(["outcome", "stage"]).rate
        without = rates.reindex(pd.MultiIndex.from_frame(found[["outcome", "stage"]])).isna().to_numpy()
        compared = [c for c in figures if c not in ("n", "rate")]
        assert found.loc[without, compared].isna().all(axis=None)
        assert found.loc[hidden | without, "reason"].ne("").all()


def _as_read(scores, groups, *tables):
    """What a reader holds: tables as published and everybody's grades. Each pair, or triple, of grades is a pattern."""
    stages = [name.removeprefix("grade_") for name in scores if name.startswith("grade_")]
    names = sorted(groups.value.unique())
    members = pd.crosstab(groups.value, scores[[f"grade_{stage}" for stage in stages]].agg("".join, axis=1)).reindex(
        names
    )
    grade = {stage: np.array(["SABCD".index(p[i]) for p in members.columns]) for i, stage in enumerate(stages)}
    rows = {("S+A", stage): grade[stage] < 2 for stage in stages} | {("D", stage): grade[stage] > 3 for stage in stages}
    for before, after in pairwise(stages):
        rows["moved up", f"{before} to {after}"] = grade[after] < grade[before]
        rows["moved down", f"{before} to {after}"] = grade[after] > grade[before]
    told = pd.concat(tables)
    told = told[told.rate.notna()]
    shown = set(zip(told.group, told.outcome, told.stage, strict=True))
    order, n = list(rows), len(stages)
    counts = Counts(
        members.to_numpy(),
        np.array(list(rows.values())),
        parts=[*((i, n + i) for i in range(n)), *((i, i + 1) for i in range(2 * n, len(rows), 2))],
        flows=[(end + i, end + j) for end in (0, n) for i, j in combinations(range(n), 2)],
        reference=names.index(tables[0].reference[0]),
    )
    unknown = np.array([tables[0].loc[tables[0].group.eq(name), "n"].isna().all() for name in names])
    return counts, unknown, np.array([[(name, *row) not in shown for row in order] for name in names])


@pytest.mark.parametrize("seed", range(4))
def test_the_published_table_beside_the_scores_gives_no_small_count_away(seed):
    # The attack again, from what a reader holds: the table as published and everybody's grades.
    rng = np.random.default_rng(40 + seed)
    for _ in range(3):
        sizes = {name: int(n) for name, n in zip("pqrs", rng.integers(2, 80, int(rng.integers(2, 5))), strict=False)}
        scores, groups = _company(rng, sizes, rng.uniform(0.05, 0.4, len(sizes)), shift=0.05)
        assert not _found_out(*_as_read(scores, groups, fairness(scores, groups, SCHEME)))


@pytest.mark.parametrize("seed", [0, 3])
def test_a_table_after_decisions_beside_the_draft_gives_no_more_away_than_the_draft(seed):
    # The draft's table is out when the next stage is decided. Hidden anew, the two undo each other.
    rng = np.random.default_rng(seed)
    scores, groups = _company(rng, {"p": 45, "q": 30}, (0.3, 0.2))
    shift = (rng.random((2, len(scores))) < 0.05).astype(int)
    place = scores.grade_adjusted.map("SABCD".index) + shift[0] - shift[1]
    draft = fairness(scores, groups, SCHEME)
    scores["grade_proposed"] = place.clip(0, 4).map(list("SABCD").__getitem__)
    after = fairness(scores, groups, SCHEME, published=draft)
    assert _found_out(*_as_read(scores, groups, draft, fairness(scores, groups, SCHEME)))
    assert not _found_out(*_as_read(scores, groups, draft, after))
    both = draft.merge(after, on=["attribute", "group", "outcome", "stage"], suffixes=("_draft", ""))
    assert (both.rate.notna() | both.rate_draft.isna()).all()


def test_who_has_a_plan_without_the_last_grade_is_not_told_by_the_difference():
    # Whoever has a D has a plan: 8 plans less 6 D of the group p would leave the 2 who have it for other reasons.
    grades = ["D"] * 6 + ["C"] * 2 + ["B"] * 52 + ["D"] * 10 + ["C"] * 8 + ["B"] * 62
    ids = [f"e{i}" for i in range(140)]
    scores = pd.DataFrame({"employee_id": ids, "unit": "u", "grade_raw": grades})
    groups = pd.DataFrame({"employee_id": ids, "attribute": "origin", "value": ["p"] * 60 + ["q"] * 80})
    plan = pd.Series(np.isin(grades, ["C", "D"]), index=ids)
    found = fairness(scores, groups, SCHEME, outcomes={"plan": plan})
    shown = found[found.rate.notna()].groupby("group").outcome.agg(set)
    assert not any({"D", "plan"} <= outcomes for outcomes in shown)
    assert shown.explode().isin(["D", "plan"]).any()


# --- the page and its picture ---------------------------------------------------------------------------------------


def _page(table, status="DRAFT"):
    cycle = SimpleNamespace(id="2026Q3", scheme=SCHEME, simulated=True)
    return fairness_page(SimpleNamespace(cycle=cycle, status=status), conform(table, "restricted/fairness"))


def test_the_page_leads_with_the_finding_and_how_many_chance_alone_would_give():
    html = _page(fairness(*_planned({"p": (200, 80), "q": (100, 10), "r": (100, 40)}), SCHEME))
    text = re.sub(r"<[^>]+>", " ", html).replace("\u00a0", " ")
    # S+A of q: 10 of 100 against 80 of 200, so 40 at the same rate.
    assert "S+A (raw) 10 of 100 (10 %), ratio 0.25 to p; 30 more would have it at the same rate." in text
    assert re.search(r"\d comparisons; chance alone gives at most about 0\.\d+ with p under \.05, and there", text)
    assert "HR and legal alone" in text and "DRAFT" in text


def test_attributes_and_groups_stand_under_the_names_of_the_scheme():
    scores, groups = _planned({"p": (100, 30), "q": (100, 30), "r": (50, 20)})
    table = fairness(
        scores, groups.assign(attribute="age_band", value=groups["value"].replace("p", "35 to 44")), SCHEME
    )
    with speaking("zh"):
        page = _page(table)
    assert "年龄" in page and "35 至 44 岁" in page and "age_band" not in page
    assert "home town" in _page(table.assign(attribute="home_town")), "no name in the scheme: as the data have it"


def test_the_page_uses_none_of_the_words_that_claim_too_much(table):
    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", _page(table), flags=re.S).lower()
    for word in ("fair", "bias", "deserve", "discriminat", "adverse", "bottom", "guilty"):
        assert not re.search(rf"\b{word}", text), word


def test_the_page_of_hidden_figures_holds_none_of_them():
    scores, groups = _planned({"p": (83, 24), "q": (51, 17), "s": (4, 3), "t": (19, 6)})
    text = re.sub(r"<style.*?</style>|<svg.*?</svg>|<[^>]+>", " ", _page(fairness(scores, groups, SCHEME)), flags=re.S)
    assert not re.search(r"\b(19|6 of|3 of 4)\b", text) and "not shown" in text


def test_without_groups_the_page_says_what_to_deliver():
    none = pd.DataFrame(columns=COLUMNS)
    assert "Deliver groups.csv" in _page(none)


def test_a_dot_lies_outside_its_grey_where_the_interval_is_clear_of_one():
    found = fairness(*_planned({"p": (200, 80), "q": (100, 10), "r": (100, 37)}), SCHEME)
    chart = ratios(found)
    rows = found[found.ratio.notna()]
    greys = [p for p in chart.axes[0].patches if p.get_width() > 0]
    assert len(greys) == len(rows)
    for row, grey in zip(rows.itertuples(), greys, strict=True):
        inside = grey.get_x() <= row.ratio <= grey.get_x() + grey.get_width()
        assert inside == (row.ratio_low <= 1 <= row.ratio_high)
        assert f"{row.group}, {row.outcome}, {row.stage} {row.ratio:.2f}" in chart.description
