"""A meeting as a page: two browsers on one ledger, the keyboard alone, and nobody else let in."""

import json
import random
import re
import shutil
import signal
import threading
import time

import pytest
from committee_sample import Quarter
from meeting_sample import HOSTILE, LONG, SCRIPT, Meeting, named

from perfmodel import committee
from perfmodel.committee import Choice
from perfmodel.errors import DecisionError
from perfmodel.language import speaking
from perfmodel.ledger import open_ledger, verify
from perfmodel.session import view
from perfmodel.session.room import Room, facts_of
from perfmodel.session.view import Place

SECONDS = 2.0  # within which what one browser records is seen in another
PLACES = ("/", "/case?who=001", "/case?who=008", "/consent", "/look")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return named(tmp_path_factory.mktemp("meeting") / "published")


@pytest.fixture
def quarter(published, tmp_path):
    shutil.copytree(published.folder, tmp_path / "q")
    return Quarter(tmp_path / "q", tmp_path / "q" / "2026Q3")


@pytest.fixture
def meeting(quarter):
    with Meeting(quarter) as held:
        yield held


@pytest.fixture(scope="module")
def shared(published, tmp_path_factory):
    """A meeting for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("shared") / "q"
    shutil.copytree(published.folder, folder)
    with Meeting(Quarter(folder, folder / "2026Q3")) as held:
        yield held


@pytest.fixture
def room(quarter):
    ledger = open_ledger(quarter.ledger)
    return Room(ledger, facts_of(quarter.cycle, ledger, quarter.out))


def by(room, who, **typed):
    """The form of a case as a browser would send it."""
    now = room.now()
    fields = {"employee": who, "reason": "as the figures say", "code": "R3", "proposer": "Ana", "authoriser": "Bo"}
    return {**fields, "grade": now.facts.proposed.get(who, "B"), "replaces": now.stands(who), **typed}


def fresh(room):
    """The quarter as the ledger has it, without waiting for what others were shown to grow old."""
    room._looked = 0.0
    return room.now()


# --- Without a browser -----------------------------------------------------------------------------------------


def test_the_pool_and_the_counts_move_as_the_committees_own_tables_do(room):
    facts, rng = room.facts, random.Random(3)
    for _ in range(5):
        grades = {who: rng.choice(facts.case.roll.grades) for who in rng.sample(sorted(facts.proposed), 4)}
        counts, money = committee.as_it_stands(facts.case, grades)
        decided = counts[counts["stage"].eq("decided")].set_index("grade")["n"]
        whole = {**facts.proposed, **grades}
        for band, members in facts.bands.items():
            assert sum(whole[who] in members for who in whole) == decided[band]
        assert facts.money.of(grades) == round(100 * money.iloc[-1]["cost"])
        assert facts.money.budget == round(100 * money.iloc[-1]["budget"])


def test_a_moment_counts_what_is_decided_and_what_is_left(room):
    start = room.now()
    assert start.decided == 0 and start.hindrance == ""
    assert sorted([*start.open_cases, *start.consent_list]) == sorted(start.facts.proposed)
    first = start.open_cases[0]
    after = room.decide(by(room, first))
    assert after.decided == 1 and first not in after.open_cases
    assert after.following(first) == start.open_cases[1]
    assert after.names == ["Ana", "Bo"]


def test_what_another_process_records_is_in_the_next_moment(room, quarter):
    before = room.now()
    other = open_ledger(quarter.ledger)
    committee.decide(other, room.facts.case, [Choice("005", code="R3", reason="seen", proposer="X", authoriser="Y")])
    assert fresh(room).seq == before.seq + 1 and room.now().standing("005").entry.author == "Y"


def test_a_list_or_decision_that_was_not_seen_is_neither_accepted_nor_taken_back(room):
    from perfmodel.session.room import seen_of

    start = room.now()
    seen = seen_of(start.consent_list)
    room.question({"employee": start.consent_list[0], "voter": "Cy"})
    typed = {"reason": "no doubt", "code": "R4", "proposer": "Ana", "authoriser": "Bo"}
    with pytest.raises(DecisionError, match="list-changed"):
        room.consent({**typed, "seen": seen})
    listed = room.now().consent_list
    assert start.consent_list[0] in room.now().open_cases
    done = room.consent({**typed, "seen": seen_of(listed)})
    assert [item["employee"] for item in done.state.entries[-1].data["list"]] == listed
    assert room.consent({**typed, "seen": seen_of(listed)}).seq == done.seq  # given again: recorded once
    first = room.decide(by(room, "005")).stands("005")
    second = room.decide(by(room, "005", reason="another reason"))
    undo = {"employee": "005", "undo_reason": "too fast", "undo_authoriser": "Bo"}
    with pytest.raises(DecisionError, match="superseded"):
        room.undo({**undo, "of": first})
    after = room.undo({**undo, "of": second.stands("005")})
    kinds = [entry.kind for entry in after.state.entries if entry.subject == "005"]
    assert kinds[-3:] == ["decision", "decision", "undo"] and after.standing("005") is None


def test_nothing_is_recorded_once_a_newer_run_is_published(room, quarter):
    (quarter.out / "latest").write_text("ffff-ffff-ffff\n", encoding="utf-8")
    with pytest.raises(DecisionError, match=r"\[run\]"):
        room.decide(by(room, "005"))
    assert fresh(room).hindrance == "run"
    assert "ffff-ffff-ffff" in view.parts(room.now(), Place(), "c", view.Typed())["notice"]


def test_refusals_stand_beside_their_field_and_what_was_typed_stays(room):
    now = room.now()
    cases = {
        "reason": ({"reason": ""}, "decide-reason-no"),
        "code": ({"code": "R99"}, "decide-code-no"),
        "proposer": ({"proposer": ""}, "decide-proposer-no"),
        "authoriser": ({"authoriser": "ana"}, "decide-authoriser-no"),
        "own": ({"proposer": "Person 005"}, "decide-proposer-no"),
    }
    for name, (wrong, place) in cases.items():
        fields = by(room, "005", evidence="<b>file 7", **wrong)
        with pytest.raises(DecisionError) as refused:
            room.decide(fields)
        typed = view.Typed("decide", fields, str(refused.value), view.code_of(str(refused.value)))
        html = view.parts(now, Place("case", "005"), "secret", typed)["form"]
        assert f'id="{place}"' in html and html.count('role="alert"') == 1, name
        assert "&lt;b&gt;file 7" in html and "<b>file 7" not in html
        assert "[" not in re.sub(r"<[^>]+>", "", html), name  # no codes of the program
    assert room.now().seq == now.seq


def test_pages_are_whole_in_both_languages_whatever_people_are_called(room):
    room.decide(by(room, "001", reason=SCRIPT, proposer=LONG[:290]))
    for lang in ("en", "zh"):
        with speaking(lang):
            for place in (Place(), Place(find="Person"), Place("case", "001"), Place("case", "008"), Place("consent"),
                          Place("look")):  # fmt: skip
                html = view.page(room.now(), place, "secret")
                assert f'<html lang="{lang}">' in html and SCRIPT not in html
                assert not re.search(r'(?:src|href|action)="(?:https?:)?//', html)
                assert html.count("<h1>") == 1 and "{{" not in html and "Undefined" not in html


# --- Who is let in ---------------------------------------------------------------------------------------------


def test_nobody_without_the_token_reads_or_records(shared):
    before = len(shared.entries)
    csrf = shared.csrf
    for path in (*PLACES, "/state?after=0", "/shared.js", "/nowhere"):
        assert shared.ask(path, Cookie="")[0] == 403, path
        assert shared.ask(path, Cookie=f"perfmodel-{shared.port}={'x' * 43}")[0] == 403, path
        assert shared.ask(f"{path}{'&' if '?' in path else '?'}token=wrong", Cookie="")[0] == 403, path
    assert shared.ask("/decide", {"_csrf": csrf, "employee": "005"}, Cookie="")[0] == 403
    status, headers, _ = shared.ask(f"/?token={shared.token}", Cookie="")
    assert status == 303 and headers["Location"] == "/"
    assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=Lax" in headers["Set-Cookie"]
    assert len(shared.entries) == before


def test_a_number_that_is_none_and_a_path_of_two_slashes_do_no_harm(shared):
    status, _, text = shared.ask("/state?after=" + "9" * 5000)
    assert status == 200 and json.loads(text)["said"] == ""
    assert shared.ask(f"//evil.example/?token={shared.token}", Cookie="")[1]["Location"] == "/evil.example/"


def test_a_form_of_another_site_or_without_the_secret_is_refused(shared):
    before, csrf = len(shared.entries), shared.csrf
    assert shared.decide("005", csrf)[0] == 200  # such fields are recorded, if they come from here
    recorded = len(shared.entries)
    assert recorded == before + 1
    fields = {"_csrf": csrf, "employee": "006", "grade": "C", "reason": "r", "code": "R3", "proposer": "A",
              "authoriser": "B"}  # fmt: skip
    for origin in ("http://evil.example", f"http://{shared.host}:{shared.port + 1}", "null", ""):
        assert shared.ask("/decide", fields, Origin=origin)[0] == 403, origin
    for secret in ("", "x", shared.token):
        assert shared.ask("/decide", {**fields, "_csrf": secret})[0] == 403
    assert shared.ask("/", Host="evil.example")[0] == 403
    assert shared.ask("/decide?_csrf=" + csrf, {**fields, "_csrf": ""})[0] == 403
    assert len(shared.entries) == recorded


def test_a_page_may_fetch_and_run_nothing_but_its_own(shared):
    status, headers, text = shared.ask("/case?who=001")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert headers["Cache-Control"] == "no-store" and "Server" not in headers
    assert text.count("<script") == 1 and 'style="' not in re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)


def test_another_host_is_warned_of_and_a_taken_port_refused_in_words(quarter):
    with Meeting(quarter, "--host", "0.0.0.0") as held:
        taken = quarter.do("session", quarter.cycle, "--port", held.port, "--host", "0.0.0.0")
        assert taken.returncode == 1 and "Choose another --port" in taken.stderr and "Traceback" not in taken.stderr
        said = held.stop()
    assert "can be reached from other machines" in said and "not encrypted" in said


def test_forms_work_without_a_script_and_logs_hold_no_names(meeting):
    csrf = meeting.csrf
    fields = {"_csrf": csrf, "employee": "005", "replaces": "", "reason": "", "code": "R3", "grade": "B",
              "proposer": "Ana Secret", "authoriser": "Bo"}  # fmt: skip
    status, _, text = meeting.ask("/decide", fields)
    assert status == 422 and "Write the reason in words first" in text and "Ana Secret" in text
    status, _, text = meeting.ask("/decide", {**fields, "reason": "x" * 5000})
    assert status == 422 and "shorten it" in text
    status, headers, _ = meeting.ask("/decide", {**fields, "reason": "seen"})
    assert status == 303 and headers["Location"] == "/case?who=005"
    assert meeting.ask("/case?who=nobody")[0] == 200 and meeting.ask("/nowhere")[0] == 404
    said = meeting.stop()
    assert "Secret" not in said and "005" not in said and meeting.token not in said


# --- Nothing is lost -------------------------------------------------------------------------------------------


def test_a_server_that_is_stopped_and_started_again_has_lost_nothing(meeting):
    csrf = meeting.csrf
    for who in ("005", "006"):
        assert meeting.decide(who, csrf)[0] == 200
    before, (_, _, state) = meeting.entries, meeting.ask("/state?after=0&view=agenda")
    meeting.stop()
    meeting.start(meeting.port)
    assert meeting.entries == before and verify(meeting.quarter.ledger) == []
    again = json.loads(meeting.ask("/state?after=0&view=agenda")[2])
    assert {name: again[name] for name in ("seq", "head", "said")} == {
        name: json.loads(state)[name] for name in ("seq", "head", "said")
    }
    assert again["parts"]["recent"] == json.loads(state)["parts"]["recent"]


def test_killed_amid_decisions_the_ledger_verifies_and_holds_all_that_was_answered(meeting):
    rng, answered = random.Random(11), []
    for turn in range(4):
        csrf = meeting.csrf

        def work(csrf=csrf, turn=turn):
            for n in range(200):
                who = f"00{1 + n % 7}"
                stands = ""
                try:
                    if found := re.search(r'name="replaces" value="(\w*)"', meeting.ask(f"/case?who={who}")[2]):
                        stands = found[1]
                    reason = f"turn {turn}, decision {n}"
                    if meeting.decide(who, csrf, reason=reason, replaces=stands)[0] == 200:
                        answered.append(reason)
                except OSError:
                    return

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(rng.uniform(0.3, 1.5))
        meeting.process.kill()
        meeting.process.communicate()
        thread.join()
        assert verify(meeting.quarter.ledger) == []
        meeting.start(meeting.port)
    reasons = [entry.data.get("reason") for entry in meeting.entries if entry.kind == "decision"]
    assert len(answered) > 4 and set(answered) <= set(reasons)
    assert len(reasons) == len(set(reasons)) <= len(answered) + 4  # at most one a kill was recorded and not answered


# --- In browsers -----------------------------------------------------------------------------------------------

browser = pytest.mark.browser


def open_page(chromium, meeting, path="/", **options):
    page = chromium(**options)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: (page.said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(meeting.address)
    if path != "/":
        page.goto(meeting.site + path)
    return page


def until(page, expression):
    """Wait for something to hold in a page. Not playwright's own way: it would have to evaluate text, which the
    policy of a meeting's page forbids."""
    end = time.monotonic() + 10
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never so: {expression}"
        page.wait_for_timeout(10)


