"""The command line: a few lines a verb. What a verb needs is imported when it is called, so that help is quick."""

import argparse
import os
import signal
import sys
from functools import partial

from .. import __version__
from ..language import speak, told
from . import committee, operations, quarter
from .console import INTERRUPTED, OK, REFUSED, named, tell, usage

THREADS = [f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")] + ["VECLIB_MAXIMUM_THREADS"]


def main(argv=None) -> int:
    """Run one verb; the exit code: 0 done, 1 refused, 2 wrong usage, 130 interrupted."""
    arguments = parser().parse_args(argv)
    # The number of BLAS threads changes last digits; kernels inherit this.
    os.environ.update(dict.fromkeys(THREADS, "1"))
    speak(getattr(arguments, "lang", "en"))
    signal.signal(signal.SIGTERM, _terminated)  # so that a scheduler's stop ends the kernels too
    from ..urls import is_url, shown

    if arguments.verb not in (quarter.check, quarter.run, quarter.tables):
        given = vars(arguments).values()
        for value in (one for each in given for one in (each if isinstance(each, list) else [each])):
            if is_url(value):
                return usage(
                    f"{shown(value)}: only check, run and tables work on object storage. Copy the folder to this "
                    "machine, by the store's own tools, and name the copy."
                )
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
        from ..errors import PerfmodelError

        if not isinstance(error, PerfmodelError):
            raise
        if error.findings:
            from ..io import format_findings

            listed = format_findings(error.findings)
            print(told(listed), file=sys.stderr)
            if str(error).partition("\n")[0] in listed:  # the same findings, for whoever calls the library
                tell("refused, for the errors above; nothing was computed")
                return getattr(error, "exit_status", REFUSED)
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

    def cycle(p, several=False, stored=False):
        what = f"folder, workbook{', s3://' if stored else ''} or SQLAlchemy address of one quarter"
        p.add_argument("source", type=named, metavar="CYCLE", nargs="+" if several else None, help=what)
        p.add_argument("--cycle", metavar="ID", help="which cycle of a database")
        p.add_argument("--scheme", metavar="FILE", help="scheme.yaml where the source has none beside it")
        return p

    quarter.add(verb, partial(cycle, stored=True))  # of the others, none works on object storage
    committee.add(verb, cycle)
    operations.add(verb, cycle)
    return top


def _terminated(signum, frame):
    if "importlib._bootstrap" in frame.f_code.co_filename and hasattr(signal, "setitimer"):
        # An import's own clean-up swallows exceptions, and the run would go on: ask again in a moment.
        signal.signal(signal.SIGALRM, lambda _, there: _terminated(signum, there))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        return
    raise SystemExit(128 + signum)
