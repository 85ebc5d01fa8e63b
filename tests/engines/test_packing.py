"""Predictors as they travel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rndcfl.common.errors import WireError
from rndcfl.predictors import LARGEST, RND, untrained_predictors
from rndcfl.protocol.packing import architecture, check_packed, packed_width, unpack

SHAPES = [(1, 8, 8), (3,)]


@pytest.mark.parametrize("shape", SHAPES)
def test_unpack_gives_back_what_was_packed(shape):
    sent = untrained_predictors(shape, 3, RND(), seed=4)
    packed = sent.packed()
    assert packed.shape == (3, packed_width(shape, RND()))
    assert packed.dtype == np.float32 and packed.nbytes == 3 * sent.bytes_each
    received = unpack(packed, shape, RND())
    assert list(received.parameters) == list(sent.parameters)
    for name, values in sent.parameters.items():
        assert torch.equal(received.parameters[name], values)


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda p: p.astype(np.float64), "float32"),
        (lambda p: p[:, 1:], "shape"),
        (lambda p: p[0], "shape"),
        (lambda p: p[:0], "shape"),
        (lambda p: np.where(p == p[0, 0], np.float32(np.nan), p), "NaN"),
        (lambda p: np.where(p == p[0, 0], np.float32(np.inf), p), "infinite"),
        (lambda p: np.where(p == p[0, 0], np.float32(-2 * LARGEST), p), "beyond"),
    ],
)
def test_what_is_not_a_stack_of_predictors_is_refused(spoil, says):
    packed = untrained_predictors((1, 8, 8), 2, RND(), seed=0).packed()
    with pytest.raises(WireError, match=says):
        unpack(spoil(packed), (1, 8, 8), RND())


def test_the_architecture_tells_shapes_and_budgets_apart():
    names = {architecture(shape, rnd) for shape in SHAPES for rnd in (RND(), RND(steps=151))}
    assert len(names) == 4 and architecture((3,), RND()) == architecture((3,), RND())


# --- whatever comes -----------------------------------------------------------------------------

SHAPE, SMALL = (3,), RND(predictor=(2, 2), target=(2, 2), embedding=2)
WIDTH = packed_width(SHAPE, SMALL)
SIDES = st.sampled_from([0, 1, 2, WIDTH - 1, WIDTH])
KINDS = st.sampled_from([np.dtype(kind) for kind in ("<f4", ">f4", "<f8", "<i4", "?", "S4")])


@settings(max_examples=1000)
@given(KINDS, st.lists(SIDES, max_size=3), st.data())
def test_any_array_is_refused_or_read_as_it_is(kind, shape, data):
    packed = data.draw(arrays.arrays(kind, tuple(shape)))
    right = packed.ndim == 2 and packed.shape[1] == WIDTH and len(packed) > 0
    if right and packed.dtype == np.float32 and (np.abs(packed) <= LARGEST).all():
        assert np.array_equal(unpack(packed, SHAPE, SMALL).packed(), packed)
    else:
        with pytest.raises(WireError) as refused:
            check_packed(packed, WIDTH)
        assert len(str(refused.value).splitlines()) == 1
