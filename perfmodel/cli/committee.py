"""Verbs of the committee: freeze, decide, session, finalize, ledger, explain, appeal, export, compare, annual."""

import os
import sys

from ..language import told
from .console import (
    INTERRUPTED,
    LEDGER,
    OK,
    REFUSED,
    count,
    day,
    folder,
    named,
    open_ledger,
    port,
    seed,
    tell,
    usage,
    with_ledger,
)


def add(verb, cycle) -> None:
    """Add these verbs to the parser: ``verb(name, function, summary)`` makes one, ``cycle`` gives it a CYCLE."""

    def recorded(p):
        with_ledger(p)
        p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of what is said")
        return p

    def before_committee(name, function, summary):
        p = recorded(cycle(verb(name, function, summary)))
        p.add_argument("--out", type=folder, metavar="DIR", help="where the runs are (default reports/<cycle>)")
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
    p.add_argument("--replaces", metavar="HASH", default="", help="the decision in force that is replaced")
    p.add_argument("--file", metavar="FILE", help="a filled-in pack.xlsx or a CSV file of decisions")
    p.add_argument("--votes", metavar="FILE", help="a CSV file: employee_id, voter, vote (agree, question or abstain)")
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
    p.add_argument("--port", type=port, metavar="N", help="where it listens (default 8765, or any if that is taken)")
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
        with_ledger(p)
        p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the pages and of what is said")
        return p

    p = verb("explain", explain, "the sheet from which a person can compute the own result again")
    p.add_argument(
        "words", type=named, metavar="EMPLOYEE CYCLE", nargs="+", help="whose sheet, of which quarter; or --all CYCLE"
    )
    p.add_argument("--all", action="store_true", help="a sheet for everybody")
    p.add_argument("--cycle", metavar="ID", help="which cycle of a database")
    p.add_argument("--scheme", metavar="FILE", help="scheme.yaml where the source has none beside it")
    told_in_both(p).add_argument(
        "--out", type=folder, metavar="DIR", help="where the runs are (default reports/<cycle>)"
    )

    p = verb("appeal", appeal, "open an appeal against a final result, or record what a panel says of it")
    tasks = p.add_subparsers(title="tasks", metavar="TASK", required=True, dest="task")

    def about(name, summary):
        p = told_in_both(cycle(tasks.add_parser(name, help=summary, description=summary, allow_abbrev=False)))
        p.add_argument("employee", metavar="EMPLOYEE", help="id of the person whose result it is")
        p.add_argument("--out", type=folder, metavar="DIR", help="where the runs are (default reports/<cycle>)")
        return p

    p = about("open", "record an appeal, within the working days that the scheme gives")
    p.add_argument("--facts", metavar="TEXT", required=True, help="the facts that it rests on")
    p.add_argument("--by", metavar="NAME", required=True, help="who files it")
    p.add_argument("--on", type=day, metavar="DATE", help="the day on which it came in (default today)")
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
    p.add_argument("--runs", type=folder, metavar="DIR", help="where the runs are (default reports/<cycle>)")
    p.add_argument("--effective", type=day, metavar="DATE", help="effective date (default: when the quarter was final)")
    p.add_argument("--by", metavar="NAME", default="", help="who sends it")
    p.add_argument("--again", action="store_true", help="write the last export again, as the ledger has it")

    p = verb("compare", compare, "two runs or two quarters: who moved, and which input did it")
    p.add_argument(
        "before", metavar="RUN_A", type=folder, help="a run's folder, a folder of runs (its newest), or a cycle"
    )
    p.add_argument("after", metavar="RUN_B", type=folder)
    p.add_argument("--csv", metavar="FILE", help="write everybody with all parts to FILE")
    p.add_argument("--seed", type=seed, default=1, metavar="N", help="where two cycles are computed (default 1)")
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of what is said")

    p = verb("annual", annual, "quarters to a year: by three methods, from decided grades where a quarter is final")
    p.add_argument("year", type=count, metavar="YEAR", help="the year in which its quarters began, as 2025")
    p.add_argument("--data", type=folder, default="data", metavar="DIR", help="where the quarters lie (default data)")
    p.add_argument("--out", type=folder, default="reports/annual", metavar="DIR", help="written to DIR/YEAR")
    p.add_argument("--evaluations", metavar="FILE", help="CSV: employee_id, score of the annual evaluation")
    with_ledger(p)
    p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the page and of what is said")


def freeze(a) -> int:
    from .. import committee
    from ..io import read_cycle
    from ..language import say, speaking

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
    from .. import committee
    from ..language import say, say_n, speaking

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
            listed = say(", ").join(f"{who} ({told(why)})" for who, why in sorted(left.items()))
            print(say("Not on the list, to be decided one by one: {listed}.", listed=listed))
        print(*committee.sentences(case, done.state), sep="\n")
        print(committee.write_pages(book, case))
    return OK


def session(a) -> int:
    from ..committee import write_pages
    from ..errors import PerfmodelError
    from ..session.meeting import LOOPBACK, serve
    from ..session.room import Room, facts_of

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
    from .. import committee
    from ..language import say, speaking

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
    from ..language import say, speaking
    from ..ledger import export_lines, open_ledger, show_rows, verify

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
        from ..io import write_atomic

        write_atomic(a.file, lines)
        print(a.file)
    return OK


def explain(a) -> int:
    from .. import committee
    from ..language import speaking

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
    from .. import committee
    from ..committee.publish import today
    from ..language import say, say_n, speaking
    from ..report import words

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
    from .. import committee
    from ..language import say_n, speaking

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
    from .. import committee
    from ..io import write_csv
    from ..language import speaking

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
    from .. import committee, ledger

    entries: tuple = ()
    head = ""
    if a.ledger != LEDGER or os.path.isfile(LEDGER):  # without one of one's own nothing was decided here
        book = ledger.open_ledger(a.ledger, create=False)
        entries, head = book.entries(), book.head()
    year, page = committee.write_year(a.data, a.year, a.out, entries, head, evaluations=a.evaluations)
    from ..report import year_sentences

    print(*year_sentences(year), sep="\n")
    print(page)
    return OK
