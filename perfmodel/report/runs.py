"""The page above all runs of a cycle: the newest first, then the earlier ones."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from ..language import say
from .page import document, render
from .words import joined


def runs_page(manifests: Iterable[Mapping[str, Any]], newest: str, committee: Mapping[str, Any] | None = None) -> str:
    """A whole HTML document that links every run, from their manifests; ``newest`` is a run id.

    ``committee`` says of the committee's pages, where there are any, on which run they stand and with what status.
    """
    ordered = sorted(manifests, key=lambda m: (m["run_id"] == newest, m["finished"]), reverse=True)
    first = ordered[0]
    meta = {}
    if committee:
        link = Markup('<a href="committee/index.html">{}</a>').format(say("agenda, minutes, second look"))
        meta = {say("Committee"): link, say("On run"): committee["run"], say("Ledger head"): committee["head"][:12]}
    status = committee["status"] if committee else first["status"]
    head = render("head.html.j2", title=first["cycle"], status=status, meta=meta, simulated=first["simulated"], level=1)
    rows = [
        {
            "run_id": m["run_id"],
            "finished": m["finished"],
            "status": m["status"],
            "scored": say("{scored} of {total}", scored=m["counts"]["scored"], total=m["counts"]["in"]),
            "parts": len(m["notebooks"]),
            "asked": _asked(m["parameters"]),
        }
        for m in ordered
    ]
    main = render("runs.html.j2", newest=rows[:1], earlier=rows[1:])
    return document(say("{cycle}, runs", cycle=first["cycle"]), Markup(head), Markup(main), kind="index runs")


def _asked(parameters: Mapping[str, Any]) -> str:
    """What was asked for, by the names that the command line has for it."""
    plain = [say("seed {n}", n=parameters["seed"]), *(say("unit {unit}", unit=unit) for unit in parameters["units"])]
    if parameters["lang"] != "en":
        plain.append(str(parameters["lang"]))
    chosen = {key: value for values in parameters["settings"].values() for key, value in values.items()}
    plain += [f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in sorted(chosen.items())]
    return joined(plain)
