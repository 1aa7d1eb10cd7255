"""What links raters, group by group, and what may be said inside each group."""

import numpy as np
import pandas as pd

from .graph import MOST, algebraic_connectivity, bridges
from .table import VIGNETTE

UNLINKED = "no shared rater or ratee: severity and team quality cannot be told apart"
COLUMNS = ["component", "n_raters", "n_employees", "connectivity", "linked_by", "what_is_identified"]
# Named assumptions: what each holds to be so, and nothing in the ratings can show.
ASSUMPTIONS = {
    "equal_teams": "assuming equal teams",
    "kpi": "assuming that teams differ only as their KPI says",
    "vignettes": "assuming that vignettes are judged as people are",
    "seen": "assuming that ratings made after seeing another's are independent of it",
}


def links_table(rows: pd.DataFrame, component: np.ndarray, link: str | None, why: str = "") -> pd.DataFrame:
    """One row a group of raters: how many, how firmly held together, by whom, and what can be told.

    ``rows`` are the ratings that say something of severity; ``component`` the group of each rater; ``why`` the reason
    why no severity can be told although raters share employees.
    """
    groups = int(component.max(initial=0))
    group = component[rows["r"]]
    r, e = rows["r"].to_numpy(), rows["e"].to_numpy()
    people = rows.assign(group=group)
    n_raters = np.bincount(component, minlength=groups + 1)[1:]
    with_rows = people.groupby("group")["r"].nunique().reindex(range(1, groups + 1), fill_value=0).to_numpy()
    n_raters = np.where(with_rows > 0, with_rows, n_raters)
    real = people[people["role"].ne(VIGNETTE)]
    n_employees = real.groupby("group")["e"].nunique().reindex(range(1, groups + 1), fill_value=0).to_numpy()
    pairs = people.drop_duplicates(["r", "e"])
    shared = pairs.groupby("e")["r"].transform("size") > 1
    by_role = people.merge(pairs.loc[shared, ["r", "e"]], on=["r", "e"]).groupby(["group", "role"])["e"].nunique()

    found = []
    for number in range(1, groups + 1):
        if n_raters[number - 1] < 2:
            told = f"severity, {ASSUMPTIONS[link]}" if link in ("equal_teams", "kpi") else f"nothing: {UNLINKED}"
            found.append((np.nan, "none", told))
            continue
        own = group == number
        by = by_role.loc[number] if number in by_role.index.get_level_values(0) else pd.Series(dtype=int)
        told = f"nothing: {why}" if why else "severities against each other, within this group"
        hangs = bridges(r[own], e[own])
        if hangs:
            told += f"; {hangs} {'employee alone holds' if hangs == 1 else 'employees alone hold'} it together"
        if n_raters[number - 1] + n_employees[number - 1] <= MOST:
            connectivity = algebraic_connectivity(r[own], e[own])
        else:
            connectivity = np.nan
            told += f"; connectivity not computed: over {MOST:,} raters and employees"
        if link:
            told += f"; {ASSUMPTIONS[link]}"
        text = ", ".join(f"{role} ({n} {'cases' if role == VIGNETTE else 'employees'})" for role, n in by.items())
        found.append((connectivity, text, told))
    table = pd.DataFrame(found, columns=COLUMNS[3:])
    table.insert(0, "n_employees", n_employees)
    table.insert(0, "n_raters", n_raters)
    table.insert(0, "component", np.arange(1, groups + 1))
    return table
