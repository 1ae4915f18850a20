"""Start programs, wait until they answer, and stop them with everything they started."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from stand.console import StandError, say


def free_port(preferred):
    """The preferred port, so that two runs name their peers alike; another if it is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise StandError("no free port on 127.0.0.1")


def start(name, command, *, console, stop_signal=signal.SIGTERM, **popen):
    return Process(name, command, console, stop_signal, popen)


class Process:
    """One program in a process group of its own, its output in a file."""

    def __init__(self, name, command, console, stop_signal, popen):
        self.name = name
        self._stop_signal = stop_signal
        self._asked_to_stop = False
        self.output = Path(console) / f"{name}.log"
        with self.output.open("ab") as output:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **popen,
            )
        self.pid = self._popen.pid

    def ended(self):
        return self._popen.poll() is not None

    def check(self):
        if self.ended():
            tail = self.output.read_text(errors="replace")[-2000:]
            raise StandError(f"{self.name} ended by itself ({self._popen.returncode}):\n{tail}")

    def wait(self):
        return self._popen.wait()

    def ask_to_stop(self):
        # Once: a second signal makes Celery drop what it is finishing.
        if not self._asked_to_stop:
            self._asked_to_stop = True
            self._signal(self._stop_signal)

    def stop(self, patience=15):
        self.ask_to_stop()
        try:
            self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            say(f"{self.name} did not stop within {patience} s, killing it")
        # Also what a dead parent left behind, such as the pool children of a killed worker.
        self._signal(signal.SIGKILL)
        self._popen.wait()

    def freeze(self):
        """Stop the group without ending it: its sockets stay open and nothing answers."""
        self._signal_family(signal.SIGSTOP)

    def thaw(self):
        self._signal_family(signal.SIGCONT)

    def _signal_family(self, number):
        # Postgres gives each backend a process group of its own.
        for pid in (self.pid, *children(self.pid)):
            os.kill(pid, number)

    def _signal(self, number):
        try:
            if number == signal.SIGKILL:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass


def children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def wait_until(ready, what, *, seconds=40, watched=()):
    deadline = time.monotonic() + seconds
    while not ready():
        for process in watched:
            process.check()
        if time.monotonic() > deadline:
            raise StandError(f"{what} was not ready within {seconds} s")
        time.sleep(0.1)


def answers(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
