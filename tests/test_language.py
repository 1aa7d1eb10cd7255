"""One catalogue, complete; what methods tell comes out whole in Chinese, and what may be data comes out untouched."""

import json
import re

import catalogue
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from malformed import VARIANTS
from markupsafe import Markup
from small_cycle import write_small

from perfmodel.errors import DataError
from perfmodel.io import check, read_cycle
from perfmodel.language import say, say_n, speak, speaking, spoken, told
from perfmodel.runner.translate import prose, title, translated

# Two words of Latin letters beside each other. Commas part the items of a list of ids, so a list is no sentence.
RUN = re.compile(r"[A-Za-z][A-Za-z']+(?: [A-Za-z][A-Za-z']+)+")
QUOTED = re.compile(r"'[^']*'|`[^`]*`")
# A unit of the small scheme, the choice in Excel's own menu, and a keyword of this program's command line.
TERMS = ("CNY thousand", "CSV UTF-8", "perfmodel sample")
TABLES = {"reason", "verdict", "evidence", "what_is_identified", "linked_by", "moved_by", "signal", "status"}


def english(text: str) -> list[str]:
    """Runs of English that are left in ``text``: two words or more that are no quoted value and no known term."""
    for term in TERMS:
        text = text.replace(term, "")
    return RUN.findall(QUOTED.sub("", text))


# --- The catalogue -------------------------------------------------------------------------------------------


def test_everything_that_is_said_has_its_chinese_with_the_same_placeholders():
    assert catalogue.faults(catalogue.merged(catalogue.read())) == []


def test_the_catalogue_is_as_its_tool_writes_it_and_compiled():
    kept = catalogue.merged(catalogue.read())
    assert catalogue.PO.read_bytes() == catalogue.po_bytes(kept)
    assert catalogue.PO.with_suffix(".mo").read_bytes() == catalogue.mo_bytes(kept)


def test_a_missing_translation_and_a_lost_placeholder_are_faults():
    made = catalogue.Catalog(locale="zh")
    made.add("nothing yet", "")
    made.add("{n} people", "几人")
    made.add("{0} of {1}", "{1:told} 之 {0}")
    made.add("a brace { alone", "单个 {")
    assert [fault.split(":")[0] for fault in catalogue.faults(made)] == [
        "not translated",
        "other placeholders in '几人'",
    ]


def test_both_branches_of_a_condition_are_sentences_and_docstrings_are_none():
    source = '''
def f(n, who):
    """No sentence of the report."""
    names: "list of names" = {}
    raise DataError(f"{who} has {'one rating' if n == 1 else f'{n} ratings'}; ask for more.")
'''
    assert list(catalogue.told_patterns(source)) == [
        "{0} has one rating; ask for more.",
        "{0} has {1} ratings; ask for more.",
    ]


def test_joints_at_the_ends_go_and_a_hint_after_a_full_stop_is_a_sentence_of_its_own():
    found = catalogue.told_patterns(
        'x = "; none is left"\ny = f"There is no {kind}{name}.{hint} Known: {all}."\nz = ": gone now"'
    )
    assert list(found) == ["none is left", "There is no {0}.", "Known: {0}.", "{0}: gone now"]


def test_only_what_is_raised_counts_where_other_texts_are_data():
    source = 'WORDS = "red green blue"\nraise DataError("No such colour.")\ntell("All is done.")'
    assert list(catalogue.told_patterns(source, raised_only=True)) == ["No such colour.", "All is done."]


# --- Speaking ------------------------------------------------------------------------------------------------


def test_english_is_spoken_until_another_language_is_and_again_afterwards():
    assert spoken() == "en"
    with pytest.raises(ZeroDivisionError), speaking("zh"):
        assert spoken() == "zh"
        with speaking("en"):
            assert told("left alone") == "left alone"
        assert told("left alone") == "未作调整"
        _ = 1 / 0
    assert spoken() == "en"


def test_a_language_without_a_catalogue_is_refused():
    with pytest.raises(ValueError, match="There is no language 'fr' here, only en and zh"):
        speak("fr")
    assert spoken() == "en"


def test_a_sentence_that_the_catalogue_lacks_stays_english():
    with speaking("zh"):
        assert say("Nobody ever wrote {x}.", x="this") == "Nobody ever wrote this."
        assert [say_n("{n} gnu", "{n} gnus", n) for n in (1, 2)] == ["1 gnu", "2 gnus"]
        assert say("") == told("") == ""


# --- What methods tell ---------------------------------------------------------------------------------------


def test_every_sentence_of_a_method_is_known_by_itself_and_not_taken_for_another():
    # Placeholders become Q0Z, Q1Z …, which are no sentences: what comes back is the translation with them in place.
    with speaking("zh"):
        for message in catalogue.read():
            if not message.id or message.context != "told":
                continue
            values = [f"Q{i}Z" for i in range(len(catalogue.places(message.id)))]
            text, wanted = message.id, message.string.replace(":told}", "}")
            if values:
                text, wanted = text.format(*values), wanted.format(*values)
            bare = not re.search(r"[A-Za-z]", re.sub(r"\{\d\}", "", message.id))
            # A frame without a word of its own holds only around a sentence that is known.
            assert told(text) == (text if bare else wanted)


@pytest.mark.parametrize(
    "text", ["Score", "{0}", "公司", "; ", " · ", "E-0142", "S-01 + S-02", "A (b)", "a: b", "a; b", "100 %", "x?", "."]
)
def test_a_name_is_handed_on_untouched(text):
    with speaking("zh"):
        assert told(text) == text
        assert told(Markup(text)) == text


