"""The permitted weights: exact moments, exact draws, and what the ranges do not say by themselves."""

from fractions import Fraction
from itertools import pairwise, product
from math import factorial, prod

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel.errors import SchemeError
from perfmodel.space import BoxSimplex, WeightSpace

FOUR = {"sales": (40, 60), "team": (20, 30), "market": (10, 20), "ops": (5, 10)}


def rational(widths, rest, degrees):
    """Integral of prod x_i ** degree_i over {0 <= x_i <= width_i, sum x = rest}, in fractions.

    The Laplace transform of x ** m on [0, r] is a sum of c exp(-a z) / z ** n; a product of such sums is one
    again, and c exp(-a z) / z ** n is the transform of c (s - a)_+ ** (n - 1) / (n - 1)!.
    """
    factors = []
    for r, m in zip(widths, degrees, strict=True):
        tail = [(-Fraction(factorial(m) * r ** (m - i), factorial(m - i)), r, i + 1) for i in range(m + 1)]
        factors.append([(Fraction(factorial(m)), 0, m + 1), *tail])
    value = Fraction(0)
    for terms in product(*factors):
        shift, order = sum(t[1] for t in terms), sum(t[2] for t in terms)
        if shift < rest:
            value += prod(t[0] for t in terms) * Fraction(rest - shift) ** (order - 1) / factorial(order - 1)
    return value


def rational_moments(ranges, total=100):
    low = [Fraction(a) for a, _ in ranges]
    widths, rest, n = [Fraction(b - a) for a, b in ranges], total - sum(low), len(ranges)
    volume = rational(widths, rest, [0] * n)
    mean = [rational(widths, rest, [int(i == k) for i in range(n)]) / volume for k in range(n)]
    second = [
        [rational(widths, rest, [int(i == k) + int(i == j) for i in range(n)]) / volume for j in range(n)]
        for k in range(n)
    ]
    covariance = [[float(second[i][j] - mean[i] * mean[j]) for j in range(n)] for i in range(n)]
    return [float(a + m) for a, m in zip(low, mean, strict=True)], covariance


@pytest.mark.parametrize(
    "ranges",
    [
        list(FOUR.values()),
        [(0, 100), (0, 100), (0, 100)],
        [(1, 7), (10, 55), (20, 21), (0, 60), (5, 30)],
        [(2, 40), (3, 9), (10, 20), (4, 33), (1, 12), (5, 21), (0, 25)],
    ],
)
def test_moments_agree_with_rational_arithmetic(ranges):
    mean, covariance = BoxSimplex(*zip(*ranges, strict=True)).moments()
    exact_mean, exact_covariance = rational_moments(ranges)
    assert mean == pytest.approx(exact_mean, abs=1e-10)  # positive sums only: a few units of the last place
    assert covariance == pytest.approx(np.array(exact_covariance), abs=1e-9)


def test_mean_of_the_four_ranges_is_not_their_middles():
    # Middles 50, 25, 15, 7.5 total 97.5; the missing 2.5 points go mostly to the wide range.
    centre = WeightSpace(FOUR).centre
    assert centre.sum() == pytest.approx(100, abs=1e-10)
    assert centre["sales"] == pytest.approx(52.119565217, abs=1e-8)  # .521, by fractions above


def test_uniform_simplex_has_dirichlet_moments():
    # Dirichlet(1, 1, 1): mean 1/3, variance 2/36, covariance -1/36, times 100 squared.
    mean, covariance = WeightSpace({n: (0, 100) for n in "abc"}).moments()
    assert mean.to_numpy() == pytest.approx([100 / 3] * 3, abs=1e-10)
    assert covariance.to_numpy() == pytest.approx(1e4 / 36 * (3 * np.eye(3) - 1), abs=1e-8)


def test_laws_differ_as_the_volume_inside_a_category_says():
    # Category a of two weights beside b, all ranges open. Hierarchical: a is uniform on 0..100, so its two
    # weights average 25. Flat: uniform on the simplex of three weights, so each averages 33.3.
    tree = {"a": ((0, 100), {"a1": (0, 100), "a2": (0, 100)}), "b": ((0, 100), {"b1": (100, 100)})}
    assert WeightSpace.tree(tree).centre.to_numpy() == pytest.approx([25, 25, 50], abs=1e-9)
    assert WeightSpace.tree(tree, law="flat").centre.to_numpy() == pytest.approx([100 / 3] * 3, abs=1e-9)