def fill(page, form="decide", **typed):
    for name, text in typed.items():
        page.fill(f"#{form}-{name}", text)


def stamp(page, selector, text):
    """Note in the page when ``text`` first stands in ``selector``, by the clock that tests read too."""
    page.evaluate(
        """([selector, text]) => { window.seen = 0; const look = () => {
        if (!window.seen && document.querySelector(selector)?.textContent.includes(text)) window.seen = Date.now(); };
        setInterval(look, 10); look(); }""",
        [selector, text],
    )


@browser
def test_two_browsers_record_and_each_sees_the_others_decision_within_two_seconds(chromium, meeting):
    pages = [open_page(chromium, meeting, "/case?who=005") for _ in range(2)]
    found = []
    for turn in range(6):
        here, there = pages[turn % 2], pages[1 - turn % 2]
        who = f"00{1 + turn}"
        here.goto(f"{meeting.site}/case?who={who}")
        there.goto(f"{meeting.site}/case?who={who}" if turn % 3 else meeting.site)
        place = ".ladder" if turn % 3 else "#recent"
        stamp(there, place, f"entry {len(meeting.entries) + 1}")
        fill(here, reason=f"turn {turn}", code="R3", proposer="Ana", authoriser="Bo")
        pressed = time.time()
        here.click("button.main")
        until(there, "window.seen > 0")
        found.append(there.evaluate("window.seen") / 1000 - pressed)
        until(here, "document.activeElement?.id === 'next'")
        assert "entry" in here.locator(".ladder").inner_text()
    assert len([e for e in meeting.entries if e.kind == "decision"]) == 6
    print(f"\nseen in the other browser after {', '.join(f'{s:.2f}' for s in found)} s")
    assert max(found) < SECONDS
    assert [page.said for page in pages] == [[], []]


