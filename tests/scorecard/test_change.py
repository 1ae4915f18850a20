"""How strong a change is: what few slices and a small size take off it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracejury.scorecard.suspicion.change import strength, variation

ZS = st.floats(0.1, 1000)
SIZES = st.floats(0.01, 10)


def one(z: float, size: float, freedom: float) -> float:
    return float(strength(np.array([z]), np.array([size]), freedom=freedom, half_size=0.3)[0])


@given(ZS, SIZES)
def test_the_fewer_slices_the_less_certain(z: float, size: float) -> None:
    assert one(z, size, 3) < one(z, size, 30) < z


@given(ZS, SIZES)
def test_the_smaller_the_change_the_weaker(z: float, size: float) -> None:
    assert one(z, size / 2, 10) < one(z, size, 10)


@given(ZS, SIZES)
def test_down_is_as_strong_as_up(z: float, size: float) -> None:
    assert one(-z, -size, 10) == -one(z, size, 10)


def test_half_the_strength_at_the_half_size() -> None:
    assert abs(one(2, 0.3, 1e9) - 1) < 1e-6


def test_variation_is_never_negative_and_unknown_without_traces() -> None:
    squares = np.array([[-1.0, -2.0], [4.0, 4.0], [0.0, 0.0]])
    traces = np.array([[5.0, 5.0], [5.0, 5.0], [0.0, 0.0]])
    np.testing.assert_array_equal(variation(squares, traces), [0.0, 4.0, np.nan])


def test_a_slice_of_few_traces_says_less_of_the_variation() -> None:
    few, many = np.array([[1.0, 100.0]]), np.array([[100.0, 100.0]])
    squares = np.array([[9.0, 0.0]])
    assert variation(squares, few)[0] < variation(squares, many)[0]
