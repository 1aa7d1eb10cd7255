"""A real Dask scheduler and workers of one thread each, as processes on the loopback, for a test or a measurement."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = ("127.0.0.1", ())


class Cluster:
    """``address`` is what ``--cluster`` takes; leaving the ``with`` block ends every process.

    ``hosts`` has an entry for each worker: the address that it listens at, and the words its command is run through
    (none here; ``ip netns exec NAME`` in another network namespace). The scheduler listens here, at ``at``.
    """

    def __init__(self, folder: Path, hosts: Sequence[tuple[str, Sequence[str]]], at: str = "127.0.0.1"):
        self.folder, self.hosts = folder, hosts
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "scheduler.json"
        words = ("--port", "0", "--no-dashboard", "--scheduler-file", str(self.file))
        self.scheduler = self._start((at, ()), "scheduler", *words)
        late = time.monotonic() + 120
        while not self.file.exists():
            assert time.monotonic() < late and self.scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.1)
        self.address = json.loads(self.file.read_text())["address"]
        self.workers = [self.worker(n) for n in range(len(hosts))]

    def worker(self, number: int) -> subprocess.Popen:
        words = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        space = str(self.folder / f"space{number}")
        return self._start(self.hosts[number], "worker", self.address, *words, "--local-directory", space)

    def _start(self, host: tuple[str, Sequence[str]], *words: str) -> subprocess.Popen:
        address, through = host
        command = [*through, sys.executable, "-m", "dask", *words, "--host", address]
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def wait_for(self, workers: int) -> None:
        """Until so many workers have come."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=120)

    def __enter__(self) -> "Cluster":
        try:
            self.wait_for(len(self.workers))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