@browser
def test_what_another_process_decides_while_one_types_is_said_and_the_text_is_kept(chromium, meeting, quarter):
    page = open_page(chromium, meeting, "/case?who=005")
    fill(page, reason="my own long reason", code="R4", proposer="Ana", authoriser="Bo")
    case, book = committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)
    committee.decide(book, case, [Choice("005", code="R1", reason="theirs", proposer="X", authoriser="Yi")])
    until(page, "document.querySelector('#clash').textContent.includes('Yi')")
    assert page.input_value("#decide-reason") == "my own long reason"
    page.click("button.main")
    page.wait_for_selector(".refused")
    assert "press again" in page.locator(".refused").inner_text()
    assert page.input_value("#decide-reason") == "my own long reason"
    assert [e.author for e in meeting.entries if e.kind == "decision"] == ["Yi"]
    page.click("#form button.main")
    until(page, "document.activeElement?.id === 'next'")
    assert [e.author for e in meeting.entries if e.kind == "decision"] == ["Yi", "Bo"]
    assert page.locator("#clash").inner_text() == ""


@browser
def test_a_form_that_is_only_looked_at_gives_way_to_what_another_decides(chromium, meeting, quarter):
    page = open_page(chromium, meeting, "/case?who=005")
    page.focus("#decide-reason")
    case, book = committee.open_case(quarter.cycle, quarter.out), open_ledger(quarter.ledger)
    committee.decide(book, case, [Choice("005", code="R1", reason="theirs", proposer="X", authoriser="Yi")])
    until(page, "document.querySelector('#clash').textContent.includes('Yi')")  # not taken from under the hands
    assert page.evaluate("document.activeElement.id") == "decide-reason"
    page.focus("#find")
    until(page, "document.querySelector('#decide-head').textContent.startsWith('Decided')")
    assert page.locator("#clash").inner_text() == "" and "theirs" in page.locator("#form").inner_text()


