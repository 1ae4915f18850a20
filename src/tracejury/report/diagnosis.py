"""Write the suspects of each fault window, best first."""

from collections.abc import Sequence

from tracejury.report.json import json_text
from tracejury.scorecard.result import FaultResult
from tracejury.telemetry.safe_text import safe_text


def render_diagnosis(faults: Sequence[FaultResult], format: str) -> str:  # noqa: A002
    """`json` as the contract has it; `text` for people."""
    if format == "json":
        return json_text({"faults": [_entry(fault) for fault in faults]})
    return "\n".join(line for fault in faults for line in _lines(fault)) + "\n"


def _entry(fault: FaultResult) -> dict[str, object]:
    return {
        "id": fault.id,
        "stands_out": fault.stands_out,
        "suspects": [
            {
                "service": suspect.service,
                "step": suspect.step,
                "score": suspect.score,
                "evidence": list(suspect.evidence),
            }
            for suspect in fault.suspects
        ],
    }


def _lines(fault: FaultResult) -> list[str]:
    seconds = (fault.end_ns - fault.start_ns) / 1e9
    lines = [safe_text(f"{fault.id} ({seconds:.0f} s)")]
    if not fault.stands_out:
        lines.append("  nothing stands out")
    for number, suspect in enumerate(fault.suspects[:5], 1):
        lines.append(safe_text(f"  {number}. {suspect.service}, {suspect.step}: {suspect.score:g}"))
        lines += [safe_text(f"     {sentence}") for sentence in suspect.evidence]
    return lines
