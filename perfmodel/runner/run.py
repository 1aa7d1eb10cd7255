"""A run from cycle to page: check, compute once, notebooks, compare, publish."""

import json
import os
import posixpath
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from ..errors import RunError, TransientError, WarningsError
from ..language import say, speaking, spoken
from ..pseudonyms import check_of
from . import lock, manifest, pdf, publish, record, translate
from .engine import Engine, WorkerLost, each
from .execute import Job, Kernels, each_as_it_ends
from .kept import Kept, kept_in
from .packs import Packs, UnitsFailed, write_packs
from .parameters import Notebook, UsageError, find_notebooks, parse_settings

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..cycle import Cycle
    from ..io.cycle import History

P = ParamSpec("P")
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
RESTRICTED = "restricted/"  # tables whose name begins so go into a folder that only its owner may enter
TIMEOUT = 600.0
FORKED = "forked"
MANY, TOGETHER = 400, 40  # raters whose pages are drawn by several processes; pages that one is asked for at a time


@dataclass(frozen=True)
class Progress:
    """What the caller wants to hear while a run goes on: sentences, steps of a known number, and what came of it."""

    say: Callable[[str], None] = lambda text: None
    steps: Callable[[int], Callable[[], None]] = lambda total: lambda: None
    done: Callable[[Path, bool], None] = lambda run, already: None  # the published run, and whether it stood before


def _alone(run: Callable[P, Path]) -> Callable[P, Path]:
    """``run``, but nobody else runs in the same folder meanwhile: the lock is held from before anything is read."""

    @wraps(run)
    def held(*args: P.args, **options: P.kwargs) -> Path:
        given: dict[str, Any] = dict(options)
        progress = given.get("progress") or Progress()
        where = folder_of(
            str(args[0] if args else given["source"]), given.get("out"), given.get("cycle"), given.get("scheme")
        )
        if where is None:  # no scheme that says which quarter it is: refused when it is read
            return run(*args, **options)
        with lock.held(where, "run", wait=given.get("wait") or 0.0, tell=progress.say) as dead:
            if dead:
                progress.say(f"{dead} was killed; what it left half made is cleared away")
            return run(*args, **options)

    return held


