"""Notebooks through papermill, a bounded number at once, each in a kernel of its own that never outlives the run.

Kernels are started ahead of their turn and wait for it where they ask for the quarter's numbers (``io.shared``): a
fresh kernel's imports take longer than many a notebook.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import RunError, TransientError
from . import record
from .engine import KIND
from .translate import translated
from .turns import Turns

AHEAD = 1  # kernels more than one a turn that are started before it is theirs
# jsonschema builds a grammar of addresses from it, which takes a second, and no notebook's format has an address in it.
GRAMMAR = "rfc3987_syntax"
ATTEMPTS = 3  # ports are drawn anew at each; three clashes in a row are no accident
CLASH = ("Address already in use", "EADDRINUSE", "Address in use")
# Errors whose text names code and not people, so that it may be shown.
OPEN = {"PerfmodelError", "SchemeError", "DataError", "RunError"}
OPEN |= {"NameError", "AttributeError", "ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError"}
OPEN |= {"OSError", "FileNotFoundError", "PermissionError", "MemoryError"}


@dataclass(frozen=True)
class Job:
    """One notebook with its values: ``name`` is that of its page, which several units make several.

    Its prose is shown in ``lang``; the file stays as it is.
    """

    name: str
    notebook: Path
    values: dict[str, Any]
    lang: str = "en"


class Stopped(Exception):
    """The run is being given up; this notebook's end is of no interest."""


