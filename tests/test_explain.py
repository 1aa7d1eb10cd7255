"""Explanation sheets: computed again from what they print, and what they never say."""

import html as pages
import re
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
from committee_sample import Quarter, read_rows
from sheet_reader import Sheet, number, numbers
from small_cycle import SCHEME, crossed, small_files, write_small

import perfmodel as pm
from perfmodel import committee
from perfmodel.assessment import Assessment
from perfmodel.committee import Case, Choice, Scene
from perfmodel.committee.explain import file_of, sheet_path, sheets_of
from perfmodel.committee.state import state_of
from perfmodel.language import speaking
from perfmodel.ledger import GENESIS, open_ledger
from perfmodel.plots import score_line
from perfmodel.report.explain import Bonus, figure
from perfmodel.report.explain.decision import _bonus
from perfmodel.report.explain.text import beside_cuts

ROUNDED = 0.0006  # half of the third decimal, and what severities and weights of four decimals leave open


# --- The shipped quarter, final ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def final(tmp_path_factory):
    """The shipped quarter, decided and final, and the sheets of all its people."""
    quarter = Quarter.shipped(tmp_path_factory.mktemp("final"))
    quarter.run()
    case, book = committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)
    for stage in ("plan", "data"):
        committee.freeze(book, case.cycle, stage, by="HR")
    people = case.roll.people
    typed = {"reason": "Figures and talk agree.", "proposer": "P. Lind", "authoriser": "K. Ortega"}
    listed = [
        Choice(who, code="R4" if people[who].raw != people[who].proposed else "", evidence="Report of 14 Aug", **typed)
        for who in sorted(case.roll.flagged)
        if people[who].proposed
    ]
    committee.decide(book, case, listed)
    committee.consent(book, case, code="R4", **typed)
    committee.finalize(book, case, ["HR", "Managing director"], list(case.roll.warnings))
    scene = committee.scene_of(book, case)
    sheets = {who: Sheet(page.decode()) for who, page in zip(sorted(people), _pages(scene, "en"), strict=True)}
    return case, scene, sheets


def _pages(scene, lang, who=None):
    wanted = dict.fromkeys(who or scene.case.roll.people, lang)
    found = sheets_of(scene, wanted)
    return [found[sheet_path(employee)] for employee in sorted(wanted)]


def test_every_score_can_be_computed_again_from_its_sheet_to_the_third_decimal(final):
    case, _, sheets = final
    scores = case.tables["scores"].set_index("employee_id")
    seen = 0
    for who, sheet in sheets.items():
        if not case.roll.people[who].proposed:
            continue
        raw, proposed = scores.loc[who, ["score_raw", "score_proposed"]].astype(float)
        computed = sheet.score()
        assert computed == pytest.approx(raw, abs=ROUNDED), who
        assert sheet.printed_raw == pytest.approx(raw, abs=0.0005 + 1e-9), who
        assert computed + sheet.shift() == pytest.approx(proposed, abs=2 * ROUNDED), who
        assert f"{proposed:.2f}" in sheet.headline, who
        seen += 1
    assert seen == len(case.roll.scored) == 232


def test_every_grade_follows_from_score_cut_lines_and_gate_as_printed(final):
    case, scene, sheets = final
    gates = {row["employee_id"] for row in case.cycle.table("events").to_dict("records") if row["kind"] == "gate"}
    for who in case.roll.scored:
        sheet, person = sheets[who], case.roll.people[who]
        cuts = sheet.cuts()
        assert cuts == {grade: cut for grade, cut in case.cycle.scheme.cuts.items() if grade != "D"}
        score = sheet.score() + sheet.shift()
        alone = next((grade for grade, cut in cuts.items() if score >= cut), "D")
        if who in gates:
            assert "A gate" in sheet.text
            cap = re.search(r"A gate allows (\w) at best", sheet.text)[1]
            alone = max(alone, cap, key="SABCD".index)
        assert alone == person.proposed == scene.state.grades[who], who
        assert f"grade {person.proposed}" in sheet.title
        assert sheet.value("Decided").startswith(person.proposed)


