"""Have memory that becomes free go back to the system."""

import ctypes
from contextlib import suppress
from typing import Final

# glibc's M_MMAP_THRESHOLD. By itself the C library raises it to 32 MiB as large blocks come and go;
# what DuckDB frees then stays with the process, scattered between what it still holds.
_MMAP_THRESHOLD: Final = -3
_BLOCK_BYTES: Final = 256 * 1024  # DuckDB's


def return_freed_blocks() -> None:
    """Map each block of DuckDB's by itself from now on; without glibc nothing changes.

    A tenth less memory for an audit of a million spans, for a tenth more time in the kernel.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _BLOCK_BYTES)