@browser
def test_what_is_typed_outlives_a_reload_a_refusal_and_a_restart_of_the_server(chromium, meeting):
    page = open_page(chromium, meeting, "/case?who=005")
    fill(page, reason="half a sentence", evidence="file 7")
    page.reload()
    assert page.input_value("#decide-reason") == "half a sentence"
    meeting.stop()
    page.wait_for_selector("#lost:not([hidden])")
    meeting.start(meeting.port)
    until(page, "document.querySelector('#lost').textContent.includes('another address')")
    page.goto(meeting.address)
    page.goto(f"{meeting.site}/case?who=005")
    assert page.input_value("#decide-reason") == "half a sentence" and page.input_value("#decide-evidence") == "file 7"
    fill(page, code="R4", proposer="Ana", authoriser="Ana")
    page.click("button.main")
    page.wait_for_selector("#decide-authoriser-no")
    assert page.evaluate("document.activeElement.id") == "decide-authoriser"
    assert page.input_value("#decide-reason") == "half a sentence"
    fill(page, authoriser="Bo")
    page.click("button.main")
    until(page, "document.activeElement?.id === 'next'")
    page.reload()
    page.locator("#d-again summary").click()
    assert page.input_value("#decide-reason") == "" and page.input_value("#decide-proposer") == "Ana"