@_alone
def run(
    source: str,
    *,
    out: str | Path | None = None,
    notebooks: Iterable[str] = (),
    settings: Iterable[str] = (),
    units: Iterable[str] = (),
    each_unit: bool = False,
    pseudonyms: str = "",
    form: str = "html",
    lang: str = "en",
    seed: int = 1,
    jobs: int | None = None,
    engine: Engine | None = None,
    kernels: str = "fresh",
    timeout: float = TIMEOUT,
    force: bool = False,
    cycle: str | None = None,
    scheme: str | None = None,
    ledger_head: str = "",
    strict: bool = False,
    wait: float = 0.0,
    progress: Progress | None = None,
    known_as: str = "",
    bring: Callable[[Path], None] = lambda run: None,
) -> Path:
    """Check ``source``, run the notebooks on it and publish; the page to open.

    ``form`` "pdf" prints every page beside its HTML, too. ``ledger_head`` is printed as it stood, and is no part of
    the run's id: a run knows no decision. Of a quarter that was fetched, ``known_as`` is what notebooks know it as, and
    ``bring`` fetches what is published of a run before it is looked at (:mod:`perfmodel.runner.stored`).

    ``engine`` makes the packs of units, ``jobs`` processes of this machine unless told otherwise.

    ``kernels`` "forked" starts them from one process with the imports done: sooner, and where a system cannot fork,
    as ever.

    A run that fails or is killed leaves what was published before untouched. The same input, scheme,
    parameters and code are the same run: it is done once, unless ``force``. One run at a time in a folder: a second
    one waits ``wait`` seconds for the first. ``strict``: warnings refuse, before anything is computed.

    Raises
    ------
    UsageError
        For an unknown notebook, parameter or unit, before anything is computed.
    DataError, SchemeError
        If the cycle is refused.
    Busy
        If another run is going on in the same folder, and still is after ``wait`` seconds.
    TransientError
        If a notebook's kernel dies or takes longer than ``timeout`` seconds: the same may succeed another time.
    UnitsFailed
        If packs of units could not be made: the run is published without them, and run again they alone are made.
    RunError
        If a notebook fails, does not reach its last cell, or reports other numbers than the run.
    """
    progress = progress or Progress()
    if form == "pdf":
        pdf.browser()  # refused before anything is computed
    if pseudonyms and not each_unit:
        raise UsageError("--pseudonyms hides people in the packs of units, so it goes with --each-unit.")
    books = find_notebooks(notebooks, NOTEBOOKS)
    values = parse_settings(settings, books)
    units = tuple(dict.fromkeys(units))
    data, history = read(source, cycle, scheme)
    if strict:
        _refuse_warnings(data, history)
    refuse_unknown("--unit ", units, data.employees["unit"], data.id)
    asked_for = [chosen["profile"] for chosen in values.values() if chosen.get("profile")]
    refuse_unknown("--set profile=", asked_for, [profile.id for profile in data.scheme.profiles], "the scheme")

    asked = {
        "notebooks": [book.name for book in books],
        "settings": {name: chosen for name, chosen in values.items() if chosen},
        "units": list(units),
        "each_unit": each_unit,
        "pseudonyms": check_of(pseudonyms) if pseudonyms else "",
        "lang": lang,
        "form": form,
        "seed": seed,
    }
    others = read_all(source) if any(book.all_quarters for book in books) else history
    inputs = {name: digest for one in (data, *others) for name, digest in one_cycle(one).items()}
    full = manifest.identity(inputs, asked, manifest.code_digest(book.path for book in books))
    folder = Path(out) if out is not None else folder_of_cycle(data.id)
    folder.mkdir(parents=True, exist_ok=True)
    publish.clear(folder, publish.RUNS)
    run_id = _free_id(folder, full)
    target = folder / run_id

    if target.exists():
        bring(target)
    again = force or bool(target.exists() and manifest.read_manifest(target).get("failed_units"))
    if target.exists() and not again:
        publish.verify(target)
        progress.done(target, True)
        progress.say(f"{run_id}: already done; --force does it again")
        return publish.point_to(folder, run_id)

    place = known_as or (os.path.abspath(source) if os.path.exists(source) else source)
    plan = _plan(books, values, units, {"cycle": place, "seed": seed, "lang": lang})
    tick = progress.steps(len(plan) + 1 + each_unit * data.employees["unit"].nunique())
    forked = kernels == FORKED and can_fork(progress.say)
    started = _now()
    kept: Kept | None = None
    with publish.building(folder, run_id) as build:
        page, work = build / "page", build / "work"
        at_once = max(1, min(jobs or os.cpu_count() or 1, len(plan)))
        from .. import report
        from ..io import share

        try:
            with Kernels(work, at_once=at_once, timeout=timeout, forked=forked) as executor:
                futures = {executor.submit(job, page / f"{job.name}.ipynb"): job for job in plan}
                assessment = assess(data, history, seed)
                tables = assessment.tables(elsewhere=_elsewhere(jobs, progress.say))
                share(assessment, work / record.ASSESSMENT, place, seed)
                digests = _write(tables, page)
                with speaking(lang):
                    _write_restricted(assessment, page, _elsewhere(jobs, progress.say))
                tick()
                records = {}
                for job, found in each_as_it_ends(futures, tick):
                    _same_numbers(job, found, digests)
                    _take_restricted(job, found, page)
                    _tidy(page / f"{job.name}.ipynb")
                    book = page / f"{job.name}.ipynb"
                    with speaking(lang):
                        titled = _title(job, books, units)
                        report.export_html(
                            book, book.with_suffix(".html"), title=titled, simulated=bool(data.simulated)
                        )
                    records[job.name] = {"title": titled, "tables": found["tables"]}
        except RunError:
            _keep_for_inspection(page, folder, plan, progress)
            raise
        if again and target.exists():
            _same_as_published(target, page)

        written = {
            "run_id": run_id,
            "digest": full,
            "cycle": data.id,
            "status": assessment.status,
            "simulated": bool(data.simulated),
            "started": started,
            "finished": _now(),
            "parameters": asked,
            "counts": manifest.agreed(assessment.counts),
            "warnings": manifest.warnings_of(assessment.findings),
            **({"ledger_head": ledger_head} if ledger_head else {}),
            "inputs": inputs,
            "versions": manifest.versions(),
            "notebooks": {job.name: records[job.name] for job in plan},
        }
        with speaking(lang):
            report.workbook(assessment, page / "pack.xlsx", manifest=written)
            whole = report.calibration_report(assessment, manifest=written).html()
            (page / "company.html").write_text(whole, encoding="utf-8", newline="\n")
            packs = Packs({unit: f"company.html#u-{unit}" for unit in set(assessment.totals["unit"])})
            if each_unit:
                workers = engine or Engine(jobs=jobs or os.cpu_count() or 1)
                kept = kept_in(folder, full, ledger_head, anew=force)
                packs = write_packs(
                    assessment, page, written, key=pseudonyms, tick=tick, engine=workers, kept=kept, tell=progress.say
                )
                written["failed_units"] = dict(packs.failed)
            pages = [{"name": "company", "title": say("Calibration report, company"), "html": "company.html"}]
            pages += [
                {"name": name, "title": found["title"], "html": f"{name}.html", "ipynb": f"{name}.ipynb"}
                for name, found in written["notebooks"].items()
            ]
            text = report.index_page(assessment, written, pages, units=packs.pages, failed=packs.failed)
        (page / "index.html").write_text(text, encoding="utf-8", newline="\n")
        if form == "pdf":
            pdf.print_pages(sorted(page.rglob("*.html")), at_once=at_once)
        manifest.write_manifest(page, written)
        publish.publish(page, target, replace=again)
    shutil.rmtree(folder / FAILED, ignore_errors=True)
    progress.done(target, False)
    first = publish.point_to(folder, run_id)
    if packs.failed:
        raise UnitsFailed(packs.failed, first)
    if kept:
        kept.remove()
    return first


