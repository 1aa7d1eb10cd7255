"""Does the severity fit find what was planted? The evidence on which ``00_method_check`` reports.

A study simulates ratings of known severity, fits them as if nothing were known, and compares. The committed table
is made by ``python -m perfmodel.recovery --sets 200 --seed 1``.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .raters import SeverityFit, drift, fit_severity
from .raters.anchor import TELLING
from .simulate import simulate_ratings
from .studies import commit

DRAWS = 400  # behind the interval of a person's mean adjusted rating
# What is planted, and the assumption under which it is fitted.
DESIGNS: Mapping[str, Mapping[str, Any]] = {
    "nested": {"design": "nested"},
    "linked": {"design": "linked", "double": 0.15, "skip": 0.25},
    "kpi": {"design": "nested", "link": "kpi"},
    "kpi, shocks": {"design": "nested", "link": "kpi", "shock_sd": 2.0},
}
WAYS = ("raw", "adjusted", "zscore", "blup")


@dataclass(frozen=True, eq=False)
class Recovery:
    """One simulated quarter, its fit, and the two side by side.

    Attributes
    ----------
    fit : SeverityFit
    raters : DataFrame
        ``rater_id, severity`` (planted, centred over the raters of a component and of a role, as estimates are),
        ``estimate, lower, upper`` (empty where left alone), ``covered``; rating points.
    employees : DataFrame
        ``employee_id, team, merit`` (planted), ``raw, adjusted`` (mean rating before and after),
        ``zscore`` (mean of the ratings, each standardised within its rater and put back on the scale that raters have
        in common), ``blup`` (effect of the person in a crossed model without teams, as other programs score);
        ``covered`` (whether the interval of ``adjusted`` holds the merit).
    """

    fit: SeverityFit
    raters: pd.DataFrame
    employees: pd.DataFrame

    def sentence(self) -> str:
        """The finding in words."""
        found = self.summary()
        if found.left_alone == found.raters:
            return f"All {found.raters:.0f} raters are left alone: no rating is moved"
        known = int(found.raters - found.left_alone)
        return (
            f"The planted severity lies inside {round(found.covered * known)} of {known} intervals; "
            f"{found.left_alone:.0f} of {found.raters:.0f} raters are left alone"
        )

    def summary(self) -> pd.Series:
        """Shares and errors of this study; empty where nothing could be estimated.

        ``recovered`` is the slope of the estimates on the planted severities: under 1, because estimates shrink.
        ``error_…`` are root mean squares of people's ratings about their merit, both about their means;
        ``closer``, ``closer_…`` the shares of people whose adjusted, standardised or crossed-model rating lies nearer
        to the merit than the raw one, among those moved. ``contradicted``: whether the KPI explains teams otherwise
        than people by more than chance, under the link ``kpi``. ``truth_…`` are correlations of people's ratings with
        their merit, ``teams_…`` of the means of teams.
        """
        raters, people = self.raters, self.employees
        known = raters.estimate.notna()
        any_known = bool(known.any())
        teams = people.groupby("team")[["merit", *WAYS]].mean()
        off = {way: (people[way] - people.merit) - (people[way] - people.merit).mean() for way in WAYS}
        found = {
            "raters": float(len(raters)),
            "left_alone": float((~known).sum()),
            "covered": raters.covered[known].astype(float).mean() if any_known else np.nan,
            "covered_people": people.covered.dropna().astype(float).mean() if any_known else np.nan,
            "recovered": np.polyfit(raters.severity[known], raters.estimate[known], 1)[0] if any_known else np.nan,
        }
        found |= {f"error_{way}": float(np.sqrt((off[way] ** 2).mean())) for way in WAYS}
        for way, name in (("adjusted", "closer"), ("zscore", "closer_zscore"), ("blup", "closer_blup")):
            moved = off[way].ne(off["raw"])
            nearer = off[way].abs() < off["raw"].abs()
            found[name] = float(nearer[moved].mean()) if moved.any() else np.nan
        if self.fit.link == "kpi":
            found["contradicted"] = float(self.fit.link_slopes.loc["difference", "p"] < TELLING)
        found |= {f"truth_{way}": _correlation(people[way], people.merit) for way in WAYS}
        found |= {f"teams_{way}": _correlation(teams[way], teams.merit) for way in WAYS}
        found["gain"] = found["truth_adjusted"] - found["truth_raw"]
        return pd.Series(found)


def _correlation(one: pd.Series, other: pd.Series) -> float:
    return float(one.corr(other)) if one.std() > 1e-9 else 0.0


def recover(
    design: str = "linked", *, seed: int = 1, confidence: float = 0.90, link: str | None = None, **planted
) -> Recovery:
    """Simulate one quarter of ``design``, fit it, and set truth and estimate side by side.

    ``planted`` goes to :func:`perfmodel.simulate.simulate_ratings` (numbers of raters and employees,
    standard deviations in rating points); ``link`` is the assumption of the fit.
    """
    ratings, truth = simulate_ratings(design, seed=seed, **planted)
    people = truth["employees"].set_index("employee_id")
    fit = fit_severity(
        ratings,
        confidence=confidence,
        team=people["team"],
        link=link,
        anchor=people["measured"] if link == "kpi" else None,
        role_weights={"manager": 1.0, "second": 1.0, "skip": 1.0},
    )
    columns = {"severity": "estimate", "lower": "lower", "upper": "upper", "component": "component", "roles": "roles"}
    raters = truth["raters"].merge(fit.raters[list(columns)].rename(columns=columns), on="rater_id", how="left")
    # Nobody holds the role of a superior's superior beside another, so their mean is their role's, not severity.
    of_role = raters["roles"].eq("skip")
    within = [of_role] if link else [raters["component"], of_role]
    raters["severity"] -= raters.groupby(within).severity.transform("mean")
    raters["covered"] = raters.severity.between(raters.lower, raters.upper)

    table = fit.adjusted_ratings
    means = table.groupby("employee_id")[["rating_raw", "rating_adjusted"]].mean()
    people = truth["employees"].merge(means, left_on="employee_id", right_index=True)
    people = people.rename(columns={"rating_raw": "raw", "rating_adjusted": "adjusted"})
    people["zscore"] = people["employee_id"].map(standardised(ratings)).fillna(people["raw"])
    crossed = fit_severity(ratings, link="equal_teams").employees["effect"]
    people["blup"] = people["employee_id"].map(crossed).fillna(0.0)
    people["covered"] = _covered(fit, people, confidence)
    names = ["employee_id", "team", "merit", *WAYS, "covered"]
    return Recovery(fit, raters.drop(columns="roles"), people[names])


@dataclass(frozen=True, eq=False)
class Drifted:
    """Quarters in which one rater's severity was moved, and what the comparison of quarters makes of it.

    Attributes
    ----------
    moves : DataFrame
        As :func:`perfmodel.raters.drift` gives it.
    rater : str
        Who was moved, by ``by`` rating points from ``since`` on.
    """

    moves: pd.DataFrame
    rater: str
    since: str
    by: float

    def sentence(self) -> str:
        """The finding in words."""
        signals = self.moves[self.moves["signal"].ne("")]
        first = signals.loc[signals["rater_id"].eq(self.rater), "quarter"].min()
        own = self.moves.query("rater_id == @self.rater and quarter == @self.since")["change"].iloc[0]
        found = f"is signalled in quarter {first}" if first == first else "is not signalled"
        others = self.moves["rater_id"].nunique() - 1
        return (
            f"{self.rater}, made {self.by:.1f} points severer from quarter {self.since} on, {found}; its change in "
            f"that quarter is estimated at {own:+.2f}; of the {others} others "
            f"{signals.loc[signals['rater_id'].ne(self.rater), 'rater_id'].nunique()} are signalled"
        )


def drifted(*, seed: int = 1, by: float = 1.0, since: int = 4, quarters: int = 6, **planted) -> Drifted:
    """Simulate linked quarters, make the first rater severer by ``by`` points from quarter ``since`` on, and compare.

    ``planted`` goes to :func:`perfmodel.simulate.simulate_ratings`.
    """
    chosen = {"n_raters": 20, "n_employees": 160, "n_kpis": 4, "double": 0.4, **planted}
    ratings, truth = simulate_ratings("linked", quarters=quarters, seed=seed, **chosen)
    rater = truth["raters"]["rater_id"].iloc[0]
    late = ratings["rater_id"].eq(rater) & ratings["quarter"].ge(since)
    ratings["rating"] -= by * late
    fits = {str(q): fit_severity(rows.drop(columns="quarter")) for q, rows in ratings.groupby("quarter")}
    spread = {q: fit.variances["rater"] for q, fit in fits.items()}
    return Drifted(drift({q: fit.raters for q, fit in fits.items()}, spread), rater, str(since), by)


def standardised(ratings: pd.DataFrame) -> pd.Series:
    """Mean by employee of ratings, each less its rater's mean over its rater's spread; in rating points.

    What a z-score for each rater gives: put back on the scale by the spread that raters have on average, and the mean
    of all ratings. A rater without a spread gives no z-score.
    """
    of_rater = ratings.groupby("rater_id")["rating"]
    spread = of_rater.transform("std").replace(0.0, np.nan)
    z = (ratings["rating"] - of_rater.transform("mean")) / spread
    scale = np.sqrt(float((of_rater.std() ** 2).mean()))
    return ratings["rating"].mean() + scale * z.groupby(ratings["employee_id"]).mean()


def _covered(fit: SeverityFit, people: pd.DataFrame, confidence: float) -> np.ndarray:
    """Whether the interval of each person's mean adjusted rating holds the merit; empty where there is none.

    Severities have no common level, so both are compared about their means.
    """
    code = people.reset_index(drop=True).reset_index().set_index("employee_id")["index"]
    of = code.reindex(fit.adjusted_ratings["employee_id"]).to_numpy()
    size = np.bincount(of, minlength=len(people))
    drawn = np.stack([np.bincount(of, row, len(people)) / size for row in fit.rating_draws(DRAWS, seed=7)])
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    merit = (people["merit"] - people["merit"].mean() + people["adjusted"].mean()).to_numpy()
    return np.where(np.isnan(low), np.nan, (low <= merit) & (merit <= high))


def _one(seed: int, design: str, planted: Mapping[str, Any]) -> pd.Series:
    chosen = {**DESIGNS.get(design, {"design": design}), **planted}
    return recover(chosen.pop("design"), seed=seed, **chosen).summary()


def study(
    designs: Sequence[str] = tuple(DESIGNS), *, sets: int = 20, seed: int = 1, jobs: int = 1, **planted
) -> pd.DataFrame:
    """Mean of :meth:`Recovery.summary` over ``sets`` simulated quarters of each design; one row a design.

    ``…_se`` are standard errors over quarters: what happens within one hangs together. Rounded to three decimals:
    simulation error is far larger, and the last digits differ between machines.
    """
    rows = []
    for design in designs:
        one = partial(_one, design=design, planted=planted)
        seeds = range(seed, seed + sets)
        if jobs > 1:
            with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
                found = pd.DataFrame(list(pool.map(one, seeds, chunksize=5)))
        else:
            found = pd.DataFrame([one(at) for at in seeds])
        row = found.mean().rename(design)
        for name in ("covered", "covered_people", "gain", "closer", "closer_zscore", "closer_blup"):
            row[f"{name}_se"] = found[name].std() / np.sqrt(found[name].count()) if found[name].count() > 1 else np.nan
        rows.append(row)
    table = pd.DataFrame(rows).rename_axis("design").round(3).reset_index()
    return table.assign(sets=sets, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulate quarters of known severity and see what the fit recovers.")
    parser.add_argument("--sets", type=int, default=200, help="simulated quarters of each design")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # for the jobs: threads inside each would fight over the same cores
    table = study(sets=asked.sets, seed=asked.seed, jobs=asked.jobs).assign(date=date.today().isoformat())
    commit("recovery", table, asked.out)


if __name__ == "__main__":
    main()
