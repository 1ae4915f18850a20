"""Write a store as OTLP/JSON lines and its alerts as webhooks, which load back to the same rows."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tracejury.errors import UsageError
from tracejury.otlp.encode import encode_json_lines
from tracejury.store.batches import stored_batches
from tracejury.store.reader import Reader

_NAMES: Final = {
    '{"resourceSpans"': "traces.jsonl",
    '{"resourceLogs"': "logs.jsonl",
    '{"resourceMetrics"': "metrics.jsonl",
    '{"version"': "alerts.jsonl",
}


def export_store(reader: Reader, folder: Path) -> Iterator[tuple[Path, int]]:
    """Write traces, logs, metrics and alerts into `folder`; yields each file and its requests.

    Raises `UsageError` when the folder cannot be written or holds one of them already.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = {start: folder / name for start, name in _NAMES.items()}
        for path in paths.values():
            if path.exists():
                raise UsageError(f"{path} exists already.", next_step="Name another --output.")
        written = dict.fromkeys(paths, 0)
        with ExitStack() as opened:
            files = {start: opened.enter_context(path.open("x")) for start, path in paths.items()}
            for batch in stored_batches(reader):
                for line in encode_json_lines(batch):
                    start = next(start for start in files if line.startswith(start))
                    files[start].write(line + "\n")
                    written[start] += 1
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}.", next_step="Name another --output."
        ) from error
    yield from ((paths[start], count) for start, count in written.items())
