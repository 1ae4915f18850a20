"""What is known of each service's spans: how many came, why the others did not, and who says so."""

from typing import NamedTuple

from tracejury.scorecard.result import Completeness, ServiceShare
from tracejury.telemetry.numbers import counted, percent, short

_KEPT = "spans that failures kept from being"
_BASES = {"counted": "counted", "estimated": "estimated", "upper-bound": "an upper bound"}


class ServiceRow(NamedTuple):
    """One service in words."""

    ratio: str
    received: str
    missing: str
    service: str
    basis: str
    gap: str


def service_rows(completeness: Completeness) -> list[ServiceRow]:
    """Give every service, the one that lacks most first."""
    order = sorted(
        completeness.by_service.items(), key=lambda named: (-named[1].known_missing, named[0])
    )
    return [
        ServiceRow(
            percent(share.ratio),
            short(share.received),
            short(share.known_missing),
            service,
            _basis(share),
            gap_in_words(share),
        )
        for service, share in order
    ]


def not_missing(completeness: Completeness) -> str:
    """Say what is absent, or was left out, without being missing; '' where nothing was."""
    counts = (
        (completeness.external_entries, "call from outside", "calls from outside"),
        (completeness.background_spans, "background span", ""),
        (completeness.not_run, "span that a failure kept from being", _KEPT),
    )
    said = [counted(count, one, many) for count, one, many in counts if count]
    return f"Not missing: {', '.join(said)}." if said else ""


def gap_in_words(share: ServiceShare) -> str:
    """Name the causes, that of most spans first."""
    causes = sorted(share.gap.items(), key=lambda named: (-named[1], named[0]))
    return ", ".join(f"{short(spans)} {cause}" for cause, spans in causes)


def _basis(share: ServiceShare) -> str:
    said = _BASES[share.basis]
    if share.basis == "counted" or not share.processes:
        return said
    known = f"{share.counted_processes:,} of {counted(share.processes, 'process', 'processes')}"
    return f"{said}, {known} counted to the end"
