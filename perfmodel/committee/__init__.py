"""The committee: from a published run and the ledger to decisions, a final quarter, and what follows from it.

- ``open_case(source, out=None, cycle=None, scheme=None, run=None)`` -> Case: the cycle and its newest run, checked.
  ``case.roll`` holds what rules need: people with their grades and basis, grades, warnings, late figures.
- ``state_of(entries, cycle=None)`` -> State: a pure fold of a quarter's entries; ``state_in(ledger, case)`` reads them.
- Commands, each one transaction, each giving ``Done(entries, state, left)``: ``freeze, decide, decide_file, consent,
  undo, vote, vote_file, finalize, reopen``. A command given again gives its standing entries.
- Rules behind them (``rules``): functions of (state, roll, request) that return drafts or raise DecisionError.
- ``write_pages(ledger, case)`` -> page to open; ``sentences(case, state)``: pool and distribution in words.
- ``write_year(folder, year, out, entries, head)`` -> page: the year from decided grades, else from proposals.
- ``follow(entries, case)`` -> Followed, ``turned_out(rows)``: how the decisions of earlier quarters turned out.
- ``compare(before, after)``: who moved between two runs or cycles, and which input did it.
"""

from .annual import Source, write_year, year_of
from .basis import Basis, bases, changes, digest_of
from .case import Case, Person, Roll, open_case
from .compare import Comparison, compare
from .following import agenda_table, decisions_table, moves_table, outcome_tables
from .pages import Scene, sentences, status_sentence
from .publish import scene_of, write_pages
from .record import (
    Done,
    as_it_stands,
    consent,
    decide,
    decide_file,
    decided_distribution,
    decided_pool,
    finalize,
    freeze,
    reopen,
    state_in,
    undo,
    vote,
    vote_file,
)
from .rules import CODES, Choice, Vote
from .state import Appeal, Standing, State, state_of, status_of, tally, void, window_of
from .turned_out import Followed, follow, turned_out

__all__ = [
    "CODES",
    "Appeal",
    "Basis",
    "Case",
    "Choice",
    "Comparison",
    "Done",
    "Followed",
    "Person",
    "Roll",
    "Scene",
    "Source",
    "Standing",
    "State",
    "Vote",
    "agenda_table",
    "as_it_stands",
    "bases",
    "changes",
    "compare",
    "consent",
    "decide",
    "decide_file",
    "decided_distribution",
    "decided_pool",
    "decisions_table",
    "digest_of",
    "finalize",
    "follow",
    "freeze",
    "moves_table",
    "open_case",
    "outcome_tables",
    "reopen",
    "scene_of",
    "sentences",
    "state_in",
    "state_of",
    "status_of",
    "status_sentence",
    "tally",
    "turned_out",
    "undo",
    "void",
    "vote",
    "vote_file",
    "window_of",
    "write_pages",
    "write_year",
    "year_of",
]
