"""Who does the work of a fan-out: processes of this machine (loky) or of a Dask cluster. One code path, joblib's.

A task is a function of a module and one value; what it returns comes back as soon as it is there, in any order. At most
two tasks a worker are under way, so that memory does not grow with their number.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

from ..errors import PerfmodelError, RunError
from .parameters import UsageError

LOCAL, DASK = "loky", "dask"
AHEAD = 2  # tasks a worker under way or waiting
PATIENCE = 10.0  # seconds without the cluster's scheduler, or without one of its workers, until it is given up
KIND = 5  # how far processes and kernels give way to the computation that hands out their work
POLL = 0.2  # seconds between two looks at the cluster


@dataclass(frozen=True)
class Engine:
    """``jobs`` processes here, or the workers of the scheduler at ``cluster`` (``tcp://host:port``)."""

    name: str = LOCAL
    cluster: str = ""
    jobs: int = 1

    def __post_init__(self) -> None:
        if self.name == DASK and not self.cluster:
            raise UsageError("--engine dask needs the address of its scheduler: --cluster tcp://HOST:8786.")
        if self.name != DASK and self.cluster:
            raise UsageError("--cluster names a Dask scheduler, so it goes with --engine dask.")
        if self.name == DASK and find_spec("distributed") is None:
            raise UsageError('Dask is not installed here. Get it with: python -m pip install "perfmodel[dist]"')


class WorkerLost(Exception):
    """A process died at its task, as when memory runs out: what it had under way has to be asked for again."""


def each(function: Callable[[Any], Any], tasks: Iterable[Any], engine: Engine, tell: Callable[[str], None]) -> Iterator:
    """Results of ``function`` on each of ``tasks``, in the order in which they come.

    Parameters
    ----------
    tasks : iterable
        Read as workers become free, in a thread of its own. With a cluster, values should be ``bytes``: others are
        kept by one worker for the rest, and are gone when it dies.
    tell : function
        Is told where the cluster can be watched.

    Raises
    ------
    WorkerLost
        If a process dies at a task and nobody else takes it up, or the scheduler is gone. Ask again for what is
        missing.
    RunError
        If the cluster cannot be reached, or has no worker.
    """
    if engine.name == LOCAL and engine.jobs == 1:
        yield from map(function, tasks)
        return
    import joblib

    with _backend(engine, tell) as (options, trouble):
        found: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

        def work() -> None:
            try:
                with joblib.parallel_config(**options):
                    parallel = joblib.Parallel(
                        return_as="generator_unordered", batch_size=1, pre_dispatch=f"{AHEAD} * n_jobs"
                    )
                    do = joblib.delayed(partial(_watched, function) if engine.name == LOCAL else function)
                    for result in parallel(do(task) for task in tasks):
                        found.put(("result", result))
                found.put(("end", None))
            except BaseException as error:  # whatever it is, it is raised where the results are read
                found.put(("error", error))

        # joblib's own loop cannot be told that a cluster is gone; this thread is left to itself then. Tasks are made in
        # it, and in the language that is spoken here.
        threading.Thread(target=copy_context().run, args=(work,), name="fan-out", daemon=True).start()
        while True:
            try:
                kind, value = found.get(timeout=POLL)
            except queue.Empty:
                trouble()
                continue
            if kind == "end":
                return
            if kind == "error":
                raise _named(value, engine) from None
            yield value


def _watched(function: Callable[[Any], Any], task: Any) -> Any:
    """``function`` in a process that ends with the one that started it: loky's wait for ever for a killed one."""
    _end_with_parent()
    return function(task)


@cache
def _end_with_parent() -> None:
    parent = os.getppid()
    if hasattr(os, "nice"):
        os.nice(KIND)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def _named(error: BaseException, engine: Engine) -> BaseException:
    """``error`` as the caller knows it: that a process died is one thing, whoever started it.

    Of a cluster whose connection broke, joblib hands on whatever it stumbled over.
    """
    from joblib.externals.loky.process_executor import BrokenProcessPool

    lost = isinstance(error, BrokenProcessPool) or engine.name == DASK
    return WorkerLost(type(error).__name__) if lost and not isinstance(error, PerfmodelError) else error


@contextmanager
def _backend(engine: Engine, tell: Callable[[str], None]) -> Iterator[tuple[dict[str, Any], Callable[[], None]]]:
    """joblib's settings for ``engine``, and a function that raises when its cluster is in trouble."""
    if engine.name == LOCAL:
        yield {"backend": LOCAL, "n_jobs": engine.jobs, "inner_max_num_threads": 1}, lambda: None
        return
    from distributed import Client
    from joblib._dask import DaskDistributedBackend

    class Cluster(DaskDistributedBackend):
        """joblib's, but for a cluster of one worker: it would have the work done here."""

        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, super().effective_n_jobs(n_jobs))

    for name in ("distributed", "distributed.client", "distributed.utils", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they would log, a sentence here says
    try:
        client = Client(engine.cluster, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RunError(
            f"No Dask scheduler answers at {engine.cluster} ({type(error).__name__}). "
            "Start one with `dask scheduler`, or check the address and the firewall between."
        ) from None
    try:
        if not client.ncores():
            raise RunError(
                f"The Dask scheduler at {engine.cluster} has no worker. "
                f"Start some with: dask worker {engine.cluster} --nthreads 1"
            )
        tell(f"{len(client.ncores())} workers at {engine.cluster}; watch them at {client.dashboard_link}")
        yield {"backend": Cluster(client=client)}, _Watch(client, engine.cluster)
    finally:
        client.close(timeout=1)


class _Watch:
    """Looks after a cluster while joblib waits for it, which cannot see that what it waits for will never come."""

    def __init__(self, client: Any, address: str):
        self.client, self.address = client, address
        self.idle_since = self.alone_since = time.monotonic()

    def __call__(self) -> None:
        """Raise if the scheduler is gone, if a task ended without a result, or if no worker has been there a while."""
        now = time.monotonic()
        if self.client.status != "running":
            raise WorkerLost("the scheduler no longer answers")
        if self.client.futures:
            self.idle_since = now
        if now - self.idle_since > PATIENCE:
            raise WorkerLost("a task ended without a result")
        try:
            there = self.client.ncores()
        except (OSError, TimeoutError) as error:
            raise WorkerLost(f"the scheduler no longer answers ({type(error).__name__})") from None
        if there:
            self.alone_since = now
        if now - self.alone_since > PATIENCE:
            raise RunError(
                f"Every worker of the Dask cluster at {self.address} is gone. "
                "What was done is kept: start workers and run the same command again."
            )
