"""The simulation of weights beside its floor: what no such program can do without, and what an analyst would write."""

import statistics
import sys
from collections.abc import Callable, Iterator

from .bench_raters import json_of

SIZES = (1_000, 10_000)  # employees; 14 KPIs in four categories
DRAWS = 10_000  # of the floor: weights times points, and a sort of each draw's scores
ROW_LOOP = 4  # draws of the analyst's loop over rows, whose time is then counted for all draws
DRAW_LOOP = 20  # draws of the loop that scores all employees of a draw at once
MANY = 1 << 21  # draws of a simulation whose memory is looked at
LARGE_WIDTHS = (0.02, 0.01)  # 95 % half-widths: standard errors of .0094 and .0047
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
draws, loops, rows_, many = (int(value) for value in sys.argv[3:7])
se = float(sys.argv[7])
from perfmodel.weights.tally import T_95
def floor():
    w, x, rows = rng.random((draws, 14)), points.to_numpy().T, max((1 << 19) // n, 1)
    for start in range(0, len(w), rows): np.sort(w[start:start + rows] @ x, axis=1)
def ours(): return pm.simulate_weights(points, space, grades=grades, seed=1, half_width=se * T_95)
def by_draw(w):
    counts = pd.DataFrame(0, points.index, [*grades, "top", "half"])
    for _, row in w.iterrows():
        score = (points * row / 100).sum(axis=1)
        grade = pd.cut(score, [-np.inf, 60, 70, 80, 90, np.inf], right=False, labels=list(grades))
        for g in grades: counts[g] += grade.eq(g)
        rank = score.rank(ascending=False, method="min")
        counts["top"] += rank <= n / 10
        counts["half"] += rank <= n / 2
    return counts / len(w)
def grade_of(score):
    return "S" if score >= 90 else "A" if score >= 80 else "B" if score >= 70 else "C" if score >= 60 else "D"
def by_row(w):
    frames = []
    for draw, row in w.iterrows():
        score = points.apply(lambda one: (one * row).sum() / 100, axis=1)
        frames.append(pd.DataFrame({"employee": points.index, "draw": draw, "grade": score.apply(grade_of).to_numpy(),
                                    "rank": score.rank(ascending=False, method="min").to_numpy()}))
    found = pd.concat(frames)
    return found.groupby(["employee", "grade"]).size() / len(w), found.groupby("employee")["rank"].agg(["min", "max"])
times = {"floor": [], "ours": [], "by_draw": [], "by_row": []}
for _ in range(repeat):
    times["floor"].append(clock(floor)[0]); took, sim = clock(ours); times["ours"].append(took)
    if loops:
        times["by_draw"].append(clock(lambda: by_draw(space.sample(loops, seed=1)))[0] * draws / loops)
        times["by_row"].append(clock(lambda: by_row(space.sample(rows_, seed=1)))[0] * draws / rows_)
tracemalloc.start(); before = tracemalloc.get_traced_memory()[0]; tracemalloc.reset_peak()
kept = ours(); now, peak = tracemalloc.get_traced_memory()
beyond, more, drawn = (peak - now) / 2**20, 0.0, 0
if many:
    del kept; tracemalloc.reset_peak()
    kept = pm.simulate_weights(points.iloc[:100], space, grades=grades, half_width=1e-12, most_draws=many)
    now, peak = tracemalloc.get_traced_memory(); more, drawn = (peak - now) / 2**20, kept.precision.draws
print(json.dumps(times | {"draws": sim.precision.draws, "se": sim.precision.se, "se_bands": sim.precision.se_bands,
    "beyond": beyond, "more": more, "drawn": drawn}))
"""
)
LARGE = (
    SETUP
    + """
half_width = float(sys.argv[3])
work = lambda: pm.simulate_weights(points, space, grades=grades, seed=1, bands=(), half_width=half_width)
takes, moments = [], []
for _ in range(repeat):
    took, sim = clock(work); takes.append(took); moments.append(clock(lambda: sim.moments)[0])
whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
del sim; tracemalloc.start(); tracemalloc.reset_peak()
sim = work(); now, peak = tracemalloc.get_traced_memory()
print(json.dumps({"grades": takes, "moments": moments, "se": sim.precision.se, "draws": sim.precision.draws,
    "memory": whole, "beyond": (peak - now) / 2**20}))
"""
)


def weights_beside_floor(repeat: int, say: Callable[[str], None]) -> Iterator[str]:
    """Lines on time against the floor and two analysts' loops, precision and memory, medians of ``repeat``."""
    for n in SIZES:
        say(f"weights: {n:,} employees")
        beside = (DRAW_LOOP, ROW_LOOP, MANY) if n == SIZES[0] else (0, 0, 0)
        given = map(str, (n, repeat, DRAWS, *beside, SE))
        found = json_of(sys.executable, "-c", BESIDE, *given)
        floor, mine = statistics.median(found["floor"]), statistics.median(found["ours"])
        yield (
            f"simulate_weights, {n:,} x 14: {mine:.2f} s; {mine / floor:.2f} × the floor ({floor:.2f} s for {DRAWS:,} "
            f"draws); {found['draws']:,} draws, standard error of grades {found['se']:.4f}, of rank bands "
            f"{found['se_bands']:.4f}; {found['beyond']:.0f} MiB beyond input and result"
        )
        for kind, what in (("by_row", "row by row"), ("by_draw", "draw by draw, columns at once")):
            if found[kind]:
                loop = statistics.median(found[kind])
                yield f"  pandas loop {what}, counted for {DRAWS:,} draws: {loop:.0f} s, {loop / mine:.0f} × as long"
        if found["drawn"]:
            yield f"  100 employees, {found['drawn']:,} draws: {found['more']:.0f} MiB beyond input and result"
    for half_width in LARGE_WIDTHS:
        say(f"weights: 200,000 employees, shares within {half_width:g}")
        large = json_of(sys.executable, "-c", LARGE, "200000", str(min(repeat, 3)), str(half_width))
        yield (
            f"grades of 200,000: {statistics.median(large['grades']):.1f} s ({large['draws']:,} draws, standard error "
            f"{large['se']:.4f}), exact moments {statistics.median(large['moments']):.2f} s; {large['beyond']:.0f} MiB "
            f"beyond input and result, {large['memory']:.0f} MiB in all"
        )
