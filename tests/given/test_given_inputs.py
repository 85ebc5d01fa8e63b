import numpy as np
import pandas as pd
import pytest
import torch

from rndcfl.common.errors import InputError
from rndcfl.given.inputs import read

RNG = np.random.default_rng(0)
PIXELS = RNG.random((5, 1, 8, 8))


def of(*given, kind=None):
    return read([f"client {i}: x" for i in range(len(given))], given, kind)


@pytest.mark.parametrize(
    "x, kind, shape",
    [
        (RNG.normal(size=(5, 3)), "table", (3,)),
        (RNG.integers(90, size=(5, 3)), "table", (3,)),
        (RNG.random((5, 3)) > 0.5, "table", (3,)),
        (PIXELS, "images", (1, 8, 8)),
        (PIXELS[:, 0], "images", (1, 8, 8)),
        (RNG.normal(size=(5, 2, 40)), "series", (2, 40)),
        (RNG.normal(size=(5, 8, 8)), "series", (8, 8)),
        (torch.rand(5, 3, 8, 8), "images", (3, 8, 8)),
        (RNG.random((5, 8, 9, 3)), "images", (3, 8, 9)),
        (RNG.random((5, 8, 9, 1)), "images", (1, 8, 9)),
        (RNG.random((5, 8, 9, 4)), "images", (4, 8, 9)),
    ],
)
def test_kinds_are_seen_from_shapes(x, kind, shape):
    found = of(x)
    assert (found.kind, found.arrays[0].shape[1:]) == (kind, shape)
    assert found.arrays[0].dtype == np.float32


def test_whole_numbers_are_text_only_where_somebody_says_so():
    x = RNG.integers(90, size=(5, 7))
    assert of(x).kind == "table"
    assert of(x, kind="text").arrays[0].dtype == np.int64
    with pytest.raises(InputError, match="declared as text, which is whole numbers"):
        of(x / 2, kind="text")


def test_series_may_come_without_channel():
    assert of(RNG.normal(size=(5, 40)), kind="series").arrays[0].shape == (5, 1, 40)


@pytest.mark.parametrize(
    "x, kind", [(PIXELS, "table"), (PIXELS[:, 0, 0], "images"), (PIXELS, "series")]
)
def test_shapes_that_are_not_of_the_kind(x, kind):
    with pytest.raises(InputError, match=f"which is not of kind '{kind}'"):
        of(x, kind=kind)


def test_channels_that_come_last_are_turned_and_it_is_said():
    x = RNG.random((5, 8, 9, 3))
    found = of(x)
    np.testing.assert_array_equal(found.arrays[0], x.transpose(0, 3, 1, 2).astype(np.float32))
    assert "have their channels last" in found.said[0]


def test_many_channels_that_may_come_last_are_mentioned():
    found = of(RNG.random((5, 16, 16, 12)))
    assert found.arrays[0].shape == (5, 16, 16, 12)
    assert found.said == [
        "images of shape [5, 16, 16, 12] are taken as 16 channels of 16 x 12 pixels; if channels "
        "come last, x.transpose(0, 3, 1, 2) turns them"
    ]


@pytest.mark.parametrize(
    "x, scale",
    [
        ((PIXELS * 255).astype(np.uint8), 255),
        ((PIXELS * 255).astype(np.int64), 255),
        (np.full((5, 1, 8, 8), 256), 1023),
        (np.full((5, 1, 8, 8), 65535), 65535),
        (PIXELS * 200 + 17, 255),
    ],
)
def test_pixels_are_scaled_and_it_is_said(x, scale):
    found = of(x)
    np.testing.assert_allclose(found.arrays[0], x / scale, rtol=1e-6)
    assert f"divided by {scale}" in found.said[0]


@pytest.mark.parametrize("x", [PIXELS, PIXELS > 0.5, PIXELS * 16, PIXELS * 4 - 2])
def test_other_pixels_stay_as_they_are(x):
    found = of(x)
    np.testing.assert_array_equal(found.arrays[0], x.astype(np.float32))
    assert found.said == []


def test_truth_values_are_not_scaled_with_the_pixels_of_others():
    assert of(PIXELS * 255, PIXELS > 0.5).arrays[1].max() == 1


def test_far_pixels_are_mentioned():
    assert "networks want them in [0, 1]" in of(PIXELS * 500 - 250).said[0]


@pytest.mark.parametrize(
    "given, message",
    [
        ([PIXELS * 255, PIXELS], "client 1: x holds pixels up to .*, client 0: x up to"),
        ([PIXELS, (PIXELS * 9).astype(int) - 4], "client 1: x and others hold pixels from -4"),
        ([PIXELS, (PIXELS * 1e6).astype(int)], "client 1: x and others hold pixels from"),
        ([5], r"has shape \(\); allowed are images"),
        ([np.ones(4)], r"has shape \(4,\); allowed are .*for one column x\[:, None\]"),
        ([np.ones((0, 3))], "client 0 has no samples in x"),
        ([np.ones((3, 0))], "client 0 has no samples in x"),
        ([np.ones((2, 3)), np.ones((2, 4))], r"client 1: .* \(4,\), client 0: x of shape \(3,\)"),
        (
            [RNG.random((5, 8, 8, 3)), RNG.random((5, 3, 8, 8))],
            r"client 1: x has samples of shape \(3, 8, 8\), client 0: x of shape \(8, 8, 3\)",
        ),
    ],
)
def test_what_cannot_be_used(given, message):
    with pytest.raises(InputError, match=message):
        of(*given)


def test_frames_with_columns_in_another_order_are_not_read_by_position():
    frame = pd.DataFrame(RNG.normal(size=(5, 3)), columns=list("abc"))
    assert of(frame, frame).kind == "table"
    with pytest.raises(InputError, match="client 1: x has other columns than client 0: x, or in"):
        of(frame, frame[list("cab")])
