"""The run that is being browsed: its audit, and the one store that questions are asked of."""

import threading
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from tracejury.scorecard.result import Audit
from tracejury.store.reader import Reader
from tracejury.workflow.browse.trace_list import summarise_traces

Answer = TypeVar("Answer")
Given = ParamSpec("Given")
Load = Callable[[], tuple[Audit, Reader]]


class Session:
    """Owns the open store. Safe to call from several threads; one question at a time.

    `cost_s` is how long the last load took; `is_growing`: a server goes on writing the store.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._is_closed = False
        self.cost_s = 0.0
        self.is_growing = False

    def reload(self) -> Audit:
        """Judge the run again, and ask the newer store from now on."""
        began = time.perf_counter()
        audit, reader = self._load()
        summarise_traces(reader)
        with self._lock:
            outdated, self._reader = self._reader, reader
            if outdated is not None:
                outdated.close()
            if self._is_closed:
                reader.close()
        self.cost_s = time.perf_counter() - began
        self.is_growing = reader.is_snapshot
        return audit

    def ask(
        self,
        question: Callable[Concatenate[Reader, Given], Answer],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Answer | None:
        """Put one question of `browse` to the store; None while there is none."""
        with self._lock:
            if self._reader is None or self._is_closed:
                return None
            return question(self._reader, *args, **kwargs)

    def close(self) -> None:
        """Close the store. A load that is under way closes its own when it ends."""
        with self._lock:
            self._is_closed = True
            if self._reader is not None:
                self._reader.close()