def test_every_bonus_can_be_computed_again_to_the_cent(final):
    case, scene, sheets = final
    files = committee.pages.files_of(scene)
    folder = case.folder / "bonuses.csv"
    folder.write_bytes(files["restricted/bonuses.csv"])
    paid = {row["employee_id"]: row for row in read_rows(folder)}
    for who, sheet in sheets.items():
        text, row = sheet.value("Bonus paid"), paid[who]
        if row["reason"].startswith("not eligible"):
            assert text == "not eligible in the pay table"
            continue
        if not row["grade"]:
            assert text == "none before a decision"
            continue
        target, company, own, claim, *rest = numbers(text)
        assert target * company * own == pytest.approx(claim, abs=0.005)
        assert own == {g.id: g.multiplier for g in case.cycle.scheme.grades}[row["grade"]]
        amount = rest[-1]
        if claim:
            assert claim * rest[0] / 100 == pytest.approx(amount, abs=0.0101), who
        assert round(100 * amount) == int(row["cents"])


def test_the_sample_holds_every_kind_of_case_and_each_says_so_in_words(final):
    case, _, sheets = final
    events = case.cycle.table("events")
    told = {
        "two scorecards": [who for who, sheet in sheets.items() if len(sheet.cards) == 2],
        "bonus points": [who for who, sheet in sheets.items() if sheet.extra > 0],
        "deduction": [who for who, sheet in sheets.items() if sheet.extra < 0],
        "not due": [who for who, sheet in sheets.items() if any(card.away for card in sheet.cards)],
        "no score": [who for who, sheet in sheets.items() if "There is no score for this quarter" in sheet.headline],
        "consent": [who for who, sheet in sheets.items() if "on a list with one recorded reason" in sheet.headline],
        "looked at": [who for who, sheet in sheets.items() if "looked at your case" in sheet.headline],
    }
    assert all(told.values()), {name: len(found) for name, found in told.items()}
    assert set(told["no score"]) == set(case.roll.people) - set(case.roll.scored)
    assert set(told["two scorecards"]) == set(case.cycle.table("assignments")["employee_id"])
    extra = set(events.loc[events["kind"].ne("gate"), "employee_id"]) & set(case.roll.scored)
    assert extra == set(told["bonus points"]) | set(told["deduction"])
    for who in told["no score"]:
        assert case.roll.people[who].reason.rstrip(".") in sheets[who].headline
    for who in told["not due"]:
        for card in sheets[who].cards:
            assert all("weight shared inside the" in cells[1] for cells in card.away)


def test_a_sheet_names_nobody_but_the_person_and_who_decided(final):
    case, _, sheets = final
    people = case.cycle.employees
    names = dict(zip(people["employee_id"], people["name"], strict=True))
    raters = set(case.cycle.ratings["rater_id"])
    for who, sheet in sheets.items():
        found = set(re.findall(r"E-\d{4}", sheet.html)) - {who}
        assert not found and not (raters - {who}) & set(re.findall(r"[\w-]+", sheet.html)), (who, found)
        text = pages.unescape(sheet.html)
        assert not any(name in text for other, name in names.items() if other != who and name != names[who]), who


def test_a_severity_is_that_of_the_own_manager_with_its_interval(final):
    case, _, sheets = final
    raters = case.tables["raters"].set_index("rater_id")
    managers = case.cycle.employees.set_index("employee_id")["manager_id"]
    moved = set(case.cycle.table("assignments")["employee_id"])
    for who in case.roll.scored:
        step = sheets[who].steps[0]
        if who in moved or "Among people rated in common" not in step:
            continue
        one = raters.loc[managers[who]]
        size, _level, low, high = numbers(step)[:4]
        sign = 1 if "more severe" in step else -1
        assert size == pytest.approx(abs(one["severity"]), abs=5e-5) and sign * one["severity"] > 0
        ends = sorted((sign * one["lower"], sign * one["upper"]))
        assert (low, high) == pytest.approx(ends, abs=0.0051), who


