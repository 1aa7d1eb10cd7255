"""What each table must hold: the input of a cycle, and what a run leaves behind.

Nothing here opens a file; ``io`` reads and writes by these declarations, and the methods meet in them.
"""

from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from .errors import DataError

# How a column's text is read (io.grammar): a kind names the words or numbers that may stand there.
ID, TEXT, NUMBER, SHARE, DAY, YES = "id", "text", "number", "share", "day", "yes"


@dataclass(frozen=True)
class Column:
    """One column of an input table. ``required`` columns must exist; ``filled`` cells must not be empty."""

    name: str
    kind: str = TEXT
    required: bool = True
    filled: bool = True
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One input table: its columns, the columns that make a row unique, and whether a cycle may lack it."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    required: bool = False

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)


def _optional(name: str, kind: str = TEXT, words: tuple[str, ...] = ()) -> Column:
    return Column(name, kind, required=False, filled=False, words=words)


SCORECARD = _optional("scorecard", ID)

INPUTS = {
    t.name: t
    for t in (
        Table(
            "employees",
            (
                Column("employee_id", ID),
                Column("name"),
                Column("unit", ID),
                Column("profile", ID),
                Column("manager_id", ID, filled=False),
                _optional("level"),
                _optional("level_since", DAY),
                _optional("hire_date", DAY),
                _optional("status", TEXT, ("active", "leave", "left")),
            ),
            ("employee_id",),
            required=True,
        ),
        Table(
            "assignments",
            (
                Column("employee_id", ID),
                Column("scorecard", ID),
                Column("unit", ID),
                Column("profile", ID),
                Column("manager_id", ID, filled=False),
                Column("from", DAY),
                Column("to", DAY),
            ),
            ("employee_id", "scorecard"),
        ),
        Table(
            "results",
            (
                Column("employee_id", ID),
                SCORECARD,
                Column("kpi", ID),
                Column("target", NUMBER, filled=False),
                Column("actual", NUMBER, filled=False),
                _optional("threshold", NUMBER),
                _optional("stretch", NUMBER),
                _optional("status", TEXT, ("final", "late", "not_due", "not_applicable")),
                _optional("basis", TEXT, ("quarter", "ytd")),
                _optional("target_original", NUMBER),
                _optional("changed_on", DAY),
                _optional("approved_by", ID),
                _optional("source"),
                _optional("note"),
            ),
            ("employee_id", "scorecard", "kpi"),
        ),
        Table(
            "ratings",
            (
                Column("rater_id", ID),
                Column("employee_id", ID),
                SCORECARD,
                Column("kpi", ID),
                Column("role", ID),
                Column("rating", NUMBER),
                _optional("submitted_on", DAY),
                _optional("blind", YES),
                _optional("comment"),
            ),
            ("rater_id", "employee_id", "scorecard", "kpi", "role"),
        ),
        Table(
            "milestones",
            (
                Column("employee_id", ID),
                SCORECARD,
                Column("kpi", ID),
                Column("milestone", ID),
                Column("weight", NUMBER),
                Column("due", DAY),
                Column("accepted_on", DAY, filled=False),
                Column("share_done", SHARE, filled=False),
            ),
            ("employee_id", "scorecard", "kpi", "milestone"),
        ),
        Table(
            "events",
            (
                Column("employee_id", ID),
                Column("code", ID),
                Column("kind", TEXT, words=("gate", "bonus", "deduction")),
                Column("points", NUMBER, filled=False),
                Column("evidence"),
            ),
            ("employee_id", "code"),
        ),
        Table(
            "pay",
            (
                Column("employee_id", ID),
                Column("bonus_target", NUMBER),
                Column("currency", ID),
                Column("eligible", YES),
            ),
            ("employee_id",),
        ),
        Table(
            "groups",
            (Column("employee_id", ID), Column("attribute", ID), Column("value")),
            ("employee_id", "attribute"),
        ),
        Table("exclusions", (Column("employee_id", ID), Column("reason")), ("employee_id",)),
    )
}

