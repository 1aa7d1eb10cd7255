"""Which counts by group may be shown: none under five, and none from which one under five can be worked out.

The reader is taken to know each person's grades and outcomes (they stand in the other tables of a run), so the
number of people with every pattern of outcomes is known; only who belongs to which group is not. A published cell
tells how many of a group have an outcome at a stage. What such a reader can then infer of a hidden count is the
range of an integer program, solved here exactly, and cells are hidden until no small count is given away.

What is out already cannot be hidden again: a later table of the same people shows it too, and hides of its own cells
what would undo the earlier one.

What this is no protection against: a reader who knows people's groups from elsewhere, one who holds the table of a
draft in which people or their grades were others, and inference from the fact that this rule, and no other, chose the
cells to hide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

LEAST = 5  # a smaller count is not shown
SPAN = 2  # a hidden small count could be at least this many persons more or fewer, from end to end
NODES = 500  # of the branch and bound; what it leaves open counts as given away


@dataclass(frozen=True, eq=False)
class Counts:
    """People by group and pattern of outcomes, and which counts are published or can be formed.

    ``members``: (groups, patterns). ``yes``: (rows, patterns), whether a pattern has the outcome of a row (one row
    an outcome at a stage). ``parts``: pairs of rows of one stage that no pattern has both of; subtracting them gives
    who has neither. ``within``: pairs of rows of one stage of which no pattern has the first alone; subtracting it from
    the second gives who has that alone. ``flows``: pairs of rows, one outcome at two stages; their difference tells of
    who entered it and who left. ``worth``: (rows,), the more the later a row should be hidden. ``reference``: the group
    known to be the largest. Everybody belongs to one group.
    """

    members: np.ndarray
    yes: np.ndarray
    parts: Sequence[tuple[int, int]] = ()
    within: Sequence[tuple[int, int]] = ()
    flows: Sequence[tuple[int, int]] = ()
    worth: Sequence[float] = ()
    reference: int = 0

    @cached_property
    def sizes(self) -> np.ndarray:
        return self.members.sum(axis=1)

    @cached_property
    def formed(self) -> np.ndarray:
        """(formed, patterns) of every count not to be given away: rows, complements, neithers, alone, left,
        entered."""
        yes = self.yes
        neither = [~(yes[i] | yes[j]) for i, j in self.parts]
        alone = [yes[j] & ~yes[i] for i, j in self.within]
        left, entered = [yes[i] & ~yes[j] for i, j in self.flows], [yes[j] & ~yes[i] for i, j in self.flows]
        return np.array([*yes, *~yes, *neither, *alone, *left, *entered]).astype(int)

    @cached_property
    def rows_of(self) -> list[tuple[int, ...]]:
        """The rows that each formed count is made of."""
        own = [(r,) for r in range(len(self.yes))]
        return [*own, *own, *self.parts, *self.within, *self.flows, *self.flows]

    @cached_property
    def values(self) -> np.ndarray:
        """(groups, formed): the counts themselves."""
        return self.members @ self.formed.T


def hide(counts: Counts, out: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Groups of which nothing is shown (groups,), and cells whose count is not (groups, rows).

    ``out``: (groups, rows), cells that another table of the same people has shown.

    A group under ``LEAST`` people, and a cell with under ``LEAST`` people with or without the outcome, are hidden.
    Then further groups and cells, small ones before large, the reference last, until every small count could, for
    all that is published, be ``LEAST`` or more and lies in a range ``SPAN`` wide; where the company's totals and the
    group's size alone say more than that, until nothing is added to what they say. People who enter or leave an
    outcome between stages are protected against being known exactly. Last, what turns out not to be needed is shown
    again. A count that company totals alone, or cells that are out, give (nobody has a D) needs no protection and gets
    none.
    """
    groups = _hidden_groups(counts.sizes, counts.reference)
    hidden = np.repeat(groups[:, None], len(counts.yes), axis=1)
    attack = _Attack(counts, groups)
    rows = len(counts.yes)
    out = np.zeros_like(hidden) if out is None else out & ~hidden
    small = (attack.sensitive[:, :rows] | attack.sensitive[:, rows : 2 * rows]) & ~out
    while out.any() and (given := attack.given_away(~out)) is not None:
        attack.sensitive[given] = False
    hidden |= small
    while (given := attack.given_away(hidden)) is not None and not (hidden | out).all():
        hidden[attack.next_to_hide(*given, hidden | out)] = True
    spare = np.argwhere(hidden & ~small & ~groups[:, None])
    worth = np.asarray(counts.worth or np.zeros(rows))
    for g, r in sorted(spare.tolist(), key=lambda c: (-worth[c[1]], c[0] != counts.reference, -counts.values[*c], c)):
        hidden[g, r] = False
        hidden[g, r] = attack.given_away(hidden) is not None
    return groups, hidden


def _hidden_groups(sizes: np.ndarray, reference: int) -> np.ndarray:
    """Small groups, and others with them until no small size can be told."""
    small = sizes < LEAST
    hidden = small.copy()
    order = sorted(np.flatnonzero(~small), key=lambda g: (g == reference, sizes[g], g))
    while small.any() and not hidden.all():
        least, most = _sizes(sizes, hidden, reference)
        if (most[small] >= LEAST).all() and (most[small] - least[small] >= SPAN).all():
            break
        hidden[order.pop(0)] = True
    return hidden


