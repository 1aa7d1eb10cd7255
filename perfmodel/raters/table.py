"""A table of ratings, checked and coded: what the model is built from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import DataError
from ..ratings import OVERALL

FAR, HUGE = 1e5, 1e100  # size of a rating, in spans and in points, from which digits are lost
# What `blind` may say, and whether the rating was made after seeing another's.
SEEN = {"no": True, "false": True, "否": True, "n": True, "yes": False, "true": False, "是": False, "y": False}
SELF, VIGNETTE = "self", "vignette"
KEYS = ("rater_id", "employee_id", "scorecard", "kpi", "role")


@dataclass(frozen=True, eq=False)
class RatingTable:
    """All ratings, sorted by key.

    ``own`` are the self ratings, ``rows`` all others, with the columns as given and ``r``, ``e`` (codes of rater and
    employee), ``used`` (whether the rating says something of severity), ``seen`` (made after seeing another's).
    """

    rows: pd.DataFrame
    rater_ids: np.ndarray
    employee_ids: np.ndarray
    own: pd.DataFrame


def checked(
    ratings: pd.DataFrame, scale: tuple[float, float] | None, *, seen_counts: bool, vignettes: bool, overall: bool
) -> RatingTable:
    """Refuse what has no meaning; code and sort the rest.

    Raises
    ------
    DataError
        If a column is absent, an id or a rating missing, a rating off the scale, or a key repeats.
    """
    if absent := [c for c in ("rater_id", "employee_id", "rating") if c not in ratings]:
        raise DataError(f"The ratings have no column {', '.join(absent)}; severity needs rater, employee and rating.")
    table = {column: ratings[column] for column in ratings.columns}
    for column, value in (("scorecard", ""), ("kpi", "rating"), ("role", "rater"), ("blind", True)):
        if column not in table:
            table[column] = pd.Series(value, ratings.index)
    table["scorecard"] = table["scorecard"].astype(object).where(table["scorecard"].notna(), "")  # one has no name
    codes, names = {}, {}
    for column in KEYS:
        codes[column], names[column] = _coded(table[column], column)
    rating = _numbers(table["rating"], scale)
    seen = _seen(table["blind"])

    order = np.lexsort([codes[column] for column in reversed(KEYS)])
    codes = {column: code[order] for column, code in codes.items()}
    same = np.logical_and.reduce([code[1:] == code[:-1] for code in codes.values()])
    if same.any():
        row = {column: names[column][codes[column][int(np.argmax(same))]] for column in KEYS}
        raise DataError(
            f"{row['rater_id']} rates {row['employee_id']} twice on {row['kpi']} in the role {row['role']}. "
            "Which of the two counts cannot be guessed; keep one."
        )
    rows = pd.DataFrame({column: names[column][codes[column]] for column in KEYS})
    for column in table.keys() - {*KEYS, "rating", "blind"}:
        rows[column] = table[column].to_numpy()[order]
    rows["rating"], rows["seen"] = rating[order], seen[order]
    others = ~np.isin(codes["role"], np.flatnonzero(names["role"] == SELF))
    own = rows.loc[~others, ["employee_id", "scorecard", "kpi", "rating"]].reset_index(drop=True)
    rows = rows[others].reset_index(drop=True)
    rater_ids, rows["r"] = _compact(codes["rater_id"][others], names["rater_id"])
    employee_ids, rows["e"] = _compact(codes["employee_id"][others], names["employee_id"])
    rows["used"] = (
        (~rows["seen"] | seen_counts) & (rows["kpi"].ne(OVERALL) | overall) & (rows["role"].ne(VIGNETTE) | vignettes)
    )
    return RatingTable(rows, rater_ids, employee_ids, own)


def by_id(values, what: str, employee_ids: np.ndarray) -> pd.Series | None:
    """What is known of employees, by id as text. Refuses an id that repeats, and values for nobody who is rated."""
    if values is None:
        return None
    if not isinstance(values, (pd.Series, Mapping)):
        raise DataError(f"{what} is a Series or a mapping by employee_id, not {type(values).__name__}.")
    known = pd.Series(values, dtype=None if isinstance(values, pd.Series) else object).dropna()
    known.index = known.index.map(str)
    if known.index.has_duplicates:
        twice = known.index[known.index.duplicated()][0]
        raise DataError(f"{what} names {twice} twice; which of the two holds cannot be guessed. Keep one.")
    if len(employee_ids) and len(known) and set(employee_ids).isdisjoint(known.index):
        raise DataError(
            f"{what} names nobody who is rated (it has {known.index[0]}, the ratings {employee_ids[0]}); give it by "
            "employee_id."
        )
    return known


def _seen(blind: pd.Series) -> np.ndarray:
    """Whether each rating was made after seeing another's; not said counts as not."""
    code, values = pd.factorize(blind)
    words = [str(value).strip().lower() for value in values]
    if odd := [value for value, word in zip(values, words, strict=True) if word and word not in SEEN]:
        raise DataError(f"blind is {odd[0]!r} for a rating; write yes, or no for one made after another's.")
    return np.array([*(SEEN.get(word, False) for word in words), False])[code]  # the last is for what is not said


def _coded(column: pd.Series, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes in the order of the names as text, and the names."""
    code, unique = pd.factorize(column)
    if name in ("rater_id", "employee_id"):
        blank = np.array([not str(value).strip() for value in unique], dtype=bool)
        code = np.where(blank[code], -1, code) if blank.any() else code
    if (empty := int((code < 0).sum())) > 0:
        raise DataError(f"{empty} ratings have no {name}: whose they are cannot be guessed.")
    text, place = np.unique(np.array([str(value) for value in unique], dtype=object), return_inverse=True)
    return place[code] if len(place) else code, text


def _numbers(column: pd.Series, scale: tuple[float, float] | None) -> np.ndarray:
    if column.dtype.kind in "bcmM":
        raise DataError(f"Ratings are numbers, not {column.dtype}.")
    try:
        rating = column.to_numpy().astype(float)
    except (TypeError, ValueError):
        raise DataError("A rating is not a number. Leave a row out where no rating was given.") from None
    if not np.isfinite(rating).all():
        raise DataError("A rating is missing or infinite. Leave a row out where no rating was given.")
    size, span = (float(np.abs(rating).max()), float(np.ptp(rating))) if len(rating) else (0.0, 0.0)
    if size > HUGE or 0 < span < size / FAR:
        raise DataError(
            f"Ratings of up to {size:g} that differ by {span:g} cannot be told apart in sixteen digits; take a "
            "constant off, or give them on their scale."
        )
    if scale is not None and ((rating < scale[0]) | (rating > scale[1])).any():
        value = rating[(rating < scale[0]) | (rating > scale[1])][0]
        raise DataError(f"A rating of {value:g} lies outside the scale {scale[0]:g} to {scale[1]:g}.")
    return rating


def _compact(codes: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Names that occur, and codes counted among them."""
    there = np.bincount(codes, minlength=len(names)) > 0
    return names[there], (np.cumsum(there) - 1)[codes]
