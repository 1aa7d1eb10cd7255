"""The command line: a few lines a verb. What a verb needs is imported when it is called, so that help is quick."""

import argparse
import os
import signal
import sys

from . import __version__
from .language import speak, told

OK, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130
LEDGER = "reports/ledger.sqlite"
LEDGER_HELP = f"file, or postgresql:// address (default $PERFMODEL_LEDGER, else {LEDGER})"
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
    p.add_argument("--ledger", metavar="URL", default=os.environ.get("PERFMODEL_LEDGER") or LEDGER, help=LEDGER_HELP)

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
        choices=("run", "raters", "size", "weights", "live", "pages", "session"),
        help="the run; severity beside lme4, and against size; weights beside their floor; live and pages in a browser"
        "; a meeting of many people beside one of few",
    )
    p.add_argument("--jobs", type=_count, metavar="N", help="notebooks at once (default: one a core)")

    verb("lab", lab, "open the notebooks in JupyterLab")
    _committee_verbs(verb, cycle)
    return top


def _committee_verbs(verb, cycle) -> None:
    """freeze, decide, session, finalize, ledger, explain, appeal, export, compare, annual."""

    def recorded(p):
        p.add_argument(
            "--ledger", metavar="URL", default=os.environ.get("PERFMODEL_LEDGER") or LEDGER, help=LEDGER_HELP
        )
        p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of what is said")
        return p

    def before_committee(name, function, summary):
        p = recorded(cycle(verb(name, function, summary)))
        p.add_argument("--out", type=_folder, metavar="DIR", help="where the runs are (default reports/<cycle>)")
        return p

    p = before_committee("freeze", freeze, "freeze the plan before ratings are seen, the data before the meeting")
    p.add_argument("--stage", choices=["plan", "data"], required=True)
    p.add_argument("--by", metavar="NAME", required=True, help="who freezes it")
    p.add_argument("--reason", metavar="TEXT", default="", help="why there is a new version; the first needs none")

    p = before_committee("decide", decide, "record decisions and votes: one, a file of them, or a consent list")
    p.add_argument("employee", metavar="EMPLOYEE", nargs="?", help="id of the person decided on")
    p.add_argument("--accept", action="store_true", help="the proposed grade")
    p.add_argument("--grade", metavar="G", help="this grade")
    p.add_argument("--code", metavar="R1-R10", default="", help="reason code; needed where the grade changes")
    p.add_argument("--reason", metavar="TEXT", default="", help="the reason in words; always needed")
    p.add_argument("--evidence", metavar="TEXT", default="", help="where the evidence is found")
    p.add_argument("--proposer", metavar="NAME", default="", help="who proposes")
    p.add_argument("--authoriser", metavar="NAME", default="", help="who authorises: somebody else")
    p.add_argument("--session", metavar="NAME", default="", help="the meeting")
    p.add_argument("--replaces", metavar="HASH", default="", help="the decision in force that this one replaces")
    p.add_argument("--file", metavar="FILE", help="a filled-in pack.xlsx or a CSV file of decisions")
    p.add_argument("--votes", metavar="FILE", help="a CSV file of votes: employee_id, voter, vote")
    p.add_argument("--consent", action="store_true", help="accept all that are neither flagged nor questioned")
    p.add_argument("--undo", action="store_true", help="take the decision on EMPLOYEE back, by a new entry")
    p.add_argument("--pages", action="store_true", help="only write DIR/committee again from run and ledger")

    p = before_committee("finalize", finalize, "close a quarter: two people sign; or reopen it")
    p.add_argument("--sign", metavar="NAME", action="append", default=[], help="who signs; twice, two people")
    p.add_argument("--acknowledge", metavar="CODE", action="append", default=[], help="a warning that was looked at")
    p.add_argument("--reopen", action="store_true", help="take a final quarter back, by a new entry")
    p.add_argument("--reason", metavar="TEXT", default="", help="why it is reopened")
    p.add_argument("--by", metavar="NAME", default="", help="who reopens it")

    summary = "hold the calibration meeting as a page; the last line is its address"
    p = before_committee("session", session, summary)
    p.add_argument("--port", type=_port, metavar="N", help="where it listens (default 8765, or any if that is taken)")
    p.add_argument("--host", metavar="H", default="127.0.0.1", help="default 127.0.0.1: this machine alone")
    p.add_argument("--session", metavar="NAME", default="", help="the meeting, as entries name it (default: the day)")

    p = verb("ledger", ledger, "the ledger itself: verify it, show it, export it")
    tasks = p.add_subparsers(title="tasks", metavar="TASK", required=True, dest="task")
    p = recorded(tasks.add_parser("verify", help="recompute every hash; a head kept elsewhere must be in it"))
    p.add_argument("--head", metavar="HASH", help="a head printed in a report: 12 digits or more of it")
    p = recorded(tasks.add_parser("show", help="entries, one a line"))
    p.add_argument("--cycle", metavar="ID", help="of one quarter")
    p = recorded(tasks.add_parser("export", help="every entry as one JSON object a line"))
    p.add_argument("file", metavar="FILE", help="where to write; - for standard output")
    p.add_argument("--cycle", metavar="ID", help="of one quarter")

    def told_in_both(p):
        p.add_argument(
            "--ledger", metavar="URL", default=os.environ.get("PERFMODEL_LEDGER") or LEDGER, help=LEDGER_HELP
        )
        p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the pages and of what is said")
        return p

    p = verb("explain", explain, "the sheet from which a person can compute the own result again")
    p.add_argument("words", metavar="EMPLOYEE CYCLE", nargs="+", help="whose sheet, of which quarter; or --all CYCLE")
    p.add_argument("--all", action="store_true", help="a sheet for everybody")
    p.add_argument("--cycle", metavar="ID", help="which cycle of a database")
    p.add_argument("--scheme", metavar="FILE", help="scheme.yaml where the source has none beside it")
    told_in_both(p).add_argument(
        "--out", type=_folder, metavar="DIR", help="where the runs are (default reports/<cycle>)"
    )

    p = verb("appeal", appeal, "open an appeal against a final result, or record what a panel says of it")
    tasks = p.add_subparsers(title="tasks", metavar="TASK", required=True, dest="task")

    def about(name, summary):
        p = told_in_both(cycle(tasks.add_parser(name, help=summary, description=summary, allow_abbrev=False)))
        p.add_argument("employee", metavar="EMPLOYEE", help="id of the person whose result it is")
        p.add_argument("--out", type=_folder, metavar="DIR", help="where the runs are (default reports/<cycle>)")
        return p

    p = about("open", "record an appeal, within the working days that the scheme gives")
    p.add_argument("--facts", metavar="TEXT", required=True, help="the facts that it rests on")
    p.add_argument("--by", metavar="NAME", required=True, help="who files it")
    p.add_argument("--on", type=_day, metavar="DATE", help="the day on which it came in (default today)")
    p = about("resolve", "replay the frozen figures with a corrected fact, and record the panel's outcome")
    p.add_argument("--outcome", choices=["upheld", "changed", "sent_back", "withdrawn"], required=True)
    p.add_argument("--reason", metavar="TEXT", required=True, help="the reason in words")
    p.add_argument("--panel", metavar="NAME", action="append", default=[], help="who heard it; twice or more")
    p.add_argument(
        "--correct",
        metavar="TABLE:KEY:COLUMN=VALUE",
        action="append",
        default=[],
        help="a corrected fact, such as results:gross_margin:actual=31.5; repeatable",
    )
    p.add_argument(
        "--grade", metavar="G", default="", help="with changed: this grade, else the one that the replay gives"
    )

    p = told_in_both(cycle(verb("export", export, "what payroll or the HR system is sent, of a final quarter")))
    p.add_argument("--layout", choices=["payroll", "hris"], required=True)
    p.add_argument("--out", metavar="FILE", required=True, help="the CSV file; its control totals go beside it")
    p.add_argument("--runs", type=_folder, metavar="DIR", help="where the runs are (default reports/<cycle>)")
    p.add_argument(
        "--effective", type=_day, metavar="DATE", help="effective date (default: when the quarter was final)"
    )
    p.add_argument("--by", metavar="NAME", default="", help="who sends it")
    p.add_argument("--again", action="store_true", help="write the last export again, as the ledger has it")

    p = verb("compare", compare, "two runs or two quarters: who moved, and which input did it")
    p.add_argument("before", metavar="RUN_A", help="a run's folder, a folder of runs (its newest), or a cycle")
    p.add_argument("after", metavar="RUN_B")
    p.add_argument("--csv", metavar="FILE", help="write everybody with all parts to FILE")
    p.add_argument("--seed", type=_seed, default=1, metavar="N", help="where two cycles are computed (default 1)")
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of what is said")

    p = verb("annual", annual, "quarters to a year: by three methods, from decided grades where a quarter is final")
    p.add_argument("year", type=_count, metavar="YEAR", help="the year in which its quarters began, as 2025")
    p.add_argument("--data", type=_folder, default="data", metavar="DIR", help="where the quarters lie (default data)")
    p.add_argument("--out", type=_folder, default="reports/annual", metavar="DIR", help="written to DIR/YEAR")
    p.add_argument("--ledger", metavar="URL", default=os.environ.get("PERFMODEL_LEDGER") or LEDGER, help=LEDGER_HELP)
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the page and of what is said")


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
            ledger_head=head_of(a.ledger),
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

    from .runner import bench, bench_live, bench_pages, bench_raters, bench_session, bench_weights

    parts = {
        "run": bench.measure(a.source, repeat=a.repeat, jobs=a.jobs, say=tell),
        "raters": bench_raters.beside_lme4(a.repeat, tell),
        "size": bench_raters.against_size(a.repeat, tell),
        "weights": bench_weights.weights_beside_floor(a.repeat, tell),
        "live": bench_live.live(a.repeat, tell),
        "pages": bench_pages.pages(a.repeat, tell),
        "session": bench_session.session(a.repeat, tell),
    }
    for line in chain.from_iterable(lines for name, lines in parts.items() if a.only in (None, name)):
        print(line, flush=True)
    return OK


