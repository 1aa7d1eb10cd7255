"""The command line: a few lines a verb. What a verb needs is imported when it is called, so that help is quick."""

import argparse
import os
import signal
import sys

from . import __version__
from .language import speak, told

OK, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130
THREADS = [f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")] + ["VECLIB_MAXIMUM_THREADS"]


def main(argv=None) -> int:
    """Run one verb; the exit code: 0 done, 1 refused, 2 wrong usage, 130 interrupted."""
    arguments = parser().parse_args(argv)
    # The number of BLAS threads changes last digits; kernels inherit this.
    os.environ.update(dict.fromkeys(THREADS, "1"))
    speak(getattr(arguments, "lang", "en"))
    signal.signal(signal.SIGTERM, _terminated)  # so that a scheduler's stop ends the kernels too
    try:
        code = arguments.verb(arguments) or OK
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        tell("interrupted; nothing was published")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        tell(f"{error.strerror or error}{place}. Nothing was published.")
        return REFUSED
    except MemoryError:
        tell("memory ran out; nothing was published. Use fewer --jobs, or a machine with more memory.")
        return REFUSED
    except Exception as error:
        from .errors import PerfmodelError

        if not isinstance(error, PerfmodelError):
            raise
        if error.findings:
            from .io import format_findings

            print(told(format_findings(error.findings)), file=sys.stderr)
        tell(str(error))
        return getattr(error, "exit_status", REFUSED)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="perfmodel", description="Look at performance results before they become final.", allow_abbrev=False
    )
    top.add_argument("--version", action="version", version=f"perfmodel {__version__}")
    verbs = top.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name, function, summary):
        p = verbs.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        p.set_defaults(verb=function)
        return p

    def cycle(p):
        p.add_argument("source", metavar="CYCLE", help="folder, workbook or SQLAlchemy URL of one quarter")
        p.add_argument("--cycle", metavar="ID", help="which cycle of a database")
        p.add_argument("--scheme", metavar="FILE", help="scheme.yaml where the source has none beside it")
        return p

    p = cycle(verb("check", check, "read and validate a cycle; print every finding"))
    p.add_argument("--limit", type=_count, default=200, metavar="N", help="findings to print (default 200)")
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the findings")

    p = cycle(verb("run", run, "check, run the notebooks, publish the report; the last line is the page to open"))
    p.add_argument("--out", type=_folder, metavar="DIR", help="where runs are published (default reports/<cycle>)")
    p.add_argument("--unit", metavar="U", action="append", default=[], help="a unit to report on; repeatable")
    p.add_argument("--each-unit", action="store_true", help="a folder for each unit, of its own people alone")
    p.add_argument("--pseudonyms", metavar="KEY", default="", help="people in the packs of units under pseudonyms")
    p.add_argument("--format", choices=["html", "pdf"], default="html", help="pdf: print every page too")
    p.add_argument("--notebook", metavar="NAME", action="append", default=[], help="only this one; repeatable")
    p.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a notebook's parameter; repeatable")
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the pages and of what is said")
    p.add_argument("--seed", type=_seed, default=1, metavar="N", help="fixes every random draw (default 1)")
    p.add_argument("--jobs", type=_count, metavar="N", help="notebooks at once (default: one a core)")
    p.add_argument("--timeout", type=_count, default=600, metavar="S", help="seconds for one notebook (default 600)")
    p.add_argument("--force", action="store_true", help="do again what is done already")

    p = cycle(verb("tables", tables, "the same numbers as CSV files: no notebook, no kernel"))
    p.add_argument("--out", type=_folder, metavar="DIR", required=True)
    p.add_argument("--seed", type=_seed, default=1, metavar="N", help="fixes every random draw (default 1)")

    p = verb("sample", sample, "write simulated quarters, their known truth beside them")
    p.add_argument("dir", metavar="DIR")
    p.add_argument("--employees", type=_count, metavar="N")
    p.add_argument("--quarters", type=_count, metavar="K")
    p.add_argument("--seed", type=_seed, metavar="N")
    p.add_argument("--design", choices=["nested", "linked"], help="who rates whom: within units alone, or across them")
    p.add_argument("--force", action="store_true", help="overwrite files that differ")

    p = verb("example", example, "real data, written and computed: InstEval as a cycle, USJudgeRatings as points")
    p.add_argument("name", choices=["insteval", "usjudge"])
    p.add_argument("dir", metavar="DIR", nargs="?", help="where to write (default reports/examples/NAME)")
    p.add_argument("--force", action="store_true", help="overwrite files that differ")

    p = verb("bench", bench, "time the program beside its peers; prints ratios")
    p.add_argument("source", metavar="CYCLE", nargs="?", help="a quarter to run and read (default: the shipped sample)")
    p.add_argument("--repeat", type=_count, default=5, metavar="N", help="runs of each; the median counts (default 5)")
    p.add_argument(
        "--only",
        choices=("run", "raters", "size", "weights", "live", "pages"),
        help="the run; severity beside lme4, and against size; weights beside their floor; live and pages in a browser",
    )
    p.add_argument("--jobs", type=_count, metavar="N", help="notebooks at once (default: one a core)")

    verb("lab", lab, "open the notebooks in JupyterLab")
    return top