def can_fork(tell: Callable[[str], None]) -> bool:
    """Whether kernels can be forked here; told where they cannot."""
    if hasattr(os, "fork") and sys.platform != "darwin":
        return True
    tell("This system cannot fork a kernel safely, so each is started anew (--kernels fresh).")
    return False


def write_tables(
    source: str, out: str | Path, *, seed: int = 1, cycle: str | None = None, scheme: str | None = None
) -> dict[str, int]:
    """The contract's tables of ``source`` as CSV files in ``out``, each replaced whole; rows by file name."""
    out = Path(out)
    if out.resolve() == Path(source).resolve():
        raise UsageError(f"{out} holds the quarter itself; results do not belong among what was delivered.")
    data, history = read(source, cycle, scheme)
    assessment = assess(data, history, seed)
    manifest.agreed(assessment.counts)
    tables = assessment.tables(elsewhere=_elsewhere(None, lambda text: None))
    with lock.held(out, "tables"):
        publish.clear(out, "tables")
        with publish.building(out, "tables") as build:
            _write(tables, build / "page", below="")
            for name in tables:
                target = out / f"{name}.csv"
                if name.startswith(RESTRICTED):
                    _restricted(out)
                os.replace(build / "page" / f"{name}.csv", target)
    return {f"{name}.csv": len(frame) for name, frame in tables.items()}


def read(source: str, cycle: str | None = None, scheme: str | None = None) -> "tuple[Cycle, History]":
    """A checked cycle and the earlier quarters beside it."""
    from ..io import read_cycle, read_history

    return read_cycle(source, cycle=cycle, scheme=scheme), read_history(source)


def read_all(source: str) -> "list[Cycle]":
    """Every earlier quarter beside the cycle, for notebooks that look at all of them."""
    from ..io import read_beside

    return read_beside(source)


