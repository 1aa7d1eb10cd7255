"""The committee: from a published run and the ledger to decisions, a final quarter, and what follows from it.

- ``open_case(source, out=None, cycle=None, scheme=None, run=None)`` -> Case: the cycle and its newest run, checked.
  ``case.roll`` holds what rules need: people with their grades and basis, grades, warnings, late figures.
- ``state_of(entries, cycle=None)`` -> State: a pure fold of a quarter's entries; ``state_in(ledger, case)`` reads them.
- Commands, each one transaction, each giving ``Done(entries, state, left)``: ``freeze, decide, decide_file, consent,
  undo, vote, vote_file, finalize, reopen``. A command given again gives its standing entries.
- Rules behind them (``rules``): functions of (state, roll, request) that return drafts or raise DecisionError.
- ``write_pages(ledger, case)`` -> page to open; ``sentences(case, state)``: pool and distribution in words.
- ``open_appeal, resolve_appeal`` (on the case of the final run: ``of_final``); ``corrections_table(state)``.
- ``export(ledger, case, layout, *, status, ...)`` -> (Exported, Done); ``write_export(made, path)``.
- ``write_pages(..., sheets={employee: lang})`` writes explanation sheets too; ``sheet_path(employee)`` is where.
- ``write_year(folder, year, out, entries, head)`` -> page: the year from decided grades, else from proposals.
- ``follow(entries, case)`` -> Followed, ``turned_out(rows)``: how the decisions of earlier quarters turned out.
- ``compare(before, after)``: who moved between two runs or cycles, and which input did it.
"""

from .annual import Source, write_year, year_of
from .appeal_pages import appeal_files, change_sentences
from .appeals import Ruling, corrections_table, open_appeal, resolve_appeal
from .basis import Basis, bases, changes, digest_of
from .case import Case, Person, Roll, open_case
from .compare import Comparison, compare
from .explain import sheet_path, sheets_of
from .exports import Exported, control_of, export, must_have_folder, write_export
from .following import agenda_table, decisions_table, moves_table, outcome_tables
from .pages import Scene, sentences, status_sentence
from .publish import of_final, scene_of, write_pages
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
    "Exported",
    "Followed",
    "Person",
    "Roll",
    "Ruling",
    "Scene",
    "Source",
    "Standing",
    "State",
    "Vote",
    "agenda_table",
    "appeal_files",
    "as_it_stands",
    "bases",
    "change_sentences",
    "changes",
    "compare",
    "consent",
    "control_of",
    "corrections_table",
    "decide",
    "decide_file",
    "decided_distribution",
    "decided_pool",
    "decisions_table",
    "digest_of",
    "export",
    "finalize",
    "follow",
    "freeze",
    "moves_table",
    "must_have_folder",
    "of_final",
    "open_appeal",
    "open_case",
    "outcome_tables",
    "reopen",
    "resolve_appeal",
    "scene_of",
    "sentences",
    "sheet_path",
    "sheets_of",
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
    "write_export",
    "write_pages",
    "write_year",
    "year_of",
]