# Tables a run leaves behind: key, further columns. "p_*" and "w_*" stand for one column a grade.
OUTPUTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    name: (tuple(key.split()), tuple(rest.split()))
    for name, key, rest in (
        (
            "kpi_scores",
            "employee_id scorecard kpi",
            "category kind target actual attainment score_raw score_adjusted weight_nominal weight "
            "points_raw points_adjusted reason",
        ),
        (
            "scores",
            "employee_id",
            "unit profile score_raw score_adjusted score_proposed grade_raw grade_adjusted grade_proposed "
            "se p_* p_stay moved_by reason",
        ),
        (
            "raters",
            "rater_id",
            "roles n_ratings n_employees component severity se lower upper discrimination halo drift verdict reason",
        ),
        ("adjusted_ratings", "employee_id scorecard kpi", "rating_raw rating_adjusted se reason"),
        ("links", "component", "n_raters n_employees connectivity linked_by what_is_identified"),
        ("double_ratings", "rank", "rater_id employee_id variance_before variance_after"),
        (
            "double_rating_requests",
            "rank scorecard kpi",
            "rater_id rater_name employee_id employee_name unit role rating blind",
        ),
        ("rater_consistency", "rater_id", "infit outfit low high"),
        ("drift", "rater_id quarter", "severity se change z high low signal"),
        (
            "restricted/rater_groups",
            "rater_id attribute group",
            "reference n_group n_reference difference se shrunk p q reason",
        ),
        (
            "weight_grades",
            "profile employee_id",
            "grade w_* w_stay rank_best rank_worst rank_exact driver rank_best_bound rank_worst_bound "
            "score_mean score_sd score_min score_max score_exact driver_direction law",
        ),
        ("weight_rank_bands", "profile employee_id band", "w_share law"),
        (
            "weight_importance",
            "profile kpi",
            "category weight_nominal importance importance_share stable_low stable_high share_at_cap",
        ),
        (
            "weight_categories",
            "profile category",
            "weight_nominal importance importance_share stable_low stable_high",
        ),
        (
            "distribution",
            "stage unit grade",
            "n share guideline_low guideline_high chance_low chance_high verdict reason",
        ),
        ("discussion", "employee_id flag", "unit rank evidence priority"),
        (
            "restricted/fairness",
            "attribute group reference outcome stage",
            "n rate ratio ratio_low ratio_high difference p_exact flip_one smallest_detectable verdict "
            "q shortfall mh_ratio mh_low mh_high reason",
        ),
        ("pool", "step", "n cost budget balance currency"),
    )
}

# What the year's second method takes beside quarters: the score of an annual evaluation, by the superior or a panel.
EVALUATIONS = Table("evaluations", (Column("employee_id", ID), Column("score", NUMBER)), ("employee_id",))

# The steps from ratings to decisions, in the order in which they happen (not of the alphabet).
STAGES = ("raw", "adjusted", "proposed", "decided")


def moves(before: str, after: str) -> str:
    """How a table names the way from one stage to a later one."""
    return f"{before} to {after}"


# Stages, and after them the ways between stages, as they stand in a column ``stage``.
STAGES_AND_MOVES = (*STAGES, *(moves(before, after) for before, after in combinations(STAGES, 2)))

# Rows of the distribution that are no unit, so no unit may be called so.
COMPANY, POOLED = "company", "pooled: "


def columns_of(table: str, grades: tuple[str, ...] = ()) -> list[str]:
    """Columns of an output table in the contract's order, ``p_*`` and ``w_*`` spelt out by grade."""
    key, rest = OUTPUTS[table]
    names = list(key)
    for name in rest:
        names += [name[:2] + g for g in grades] if name.endswith("_*") else [name]
    return names


def conform(frame: pd.DataFrame, table: str, grades: tuple[str, ...] = ()) -> pd.DataFrame:
    """``frame`` with exactly the contract's columns, sorted by key.

    Raises
    ------
    DataError
        If a column is absent or the key repeats: a table that lies about its key would be read wrongly.
    """
    names = columns_of(table, grades)
    if absent := [n for n in names if n not in frame.columns]:
        raise DataError(f"Table {table} lacks the columns {', '.join(absent)}.")
    key = list(OUTPUTS[table][0])
    if frame.duplicated(key).any():
        raise DataError(f"Table {table} has several rows for one {', '.join(key)}.")
    ranks = {"stage": STAGES_AND_MOVES, "step": STAGES}

    def order(column: pd.Series) -> pd.Series:
        return column.map(ranks[column.name].index) if column.name in ranks else column

    return frame[names].reset_index(drop=True).sort_values(key, kind="stable", key=order).reset_index(drop=True)
