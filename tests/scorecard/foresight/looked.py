"""The outlook of the clean sample, which several tests look at."""

from functools import cache

from tests.samples import recorded

from tracejury.checks.evidence import Evidence
from tracejury.scorecard.foresight.preflight import Preflight, preflight


@cache
def clean() -> Preflight:
    config, learnt = recorded.config("clean"), recorded.clean_baseline()
    reader = recorded.rebuilt(recorded.recording("clean"), config, baseline=learnt)
    return preflight(Evidence(reader, config, has_baseline=True))
