"""Every example of every page, and that every check has a page with the outcomes that matter."""

from pathlib import Path

import pytest
from tests.checks.judging import judge
from tests.checks.pages import FOLDER, Example, read_page

from tracejury.checks.catalogue import check_modules

PAGES = sorted(path for path in FOLDER.rglob("*.md") if path.parent != FOLDER)
# An outcome that a check cannot come to, and why.
IMPOSSIBLE = {
    ("ingest/open_window", "fail"): "waiting closes every window",
    ("observability/slow_diagnosis", "pass"): "an estimate is no measurement",
    ("observability/slow_diagnosis", "fail"): "it takes hundreds of spans: test_slow_diagnosis.py",
    ("partial/untold_pause", "fail"): "what a user was shown leaves no telemetry",
    ("queue/unwatched_depth", "fail"): "the monitoring may be elsewhere",
    ("inventory/unrated_step", "pass"): "whether a step can be undone only a person knows",
    ("inventory/unrated_step", "fail"): "a high risk is no fault",
    ("resume/unnoticed_crash", "fail"): "a crash that nothing tells of is none that it knows",
}
EXAMPLES = [example for page in PAGES for example in read_page(page)]


def difference(expected: list[str], found: list[str]) -> str:
    """The first line in which the two differ; '' where they are equal."""
    for number in range(max(len(expected), len(found))):
        want = expected[number] if number < len(expected) else "(nothing)"
        got = found[number] if number < len(found) else "(nothing)"
        if want != got:
            return f"expected: {want} | found: {got}"
    return ""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.check}: {e.sentence}")
def test_example(example: Example, tmp_path: Path) -> None:
    result = judge(example, tmp_path)
    outcome = f"{result.outcome}: {result.reason}" if result.reason else result.outcome
    messages = [finding.message for finding in result.findings]
    wrong = difference([example.expected, *example.messages], [outcome, *messages])
    if not wrong and example.note is not None:
        wrong = difference([f"note: {example.note}"], [f"note: {result.note}"])
    if wrong:
        pytest.fail(f"{example.check}: {example.sentence}\n{wrong}", pytrace=False)


@pytest.mark.parametrize("module", sorted(check_modules().values()))
def test_every_check_has_examples_of_every_outcome(module: str) -> None:
    name = module.removeprefix("tracejury.checks.").replace(".", "/")
    outcomes = {e.expected.partition(":")[0] for e in EXAMPLES if e.check == name}
    needed = {one for one in ("pass", "fail", "not-observed") if (name, one) not in IMPOSSIBLE}
    assert needed - outcomes == set(), f"{name}.md lacks these examples"


def test_every_page_belongs_to_a_check() -> None:
    pages = {page.relative_to(FOLDER).with_suffix("").as_posix() for page in PAGES}
    modules = {module.removeprefix("tracejury.checks.") for module in check_modules().values()}
    assert pages - {module.replace(".", "/") for module in modules} == set()


def test_no_two_examples_of_a_page_share_their_sentence() -> None:
    names = [f"{example.check}: {example.sentence}" for example in EXAMPLES]
    assert sorted(names) == sorted(set(names))