def freeze(a) -> int:
    from . import committee
    from .io import read_cycle
    from .language import say, speaking

    with speaking(a.lang):
        cycle = read_cycle(a.source, cycle=a.cycle, scheme=a.scheme)
        done = committee.freeze(open_ledger(a.ledger), cycle, a.stage, by=a.by, reason=a.reason)
        entry = done.entries[-1]
        numbers = {"stage": told(a.stage), "cycle": cycle.id, "n": entry.data["version"], "seq": entry.seq}
        print(say("{cycle}: {stage} frozen as version {n} (entry {seq}).", **numbers))
        if a.stage == "plan" and len(cycle.ratings):
            tell("ratings lie in the cycle already, so this plan was not frozen before ratings were seen")
        print(entry.hash)
    return OK


def decide(a) -> int:
    from . import committee
    from .language import say, say_n, speaking

    given = {name: getattr(a, name) for name in ("code", "reason", "proposer", "authoriser", "session")}
    asked = [bool(a.file), bool(a.votes), a.consent, a.undo, a.pages, a.accept or bool(a.grade)]
    if sum(asked) != 1 or (a.accept and a.grade) or bool(a.employee) != (a.undo or a.accept or bool(a.grade)):
        return usage(
            "decide takes one of: EMPLOYEE --accept, EMPLOYEE --grade G, EMPLOYEE --undo, --file FILE, --votes FILE, "
            "--consent, --pages"
        )
    with speaking(a.lang):
        case = committee.open_case(a.source, a.out, a.cycle, a.scheme)
        book = open_ledger(a.ledger)
        if a.pages:
            print(committee.write_pages(book, case, force=True))
            return OK
        if a.votes:
            done = committee.vote_file(book, case, a.votes, a.session)
        elif a.file:
            done = committee.decide_file(book, case, a.file, given)
        elif a.consent:
            done = committee.consent(book, case, **given)
        elif a.undo:
            done = committee.undo(book, case, a.employee, reason=a.reason, authoriser=a.authoriser)
        else:
            more = {"evidence": a.evidence, "replaces": a.replaces}
            choice = committee.Choice(a.employee, a.grade or "", **given, **more)
            done = committee.decide(book, case, [choice])
        last = done.entries[-1]
        n = len(done.entries)
        print(
            say_n(
                "{n} entry recorded, the last is {hash}.",
                "{n} entries recorded, the last is {hash}.",
                n,
                hash=last.hash,
            )
        )
        left = done.left or {}
        if left:
            listed = ", ".join(f"{who} ({told(why)})" for who, why in sorted(left.items()))
            print(say("Not on the list, to be decided one by one: {listed}.", listed=listed))
        print(*committee.sentences(case, done.state), sep="\n")
        print(committee.write_pages(book, case))
    return OK


