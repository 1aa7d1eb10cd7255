"""A folder for each unit, from the company-wide fit: what its own committee may see, and nothing of anybody else."""

import csv
import io
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..language import say

REPORT = "calibration_report.html"
BY_CODE = "rater_codes.csv"  # in restricted/: whose code is whose, for HR alone
BY_PSEUDONYM = "pseudonyms.csv"


def folder_of(unit: str) -> str:
    """A folder name of a unit's id; an id that cannot be one gets a mark of its own, so that no two share a folder."""
    plain = re.sub(r"[^\w.-]|^\.", "_", unit)[:60]
    return plain if plain == unit else f"{plain}-{sha256(unit.encode()).hexdigest()[:8]}"


def write_packs(
    assessment: Any, page: Path, manifest: Mapping[str, Any], *, key: str = "", tick=lambda: None
) -> dict[str, str]:
    """Write ``page/units/<unit>/`` for every unit, and who is who into ``page/restricted/``; page of each unit.

    With ``key`` people stand under pseudonyms.
    """
    from .. import report
    from ..pseudonyms import pseudonym

    codes, company = report.rater_codes(assessment), report.company_of(assessment)
    pages = {}
    for unit in sorted(set(assessment.totals["unit"])):
        place = page / "units" / folder_of(unit)
        write_pack(report.excerpt(assessment, unit, codes=codes, company=company, key=key), place, manifest)
        pages[unit] = f"units/{place.name}/index.html"
        tick()
    _write_key(page / "restricted" / BY_CODE, ("rater_id", "code"), codes)
    if key:
        people = {who: pseudonym(key, who) for who in sorted(assessment.totals["employee_id"])}
        _write_key(page / "restricted" / BY_PSEUDONYM, ("employee_id", "pseudonym"), people)
    return pages


def write_pack(piece: Any, place: Path, manifest: Mapping[str, Any]) -> None:
    """One unit's index, calibration report, workbook and tables in the folder ``place``."""
    from .. import report
    from ..io import csv_bytes

    place.mkdir(parents=True)
    title = say("Calibration report, {unit}", unit=piece.unit)
    text = report.calibration_report(piece, manifest=manifest).html()
    (place / REPORT).write_text(text, encoding="utf-8", newline="\n")
    parts = [{"name": "calibration_report", "title": title, "html": REPORT}]
    text = report.index_page(piece, manifest, parts)
    (place / "index.html").write_text(text, encoding="utf-8", newline="\n")
    report.workbook(piece, place / "pack.xlsx", manifest=manifest)
    (place / "tables").mkdir()
    for name, frame in piece.tables().items():
        if len(frame):
            (place / "tables" / f"{name}.csv").write_bytes(csv_bytes(frame))


def _write_key(path: Path, names: tuple[str, str], pairs: Mapping[str, str]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(sorted(pairs.items()))
    path.write_text(text.getvalue(), encoding="utf-8", newline="\n")