@browser
def test_nothing_can_be_accepted_before_its_reason_is_typed(chromium, shared):
    page = open_page(chromium, shared, "/case?who=007")
    buttons = page.locator("button[data-needs]")
    assert buttons.count() == 5 and all(not one.is_enabled() for one in buttons.all())
    fill(page, reason="seen")
    page.locator("#decide-reason").press("Enter")  # a new line, no decision
    page.locator("#decide-evidence").press("Enter")  # nor here
    raw = shared.ask("/case?who=007")[2]
    needs = "Needed: adjustment" in raw
    assert buttons.first.is_enabled() is not needs and not buttons.nth(1).is_enabled()
    fill(page, code="R3")
    page.locator("#decide-code").press("Enter")
    assert all(one.is_enabled() for one in buttons.all())
    assert not [e for e in shared.entries if e.subject == "007"]


class Keys:
    """A person with a keyboard and no mouse: Tab, Shift+Tab, Enter, and letters."""

    def __init__(self, page):
        self.page, self.pressed = page, 0

    def to(self, selector: str, most: int = 150) -> None:
        """Tab until something that fits ``selector`` has the focus, and can be seen to have it."""
        for _ in range(most):
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                outline = self.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", selector
                return
            self.page.keyboard.press("Tab")
            self.pressed += 1
        raise AssertionError(f"the keyboard never reaches {selector}")

    def type(self, selector: str, text: str) -> None:
        self.to(selector)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def enter(self, selector: str) -> None:
        self.to(selector)
        self.page.keyboard.press("Enter")


