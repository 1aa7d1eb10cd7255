"""Does the scheme measure what it pays for? Looked at over quarters, with intervals that resample people or raters.

Correlations are of points inside one quarter and profile, so that a season, a market or an easier post makes none.
An interval is the estimate (of a correlation: its Fisher z) plus and minus t times the standard error that resampling
whole clusters gives, because a person's quarters, or a rater's people, are no separate evidence.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pandas as pd

from .errors import DataError

POINTS = "quarter employee_id profile kpi category kind points weight at_cap at_floor".split()
STABILITY = """profile kpi category n_pairs n_people retest lower upper year validity validity_lower validity_upper
verdict reason""".split()
REDUNDANCY = "profile kpi other both_rated n n_people r lower upper verdict reason".split()
CAPS = "profile kpi category n n_people share_at_cap lower upper share_at_floor verdict reason".split()
PREDICTION = "cluster n n_clusters r_raw r_adjusted difference lower upper verdict reason".split()
DRIFT = "rater_id n_quarters first last least most signal quarter reason".split()
ADVICE = "subject kpi profile finding sentence".split()
ALL = "all"
PEOPLE = {"employee_id": "people", "manager_id": "superiors", "unit": "units"}  # what the values of a cluster are
DRAWS = 1000
LEAST, CLUSTERS = 20, 8  # pairs of values, and clusters, under which no correlation is told
# A reliability, a correlation of two KPIs, a share at the cap, and a variance inflation, from which each matters.
LITTLE, SAME, FULL, VIF = 0.2, 0.7, 0.2, 5.0


def clustered(
    sums: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], level: float, seed: int, draws: int = DRAWS
) -> tuple[float, float, float]:
    """A statistic of sums and its interval, when whole clusters are drawn anew.

    Parameters
    ----------
    sums : array (clusters, k)
        What each cluster adds to the sums the statistic is made of.
    statistic : callable
        (..., k) sums -> (...) values, on a scale on which an error is about normal.

    Returns
    -------
    (value, lower, upper)
        value +- t(clusters - 1) x standard error of ``draws`` resamples of clusters (times sqrt(C / (C - 1)), for the
        variance of a resample is short by that share; Davison and Hinkley 1997, Bootstrap Methods, sec. 2.3).
    """
    from scipy.special import stdtrit

    n = len(sums)
    value = float(statistic(sums.sum(axis=0)))
    drawn = statistic(_resamples(n, draws, seed) @ sums)
    error = np.nanstd(drawn) * np.sqrt(n / (n - 1))
    half = stdtrit(n - 1, (1 + level) / 2) * error
    return value, value - half, value + half


@lru_cache(maxsize=4)
def _resamples(n: int, draws: int, seed: int) -> np.ndarray:
    """How often each of ``n`` clusters is drawn in each resample; the same for every statistic of one table."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws).astype(float)


