"""Packs on a real Dask cluster: what a second worker brings, here and across two network namespaces. Not a test.

    python tests/fanout_study.py [--people 1000] [--repeat 3]          two workers of one thread on the loopback
    python tests/fanout_study.py --namespaces                         as root: scheduler here, a worker in each of two

Efficiency is the time of one worker over twice that of two. Every round's packs are compared with one process's.
"""

import argparse
import hashlib
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from dask_cluster import HERE, Cluster

import perfmodel as pm
from perfmodel.runner import Engine
from perfmodel.runner.packs import write_packs
from perfmodel.simulate import sample_files

NAMES = ("perfmodel-a", "perfmodel-b")
AT = "198.18.1.1"  # this side of the first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--namespaces", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, data in sample_files(employees=asked.people, quarters=1).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        quarter = pm.assess(folder / "2026Q3", seed=1)
        quarter.tables()
        print(f"{quarter.totals['unit'].nunique()} units", flush=True)
        alone = packs(quarter, folder / "alone", None)[1]
        at = AT if asked.namespaces else "127.0.0.1"
        try:
            hosts = namespaces() if asked.namespaces else [HERE, HERE]
            times = {}
            for workers in (1, 2):
                with Cluster(folder / f"cluster{workers}", hosts[:workers], at) as cluster:
                    engine = Engine("dask", cluster.address)
                    packs(quarter, folder / f"warm{workers}", engine)
                    rounds = [packs(quarter, folder / f"{workers}-{n}", engine) for n in range(asked.repeat)]
                assert all(found == alone for _, found in rounds), "other bytes than one process gives"
                times[workers] = statistics.median(took for took, _ in rounds)
                print(f"{workers} workers: {times[workers]:.2f} s, the same bytes as one process", flush=True)
        finally:
            for host in NAMES if asked.namespaces else ():
                subprocess.run(["ip", "netns", "del", host], check=False)
        print(f"efficiency of two: {times[1] / (2 * times[2]):.2f}")


def packs(quarter, folder: Path, engine: Engine | None) -> tuple[float, str]:
    """Seconds, and a digest of every byte."""
    (folder / "restricted").mkdir(parents=True)
    start = time.perf_counter()
    assert not write_packs(quarter, folder, {}, engine=engine).failed
    took = time.perf_counter() - start
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(f"{path.relative_to(folder)}".encode())
        whole.update(path.read_bytes() if path.is_file() else b"")
    return took, whole.hexdigest()


def namespaces() -> list[tuple[str, tuple[str, ...]]]:
    """Two network namespaces that reach this one, and not each other: address and way in of each."""
    hosts = []
    for number, name in enumerate(NAMES, 1):
        here, there = f"198.18.{number}.1", f"198.18.{number}.2"
        for command in (
            f"ip netns add {name}",
            f"ip link add pm{number} type veth peer name pm0 netns {name}",
            f"ip addr add {here}/24 dev pm{number}",
            f"ip link set pm{number} up",
            f"ip -n {name} addr add {there}/24 dev pm0",
            f"ip -n {name} link set pm0 up",
            f"ip -n {name} link set lo up",
            f"ip -n {name} route add default via {here}",
        ):
            subprocess.run(command.split(), check=True)
        hosts.append((there, ("ip", "netns", "exec", name)))
    return hosts


if __name__ == "__main__":
    main()
