"""Sliders for the weights of a closed quarter: the whole organisation scored anew as they move.

:class:`LiveWeights` holds the state and knows no widget, so that it is tested without a browser; :func:`live_weights`
puts sliders on it. Needs the extra ``lab``.
"""

from collections.abc import Mapping
from datetime import date
from html import escape
from os import PathLike
from pathlib import Path
from secrets import token_hex

import numpy as np
import pandas as pd

from ..assessment import Assessment
from ..errors import PerfmodelError
from ..io import write_plan
from ..language import say, told
from ..planning import consequences, refuse_open
from ..pseudonyms import pseudonym
from ..report import Callout

LISTED = 40  # flips listed; the rest are counted
STEP = 0.1  # percent


class LiveWeights:
    """The weights of one profile as they are chosen, and what becomes of grades.

    ``weights`` (percent of the whole by KPI) starts at the weights in force. :meth:`move` moves one, the others of
    its level giving way within their ranges; ``flips`` lists who then has another grade than now, under pseudonyms
    where a ``key`` is given. ``today``: the day by which the quarter must be over for weights to be written.
    """

    def __init__(self, assessment: Assessment, profile: str, *, key: str = "", today: date | None = None):
        self.assessment, self.profile, self.key = assessment, profile, key
        self.today = today or date.today()
        self.simulations = dict(assessment.weights)
        self.space = self.simulations[profile].space
        self.weights = self.simulations[profile].baseline
        self._now = pd.concat([s.grade[s.reason == ""] for s in self.simulations.values()])

    def nodes(self) -> Mapping[str, float]:
        """What each slider shows: categories in percent of the whole, KPIs in percent of their category."""
        names, values = self.space.nodes(self.weights.to_numpy()[None])
        return dict(zip(names, values[0].tolist(), strict=True))

    def bounds(self, name: str) -> tuple[float, float]:
        """The ends that a slider can reach."""
        table = self.space.ranges_reached().set_index("name")
        return float(table.loc[name, "reached_least"]), float(table.loc[name, "reached_most"])

    def move(self, name: str, value: float) -> None:
        self.weights = self.space.moved(self.weights, name, value)

    def grades(self) -> pd.Series:
        """Everybody's grade, the profile's people at the weights as they stand, all others as they are."""
        found = []
        for profile, s in self.simulations.items():
            w = self.weights if profile == self.profile else s.baseline
            place = s.ladder.place(s.panel.scores(w.to_numpy()[None])[0])
            found.append(pd.Series(np.array(s.ladder.grades, object)[place], s.reason.index[s.reason == ""]))
        return pd.concat(found)

    def flips(self) -> pd.DataFrame:
        """Who has another grade than at the weights in force: ``employee_id, grade, grade_new``."""
        new = self.grades()
        changed = new[new != self._now]
        who = [pseudonym(self.key, str(i)) if self.key else i for i in changed.index]
        both = {"grade": self._now[changed.index].to_numpy(), "grade_new": changed.to_numpy()}
        table = pd.DataFrame(both, pd.Index(who, name="employee_id", dtype=object))
        return table.reset_index().sort_values("employee_id", ignore_index=True)

    def summary(self) -> pd.DataFrame:
        """People by grade, now and at the weights as they stand."""
        grades = list(self.assessment.grades)
        both = {"now": self._now, "then": self.grades()}
        return pd.DataFrame({k: v.value_counts().reindex(grades, fill_value=0) for k, v in both.items()})

    def consequences(self) -> pd.DataFrame:
        return consequences(self.assessment, self.profile, self.weights)

    def html(self) -> str:
        """Counts and flips as the cell shows them."""
        flips, counts = self.flips(), self.summary()
        grades = say(", ").join(f"{g} {row.now} → {row.then}" for g, row in counts.iterrows())
        rows = "".join(
            f"<tr><td>{escape(str(r.employee_id))}</td><td>{escape(r.grade)}</td><td>→ {escape(r.grade_new)}</td></tr>"
            for r in flips.head(LISTED).itertuples()
        )
        left = say("{n} more.", n=len(flips) - LISTED)
        more = f"<p>{escape(left)}</p>" if len(flips) > LISTED else ""
        nodes = self.nodes()
        weights = say(", ").join(f"{c} {nodes[c]:.1f}" for c in self.space.ranges)
        whole = say("Percent of the whole: {weights}", weights=weights)
        changed = say("{n} grades change.", n=len(flips))
        return (
            f"<p>{escape(whole)}</p>"
            f'<p class="pm-flips" data-flips="{len(flips)}"><b>{escape(changed)}</b> {escape(grades)}</p>'
            f"<table>{rows}</table>{more}"
        )

    def write(self, scheme: str | PathLike, folder: str | PathLike, reason: str) -> str:
        """The next quarter's scheme with these weights; the difference. See :func:`perfmodel.io.write_plan`.

        Raises
        ------
        DataError, SchemeError
            If the quarter is not closed, or the plan cannot be written.
        """
        refuse_open(self.assessment, self.today)
        return write_plan(scheme, folder, self.profile, self.weights, reason, today=self.today)


