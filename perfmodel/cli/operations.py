"""Verbs of whoever keeps it running: status, prune, schedule."""

from ..language import told
from .console import OK, REFUSED, count, folder, natural, port, print_json, seconds, tell, with_ledger
from .quarter import options_of, with_run

RECIPES = {
    "cron": "perfmodel.cron",
    "systemd-service": "perfmodel.service",
    "systemd-timer": "perfmodel.timer",
    "windows": "perfmodel-task.xml",
    "airflow": "airflow_dag.py",
    "jupyter-scheduler": "jupyter-scheduler.json",
}


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

    p = verb("schedule", schedule, "run quarters by the calendar: Prefect serves it")
    tasks = p.add_subparsers(title="tasks", metavar="TASK", required=True, dest="task")
    p = tasks.add_parser("recipe", help="print the same for cron, systemd, Windows, Airflow or JupyterLab")
    p.set_defaults(verb=recipe)
    p.add_argument("name", choices=sorted(RECIPES), help="for which scheduler")
    p = tasks.add_parser(
        "serve", help="check, run, packs and messages at each due time, until Ctrl-C", allow_abbrev=False
    )
    p.add_argument(
        "sources", metavar="CYCLE", nargs="+", help="a quarter, or a folder of them: the one that closed last"
    )
    p.add_argument("--cron", metavar="LINE", default="", help='when: "0 6 5 1,4,7,10 *" is the 5th of a quarter at 6')
    p.add_argument("--interval", type=seconds, default=0.0, metavar="S", help="or every so many seconds")
    p.add_argument(
        "--timezone", metavar="ZONE", default="", help="of --cron, as Asia/Shanghai (default: this machine's)"
    )
    p.add_argument("--reports", type=folder, metavar="DIR", default="reports", help="a quarter goes to DIR/<cycle>")
    p.add_argument("--retries", type=natural, default=2, metavar="N", help="tries after a killed kernel and the like")
    p.add_argument("--retry-delay", type=seconds, default=60.0, metavar="S", help="seconds between them (default 60)")
    p.add_argument("--at-once", type=count, default=1, metavar="N", help="quarters at once (default 1)")
    p.add_argument("--port", type=port, default=4200, metavar="N", help="of the server that is started (default 4200)")
    p.add_argument("--cycle", metavar="ID", help="which cycle of a database")
    p.add_argument("--scheme", metavar="FILE", help="scheme.yaml where the source has none beside it")
    with_run(p)


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


def schedule(a) -> int:
    from ..runner.notify import base, targets
    from ..schedule import Plan, serve

    targets(a.notify)
    plan = Plan(
        sources=tuple(a.sources),
        options=options_of(a),
        cron=a.cron,
        interval=a.interval,
        timezone=a.timezone,
        reports=a.reports,
        notify=tuple(a.notify),
        link=base(a.link),
        retries=a.retries,
        retry_delay=a.retry_delay,
        at_once=a.at_once,
    )
    serve(plan, port=a.port, tell=tell)
    return OK


def recipe(a) -> int:
    from importlib.resources import files

    print((files("perfmodel") / "recipes" / RECIPES[a.name]).read_text(encoding="utf-8"), end="")
    return OK
