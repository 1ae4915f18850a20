"""Read a store that a writer holds: ask the writer for a copy of the file.

DuckDB lets no second program open a file that is being written. The writer listens on a Unix
socket of its user; whoever connects and says `snapshot` is answered with one line of JSON:
`{"path": ...}`, a copy that is the client's to delete, or `{"error": ...}`.
"""

import errno
import fcntl
import glob
import hashlib
import json
import mmap
import os
import socket
import stat
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from tracejury.errors import StoreError
from tracejury.store.writer import Store

SNAPSHOT_VERB: Final = b"snapshot\n"

_CHUNK: Final = 8 * 2**20

# Linux's: write past the cache, where the system has that; and share all blocks of another file.
_DIRECT: Final = getattr(os, "O_DIRECT", 0)
_FICLONE: Final = 0x40049409

# A copy takes as long as the disk needs for the file.
_ANSWER_TIMEOUT_S: Final = 600.0

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
    """Copy the file of `store`, and what its log has, while commits go on; raises `StoreError`."""
    with ExitStack() as undoing:
        with store.frozen() as frozen:
            path = frozen.path.resolve()
            try:
                # Beside the store, where a file system that can may share its blocks.
                descriptor, name = tempfile.mkstemp(prefix=_prefix(path), dir=path.parent)
                os.close(descriptor)
                snapshot = Path(name)
                undoing.callback(discard_snapshot, snapshot)
                _copy(frozen.file, snapshot, frozen.size)
                if frozen.log_size:
                    _copy(frozen.log, _log_of(snapshot), frozen.log_size)
            except OSError as error:
                raise _failure(error) from error
        undoing.pop_all()
    return snapshot


def share_snapshot(snapshot: Path, store: Path) -> Path:
    """Another name for the same copy, for another reader: nobody writes into it."""
    descriptor, name = tempfile.mkstemp(prefix=_prefix(store.resolve()), dir=snapshot.parent)
    os.close(descriptor)
    shared = Path(name)
    try:
        for source, target in ((snapshot, shared), (_log_of(snapshot), _log_of(shared))):
            if source.exists():
                target.unlink(missing_ok=True)
                target.hardlink_to(source)
    except OSError as error:
        discard_snapshot(shared)
        raise _failure(error) from error
    return shared


def discard_snapshot(snapshot: Path) -> None:
    """Delete a snapshot that nobody reads any more."""
    snapshot.unlink(missing_ok=True)
    _log_of(snapshot).unlink(missing_ok=True)


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


def _log_of(snapshot: Path) -> Path:
    return snapshot.with_name(f"{snapshot.name}.wal")


def _copy(source: int, target: Path, size: int) -> None:
    """Copy the first `size` bytes of `source`, which stays open: closing would give up a lock."""
    with target.open("wb") as writer:
        target.chmod(0o600)
        if not _share_blocks(source, writer.fileno()):
            _copy_bytes(source, writer.fileno(), size)
        writer.truncate(size)


def _share_blocks(source: int, target: int) -> bool:
    """Let `target` have the blocks of `source`, where the file system can: nothing is copied."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _copy_bytes(source: int, target: int, size: int) -> None:
    """Write the first `size` bytes of `source`, and perhaps some more, to an empty `target`.

    Past the system's cache, a chunk at a time: a copy that waits there to be written makes every
    commit wait with it, and takes several times as long.
    """
    usual = fcntl.fcntl(target, fcntl.F_GETFL)
    with suppress(OSError):
        fcntl.fcntl(target, fcntl.F_SETFL, usual | _DIRECT)
    space = memoryview(mmap.mmap(-1, _CHUNK))  # begins with a page, as it must
    done = 0
    while done < size:
        found = os.preadv(source, [space], done)
        if not found:
            raise OSError(errno.EIO, "it is too short")
        # Whole pages only; what is too much is cut off later, or written over.
        pages = space[: -(-found // mmap.PAGESIZE) * mmap.PAGESIZE]
        written = 0
        while written < len(pages):
            try:
                written += os.pwrite(target, pages[written:], done + written)
            except OSError as error:
                if error.errno != errno.EINVAL or fcntl.fcntl(target, fcntl.F_GETFL) == usual:
                    raise
                fcntl.fcntl(target, fcntl.F_SETFL, usual)
        done += found


def _ask(address: Path) -> bytes | None:
    if not _is_own_socket(address):
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_TIMEOUT_S)
        try:
            connection.connect(str(address))
            with suppress(BrokenPipeError):  # it may say at once that it cannot
                connection.sendall(SNAPSHOT_VERB)
            return connection.makefile("rb").readline()
        except (ConnectionRefusedError, FileNotFoundError):
            return None  # left by a writer that was killed
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
