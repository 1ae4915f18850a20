"""Files that the receiver may open: many systems let a program have 1024 until it asks for more.

Connections are files too. Without room for all that are taken, strangers who do nothing but connect
would leave none for the store.
"""

import resource
from contextlib import suppress
from typing import Final

from tracejury.receiver import grpc_endpoint, http_connection

# The store, its readers' snapshots, and connections on their way in or out.
_OTHERS: Final = 1000
_WANTED: Final = http_connection.CONNECTION_LIMIT + grpc_endpoint.CONNECTION_LIMIT + _OTHERS


def allow_open_files() -> None:
    """Raise this process' limit to what may be needed, or as near as the system allows."""
    limit, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _WANTED if highest == resource.RLIM_INFINITY else min(_WANTED, highest)
    if limit != resource.RLIM_INFINITY and limit < allowed:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, highest))