@pytest.mark.parametrize("law", ["hierarchical", "flat"])
def test_draws_from_a_tree_have_the_exact_moments(law):
    tree = {
        "sales": ((40, 60), {"attainment": (30, 50), "new": (10, 30), "margin": (15, 35), "expense": (10, 20)}),
        "team": ((20, 40), {"reach": (30, 70), "culture": (30, 70)}),
        "ops": ((5, 20), {"forecast": (100, 100)}),
    }
    space = WeightSpace.tree(tree, law=law)
    mean, covariance = space.moments()
    draws = space.sample(8192, seed=3)
    assert space.contains(draws).all()
    sd = np.sqrt(np.diag(covariance))
    assert ((draws.mean() - mean).abs() <= 4 * sd / np.sqrt(8192)).all()  # 4 standard errors of plain draws
    # A sample covariance has a relative error near sqrt(2 / n) = .016; three of them.
    assert np.abs((draws.cov() - covariance) / np.outer(sd, sd)).to_numpy().max() < 0.05


@pytest.mark.parametrize("ranges", [list(FOUR.values()), [(1, 7), (10, 55), (20, 21), (0, 60), (5, 30)]])
def test_each_weight_has_its_exact_marginal_law(ranges):
    # P(w_k <= a) is the volume with the range of k cut at a over the whole volume. For 4,096 independent
    # draws the Kolmogorov distance passes 1.95 / sqrt(n) = .030 once in a thousand; Sobol points stay closer.
    space = WeightSpace({f"k{i}": r for i, r in enumerate(ranges)})
    draws = space.sample(4096, seed=11).to_numpy()
    widths, rest = [Fraction(b - a) for a, b in ranges], 100 - sum(a for a, _ in ranges)
    zero = [0] * len(ranges)
    volume = rational(widths, rest, zero)
    for k, (low, high) in enumerate(ranges):
        for part in range(1, 12):
            cut = Fraction(high - low) * part / 12
            cdf = float(rational([cut if i == k else w for i, w in enumerate(widths)], rest, zero) / volume)
            assert np.mean(draws[:, k] <= low + float(cut)) == pytest.approx(cdf, abs=0.015)


def test_fourteen_unlike_ranges_keep_range_total_and_mean():
    rng = np.random.default_rng(0)
    low = rng.uniform(2, 6, 14)
    space = WeightSpace({f"k{i}": (a, a + b) for i, (a, b) in enumerate(zip(low, rng.uniform(1, 9, 14), strict=True))})
    mean, covariance = space.moments()
    assert mean.sum() == pytest.approx(100, abs=1e-8)
    assert np.abs(covariance.sum()).max() < 1e-8  # the total never varies
    draws = space.sample(2048, seed=5)
    assert space.contains(draws, tolerance=1e-9).all()
    sd = np.sqrt(np.diag(covariance))
    assert ((draws.mean() - mean).abs() <= 4 * sd / np.sqrt(2048)).all()