def correlation(x, y, clusters, level: float = 0.90, seed: int = 1) -> tuple[float, float, float]:
    """Correlation of two arrays and its interval over ``clusters`` (labels of the same length)."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    r, low, high = clustered(_moments(clusters, x, y), lambda s: np.arctanh(_r(s)), level, seed)
    return float(np.tanh(r)), float(np.tanh(low)), float(np.tanh(high))


def correlation_difference(x1, x2, y, clusters, level: float = 0.90, seed: int = 1) -> tuple[float, ...]:
    """r(x2, y) - r(x1, y), paired: ``r1, r2, difference, lower, upper`` over clusters."""
    x1, x2, y = (np.asarray(a, float) for a in (x1, x2, y))
    one, other = _moments(clusters, x1, y), _moments(clusters, x2, y)
    sums = np.hstack([one, other])
    apart, low, high = clustered(sums, lambda s: _r(s[..., 6:]) - _r(s[..., :6]), level, seed)
    return float(_r(one.sum(axis=0))), float(_r(other.sum(axis=0))), apart, low, high


def _moments(clusters, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """By cluster: n, sums of x, y, x^2, y^2, xy."""
    of = np.unique(np.asarray(clusters), return_inverse=True)[1]
    return np.stack([np.bincount(of, v) for v in (np.ones(len(x)), x, y, x * x, y * y, x * y)], axis=1)


def _r(s: np.ndarray) -> np.ndarray:
    """Correlation from sums (..., 6), kept inside (-1, 1) so that its Fisher z is finite."""
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(s, float), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))
    return np.clip(r, -1 + 1e-12, 1 - 1e-12)


def kpi_stability(points: pd.DataFrame, *, level: float = 0.90, seed: int = 1) -> pd.DataFrame:
    """Test-retest reliability and predictive validity of each KPI, by profile and over all.

    ``retest``: correlation of a KPI's points in one quarter with the same person's in the next. ``year``: what that
    makes of the mean of four quarters (Spearman-Brown, 4 r / (1 + 3 r)). ``validity``: correlation of a KPI's points
    with the weighted mean of the person's *other* KPIs in the next quarter. A low retest means that one quarter's
    points say little of the person: much chance in the figure, or work that differs from quarter to quarter.

    Parameters
    ----------
    points : DataFrame
        One row an employee, quarter and KPI: ``quarter`` (its sorting, or that of its
        categories, is that of time), ``employee_id, profile, kpi, category,
        kind`` (measured, rated, milestone, mixed), ``points, weight`` (percent of the whole), ``at_cap, at_floor``.

    Returns
    -------
    DataFrame
        ``profile`` ("all": everybody), ``kpi, category, n_pairs, n_people, retest, lower, upper, year, validity,
        validity_lower, validity_upper, verdict`` (mostly chance, unclear, holds), ``reason``.
    """
    table = _checked(points)
    table = table.assign(inside=_inside(table, "points"), others=_others(table))
    table["others"] = _inside(table, "others")
    after = table[["employee_id", "profile", "kpi", "number", "inside", "others"]].assign(number=table["number"] - 1)
    pairs = table.merge(after, on=["employee_id", "profile", "kpi", "number"], suffixes=("", "_next"))
    rows = []
    for profile, kpi, category, own in _groups(pairs, table):
        own = own.dropna(subset=["inside", "inside_next"])
        why = _too_few(own, "employee_id")
        found = [np.nan] * 3 if why else list(correlation(own.inside, own.inside_next, own.employee_id, level, seed))
        both = own.dropna(subset=["others_next"])
        unknown = why or _too_few(both, "employee_id")
        valid = [np.nan] * 3 if unknown else correlation(both.inside, both.others_next, both.employee_id, level, seed)
        year = 4 * found[0] / (1 + 3 * found[0]) if found[0] > 0 else min(found[0], 0.0) if not why else np.nan
        verdict = "" if why else "mostly chance" if found[2] < LITTLE else "holds" if found[1] > LITTLE else "unclear"
        people = own["employee_id"].nunique()
        rows.append((profile, kpi, category, len(own), people, *found, year, *valid, verdict, why))
    return pd.DataFrame(rows, columns=STABILITY)


def redundancy(points: pd.DataFrame, *, level: float = 0.90, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """KPIs that measure the same: pairs by correlation in the same quarter, and variance inflation of each.

    Returns
    -------
    (pairs, inflation)
        ``profile, kpi, other, both_rated, n, n_people, r, lower, upper, verdict`` ("same" where the whole interval lies
        above .7), ``reason``, from the strongest; and ``profile, kpi, n, vif`` (1 / (1 - R^2) of a KPI on the others
        of its profile, over quarters in which all are known; infinite where they tell all of it), ``verdict, reason``.
    """
    table = _checked(points)
    table = table.assign(inside=_inside(table, "points"))
    kinds = table.drop_duplicates("kpi").set_index("kpi")["kind"]
    rows, inflation = [], []
    for profile in (ALL, *sorted(table["profile"].unique())):
        own = table if profile == ALL else table[table["profile"].eq(profile)]
        wide = own.set_index(["employee_id", "quarter", "kpi"])["inside"].unstack()
        wide = wide[[k for k in dict.fromkeys(table["kpi"]) if k in wide]]
        names = list(wide)
        who = wide.index.get_level_values("employee_id").to_numpy()
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                both = wide[[one, other]].notna().all(axis=1).to_numpy()
                x, y = wide.loc[both, one], wide.loc[both, other]
                why = _too_few(pd.DataFrame({"employee_id": who[both]}), "employee_id") or _constant(x, y)
                found = (np.nan,) * 3 if why else correlation(x, y, who[both], level, seed)
                verdict = "" if why else "same" if found[1] > SAME else "unclear" if found[2] > SAME else "apart"
                rated = kinds[one] == kinds[other] == "rated"
                rows.append((profile, one, other, rated, int(both.sum()), len(set(who[both])), *found, verdict, why))
        complete = wide.dropna()
        enough = len(complete) > len(names) + LEAST and (complete.std() > 0).all() and len(names) > 1
        why = "" if enough else f"{len(complete)} quarters of people with every KPI: too few, or a KPI without spread"
        values = _inflation(np.corrcoef(complete.to_numpy().T)) if enough else np.full(len(names), np.nan)
        for kpi, vif in zip(names, values, strict=True):
            verdict = "" if why else "mostly told by the others" if vif > VIF else "adds its own"
            inflation.append((profile, kpi, len(complete), vif, verdict, why))
    pairs = pd.DataFrame(rows, columns=REDUNDANCY)
    order = {name: i for i, name in enumerate(dict.fromkeys(pairs["profile"]))}
    pairs = pairs.assign(at=pairs["profile"].map(order)).sort_values(
        ["at", "r"], ascending=[True, False], kind="stable"
    )
    names = "profile kpi n vif verdict reason".split()
    return pairs.drop(columns="at").reset_index(drop=True), pd.DataFrame(inflation, columns=names)


def _inflation(correlations: np.ndarray) -> np.ndarray:
    """Diagonal of the inverse; infinite for whatever the others tell altogether (where there is no inverse)."""
    roots, axes = np.linalg.eigh(correlations)
    found = (axes**2 / np.maximum(roots, 1e-12)).sum(axis=1)
    return np.where(found > 1e9, np.inf, found)


def caps(points: pd.DataFrame, *, level: float = 0.90, seed: int = 1) -> pd.DataFrame:
    """How often a KPI stands at its cap, where more effort earns nothing, or at its floor.

    Returns
    -------
    DataFrame
        ``profile, kpi, category, n, n_people, share_at_cap, lower, upper, share_at_floor, verdict`` ("cap binds" where
        the whole interval lies above a fifth), ``reason``.
    """
    table = _checked(points)
    rows = []
    for profile, kpi, category, own in _groups(table, table):
        own = own.dropna(subset=["points"])
        people = own["employee_id"].nunique()
        why = _too_few(own, "employee_id")
        found: tuple = (np.nan,) * 4
        if not why:
            of = np.unique(own["employee_id"], return_inverse=True)[1]
            capped = own["at_cap"].to_numpy(float)
            sums = np.stack([np.bincount(of), np.bincount(of, capped)], axis=1)
            share, low, high = clustered(sums, lambda s: s[..., 1] / s[..., 0], level, seed)
            found = (share, max(low, 0.0), min(high, 1.0), float(own["at_floor"].mean()))
        verdict = "" if why else "cap binds" if found[1] > FULL else "unclear" if found[2] > FULL else "free"
        rows.append((profile, kpi, category, len(own), people, *found, verdict, why))
    return pd.DataFrame(rows, columns=CAPS)


def rater_drift(moves: pd.DataFrame) -> pd.DataFrame:
    """Raters whose severity moved more than its errors allow: one row a rater.

    Parameters
    ----------
    moves : DataFrame
        The table ``drift``: ``rater_id, quarter, severity, se, change, z, high, low, signal``.

    Returns
    -------
    DataFrame
        ``rater_id, n_quarters, first, last, least, most`` (severity, rating points, as estimated), ``signal`` (severer,
        more lenient, or ""), ``quarter`` (of the first signal), ``reason``.
    """
    rows = []
    for rater, own in moves.sort_values(["rater_id", "quarter"], kind="stable").groupby("rater_id", sort=True):
        s, said = own["severity"], own[own["signal"].fillna("").ne("")]
        why = "seen in one quarter only" if len(own) < 2 else ""
        first = said.iloc[0] if len(said) else None
        signal = ("", "") if first is None else (first["signal"], first["quarter"])
        rows.append((rater, len(own), s.iloc[0], s.iloc[-1], s.min(), s.max(), *signal, why))
    return pd.DataFrame(rows, columns=DRIFT)


def prediction(
    ratings: pd.DataFrame, clusters: tuple[str, ...] = ("manager_id", "unit"), *, level: float = 0.90, seed: int = 1
) -> pd.DataFrame:
    """Did severity-adjusted ratings predict the next quarter's measured KPIs better than raw ones?

    Correlations inside quarter and profile over the same people; the paired difference with an interval that resamples
    superiors (whose people share a severity), and one that resamples units (who share a market). The KPI link must be
    off: ratings adjusted by KPIs would predict KPIs by construction. A better prediction speaks for the adjustment
    where teams do not share luck over quarters; where they do, it may be the luck.

    Parameters
    ----------
    ratings : DataFrame
        One row an employee and quarter whose rater's severity is identified: ``employee_id, quarter, profile,
        rating_raw, rating_adjusted, kpi_next`` (measured score of the next quarter) and the columns of ``clusters``.

    Returns
    -------
    DataFrame
        ``cluster`` (what was resampled), ``n, n_clusters, r_raw, r_adjusted, difference, lower, upper, verdict``
        (better, worse, cannot be told), ``reason``.
    """
    table = ratings.dropna(subset=["rating_raw", "rating_adjusted", "kpi_next"]).reset_index(drop=True)
    x1, x2, y = (_inside(table, name) for name in ("rating_raw", "rating_adjusted", "kpi_next"))
    rows = []
    for name in clusters:
        n = table[name].nunique()
        why = _too_few(table, name) or _constant(x1, x2, y)
        if not why and np.allclose(x1, x2, atol=1e-12):
            why = "no rating was adjusted, so there is nothing to compare"
        found = (np.nan,) * 5 if why else correlation_difference(x1, x2, y, table[name], level, seed)
        verdict = "" if why else "better" if found[3] > 0 else "worse" if found[4] < 0 else "cannot be told"
        rows.append((name, len(table), n, *found, verdict, why))
    return pd.DataFrame(rows, columns=PREDICTION)


def advice(
    stability: pd.DataFrame,
    pairs: pd.DataFrame,
    inflation: pd.DataFrame,
    capped: pd.DataFrame,
    drifts: pd.DataFrame,
    predicted: pd.DataFrame,
) -> pd.DataFrame:
    """What to change in the scheme: ``subject, kpi, profile, finding, sentence``, one row a finding, from the numbers.

    Of a KPI the row over all profiles speaks; a profile has one of its own only where it says something else.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    for row in _first(stability, ["mostly chance"], ["kpi"]):
        rows.append((
            "reliability", row["kpi"], row["profile"], "mostly chance",
            f"{_named(row)}: from one quarter to the next a person's points correlate {_two(row['retest'])} "
            f"({_two(row['lower'])} to {_two(row['upper'])}; {row['n_people']} people). One quarter says little of "
            f"the person; the mean of four would reach {_two(row['year'])}. Give it less weight in the quarter and "
            "count it by the year, or measure it over more events.",
        ))  # fmt: skip
    for row in _first(stability[stability["validity_upper"] < 0], ["mostly chance", "unclear", "holds"], ["kpi"]):
        rows.append((
            "validity", row["kpi"], row["profile"], "against the rest",
            f"{_named(row)}: who does well on it does worse on the other KPIs in the next quarter "
            f"({_two(row['validity'])}, {_two(row['validity_lower'])} to {_two(row['validity_upper'])}). Look whether "
            "it is bought at their cost before it keeps its weight.",
        ))  # fmt: skip
    for row in _first(pairs, ["same"], ["kpi", "other"]):
        remedy = (
            "The same raters give both, so one impression may be paid twice: let somebody else rate one of them, or "
            "merge them."
            if row["both_rated"]
            else "One achievement is paid twice: merge them, or take weight from one."
        )
        rows.append((
            "redundancy", f"{row['kpi']} + {row['other']}", row["profile"], "same",
            f"{row['kpi']} and {_named(row, 'other')} correlate {_two(row['r'])} ({_two(row['lower'])} to "
            f"{_two(row['upper'])}). {remedy}",
        ))  # fmt: skip
    for row in _first(inflation, ["mostly told by the others"], ["kpi"]):
        rows.append((
            "redundancy", row["kpi"], row["profile"], "told by the others",
            f"{_named(row)}: {100 * (1 - 1 / row['vif']):.0f} % of its spread is told by the other KPIs "
            f"(variance inflation {_one(row['vif'])}). It adds little of its own; let it go or measure something else.",
        ))  # fmt: skip
    for row in _first(capped, ["cap binds"], ["kpi"]):
        rows.append((
            "cap", row["kpi"], row["profile"], "cap binds",
            f"{_named(row)}: {100 * row['share_at_cap']:.0f} % of results stand at the cap "
            f"({100 * row['lower']:.0f} to {100 * row['upper']:.0f} %), where more earns nothing and people cannot be "
            "told apart. Raise the stretch target or the cap.",
        ))  # fmt: skip
    moved = drifts[drifts["signal"].ne("")]
    seen = int((drifts["n_quarters"] > 1).sum())
    for row in moved.to_dict("records"):
        rows.append((
            "raters", "", "", "drift",
            f"Rater {row['rater_id']} has become {row['signal']} (first seen in {row['quarter']}; severity "
            f"{row['first']:.2f} to {row['last']:.2f} rating points). Show the rater the rubric beside rated cases.",
        ))  # fmt: skip
    if seen and len(moved) > 0.2 * seen:
        rows.append((
            "raters", "", "", "drift of many",
            f"{len(moved)} of {seen} raters moved: the rubric, not the raters, is the likelier cause. Train all raters "
            "together on the same cases.",
        ))  # fmt: skip
    for row in predicted.to_dict("records"):
        rows.append(("adjustment", "", "", row["verdict"] or "not compared", _predicted(row)))
    return pd.DataFrame(rows, columns=ADVICE)


