"""The audit's own template, complete: its heading, and its sections in order."""

from tracejury import __version__
from tracejury.report.section import Section
from tracejury.report.template_evidence import EVIDENCE
from tracejury.report.template_findings import FINDINGS, UNDECIDED
from tracejury.report.template_plans import PLANS
from tracejury.report.template_results import CRITERIA, RESULTS
from tracejury.report.template_tables import OBSERVED
from tracejury.scorecard.priorities import SYSTEM_TYPES
from tracejury.scorecard.result import Audit

TITLE = "Reliability and resilience audit"

_JUDGED = (*RESULTS, *OBSERVED, *CRITERIA, *FINDINGS, *PLANS, *UNDECIDED)


def heading(audit: Audit) -> tuple[tuple[str, str], ...]:
    """Give what stands below the title: system, date, auditor, and what was judged."""
    services = sorted(audit.completeness.by_service) if audit.completeness else []
    kind = SYSTEM_TYPES.get(audit.system_type, ("", ()))[0]
    system = audit.system or ", ".join(services) or "unknown"
    tool = f"tracejury {__version__}"
    return (
        ("System", f"{system} ({kind})" if kind else system),
        ("Date", audit.judged_at),
        ("Auditor", f"{audit.auditor}, with {tool}" if audit.auditor else tool),
        ("Judged", ", ".join(audit.inputs) or "nothing"),
    )


def sections(audit: Audit) -> tuple[Section, ...]:
    """Give every section that has something to say; without telemetry only what to do next."""
    is_judged = audit.verdict != "CANNOT_JUDGE"
    built = (build(audit) for build in (*(_JUDGED if is_judged else RESULTS), *EVIDENCE))
    return tuple(section for section in built if not section.is_empty)