def _sizes(sizes: np.ndarray, hidden: np.ndarray, reference: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and most people of each group when the hidden ones are known by their sum, none empty, the reference the
    largest of all."""
    least, most = sizes.copy(), sizes.copy()
    n, left = int(hidden.sum()), int(sizes[hidden].sum())
    if n < 2:
        return least, most
    if hidden[reference]:
        shown = int(sizes[~hidden].max(initial=0))
        least[hidden], most[hidden] = 1, min((left - n + 2) // 2, left - n + 2 - shown)
        least[reference], most[reference] = max(-(-left // n), shown), left - n + 1
    else:
        least[hidden] = max(1, left - (n - 1) * int(sizes[reference]))
        most[hidden] = min(int(sizes[reference]), left - n + 1)
    return least, most


class _Attack:
    """What can be inferred from published cells: the counts of tables that agree with them, found by integer programs.

    The reader's own integer program would find the same ends, so a range that is wide here is wide there.
    """

    def __init__(self, counts: Counts, groups: np.ndarray):
        self.counts, self.groups = counts, groups
        self.rows = len(counts.yes)
        self.possible = counts.values[None]  # (tables, groups, formed) of tables with the same totals and known sizes
        # Of a count whose total is known, in a group of a size so and so, nothing else being published:
        totals = counts.formed @ counts.members.sum(axis=0)
        smallest, largest = _sizes(counts.sizes, groups, counts.reference)
        most = np.minimum(largest[:, None], totals)
        least = np.maximum(0, totals - (counts.sizes.sum() - smallest)[:, None])
        few = counts.values < LEAST
        strict = np.arange(len(counts.formed)) < 2 * self.rows + len(counts.parts) + len(counts.within)
        self.sensitive = few & (least < most)
        self.reach = np.where(strict, np.minimum(LEAST, most), 0)
        self.span = np.minimum(np.where(strict, SPAN, 1), most - least)

    def given_away(self, hidden: np.ndarray) -> tuple[int, int] | None:
        """The first small count (group, formed) of which the published cells tell too much; None if there is none."""
        shown = ~hidden
        true = self.counts.values[:, : self.rows]
        agree = (self.possible[:, :, : self.rows] == true)[:, shown].all(axis=1)
        most, least = self.possible[agree].max(axis=0), self.possible[agree].min(axis=0)

        def exposed() -> np.ndarray:
            return self.sensitive & ((most < self.reach) | (most - least < self.span))

        for g, k in np.argwhere(exposed()):
            for sign in (1, -1):
                if exposed()[g, k]:
                    self.extreme(hidden, g, k, sign)
                    most, least = np.maximum(most, self.possible[-1]), np.minimum(least, self.possible[-1])
            if exposed()[g, k]:
                return int(g), int(k)
        return None

    def extreme(self, hidden: np.ndarray, g: int, k: int, sign: int) -> int:
        """Greatest (sign 1) or least (-1) value of count ``k`` of group ``g``; the table that has it is kept."""
        from scipy.optimize import Bounds, milp

        counts = self.counts
        objective = np.zeros(counts.members.shape)
        objective[g] = -sign * counts.formed[k]
        found = milp(
            objective.ravel(),
            integrality=np.ones(objective.size),
            bounds=Bounds(0, np.tile(counts.members.sum(axis=0), len(objective)).astype(float)),
            constraints=self._agreeing(hidden),
            options={"node_limit": NODES},
        )
        table = counts.members if found.x is None else np.rint(found.x).astype(int).reshape(objective.shape)
        self.possible = np.concatenate([self.possible, (table @ counts.formed.T)[None]])
        return int(self.possible[-1, g, k])

    def _agreeing(self, hidden: np.ndarray):
        """Tables with the company's totals, the known sizes and the published cells; the reference is the largest."""
        from scipy.optimize import LinearConstraint
        from scipy.sparse import csr_array

        counts, groups = self.counts, self.groups
        n_groups, n_patterns = counts.members.shape
        one, everybody = np.eye(n_groups), np.ones((1, n_patterns))
        blocks = [np.tile(np.eye(n_patterns), n_groups), np.kron(one[~groups], everybody)]
        low = [counts.members.sum(axis=0), counts.sizes[~groups]]
        for g in range(n_groups):
            blocks.append(np.kron(one[[g]], counts.yes[~hidden[g]]))
            low.append(counts.values[g, : self.rows][~hidden[g]])
        high = list(low)
        if groups.any():
            others = np.arange(n_groups) != counts.reference
            blocks += [np.kron(one[groups], everybody), np.kron(one[[counts.reference]] - one[others], everybody)]
            low += [np.ones(groups.sum()), np.zeros(others.sum())]
            high += [np.full(groups.sum(), np.inf), np.full(others.sum(), np.inf)]
        return LinearConstraint(csr_array(np.vstack(blocks)), np.concatenate(low), np.concatenate(high))

    def next_to_hide(self, g: int, k: int, settled: np.ndarray) -> tuple[int, int]:
        """The cell, not ``settled``, to hide next so that less is told of count ``k`` of group ``g``.

        First in the rows the count is made of: other groups' cells where the count is a cell of its own, else the
        group's own. Then any; what is worth least first, small counts before large, the reference last, for with it
        go all comparisons.
        """
        counts = self.counts
        worth = counts.worth or np.zeros(self.rows)

        def cost(cell: list[int]) -> tuple:
            group, r = cell
            own = counts.rows_of[k] == (r,)
            near = group != g if own else group == g
            return (
                r not in counts.rows_of[k],
                not near,
                worth[r],
                group == counts.reference,
                counts.values[group, r],
                cell,
            )

        group, r = min(np.argwhere(~settled).tolist(), key=cost)
        return group, r