def test_an_interval_is_rating_error_around_the_adjusted_score(final):
    # 90 % of a normal error lies within 1.6449 standard errors.
    case, _, sheets = final
    scores = case.tables["scores"].set_index("employee_id")
    for who in case.roll.scored:
        se, centre = float(scores.at[who, "se"]), float(scores.at[who, "score_adjusted"])
        last = sheets[who].steps[-1]
        if not np.isfinite(se) or se == 0:
            assert "is not known" in last
            continue
        low, high = numbers(last)[:2]
        assert (low, high) == pytest.approx((centre - 1.6449 * se, centre + 1.6449 * se), abs=0.051)


def test_a_chinese_sheet_computes_to_the_same_and_says_its_language(final):
    _, scene, sheets = final
    kinds = ["E-0020", "E-0050", "E-0142", "E-0364", "E-0578", "E-0035"]
    for who, page in zip(sorted(kinds), _pages(scene, "zh", kinds), strict=True):
        sheet = Sheet(page.decode())
        assert sheet.lang == "zh"
        assert sheet.score() == sheets[who].score() and sheet.shift() == sheets[who].shift()
        assert sheet.cuts() == sheets[who].cuts()
        left = re.findall(
            r"[A-Za-z']+(?: [A-Za-z']+){2,}", re.sub(r"[\w.]+ \w+\.? ?\w*(?=，|、|；)", "", sheet.headline)
        )
        assert not left, left


def test_sheets_are_written_by_the_command_line_and_kept_up_to_date(final):
    case, _, _ = final
    quarter = Quarter(case.folder.parent, case.folder.parent / "data" / "2026Q3")
    asked = quarter.do("explain", "E-0035", quarter.cycle)
    assert asked.returncode == 0, asked.stderr
    place = quarter.out / "committee" / "restricted" / "sheets" / "E-0035.html"
    assert asked.stdout.splitlines() == [str(place)] and place.parent.parent.stat().st_mode & 0o077 == 0
    other = quarter.do("explain", "E-0020", quarter.cycle, "--lang", "zh")
    assert other.returncode == 0, other.stderr
    assert 'lang="en"' in place.read_text(encoding="utf-8"), "the other sheet stays in its own language"
    before = place.read_bytes()
    pages_again = quarter.do("decide", quarter.cycle, "--pages")
    assert pages_again.returncode == 0 and place.read_bytes() == before
    unknown = quarter.do("explain", "E-9999", quarter.cycle)
    assert unknown.returncode == 1 and "[unknown-employee]" in unknown.stderr
    assert quarter.do("explain", quarter.cycle).returncode == 2
    assert quarter.do("explain", "--all", "E-0035", quarter.cycle).returncode == 2


# --- Other schemes and states, without a run ----------------------------------------------------------------------


def draft(cycle, decisions=(), day=date(2026, 10, 20)):
    """A scene of a cycle as a run would leave it, with entries of decisions by hand."""
    assessment = Assessment(cycle)
    manifest = {
        "run_id": "0000-test",
        "parameters": {"seed": 1},
        "counts": {**assessment.counts},
        "warnings": {"codes": {}},
    }
    case = Case(cycle, None, manifest)
    case.__dict__["tables"] = assessment.tables("scores", "kpi_scores", "adjusted_ratings", "discussion", "raters")
    case.__dict__["assessment"] = assessment
    return Scene(case, state_of(decisions), tuple(decisions), GENESIS, day)


def sheet_of(scene, who, lang="en"):
    (page,) = _pages(scene, lang, [who])
    return Sheet(page.decode())


def changed_scheme(folder, *changes, tables=None):
    """The small quarter under another scheme."""
    place = write_small(folder)
    text = small_files()["scheme.yaml"].decode()
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    (place / "scheme.yaml").write_text(text, encoding="utf-8")
    for name, change in (tables or {}).items():
        path = place / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    return pm.read_cycle(place)


