"""Does the severity fit find what was planted? The evidence on which ``00_method_check`` reports.

A study simulates ratings of known severity, fits them as if nothing were known, and compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .raters import SeverityFit, fit_severity
from .simulate import simulate_ratings


@dataclass(frozen=True, eq=False)
class Recovery:
    """One simulated quarter, its fit, and the two side by side.

    Attributes
    ----------
    fit : SeverityFit
    raters : DataFrame
        ``rater_id, severity`` (planted, centred over the raters of a component as estimates are),
        ``estimate, lower, upper`` (empty where left alone), ``covered``; rating points.
    employees : DataFrame
        ``employee_id, team, merit`` (planted), ``raw, adjusted`` (mean rating before and after),
        ``zscore`` (raw standardised within its rater, the habit that this table warns of).
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
        """
        raters, people = self.raters, self.employees
        known = raters.estimate.notna()
        teams = people.groupby("team")[["merit", "raw", "adjusted", "zscore"]].mean()
        before, after = ((people[c] - people.merit) - (people[c] - people.merit).mean() for c in ("raw", "adjusted"))
        return pd.Series(
            {
                "raters": float(len(raters)),
                "left_alone": float((~known).sum()),
                "covered": raters.covered[known].astype(float).mean() if known.any() else np.nan,
                "recovered": np.polyfit(raters.severity[known], raters.estimate[known], 1)[0]
                if known.any()
                else np.nan,
                "error_raw": float(np.sqrt((before**2).mean())),
                "error_adjusted": float(np.sqrt((after**2).mean())),
                "closer": float((after.abs() < before.abs())[before.ne(after)].mean()) if known.any() else np.nan,
                "teams_raw": teams.raw.corr(teams.merit),
                "teams_adjusted": teams.adjusted.corr(teams.merit),
                "teams_zscore": teams.zscore.corr(teams.merit) if teams.zscore.std() > 1e-9 else 0.0,
            }
        )


def recover(design: str = "linked", *, seed: int = 1, confidence: float = 0.90, **planted) -> Recovery:
    """Simulate one quarter of ``design``, fit it, and set truth and estimate side by side.

    ``planted`` goes to :func:`perfmodel.simulate.simulate_ratings` (numbers of raters and employees,
    standard deviations in rating points).
    """
    ratings, truth = simulate_ratings(design, seed=seed, **planted)
    teams = truth["employees"].set_index("employee_id")["team"]
    fit = fit_severity(ratings, confidence=confidence, team=teams)
    columns = {"severity": "estimate", "lower": "lower", "upper": "upper", "component": "component"}
    raters = truth["raters"].merge(fit.raters[list(columns)].rename(columns=columns), on="rater_id", how="left")
    raters["severity"] -= raters.groupby("component").severity.transform("mean")
    raters["covered"] = raters.severity.between(raters.lower, raters.upper)

    means = fit.adjusted_ratings.groupby("employee_id")[["rating_raw", "rating_adjusted"]].mean()
    people = truth["employees"].merge(means, left_on="employee_id", right_index=True)
    people = people.rename(columns={"rating_raw": "raw", "rating_adjusted": "adjusted"})
    by_team = people.groupby("team").raw
    people["zscore"] = (people.raw - by_team.transform("mean")) / by_team.transform("std")
    return Recovery(fit, raters, people[["employee_id", "team", "merit", "raw", "adjusted", "zscore"]])


def study(
    designs: Sequence[str] = ("linked", "nested"), *, studies: int = 20, seed: int = 1, **planted
) -> pd.DataFrame:
    """Mean of :meth:`Recovery.summary` over ``studies`` simulated quarters of each design; one row a design.

    ``covered_se`` is the standard error of the coverage over studies, so that a reader can tell .88 from .90.
    Rounded to three decimals: simulation error is far larger, and the last digits differ between machines.
    """
    rows = []
    for design in designs:
        found = pd.DataFrame([recover(design, seed=seed + i, **planted).summary() for i in range(studies)])
        row = found.mean().rename(design)
        row["covered_se"] = found.covered.std() / np.sqrt(studies) if found.covered.notna().any() else np.nan
        rows.append(row)
    return pd.DataFrame(rows).rename_axis("design").round(3).reset_index()
