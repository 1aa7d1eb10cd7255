"""A folder for each unit, from the company-wide fit: what its own committee may see, and nothing of anybody else.

The fit is computed once and cut by unit here; a cut travels to whoever makes the pack, as tables, and the pack comes
back as the bytes of its files. So nobody needs a folder in common, and a worker sees the people of its units alone.
"""

import csv
import gc
import io
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..language import say, speaking, spoken
from . import manifest as facts
from .engine import LOCAL, Engine, WorkerLost, each
from .execute import OPEN
from .kept import Kept, write_files

REPORT = "calibration_report.html"
BY_CODE = "rater_codes.csv"  # in restricted/: whose code is whose, for HR alone
BY_PSEUDONYM = "pseudonyms.csv"
TOGETHER = 4  # packs that a worker is handed at a time: what they have in common travels once
ATTEMPTS = 3  # a worker that dies at a unit takes others with it; they are asked for again, each by itself
WORTH = 12  # packs that take as long as the start of a process here
SHOWN = 20  # failed units that a message names
DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # what Windows lets no folder be called
DIED = "the process that made it died, as when memory runs out"


class UnitsFailed(RunError):
    """Some units have no pack; everything else is published at ``page``."""

    def __init__(self, failed: Mapping[str, str], page: Path):
        self.failed, self.page = dict(failed), page
        listed = "; ".join(f"{unit}: {why.rstrip('.')}" for unit, why in list(self.failed.items())[:SHOWN])
        more = f"; and {len(self.failed) - SHOWN} more" if len(self.failed) > SHOWN else ""
        super().__init__(
            f"{len(self.failed)} units have no pack: {listed}{more}. Everything else is published; "
            "run the same command again to make those alone."
        )


@dataclass(frozen=True)
class Packs:
    """The page of each unit's pack, and why a unit has none."""

    pages: Mapping[str, str]
    failed: Mapping[str, str] = field(default_factory=dict)


def folder_of(unit: str) -> str:
    """A folder name of a unit's id; an id that cannot be one gets a mark of its own, so that no two share a folder."""
    plain = re.sub(r"[^\w.-]|^\.|\.$", "_", unit)[:60]
    return plain if plain == unit and not DEVICE.match(plain) else _marked(plain, unit)


def folders_of(units: Iterable[str]) -> dict[str, str]:
    """``folder_of`` each unit, no two alike but for capitals: on Windows and macOS they would be one folder."""
    folders = {unit: folder_of(unit) for unit in units}
    often = Counter(folder.casefold() for folder in folders.values())
    return {unit: name if often[name.casefold()] == 1 else _marked(name, unit) for unit, name in folders.items()}


def _marked(plain: str, unit: str) -> str:
    return f"{plain}-{sha256(unit.encode()).hexdigest()[:8]}"