@st.composite
def spaces(draw):
    n = draw(st.integers(1, 6))
    centre = np.array(draw(st.lists(st.integers(1, 40), min_size=n, max_size=n)), float)
    centre = np.round(100 * centre / centre.sum(), 6)
    centre[-1] += 100 - centre.sum()
    down = draw(st.lists(st.sampled_from([0, 0.5, 3, 10, 60]), min_size=n, max_size=n))
    up = draw(st.lists(st.sampled_from([0, 0.5, 3, 10, 60]), min_size=n, max_size=n))
    low, high = np.maximum(centre - down, 0), np.minimum(centre + up, 100)
    return WeightSpace({f"k{i}": r for i, r in enumerate(zip(low, high, strict=True))}), draw(st.integers(0, 99))


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_draws_corners_centre_and_nearest_lie_inside(case):
    space, seed = case
    draws = space.sample(64, seed=seed)
    assert space.contains(draws, tolerance=1e-7).all()
    assert draws.sum(axis=1).to_numpy() == pytest.approx(np.full(64, 100), abs=1e-9)
    assert space.contains(space.vertices(), tolerance=1e-7).all()
    assert space.contains(space.centre, tolerance=1e-7)
    far = pd.Series(np.random.default_rng(seed).uniform(0, 100, len(space.names)), space.names)
    near = space.nearest(far)
    assert space.contains(near, tolerance=1e-7)
    # No draw and no corner is closer than the nearest point.
    others = pd.concat([draws, space.vertices()])
    assert ((others - far) ** 2).sum(axis=1).min() >= ((near - far) ** 2).sum() - 1e-6


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_no_draw_beats_the_largest_and_a_corner_attains_it(case):
    space, seed = case
    values = np.random.default_rng(seed).normal(size=len(space.names))
    best = space.largest(values) @ values
    assert (space.sample(64, seed=seed).to_numpy() @ values).max() <= best + 1e-7
    assert (space.vertices().to_numpy() @ values).max() == pytest.approx(best, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(spaces())
def test_a_permitted_choice_is_its_own_nearest(case):
    space, seed = case
    chosen = space.sample(1, seed=seed).iloc[0]
    assert space.nearest(chosen).to_numpy() == pytest.approx(chosen.to_numpy(), abs=1e-7)


def test_vertices_of_the_four_ranges():
    corners = WeightSpace(FOUR).vertices()
    assert [40, 30, 20, 10] in corners.to_numpy().tolist()
    assert len(corners) == 9
    ends = np.array(list(FOUR.values()), float)
    inner = ((corners.to_numpy() > ends[:, 0]) & (corners.to_numpy() < ends[:, 1])).sum(axis=1)
    assert (inner <= 1).all()  # a corner leaves at most one weight between its ends


def test_notes_say_which_ends_are_never_reached_or_in_one_way_only():
    assert WeightSpace(FOUR).notes == ["sales at 40 % is reached only with the other three at their maximum."]
    wide = WeightSpace({"a": (10, 90), "b": (30, 40), "c": (20, 25)})
    assert wide.notes[0] == "a can never be below 35 %, although its range goes to 10 %."
    assert "a can never be above 50 %, although its range goes to 90 %." in wide.notes
    reached = wide.ranges_reached().set_index("name")
    assert reached.loc["a", ["reached_least", "reached_most"]].tolist() == [35, 50]


def test_one_permitted_point_is_no_error():
    space = WeightSpace({"a": (60, 60), "b": (40, 40)})
    assert space.sample(3).to_numpy().tolist() == [[60, 40]] * 3
    assert space.vertices().to_numpy().tolist() == [[60, 40]]
    assert space.moments()[1].to_numpy().tolist() == [[0, 0], [0, 0]]


def test_equal_seeds_give_equal_draws_and_other_seeds_do_not():
    space = WeightSpace(FOUR)
    pd.testing.assert_frame_equal(space.sample(32, seed=4), space.sample(32, seed=4))
    assert not space.sample(32, seed=4).equals(space.sample(32, seed=5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WeightSpace({"a": (60, 70), "b": (50, 60)}), "minima already total 110 %"),
        (lambda: WeightSpace({"a": (10, 40), "b": (5, 50)}), "maxima total only 90 %"),
        (lambda: WeightSpace({"a": (70, 60), "b": (20, 40)}), "must rise"),
        (lambda: WeightSpace({"a": 50}), "two numbers"),
        (lambda: WeightSpace({}), "No weight is given"),
        (lambda: WeightSpace({"a": (0, 100)}, law="fair"), "hierarchical or flat"),
        (lambda: WeightSpace.tree({"a": ((100, 100), {"x": (10, 20), "y": (10, 20)})}), "inside a"),
        (
            lambda: WeightSpace.tree({c: ((50, 50), {"x": (100, 100)}) for c in "ab"}),
            "x occurs in more than one category",
        ),
        (lambda: WeightSpace(FOUR).contains({"sales": 100}), "exactly sales, team"),
    ],
)
def test_what_cannot_be_met_is_said_in_words(make, message):
    with pytest.raises(SchemeError, match=message):
        make()


def test_a_category_that_stood_at_0_comes_back_whole():
    # With a at 0 % its weights have no shares; back at 40 % they must again total 40, and all of it 100.
    tree = {"a": ((0, 50), {"a1": (100, 100)}), "b": ((30, 70), {"b1": (40, 60), "b2": (40, 60)}),
            "c": ((0, 40), {"c1": (20, 80), "c2": (20, 80)})}  # fmt: skip
    space = WeightSpace.tree(tree)
    gone = space.moved(space.moved(space.centre, "c", 40.0), "a", 0.0)
    back = space.moved(gone, "a", 40.0)
    assert back["a1"] == pytest.approx(40) and back.sum() == pytest.approx(100)
    names, nodes = space.nodes(gone.to_numpy()[None])
    assert nodes[0, names.index("a1")] == 100


