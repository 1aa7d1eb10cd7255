"""KPIs, categories and posts by the names that the scheme gives them, in the language spoken."""

import re
from collections.abc import Iterable

import pandas as pd

from ..language import spoken, told
from ..scheme import Scheme

IDS = ("kpi", "item", "category", "profile", "driver", "other", "name", "level", "weight")  # columns that hold ids
PROSE = ("reason", "evidence", "sentence", "missing")  # columns of sentences in which ids may stand


def names_in(scheme: Scheme) -> dict[str, str]:
    """What each KPI, part, category and post is called, by its id; a KPI's name goes before that of its only part."""
    lang = spoken()
    parts = {item.id: item.name.say(lang) for item in scheme.items}
    kpis = {kpi.id: kpi.name.say(lang) for kpi in scheme.kpis}
    groups = {one.id: one.name.say(lang) for one in scheme.categories}
    return parts | kpis | groups | {one.id: one.name.say(lang) for one in scheme.profiles}


def named(what, scheme: Scheme):
    """A table, or a sentence, with names where it has ids of the scheme.

    In an English sentence only ids that are no plain words (with an underscore) are taken for ids; in a translated one
    every id, for no other English stands there. A name that two ids share is given with the id, so that rows are never
    mixed up.
    """
    names = names_in(scheme)
    shared = {name for name in names.values() if list(names.values()).count(name) > 1}
    kpis = {kpi.id for kpi in scheme.kpis}
    names = {i: f"{name} ({i})" if name in shared and i not in kpis else name for i, name in names.items()}
    odd, every = _any_of(i for i in names if "_" in i), _any_of(names)

    def prose(text):
        if not isinstance(text, str):
            return text
        turned = told(text)
        found = (odd if turned == text else every).sub(lambda id_: names[id_[0]], turned)
        return found if turned == text else re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", found)

    if isinstance(what, str):
        return names.get(what) or prose(what)
    table: pd.DataFrame = what.copy()
    for column in table.columns.intersection(list(IDS)):
        table[column] = [names.get(cell, cell) for cell in table[column]]
    for column in table.columns.intersection(list(PROSE)):
        table[column] = [prose(cell) for cell in table[column]]
    if table.index.name in IDS:
        table.index = pd.Index([names.get(cell, cell) for cell in table.index], name=table.index.name)
    return table


def _any_of(ids: Iterable[str]) -> re.Pattern[str]:
    """Finds each of the ids that stands alone, the longest first; nothing where there are none."""
    longest = sorted(ids, key=len, reverse=True)
    return re.compile(
        rf"(?<![A-Za-z0-9_-])(?:{'|'.join(map(re.escape, longest))})(?![A-Za-z0-9_-])" if longest else "(?!)"
    )