RULES = (
    (
        "rule: threshold_target_max\n        at: {threshold: 0.70, stretch: 1.30}",
        "rule: ratio",
    ),
    (
        "direction: lower\n        rule: threshold_target_max\n        at: {threshold: 0.80, stretch: 1.15}",
        "direction: lower\n        rule: mirror",
    ),
    (
        "direction: lower\n        rule: threshold_target_max\n        at: {threshold: 0.50, stretch: 1.40}",
        "direction: lower\n        rule: inverse_ratio",
    ),
    (
        "rule: threshold_target_max\n        at: {threshold: 0.75, stretch: 1.20}",
        "rule: step_table\n        steps: [[0.8, 60], [1.0, 75], [1.05, 90]]",
    ),
    (
        "rule: threshold_target_max\n        at: {threshold: 0.90, stretch: 1.07}",
        "rule: all_or_nothing",
    ),
)


def test_rules_that_are_no_straight_line_through_three_values_are_told_so_that_they_can_be_computed(tmp_path):
    scene = draft(changed_scheme(tmp_path / "2026Q3", *RULES))
    scores = scene.case.tables["scores"].set_index("employee_id")["score_raw"]
    for who in ("001", "002", "003", "004", "005", "006", "007"):
        assert sheet_of(scene, who).score() == pytest.approx(scores[who], abs=ROUNDED), who


def test_missing_figures_share_their_weight_and_late_ones_leave_no_score(tmp_path):
    def without(text):
        rows = text.splitlines()
        for at, row in enumerate(rows):
            if row.startswith("001,,gross_margin"):
                rows[at] = "001,,gross_margin,32,,,,not_due,quarter,ledger,"
            if row.startswith("001,,core_attrition"):
                rows[at] = "001,,core_attrition,5,,,,not_applicable,quarter,ledger,"
            if row.startswith("002,,gross_margin"):
                rows[at] = "002,,gross_margin,32,,,,late,quarter,ledger,"
        return "\n".join(rows) + "\n"

    scene = draft(changed_scheme(tmp_path / "2026Q3", tables={"results.csv": without}))
    scores = scene.case.tables["scores"].set_index("employee_id")["score_raw"]
    away = sheet_of(scene, "001")
    assert [cells[1] for cells in away.cards[0].away] == [
        "not due: weight shared inside the category",
        "not applicable: weight shared inside the KPI",
    ]
    assert away.score() == pytest.approx(scores["001"], abs=ROUNDED)
    assert sum(number(item[-2]) for item in away.cards[0].items) == pytest.approx(100, abs=0.001)
    late = sheet_of(scene, "002")
    assert "There is no score for this quarter: gross_margin (result late)" in late.headline
    assert [cells[1] for cells in late.cards[0].away] == ["result late"]
    assert late.printed_raw is None and not late.steps
    assert late.value("Decided") == "nothing: without a score there is no proposal"


def test_ratings_of_several_people_are_adjusted_without_telling_whose_standard_is_whose(tmp_path):
    scene = draft(
        changed_scheme(
            tmp_path / "2026Q3",
            ("{id: second, weight: 0,", "{id: second, weight: 1,"),
            tables={"ratings.csv": crossed},
        )
    )
    sheet = sheet_of(scene, "006")
    assert "Several people's ratings are combined in yours" in sheet.steps[0]
    assert "interval" not in sheet.steps[0] and "your manager's ratings were" not in sheet.text
    scores = scene.case.tables["scores"].set_index("employee_id")
    assert sheet.score() == pytest.approx(scores.at["006", "score_raw"], abs=ROUNDED)
    assert sheet.score() + sheet.shift() == pytest.approx(scores.at["006", "score_proposed"], abs=2 * ROUNDED)


def test_a_shift_beyond_the_limit_is_held_and_the_sheet_says_by_how_much(tmp_path):
    scene = draft(
        changed_scheme(tmp_path / "2026Q3", ("max_shift: 5 ", "max_shift: 0.1 "), tables={"ratings.csv": crossed})
    )
    scores = scene.case.tables["scores"].set_index("employee_id")
    held = [who for who in scores.index if "held at" in scores.at[who, "moved_by"]]
    assert held
    for who in held:
        sheet = sheet_of(scene, who)
        assert re.search(r"A shift may be 0\.1 points at most, so [+−]\d\.\d{3} is held at [+−]0\.100\.", sheet.text)
        assert sheet.score() + sheet.shift() == pytest.approx(scores.at[who, "score_proposed"], abs=ROUNDED)


