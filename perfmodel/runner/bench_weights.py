"""The simulation of weights beside its floor: what no such program can do without, and what an analyst would write."""

import statistics
import sys
from collections.abc import Callable, Iterator

from .bench_raters import json_of

SIZES = (1_000, 10_000)  # employees; 14 KPIs in four categories
DRAWS = 10_000  # of the floor: weights times points, and a sort of each draw's scores
PANDAS_DRAWS = 20  # of the analyst's loop, whose time is then counted for all draws
SE = 0.005
SETUP = """
import json, resource, sys, time, tracemalloc
import numpy as np, pandas as pd
import perfmodel as pm
n, repeat = int(sys.argv[1]), int(sys.argv[2])
def of(name, k, low, high): return {f"{name}{i}": (low, high) for i in range(k)}
tree = {"sales": ((40, 60), of("s", 5, 10, 40)), "team": ((20, 30), of("t", 4, 10, 50)),
        "market": ((10, 20), of("m", 3, 20, 60)), "ops": ((5, 10), of("o", 2, 30, 70))}
space = pm.WeightSpace.tree(tree)
rng = np.random.default_rng(1)
points = pd.DataFrame(rng.normal(75, 10, (n, 14)), [f"e{i:06}" for i in range(n)], space.names)
grades = {"D": 0, "C": 60, "B": 70, "A": 80, "S": 90}
def clock(work):
    start = time.perf_counter(); out = work(); return time.perf_counter() - start, out
"""
BESIDE = (
    SETUP
    + """
draws, loops, se = (float(value) for value in sys.argv[3:])
draws, loops = int(draws), int(loops)
from perfmodel.weights.tally import T_95
def floor():
    w, x, rows = rng.random((draws, 14)), points.to_numpy().T, max((1 << 19) // n, 1)
    for start in range(0, len(w), rows): np.sort(w[start:start + rows] @ x, axis=1)
def ours(): return pm.simulate_weights(points, space, grades=grades, seed=1, half_width=se * T_95)
def loop():
    w, counts = space.sample(loops, seed=1), pd.DataFrame(0, points.index, [*grades, "top", "half"])
    for _, row in w.iterrows():
        score = (points * row / 100).sum(axis=1)
        grade = pd.cut(score, [-np.inf, 60, 70, 80, 90, np.inf], right=False, labels=list(grades))
        for g in grades: counts[g] += grade.eq(g)
        rank = score.rank(ascending=False, method="min")
        counts["top"] += rank <= n / 10
        counts["half"] += rank <= n / 2
    return counts / len(w)
floors, mine = [], []
for _ in range(repeat):
    floors.append(clock(floor)[0]); took, sim = clock(ours); mine.append(took)
slow = clock(loop)[0] * draws / loops if n <= 1000 else 0
tracemalloc.start(); before = tracemalloc.get_traced_memory()[0]; tracemalloc.reset_peak()
kept = ours(); now, peak = tracemalloc.get_traced_memory()
print(json.dumps({"floor": floors, "ours": mine, "loop": slow, "draws": sim.precision.draws, "se": sim.precision.se,
    "se_bands": sim.precision.se_bands, "beyond": (peak - now) / 2**20}))
"""
)
LARGE = (
    SETUP
    + """
took, sim = clock(lambda: pm.simulate_weights(points, space, grades=grades, seed=1, bands=(), half_width=0.02))
more, _ = clock(lambda: sim.moments)
print(json.dumps({"grades": took, "moments": more, "half_width": sim.precision.half_width,
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
)


def weights_beside_floor(repeat: int, say: Callable[[str], None]) -> Iterator[str]:
    """Lines on time against the floor and the analyst's loop, precision and memory, medians of ``repeat``."""
    for n in SIZES:
        say(f"weights: {n:,} employees")
        given = map(str, (n, repeat, DRAWS, PANDAS_DRAWS, SE))
        found = json_of(sys.executable, "-c", BESIDE, *given)
        floor, mine = statistics.median(found["floor"]), statistics.median(found["ours"])
        yield (
            f"simulate_weights, {n:,} x 14: {mine:.2f} s; {mine / floor:.2f} × the floor ({floor:.2f} s for {DRAWS:,} "
            f"draws); {found['draws']:,} draws, standard error of grades {found['se']:.4f}, of rank bands "
            f"{found['se_bands']:.4f}; {found['beyond']:.0f} MiB beyond input and result"
        )
        if found["loop"]:
            ratio = found["loop"] / mine
            yield f"  pandas loop, counted for {DRAWS:,} draws: {found['loop']:.0f} s, {ratio:.0f} × as long"
    say("weights: 200,000 employees")
    large = json_of(sys.executable, "-c", LARGE, "200000", "1")
    yield (
        f"grades of 200,000: {large['grades']:.1f} s (within {large['half_width']:.3f}, 95 %), exact moments "
        f"{large['moments']:.2f} s, {large['memory']:.0f} MiB in all"
    )
