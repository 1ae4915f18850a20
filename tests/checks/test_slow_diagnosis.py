"""A failure with so many candidates that no operator is quick enough, however quick the screen."""

from pathlib import Path

import pytest
from tests.checks.judging import judge
from tests.checks.pages import Example

ROOT = "shop POST /orders SERVER 0..900ms ERROR http.response.status_code=500"


@pytest.mark.parametrize(("candidates", "outcome"), [(100, "not-observed"), (200, "fail")])
def test_a_failure_of_many_candidates(candidates: int, outcome: str, tmp_path: Path) -> None:
    steps = [f"  shop step-{n} INTERNAL {n}..{n + 1}ms ERROR" for n in range(candidates)]
    blocks = {"trace": "\n".join(["sampling none", "", ROOT, *steps]) + "\n"}
    result = judge(Example("observability/slow_diagnosis", "Nobody is so quick.", blocks), tmp_path)
    assert result.outcome == outcome
    assert len(result.findings) == (outcome == "fail")