def test_whoever_is_left_alone_is_told_why_and_that_no_range_is_known(tmp_path):
    def nested(text):
        rows = [row for row in crossed(text).splitlines() if ",second," not in row and not row.startswith("M2,004")]
        return "\n".join(rows) + "\n"

    scene = draft(changed_scheme(tmp_path / "2026Q3", tables={"ratings.csv": nested}))
    sheet = sheet_of(scene, "001")
    assert sheet.steps[0].startswith(
        "Not adjusted: no shared rater or ratee: severity and team quality cannot be told apart."
    )
    assert "It was not adjusted" in sheet.headline and "is not known" in sheet.steps[-1]
    assert sheet.shift() == 0 and "wid" in sheet.html


def test_a_draft_says_that_nothing_is_decided_and_when_appeals_open(tmp_path):
    sheet = sheet_of(draft(pm.read_cycle(write_small(tmp_path / "2026Q3"))), "001")
    assert "proposed, not decided yet" in sheet.title and "DRAFT" in sheet.title
    assert "has not decided yet, and a proposal is no grade" in sheet.headline
    assert sheet.value("Decided") == "not yet" and sheet.value("Bonus paid") == "none before a decision"
    assert sheet.value("Appeal").startswith("opens when the quarter is final, for 7 working days")
    gated = sheet_of(draft(pm.read_cycle(tmp_path / "2026Q3")), "006")
    assert "A gate allows B at best, which changes nothing here: G3 Collections overdue" in gated.text


def test_a_share_that_is_not_printed_is_explained():
    paid = Bonus(target=1000.0, currency="CNY", multiplier=1.2, claim=1200.0, cents=100_000)
    text = _bonus(SimpleNamespace(bonus=paid, grade="A", status="FINAL"))
    assert "1\u2009000.00" in text and "not printed where fewer than 10 people are paid" in text


# --- Numbers and marks -------------------------------------------------------------------------------------------


def test_a_score_beside_a_cut_line_gets_the_decimals_that_show_its_side():
    cuts = {"A": 80.0, "B": 70.0, "D": 0.0}
    assert [beside_cuts(value, cuts, 2) for value in (79.996, 80.0, 80.004, 79.9996)] == [
        "79.996", "80.00", "80.00", "79.9996"
    ]  # fmt: skip


def test_figures_are_shown_as_exactly_as_they_were_given():
    shown = [figure(value) for value in (2295.0, 26.349999999999998, -0.5, 1234567.25, 0.0)]
    assert shown == ["2\u2009295", "26.35", "−0.5", "1\u2009234\u2009567.25", "0"]


def test_no_two_ids_share_a_file_even_where_capitals_do_not_count():
    ids = ["E-1", "e-1", "E/1", "E_1", "..", "张三", "张四", "a" * 80, "a" * 81]
    names = [file_of(who).lower() for who in ids]
    assert len(set(names)) == len(ids) and file_of("E-1") == "E-1"
    assert all(re.fullmatch(r"[a-z0-9_][a-z0-9._-]*", name) for name in names)


def test_the_line_of_grades_states_its_numbers_for_those_who_cannot_see_it():
    cuts = {"S": 90.0, "A": 80.0, "B": 70.0, "C": 60.0, "D": 0.0}
    drawn = score_line(78.747, 80.142, cuts, low=77.8, high=82.4)
    label = "Before 78.75, after 80.14. Cut lines 60 70 80 90. Rating error alone, 90 %: 77.8 to 82.4."
    assert drawn.count(f'aria-label="{label}"') == 2
    for score in (3.0, 59.9, 100.0, 119.0):
        inside = [float(x) for x in re.findall(r'cx="([\d.-]+)"', score_line(score, score + 2, cuts))]
        assert all(20 <= x <= 660 for x in inside[:2]) and all(8 <= x <= 342 for x in inside[2:])
    with speaking("en"):
        assert "score" in score_line(75.0, 75.0, cuts) and "before" not in score_line(75.0, 75.0, cuts)


def test_the_default_scheme_is_the_one_that_these_tests_change():
    assert "max_shift: 5 " in SCHEME.read_text(encoding="utf-8")
