"""How the decisions of earlier quarters turned out: the measured KPIs of the quarter after, with the uncertainty.

A decided grade was for the quarter that was over, so nothing here says that a change was right or wrong. It says
whether a committee that moved somebody knew of something that lasted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ..language import say, told
from ..ledger import Entry
from ..report import Section, Sentences, Table, words
from ..runner.run import folder_of_cycle
from .case import Case, tables_of
from .state import State, state_of

FOLLOWED = "quarter next employee_id unit profile step score_proposed kpi_next".split()
TURNED_OUT = "move n n_known kpi_next difference lower upper verdict reason".split()
UP, DOWN, SAME = "moved up", "moved down", "left as proposed"
HIGHER, LOWER, UNTOLD = "higher", "lower", "cannot be told"
LEAST = 10  # people under whom nothing is told
SLACK = 3  # days by which one quarter may be longer than another


@dataclass(frozen=True, eq=False)
class Followed:
    """Decisions of earlier quarters beside the quarter that followed.

    ``rows``: one an employee and quarter, ``step`` (grades decided over proposed, up is positive), ``kpi_next`` (mean
    points of measured KPIs in the next quarter, by weight; missing for whoever has none on one scorecard).
    ``pairs``: (quarter, next). ``lost``: quarters whose next one has no run beside this one's. ``level`` of intervals.
    """

    rows: pd.DataFrame
    pairs: tuple[tuple[str, str], ...] = ()
    lost: tuple[str, ...] = ()
    level: float = 0.90


def follow(entries: Iterable[Entry], case: Case) -> Followed:
    """Decisions of every final quarter before that of ``case``, with the measured KPIs of the quarter after it.

    Figures of this quarter are those of the case's run; of earlier ones those of the run that they were made final on,
    where its folder lies beside this one's.
    """
    by_cycle: dict[str, list[Entry]] = {}
    for entry in entries:
        by_cycle.setdefault(entry.cycle, []).append(entry)
    finals = {}
    for cycle, own in by_cycle.items():
        state = state_of(own)
        if cycle != case.cycle.id and state.final is not None:
            end = date.fromisoformat(state.final.data["end"])
            if end < case.cycle.scheme.start:
                finals[end] = (cycle, state)
    scheme = case.cycle.scheme
    most = (scheme.end - scheme.start).days + 1 + SLACK
    parts, pairs, lost = [pd.DataFrame(columns=FOLLOWED)], [], []
    ends = sorted(finals)
    for at, end in enumerate(ends):
        cycle, state = finals[end]
        if end + timedelta(days=1) == scheme.start:
            following, tables = case.cycle.id, case.tables
        elif at + 1 < len(ends) and (ends[at + 1] - end).days <= most:
            following, after = finals[ends[at + 1]]
            assert after.final is not None
            run = case.folder.parent / folder_of_cycle(following).name / str(after.final.data["run"])
            if not (run / "manifest.json").is_file():
                lost.append(cycle)
                continue
            tables = tables_of(run)
        else:
            continue
        pairs.append((cycle, following))
        parts.append(followed_rows(state, tables, case.roll.grades, cycle, following))
    rows = pd.concat(parts[1:] or parts, ignore_index=True)
    return Followed(rows, tuple(pairs), tuple(lost), scheme.limits.confidence)


def followed_rows(
    state: State, after: Mapping[str, pd.DataFrame], grades: tuple[str, ...], quarter: str, following: str
) -> pd.DataFrame:
    """Decisions in force of one quarter beside the tables ``scores, kpi_scores`` of the next one."""
    rank = {grade: at for at, grade in enumerate(grades)}
    people, known = after["scores"].set_index("employee_id"), measured_scores(after["kpi_scores"])
    rows = []
    for who, found in sorted(state.decisions.items()):
        proposed, decided = found.data["proposed"], found.grade
        if proposed not in rank or decided not in rank:
            continue  # a scheme that had other grades then
        there = who in people.index
        unit, profile = (people.at[who, "unit"], people.at[who, "profile"]) if there else ("", "")
        score = found.data["basis"]["scores"]["proposed"]
        rows.append(
            (quarter, following, who, unit, profile, rank[proposed] - rank[decided], score, known.get(who, np.nan))
        )
    return pd.DataFrame(rows, columns=FOLLOWED)


def measured_scores(kpi_scores: pd.DataFrame) -> pd.Series:
    """Mean points of each person's measured KPIs by weight; people on one scorecard, rated and mixed KPIs left out."""
    rows = kpi_scores[kpi_scores["kind"].eq("measured") & kpi_scores["scorecard"].eq("")]
    rows = rows[rows["score_raw"].notna() & rows["weight"].gt(0)]
    sums = pd.DataFrame({"points": rows["score_raw"] * rows["weight"], "weight": rows["weight"]})
    found = sums.groupby(rows["employee_id"]).sum()
    return found["points"] / found["weight"]


