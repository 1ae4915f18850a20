"""How much sooner an instance ends if a step is shortened, by what runs beside the path."""

import numpy as np
from hypothesis import given, settings
from tests.workflow.test_critical_path import Timed, layout_of, runs

from tracejury.workflow.critical_path import critical_path
from tracejury.workflow.what_if import what_if


def saved(spans: list[Timed], steps: str = "") -> dict[tuple[int, int | str], tuple[int, int]]:
    """By instance and step, halved and removed; a step is a letter, else every span is one."""
    instance = np.array([span.instance for span in spans], dtype=np.int64)
    end = np.array([span.end for span in spans], dtype=np.int64)
    step = np.array([ord(letter) for letter in steps] or range(len(spans)), dtype=np.int64)
    layout = layout_of(spans)
    found = what_if(layout, instance, critical_path(layout, instance), end, step)
    rows = zip(found.instance, found.step, found.halved_ns, found.removed_ns, strict=True)
    return {
        (int(at), chr(what) if steps else int(what)): (int(half), int(whole))
        for at, what, half, whole in rows
        if whole
    }


def test_what_nothing_runs_beside_saves_all_of_its_own_time() -> None:
    spans = [Timed(-1, 0, 0, 100), Timed(0, 0, 10, 40), Timed(0, 0, 50, 90)]
    assert saved(spans, "pab") == {(0, "p"): (15, 30), (0, "a"): (15, 30), (0, "b"): (20, 40)}


def test_no_more_is_saved_than_until_the_other_branch_ends() -> None:
    # The other branch ends 10 before the one that is waited for.
    spans = [Timed(-1, 0, 0, 100), Timed(0, 0, 0, 100), Timed(0, 0, 0, 90)]
    assert saved(spans, "pab") == {(0, "a"): (10, 10)}


def test_many_short_calls_beside_a_long_one_share_its_slack() -> None:
    calls = [Timed(0, 0, at, at + 10) for at in range(0, 100, 10)]
    # Ends in the middle of the eighth call: the last two are free.
    spans = [Timed(-1, 0, 0, 100), *calls, Timed(0, 0, 0, 75)]
    assert saved(spans, "p" + 10 * "c" + "d") == {(0, "c"): (5 + 10, 5 + 20)}


def test_what_is_nested_is_held_to_what_runs_beside_all_of_it() -> None:
    spans = [
        Timed(-1, 0, 0, 100),
        Timed(0, 0, 0, 100),
        Timed(1, 0, 0, 100),
        Timed(1, 0, 0, 40),  # beside the second: 60 are left
        Timed(0, 0, 0, 70),  # beside all of it: 30 are left
    ]
    assert saved(spans, "pabcd") == {(0, "b"): (30, 30)}


def test_a_consumer_that_starts_after_its_producer_saves_what_is_its_own() -> None:
    # Request 0..20, producer 10..15, consumer 60..100; the wait of 45 is nobody's to save.
    spans = [Timed(-1, 0, 0, 20), Timed(0, 0, 10, 15), Timed(1, 0, 60, 100)]
    assert saved(spans, "rpc") == {(0, "r"): (5, 10), (0, "p"): (2, 5), (0, "c"): (20, 40)}


def test_two_traces_of_an_instance_run_beside_each_other() -> None:
    spans = [Timed(-1, 0, 0, 50), Timed(-1, 0, 20, 60), Timed(-1, 1, 0, 30)]
    assert saved(spans, "abc")[0, "b"] == (10, 10)
    assert saved(spans, "abc")[1, "c"] == (15, 30)


def test_deep_nesting_with_something_beside_every_level() -> None:
    spans = [Timed(-1, 0, 0, 1000)]
    for level in range(200):
        above = 2 * level - 1 if level else 0
        spans += [Timed(above, 0, 0, 1000), Timed(above, 0, 0, 900 - level)]
    assert max(whole for _, whole in saved(spans).values()) <= 100


@given(runs())
@settings(max_examples=150)
def test_no_more_is_saved_than_is_spent_on_the_path(spans: list[Timed]) -> None:
    layout = layout_of(spans)
    instance = np.array([span.instance for span in spans], dtype=np.int64)
    path = critical_path(layout, instance)
    spent = dict.fromkeys(range(len(spans)), 0)
    for holder, start, end in zip(path.holder, path.start_ns, path.end_ns, strict=True):
        if holder >= 0:
            spent[int(holder)] += max(0, min(int(end), spans[holder].end) - int(start))
    for (_, at), (half, whole) in saved(spans).items():
        assert isinstance(at, int)
        assert 0 <= half <= whole <= spent[at]
        assert half >= min(whole, spent[at] // 2 - len(spans))
        if path.on_path.all():
            assert whole == spent[at]
