"""The shipped scheme is the handbook's; a scheme that contradicts itself says where and what to write instead."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfmodel.errors import SchemeError
from perfmodel.scheme import Scheme, read_scheme

TEXT = (Path(__file__).parents[1] / "perfmodel" / "default_scheme.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scheme() -> Scheme:
    return read_scheme(TEXT)[0]


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1, f"{old!r} is not in the scheme"
    return TEXT.replace(old, new, 1)


def refused(text: str):
    with pytest.raises(SchemeError) as refusal:
        read_scheme(text)
    return refusal.value.findings


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


# --- The shipped scheme ------------------------------------------------------------------------------------------


def test_the_categories_and_ranges_are_the_handbooks(scheme):
    assert {c.id: c.range for c in scheme.categories} == {
        "sales": (40, 60), "team": (20, 30), "market": (10, 20), "operations": (5, 10),
    }  # fmt: skip
    assert [len(c.kpis) for c in scheme.categories] == [4, 3, 3, 3]


def test_cost_attrition_and_forecast_error_are_better_when_lower(scheme):
    assert {i.id for i in scheme.items if i.direction == "lower"} == {
        "expense_ratio", "core_attrition", "forecast_accuracy",
    }  # fmt: skip


def test_three_kpis_are_part_measured_and_part_rated(scheme):
    mixed = {k.id: [(i.kind, i.share) for i in k.items] for k in scheme.kpis if k.kind == "mixed"}
    assert mixed == {
        "talent_retention": [("measured", 50), ("rated", 50)],
        "strategic_accounts": [("milestone", 50), ("rated", 50)],
        "crm_quality": [("measured", 50), ("rated", 50)],
    }


def test_every_kpi_is_smart_and_has_both_names(scheme):
    assert scheme.not_smart() == {}
    assert all(k.name.en and re.search("[\u4e00-\u9fff]", k.name.zh) for k in scheme.kpis)
    assert {k.responsibility for k in scheme.kpis} == {"R1", "R2", "R3", "R4", "R5"}


@pytest.mark.parametrize("profile", ["regional_manager", "key_account_manager", "new_market_manager"])
def test_the_weights_of_each_profile_total_one_hundred_inside_the_ranges(scheme, profile):
    weights = scheme.weights(profile)
    assert weights.weight.sum() == pytest.approx(100, abs=1e-9)
    assert len(weights) == 13
    by_category = weights.groupby("category").weight.sum()
    for category, ((least, most), kpis) in scheme.ranges(profile).items():
        assert least - 1e-9 <= by_category[category] <= most + 1e-9
        for kpi, (low, high) in kpis.items():
            share = 100 * weights.set_index("kpi").weight[kpi] / by_category[category]
            assert low - 1e-9 <= share <= high + 1e-9


def test_the_middle_of_the_ranges_is_no_scheme(scheme):
    # (40 + 60 + 20 + 30 + 10 + 20 + 5 + 10) / 2 = 97.5, not 100.
    assert sum(sum(c.range) / 2 for c in scheme.categories) == 97.5
    text = TEXT
    for category, weight, middle in (("team", 25, 25), ("operations", 10, 7.5)):
        text = re.sub(rf"(- id: {category}\n.*\n    weight: ){weight}", rf"\g<1>{middle}", text)
    assert any("total 97.5 %, not 100 %" in f.message for f in refused(text))


def test_sales_at_forty_needs_all_others_at_their_maximum(scheme):
    # 40 + 30 + 20 + 10 = 100: the one point of the permitted weights where sales weighs 40.
    others = [c.range[1] for c in scheme.categories if c.id != "sales"]
    assert 40 + sum(others) == 100


def test_the_rubric_is_linear_between_its_levels_and_flat_beyond(scheme):
    assert scheme.rubric_points([1, 1.5, 3, 3.5, 5, 6]).tolist() == [40, 50, 75, 82.5, 100, 100]


def test_grades_start_where_the_handbook_says_and_target_earns_a_b(scheme):
    assert scheme.cuts == {"S": 90, "A": 80, "B": 70, "C": 60, "D": 0}
    assert scheme.cuts["B"] <= scheme.items[0].points["target"] < scheme.cuts["A"]


# --- What is refused, and where ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("    range: [40, 60]", "    range: [60, 40]", "scheme-invalid", "must rise"),
        ("    weight: 50\n", "    weight: fifty\n", "scheme-number", "'fifty' is not a plain number"),
        ("        rule: threshold_target_max", "        rule: threshold", "scheme-invalid", "'threshold' is unknown"),
        (
            "direction: lower\n        rule: threshold_target_max", "direction: lower\n        rule: ratio",
            "scheme-invalid", "must choose one",
        ),
        ("        kind: measured", "        kind: mesured", "scheme-choice", "did you mean measured?"),
        ("        responsibility: R1", "        responsibility: R9", "scheme-invalid", "'R9' is not listed"),
        ("{band: S+A, range", "{band: S+E, range", "scheme-invalid", "no grade is called E"),
        ("code: G1, cap: C", "code: G1, cap: F", "scheme-invalid", "no grade is called F"),
        ("min_tenure: 90", "min_tenur: 90", "scheme-unknown", "Did you mean min_tenure?"),
        ("call: 0.70", "call: 70", "scheme-invalid", "must lie between 0 and 1"),
        ("start: 2026-07-01", "start: 1.7.2026", "scheme-date", "write it as 2026-07-01"),
        ("end: 2026-09-30", "end: 2026-06-30", "scheme-invalid", "is not after its start"),
        ("{rating: 3, points: 75", "{rating: 3, points: 55", "scheme-invalid", "points must not fall"),
        ("step: 0.5", "step: 0.7", "scheme-invalid", "step must divide"),
        ("      - id: new_customers", "      - id: sales_attainment", "scheme-invalid", "occurs more than once"),
        ("{sales_attainment: 40", "{sales_attainmen: 40", "scheme-unknown", "Did you mean sales_attainment?"),
        ("required: yes", "required: ja", "scheme-type", "must be yes or no"),
        ("            share: 50", "            share: 40", "scheme-invalid", "total 90 %, not 100 %"),
        ("grades:\n", "grades: none\nnotes:\n", "scheme-type", "must be a list"),
    ],
)  # fmt: skip
def test_a_contradiction_names_its_place_and_what_to_write(old, new, code, says):
    findings = refused(changed(old, new))
    hits = [f for f in findings if f.code == code and says in f.message]
    assert hits, [str(f) for f in findings]
    assert all(f.line > 0 and f.file == "scheme.yaml" for f in hits)


def test_the_line_is_the_one_that_an_editor_shows():
    text = changed("    weight: 50\n", "    weight: fifty\n")
    (finding,) = refused(text)
    assert (finding.line, finding.column) == (line_of(text, "fifty"), len("    weight: ") + 1)


def test_one_broken_category_does_not_make_every_profile_complain():
    findings = refused(changed("    range: [40, 60]", "    range: [60, 40]"))
    assert len(findings) == 1


def test_two_slips_are_said_at_once():
    findings = refused(changed("min_tenure: 90", "min_tenur: 90").replace("required: yes", "required: ja"))
    assert {f.code for f in findings} >= {"scheme-unknown", "scheme-type"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "just words"])
def test_a_file_that_is_no_scheme_is_said_to_be_none(text):
    assert [f.code for f in refused(text)] == ["scheme-empty"]


@pytest.mark.parametrize("text", ["a: [1, 2", "a: b: c", "\tx: 1", "a: \x00"])
def test_what_is_no_yaml_is_refused_with_its_line(text):
    assert [f.code for f in refused(text)] == ["scheme-yaml"]


def test_words_that_yaml_would_turn_are_read_as_the_scheme_expects():
    # YAML 1.1 makes "no" false and 1_000 a number; here each is what its place asks for.
    scheme, _ = read_scheme(changed("id: 2026Q3", "id: no").replace("required: yes", "required: no"))
    assert scheme.cycle == "no"
    assert not any(r.required for r in scheme.roles)
    assert [f.code for f in refused(changed("weight: 50", "weight: 5_0"))] == ["scheme-number"]


def test_a_kpi_that_lacks_its_source_is_named_as_not_smart():
    text = changed("        source: Customer survey\n", "")
    scheme, notes = read_scheme(text)
    assert scheme.not_smart() == {"customer_satisfaction": ("source",)}
    assert [(f.level, f.code) for f in notes] == [("warning", "not-smart")]
    assert notes[0].line == line_of(text, "- id: customer_satisfaction")


def test_a_scheme_says_whether_its_figures_are_simulated():
    assert not read_scheme(TEXT)[0].simulated
    assert read_scheme("simulated: yes\n" + TEXT)[0].simulated


@given(st.sampled_from(TEXT.split("\n")[:60]), st.text(max_size=12))
def test_no_slip_of_the_keyboard_ends_in_a_traceback(line, typed):
    at = TEXT.index(line) + len(line) // 2
    try:
        read_scheme(TEXT[:at] + typed + TEXT[at:])
    except SchemeError as refusal:
        assert refusal.findings


def test_an_anchor_that_also_scores_is_said_with_its_weight_and_one_whose_target_the_rater_sets_is_refused():
    text = changed("link: none ", "anchor: [sales_attainment]\n  link: kpi ")
    scheme, notes = read_scheme(text)
    most = max(scheme.weights(p.id).set_index("kpi").weight.get("sales_attainment", 0) for p in scheme.profiles)
    assert [(f.level, f.code) for f in notes] == [("warning", "anchor-scores")]
    assert f"sales_attainment ({most:g} %) also counts" in notes[0].message and notes[0].line > 1
    own = text.replace("- id: sales_attainment\n", "- id: sales_attainment\n        rater_sets_target: yes\n")
    with pytest.raises(SchemeError, match="the rater sets the target of sales_attainment"):
        read_scheme(own)


# --- Law and order of the weights --------------------------------------------------------------------------------


def test_the_law_and_an_order_of_weights_stand_in_the_scheme(scheme):
    assert scheme.weight_space("regional_manager").law == "hierarchical" and not scheme.weight_order
    more = 'weight_law: flat\nweight_order: ["sales >= team", "sales_attainment ≥ expense_ratio"]\n'
    space = read_scheme(TEXT + more)[0].weight_space("regional_manager")
    assert space.law == "flat" and space.order == (("sales", "team"), ("sales_attainment", "expense_ratio"))
    draws = space.sample(64)
    assert (draws["sales_attainment"] >= draws["expense_ratio"] - 1e-9).all()


def test_an_order_binds_only_profiles_that_have_both_weights():
    text = TEXT + 'weight_order: ["gross_margin >= expense_ratio"]\n'
    scheme, _ = read_scheme(text)
    for profile in scheme.profiles:
        has = {"gross_margin", "expense_ratio"} <= set(scheme.weights(profile.id)["kpi"])
        assert bool(scheme.weight_space(profile.id).order) == has


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("weight_law: fair\n", "must be one of hierarchical, flat"),
        ('weight_order: ["sales >= fame"]\n', "fame is no category or KPI"),
        ('weight_order: ["sales heavier than team"]\n', "written as two names"),
        ('weight_order: ["team >= sales"]\n', "order team >= sales is kept"),
        ('weight_order: ["operations >= market"]\n', "making weights equal only"),
        ('weight_order: ["talent_retention >= team_attainment"]\n', "weights of regional_manager do not keep"),
        ('weight_order: ["sales >= team_culture"]\n', "two weights of one level"),
        ("weight_order: sales\n", "must be a list"),
    ],
)
def test_a_law_or_an_order_that_cannot_be_is_refused_with_its_line(more, message):
    findings = refused(TEXT + more)
    assert any(message in f.message for f in findings), findings
    assert findings[0].line >= line_of(TEXT + more, more)
