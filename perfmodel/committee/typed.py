"""Decisions and votes as a committee typed them: the pack's sheets or a CSV file, headings in English or Chinese."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from ..errors import DataError, Finding
from ..io import read_filled
from ..language import LANGUAGES, LOCALE, speaking
from .basis import NOBODY, Basis
from .rules import Choice, Vote

# What a column may be called beside its own name and its heading in the pack.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "employee_id": ("employee", "员工", "员工编号", "工号", "人员", "被考核人"),
    "decision": ("grade", "decided", "to", "决定", "决定等级", "审定等级", "最终等级"),
    "reason_code": ("code", "原因代码", "理由代码", "原因编号"),
    "reason_in_words": ("reason", "理由", "原因", "理由说明", "原因说明", "文字说明"),
    "evidence_reference": ("证据", "证据编号", "依据", "证据出处"),
    "proposer": ("proposed by", "提议人", "提名人"),
    "authoriser": ("authorizer", "authorised by", "批准人", "授权人", "审批人"),
    "session": ("meeting", "会议", "场次", "会议场次"),
    "replaces": ("取代", "替换"),
    "run": ("运行", "运行编号"),
    "voter": ("投票人", "表决人"),
    "vote": ("投票", "表决"),
    "flag": (),
}
ACCEPTED = ("accept", "accepted", "接受", "同意")
VOTED = {"同意": "agree", "质疑": "question", "有疑问": "question", "弃权": "abstain"}
NEEDED = ("employee_id", "decision", "reason_in_words")
VOTE_NEEDED = ("employee_id", "voter", "vote")


def read_choices(
    path: str | Path, given: Mapping[str, str], bases_of: Callable[[str], Mapping[str, Basis]], run: str
) -> list[Choice]:
    """Decisions in a filled-in pack or a CSV file; rows in which nothing is decided are passed over.

    ``given`` fills in proposer, authoriser, session, reason and code where the file has none. Somebody who stands in
    several rows (one a flag) is decided once if all that is typed agrees.

    Raises
    ------
    DataError
        If the file cannot be read, holds no decision, or rows on one person contradict each other.
    """
    found: dict[str, Choice] = {}
    findings = []
    for row, places, file, line, made_by in _rows(path, NEEDED):
        typed = {
            name: row.get(name, "") for name in ("decision", "reason_code", "reason_in_words", "evidence_reference")
        }
        if not any(typed.values()):
            continue
        who = row["employee_id"]
        place = (file, line, places["decision"] + 1)
        if not who:
            text = "What is typed here is on nobody: the cell of the employee is empty, or merged with the one above."
            findings.append(Finding(*place, "error", "employee-missing", text))
            continue
        if not typed["decision"]:
            text = f"{who}: a reason stands here and no decision; write the grade, or accept."
            findings.append(Finding(*place, "error", "decision-missing", text))
            continue
        looked = row.get("run", "") or made_by or run
        choice = Choice(
            who,
            "" if typed["decision"].lower() in ACCEPTED else typed["decision"],
            typed["reason_code"] or given.get("code", ""),
            typed["reason_in_words"] or given.get("reason", ""),
            typed["evidence_reference"],
            row.get("proposer", "") or given.get("proposer", ""),
            row.get("authoriser", "") or given.get("authoriser", ""),
            row.get("session", "") or given.get("session", ""),
            row.get("replaces", ""),
            None if looked == run else bases_of(looked).get(who, NOBODY),
            place,
        )
        before = found.get(who)
        if before is not None and _content(before) != _content(choice):
            text = f"{who}: decided otherwise in line {before.place[1]} of {before.place[0]}; keep one."
            findings.append(Finding(*place, "error", "contradicts", text))
        elif before is None:
            found[who] = choice
    name = Path(path).name
    if findings:
        raise DataError(f"{name}: {len(findings)} rows cannot be read as decisions, so none was recorded.", findings)
    if not found:
        raise DataError(f"{name} holds no decision: fill in the column decision, with its reason, then give it again.")
    return list(found.values())


def read_votes(path: str | Path, session: str, bases_of: Callable[[str], Mapping[str, Basis]], run: str) -> list[Vote]:
    """Votes of a CSV file or workbook: ``employee_id, voter, vote`` (agree, question, abstain), ?session, ?run."""
    found = []
    for row, places, file, line, made_by in _rows(path, VOTE_NEEDED):
        if not row["vote"]:
            continue
        looked = row.get("run", "") or made_by or run
        basis = None if looked == run else bases_of(looked).get(row["employee_id"], NOBODY)
        vote = VOTED.get(row["vote"], row["vote"])
        place = (file, line, places["vote"] + 1)
        found.append(Vote(row["employee_id"], row["voter"], vote, row.get("session", "") or session, basis, place))
    if not found:
        raise DataError(f"{Path(path).name} holds no vote: fill in the column vote, then give it again.")
    return found


def _content(choice: Choice) -> tuple[Any, ...]:
    return tuple(value for name, value in vars(choice).items() if name not in ("place", "basis"))


def _rows(path: str | Path, needed: tuple[str, ...]):
    """Cells by column, places of columns, file, line and the run of a pack, of each row.

    Raises
    ------
    DataError
        As ``read_filled``; or two columns are called alike, so that nobody can tell which one is meant.
    """
    sheets, made_by = read_filled(path, lambda header: set(needed) <= set(_places(header)))
    for sheet in sheets:
        places = _places(sheet.header)
        if alike := [text for column, text in enumerate(sheet.header) if _rival(sheet.header, places, column)]:
            raise DataError(
                f"{sheet.file}: more than one column may be what {alike[0]!r} stands for, and taking the wrong one "
                "would record what nobody decided. Leave one of them, then give the file again."
            )
        for at, line in enumerate(sheet.lines):
            row = {name: sheet.cells[column][at].strip() for name, column in places.items()}
            yield row, places, sheet.file, line, made_by


def _places(header: list[str]) -> dict[str, int]:
    """Columns by name. A table of flags has evidence of its own, which is not the reference that is asked for."""
    places: dict[str, int] = {}
    for column, text in enumerate(header):
        name = _names().get(_plain(text), "")
        if name and (name not in places or _rank(text) < _rank(header[places[name]])):
            places[name] = column
    evidence = next((column for column, text in enumerate(header) if _plain(text) == "evidence"), None)
    if evidence is not None and "flag" not in places:
        places.setdefault("evidence_reference", evidence)
    return places


def _rank(text: str) -> int:
    """0 for a column's own name or its heading in the pack, which is taken before (1) what it may be called beside."""
    return int(any(_plain(text) in map(_plain, texts) for texts in HEADERS.values()))


def _rival(header: list[str], places: dict[str, int], column: int) -> bool:
    """Whether ``column`` has as good a claim to be a column as the one that was taken."""
    name = _names().get(_plain(header[column]), "")
    return bool(name) and places[name] != column and _rank(header[column]) <= _rank(header[places[name]])


@lru_cache
def _names() -> dict[str, str]:
    from ..report.words import label

    names = {_plain(text): name for name, texts in HEADERS.items() for text in (name, *texts)}
    for lang in LANGUAGES:
        if lang == "en" or (LOCALE / lang).is_dir():
            with speaking(lang):
                names |= {_plain(label(name)): name for name in HEADERS}
    return names


def _plain(text: str) -> str:
    return " ".join(normalize("NFKC", text).replace("_", " ").casefold().split())
