"""The run that is being browsed: its audit, and the one store that questions are asked of."""

import threading
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from tracejury.scorecard.result import Audit
from tracejury.store.reader import Reader
from tracejury.tui.loading import Loading
from tracejury.workflow.browse.trace_list import summarise_traces

Answer = TypeVar("Answer")
Given = ParamSpec("Given")
Load = Callable[[], tuple[Audit, Reader]]

STOP_AGAIN_S = 0.05


class Session:
    """Owns the open store. Safe to call from several threads; one question at a time.

    `cost_s` is how long the last load took; `is_growing`: a server goes on writing the store.
    """

    def __init__(self, load: Load, loading: Loading) -> None:
        self._load = load
        self._loading = loading
        self._is_loading = threading.Lock()
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._is_closed = False
        self.cost_s = 0.0
        self.is_growing = False

    def reload(self) -> Audit:
        """Judge the run again, and ask the newer store from now on."""
        with self._is_loading:
            return self._reload()

    def _reload(self) -> Audit:
        began = time.perf_counter()
        audit, reader = self._load()
        try:
            summarise_traces(reader)
        except BaseException:
            reader.close()
            raise
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
        """Close the store. What is being loaded or asked is stopped; a load closes its own."""
        if (reader := self._reader) is not None:
            reader.stop()
        while not self._is_loading.acquire(timeout=STOP_AGAIN_S):
            self._loading.stop()
        self._is_loading.release()
        with self._lock:
            self._is_closed = True
            if self._reader is not None:
                self._reader.close()
