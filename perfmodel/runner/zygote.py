"""The process that forked kernels come from: it has imported what notebooks import, and waits, in a single thread.

``python -m perfmodel.runner.zygote FD`` reads requests from the socket FD, a line of JSON each, and answers likewise:
``{"argv", "cwd", "env", "log"}`` becomes ``{"born": pid}`` and, when that kernel has ended, ``{"dead": pid, "code"}``.
When the socket is closed it ends every kernel, and itself. Nothing here is shared with a kernel but modules: random
numbers, sockets, event loops, the environment and the working directory are each kernel's own, made after the fork.
"""

import gc
import importlib
import json
import os
import random
import selectors
import signal
import socket
import sys
import threading
from typing import Any, NoReturn

# Not matplotlib's inline backend: it ties itself to the shell that is there when it is imported, and here is none.
IPYTHON = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "IPython.core.completer")
OWN = (
    "assessment",
    "health",
    "io",
    "planning",
    "plots",
    "quarters",
    "recovery",
    "report",
    "runner",
    "simulate",
    "studies",
)


def imports() -> None:
    """Everything that takes a kernel long to load. It must start no thread: the other threads of a fork are gone."""
    # As ipykernel does, and before matplotlib reads it: charts of a notebook are drawn into the notebook.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    for name in (*IPYTHON, *(f"perfmodel.{module}" for module in OWN)):
        importlib.import_module(name)
    if (threads := threading.active_count()) > 1:
        raise RuntimeError(f"{threads} threads after the imports: a fork would lose all but one")
    gc.collect()
    gc.freeze()  # what is loaded is never garbage, and stays in common with the forks


def serve(channel: socket.socket) -> None:
    """Answer requests until the other side closes."""
    alive: set[int] = set()
    awake, wake = socket.socketpair()
    for end in (awake, wake):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chooser = selectors.DefaultSelector()
    chooser.register(channel, selectors.EVENT_READ)
    chooser.register(awake, selectors.EVENT_READ)
    text = b""
    try:
        while True:
            ready = {key.fileobj for key, _ in chooser.select()}
            if awake in ready:
                awake.recv(4096)
                for pid, code in _ended(alive):
                    _send(channel, {"dead": pid, "code": code})
            if channel in ready:
                if not (read := channel.recv(65536)):
                    return
                *lines, text = (text + read).split(b"\n")
                for line in lines:
                    pid = _fork(json.loads(line), (chooser, channel, awake, wake))
                    alive.add(pid)
                    _send(channel, {"born": pid})
    finally:
        for pid in alive:
            _kill(pid)


def _ended(alive: set[int]) -> list[tuple[int, int]]:
    """Kernels that have ended since, with the exit code that ``subprocess`` would give."""
    found = []
    for pid in list(alive):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            alive.discard(pid)
            found.append((pid, os.waitstatus_to_exitcode(status)))
    return found


def _fork(request: dict[str, Any], mine: tuple) -> int:
    """The process id of a new kernel, which leads a process group of its own."""
    pid = os.fork()
    if pid:
        _lead(pid)
        return pid
    try:
        _lead(0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for opened in mine:
            opened.close()
        become(request)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(1)


def _lead(pid: int) -> None:
    """Make ``pid`` lead a group. Parent and child both do it, so that neither goes on before it is done."""
    try:
        os.setpgid(pid, pid)
    except OSError:
        if pid == 0:
            raise


def become(request: dict[str, Any]) -> NoReturn:
    """Be the kernel that ``request`` describes, from its first line on, and end with it."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for own, standard in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(own, standard)
    os.close(log)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    random.seed()
    importlib.import_module("numpy").random.seed()
    sys.argv = ["ipykernel_launcher.py", *request["argv"]]
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=request["argv"], parent_handle=os.getppid())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _kill(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _send(channel: socket.socket, answer: dict[str, int]) -> None:
    channel.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    sys.path[:] = [place for place in sys.path if place not in ("", os.getcwd())]
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        imports()
        serve(asked)
