"""A full disk, a folder that cannot be written, a store that is deleted: what clients are told."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests.receiver.requests import TRACES, call, export, failure, post, traces
from tests.receiver.running import Running, running, start
from tests.receiver.stored import span_names

mounting = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a small file system"
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", folder], check=True)


def health(receiver: Running) -> tuple[int, str]:
    reply = post(receiver.http_port, "/healthz", b"", method="GET")
    return reply.status, json.loads(reply.body)["status"]


def fill(receiver: Running) -> list[str]:
    """Send until a request is refused; the names of what was acknowledged."""
    acknowledged: list[str] = []
    with grpc.insecure_channel(receiver.grpc_target) as channel:
        for number in range(500):
            name = f"{number:08x}"
            try:
                export(channel)(traces(name, text=os.urandom(40_000).hex()), timeout=60)
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017
                return acknowledged
            acknowledged.append(name)
    pytest.fail("eight megabytes were never full")


@mounting
def test_a_full_disk_is_survived_and_got_over(disk: Path) -> None:
    with running(disk / "run.duckdb") as receiver:
        acknowledged = fill(receiver)
        assert health(receiver) == (503, "degraded")
        refused = post(receiver.http_port, "/v1/traces", traces("late", text="x" * 4_000_000))
        assert (refused.status, refused.headers["Retry-After"]) == (503, "3")
        remount(disk, "size=128m")
        call(receiver.grpc_target, TRACES, traces("after"))
        assert health(receiver) == (200, "ok")
        receiver.terminate()
    assert span_names(disk / "run.duckdb") == sorted([*acknowledged, "after"])


@mounting
def test_a_folder_that_cannot_be_written_starts_nothing(disk: Path) -> None:
    remount(disk, "ro")
    process = start(disk / "run.duckdb")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (2, "")
    assert "cannot be opened" in stderr
    assert "Traceback" not in stderr


def test_nothing_is_acknowledged_once_the_store_is_deleted(receiver: Running) -> None:
    call(receiver.grpc_target, TRACES, traces("before"))
    receiver.store.unlink()
    failed = failure(receiver.grpc_target, TRACES, traces("after"))
    assert failed.code() is grpc.StatusCode.UNAVAILABLE
    assert "is gone" in str(failed.details())
    assert health(receiver) == (503, "degraded")
    assert not receiver.store.exists()