@given(st.text(min_size=1).filter(lambda name: "\n" not in name))
@example("Ana; Bo")
@example("Ana. Bo")
@example("Ana (Bo")
@example("{0}")
@example("公司")
def test_what_varies_in_a_sentence_is_handed_on_whatever_it_is(name):
    with speaking("zh"):
        assert told(f"{name} after 100 days in post.") == f"到岗 100 天即为 {name}。"


def test_sentences_after_one_another_and_lists_of_known_things_are_each_turned():
    with speaking("zh"):
        assert told("A in 2026Q2, C now. Rating error alone gives C .60.") == (
            "2026Q2 为 A，本季度为 C。仅评分误差即可得 C .60。"
        )
        assert told("halo: rated too little to tell; drift: needs earlier quarters") == (
            "晕轮：评分过少，无法判断；漂移：需要更早的季度"
        )
        assert told("manager (2 employees), second (1 employees)") == "直属上级（2 人）、第二评分人（1 人）"
        assert told("within chance · not tested") == "在偶然范围内 · 未检验"


def test_a_pattern_of_one_word_holds_beside_single_words_alone():
    with speaking("zh"):
        assert told("2 in a row: C in 2026Q2, C in 2026Q3") == "连续 2 个：2026Q2 为 C、2026Q3 为 C"
        assert told("3 quarters") == "3 个季度"
        for own in ("on leave in August", "seconded for two quarters"):  # a company's own words
            assert told(own) == own


def test_a_sentence_with_a_template_of_its_own_is_one_pattern():
    source = 'LOCKED = "{place} was locked for {seconds:g} s."'
    assert list(catalogue.told_patterns(source)) == ["{0} was locked for {1} s."]
    assert list(catalogue.told_patterns('QUERY = "SELECT the rows that are there"')) == []


def test_a_piece_that_is_a_sentence_is_turned_inside_the_other():
    with speaking("zh"):
        assert told(
            "crm_use (no rating): whatever arrives, the score lies between 61.0 and 67.8, grade C in any case"
        ) == ("crm_use（没有评分）：无论结果如何，得分都在 61.0 与 67.8 之间，等级均为 C")


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_every_finding_of_a_damaged_quarter_comes_out_in_chinese(variant, tmp_path):
    folder = write_small(tmp_path / "2026Q3")
    variant.damage(folder)
    with speaking("zh"):
        for message in {finding.message for finding in check(folder)[1]}:
            assert told(message) != message
            assert english(told(message)) == [], message


def test_a_refusal_with_all_its_findings_comes_out_line_by_line(tmp_path):
    folder = write_small(tmp_path / "2026Q3")
    path = folder / "results.csv"
    path.write_text(path.read_text().replace("4080", "lots", 1))
    with pytest.raises(DataError) as refusal:
        read_cycle(folder)
    with speaking("zh"):
        lines = told(str(refusal.value)).split("\n")
    assert lines[0].startswith("results.csv:") and ": 错误: actual: 'lots' 不是数字；" in lines[0]
    assert lines[0].endswith("[number-bad]")
    assert lines[-1].startswith("1 处错误，")


def test_every_reason_verdict_and_evidence_of_the_sample_comes_out_in_chinese(quarter):
    data = set(quarter.cycle.table("exclusions")["reason"])  # the company's own words
    texts = {
        str(text)
        for table in [*quarter.tables().values(), quarter.totals, quarter.not_simulated]
        for column in TABLES & set(table.columns)
        for text in table[column].dropna()
    }
    texts |= set(quarter.chase["what"]) | {finding.message for finding in quarter.findings}
    for simulation in quarter.weights.values():
        texts |= {*simulation.space.notes, *simulation.reason, str(simulation.precision)}
    texts |= {*quarter.severity.sentences(), *quarter.severity.reason.values()}
    with speaking("zh"):
        for text in texts - data - {""}:
            assert told(text) != text
            assert english(told(text)) == [], text


# --- Notebooks -----------------------------------------------------------------------------------------------

BOOKS = sorted(catalogue.NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_translated_in_its_prose_alone(book, tmp_path):
    copy = translated(book, tmp_path / book.name, "zh")
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (book, copy))
    assert [cell["id"] for cell in after["cells"]] == [cell["id"] for cell in before["cells"]]
    for old, new in zip(before["cells"], after["cells"], strict=True):
        assert old["metadata"] == new["metadata"]
        if old["cell_type"] == "code":
            assert old == new
            continue
        source = "".join(new["source"])
        assert re.search(r"[\u3400-\u9fff]", source) and english(source) == []
        assert [line.count("#") for line in source.splitlines() if line.startswith("#")] == [
            line.count("#") for line in "".join(old["source"]).splitlines() if line.startswith("#")
        ]
    assert {key: before[key] for key in before if key != "cells"} == {
        key: after[key] for key in after if key != "cells"
    }


def test_an_english_notebook_is_the_file_itself(tmp_path):
    assert translated(BOOKS[0], tmp_path / "copy.ipynb", "en") == BOOKS[0]
    assert not (tmp_path / "copy.ipynb").exists()


def test_prose_of_ones_own_stays_as_it_was_written_and_titles_are_turned():
    own = "# My page\n\nTwo lines\nof my own.\n\n- a list\n- of two"
    with speaking("zh"):
        assert prose(own) == own
        assert prose("## The company\n\nTwo lines\nof my own.") == "## 全公司\n\nTwo lines\nof my own."
        assert title("What should the committee talk about?") == "校准委员会应当讨论什么？"
        assert title("My page") == "My page"


def test_a_clause_that_its_capital_alone_made_a_sentence_is_told_as_the_clause_is():
    with speaking("zh"):
        clause = told("it has no reason; write one in words.")
        assert clause != "it has no reason; write one in words."
        assert told("It has no reason; write one in words.") == clause
        assert told("Ana Berg") == "Ana Berg"