def write_packs(
    assessment: Any,
    page: Path,
    manifest: Mapping[str, Any],
    *,
    key: str = "",
    tick: Callable[[], Any] = lambda: None,
    engine: Engine | None = None,
    kept: Kept | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Packs:
    """Write ``page/units/<unit>/`` for every unit, and who is who into ``page/restricted/``.

    A unit that fails stops no other: it is among ``failed``.

    Parameters
    ----------
    key : str
        Where given, people stand under pseudonyms.
    tick : function
        Is called at each unit that is done.
    engine : Engine
        Who makes them; this process unless told otherwise.
    kept : Kept
        Packs that are done already, and where those are put that get done: they survive this process.
    tell : function
        Is told where a cluster can be watched.

    Raises
    ------
    RunError
        If the engine gives out; what is done by then is in ``kept``.
    """
    from .. import report
    from ..pseudonyms import pseudonym

    codes = report.rater_codes(assessment)
    cuts = report.Excerpts(assessment, codes=codes, company=report.company_of(assessment), key=key)
    printed = kept.facts(manifest) if kept else dict(manifest)
    units = [str(unit) for unit in cuts.units]
    folders = folders_of(units)
    done = {unit for unit in units if kept and folders[unit] in kept}
    for _ in done:
        tick()
    failed: dict[str, str] = {}
    for unit, made in _made(cuts, [unit for unit in units if unit not in done], printed, engine or Engine(), tell):
        if isinstance(made, str):
            failed[unit] = made
        elif kept:
            kept.keep(folders[unit], made)
        else:
            write_files(page / "units" / folders[unit], made)
        tick()
    there = [unit for unit in units if unit not in failed]
    if kept:
        for unit in there:
            kept.hand_over(folders[unit], page / "units" / folders[unit])
    _write_key(page / "restricted" / BY_CODE, ("rater_id", "code"), codes)
    if key:
        people = {who: pseudonym(key, who) for who in sorted(assessment.totals["employee_id"])}
        _write_key(page / "restricted" / BY_PSEUDONYM, ("employee_id", "pseudonym"), people)
    return Packs({unit: f"units/{folders[unit]}/index.html" for unit in there}, dict(sorted(failed.items())))


def pack_files(piece: Any, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """One unit's index, calibration report, workbook and tables: bytes by file name. Equal pieces give equal bytes."""
    from .. import report
    from ..io import csv_bytes

    view = report.seen(piece)
    title = say("Calibration report, {unit}", unit=piece.unit)
    parts = [{"name": "calibration_report", "title": title, "html": REPORT}]
    book = io.BytesIO()
    report.workbook(view, book, manifest=manifest)
    tables = {f"tables/{name}.csv": csv_bytes(frame) for name, frame in piece.tables().items() if len(frame)}
    return {
        REPORT: report.calibration_report(view, manifest=manifest).html().encode(),
        "index.html": report.index_page(view, manifest, parts).encode(),
        "pack.xlsx": book.getvalue(),
        **tables,
    }


def _made(
    cuts: Any, units: list[str], manifest: Mapping[str, Any], engine: Engine, tell: Callable[[str], None]
) -> Iterator[tuple[str, dict[str, bytes] | str]]:
    """Each of ``units`` with the files of its pack, or with the reason why there are none; every unit once."""
    missing = dict.fromkeys(units)
    if engine.name == LOCAL:
        engine = Engine(jobs=max(1, min(engine.jobs, len(units) // WORTH)))
    common = (dict(manifest), spoken(), "" if engine.name == LOCAL else code_and_versions())
    for attempt in range(ATTEMPTS):
        batches = _batches(cuts, list(missing), common, TOGETHER if not attempt else 1)
        try:
            for batch in each(make, batches, engine, tell):
                for unit, found in batch:
                    if unit in missing:
                        del missing[unit]
                        yield unit, found
        except WorkerLost as lost:
            tell(f"A process was lost ({lost}); {len(missing)} packs are asked for again.")
        if not missing:
            return
    for unit in missing:
        yield unit, DIED


def _batches(cuts: Any, units: Iterable[str], common: tuple, together: int) -> Iterator[bytes]:
    """What a worker is handed: some units' excerpts and what all packs share, pickled once."""
    left = iter(units)
    while names := list(islice(left, together)):
        pieces = []
        for unit in names:
            try:
                pieces.append((unit, cuts.of(unit)))
            except Exception as error:  # one unit's failure is that unit's
                pieces.append((unit, reason(error)))
        yield pickle.dumps((common, pieces), protocol=pickle.HIGHEST_PROTOCOL)


def make(batch: bytes) -> list[tuple[str, dict[str, bytes] | str]]:
    """Packs of a batch, in the process that was asked for them: (unit, its files or why there are none).

    Raises
    ------
    RunError
        If the process runs other code than the one that asks, which would mix two programs' packs in one run.
    """
    common, pieces = pickle.loads(batch)
    manifest, lang, code = common
    if code and code != code_and_versions():
        raise RunError("A worker of the cluster runs another perfmodel, Python or library than this machine.")
    made: list[tuple[str, dict[str, bytes] | str]] = []
    with speaking(lang), _collected_once():
        for unit, piece in pieces:
            try:
                made.append((unit, piece if isinstance(piece, str) else pack_files(piece, manifest)))
            except Exception as error:  # one unit's failure is that unit's
                made.append((unit, reason(error)))
    return made


@contextmanager
def _collected_once() -> Iterator[None]:
    """Figures are full of cycles; to look for them all the while takes a tenth of a pack: once a batch is enough."""
    was = gc.isenabled()
    gc.disable()
    gc.freeze()  # what was there before is not looked through
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        if was:
            gc.enable()


def reason(error: Exception) -> str:
    """Why a unit failed, in words that name no person: an error's own text only where it speaks of code."""
    name = type(error).__name__
    return f"{name}: {error}" if name in OPEN and str(error) else name


@lru_cache
def code_and_versions() -> str:
    """What two processes must have in common for their packs to be of one kind."""
    return facts.sha256(facts.canonical([facts.code_digest([]), facts.versions()]))


def _write_key(path: Path, names: tuple[str, str], pairs: Mapping[str, str]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(sorted(pairs.items()))
    path.write_text(text.getvalue(), encoding="utf-8", newline="\n")
