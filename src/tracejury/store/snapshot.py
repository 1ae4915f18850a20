"""Read a store that a writer holds: ask the writer for a copy of the file.

DuckDB lets no second program open a file that is being written. The writer listens on a Unix
socket of its user; whoever connects and says `snapshot` is answered with one line of JSON:
`{"path": ...}`, a copy that is the client's to delete, or `{"error": ...}`.
"""

import glob
import hashlib
import json
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Final

from tracejury.errors import StoreError
from tracejury.store.writer import Store

SNAPSHOT_VERB: Final = b"snapshot\n"

_CHUNK: Final = 16 * 1024 * 1024

# A copy takes as long as the disk needs for the file.
_ANSWER_TIMEOUT_S: Final = 120.0

# sockaddr_un of macOS; Linux has four bytes more. One is the terminating zero.
_PATH_LIMIT: Final = 104 - 1


def request_snapshot(store: Path) -> Path | None:
    """A copy of `store` as it is now, made by the program that writes it; None when none does.

    The copy is the caller's to delete. Raises `StoreError` when the writer could not make one.
    """
    for address in socket_addresses(store):
        answer = _ask(address)
        if answer is not None:
            return _read_answer(store, answer)
    return None


def socket_addresses(store: Path) -> list[Path]:
    """Where the socket of `store` may be, best first.

    Beside the store; or, where the file system has no sockets or the path is too long for one, in
    a private folder of the temporary one, under a name that only depends on the store's path.
    """
    store = store.resolve()
    beside = store.with_name(f"{store.name}.sock")
    digest = hashlib.sha256(os.fsencode(store)).hexdigest()[:32]
    private = Path(tempfile.gettempdir()) / f"tracejury-{os.getuid()}" / f"{digest}.sock"
    return [path for path in (beside, private) if len(os.fsencode(path)) <= _PATH_LIMIT]


def take_snapshot(store: Store) -> Path:
    """Copy the file of `store` while no commit can run; raises `StoreError`."""
    with store.paused() as (held, file):
        path = held.resolve()
        try:
            # Beside the store, where a file system that can may share its blocks.
            descriptor, name = tempfile.mkstemp(prefix=_prefix(path), dir=path.parent)
        except OSError as error:
            raise _failure(error) from error
        os.close(descriptor)
        snapshot = Path(name)
        try:
            _copy(file, snapshot)
        except OSError as error:
            snapshot.unlink(missing_ok=True)
            raise _failure(error) from error
    return snapshot


def discard_forgotten_snapshots(store: Path) -> None:
    """Delete the snapshots of readers that were killed. A reader that still reads one goes on."""
    store = store.resolve()
    for snapshot in store.parent.glob(f"{glob.escape(_prefix(store))}*"):
        snapshot.unlink(missing_ok=True)


def _prefix(store: Path) -> str:
    return f".{store.name}.snapshot-"


def _failure(error: OSError) -> StoreError:
    return StoreError(
        f"The snapshot could not be written: {error.strerror}.",
        next_step="It needs as much space beside the store as the store has.",
    )


def _copy(source: int, target: Path) -> None:
    """Copy the open file `source`, which is not closed: that would give up the store's lock."""
    with target.open("wb") as writer:
        size, done = os.fstat(source).st_size, 0
        try:
            # A file system that can share blocks between files copies nothing here.
            while done < size:
                done += os.copy_file_range(source, writer.fileno(), size - done, done, done)
        except (OSError, AttributeError):
            writer.seek(0)
            done = 0
            while chunk := os.pread(source, _CHUNK, done):
                done += writer.write(chunk)


def _ask(address: Path) -> bytes | None:
    if not _is_own_socket(address):
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_TIMEOUT_S)
        try:
            connection.connect(str(address))
        except (ConnectionRefusedError, FileNotFoundError):
            return None  # left by a writer that was killed
        try:
            connection.sendall(SNAPSHOT_VERB)
            return connection.makefile("rb").readline()
        except OSError as error:
            raise StoreError(
                f"The program that writes the store did not answer: {error}.",
                next_step="Try again, or stop it and read the store itself.",
            ) from error


def _is_own_socket(address: Path) -> bool:
    try:
        found = address.lstat()
    except OSError:
        return False
    # In the temporary folder anybody could offer a store.
    return stat.S_ISSOCK(found.st_mode) and found.st_uid in {os.getuid(), 0}


def _read_answer(store: Path, answer: bytes) -> Path:
    try:
        told = json.loads(answer)
    except ValueError:
        told = {"error": "it ended before it answered"}
    if "path" in told:
        return Path(told["path"])
    raise StoreError(
        f"The program that writes {store} made no snapshot: {told['error']}",
        next_step="Try again, or stop it and read the store itself.",
    )
