"""Who may send: everybody, or who knows the token."""

import hmac
import os
import re
from pathlib import Path
from typing import Final

from tracejury.errors import ReceiverError
from tracejury.receiver.answers import Code, Refused

TOKEN_VARIABLE: Final = "TRACEJURY_TOKEN"

# What RFC 6750 lets a bearer token be made of; nothing else passes through a header unharmed.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class Access:
    """Knows the senders. Without a token, everybody is one."""

    def __init__(self, token: str | None = None) -> None:
        self._expected = None if token is None else token.encode()

    @property
    def is_open(self) -> bool:
        return self._expected is None

    def admits(self, authorization: str | None) -> bool:
        """Whether an `Authorization` header is that of a sender, in constant time."""
        if self._expected is None:
            return True
        scheme, _, token = (authorization or "").partition(" ")
        # Compared whatever the scheme is, so that the time tells nothing.
        is_known = hmac.compare_digest(token.strip().encode(errors="replace"), self._expected)
        return is_known and scheme.lower() == "bearer"


def read_access(token_file: Path | None) -> Access:
    """By the token in the file, else in the environment; raises `ReceiverError`."""
    if token_file is None:
        token = os.environ.get(TOKEN_VARIABLE)
        return Access(None if token is None else _checked(token, TOKEN_VARIABLE))
    try:
        return Access(_checked(token_file.read_text(encoding="utf-8"), str(token_file)))
    except (OSError, ValueError) as error:
        raise ReceiverError(
            f"The token file {token_file} cannot be read: {error}.",
            next_step="Name a file that holds the token and nothing else with --token-file.",
        ) from error


def _checked(text: str, source: str) -> str:
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise ReceiverError(
            f"{source} holds no bearer token.",
            next_step="Use letters, digits and -._~+/ only, for example of `openssl rand -hex 32`.",
        )
    return token


def unauthenticated() -> Refused:
    return Refused(
        Code.UNAUTHENTICATED,
        "The token is missing or wrong; send the header `Authorization: Bearer TOKEN`.",
    )