def check(a) -> int:
    from .io import check, format_findings

    cycle, findings = check(a.source, cycle=a.cycle, scheme=a.scheme)
    if findings:
        print(coloured(told(format_findings(findings, limit=a.limit))))
    if cycle is None:
        return REFUSED
    rows = ", ".join(f"{len(table)} {name}" for name, table in cycle.tables.items() if len(table))
    print(told(f"{cycle.id} can be read: {rows}"))
    return OK


def run(a) -> int:
    from .runner import Progress, run

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
            progress=Progress(tell, steps),
        )
    print(page)
    return OK


def tables(a) -> int:
    from .runner import write_tables

    for name, rows in write_tables(a.source, a.out, seed=a.seed, cycle=a.cycle, scheme=a.scheme).items():
        print(f"{os.path.join(a.out, name)}: {rows} rows")
    return OK


def sample(a) -> int:
    from .simulate import sample_files

    asked = {key: getattr(a, key) for key in ("employees", "quarters", "seed", "design")}
    files = sample_files(**{key: value for key, value in asked.items() if value is not None})
    write_files(a.dir, files, force=a.force)
    quarters = sorted({name.split("/")[0] for name in files if name.endswith("/scheme.yaml")})
    tell(f"{len(files)} files, simulated: no person in them exists. Next: perfmodel check {a.dir}/{quarters[-1]}")
    print(a.dir)
    return OK


def example(a) -> int:
    from . import examples

    place = a.dir or os.path.join("reports", "examples", a.name)
    if a.name == "usjudge":
        write_files(place, examples.usjudge_files(), force=a.force)
        tell("USJudgeRatings as points, and what every choice of weights makes of them")
        print(*examples.usjudge_sentences(), sep="\n")
        print(place)
        return OK
    from .runner import write_tables

    write_files(place, examples.insteval_files(), force=a.force)
    tell(f"{place}: lme4's InstEval as a cycle, real ratings; now its tables")
    found = f"{place}-tables"
    write_tables(place, found)
    print(examples.insteval_sentence())
    print(found)
    return OK


def bench(a) -> int:
    from itertools import chain

    from .runner import bench, bench_live, bench_pages, bench_raters, bench_weights

    parts = {
        "run": bench.measure(a.source, repeat=a.repeat, jobs=a.jobs, say=tell),
        "raters": bench_raters.beside_lme4(a.repeat, tell),
        "size": bench_raters.against_size(a.repeat, tell),
        "weights": bench_weights.weights_beside_floor(a.repeat, tell),
        "live": bench_live.live(a.repeat, tell),
        "pages": bench_pages.pages(a.repeat, tell),
    }
    for line in chain.from_iterable(lines for name, lines in parts.items() if a.only in (None, name)):
        print(line, flush=True)
    return OK


def lab(a) -> int:
    from importlib.util import find_spec

    from .errors import PerfmodelError
    from .runner import NOTEBOOKS

    if find_spec("jupyterlab") is None:
        get = "./run python -m pip install jupyterlab ipywidgets"
        raise PerfmodelError(f"JupyterLab is not installed here. Get it with: {get}")
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", f"--notebook-dir={NOTEBOOKS}"])


def write_files(place: str, files: dict[str, bytes], *, force: bool) -> None:
    """Write ``files`` below ``place``, never over somebody's own: what is there must be the same, or ``force``."""
    from pathlib import Path

    from .errors import PerfmodelError

    folder = Path(place)
    there = [name for name in files if (folder / name).exists()]
    differ = [name for name in there if (folder / name).read_bytes() != files[name]]
    if differ and not force:
        raise PerfmodelError(
            f"{place} holds other files of these names: {', '.join(differ[:3])}"
            f"{f' and {len(differ) - 3} more' if len(differ) > 3 else ''}. "
            "They may be somebody's work. Choose another folder, or overwrite them with --force."
        )
    if not there and not force and folder.is_dir() and any(folder.iterdir()):
        raise PerfmodelError(f"{place} is not empty. Choose another folder, or write into this one with --force.")
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in there or name in differ:
            path.write_bytes(data)


def tell(text: str) -> None:
    """A finished sentence to the user, in the language spoken."""
    print(f"perfmodel: {told(text)}", file=sys.stderr, flush=True)


def coloured(text: str) -> str:
    """``text`` with errors red and warnings yellow on a terminal, unless NO_COLOR is set."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    for level, colour in (("error", 31), ("warning", 33)):
        text = text.replace(f": {told(level)}: ", f": \033[{colour}m{told(level)}\033[0m: ")
    return text


class bar:
    """A progress bar on stderr where that is a terminal; nothing elsewhere."""

    def __enter__(self):
        self._bar = None
        return self._steps

    def _steps(self, total: int):
        if not sys.stderr.isatty():
            return lambda: None
        from tqdm import tqdm

        self._bar = tqdm(total=total, file=sys.stderr, leave=False, bar_format="{bar:30} {n_fmt}/{total_fmt} {elapsed}")
        return self._bar.update

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()


def _terminated(signum, frame):
    if "importlib._bootstrap" in frame.f_code.co_filename and hasattr(signal, "setitimer"):
        # An import's own clean-up swallows exceptions, and the run would go on: ask again in a moment.
        signal.signal(signal.SIGALRM, lambda _, there: _terminated(signum, there))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        return
    raise SystemExit(128 + signum)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of {least} or more")
    return int(text)


def _count(text: str) -> int:
    return _whole(text, 1)


def _seed(text: str) -> int:
    return _whole(text, 0)


def _folder(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no folder; write . for this one")
    return text
