"""Verbs of a quarter: check, run, tables; those that make one, sample and example; bench and lab."""

import os
import sys

from ..language import told
from .console import OK, REFUSED, bar, coloured, count, folder, head_of, seed, tell, with_ledger


def add(verb, cycle) -> None:
    """Add these verbs to the parser: ``verb(name, function, summary)`` makes one, ``cycle`` gives it a CYCLE."""

    p = cycle(verb("check", check, "read and validate a cycle; print every finding"))
    p.add_argument("--limit", type=count, default=200, metavar="N", help="findings to print (default 200)")
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the findings")

    p = cycle(verb("run", run, "check, run the notebooks, publish the report; the last line is the page to open"))
    p.add_argument("--out", type=folder, metavar="DIR", help="where runs are published (default reports/<cycle>)")
    p.add_argument("--unit", metavar="U", action="append", default=[], help="a unit to report on; repeatable")
    p.add_argument("--each-unit", action="store_true", help="a folder for each unit, of its own people alone")
    p.add_argument("--pseudonyms", metavar="KEY", default="", help="people in the packs of units under pseudonyms")
    p.add_argument("--format", choices=["html", "pdf"], default="html", help="pdf: print every page too")
    p.add_argument("--notebook", metavar="NAME", action="append", default=[], help="only this one; repeatable")
    p.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a notebook's parameter; repeatable")
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the pages and of what is said")
    p.add_argument("--seed", type=seed, default=1, metavar="N", help="fixes every random draw (default 1)")
    p.add_argument("--jobs", type=count, metavar="N", help="notebooks at once (default: one a core)")
    p.add_argument("--timeout", type=count, default=600, metavar="S", help="seconds for one notebook (default 600)")
    p.add_argument("--force", action="store_true", help="do again what is done already")
    with_ledger(p)

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
        choices=("run", "raters", "size", "weights", "live", "pages", "session", "cycles"),
        help="the run; severity beside lme4, and against size; weights beside their floor; live and pages in a browser"
        "; a meeting of many people beside one of few; large quarters, which takes long and only when named",
    )
    p.add_argument("--jobs", type=count, metavar="N", help="notebooks at once (default: one a core)")

    verb("lab", lab, "open the notebooks in JupyterLab")


def check(a) -> int:
    from ..io import check, format_findings

    cycle, findings = check(a.source, cycle=a.cycle, scheme=a.scheme)
    if findings:
        print(coloured(told(format_findings(findings, limit=a.limit))))
    if cycle is None:
        return REFUSED
    rows = ", ".join(f"{len(table)} {name}" for name, table in cycle.tables.items() if len(table))
    print(told(f"{cycle.id} can be read: {rows}"))
    return OK


def run(a) -> int:
    from ..runner import Progress
    from ..runner.stored import run

    with bar() as steps:
        page = run(
            a.source,
            out=a.out,
            notebooks=a.notebook,
            settings=a.set,
            units=a.unit,
            each_unit=a.each_unit,
            pseudonyms=a.pseudonyms,
            form=a.format,
            lang=a.lang,
            seed=a.seed,
            jobs=a.jobs,
            timeout=a.timeout,
            force=a.force,
            cycle=a.cycle,
            scheme=a.scheme,
            ledger_head=head_of(a.ledger),
            progress=Progress(tell, steps),
        )
    print(page)
    return OK


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

    from ..runner import bench, bench_cycles, bench_live, bench_pages, bench_raters, bench_session, bench_weights

    parts = {
        "run": bench.measure(a.source, repeat=a.repeat, jobs=a.jobs, say=tell),
        "raters": bench_raters.beside_lme4(a.repeat, tell),
        "size": bench_raters.against_size(a.repeat, tell),
        "weights": bench_weights.weights_beside_floor(a.repeat, tell),
        "live": bench_live.live(a.repeat, tell),
        "pages": bench_pages.pages(a.repeat, tell),
        "session": bench_session.session(a.repeat, tell),
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

    if find_spec("jupyterlab") is None:
        get = "./run python -m pip install jupyterlab ipywidgets"
        raise PerfmodelError(f"JupyterLab is not installed here. Get it with: {get}")
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", f"--notebook-dir={NOTEBOOKS}"])


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