def session(a) -> int:
    from .committee import write_pages
    from .errors import PerfmodelError
    from .session.meeting import LOOPBACK, serve
    from .session.room import Room, facts_of

    book = open_ledger(a.ledger)
    room = Room(book, facts_of(a.source, book, a.out, a.cycle, a.scheme, a.session))
    if a.host not in LOOPBACK:
        tell(
            f"{a.host} can be reached from other machines. Whoever has the address below can read everything and "
            "decide, and what is sent is not encrypted. Use a network that is yours alone."
        )

    def ready(address: str) -> None:
        tell("whoever has this address can decide: keep it in the room. Stop with Ctrl-C; every entry is kept")
        print(address, flush=True)

    code = OK
    try:
        serve(room, host=a.host, port=a.port, ready=ready)
    except KeyboardInterrupt:
        code = INTERRUPTED
    try:
        tell(f"the meeting has ended; its pages: {write_pages(book, room.facts.case)}")
    except PerfmodelError as refused:
        tell(f"the meeting has ended; its pages could not be written: {refused}")
    return code


def finalize(a) -> int:
    from . import committee
    from .language import say, speaking

    if a.reopen and (a.sign or a.acknowledge):
        return usage("--reopen takes --reason and --by alone; sign again when the quarter is closed anew")
    with speaking(a.lang):
        case = committee.open_case(a.source, a.out, a.cycle, a.scheme)
        book = open_ledger(a.ledger)
        if a.reopen:
            done = committee.reopen(book, case, reason=a.reason, by=a.by)
            print(
                say(
                    "{cycle} is reopened (entry {n}); decisions may be changed.",
                    cycle=case.cycle.id,
                    n=done.entries[-1].seq,
                )
            )
        else:
            was = committee.state_in(book, case).final
            done = committee.finalize(book, case, a.sign, a.acknowledge)
            numbers = {"cycle": case.cycle.id, "n": done.entries[-1].seq}
            print(
                say("{cycle} is already final (entry {n}).", **numbers)
                if was
                else say("{cycle} is final (entry {n}).", **numbers)
            )
        page = committee.write_pages(book, case)
        print(committee.status_sentence(committee.scene_of(book, case)))
        print(done.entries[-1].hash)
        print(page)
    return OK


