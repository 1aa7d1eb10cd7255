"""Kernels that are forked from a process with the imports done, behind Jupyter's own interface for where kernels run.

papermill, nbclient and the kernel's manager are as ever: they see a provisioner (jupyter_client,
``KernelProvisionerBase``) that starts a kernel sooner. Unix only.
"""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from ..errors import RunError

NAME = "perfmodel-forked"
GROUP = "jupyter_client.kernel_provisioners"
PATIENCE = 120.0  # seconds that the imports may take


class Forked:
    """A forked kernel's process, as far as ``subprocess.Popen`` is asked of one."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0)
        return self.returncode

    def send_signal(self, signum: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def ended(self, code: int) -> None:
        self.returncode = code
        self._ended.set()


class Zygote:
    """The process that kernels are forked from; ``close`` ends it and all of them. What it says goes to ``log``."""

    def __init__(self, environment: dict[str, str], log: Path):
        self._own, theirs = socket.socketpair()
        os.set_inheritable(theirs.fileno(), True)
        with theirs, log.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "perfmodel.runner.zygote", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._born: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._alive: dict[int, Forked] = {}
        self._one_by_one = threading.Lock()
        threading.Thread(target=self._listen, name="zygote", daemon=True).start()

    def fork(self, argv: list[str], *, cwd: str, env: dict[str, str], log: str) -> Forked:
        """A new kernel, called with ``argv``, in the folder ``cwd``; what it says is added to the file ``log``."""
        with self._one_by_one:
            request = {"argv": argv, "cwd": cwd, "env": env, "log": log}
            try:
                self._own.sendall(json.dumps(request).encode() + b"\n")
                pid = self._born.get(timeout=PATIENCE)
            except (OSError, queue.Empty):
                pid = 0
            if not pid:
                raise RunError("The process that kernels are forked from is gone. Run with --kernels fresh.")
            return self._alive[pid]

    def close(self) -> None:
        self._own.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _listen(self) -> None:
        try:
            with self._own.makefile("rb") as answers:
                for line in answers:
                    answer = json.loads(line)
                    if "born" in answer:
                        self._alive[answer["born"]] = Forked(answer["born"])
                        self._born.put(answer["born"])
                    else:
                        self._alive.pop(answer["dead"]).ended(answer["code"])
        except (OSError, ValueError):
            pass  # closed from either side: what follows holds for both
        for kernel in list(self._alive.values()):
            kernel.ended(-signal.SIGKILL)
        self._born.put(0)


class ForkedProvisioner(LocalProvisioner):
    """Starts a kernel by a fork of the manager's ``zygote``; everything else is as with any local process."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        said = getattr(kwargs.get("stderr"), "name", os.devnull)
        self.cwd = kwargs.get("cwd") or Path.cwd()
        place = str(Path(str(said)).absolute())
        manager: Any = self.parent
        self.process = manager.zygote.fork(cmd[1:], cwd=str(self.cwd), env=kwargs["env"], log=place)
        self.pid = self.pgid = self.process.pid
        return self.connection_info


def spec() -> dict[str, Any]:
    """What a kernel's specification says so that its processes are forked; this process then knows the provisioner."""
    known = KernelProvisionerFactory.instance().provisioners
    known[NAME] = EntryPoint(NAME, f"{__name__}:{ForkedProvisioner.__name__}", GROUP)
    return {"kernel_provisioner": {"provisioner_name": NAME}}
