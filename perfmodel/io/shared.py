"""What a run has computed, for the notebooks that it runs: each would compute the same numbers once more.

The file is the run's own, in a folder that only its owner may enter, and goes with the run. A notebook that is opened
by itself, or asks for another quarter or seed, computes for itself.
"""

import copyreg
import os
import pickle
import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

# Set by the runner for its kernels: where the file is, or will be, and a file that is there when it may be taken up.
PLACE, TURN = "PERFMODEL_SHARED", "PERFMODEL_TURN"
PATIENCE = 3600.0  # seconds; the runner ends a kernel long before, or when its own computation fails


def _mapping(items: dict) -> MappingProxyType:
    return MappingProxyType(items)


def _parts(mapping: MappingProxyType) -> tuple:
    return _mapping, (dict(mapping),)


copyreg.pickle(MappingProxyType, _parts)


def share(value: Any, place: Path, source: str | os.PathLike, seed: int) -> None:
    """Leave ``value``, computed from ``source`` with ``seed``, at ``place``: whole, or not there."""
    draft = place.with_suffix(".part")
    with open(draft, "wb") as file:
        pickle.dump((_key(source, seed), value), file, protocol=pickle.HIGHEST_PROTOCOL)
    os.replace(draft, place)


def shared(source: str | os.PathLike, seed: int) -> Any | None:
    """What this notebook's run has computed from ``source`` with ``seed``, waited for; None outside of a run."""
    name = os.environ.get(PLACE)
    if not name:
        return None
    place, late = Path(name), time.monotonic() + PATIENCE
    turn = Path(os.environ.get(TURN, name))
    while not (place.exists() and turn.exists()):
        if time.monotonic() > late:
            return None
        time.sleep(0.02)
    with open(place, "rb") as file:
        key, value = pickle.load(file)
    return value if key == _key(source, seed) else None


def _key(source: str | os.PathLike, seed: int) -> tuple[str, int]:
    text = os.fspath(source)
    return (os.path.realpath(text) if os.path.exists(text) else text, seed)
