"""How a rating comes about, and small rating tables for studies of the methods.

rating = centre + discrimination x (merit - centre) - severity + halo + residual, then put on the scale.
"""

import numpy as np
import pandas as pd

from ..errors import DataError

DESIGNS = ("nested", "linked", "crossed")


def rating_given(merit, *, severity=0.0, discrimination=1.0, halo=0.0, residual=0.0, centre=3.0, scale=None):
    """The rating that ``merit`` (points of the scale) gets; with ``scale`` (least, most, step) it lies on a step."""
    rating = centre + discrimination * (merit - centre) - severity + halo + residual
    if scale is None:
        return rating
    least, most, step = scale
    return np.clip(least + step * np.round((rating - least) / step), least, most)


def simulate_ratings(
    design: str = "nested",
    *,
    n_raters: int = 30,
    n_employees: int = 240,
    n_kpis: int = 5,
    double: float = 0.25,
    skip: float = 0.0,
    area: int = 5,
    employee_sd: float = 0.50,
    team_sd: float = 0.25,
    severity_sd: float = 0.35,
    halo_sd: float = 0.33,
    residual_sd: float = 0.40,
    discrimination_sd: float = 0.0,
    drift_sd: float = 0.0,
    quarters: int = 1,
    kpi_correlation: float = 0.6,
    shock_sd: float = 0.0,
    centre: float = 3.2,
    scale: tuple[float, float, float] | None = None,
    seed: int = 1,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Ratings with known severity, and the truth behind them.

    Every rater leads one team. ``nested``: each employee is rated by the own leader alone. ``linked``: a share
    ``double`` of employees has a blind second rating by the leader of another team, and a share ``skip`` one by the
    superior of the leader, who heads ``area`` teams and leads none. ``crossed``: all rate all.
    Standard deviations are in points of the rating scale. ``scale`` (least, most, step) puts ratings on its
    steps; without it they are exact numbers, as the model of the methods assumes.

    Returns
    -------
    ratings : DataFrame
        ``rater_id, employee_id, kpi, role, rating, blind``, and ``quarter`` (1, 2, ...) where ``quarters`` > 1.
    truth : dict of DataFrame
        ``employees`` (employee_id, team, merit, measured: a KPI result in units of one standard deviation that
        explains teams wholly and people in part, so that its slope on merit is the same for both; moved by a market
        shock to the whole team of ``shock_sd``), ``raters`` (rater_id, severity, discrimination; with
        several quarters also ``quarter``), ``teams`` (team, quality, shock), ``halo`` (rater_id, employee_id, halo).

    Raises
    ------
    DataError
        If the design is unknown, or there are not enough raters or employees for it.
    """
    _check(design, n_raters, n_employees, n_kpis, (double, skip), kpi_correlation, quarters)
    spread = np.hypot(team_sd, employee_sd) or 1.0
    slope_kpi = kpi_correlation * spread
    if slope_kpi**2 < team_sd**2:
        raise DataError(
            f"A KPI that correlates {kpi_correlation:g} with merit cannot explain all of the teams' part of it; "
            f"write at least {team_sd / spread:.2f}, or a smaller team_sd."
        )
    draw = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(6)]

    team = np.arange(n_employees) * n_raters // n_employees
    quality = team_sd * draw[0].standard_normal(n_raters)
    shock = shock_sd * draw[0].standard_normal(n_raters)
    own = employee_sd * draw[1].standard_normal(n_employees)
    merit = centre + quality[team] + own
    # measured = team part + own part, merit = slope x measured + what no KPI shows of a person.
    known = 1 - (team_sd / slope_kpi) ** 2 if slope_kpi else 1.0
    tied = slope_kpi * known / employee_sd**2 if employee_sd else 0.0
    noise = np.sqrt(max(known - (tied * employee_sd) ** 2, 0.0)) * draw[1].standard_normal(n_employees)
    measured = (quality[team] / slope_kpi if slope_kpi else 0.0) + tied * own + noise + shock[team]

    heads = -(-n_raters // area) if skip > 0 else 0
    n_all = n_raters + heads
    severity = severity_sd * draw[2].standard_normal(n_all)
    slope = np.exp(discrimination_sd * draw[2].standard_normal(n_all))
    steps = drift_sd * draw[2].standard_normal((quarters, n_all))
    steps[0] = 0.0
    severity_by_quarter = severity + np.cumsum(steps, axis=0)

    rater, employee, role = _pairs(design, team, n_raters, double, skip, area, draw[3])
    halo = halo_sd * draw[4].standard_normal(len(rater))
    n, kpis = len(rater), [f"item_{k + 1:02d}" for k in range(n_kpis)]
    rater_ids = np.array([f"R-{i + 1:0{_width(n_all)}d}" for i in range(n_all)], dtype=object)
    employee_ids = np.array([f"E-{i + 1:0{_width(n_employees)}d}" for i in range(n_employees)], dtype=object)

    blocks = []
    for quarter in range(quarters):
        given = rating_given(
            merit[employee][:, None],
            severity=severity_by_quarter[quarter][rater][:, None],
            discrimination=slope[rater][:, None],
            halo=halo[:, None],
            residual=residual_sd * draw[5].standard_normal((n, n_kpis)),
            centre=centre,
            scale=scale,
        )
        block = pd.DataFrame(
            {
                "rater_id": np.repeat(rater_ids[rater], n_kpis),
                "employee_id": np.repeat(employee_ids[employee], n_kpis),
                "kpi": np.tile(np.array(kpis, dtype=object), n),
                "role": np.repeat(np.array(["manager", "second", "skip"], dtype=object)[role], n_kpis),
                "rating": given.ravel(),
                "blind": True,
            }
        )
        blocks.append(block.assign(quarter=quarter + 1) if quarters > 1 else block)

    raters = pd.DataFrame({"rater_id": rater_ids, "severity": severity, "discrimination": slope})
    if quarters > 1:
        raters = pd.concat(
            [raters.assign(severity=s, quarter=q + 1) for q, s in enumerate(severity_by_quarter)], ignore_index=True
        )
    truth = {
        "employees": pd.DataFrame(
            {"employee_id": employee_ids, "team": rater_ids[team], "merit": merit, "measured": measured}
        ),
        "raters": raters,
        "teams": pd.DataFrame({"team": rater_ids[:n_raters], "quality": quality, "shock": shock}),
        "halo": pd.DataFrame({"rater_id": rater_ids[rater], "employee_id": employee_ids[employee], "halo": halo}),
    }
    return pd.concat(blocks, ignore_index=True), truth


def _pairs(design, team, n_raters, double, skip, area, rng):
    """Rater and employee index of each pair, and the role: 0 manager, 1 second, 2 skip."""
    employees = np.arange(len(team))
    if design == "crossed":
        rater = np.tile(np.arange(n_raters), len(team))
        employee = np.repeat(employees, n_raters)
        return rater, employee, (rater != team[employee]).astype(int)
    if design == "nested":
        return team, employees, np.zeros(len(team), int)
    chosen = employees[rng.random(len(team)) < double]
    other = (team[chosen] + rng.integers(1, max(n_raters, 2), len(chosen))) % n_raters
    above = employees[rng.random(len(team)) < skip] if skip > 0 else employees[:0]
    role = np.repeat([0, 1, 2], [len(team), len(chosen), len(above)])
    rater = np.concatenate([team, other, n_raters + team[above] // area])
    return rater, np.concatenate([employees, chosen, above]), role


def _width(n: int) -> int:
    return max(2, len(str(n)))


def _check(design, n_raters, n_employees, n_kpis, shares, kpi_correlation, quarters):
    if design not in DESIGNS:
        raise DataError(f"There is no design {design!r}; write one of {', '.join(DESIGNS)}.")
    if n_raters < (1 if design == "nested" else 2):
        raise DataError(f"A {design} design needs at least two raters; {n_raters} cannot share an employee.")
    if n_employees < n_raters or n_kpis < 1 or quarters < 1:
        raise DataError("Every rater needs an employee; and there must be at least one KPI and one quarter.")
    if not all(0 <= share <= 1 for share in shares) or not -1 <= kpi_correlation <= 1:
        raise DataError("double and skip are shares of employees (0 to 1), kpi_correlation a correlation (-1 to 1).")