@browser
def test_a_whole_meeting_is_held_with_the_keyboard_alone(chromium, meeting, quarter):
    page = open_page(chromium, meeting)
    keys = Keys(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    to_discuss = page.locator("#to-next").inner_text()
    for n in range(int(to_discuss.split()[0])):
        keys.enter("#next")
        page.wait_for_url("**/case?who=*")
        page.wait_for_selector("#decide-reason")
        if n == 0:
            keys.enter("#d-votes summary")
            keys.enter("#d-kpis summary")
            assert page.locator("#d-votes p").is_visible() and page.locator("#d-kpis table").is_visible()
        keys.type("#decide-reason", f"reason {n}")
        keys.type("#decide-code", "r4")
        keys.type("#decide-proposer", "Ana")
        keys.type("#decide-authoriser", "Bo")
        keys.enter("button[name=grade][value=B]")
        until(page, "document.activeElement?.id === 'next'")
        assert f"Entry {len(meeting.entries)}" in page.locator("#said").inner_text()
    decided = [e.subject for e in meeting.entries if e.kind == "decision"]
    keys.enter("#next")
    page.wait_for_url("**/consent")
    keys.type("#consent-reason", "no doubt about these")
    keys.type("#consent-code", "R4")
    keys.type("#consent-proposer", "Ana")
    keys.type("#consent-authoriser", "Bo")
    keys.enter("button.main")
    until(page, "document.activeElement?.id === 'next'")
    keys.enter("#next")
    page.wait_for_url("**/look")
    keys.enter("#recent a")
    page.wait_for_url("**/case?who=*")
    keys.enter("#d-undo summary")
    keys.type("#undo-undo_reason", "look at it once more")
    keys.type("#undo-undo_authoriser", "Bo")
    keys.enter("#d-undo button:not([hidden])")
    page.wait_for_selector("#decide-reason")
    kinds = [e.kind for e in meeting.entries if e.kind != "freeze"]
    assert kinds == [*["decision"] * len(decided), "consent", "undo"]
    keys.type("#find", "006")
    page.keyboard.press("Enter")
    page.wait_for_url("**/case?who=006")
    assert page.said == [] and verify(quarter.ledger) == []
    print(f"\n{keys.pressed} tabs for {len(decided)} cases, the consent list, an undo and a search")


@browser
def test_hostile_names_are_shown_as_text_and_fit_a_phone(chromium, meeting):
    for width in (1440, 390):
        page = open_page(chromium, meeting, viewport={"width": width, "height": 844})
        for who, name in HOSTILE.items():
            page.goto(f"{meeting.site}/case?who={who}")
            assert page.locator("h2.who bdi").nth(1).text_content() == name
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        if page.locator("#d-again").count():
            page.locator("#d-again summary").click()
        fill(
            page,
            reason=f"{SCRIPT} {width}",
            code="R3",
            proposer=SCRIPT,
            authoriser="\u202eBo",
            evidence="<img src=x onerror=alert(2)>",
        )
        page.locator("button[data-needs]:enabled").last.click()
        until(page, "document.activeElement?.id === 'next'")
        page.goto(f"{meeting.site}/case?who=003")
        assert SCRIPT in page.locator("#form").inner_text()
        page.goto(f"{meeting.site}/?find=%3Cscript%3E")
        assert page.locator("img").count() == 0 and page.said == []
        assert all(url.startswith((meeting.site, "data:")) for url in page.asked)


@browser
def test_no_page_of_a_meeting_has_a_serious_fault_or_scrolls_sideways(chromium, quarter):
    from axe_playwright_python.sync_playwright import Axe

    for lang in ("en", "zh"):
        with Meeting(quarter, "--lang", lang) as meeting:
            if lang == "en":
                meeting.decide("005", meeting.csrf)
            for width in (1440, 390):
                page = open_page(chromium, meeting, viewport={"width": width, "height": 844})
                for path in (*PLACES, "/case?who=005", "/?find=Person"):
                    page.goto(meeting.site + path)
                    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                    found = Axe().run(page).response["violations"]
                    serious = {v["id"]: v["nodes"][0]["html"] for v in found if v["impact"] in ("serious", "critical")}
                    assert serious == {}, (lang, width, path)
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, (lang, path)
                page.goto(f"{meeting.site}/case?who=006")
                page.locator("button.main").evaluate("b => b.form.requestSubmit(b)")
                page.wait_for_selector(".refused")
                found = Axe().run(page).response["violations"]
                assert not [v["id"] for v in found if v["impact"] in ("serious", "critical")], (lang, width)
                assert page.locator("html").get_attribute("lang") == lang


def test_a_stop_by_ctrl_c_is_no_traceback_and_writes_the_pages(meeting):
    meeting.decide("005", meeting.csrf)
    said = meeting.stop(signal.SIGINT)
    assert meeting.process.returncode == 130 and "Traceback" not in said
    assert (meeting.quarter.out / "committee" / "minutes.html").is_file()