def _predicted(row: dict) -> str:
    by = PEOPLE.get(row["cluster"], f"values of {row['cluster']}")
    if row["reason"]:
        return f"Raw and adjusted ratings were not compared by {by}: {row['reason']}."
    said = (
        f"With the next quarter's measured KPIs raw ratings correlate {_two(row['r_raw'])}, severity-adjusted ones "
        f"{_two(row['r_adjusted'])}; difference {row['difference']:+.3f} ({row['lower']:+.3f} to {row['upper']:+.3f}, "
        f"{row['n_clusters']} {by} resampled, {row['n']} people and quarters). "
    )
    return (
        said
        + {
            "better": "Adjusting did better, as long as teams do not share their luck from quarter to quarter.",
            "worse": "Adjusting did worse: look at the links between raters before it moves another proposal.",
            "cannot be told": "Which is better cannot be told from this; more shared ratings would tell sooner "
            "than more quarters.",
        }[row["verdict"]]
    )


def _first(table: pd.DataFrame, verdicts: list[str], key: list[str]) -> list[dict]:
    """Rows with a verdict; a profile's row only where the one over all profiles has another verdict."""
    told = table[table["verdict"].isin(verdicts)]
    general = set(map(tuple, told.loc[told["profile"].eq(ALL), key].to_numpy()))
    own = [row["profile"] == ALL or tuple(row[k] for k in key) not in general for row in told.to_dict("records")]
    return told[np.array(own, bool)].to_dict("records")


