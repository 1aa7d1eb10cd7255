"""A quarter of eight people and four raters that a reader can hold in mind: every table, nothing to find fault with.

North: 001-004, rated by M1. South: 005, rated by M2, and 006-008, rated by 005. M1 gives 005 a second rating and
M2 gives 006 one, so all raters are linked. 004 moved from North to South within the quarter. M1 and M2 stand
outside the table of employees; their ids and all others are simulated.
"""

from pathlib import Path

SCHEME = Path(__file__).parents[1] / "perfmodel" / "default_scheme.yaml"

# employee: unit, profile, manager, how far above or below target (share), rating of the manager
PEOPLE = {
    "001": ("North", "regional_manager", "M1", 0.02, 3.5),
    "002": ("North", "regional_manager", "M1", -0.04, 2.5),
    "003": ("North", "key_account_manager", "M1", 0.09, 4.5),
    "004": ("North", "key_account_manager", "M1", 0.00, 3.0),
    "005": ("South", "regional_manager", "M2", 0.05, 4.0),
    "006": ("South", "regional_manager", "005", -0.09, 2.0),
    "007": ("South", "new_market_manager", "005", 0.01, 3.5),
    "008": ("South", "new_market_manager", "005", -0.02, 3.0),
}
# measured item: target, decimals of the actual, +1 where more is better and -1 where less is
MEASURED = {
    "sales_attainment": (4000, 0, 1),
    "new_customers": (20, 0, 1),
    "gross_margin": (32, 1, 1),
    "expense_ratio": (8, 2, -1),
    "team_attainment": (100, 1, 1),
    "core_attrition": (5, 2, -1),
    "market_penetration": (40, 1, 1),
    "customer_satisfaction": (85, 1, 1),
    "forecast_accuracy": (12, 1, -1),
    "crm_completeness": (95, 1, 1),
}
RATED = ("talent_development", "team_culture", "strategic_conduct", "crm_use", "collaboration")
# What 005 is credited with is what the reports 006-008 brought in together: target, actual.
TEAM = {("005", "sales_attainment"): "12000,11600"}
SECOND = {"005": "M1", "006": "M2"}


def cards(employee: str) -> tuple[tuple[str, str], ...]:
    """Scorecards of an employee and who managed each: one, but two for the person who moved."""
    return (("a", "M1"), ("b", "M2")) if employee == "004" else (("", PEOPLE[employee][2]),)


def _tables(scheme: str) -> dict[str, list[str]]:
    start, end = (scheme.split(f"{word}: ")[1][:10] for word in ("start", "end"))
    year = start[:4]
    employees = ["employee_id,name,unit,profile,manager_id,level,level_since,hire_date,status"]
    results = ["employee_id,scorecard,kpi,target,actual,threshold,stretch,status,basis,source,note"]
    ratings = ["rater_id,employee_id,scorecard,kpi,role,rating,submitted_on,blind,comment"]
    milestones = ["employee_id,scorecard,kpi,milestone,weight,due,accepted_on,share_done"]
    pay = ["employee_id,bonus_target,currency,eligible"]
    groups = ["employee_id,attribute,value"]
    for order, (employee, (unit, profile, manager, over, rating)) in enumerate(PEOPLE.items()):
        employees.append(f"{employee},Person {employee},{unit},{profile},{manager},L2,2024-01-01,2020-03-01,active")
        pay.append(f"{employee},{30000 + 1000 * order},CNY,yes")
        groups.append(f"{employee},group,{'x' if order % 2 else 'y'}")
        for card, rater in cards(employee):
            for kpi, (target, decimals, sign) in MEASURED.items():
                if (employee, kpi) in TEAM:
                    results.append(f"{employee},{card},{kpi},{TEAM[employee, kpi]},,,final,quarter,ledger,")
                    continue
                actual = f"{target * (1 + sign * over):.{decimals}f}"
                results.append(f"{employee},{card},{kpi},{target},{actual},,,final,quarter,ledger,")
            for item in RATED:
                ratings.append(f"{employee},{employee},{card},{item},self,{min(rating + 0.5, 5)},{end},,")
                ratings.append(f"{rater},{employee},{card},{item},manager,{rating},{end},yes,Seen in the reviews")
                if employee in SECOND:
                    ratings.append(f"{SECOND[employee]},{employee},{card},{item},second,{rating - 0.5},{end},yes,")
            for step, (share, day) in enumerate(((1, "12"), (0.8, "26")), start=1):
                due = f"{end[:8]}{day}"
                milestones.append(f"{employee},{card},strategic_milestones,M{step},50,{due},{due},{share}")
    moved = f"{year}-{int(start[5:7]) + 1:02d}"
    return {
        "employees": employees,
        "results": results,
        "ratings": ratings,
        "milestones": milestones,
        "pay": pay,
        "groups": groups,
        "assignments": [
            "employee_id,scorecard,unit,profile,manager_id,from,to",
            f"004,a,North,key_account_manager,M1,{start},{moved}-14",
            f"004,b,South,key_account_manager,M2,{moved}-15,{end}",
        ],
        "events": [
            "employee_id,code,kind,points,evidence",
            "003,B1,bonus,2,Report of the product launch",
            "006,G3,gate,,Ledger of overdue accounts",
        ],
        "exclusions": ["employee_id,reason", "008,On leave since the second week"],
    }


def small_files(cycle: str = "2026Q3") -> dict[str, bytes]:
    """File name -> bytes of the small quarter; another ``cycle`` such as 2026Q2 gets its own dates."""
    year, quarter = int(cycle[:4]), int(cycle[-1])
    last = {1: "03-31", 2: "06-30", 3: "09-30", 4: "12-31"}[quarter]
    scheme = SCHEME.read_text(encoding="utf-8").replace(
        "cycle: {id: 2026Q3, start: 2026-07-01, end: 2026-09-30}",
        f"cycle: {{id: {cycle}, start: {year}-{3 * quarter - 2:02d}-01, end: {year}-{last}}}",
    )
    files = {"scheme.yaml": f"simulated: yes\n{scheme}"}
    files |= {f"{name}.csv": "\n".join(lines) + "\n" for name, lines in _tables(scheme.split("cycle:")[1]).items()}
    return {name: text.encode() for name, text in files.items()}


LENIENT = {"M1": -0.5, "M2": 0.0, "005": 0.5}  # what each rater puts on a rating


def crossed(text: str) -> str:
    """``ratings.csv`` as raters of unlike standards would give it who all rate everybody, with some scatter."""
    head, *rows = text.splitlines()
    own = [row for row in rows if ",self," in row]
    end = own[0].split(",")[6]
    for order, (employee, (*_, rating)) in enumerate(PEOPLE.items()):
        for card, manager in cards(employee):
            for rater in sorted({manager, *(LENIENT if employee != "004" else ())} - {employee}):
                for at, item in enumerate(RATED):
                    given = rating + LENIENT[rater] + (0.5, -0.5, 0, 0, 0)[(at + 2 * order + len(rater)) % 5]
                    role = "manager" if rater == manager else "second"
                    own.append(f"{rater},{employee},{card},{item},{role},{min(max(given, 1), 5)},{end},yes,Seen")
    return "\n".join([head, *own]) + "\n"


def write_small(folder: Path, cycle: str = "2026Q3") -> Path:
    """The small quarter as a folder of CSV files; gives the folder back."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in small_files(cycle).items():
        (folder / name).write_bytes(content)
    return folder
