"""Verbs of a quarter: check, run, tables; those that make one, sample and example; bench and lab."""

import os
import sys

from ..language import told
from .console import (
    OK,
    bar,
    coloured,
    count,
    folder,
    port,
    print_json,
    report,
    seconds,
    seed,
    tell,
    with_ledger,
    with_notice,
)


def add(verb, cycle) -> None:
    """Add these verbs to the parser: ``verb(name, function, summary)`` makes one, ``cycle`` gives it a CYCLE."""

    p = cycle(verb("check", check, "read and validate a cycle; print every finding"))
    p.add_argument("--limit", type=count, default=200, metavar="N", help="findings to print (default 200)")
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the findings")
    p.add_argument("--newest", action="store_true", help="CYCLE is a folder of quarters: the one that closed last")
    p.add_argument("--strict", action="store_true", help="warnings refuse")
    p.add_argument("--json", action="store_true", help="one JSON line of counts on stdout, findings on stderr")

    p = verb("run", run, "check, run the notebooks, publish the report; the last line is the page to open")
    p = cycle(p, several=True)
    where = "where runs are published (default reports/<cycle>); of several CYCLEs, the folder above theirs"
    p.add_argument("--out", type=folder, metavar="DIR", help=where)
    p.add_argument("--newest", action="store_true", help="CYCLE is a folder of quarters: the one that closed last")
    p.add_argument("--force", action="store_true", help="do again what is done already")
    p.add_argument("--wait", type=seconds, default=0.0, metavar="S", help="seconds to wait for another run in DIR")
    p.add_argument("--json", action="store_true", help="one JSON line on stdout in place of the page to open")
    with_run(p)

    p = cycle(verb("tables", tables, "the same numbers as CSV files: no notebook, no kernel"))
    p.add_argument("--out", type=folder, metavar="DIR", required=True)
    p.add_argument("--seed", type=seed, default=1, metavar="N", help="fixes every random draw (default 1)")

    p = verb("sample", sample, "write simulated quarters, their known truth beside them")
    p.add_argument("dir", metavar="DIR")
    p.add_argument("--employees", type=count, metavar="N")
    p.add_argument("--quarters", type=count, metavar="K")
    p.add_argument("--seed", type=seed, metavar="N")
    p.add_argument("--design", choices=["nested", "linked"], help="who rates whom: within units alone, or across them")
    p.add_argument("--units", type=count, metavar="N", help="units (default: one for every twenty people)")
    p.add_argument("--force", action="store_true", help="overwrite files that differ")

    p = verb("example", example, "real data, written and computed: InstEval as a cycle, USJudgeRatings as points")
    p.add_argument("name", choices=["insteval", "usjudge"])
    p.add_argument("dir", metavar="DIR", nargs="?", help="where to write (default reports/examples/NAME)")
    p.add_argument("--force", action="store_true", help="overwrite files that differ")

    p = verb("bench", bench, "time the program beside its peers; prints ratios")
    p.add_argument("source", metavar="CYCLE", nargs="?", help="a quarter to run and read (default: the shipped sample)")
    p.add_argument("--repeat", type=count, default=5, metavar="N", help="runs of each; the median counts (default 5)")
    p.add_argument(
        "--only",
        choices=("run", "raters", "size", "weights", "live", "pages", "session", "packs", "cycles"),
        help="the run; severity beside lme4, and against size; weights beside their floor; live and pages in a browser"
        "; a meeting of many people beside one of few; packs of units beside papermill and a script; large quarters, "
        "which takes long and only when named",
    )
    p.add_argument("--jobs", type=count, metavar="N", help="notebooks at once (default: one a core)")

    p = verb("lab", lab, "open the notebooks in JupyterLab, the quarters beside them")
    p.add_argument("notebook", metavar="NAME", nargs="?", default="01_data_check", help="default: 01_data_check")
    p.add_argument("--port", type=port, metavar="N", help="where it listens (default 8888, or the next that is free)")
    p.add_argument("--no-browser", action="store_true", help="print the address only")