def turned_out(rows: pd.DataFrame, *, level: float = 0.90, least: int = LEAST) -> pd.DataFrame:
    """Next quarter's measured KPIs of people moved up or down, less those of people left as proposed.

    By least squares inside quarter and unit and inside quarter and profile (so that a market shared by a unit makes no
    difference), at the same proposed score; the interval is that of t, over people.

    Parameters
    ----------
    rows : DataFrame
        ``quarter, employee_id, unit, profile, step, score_proposed, kpi_next`` (points; missing where there is none).

    Returns
    -------
    DataFrame
        ``move`` (moved up, moved down, left as proposed), ``n, n_known`` (with figures in the next quarter),
        ``kpi_next`` (mean), ``difference, lower, upper`` (points), ``verdict`` (higher, lower, cannot be told),
        ``reason``.
    """
    moves = {UP: rows["step"].gt(0), DOWN: rows["step"].lt(0), SAME: rows["step"].eq(0)}
    usable = rows["kpi_next"].notna() & rows["score_proposed"].notna()
    table = rows[usable]
    found = []
    for move, mine in moves.items():
        n, known = int(mine.sum()), table["kpi_next"][mine[usable]]
        mean = float(known.mean()) if len(known) >= least else np.nan
        few = f"{len(known)} people with figures in the next quarter: too few to tell, {least} are needed"
        if move == SAME or len(known) < least:
            found.append((move, n, len(known), mean, *[np.nan] * 3, "", few if len(known) < least else ""))
            continue
        others = [
            moves[DOWN if move == UP else UP][usable].astype(float),
            table["score_proposed"].astype(float),
            *(pd.get_dummies(table["quarter"] + "\n" + table[name], dtype=float) for name in ("unit", "profile")),
        ]
        estimate = _partial(
            table["kpi_next"].to_numpy(float),
            mine[usable].to_numpy(float),
            np.column_stack([np.asarray(part) for part in others]),
            table["employee_id"].to_numpy(),
            level,
        )
        if estimate is None or moves[SAME][usable].sum() < least:
            why = "too few people left as proposed beside them to compare with"
            found.append((move, n, len(known), mean, *[np.nan] * 3, "", why))
            continue
        verdict = HIGHER if estimate[1] > 0 else LOWER if estimate[2] < 0 else UNTOLD
        found.append((move, n, len(known), mean, *estimate, verdict, ""))
    return pd.DataFrame(found, columns=TURNED_OUT)


def _partial(
    y: np.ndarray, x: np.ndarray, others: np.ndarray, people: np.ndarray, level: float
) -> tuple[float, float, float] | None:
    """Coefficient of ``x`` beside ``others`` and its t interval (Frisch and Waugh 1933); None where it has none.

    A person's quarters are no separate evidence: the squared error is that of separate rows times what the sum over
    people of (sum of x e)^2 is to the sum over rows of (x e)^2, where that is more than 1 (Liang and Zeger 1986).
    """
    from scipy.special import stdtrit

    # What the others do not tell of x, and of y.
    own, rest = (v - others @ np.linalg.lstsq(others, v, rcond=None)[0] for v in (x, y))
    square, free = own @ own, len(y) - np.linalg.matrix_rank(others) - 1
    if square < 1e-8 * max(x @ x, 1.0) or free < LEAST:
        return None
    value = float(own @ rest / square)
    left = rest - value * own
    by_person = np.bincount(np.unique(people, return_inverse=True)[1], own * left)
    together = max(by_person @ by_person / max(np.sum((own * left) ** 2), 1e-300), 1.0)
    error = np.sqrt(left @ left / free / square * together)
    half = float(stdtrit(free, (1 + level) / 2) * error)
    return value, value - half, value + half


def turned_out_parts(followed: Followed) -> list[Any]:
    """The section of a page: how the decisions of earlier quarters turned out, or why nothing can be told."""
    title = say("How the last changes turned out")
    if not followed.pairs:
        return [Section(title, [say("No quarter before this one is final in the ledger, so there is none to follow.")])]
    table = turned_out(followed.rows, level=followed.level)
    pairs = words.joined(f"{one} → {after}" for one, after in followed.pairs)
    lines = [say("Decisions followed: {pairs}.", pairs=pairs)]
    lines += [_line(row) for row in table.to_dict("records") if row["move"] != SAME]
    if followed.lost:
        lines.append(
            say(
                "Not followed, for the run of the quarter after is not here: {quarters}.",
                quarters=words.joined(followed.lost),
            )
        )
    shown = table.assign(
        move=table["move"].map(told), verdict=table["verdict"].map(told), reason=table["reason"].map(told)
    )
    caption = say(
        "Points of measured KPIs in the next quarter, less those of people left as proposed: in the same unit and "
        "post, at the same proposed score; {level} % interval.",
        level=f"{100 * followed.level:g}",
    )
    labels = {
        "move": say("Decision"),
        "n": say("People"),
        "n_known": say("With figures"),
        "kpi_next": say("Next quarter"),
        "difference": say("Difference"),
        "lower": say("From"),
        "upper": say("To"),
        "verdict": say("Verdict"),
        "reason": say("Reason"),
    }
    formats = {"n_known": "count", "kpi_next": "score", **dict.fromkeys(("difference", "lower", "upper"), "signed")}
    caveat = say(
        "A grade was for the quarter that was over: a difference says whether the committee knew of something that "
        "lasted, not whether a change was right."
    )
    return [Section(title, [Sentences(lines), Table(shown, "", caption, labels, formats), caveat])]


def _line(row: Mapping[str, Any]) -> str:
    if row["reason"]:
        return say("{move}: {n}; {reason}.", move=told(row["move"]), n=row["n"], reason=told(row["reason"]))
    between = {
        "difference": words.FORMATS["signed"](row["difference"]),
        "low": words.FORMATS["signed"](row["lower"]),
        "high": words.FORMATS["signed"](row["upper"]),
    }
    return say(
        "{move}: {n}; next quarter {difference} points ({low} to {high}) against people left as proposed: {verdict}.",
        move=told(row["move"]),
        n=row["n"],
        verdict=told(row["verdict"]),
        **between,
    )
