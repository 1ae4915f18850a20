"""Answers of persons: what they decide, what they never do, and that every report names them."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.report.example_audit import EXAMPLE
from tests.report.hostile_audit import HOSTILE

from tracejury.errors import InputError
from tracejury.report.render import FORMATS, render
from tracejury.scorecard.answers import answer_checks, answer_criteria, read_answers, unused
from tracejury.scorecard.result import Answer, Audit
from tracejury.scorecard.verdict import score, verdict
from tracejury.telemetry.safe_text import UNSAFE

REST = 'why = "tried it"\nwho = "Ada"\nwhen = 2026-01-31\n'


def answers_in(folder: Path, text: str) -> tuple[Answer, ...]:
    file = folder / "answers.toml"
    file.write_text(text, encoding="utf-8")
    return read_answers(file)


def answer(name: str, outcome: str = "pass", **said: str) -> Answer:
    told = {"why": "tried it", "who": "Ada", "when": "2026-01-31"} | said
    return Answer(name, outcome, **told)  # type: ignore[arg-type]


def answered(*answers: Answer) -> Audit:
    return replace(
        EXAMPLE,
        criteria=answer_criteria(EXAMPLE.criteria, answers),
        checks=answer_checks(EXAMPLE.checks, answers),
    )


def test_answers_are_read_with_who_and_when(tmp_path: Path) -> None:
    text = f'[answers."CRITICAL-5"]\noutcome = "fail"\n{REST}[answers.PAR-07]\noutcome = "pass"\n'
    text += 'why = "w"\nwho = "x"\nwhen = "2026-01-31T12:00:00Z"\n'
    first, second = answers_in(tmp_path, text)
    assert first == answer("CRITICAL-5", "fail")
    assert (second.id, second.when) == ("PAR-07", "2026-01-31T12:00:00Z")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["has no answers", "[answers."]),
        ("[answers", ["not valid TOML"]),
        ("[answer.X]\n", ['"answer"', '"answers"?']),
        ("answers = 1\n", ["has no answers"]),
        ('[answers]\n"CRITICAL-1" = 1\n', ["CRITICAL-1", "no table"]),
        (f'[answers."CRITCAL-5"]\noutcome = "pass"\n{REST}', ['"CRITCAL-5"', '"CRITICAL-5"?']),
        (f'[answers."PAR-7"]\noutcome = "pass"\n{REST}', ['"PAR-7"', '"PAR-07"?']),
        (f'[answers."HIGH-1"]\noutcome = "passed"\n{REST}', ['"passed"', '"pass"?']),
        (f'[answers."HIGH-1"]\noutcome = "not-observed"\n{REST}', ['"not-observed"']),
        (f'[answers."HIGH-1"]\n{REST}', ['no "outcome"']),
        ('[answers."HIGH-1"]\noutcome = "pass"\nwhy = "w"\nwhen = 2026-01-31\n', ['no "who"']),
        (f'[answers."HIGH-1"]\noutcome = "pass"\nhow = 1\n{REST}', ['"how"', '"who"?']),
        (
            '[answers."HIGH-1"]\noutcome = "pass"\nwhy = "w"\nwho = "x"\nwhen = "lately"\n',
            ["'lately'", "Write a date"],
        ),
    ],
)
def test_what_is_no_answer_is_named(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        answers_in(tmp_path, text)
    for part in ["answers.toml", *parts]:
        assert part in str(refused.value)


def test_an_answer_decides_only_what_telemetry_leaves_open() -> None:
    every = [answer(item.id) for item in EXAMPLE.criteria]
    every += [answer(item.id) for item in EXAMPLE.checks]

    def told(audit: Audit) -> list[tuple[str, bool]]:
        return [
            *((item.outcome, item.answer is not None) for item in audit.criteria),
            *((item.outcome, item.answer is not None) for item in audit.checks),
        ]

    audit = answered(*every)
    for (before, _), (after, is_answered) in zip(told(EXAMPLE), told(audit), strict=True):
        is_open = before in ("manual", "not-observed")
        assert (after, is_answered) == ("pass" if is_open else before, is_open)
    left = {found.id: outcome for found, outcome in unused(every, audit.checks, audit.criteria)}
    assert left["TIM-01"] == "fail"
    assert set(left.values()) <= {"pass", "fail", "not-applicable", "error"}


def test_a_verdict_may_rest_on_answers_and_never_against_a_failure() -> None:
    opened = replace(
        EXAMPLE,
        criteria=tuple(replace(c, outcome="not-observed") for c in EXAMPLE.criteria),
    )
    yes = [answer(c.id) for c in opened.criteria]
    assert verdict(answer_criteria(opened.criteria, yes)) == "PASS"
    no = [*yes[1:], answer(yes[0].id, "fail")]
    assert verdict(answer_criteria(opened.criteria, no)) == "FAIL"
    assert verdict(answer_criteria(EXAMPLE.criteria, yes)) == "FAIL"
    before, after = score(EXAMPLE.checks), score(answered(answer("TIM-06")).checks)
    assert before is not None
    assert after is not None
    assert after.passed > before.passed
    assert after.failed == before.failed


@pytest.mark.parametrize("name", FORMATS)
def test_every_report_names_who_answered_and_when(name: str) -> None:
    open_criterion = next(c.id for c in EXAMPLE.criteria if c.outcome == "not-observed")
    answers = (answer(open_criterion, who="Ada"), answer("TIM-06", who="Grace", why=HOSTILE))
    report = render(answered(*answers), name)
    for said in ("Ada", "Grace", "2026-01-31", "tried it"):
        assert said in report
    assert UNSAFE.findall(report.replace("\n", "")) == []