def with_run(p):
    """``p`` with the options that say what a run computes and whom it tells, also one on a schedule."""
    p.add_argument("--unit", metavar="U", action="append", default=[], help="a unit to report on; repeatable")
    p.add_argument("--each-unit", action="store_true", help="a folder for each unit, of its own people alone")
    p.add_argument(
        "--pseudonyms", metavar="KEY", default="", help="people in packs under pseudonyms; env:NAME hides the key"
    )
    p.add_argument("--format", choices=["html", "pdf"], default="html", help="pdf: print every page too")
    p.add_argument("--notebook", metavar="NAME", action="append", default=[], help="only this one; repeatable")
    p.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a notebook's parameter; repeatable")
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the pages and of what is said")
    p.add_argument("--seed", type=seed, default=1, metavar="N", help="fixes every random draw (default 1)")
    p.add_argument("--jobs", type=count, metavar="N", help="notebooks at once (default: one a core)")
    p.add_argument("--engine", choices=["loky", "dask"], default="loky", help="who makes packs and runs several CYCLEs")
    p.add_argument("--cluster", metavar="URL", default="", help="tcp://HOST:PORT of the scheduler of --engine dask")
    p.add_argument("--kernels", choices=["fresh", "forked"], default="fresh", help="forked: from one with imports done")
    p.add_argument("--timeout", type=count, default=600, metavar="S", help="seconds for one notebook (default 600)")
    p.add_argument("--strict", action="store_true", help="warnings refuse, before anything is computed")
    return with_ledger(with_notice(p))


def options_of(a) -> dict:
    """Those options by the names that ``runner.attempt`` has for them."""
    options = {"notebooks": a.notebook, "settings": a.set, "units": a.unit, "form": a.format}
    same = "each_unit pseudonyms lang seed jobs engine cluster kernels timeout strict cycle scheme ledger".split()
    return options | {name: getattr(a, name) for name in same}


def check(a) -> int:
    from datetime import date

    from ..errors import RunError
    from ..io import check, format_findings
    from ..runner.outcome import checked
    from ..runner.quarters import closed_quarter

    try:
        source = closed_quarter(a.source, date.today()) if a.newest else a.source
    except RunError as refused:
        if a.json:
            print_json(checked(None, ()) | {"what": str(refused)})
        raise
    cycle, findings = check(source, cycle=a.cycle, scheme=a.scheme)
    said = checked(cycle, findings, strict=a.strict)
    if findings:
        print(coloured(told(format_findings(findings, limit=a.limit))), file=sys.stderr if a.json else sys.stdout)
    if a.json:
        print_json(said)
    elif cycle is not None:
        rows = ", ".join(f"{n} {name}" for name, n in said["tables"].items())
        print(told(f"{cycle.id} can be read: {rows}"))
    return said["exit"]


def run(a) -> int:
    from ..runner import Progress, attempt
    from ..runner.lock import now
    from ..runner.notify import base, targets
    from ..runner.outcome import not_done
    from ..runner.parameters import UsageError

    try:
        if len(a.source) > 1 and a.newest:
            raise UsageError("--newest looks for the quarter in one folder, so it goes with one CYCLE")
        told_to = {"notify": targets(a.notify), "link": base(a.link), "as_json": a.json}
    except UsageError as refused:
        report(not_done(refused, now()), notify=(), link="", as_json=a.json)
        raise
    with bar() as steps:
        more = {"out": a.out, "force": a.force, "wait": a.wait, "progress": Progress(tell, steps)}
        if len(a.source) > 1:
            return run_several(a.source, options_of(a) | more, told_to)
        outcome = attempt(a.source[0], newest=a.newest, **options_of(a), **more)
    report(outcome, **told_to)
    if outcome.error is not None:
        raise outcome.error
    return outcome.exit


def run_several(sources, options, told_to) -> int:
    """Every CYCLE of the command; a line each on stdout, why not on stderr."""
    from ..io import format_findings
    from ..runner import run_each

    code = OK
    for ended in run_each(sources, **options):
        for text in ended.said:
            tell(f"{ended.source}: {text}")
        if ended.findings:
            print(told(format_findings(ended.findings)), file=sys.stderr)
        if ended.error:
            tell(f"{ended.source}: {ended.error}")
        report(ended.outcome, **told_to, of=ended.source)
        code = max(code, ended.outcome.exit)
    return code