def assess(data: "Cycle", history: "History", seed: int) -> Any:
    from ..assessment import assess

    return assess(data, seed=seed, history=history)


Elsewhere = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def _elsewhere(jobs: int | None, tell: Callable[[str], None]) -> Elsewhere:
    """``map`` by processes of this machine, answers in any order."""
    engine = Engine(jobs=jobs or os.cpu_count() or 1)

    def answers(function: Callable[[Any], Any], questions: Iterable[Any]) -> Iterable[Any]:
        try:
            yield from each(function, questions, engine, tell)
        except WorkerLost as lost:
            raise TransientError(
                f"A process that shared the work ended ({lost}), as when memory runs out or it is killed. Run again, "
                "with fewer at once (--jobs 1) if memory is short."
            ) from None

    return answers


def folder_of_cycle(cycle: str) -> Path:
    """Where runs of a cycle are published unless told otherwise."""
    return Path("reports") / re.sub(r"[^\w.-]|^\.+", "_", cycle)


def folder_of(source: str, out: Any = None, cycle: Any = None, scheme: Any = None) -> Path | None:
    """Where a run of ``source`` is published: ``out``, else by the quarter's id; None where its scheme says none."""
    from ..io import id_of

    if out is not None:
        return Path(out)
    name = id_of(source, cycle, scheme)
    return folder_of_cycle(name) if name else None


def one_cycle(data: "Cycle") -> dict[str, str]:
    """Digests of a cycle's files by quarter and name; ``../2026Q2/x`` of 2026Q3 is 2026Q2's x."""
    return {posixpath.normpath(f"{data.id}/{name}"): digest for name, digest in data.digests.items()}