def _named(row: dict, column: str = "kpi") -> str:
    """A KPI, and the profile whose people it is said of."""
    return row[column] if row["profile"] == ALL else f"{row[column]} (profile {row['profile']})"


def _two(r: float) -> str:
    """A correlation as pages write it: .54."""
    return f"{r:.2f}".replace("0.", ".", 1)


def _one(inflation: float) -> str:
    return f"{inflation:.1f}" if np.isfinite(inflation) else "∞"


def _checked(points: pd.DataFrame) -> pd.DataFrame:
    if absent := [name for name in POINTS if name not in points]:
        raise DataError(f"The points by quarter lack the columns {', '.join(absent)}.")
    key = ["quarter", "employee_id", "kpi"]
    if (twice := points.duplicated(key)).any():
        row = points.loc[twice, key].iloc[0]
        raise DataError(f"{row['employee_id']} has {row['kpi']} twice in {row['quarter']}; give one row.")
    numbered = points.assign(
        number=pd.factorize(points["quarter"], sort=True)[0], quarter=points["quarter"].astype(str)
    )
    return numbered.sort_values(["number", "employee_id", "kpi"], kind="stable", ignore_index=True)


def _inside(table: pd.DataFrame, column: str) -> np.ndarray:
    """Values less their mean in the quarter and profile (and KPI, where there is one)."""
    by = [name for name in ("quarter", "profile", "kpi") if name in table]
    return (table[column] - table.groupby(by)[column].transform("mean")).to_numpy()