def ledger(a) -> int:
    from .language import say, speaking
    from .ledger import export_lines, open_ledger, show_rows, verify

    with speaking(a.lang):
        if a.task == "verify":
            if found := verify(a.ledger, a.head):
                print(*map(told, found), sep="\n")
                return REFUSED
            book = open_ledger(a.ledger, create=False)
            print(say("{n} entries, whole; head {head}", n=len(book.entries()), head=book.head()))
            return OK
        entries = open_ledger(a.ledger, create=False).entries(a.cycle)
        if a.task == "show":
            for row in show_rows(entries):
                print("\t".join(row.values()))
            return OK
        lines = export_lines(entries)
        if a.file == "-":
            sys.stdout.write(lines.decode("utf-8"))
            return OK
        from .io import write_atomic

        write_atomic(a.file, lines)
        print(a.file)
    return OK


def explain(a) -> int:
    from . import committee
    from .language import speaking

    if len(a.words) != (1 if a.all else 2):
        return usage("explain takes EMPLOYEE CYCLE, or --all CYCLE")
    *who, source = a.words
    with speaking(a.lang):
        case = committee.open_case(source, a.out, a.cycle, a.scheme)
        wanted = dict.fromkeys(who or case.roll.people, a.lang)
        page = committee.write_pages(open_ledger(a.ledger), case, sheets=wanted)
        for employee in wanted:
            print(page.parent / committee.sheet_path(employee))
    return OK