def live_weights(
    assessment: Assessment,
    profile: str,
    *,
    on: bool = True,
    scheme: str | PathLike | None = None,
    plan: str | PathLike = "next-plan",
    key: str = "",
    today: date | None = None,
):
    """Sliders, grades as they change, and a button that writes ``plan``/scheme.yaml; an ipywidgets box.

    ``on`` False: a line that says how to get them, for runs that nobody watches. ``scheme``: the scheme.yaml to start
    from; without one, or on a quarter that is not closed, there is nothing to write and no button. People stand under
    pseudonyms made by ``key``, by one of this session alone where none is given.
    """
    if not on:
        return Callout(
            say(
                "Open this notebook with perfmodel lab, set live = True and run it: sliders for every weight, grades "
                "as they change, and a button that writes the next quarter's plan."
            ),
            say("Live in JupyterLab."),
        )
    try:
        import ipywidgets as widgets
    except ImportError:
        raise PerfmodelError(
            "Sliders need ipywidgets, which is not installed here. Get it with: ./run python -m pip install ipywidgets"
        ) from None
    live = LiveWeights(assessment, profile, key=key or token_hex(), today=today)
    shown = widgets.HTML(live.html())
    sliders: dict[str, widgets.FloatSlider] = {}
    busy = False

    def follow(change) -> None:
        nonlocal busy
        if busy:
            return
        busy = True  # the others are set below, and must not answer
        try:
            live.move(change["owner"].pm_name, change["new"])
            for name, value in live.nodes().items():
                if name in sliders:
                    sliders[name].value = round(value, 3)
            shown.value = live.html()
        finally:
            busy = False

    boxes = []
    for category in live.space.ranges:
        inside = list(live.space.within.get(category, {}))
        column = []
        for name in [category, *(inside if len(inside) > 1 else [])]:
            low, high = live.bounds(name)
            slider = widgets.FloatSlider(
                value=live.nodes()[name], min=low, max=high, step=STEP, description=name, readout_format=".1f",
                continuous_update=True, disabled=high - low < STEP,
                style={"description_width": "11em"}, layout={"width": "32em"},
            )  # fmt: skip
            slider.pm_name = name
            slider.observe(follow, "value")
            sliders[name] = slider
            column.append(slider)
        boxes.append(widgets.VBox(column))
    left: list = boxes
    if scheme is not None:
        left = [*boxes, *_writing(widgets, live, Path(scheme), Path(plan))]
    return widgets.HBox([widgets.VBox(left), shown])


def _writing(widgets, live: LiveWeights, scheme: Path, plan: Path) -> list:
    """The button on a closed quarter; elsewhere the reason why there is none."""
    try:
        refuse_open(live.assessment, live.today)
    except PerfmodelError as refused:
        return [widgets.HTML(f'<p class="pm-not-written">{escape(told(str(refused)))}</p>')]
    return _writer(widgets, live, scheme, plan)


def _writer(widgets, live: LiveWeights, scheme: Path, plan: Path) -> list:
    """A line for the reason, the button, and what it answers."""
    reason = widgets.Text(placeholder=say("why these weights"), layout={"width": "32em"})
    button = widgets.Button(description=say("Write {file}", file=f"{plan.name}/scheme.yaml"), layout={"width": "20em"})
    answer = widgets.HTML()

    def write(_) -> None:
        try:
            said = live.write(scheme, plan, reason.value)
        except PerfmodelError as refused:
            said = told(str(refused))
        answer.value = f'<pre class="pm-written">{escape(said)}</pre>'

    button.on_click(write)
    return [reason, button, answer]
