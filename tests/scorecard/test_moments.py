"""How many independent observations traces are that begin close together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracejury.scorecard.suspects import judge
from tracejury.scorecard.suspicion.moments import moments
from tracejury.scorecard.suspicion.observed import Observed, Step

SECOND = 10**9
WINDOW = (1_000 * SECOND, 1_180 * SECOND - 1)
LENGTH = 12
BEGINS = st.lists(st.integers(0, 100), min_size=1, max_size=20)


def counted(began: list[int], step: list[int] | None = None, steps: int = 1) -> list[float]:
    rows = np.array(step or [0] * len(began), dtype=np.int64)
    counts = moments(rows, np.array(began, dtype=np.int64), steps=steps, length_ns=LENGTH)
    return [float(count) for count in counts]


@given(BEGINS)
def test_as_many_as_are_not_empty_wherever_time_is_cut(began: list[int]) -> None:
    # Cut between two whole numbers, at each of the places that a moment has.
    occupied = [len({(at + cut) // LENGTH for at in began}) for cut in range(LENGTH)]
    assert counted(began) == pytest.approx([sum(occupied) / LENGTH])


@given(BEGINS, BEGINS)
def test_each_step_by_itself(one: list[int], other: list[int]) -> None:
    together = counted([*one, *other], [0] * len(one) + [2] * len(other), steps=3)
    assert together == pytest.approx([*counted(one), 0, *counted(other)])


def test_at_once_is_one_and_far_apart_is_each() -> None:
    assert counted([5] * 10) == [1]
    assert counted([0, 12, 24, 48]) == [4]


def seen(slow_at: list[float]) -> Observed:
    """A request every 4 s that takes 10 to 14 ms, and slow ones of 20 ms in the window."""
    start = np.arange(0, 2_000, 4) * SECOND
    start = start[(start < WINDOW[0]) | (start > WINDOW[1])]
    slow = np.array(slow_at) * SECOND + WINDOW[0]
    start = np.concatenate([start, slow.astype(np.int64)])
    usual = 10e6 + np.arange(len(start)) % 5 * 1e6
    time = np.log(np.where(np.arange(len(start)) >= len(start) - len(slow_at), 20e6, usual))
    order = np.argsort(start, kind="stable")
    return Observed(
        steps=(Step("shop", "sell", "SERVER", "", "sell"),),
        items=(),
        step=np.zeros(len(start), dtype=np.int64),
        trace=np.arange(len(start)),
        start_ns=start[order],
        began_ns=start[order],
        time=time[order],
        shown_by=np.empty(0, dtype=np.int64),
        item=np.empty(0, dtype=np.int64),
        calls=frozenset(),
        answers={},
    )


def test_slow_requests_of_one_second_do_not_stand_out_and_spread_ones_do() -> None:
    (spread,) = judge(seen([20, 45, 70, 100, 130, 160]), [WINDOW])
    assert spread.stands_out
    (burst,) = judge(seen([20, 20.1, 20.2, 20.3, 20.4, 20.5]), [WINDOW])
    assert not burst.stands_out


def test_a_short_window_has_as_many_moments_as_a_long_one() -> None:
    """Times in units of the window: a fault of two seconds can be told like one of minutes."""
    long = seen([20, 45, 70, 100, 130, 160])
    short = Observed(
        **{
            **{name: getattr(long, name) for name in Observed.__slots__},
            "start_ns": long.start_ns // 90,
            "began_ns": long.began_ns // 90,
        }
    )
    (told,) = judge(short, [(WINDOW[0] // 90, WINDOW[1] // 90)])
    assert told.stands_out
