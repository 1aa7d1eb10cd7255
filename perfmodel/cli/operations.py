"""Verbs of whoever keeps it running: status, prune, schedule."""

from ..language import told
from .console import OK, REFUSED, folder, print_json, with_ledger


def add(verb, cycle) -> None:
    """Add these verbs to the parser: ``verb(name, function, summary)`` makes one."""

    def spoken(p):
        p.add_argument("--lang", choices=["en", "zh"], default="en", help="language of what is said")

    summary = "how DIR stands: its runs, whether they are as published, what failed last and why, who is at work"
    p = verb("status", status, summary)
    p.add_argument("dirs", metavar="DIR", nargs="+", type=folder, help="a folder of runs, such as reports/2026Q3")
    p.add_argument("--every", action="store_true", help="hold every run against its manifest, not the newest alone")
    p.add_argument("--json", action="store_true", help="one JSON line a DIR on stdout")
    spoken(p)

    p = with_ledger(
        verb("prune", prune, "remove old runs; never the newest, a final one, or one that anything rests on")
    )
    p.add_argument("dir", metavar="DIR", type=folder, help="a folder of runs")
    p.add_argument("--older-than", metavar="AGE", required=True, help="4y, 6m, 8w or 30d")
    p.add_argument("--no-ledger", action="store_true", help="nothing was ever decided on these runs")
    p.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    spoken(p)


def status(a) -> int:
    from ..runner.status import status_of

    found = [status_of(one, every=a.every) for one in a.dirs]
    for n, one in enumerate(found):
        if a.json:
            print_json(one.summary())
            continue
        if len(found) > 1:
            print(*([""] if n else []), f"{one.folder}:", sep="\n")
        print(*one.lines(), sep="\n")
    return OK if all(one.fine for one in found) else REFUSED


def prune(a) -> int:
    from ..committee import prune
    from ..language import say, say_n
    from ..ledger import open_ledger
    from ..runner.status import status_of

    status_of(a.dir)  # refused where there is no such folder, before anything is made there
    now = prune.now()
    before = prune.age_of(a.older_than, now)
    entries = () if a.no_ledger else open_ledger(a.ledger, create=False).entries()
    found = prune.prune(a.dir, entries, before, dry=a.dry_run)
    for fate in found:
        if fate.kept:
            print(say("{run}  {finished}  kept: {why}", run=fate.run, finished=fate.finished, why=told(fate.kept)))
        else:
            words = say("would go") if a.dry_run else say("removed")
            print(f"{fate.run}  {fate.finished}  {words}")
    gone = sum(not fate.kept for fate in found)
    if a.dry_run:
        print(say_n("{n} run would go.", "{n} runs would go.", gone))
    else:
        print(say_n("{n} run removed.", "{n} runs removed.", gone))
    return OK