def tables(a) -> int:
    from ..runner.stored import write_tables

    for name, rows in write_tables(a.source, a.out, seed=a.seed, cycle=a.cycle, scheme=a.scheme).items():
        print(f"{os.path.join(a.out, name)}: {rows} rows")
    return OK


def sample(a) -> int:
    from ..simulate import sample_files

    asked = {key: getattr(a, key) for key in ("employees", "quarters", "seed", "design", "units")}
    files = sample_files(**{key: value for key, value in asked.items() if value is not None})
    write_files(a.dir, files, force=a.force)
    quarters = sorted({name.split("/")[0] for name in files if name.endswith("/scheme.yaml")})
    tell(f"{len(files)} files, simulated: no person in them exists. Next: perfmodel check {a.dir}/{quarters[-1]}")
    print(a.dir)
    return OK


def example(a) -> int:
    from .. import examples

    place = a.dir or os.path.join("reports", "examples", a.name)
    if a.name == "usjudge":
        write_files(place, examples.usjudge_files(), force=a.force)
        tell("USJudgeRatings as points, and what every choice of weights makes of them")
        print(*examples.usjudge_sentences(), sep="\n")
        print(place)
        return OK
    from ..runner import write_tables

    write_files(place, examples.insteval_files(), force=a.force)
    tell(f"{place}: lme4's InstEval as a cycle, real ratings; now its tables")
    found = f"{place}-tables"
    write_tables(place, found)
    print(examples.insteval_sentence())
    print(found)
    return OK


def bench(a) -> int:
    from itertools import chain

    from ..runner import (
        bench,
        bench_cycles,
        bench_live,
        bench_packs,
        bench_pages,
        bench_raters,
        bench_session,
        bench_weights,
    )

    parts = {
        "run": bench.measure(a.source, repeat=a.repeat, jobs=a.jobs, say=tell),
        "raters": bench_raters.beside_lme4(a.repeat, tell),
        "size": bench_raters.against_size(a.repeat, tell),
        "weights": bench_weights.weights_beside_floor(a.repeat, tell),
        "live": bench_live.live(a.repeat, tell),
        "pages": bench_pages.pages(a.repeat, tell),
        "session": bench_session.session(a.repeat, tell),
        "packs": bench_packs.packs(a.repeat, tell),
        "cycles": bench_cycles.cycles(a.repeat, tell),
    }
    wanted = [a.only] if a.only else [name for name in parts if name != "cycles"]
    for line in chain.from_iterable(parts[name] for name in wanted):
        print(line, flush=True)
    return OK


def lab(a) -> int:
    from importlib.util import find_spec

    from ..errors import PerfmodelError
    from ..runner import NOTEBOOKS
    from ..runner.parameters import find_notebooks

    if find_spec("jupyterlab") is None:
        get = "./run python -m pip install jupyterlab ipywidgets"
        raise PerfmodelError(f"JupyterLab is not installed here. Get it with: {get}")
    (book,) = find_notebooks([a.notebook], NOTEBOOKS)
    own = NOTEBOOKS.parent  # so that data and reports can be seen from there
    root = own if book.path.is_relative_to(own) else book.path.parent
    page = book.path.relative_to(root).as_posix()
    options = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{page}"]
    options += ["--no-browser"] * a.no_browser + ([f"--ServerApp.port={a.port}"] if a.port is not None else [])
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *options])


def write_files(place: str, files: dict[str, bytes], *, force: bool) -> None:
    """Write ``files`` below ``place``, never over somebody's own: what is there must be the same, or ``force``."""
    from pathlib import Path

    from ..errors import PerfmodelError

    below = Path(place)
    there = [name for name in files if (below / name).exists()]
    differ = [name for name in there if (below / name).read_bytes() != files[name]]
    if differ and not force:
        raise PerfmodelError(
            f"{place} holds other files of these names: {', '.join(differ[:3])}"
            f"{f' and {len(differ) - 3} more' if len(differ) > 3 else ''}. "
            "They may be somebody's work. Choose another folder, or overwrite them with --force."
        )
    if not there and not force and below.is_dir() and any(below.iterdir()):
        raise PerfmodelError(f"{place} is not empty. Choose another folder, or write into this one with --force.")
    for name, data in files.items():
        path = below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in there or name in differ:
            path.write_bytes(data)
