"""Whose turn it is: kernels start ahead of their turn, so that no core waits while one of them loads its imports."""

import threading
from collections import deque
from collections.abc import Callable


class Turns:
    """At most ``at_once`` have their turn; the others wait for it in the order in which they came."""

    def __init__(self, at_once: int):
        self._free = at_once
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    def join(self, begin: Callable[[], None]) -> None:
        """Come last in the row; ``begin`` is called, in whatever thread it happens, when the turn has come."""
        with self._lock:
            self._waiting.append(begin)
            self._go_on()

    def leave(self, begin: Callable[[], None]) -> None:
        """Give up the turn, or the place in the row of whoever ended without waiting for it."""
        with self._lock:
            if begin in self._waiting:
                self._waiting.remove(begin)
            else:
                self._free += 1
                self._go_on()

    def _go_on(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft()()
