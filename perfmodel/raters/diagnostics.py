"""What a rater's ratings look like beside severity: scale use, halo, consistency, drift. Reported, never applied."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..errors import DataError
from .model import Model

NO_DRIFT = "drift: needs earlier quarters"
SIMULATED = 64  # sets of ratings made by the fitted model, against which consistency is held
ALLOWANCE, LIMIT = 0.5, 4.0  # of the CUSUM, in standard errors
TOLD = 0.1  # share of a severity that comes from the ratings, under which it is not compared with other quarters
LEAST = 5  # people of a group whom others rate too, under which nothing of a protected attribute is shown


def beside_others(model: Model) -> pd.DataFrame:
    """Each rater's view of each person beside the other raters' view of the same person.

    One row a rater and employee who has another rater: ``r, e``, ``value`` (mean rating less items, role and the
    rater's severity, that is, employee + halo + residual), ``noise`` (variance of its halo and residual), ``others``
    (the other raters' values, each weighing by its precision) and ``others_noise``.
    """
    best, system = model.best, model.system
    assert best is not None and system is not None
    fixed = (system.data.cells[4] / system.n[:, None]) @ best.fixed
    value = system.mean - fixed - best.rater[system.r]
    noise = best.residual * (best.theta.get("halo", 0.0) ** 2 + 1 / system.n)
    raters = np.bincount(system.e)[system.e]
    rest = np.bincount(system.e, 1 / noise)[system.e] - 1 / noise
    total = np.bincount(system.e, value / noise)[system.e] - value / noise
    some = np.flatnonzero(raters > 1)
    some = some[np.lexsort((system.e[some], system.r[some]))]
    return pd.DataFrame(
        {
            "r": model.raters_in[system.r[some]],
            "e": model.employees_in[system.e[some]],
            "value": value[some],
            "noise": noise[some],
            "others": total[some] / rest[some],
            "others_noise": 1 / rest[some],
        }
    )


def scale_use(model: Model, enough: np.ndarray) -> np.ndarray:
    """Discrimination of each rater (1: as the others; under 1: keeps nearer the middle); empty where not ``enough``.

    The slope of the rater's view of people on what is expected of them from the *other* raters alone (a rater's own
    ratings would make a slope by themselves), over the raters' mean slope, shrunk by the share of its variance that
    is not error. Only people whom others rate too count.
    """
    n, best = len(model.rater_ids), model.best
    if not model.identified.any() or best is None:
        return np.full(n, np.nan)
    cells = beside_others(model)
    spread = best.residual * best.theta["employee"] ** 2
    place = np.searchsorted(model.employees_in, cells["e"])
    team = best.team[model.team_of][place] if len(model.team_of) else 0.0
    # Best prediction from the others: their mean, drawn to the team's by what they do not agree on.
    drawn = np.divide(spread, spread + cells["others_noise"]) if spread > 0 else np.zeros(len(cells))
    merit = (team + drawn * (cells["others"] - team)).to_numpy(float) if len(cells) else np.zeros(0)
    r, y = cells["r"].to_numpy(int), cells["value"].to_numpy(float)
    count = np.bincount(r, minlength=n)
    x_mean, y_mean = (np.bincount(r, v, n) / np.maximum(count, 1) for v in (merit, y))
    x, y = merit - x_mean[r], y - y_mean[r]
    sxx, sxy = np.bincount(r, x**2, n), np.bincount(r, x * y, n)
    fine = model.identified & enough & (sxx > 1e-9) & (count > 2)
    if not fine.any():
        return np.full(n, np.nan)
    slope = np.where(fine, sxy / np.where(fine, sxx, 1.0), 0.0)
    left = np.bincount(r, (y - slope[r] * x) ** 2, n)[fine].sum()
    scatter = left / np.maximum((count - 2)[fine].sum(), 1)
    noise = np.where(fine, scatter / np.where(fine, sxx, 1.0), 0.0)
    usual = sxy[fine].sum() / sxx[fine].sum()
    slope = np.where(fine, slope - usual, 0.0)
    between = max(float(np.mean(slope[fine] ** 2 - noise[fine])), 0.0)
    slope *= between / np.maximum(between + noise, 1e-300)
    return np.where(fine, 1 + slope, np.nan)


def halo(model: Model, enough: np.ndarray) -> np.ndarray:
    """Halo of each rater (SD, rating points): root mean square of the rater's halos, given the ratings.

    Near the pooled standard deviation where little is known of the rater.
    """
    n, best, system = len(model.rater_ids), model.best, model.system
    if best is None or system is None or "halo" not in best.theta or not model.identified.any():
        return np.full(n, np.nan)
    of_cell = model.raters_in[system.r]
    square = np.bincount(of_cell, best.halo**2 + best.halo_variance, n)
    found = np.sqrt(square / np.maximum(np.bincount(of_cell, minlength=n), 1))
    return np.where(model.identified & enough, found, np.nan)


def consistency(model: Model, seed: int = 1) -> pd.DataFrame:
    """Mean squares of what the model leaves over by rater, against what it expects: 1 is as expected.

    Index ``rater_id``: ``infit`` (squares over their expectation, summed first, so that ratings that tell most count
    most), ``outfit`` (mean of the ratios, sensitive to single odd ratings), ``low, high`` (where 90 % of ratings
    made by the model itself lie, for infit). After Wright and Masters (1982), Rating Scale Analysis, ch. 5, with
    expectations from ratings simulated by the fitted model, because effects fitted to few ratings leave less over.
    """
    index = pd.Index(model.rater_ids, name="rater_id")
    best, system, n = model.best, model.system, len(model.rater_ids)
    if best is None or system is None or not model.identified.any():
        return pd.DataFrame(np.nan, index, ["infit", "outfit", "low", "high"])
    rng, sd = np.random.default_rng(seed), np.sqrt(best.residual)
    r, count = system.r, system.n
    made = sd * rng.standard_normal((len(count), SIMULATED)) / np.sqrt(count)[:, None]
    for name in system.names:
        level = system.levels(name)
        made += sd * best.theta[name] * rng.standard_normal((int(level.max()) + 1, SIMULATED))[level]

    def left(values: np.ndarray, xy: np.ndarray | float = 0.0) -> np.ndarray:
        """What employee, team, rater and fixed effects leave over of cell means."""
        kept, out, _ = best._solved(values, xy)
        return values - best.design @ kept - best.a * out[system.out]

    inside = rng.chisquare(np.maximum(count - 1, 1e-9)[:, None], (len(count), SIMULATED)) * best.residual
    expected = count[:, None] * left(made) ** 2 + np.where(count > 1, 1, 0)[:, None] * inside
    of_cell = np.unique(model.rows["e"].to_numpy() * n + model.rows["r"].to_numpy(), return_inverse=True)[1]
    own = model.rows["rating"].to_numpy() - model.design @ best.fixed
    within = np.bincount(of_cell, (own - (np.bincount(of_cell, own) / count)[of_cell]) ** 2)
    cell = count * left(system.mean, system.xy) ** 2 + within
    usual = expected.mean(axis=1)

    of = model.raters_in[r]
    total = np.bincount(of, usual, n)
    infit = np.bincount(of, cell, n) / np.where(total > 0, total, np.nan)
    # One over the mean of so many squares is on average m / (m - 2) of one over what they are expected to be.
    m = SIMULATED * count
    outfit = np.bincount(of, cell / usual * (m - 2) / m, n) / np.where(total > 0, np.bincount(of, minlength=n), np.nan)
    simulated = np.stack([np.bincount(of, column, n) for column in expected.T]) / np.where(total > 0, total, np.nan)
    table = pd.DataFrame(
        {
            "infit": infit,
            "outfit": outfit,
            "low": np.quantile(simulated, 0.05, axis=0),
            "high": np.quantile(simulated, 0.95, axis=0),
        },
        index,
    )
    table[~model.identified] = np.nan
    return table


def separation(model: Model) -> pd.DataFrame:
    """How far raters, and employees, can be told apart by these ratings.

    Index ``facet``: ``n``, ``sd`` (rating points), ``rmse`` (root mean square error of their estimates),
    ``reliability`` (1 - error variance / variance), ``separation`` (G = spread over error) and ``strata``
    ((4 G + 1) / 3: levels that differ by three errors; Wright and Masters 1982, p. 106).
    """
    rows = []
    for facet, variances in (("rater", model.severity_variance), ("employee", model.employee_variance)):
        known = variances[~np.isnan(variances)]
        if not len(known) or model.best is None or not model.identified.any():
            continue
        theta = model.best.theta
        shared = theta.get("team", 0.0) ** 2 if facet == "employee" else 0.0
        spread = model.best.residual * (theta[facet] ** 2 + shared)
        share = max(1 - float(known.mean()) / spread, 0.0) if spread > 0 else 0.0
        apart = np.sqrt(share / (1 - share)) if share < 1 else np.inf
        rows.append((facet, len(known), np.sqrt(spread), np.sqrt(known.mean()), share, apart, (4 * apart + 1) / 3))
    names = ["facet", "n", "sd", "rmse", "reliability", "separation", "strata"]
    return pd.DataFrame(rows, columns=names).set_index("facet")


def drift(quarters: Mapping[str, pd.DataFrame], spread: Mapping[str, float]) -> pd.DataFrame:
    """Severity of each rater from quarter to quarter, and whether it moved more than its errors allow.

    ``quarters``: table of raters (index rater_id; ``severity, se``) by quarter, oldest first. Severities of two
    quarters are compared over the raters known in both, because each is relative to its own quarter's raters.
    Estimates are shrunk, more so where a rater rated little, so a rater who merely rates more would seem to move:
    each is first taken back to what the ratings alone say, s / k with error se^2 / k, k = 1 - se^2 / variance of
    raters (``spread`` by quarter, rating points squared). A quarter without it, or a severity of which the ratings say
    next to nothing (k under a tenth), is not compared.

    ``se`` holds halo as if it were drawn anew each quarter, and the error of the group's mean, most of which the two
    quarters share. So z is cautious: where nothing moves its SD is .4 to .8, not 1 (.4 where a rater sees the same in
    the same people each quarter), and a false signal is all but unknown; a small lasting move is seen in ``change``
    long before the CUSUM tells.

    Returns
    -------
    DataFrame
        ``rater_id, quarter, severity, se`` (as estimated), ``change`` (rating points, not shrunk, against the mean of
        the earlier quarters, each weighing by its precision), ``z, high, low`` (CUSUMs of z upward and downward,
        allowance 0.5; Page 1954, Biometrika 41), ``signal`` ("severer" or "more lenient" where a CUSUM passes 4).
    """
    rows = []
    past: dict[str, tuple[float, float]] = {}
    sums: dict[str, tuple[float, float]] = {}
    for quarter, table in quarters.items():
        told = 1 - table["se"] ** 2 / spread.get(quarter, np.nan)
        known = table[table["severity"].notna() & (table["se"] > 0) & (told > TOLD)]
        told = told.reindex(known.index)
        known = known.assign(severity=known["severity"] / told, se=known["se"] / np.sqrt(told))
        both = [rater for rater in known.index if rater in past]
        shift = float(known.loc[both, "severity"].mean() - np.mean([past[i][0] for i in both])) if both else 0.0
        shown = table.loc[known.index, ["severity", "se"]].to_numpy(float).tolist()
        for rater, severity, se, own in zip(known.index, known["severity"], known["se"], shown, strict=True):
            change = z = np.nan
            high, low = sums.get(rater, (0.0, 0.0))
            value = severity - shift
            if rater in past:
                mean, weight = past[rater]
                change = value - mean
                z = change / np.sqrt(se**2 + 1 / weight)
                high, low = max(0.0, high + z - ALLOWANCE), max(0.0, low - z - ALLOWANCE)
                past[rater] = ((mean * weight + value / se**2) / (weight + 1 / se**2), weight + 1 / se**2)
            else:
                past[rater] = (value, 1 / se**2)
            sums[rater] = high, low
            signal = "severer" if high > LIMIT else "more lenient" if low > LIMIT else ""
            rows.append((rater, quarter, *own, change, z, high, low, signal))
    names = ["rater_id", "quarter", "severity", "se", "change", "z", "high", "low", "signal"]
    return pd.DataFrame(rows, columns=names).sort_values(["rater_id", "quarter"], kind="stable", ignore_index=True)


def with_drift(raters: pd.DataFrame, moves: pd.DataFrame, quarter: str) -> pd.DataFrame:
    """The table of raters (index rater_id) with the ``change`` of ``quarter`` as ``drift``, or why there is none."""
    now = moves[moves["quarter"].eq(quarter)].set_index("rater_id")["change"]
    change = now.reindex(raters.index).astype(float)
    earlier = moves["quarter"].ne(quarter).any()
    why = "drift: not compared in an earlier quarter" if earlier else NO_DRIFT
    bare = raters["reason"].str.removesuffix(NO_DRIFT)
    reason = np.where(change.notna(), bare.str.removesuffix("; "), bare + why)
    return raters.assign(drift=change, reason=reason)


def group_differences(model: Model, groups: pd.DataFrame, least: int = LEAST) -> pd.DataFrame:
    """Whether a rater's severity differs between groups of people: for HR and legal alone.

    ``groups``: ``employee_id, attribute, value``. Only people with several raters tell: the rater's view of them
    against the other raters' view of the same people. Each rater's gap is held against the gap of all raters
    and shrunk by the share of the gaps' variance that is not error; false discovery rates (Benjamini and Hochberg
    1995) go over all rows shown. The largest group of an attribute is the reference. Under ``least`` people: not shown,
    nor another group of the rater whose number would, taken from all the rater's people, leave a small one.

    Returns
    -------
    DataFrame
        ``rater_id, attribute, group, reference, n_group, n_reference, difference`` (rating points; positive: severer
        on the group than the others are), ``se, shrunk, p, q, reason``.

    Raises
    ------
    DataError
        If a column is absent, a cell is empty, or somebody stands twice under one attribute.
    """
    from scipy.special import ndtr
    from scipy.stats import false_discovery_control

    names = "rater_id attribute group reference n_group n_reference difference se shrunk p q reason".split()
    groups = _members(groups)
    if not model.identified.any() or model.best is None or groups.empty:
        return pd.DataFrame(columns=names)
    cells = beside_others(model)
    cells = cells.assign(
        rest=cells["value"] - cells["others"],
        noise=cells["noise"] + cells["others_noise"],
        employee_id=model.employee_ids[cells["e"]],
    )
    found = []
    for attribute, members in groups.groupby("attribute"):
        joined = cells.merge(members[["employee_id", "value"]].rename(columns={"value": "group"}), on="employee_id")
        if joined.empty:
            continue
        reference = joined.drop_duplicates("employee_id")["group"].value_counts().sort_index(kind="stable").idxmax()
        size = joined.groupby(["r", "group"]).size().unstack(fill_value=0)
        shown = _shown(size, reference, least)
        for group in sorted(set(joined["group"]) - {reference}):
            found.append(_gaps(model, joined, str(attribute), group, reference, shown[group], least))
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=names)
    if len(table):
        known = table["difference"].notna().to_numpy()
        z = (table["difference"] / table["se"]).abs().to_numpy(float)
        table["p"] = np.where(known, 2 * ndtr(-z), np.nan)
        table["q"] = np.nan
        if known.any():
            table.loc[known, "q"] = false_discovery_control(table.loc[known, "p"])
    return table.reindex(columns=names)


def _members(groups: pd.DataFrame) -> pd.DataFrame:
    """Who belongs to which group, as text, each person once for each attribute."""
    columns = ["employee_id", "attribute", "value"]
    if absent := [c for c in columns if c not in groups]:
        raise DataError(f"The groups have no column {', '.join(absent)}; give {', '.join(columns)}.")
    if groups[columns].isna().any(axis=None):
        raise DataError("A group is named without employee, attribute or value; leave such a row out.")
    rows = groups[columns].astype(str)
    twice = rows.duplicated(["employee_id", "attribute"])
    if twice.any():
        who = rows.loc[twice].iloc[0]
        raise DataError(
            f"{who['employee_id']} stands twice under the attribute {who['attribute']}: people would be counted twice, "
            "and few could pass for many. Keep one row."
        )
    return rows


def _shown(size: pd.DataFrame, reference, least: int) -> pd.DataFrame:
    """Whether a rater's gap of a group may be told (raters x groups but the reference), from how many there are.

    A reader knows how many people a rater has, so what is hidden is known by its sum: while that sum is small, or of
    one group alone, the smallest group still shown is hidden too (ties by name).
    """
    others = size.drop(columns=reference)
    number = others.to_numpy()
    shown = (number >= least) & size[[reference]].ge(least).to_numpy()
    for n, told in zip(number, shown, strict=True):  # ``told`` is a row of ``shown``, written in place
        hidden = n[~told]
        if not ((hidden > 0) & (hidden < least)).any():
            continue
        for group in np.argsort(n, kind="stable"):
            if np.count_nonzero(~told) > 1 and n[~told].sum() >= least:
                break
            told[group] = False
    return pd.DataFrame(shown, others.index, others.columns)


def _gaps(
    model: Model, joined: pd.DataFrame, attribute: str, group, reference, shown: pd.Series, least: int
) -> pd.DataFrame:
    """The gap of each rater between one group and the reference, less that of all raters; told where ``shown``."""
    sides = {}
    for side, value in (("group", group), ("reference", reference)):
        own = joined[joined["group"].eq(value)].groupby("r")
        variance = own["noise"].sum() / own.size() ** 2
        sides[side] = pd.DataFrame({"n": own.size(), "mean": own["rest"].mean(), "v": variance})
    both = sides["group"].add_suffix("_g").join(sides["reference"].add_suffix("_r"), how="outer")
    n_group, n_reference = both["n_g"].fillna(0).astype(int), both["n_r"].fillna(0).astype(int)
    enough = (n_group >= least) & (n_reference >= least)
    gap = -(both["mean_g"] - both["mean_r"]).where(enough)
    variance = (both["v_g"] + both["v_r"]).where(enough)
    if enough.any():
        gap = gap - np.average(gap[enough], weights=1 / variance[enough])
        between = max(float((gap[enough] ** 2 - variance[enough]).mean()), 0.0)
    else:
        between = 0.0
    told = shown.reindex(both.index)
    why = (
        f"under {least} people of one of the groups rated by others too, or hidden so that no such number follows: not "
        "shown"
    )
    figures = pd.DataFrame(
        {
            "n_group": n_group,
            "n_reference": n_reference,
            "difference": gap,
            "se": np.sqrt(variance),
            "shrunk": gap * between / (between + variance),
        }
    ).where(told, axis=0)
    names = {"rater_id": model.rater_ids[both.index], "attribute": attribute, "group": group, "reference": reference}
    return figures.assign(**names, reason=np.where(told, "", why)).reset_index(drop=True)