def appeal(a) -> int:
    from . import committee
    from .committee.publish import today
    from .language import say, say_n, speaking
    from .report import words

    with speaking(a.lang):
        case, book = committee.open_case(a.source, a.out, a.cycle, a.scheme), open_ledger(a.ledger)
        case = committee.of_final(case, committee.state_in(book, case))
        if a.task == "open":
            done = committee.open_appeal(book, case, a.employee, facts=a.facts, by=a.by, on=a.on or today())
            filed = done.entries[-1]
            print(say("The appeal of {employee} is open (entry {n}).", employee=a.employee, n=filed.seq))
        else:
            ruling = {
                "outcome": a.outcome,
                "reason": a.reason,
                "panel": a.panel,
                "correct": a.correct,
                "grade": a.grade,
            }
            done = committee.resolve_appeal(book, case, a.employee, **ruling)
            print(*committee.change_sentences(done.entries[-1].data), sep="\n")
        page = committee.write_pages(book, case)
        print(committee.status_sentence(committee.scene_of(book, case)))
        left = done.state.open_appeals
        print(
            say_n("{n} appeal is open: {ids}.", "{n} appeals are open: {ids}.", len(left), ids=words.listing(left))
            if left
            else say("No appeal is open.")
        )
        print(done.entries[-1].hash)
        print(page.parent / "restricted" / "appeals.html")
    return OK


def export(a) -> int:
    from . import committee
    from .language import say_n, speaking

    with speaking(a.lang):
        committee.must_have_folder(a.out)
        case, book = committee.open_case(a.source, a.runs, a.cycle, a.scheme), open_ledger(a.ledger)
        case = committee.of_final(case, committee.state_in(book, case))
        status = committee.scene_of(book, case).status
        made, _ = committee.export(book, case, a.layout, status=status, effective=a.effective, by=a.by, again_=a.again)
        place, control = committee.write_export(made, a.out)
        text = say_n(
            "{n} row for {layout}, {total} in all.",
            "{n} rows for {layout}, {total} in all.",
            made.rows,
            layout=a.layout,
            total=f"{made.cents / 100:.2f}",
        )
        if a.layout == "hris":
            text = say_n("{n} row for {layout}.", "{n} rows for {layout}.", made.rows, layout=a.layout)
        print(text)
        print(control)
        print(place)
        committee.write_pages(book, case)
    return OK


def compare(a) -> int:
    from . import committee
    from .io import write_csv
    from .language import speaking

    with speaking(a.lang):
        found = committee.compare(a.before, a.after, seed=a.seed)
        print(*found.sentences(), sep="\n")
        for row in found.moved.to_dict("records"):
            grades = f"{row['grade_before'] or '-'} → {row['grade_after'] or '-'}"
            print("\t".join([row["employee_id"], grades, told(row["because"])]))
        if a.csv:
            write_csv(found.table, a.csv)
            print(a.csv)
    return OK


def annual(a) -> int:
    from . import committee, ledger

    entries: tuple = ()
    head = ""
    if a.ledger != LEDGER or os.path.isfile(LEDGER):  # without one of one's own nothing was decided here
        book = ledger.open_ledger(a.ledger, create=False)
        entries, head = book.entries(), book.head()
    year, page = committee.write_year(a.data, a.year, a.out, entries, head)
    from .report import year_sentences

    print(*year_sentences(year), sep="\n")
    print(page)
    return OK


def open_ledger(place: str):
    """The ledger at ``place``, made if it is not there; the folder of the default one too."""
    from .ledger import open_ledger

    if place == LEDGER:
        os.makedirs(os.path.dirname(LEDGER), exist_ok=True)
    return open_ledger(place)


def head_of(place: str) -> str:
    """Head of the ledger at ``place``, to be printed in a report; "" where there is none yet."""
    if "://" not in place and not os.path.isfile(place):
        return ""
    from .ledger import open_ledger

    return open_ledger(place, create=False).head()


def usage(text: str) -> int:
    tell(text)
    return USAGE


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


def _day(text: str):
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2026-10-20") from None


def _port(text: str) -> int:
    number = _whole(text, 0)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; ports end at 65535")
    return number


def _folder(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no folder; write . for this one")
    return text
