"""What `serve` says at its end: what it stored and where, what it refused, what to run next."""

import shlex
from pathlib import Path
from typing import Final

from tracejury.receiver.meter import Meter
from tracejury.telemetry.numbers import counted, either
from tracejury.telemetry.safe_text import safe_text

# By this, `live` knows the line in its receiver's log.
FIRST_WORD: Final = "Stored"

# What is named even where none came: an audit without log records decides less.
_ALWAYS: Final = (("spans", "span"), ("logs", "log record"))
_SOMETIMES: Final = (("points", "metric point"), ("alerts", "alert"))


def farewell(meter: Meter, store: Path, config: Path | None) -> str:
    """One line; `config` is the file that the next command has to name, too."""
    if not meter.has_stored:
        parts = [f"{FIRST_WORD} nothing in {store}.", *_refused(meter)]
        if not meter.refused_requests:
            parts.append("No request came: `tracejury serve` prints what to set in your services.")
        return safe_text(" ".join(parts))
    named = [*_ALWAYS, *(pair for pair in _SOMETIMES if meter.stored(pair[0]))]
    *first, last = [counted(meter.stored(kind), one) for kind, one in named]
    command = shlex.join(
        [
            "tracejury",
            "audit",
            "--store",
            str(store),
            *(["--config", str(config)] if config else []),
        ]
    )
    parts = [f"{FIRST_WORD} {', '.join(first)} and {last} in {store}.", *_refused(meter)]
    return safe_text(" ".join([*parts, f"Next: {command}"]))


def _refused(meter: Meter) -> list[str]:
    kinds = (
        (meter.refused_requests, "request"),
        (meter.rejected, "record without valid ids", "records without valid ids"),
    )
    counts = [(kind[0], counted(*kind)) for kind in kinds if kind[0]]
    if not counts:
        return []
    were = either(counts[0][0] if len(counts) == 1 else 2, "was", "were")
    return [f"{' and '.join(said for _, said in counts)} {were} refused."]
