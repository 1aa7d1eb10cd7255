"""The record by which a notebook proves that it came to its end, and with which numbers.

An executed notebook cannot prove it itself: after a killed kernel, a time-out or ``sys.exit(0)`` its
metadata still call every cell completed. So the last cell writes a small file, and no file is a failure.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

# Set by the runner for each kernel: where the record goes, whose it is, and which execution it proves.
PLACE, JOB, TOKEN = "PERFMODEL_RECORDS", "PERFMODEL_JOB", "PERFMODEL_TOKEN"
# And where the run leaves what it computed, so that no notebook computes it again (io.shared).
SHARED, ASSESSMENT = "PERFMODEL_SHARED", "assessment.pickle"
TURN = "PERFMODEL_TURN"  # and the file that is there when the notebook may take it up


def turn(work: Path, job: str) -> Path:
    """The file that says that the turn of ``job`` has come."""
    return work / f"{job}.turn"


def done(
    name: str,
    tables: "Mapping[str, DataFrame] | None" = None,
    *,
    restricted: "Mapping[str, DataFrame] | None" = None,
) -> None:
    """Say that notebook ``name`` has come to its end; the call stands in its last cell.

    Inside a run it leaves the completion record, with the digest of each of ``tables`` (contract
    tables by name), which must equal the run's own, and hands the run what only HR and legal may see:
    each of ``restricted`` that has rows becomes ``restricted/NAME.csv``. Outside of a run it only says so.
    """
    if place := os.environ.get(PLACE):
        from ..io import csv_bytes

        record = {
            "notebook": name,
            "token": os.environ.get(TOKEN, ""),
            "tables": {table: digest_of(frame) for table, frame in sorted((tables or {}).items())},
            "restricted": {
                table: csv_bytes(frame).decode("utf-8") for table, frame in (restricted or {}).items() if len(frame)
            },
        }
        target = Path(place) / f"{os.environ.get(JOB, name)}.json"
        draft = target.with_suffix(".part")
        draft.write_text(json.dumps(record), encoding="utf-8")
        os.replace(draft, target)
    else:  # on a published page it would be noise
        print(f"{name}: complete")


def digest_of(frame: "DataFrame") -> str:
    """SHA-256 of the CSV file that ``frame`` would become: equal digests are equal numbers to the last digit."""
    from ..io import csv_bytes, digest

    return digest(csv_bytes(frame))


def read_record(place: Path, job: str) -> dict | None:
    """The record that ``job`` left, or None where it never came to its last cell."""
    try:
        return json.loads((place / f"{job}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
