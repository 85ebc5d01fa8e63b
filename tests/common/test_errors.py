import numpy as np
import pytest

from rndcfl.common.errors import InputError, check_name, check_number


def test_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)


def test_check_name_returns_a_valid_name():
    assert check_name("fruit", "pear", ["apple", "pear"]) == "pear"


@pytest.mark.parametrize(
    "given, allowed, message",
    [
        ("aple", ["apple", "pear"], r"unknown fruit 'aple'; did you mean 'apple'\?"),
        ("zzz", ["apple", "pear"], r"unknown fruit 'zzz' \(allowed: apple, pear\)"),
        ("pear", [], r"\(allowed: none\)"),
        (3, ["apple"], "unknown fruit 3"),
    ],
)
def test_check_name_names_what_was_given_the_nearest_and_all(given, allowed, message):
    with pytest.raises(InputError, match=message):
        check_name("fruit", given, allowed)


@pytest.mark.parametrize("given", [0, 1, 0.5, np.float32(0.5), np.int64(1)])
def test_check_number_takes_numbers_within_the_bounds(given):
    check_number("share", given, 0, 1)


def test_check_number_does_not_round_large_whole_numbers():
    check_number("seed", 2**64 - 1, 0, 2**64 - 1, whole=True)
    check_number("seed", 10**400, 0, whole=True)
    with pytest.raises(InputError, match="seed must be"):
        check_number("seed", 2**64, 0, 2**64 - 1, whole=True)


@pytest.mark.parametrize("given", [-0.1, 1.1, float("nan"), "0.5", None, True, 1j])
def test_check_number_refuses_everything_else(given):
    with pytest.raises(InputError, match="share must be a number from 0 to 1, got"):
        check_number("share", given, 0, 1)


@pytest.mark.parametrize("given", [0, 1.0, 2.5, False])
def test_check_number_whole(given):
    check_number("steps", np.int32(3), 1, whole=True)
    with pytest.raises(InputError, match="steps must be a whole number of at least 1, got"):
        check_number("steps", given, 1, whole=True)