def _others(table: pd.DataFrame) -> np.ndarray:
    """Weighted mean of the points of the person's other KPIs in the same quarter."""
    known = table["points"].notna()
    weight = table["weight"].where(known, 0.0).fillna(0.0)
    product = (table["points"] * weight).where(known, 0.0)
    by = [table["quarter"], table["employee_id"]]
    rest = weight.groupby(by).transform("sum") - weight
    return ((product.groupby(by).transform("sum") - product) / rest.where(rest > 1e-9)).to_numpy()


def _groups(rows: pd.DataFrame, table: pd.DataFrame):
    """(profile, kpi, category, rows): over all profiles first, KPIs in the order of the table's categories."""
    kinds = table.drop_duplicates("kpi").sort_values(["category", "kpi"], kind="stable")
    for profile in (ALL, *sorted(table["profile"].unique())):
        for kpi, category in zip(kinds["kpi"], kinds["category"], strict=True):
            own = rows[rows["kpi"].eq(kpi) & (True if profile == ALL else rows["profile"].eq(profile))]
            yield profile, kpi, category, own


def _too_few(rows: pd.DataFrame, cluster: str) -> str:
    n, groups = len(rows), rows[cluster].nunique()
    if n < LEAST or groups < CLUSTERS:
        what = PEOPLE.get(cluster, f"values of {cluster}")
        return f"{n} values of {groups} {what}: too few to tell"
    return ""


def _constant(*columns) -> str:
    return "no spread in the values" if any(np.std(np.asarray(c, float)) < 1e-12 for c in columns) else ""
