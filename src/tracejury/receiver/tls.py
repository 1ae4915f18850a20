"""The certificates of both endpoints, read once and known to fit before a port is opened."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from tracejury.errors import ReceiverError


@dataclass(frozen=True, slots=True)
class Tls:
    """How both endpoints prove who they are and, where a CA is named, who their clients are."""

    context: ssl.SSLContext
    credentials: grpc.ServerCredentials


def read_tls(cert: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    """None where no certificate is named; raises `ReceiverError` for files that do not fit."""
    if cert is None and key is None and client_ca is None:
        return None
    if cert is None or key is None:
        raise ReceiverError(
            "TLS needs both a certificate and its key.",
            next_step="Name them with --tls-cert and --tls-key.",
        )
    return Tls(_context(cert, key, client_ca), _credentials(cert, key, client_ca))


def _context(cert: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password nobody is asked for one on a terminal that may not be there.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        raise _unusable(f"The certificate {cert} and the key {key}", error) from error
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ValueError) as error:
            raise _unusable(f"The clients' CA {client_ca}", error) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _unusable(what: str, error: Exception) -> ReceiverError:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return ReceiverError(
        f"{what} cannot be used for TLS: {str(reason).lower().replace('_', ' ')}.",
        next_step="Name PEM files that belong together, the key without a password.",
    )


def _credentials(cert: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    roots = None if client_ca is None else client_ca.read_bytes()
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), cert.read_bytes())],
        root_certificates=roots,
        require_client_auth=client_ca is not None,
    )
