"""Where a command writes what it has to say: stdout, or a file, whole or not at all."""

import sys
from pathlib import Path

from tracejury.errors import UsageError


def refuse_what_is_no_file(output: Path | None) -> None:
    """Raise `UsageError` where nothing could be written later on, before anything is judged."""
    if output is not None and output.is_dir():
        raise _unwritable(output, "it is a folder")
    if output is not None and not output.parent.is_dir():
        raise _unwritable(output, f"there is no folder {output.parent}")


def write(text: str, output: Path | None) -> None:
    """Write to the file `output`, or to stdout. Raises `UsageError`."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        _write_whole(text, output.resolve())
    except OSError as error:
        raise _unwritable(output, error.strerror or "unknown error") from error
    print(f"Written to {output}.", file=sys.stderr)


def _write_whole(text: str, output: Path) -> None:
    """Write all of it, or leave what is there as it is."""
    if output.exists() and not output.is_file():  # a device or a pipe
        output.write_text(text, encoding="utf-8")
        return
    part = output.with_name(f"{output.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def _unwritable(output: Path, reason: str) -> UsageError:
    return UsageError(f"{output} cannot be written: {reason}.", next_step="Name another --output.")
