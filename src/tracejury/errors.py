"""The only exceptions a user sees: a sentence, a next step, an exit status.

TracejuryError
├── UsageError      an option, argument or configuration file cannot be used
├── InputError      a file of telemetry, faults or answers cannot be read
├── StoreError      a store cannot be opened, read or written; DamagedStoreError: its file is spoilt
├── ReceiverError   the receiver cannot start or go on
└── QueryError      a user's SQL cannot be run
"""


class TracejuryError(Exception):
    """What went wrong in one sentence, and what to do about it.

    `message` is the sentence, `next_step` the advice ('' where a program is told, and no person),
    `exit_status` what the process ends with (2: nothing could be judged or done).
    """

    exit_status = 2

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class UsageError(TracejuryError):
    """An option, argument or configuration file cannot be used."""


class InputError(TracejuryError):
    """A file of telemetry, faults or answers cannot be read."""


class StoreError(TracejuryError):
    """A store cannot be opened, read or written."""


class DamagedStoreError(StoreError):
    """Bytes of a store are missing or not what was written: nothing that is read of it counts."""


class ReceiverError(TracejuryError):
    """The receiver cannot start or go on."""


class QueryError(TracejuryError):
    """A user's SQL cannot be run."""
