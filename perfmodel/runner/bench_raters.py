"""Severity beside lme4: the same numbers, and how long each takes; and time against size."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date

import pandas as pd

from ..errors import RunError
from ..studies import commit

SIZES = (5_000, 20_000, 50_000, 100_000, 200_000)  # employees; nine a rater, three items, two in five rated twice
# lme4 prints its numbers in full, so that they can be held against ours.
PEER = """
suppressMessages(library(lme4))
repeat_ <- as.integer(commandArgs(TRUE)[1])
fits <- c(); sds <- c(); cpus <- c()
for (i in seq_len(repeat_)) {
  took <- system.time(f <- lmer(y ~ 1 + (1|s) + (1|d), InstEval))
  fits <- c(fits, took[3]); cpus <- c(cpus, took[1] + took[2])
  sds <- c(sds, system.time(r <- ranef(f, condVar = TRUE))[3])
}
v <- as.data.frame(VarCorr(f))
show <- function(x) paste0("[", paste(sprintf("%.12g", x), collapse = ","), "]")
cat(sprintf('{"fit":%s,"cpu":%s,"sd":%s,"criterion":%.10f,"variances":%s,"rater":%s,"employee":%s,"rater_sd":%s,"employee_sd":%s}',
  show(fits), show(cpus), show(sds), REMLcrit(f), show(v$vcov), show(r$s[[1]]), show(r$d[[1]]),
  show(sqrt(attr(r$s, "postVar")[1, 1, ])), show(sqrt(attr(r$d, "postVar")[1, 1, ]))))
"""
OURS = """
import json, sys, time
import perfmodel as pm
from perfmodel.examples import insteval_ratings
ratings, times, cpus, sds = insteval_ratings().drop(columns="unit"), [], [], []
for _ in range(int(sys.argv[1])):
    start, busy = time.perf_counter(), time.process_time(); fit = pm.fit_severity(ratings); fit.raters; fit.employees
    times.append(time.perf_counter() - start); cpus.append(time.process_time() - busy)
    start = time.perf_counter(); rater, employee = fit.conditional_sd("rater"), fit.conditional_sd("employee")
    sds.append(time.perf_counter() - start)
print(json.dumps({
    "fit": times, "cpu": cpus, "sd": sds, "criterion": fit.criterion,
    "variances": fit.variances[["rater", "employee", "residual"]].tolist(),
    "rater": (-fit.raters["severity"]).tolist(), "employee": fit.employees["effect"].tolist(),
    "rater_sd": rater.tolist(), "employee_sd": employee.tolist()}))
"""
LARGE = """
import json, resource, sys, time
import perfmodel as pm
from perfmodel.simulate import simulate_ratings
n = int(sys.argv[1])
ratings, truth = simulate_ratings("linked", n_raters=n // 9, n_employees=n, n_kpis=3, double=0.4, seed=1)
team = truth["employees"].set_index("employee_id")["team"]
start, busy = time.perf_counter(), time.process_time()
fit = pm.fit_severity(ratings, team=team); known = int(fit.raters["se"].notna().sum()); fit.adjusted_ratings
took, cpu = time.perf_counter() - start, time.process_time() - busy
print(json.dumps({"time": took, "cpu": cpu, "ratings": len(ratings), "raters": len(fit.raters), "known": known,
    "largest": int((fit.raters["component"] == 1).sum()), "entered": len(fit.model.rows),
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def beside_lme4(repeat: int, say: Callable[[str], None]) -> Iterator[str]:
    """Lines on InstEval: differences from lme4's numbers, then medians of ``repeat`` fits in one session each."""
    say("InstEval: severity with standard errors")
    mine = json_of(sys.executable, "-c", OURS, str(repeat))
    yield f"fit_severity, InstEval, severities with SEs: {_median(mine['fit']):.2f} s"
    if shutil.which("Rscript") is None:
        yield "lme4: no Rscript here, so nothing to compare with (Debian: r-base-core, r-cran-lme4)"
        return
    say("InstEval: lme4")
    peer = json_of("Rscript", "-e", PEER, str(repeat))
    alone, both = _median(peer["fit"]), _median(peer["fit"]) + _median(peer["sd"])
    with_sd = _median(mine["fit"]) + _median(mine["sd"])
    yield f"  lmer alone {alone:.2f} s: {alone / _median(mine['fit']):.1f} × as long"
    ours, theirs = _median(mine["cpu"]), _median(peer["cpu"])
    yield f"  in processor time, whoever else uses the machine: {theirs:.2f} s, {theirs / ours:.1f} × {ours:.2f} s"
    yield f"  lmer and ranef(condVar = TRUE) {both:.2f} s: {both / with_sd:.1f} × as long as with conditional SDs too"
    yield f"  criterion: differs by {abs(mine['criterion'] - peer['criterion']):.1e}"
    for name, words in (
        ("variances", "relative"),
        ("rater", ""),
        ("employee", ""),
        ("rater_sd", ""),
        ("employee_sd", ""),
    ):
        pairs = list(zip(_centred(mine[name], name), _centred(peer[name], name), strict=True))
        apart = max(abs(a - b) / (abs(b) if words else 1) for a, b in pairs)
        yield f"  {name}: {len(pairs)} values differ by at most {apart:.1e} {words}".rstrip()


def against_size(repeat: int, say: Callable[[str], None]) -> Iterator[str]:
    """Lines of time and memory by number of employees; a linked, simulated organisation with teams."""
    for row in sizes(repeat, say):
        yield (
            f"{row['employees']} employees, {row['raters']} raters ({row['linked']} linked), {row['ratings']} ratings: "
            f"{row['seconds']:.2f} s ({row['cpu']:.2f} s of processor), {row['memory']:.0f} MiB"
        )


def sizes(repeat: int, say: Callable[[str], None]) -> Iterator[dict]:
    """Median seconds by the clock and of the processor, and memory (MiB, the data included), by ``employees``.

    ``entered``: ratings in the estimate; ``largest``: raters in the largest component.
    """
    for size in SIZES:
        say(f"{size:,} employees")
        found = [json_of(sys.executable, "-c", LARGE, str(size)) for _ in range(repeat)]
        first = found[0]
        counts = {"ratings": first["ratings"], "entered": first["entered"]}
        counts |= {"raters": first["raters"], "linked": first["known"], "largest": first["largest"]}
        times = {"seconds": _median([f["time"] for f in found]), "cpu": _median([f["cpu"] for f in found])}
        memory = max(f["memory"] for f in found)
        rounded = {name: round(value, 2) for name, value in times.items()}
        yield {"employees": size, **counts, **rounded, "memory": round(memory), "runs": repeat}


def _centred(values: list[float], name: str) -> list[float]:
    """Severities are centred over raters, lme4's effects are not."""
    mean = statistics.fmean(values) if name == "rater" else 0.0
    return [value - mean for value in values]


def _median(values: list[float]) -> float:
    return statistics.median(values)


def json_of(*command: str) -> dict:
    """What a command prints, which must be JSON; a failure is no time."""
    start = time.perf_counter()
    outcome = subprocess.run(command, capture_output=True, text=True)
    if outcome.returncode:
        took = time.perf_counter() - start
        raise RunError(
            f"{command[0]} ended with {outcome.returncode} after {took:.0f} s: {outcome.stderr[-300:].strip()}"
        )
    return json.loads(outcome.stdout)


def main() -> None:
    table = pd.DataFrame(sizes(5, lambda text: print(text, flush=True)))
    commit("size", table.assign(cores=os.cpu_count(), date=date.today().isoformat()))


if __name__ == "__main__":
    main()