class Kernels:
    """Executes jobs in the background; leaving the ``with`` block ends every kernel that is still there.

    Parameters
    ----------
    work : Path
        Folder for connection files, records and what kernels say on stderr; the caller removes it.
    at_once : int
        How many notebooks have their turn at a time. About as many others have started and wait for it.
    timeout : float
        Seconds that one notebook may take from its turn on.
    forked : bool
        Whether kernels are forked from a process with the imports done (``forked``), not started anew.
    """

    def __init__(self, work: Path, *, at_once: int, timeout: float, forked: bool = False):
        self.work, self.timeout, self.forked = work, timeout, forked
        self._zygote: Any = None
        self._stopping = threading.Event()
        self._live: set[Any] = set()
        self._lock = threading.Lock()
        self._turns = Turns(at_once)
        self._pool = ThreadPoolExecutor(2 * at_once + AHEAD, thread_name_prefix="notebook")

    def __enter__(self) -> "Kernels":
        # papermill first, in one thread: two that import it at once can see it half made.
        with _without(GRAMMAR):
            import_module("papermill")

        # What they would tell the log, a RunError tells the user: in words, once, without output of a cell.
        for name in ("papermill", "traitlets", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if self.forked:
            from .forked import Zygote

            self._zygote = Zygote(_environment(), self.work / "zygote.log")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with self._lock:
            for kernel in self._live:
                end(kernel)
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._zygote:
            self._zygote.close()

    def submit(self, job: Job, target: Path) -> "Future[dict]":
        """Execute ``job`` into ``target``; the result is its completion record."""
        return self._pool.submit(self._execute, job, target)

    def _execute(self, job: Job, target: Path) -> dict:
        for attempt in range(1, ATTEMPTS + 1):
            log = self.work / f"{job.name}.{attempt}.log"
            try:
                return self._attempt(job, target, log)
            except RunError:
                said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
                if attempt == ATTEMPTS or not any(clash in said for clash in CLASH):
                    raise
        raise AssertionError("unreachable")

    def _attempt(self, job: Job, target: Path, log: Path) -> dict:
        import papermill
        from jupyter_core.utils import run_sync
        from nbclient.exceptions import DeadKernelError

        if self._stopping.is_set():
            raise Stopped
        source = translated(job.notebook, self.work / f"{job.name}.{job.lang}.ipynb", job.lang)
        token = os.urandom(16).hex()
        late = threading.Event()

        def unwanted() -> bool:
            return late.is_set() or self._stopping.is_set()

        def give_up() -> None:
            late.set()
            end(kernel)

        watch = threading.Timer(self.timeout, give_up)
        watch.daemon = True

        def begin() -> None:
            record.turn(self.work, job.name).touch()
            watch.start()

        with log.open("wb") as said:
            kernel = _kernel(job, self.work, token, said, unwanted, self._zygote)
            with self._lock:
                self._live.add(kernel)
            self._turns.join(begin)
            try:
                papermill.execute_notebook(
                    _literal(source),
                    _literal(target),
                    parameters=job.values,
                    kernel_name="python3",
                    language="python",
                    progress_bar=False,
                    start_timeout=max(60, int(self.timeout)),  # the watch is the limit
                    km=kernel,
                )
            except papermill.PapermillExecutionError as error:
                text = f": {error.evalue.rstrip('.')}" if error.ename in OPEN and error.evalue else ""
                raise RunError(f"{job.name} failed in its cell {error.exec_count}: {error.ename}{text}.") from None
            except Exception as error:  # a killed kernel shows in many ways
                if self._stopping.is_set():
                    raise Stopped from None
                if late.is_set():
                    raise TransientError(
                        f"{job.name} took longer than {self.timeout:g} s and was stopped. Give it more with --timeout."
                    ) from None
                if isinstance(error, DeadKernelError) or "died" in str(error).lower():
                    raise TransientError(
                        f"{job.name}: its kernel died, as when memory runs out or it is killed. "
                        "Run again, with fewer at once (--jobs 1) if memory is short."
                    ) from None
                raise
            finally:
                watch.cancel()
                self._turns.leave(begin)
                with self._lock:
                    self._live.discard(kernel)
                end(kernel)
                run_sync(kernel.cleanup_resources)()
        return _completed(self.work, job, token)


@contextmanager
def _without(module: str) -> Iterator[None]:
    """``module`` cannot be imported meanwhile, unless it is there already."""
    there = sys.modules.setdefault(module, None)  # type: ignore[arg-type]  # as the import system has it
    try:
        yield
    finally:
        if there is None:
            del sys.modules[module]


def _literal(path: Path) -> str:
    """``path`` for papermill, which takes braces in it for places to fill in."""
    return str(path).replace("{", "{{").replace("}", "}}")


def end(kernel: Any) -> None:
    """Kill the kernel and whatever it started. Its record is written, or nothing of it is wanted."""
    provisioner = kernel.provisioner
    process = getattr(provisioner, "process", None)
    if process is None or process.poll() is not None:
        return
    if group := getattr(provisioner, "pgid", None):
        try:
            os.killpg(group, signal.SIGKILL)  # a kernel leads a process group of its own
        except ProcessLookupError:
            return
    else:
        process.kill()
    process.wait()  # gone when this returns, and its time is in what the run has used


def _completed(work: Path, job: Job, token: str) -> dict:
    found = record.read_record(work, job.name)
    if found is None or found["token"] != token:
        raise RunError(
            f"{job.name} stopped before its last cell without an error, as sys.exit() does. "
            f'Its last cell must call pm.done("{job.notebook.stem}").'
        )
    if found["notebook"] != job.notebook.stem:
        raise RunError(f"{job.name} calls itself {found['notebook']} in pm.done; write its own name there.")
    return found


def _kernel(job: Job, work: Path, token: str, said: Any, unwanted: Callable[[], bool], zygote: Any = None) -> Any:
    """A manager for one kernel: this interpreter, this perfmodel, and no setting of the user's own IPython.

    With ``zygote`` its process is forked from that one. ``unwanted`` is asked once more when the kernel is up: whoever
    ended it while it was starting found nothing.
    """
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class OwnInterpreter(KernelSpecManager):
        """Whatever "python3" means elsewhere on this machine, here it is the Python that runs the run."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(
                argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                display_name="Python 3",
                language="python",
                metadata=origin,
            )

    origin: dict[str, Any] = {}
    if zygote:
        from .forked import spec

        origin = spec()
    settings = work / f"{job.name}.ipython"
    settings.mkdir(exist_ok=True)
    environment = {
        **_environment(),
        record.PLACE: str(work),
        record.JOB: job.name,
        record.TOKEN: token,
        record.SHARED: str(work / record.ASSESSMENT),
        record.TURN: str(record.turn(work, job.name)),
        "IPYTHONDIR": str(settings),
    }

    manager: Any = AsyncKernelManager  # its start_kernel is declared with the type of the blocking one

    class Quiet(manager):
        async def start_kernel(self, *args: Any, **kw: Any) -> None:
            folder = str(job.notebook.parent)
            await self._async_start_kernel(*args, **{**kw, "cwd": folder, "env": environment, "stderr": said})
            with suppress(AttributeError, ProcessLookupError):  # Windows; a kernel that is dead already
                os.setpriority(os.PRIO_PROCESS, self.provisioner.pid, KIND)
            if unwanted():
                end(self)

    kernel = Quiet(
        kernel_name="python3",
        kernel_spec_manager=OwnInterpreter(),
        connection_file=str(work / f"{job.name}-{token[:8]}.connection.json"),
    )
    kernel.zygote = zygote
    return kernel


def _environment() -> dict[str, str]:
    """What every process of a kernel is given: this one's environment, and this perfmodel before any other."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def each_as_it_ends(futures: "dict[Future[dict], Job]", tick: Callable[[], None]) -> Iterable[tuple[Job, dict]]:
    """Jobs with their records in order of completion; the first failure ends the iteration."""
    from concurrent.futures import as_completed

    for future in as_completed(futures):
        found = future.result()
        tick()
        yield futures[future], found
