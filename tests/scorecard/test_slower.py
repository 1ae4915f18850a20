"""Where the spans of a window or slice stand among those of the slices that are kept."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracejury.scorecard.suspicion.observed import Observed, Step
from tracejury.scorecard.suspicion.segments import cut
from tracejury.scorecard.suspicion.slower import Times, times, usual_times

SECOND = 10**9
WINDOW = (40 * SECOND, 49 * SECOND)


def observed(durations: list[int]) -> Observed:
    """A span a second, each a trace of its own, of two steps in turn."""
    count = len(durations)
    return Observed(
        steps=(
            Step("shop", "sell", "SERVER", "", "sell"),
            Step("shop", "buy", "SERVER", "", "buy"),
        ),
        items=(),
        step=np.arange(count) % 2,
        trace=np.arange(count),
        start_ns=np.arange(count) * SECOND,
        began_ns=np.arange(count) * SECOND,
        time=np.log(np.array(durations, dtype=np.float64)),
        shown_by=np.empty(0, dtype=np.int64),
        item=np.empty(0, dtype=np.int64),
        calls=frozenset(),
        answers={},
    )


def sorted_once(durations: list[int]) -> Times:
    seen = observed(durations)
    return times(seen, cut(seen, [WINDOW]))


@settings(max_examples=40)
@given(st.permutations(range(1, 91)))
def test_a_slice_is_placed_among_the_others_alone(durations: list[int]) -> None:
    sorted_times = sorted_once(durations)
    slices = list(sorted_times.segments.slices)
    together = usual_times(sorted_times, slices).score
    for one in slices:
        alone = usual_times(sorted_times, [other for other in slices if other != one]).score
        np.testing.assert_allclose(together[:, one], alone[:, one], atol=1e-9)


def test_what_is_like_the_others_scores_nothing_and_what_is_above_them_much() -> None:
    same = sorted_once([10] * 90)
    slices = list(same.segments.slices)
    np.testing.assert_allclose(usual_times(same, slices).score, 0, atol=1e-9)
    slow = sorted_once([100 if 40 <= at < 50 else 10 + at % 7 for at in range(90)])
    score = usual_times(slow, list(slow.segments.slices)).score
    assert (score[:, 0] > 2).all()
    assert (np.abs(score[:, 1:]) < 1).all()
