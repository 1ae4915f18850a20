"""Write the suspects of each fault window, best first; without windows, instances one by one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from tracejury.report.json import json_text, known
from tracejury.scorecard.difficulty import BLOCKERS, CAUSES
from tracejury.scorecard.instances import Cause, Diagnosed, DiagnosedInstance, DiagnosedInstances
from tracejury.scorecard.result import Difficulty, FaultResult
from tracejury.scorecard.suspicion.wording import shortened
from tracejury.telemetry.numbers import counted, short
from tracejury.telemetry.safe_text import safe_text

_FIXES: Final = 3
_SHOWN_MINUTES: Final = 0.05


def render_diagnosis(
    faults: Sequence[FaultResult],
    instances: Mapping[str, DiagnosedInstances],
    format: str,  # noqa: A002
) -> str:
    """`json` as the contract has it; `text` for people.

    `instances` are those of faults that they are told of, by the fault's id.
    """
    if format == "json":
        return json_text({"faults": [_entry(one, instances.get(one.id)) for one in faults]})
    lines = (line for one in faults for line in _lines(one, instances.get(one.id)))
    return "\n".join(lines) + "\n"


def _entry(fault: FaultResult, instances: DiagnosedInstances | None) -> dict[str, object]:
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
        **known(changed_before_s=fault.changed_before_s, changed_after_s=fault.changed_after_s),
        **({"rank_of_target": fault.rank_of_target} if fault.rank_of_target else {}),
        **({"difficulty": asdict(fault.difficulty)} if fault.difficulty else {}),
        **({"instances": _by_instance(instances)} if instances else {}),
    }


def _lines(fault: FaultResult, instances: DiagnosedInstances | None) -> list[str]:
    seconds = (fault.end_ns - fault.start_ns) / 1e9
    lines = [safe_text(f"{fault.id} ({seconds:.0f} s)")]
    if fault.why_none_stands_out:
        lines.append(f"  {fault.why_none_stands_out}")
    if fault.about_window:
        lines.append(safe_text(f"  {fault.about_window}"))
    for number, suspect in enumerate(fault.suspects[:5], 1):
        place = ", ".join(filter(None, (suspect.service, suspect.step)))
        lines.append(safe_text(f"  {number}. {place}: {suspect.score:g}"))
        lines += [safe_text(f"     {sentence}") for sentence in suspect.evidence]
    if instances:
        lines += [safe_text(f"  {line}") for line in _during(instances)]
    if fault.difficulty:
        lines += [f"  {sentence}" for sentence in _difficulty(fault.difficulty)]
    if fault.target:
        lines.append(f"  the fault's target ranks {fault.rank_of_target or 'nowhere'}")
    return lines


def _difficulty(hard: Difficulty) -> Iterator[str]:
    places = "failure point" if hard.basis == "errors" else "suspect"
    minutes = ", ".join(f"{CAUSES[cause]} {short(spent)}" for cause, spent in _most(hard.breakdown))
    yield (
        f"at least {counted(hard.minutes, 'minute')} to the cause,"
        f" {counted(hard.candidates, f'effective {places}')}: {minutes}"
    )
    yield from (f"in the way: {BLOCKERS[blocker]}" for blocker in hard.blockers)
    for fix, minutes_saved in _most(hard.savings)[:_FIXES]:
        yield f"would save {counted(minutes_saved, 'minute')}: {fix}"


def _most(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    """What is shown of these minutes, the most first."""
    shown = [(name, spent) for name, spent in parts.items() if spent >= _SHOWN_MINUTES]
    return sorted(shown, key=lambda part: -part[1])


def render_instances(found: DiagnosedInstances, format: str) -> str:  # noqa: A002
    """Failed and slow instances: `json` with the contract's list of faults, which is empty."""
    if format == "json":
        return json_text({"faults": [], **_by_instance(found)})
    lines = (
        found.about_failed,
        *_instances(found.failed),
        "",
        found.about_slow,
        *_instances(found.slow),
        *found.remarks,
    )
    return "\n".join(map(safe_text, lines)) + "\n"


def _during(found: DiagnosedInstances) -> Iterator[str]:
    """What ran while a fault lasted, told one by one."""
    if not found.ran:
        yield found.about_failed
        return
    yield f"while it lasted: {found.about_failed}"
    yield from _instances(found.failed)
    yield f"while it lasted: {found.about_slow}"
    yield from _instances(found.slow)


def _by_instance(found: DiagnosedInstances) -> dict[str, object]:
    return {
        "ran": found.ran,
        "unknown_end": found.unknown_end,
        "failed": _diagnosed(found.failed),
        "slow": {
            **_diagnosed(found.slow),
            "compared": found.compared,
            "not_compared": found.not_compared,
            "by_baseline": found.by_baseline,
        },
    }


def _diagnosed(found: Diagnosed) -> dict[str, object]:
    return {
        "total": found.total,
        "places": found.places,
        "not_shown": found.not_shown,
        "instances": [
            {**asdict(one), "causes": [_cause(cause) for cause in one.causes]}
            for one in found.shown
        ],
    }


def _cause(cause: Cause) -> dict[str, object]:
    evidence = [{"trace_id": trace_id, "span_id": span_id} for trace_id, span_id in cause.evidence]
    return {**asdict(cause), "evidence": evidence}


def _instances(found: Diagnosed) -> Iterator[str]:
    for one in found.shown:
        yield from _instance(one)
    if found.not_shown:
        places = counted(found.places - len(found.shown), "other place")
        yield f"  and {found.not_shown:,} more, in {places}"


def _instance(one: DiagnosedInstance) -> Iterator[str]:
    alike = f"; {one.alike:,} more alike" if one.alike else ""
    yield f"  {shortened(one.correlation_id)} ({shortened(one.workflow)}) {one.says}{alike}"
    for number, cause in enumerate(one.causes, 1):
        yield f"    {number}. {cause.where}: {cause.says}"
        for trace_id, span_id in cause.evidence[:1]:
            yield f"       trace {trace_id} span {span_id}"