def refuse_unknown(option: str, names: Iterable[str], there: Iterable[str], where: str) -> None:
    """Refuse a name that is not among those ``there``, before anything is computed."""
    there = sorted(set(there))
    for name in names:
        if name not in there:
            near = get_close_matches(name, there, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UsageError(f"{option}{name}: there is none in {where}.{hint} Known: {', '.join(there)}.")


def _refuse_warnings(data: "Cycle", history: "History") -> None:
    found = [*data.findings, *getattr(history, "findings", ())]
    if warnings := [finding for finding in found if finding.level == "warning"]:
        raise WarningsError(
            f"{data.id} has {len(warnings)} warnings, and --strict computes nothing then. Mend what they name, or run "
            "without it.",
            warnings,
        )


def _plan(
    books: tuple[Notebook, ...], values: Mapping[str, dict], units: tuple[str, ...], given: Mapping[str, Any]
) -> tuple[Job, ...]:
    """One job a notebook; one a unit where the notebook takes a unit and several are asked for."""
    jobs = []
    for book in books:
        known = {name: value for name, value in given.items() if name in book.parameters} | values[book.name]
        if "unit" not in book.parameters or not units:
            jobs.append(Job(book.name, book.path, known, given["lang"]))
        for unit in units if "unit" in book.parameters else ():
            name = book.name if len(units) == 1 else book.name + re.sub(r"[^-\w.]", "_", f"-{unit}")
            jobs.append(Job(name, book.path, {**known, "unit": unit}, given["lang"]))
    if len({job.name for job in jobs}) < len(jobs):
        raise UsageError("Two units would share one file name; ask for them in two runs.")
    return tuple(jobs)


def _free_id(folder: Path, full: str) -> str:
    """The shortest beginning of ``full`` that no other run in ``folder`` has."""
    for blocks in range(3, 17):
        run_id = manifest.short(full, blocks)
        there = folder / run_id / "manifest.json"
        if not there.exists() or manifest.read_manifest(there.parent).get("digest") == full:
            return run_id
    raise AssertionError("two different digests are equal")


def _write(tables: "Mapping[str, DataFrame]", page: Path, below: str = "tables/") -> dict[str, str]:
    """Write each table below ``page``; {name: digest of the file}."""
    from ..io import csv_bytes

    digests = {}
    for name, frame in tables.items():
        if name.startswith(RESTRICTED):
            _restricted(page)
            path = page / f"{name}.csv"
        else:
            path = page / f"{below}{name}.csv"
            path.parent.mkdir(exist_ok=True)
        data = csv_bytes(frame)
        path.write_bytes(data)
        digests[name] = manifest.sha256(data)
    return digests


def _write_restricted(assessment: Any, page: Path, elsewhere: Elsewhere) -> None:
    """Write the pages for raters, and for HR and legal, in the language spoken; very many are drawn ``elsewhere``."""
    from .. import report

    _restricted(page)
    sheets = page / RESTRICTED / "feedback"
    sheets.mkdir(mode=0o700)
    many = len(assessment.raters) > MANY
    for pages in (elsewhere if many else map)(_feedback, _batches(report.own_ratings(assessment))):
        for name, sheet in pages:
            (sheets / name).write_text(sheet, encoding="utf-8", newline="\n")
    fairness = page / RESTRICTED / "fairness.html"
    fairness.write_text(report.fairness_page(assessment), encoding="utf-8", newline="\n")


def _batches(pieces: Iterable[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Pieces of a page, ``TOGETHER`` at a time, and the language to draw them in."""
    left = iter(pieces)
    while batch := list(islice(left, TOGETHER)):
        yield spoken(), batch


def _feedback(batch: tuple[str, list[Any]]) -> list[tuple[str, str]]:
    """File name and page of each rater of a batch, in the process that was asked for them."""
    from ..report import feedback_sheet

    lang, raters = batch
    with speaking(lang):
        return [feedback_sheet(own) for own in raters]


def _restricted(page: Path) -> None:
    (page / RESTRICTED).mkdir(exist_ok=True)
    (page / RESTRICTED).chmod(0o700)


def _same_numbers(job: Job, found: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    for table, digest in found["tables"].items():
        if table not in digests:
            raise RunError(f"{job.name} reports a table {table!r}, which a run does not have. Name one that it has.")
        if digest != digests[table]:
            raise RunError(
                f"{job.name} computed other numbers than the run in table {table}, so its page would contradict "
                "the tables beside it. Let the notebook take seed and history as the run does."
            )


def _take_restricted(job: Job, found: Mapping[str, Any], page: Path) -> None:
    """Publish what a notebook hands over for HR and legal alone."""
    for name, text in found["restricted"].items():
        path = page / f"{RESTRICTED}{name}.csv"
        if path.exists() or not re.fullmatch(r"\w+", name):
            raise RunError(f"{job.name} hands over a restricted table {name!r}: take a plain name that no other has.")
        _restricted(page)
        path.write_text(text, encoding="utf-8", newline="")


def _same_as_published(target: Path, page: Path) -> None:
    before, now = (manifest.digests_below(place / "tables") for place in (target, page))
    if changed := sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
        if manifest.changes(target):
            return  # the published run was damaged: this is its repair
        raise RunError(
            f"Done again, the run gives other numbers in {', '.join(changed)} for the same input, parameters and code. "
            "The published run stays. Please report this: a result must not depend on when or where it is computed."
        )


def _tidy(path: Path) -> None:
    """Take out of an executed notebook what differs at each execution: times, and papermill's paths."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"].pop("papermill", None)
    for cell in notebook["cells"]:
        for key in ("papermill", "execution"):
            cell["metadata"].pop(key, None)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


FAILED = ".failed"


def _keep_for_inspection(page: Path, folder: Path, plan: Iterable[Job], progress: Progress) -> None:
    """Leave the notebooks as far as they came where their author can open them; never among the runs."""
    kept = folder / FAILED
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(mode=0o700)
    for job in plan:
        if (page / f"{job.name}.ipynb").exists():
            shutil.copy(page / f"{job.name}.ipynb", kept)
    progress.say(f"The notebooks as far as they came: {kept}")


def _title(job: Job, books: Iterable[Notebook], units: tuple[str, ...]) -> str:
    with speaking(job.lang):
        title = translate.title(next(book.title for book in books if book.path == job.notebook))
    return f"{title} · {job.values['unit']}" if units and job.values.get("unit") else title


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