@pytest.mark.parametrize("seed", range(6))
def test_no_walk_of_moves_leaves_the_permitted_weights(seed):
    # Ranges that begin at 0, whole and broken ends, and an order on one level and on two.
    rng = np.random.default_rng(seed)
    made = 0
    while made < 12:
        d, decimals = int(rng.integers(3, 7)), int(rng.choice([0, 1, 6]))
        middle = np.round(rng.dirichlet(np.ones(d) * 3) * 100, decimals)
        low = np.maximum(middle - rng.choice([0, 5, 10, 30], d), 0)
        high = np.minimum(middle + rng.choice([0, 5, 10, 30], d), 100)
        ranges = {n: (float(a), float(b)) for n, a, b in zip("abcdef", low, high, strict=False)}
        inside = {"a": {"a1": (0, 60), "a2": (20, 100), "a3": (0, 50)}, "b": {"b1": (0, 100), "b2": (0, 100)}}
        order = [[], ["a >= b"], ["a >= b", "a1 >= a3"]][made % 3]
        try:
            space = WeightSpace(ranges, inside if made % 3 != 1 else {}, order=order)
        except SchemeError:
            continue
        made += 1
        weights = space.centre
        for _ in range(15):
            name = str(rng.choice(space.nodes(weights.to_numpy()[None])[0]))
            end = rng.choice([0.0, rng.uniform(0, 100), 100.0])
            weights = space.moved(weights, name, float(end))
            assert space.contains(weights, tolerance=1e-7), (space, name, end, weights.to_dict())


def test_the_nearest_weights_of_a_tree_satisfy_the_conditions_of_a_projection():
    # w is nearest to v in a convex set just when (v - w) . (x - w) <= 0 for every x of it: its corners suffice.
    tree = {
        "sales": ((0, 60), {"attainment": (30, 50), "new": (20, 40), "margin": (20, 40)}),
        "team": ((20, 70), {"reach": (40, 60), "culture": (40, 60)}),
        "ops": ((10, 30), {"forecast": (100, 100)}),
    }
    rng = np.random.default_rng(4)
    for order in ((), ("sales >= team", "attainment >= new")):
        space = WeightSpace.tree(tree, order=order)
        corners = space.vertices().to_numpy()
        for far in rng.dirichlet(np.ones(6), 20) * rng.uniform(50, 150, (20, 1)):
            near = space.nearest(pd.Series(far, space.names)).to_numpy()
            assert space.contains(pd.Series(near, space.names), tolerance=1e-7)
            assert ((corners - near) @ (far - near)).max() <= 1e-6


def test_blocks_of_a_stream_stay_small_and_join_to_one_sequence():
    space = WeightSpace(FOUR)
    stream, blocks = space.stream(5, start=256), []
    while sum(map(len, blocks)) < 1 << 16:
        blocks.append(next(stream))
    assert max(map(len, blocks)) == 4096 and [len(b) for b in blocks[:4]] == [256, 256, 512, 1024]
    whole = space.sample(1 << 16, seed=5).to_numpy()
    assert np.concatenate(blocks) == pytest.approx(whole, abs=1e-9)


def test_draws_under_an_order_have_the_exact_moments_and_none_is_rejected():
    # A chain of seven like weights: by symmetry the order leaves 1 choice in 7! = 5,040.
    names = [f"k{i}" for i in range(7)]
    space = WeightSpace({n: (0, 40) for n in names}, order=pairwise(names))
    assert space.acceptance == pytest.approx(1 / 5040, rel=1e-6)
    assert len(next(space.stream(1, 512))) == 512
    draws = space.sample(4096, seed=3)
    assert space.contains(draws, tolerance=1e-9).all()
    mean, covariance = space.moments()
    sd = np.sqrt(np.diag(covariance))
    assert ((draws.mean() - mean).abs() <= 4 * sd / np.sqrt(4096)).all()  # 4 standard errors of plain draws
    assert np.abs((draws.cov() - covariance) / np.outer(sd, sd)).to_numpy().max() < 0.07  # 3 of sqrt(2 / n) = .022


def test_acceptance_counts_the_thinning_of_the_flat_law():
    # Category a of two free weights beside b, all ranges open: a point with a at W is kept with chance W / 100,
    # and W is uniform on 0..100: half are kept. With a >= b, W is uniform on 50..100: 1/2 by the order, times 3/4.
    tree = {"a": ((0, 100), {"a1": (0, 100), "a2": (0, 100)}), "b": ((0, 100), {"b1": (100, 100)})}
    assert WeightSpace.tree(tree).acceptance == 1
    flat = WeightSpace.tree(tree, law="flat")
    assert flat.acceptance == pytest.approx(0.5)
    assert len(next(flat.stream(1, 4096))) / 4096 == pytest.approx(0.5, abs=0.02)
    assert WeightSpace.tree(tree, law="flat", order=["a >= b"]).acceptance == pytest.approx(3 / 8)


def test_the_rule_names_the_law_and_what_an_order_leaves():
    assert WeightSpace(FOUR).rule == "law: hierarchical"
    # a and b alike on 0..100: the order keeps half.
    space = WeightSpace({"a": (0, 100), "b": (0, 100)}, law="flat", order=["a >= b"])
    assert space.rule == "law: flat; order: a ≥ b, which 50 % of the choices inside the ranges keep"
