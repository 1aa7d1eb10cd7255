"""The live cell: its state without a browser, and once in a real JupyterLab."""

import json
import shutil
from datetime import date

import numpy as np
import pandas as pd
import pytest
from conftest import find_chromium

import perfmodel as pm
from perfmodel import RunError
from perfmodel.runner import bench_live
from perfmodel.runner.bench_live import drive
from perfmodel.session import LiveWeights, live_weights

PROFILE = "regional_manager"


def test_a_move_scores_everybody_anew(closed):
    live = LiveWeights(closed, PROFILE)
    assert live.flips().empty and (live.summary()["now"] == live.summary()["then"]).all()
    live.move("sales", 58.0)
    assert live.nodes()["sales"] == pytest.approx(58) and live.space.contains(live.weights)
    simulation = closed.weights[PROFILE]
    scores = simulation.panel.scores(live.weights.to_numpy()[None])[0]
    place = simulation.ladder.place(scores)
    who = simulation.reason.index[simulation.reason == ""]
    then = pd.Series(np.array(simulation.ladder.grades, object)[place], who)
    changed = then.index[then != simulation.grade[who]]
    assert list(live.flips().employee_id) == sorted(changed) and len(changed) > 0
    assert f'data-flips="{len(changed)}"' in live.html()
    live.move("sales", 50.0)
    others = [s.grade[s.reason == ""] for p, s in closed.weights.items() if p != PROFILE]
    pd.testing.assert_series_equal(live.grades()[pd.concat(others).index], pd.concat(others), check_names=False)


def test_people_stand_under_pseudonyms_where_weights_are_chosen(closed):
    named, hidden = LiveWeights(closed, PROFILE), LiveWeights(closed, PROFILE, key="a key")
    for live in (named, hidden):
        live.move("sales", 58.0)
    ids = set(named.flips().employee_id)
    assert len(hidden.flips()) == len(ids) and not ids & set(hidden.flips().employee_id)
    assert not any(f"<td>{i}</td>" in hidden.html() for i in ids)


def test_an_open_quarter_has_no_button_and_writes_nothing(closed, quarter, tmp_path):
    widgets = pytest.importorskip("ipywidgets")
    for one, today, why in ((quarter, date(2027, 1, 1), "waits for results"), (closed, date(2026, 6, 30), "runs")):
        scheme = f"data/{one.cycle.id}/scheme.yaml"
        with pytest.raises(pm.DataError, match=why):
            LiveWeights(one, PROFILE, today=today).write(scheme, tmp_path / "plan", "tuned")
        box = live_weights(one, PROFILE, scheme=scheme, plan=tmp_path / "plan", today=today)
        left = box.children[0].children
        assert not any(isinstance(one, widgets.Button) for one in left) and why in left[-1].value
    box = live_weights(closed, PROFILE, scheme="data/2026Q2/scheme.yaml", today=date(2026, 7, 1))
    assert any(isinstance(one, widgets.Button) for one in box.children[0].children)
    assert not (tmp_path / "plan").exists()


def test_unwatched_runs_get_a_line_instead_of_sliders(closed):
    assert "perfmodel lab" in live_weights(closed, PROFILE, on=False).body()


@pytest.mark.browser
def test_sliders_in_jupyterlab_move_flips_and_write_the_plan(tmp_path, request):
    for quarter in ("2026Q1", "2026Q2"):  # without the one that follows, whose plan is frozen
        alone = shutil.copytree(request.config.rootpath / "data" / quarter, tmp_path / "quarters" / quarter)
    found = drive(
        tmp_path, str(alone), PROFILE, chromium=find_chromium(), steps=14, reason="tried by hand",
        today=date(2026, 7, 1),
    )  # fmt: skip
    assert found["problems"] == [] and len(found["times"]) == 14
    assert found["before"].startswith("0 grades change") and not found["after"].startswith("0 grades change")
    assert "+cycle: {id: 2026Q3" in found["said"]
    written = (tmp_path / "plan" / "scheme.yaml").read_text(encoding="utf-8")
    assert "# tried by hand" in written and "id: 2026Q3" in written


@pytest.mark.browser
def test_lab_opens_a_notebook_with_its_contents_and_runs_it_without_a_warning(chromium, tmp_path, request):
    # As `perfmodel lab` starts it, on a copy without outputs, so that nothing is saved over the committed notebook.
    root, book = request.config.rootpath, tmp_path / "mine.ipynb"
    committed = json.loads((root / "notebooks" / "06_distribution.ipynb").read_text(encoding="utf-8"))
    for cell in committed["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    book.write_text(json.dumps(committed).replace("../data/", f"{root}/data/"), encoding="utf-8")
    with bench_live.serving(tmp_path, "perfmodel", "lab", str(book), "--no-browser") as lab:
        page = chromium(viewport={"width": 1440, "height": 1000})
        page.goto(f"{lab}/?token=t")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        assert page.url.endswith("/lab/tree/mine.ipynb")
        page.locator('.lm-TabBar-tab[data-id="table-of-contents"]').click()
        headings = ["".join(c["source"]) for c in committed["cells"] if c["cell_type"] == "markdown"]
        titles = [line.lstrip("# ") for cell in headings for line in cell.splitlines() if line.startswith("#")]
        page.wait_for_selector(f".jp-TableOfContents-content >> text={titles[0]}", timeout=20_000)
        shown = page.locator(".jp-TableOfContents-content").inner_text()
        assert all(title in shown for title in titles) and len(titles) > 2
        bench_live._run_all(page, [])
        page.wait_for_selector(bench_live.IDLE, state="attached", timeout=90_000)
        page.get_by_text("06_distribution: complete").wait_for(timeout=90_000)
        for kind in ("application/vnd.jupyter.stderr", "application/vnd.jupyter.error"):
            assert page.locator(f'[data-mime-type="{kind}"]').count() == 0


# What matters of JupyterLab's page where a kernel could not be started: a modal dialog lies over the menu.
LAB = """<ul><li class="lm-MenuBar-itemLabel">Run</li></ul>
<div data-command="runmenu:run-all" onclick="document.querySelector('.jp-InputPrompt').textContent = '[1]:'">All</div>
<div class="jp-Cell jp-CodeCell"><span class="jp-InputPrompt">[ ]:</span></div>
<div class="jp-Notebook-ExecutionIndicator" data-status="idle"></div>
<dialog class="jp-Dialog">Error Starting Kernel <button class="jp-mod-accept"
  onclick="this.closest('dialog').remove()">Ok</button></dialog>
<script>document.querySelector('dialog').showModal()</script>"""


@pytest.mark.browser
def test_a_dialog_over_the_menu_is_answered_and_kept(chromium):
    page, said = chromium(), []
    page.set_content(LAB)
    bench_live._run_all(page, said)
    assert said == ["Error Starting Kernel Ok"] and page.locator(".jp-InputPrompt").inner_text() == "[1]:"


def test_a_browser_that_fails_is_a_sentence_and_no_traceback(tmp_path):
    pytest.importorskip("jupyterlab")
    with pytest.raises(RunError, match=r"The live cell could not be driven in the browser: .+ less loaded\."):
        drive(tmp_path, "data/2026Q2", PROFILE, chromium=str(tmp_path / "no such browser"))
