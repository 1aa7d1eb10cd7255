"""A real Dask scheduler and workers of one thread each, as processes on the loopback, for a test or a measurement."""

import json
import subprocess
import sys
import time
from pathlib import Path


class Cluster:
    """``address`` is what ``--cluster`` takes; leaving the ``with`` block ends every process."""

    def __init__(self, folder: Path, workers: int, host: str = "127.0.0.1"):
        self.folder, self.host = folder, host
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(self.file))
        late = time.monotonic() + 60
        while not self.file.exists():
            assert time.monotonic() < late and self.scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.1)
        self.address = json.loads(self.file.read_text())["address"]
        self.workers = [self.worker(n) for n in range(workers)]

    def worker(self, number: int) -> subprocess.Popen:
        space = str(self.folder / f"space{number}")
        return self._start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", space
        )

    def _start(self, *words: str) -> subprocess.Popen:
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", "dask", *words, "--host", self.host], stdout=log, stderr=log)

    def wait_for(self, workers: int) -> None:
        """Until so many workers have come."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)

    def __enter__(self) -> "Cluster":
        self.wait_for(len(self.workers))
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
