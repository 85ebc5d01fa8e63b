"""Predictors as they travel."""

import hashlib
import os
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rndcfl.common.errors import InputError
from rndcfl.predictors import RND, untrained_predictors
from rndcfl.protocol import packing
from rndcfl.protocol.packing import CHECKSUM, HEADER, LARGEST, WireError, architecture, pack, unpack

SHAPES = [(1, 8, 8), (3,)]


@pytest.mark.parametrize("shape", SHAPES)
def test_unpack_gives_back_what_was_packed(shape):
    sent = untrained_predictors(shape, 3, RND(), seed=4)
    packed = pack(sent)
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
    packed = pack(untrained_predictors((1, 8, 8), 2, RND(), seed=0))
    with pytest.raises(WireError, match=says):
        unpack(spoil(packed), (1, 8, 8), RND())


def test_the_architecture_tells_shapes_and_budgets_apart():
    names = {architecture(shape, rnd) for shape in SHAPES for rnd in (RND(), RND(steps=151))}
    assert len(names) == 4 and architecture((3,), RND()) == architecture((3,), RND())


# --- bytes and files ----------------------------------------------------------------------------

SMALL = RND(predictor=(2, 2), target=(2, 2), embedding=2)
SHAPE, SEED = (3,), 2**63 + 7
SENT = untrained_predictors(SHAPE, 2, SMALL, seed=1)
VALID = packing.dumps(SENT, SHAPE, SMALL, SEED)
BEGIN = HEADER.size + CHECKSUM
FIELDS = ["magic", "version", "dtype", "architecture", "seed", "count", "width"]


def loads(data):
    return packing.loads(data, SHAPE, SMALL, SEED)


def sealed(header, numbers):
    """Bytes with a checksum that fits, whatever they hold."""
    return header + hashlib.sha256(header + numbers).digest() + numbers


def with_field(name, value):
    """Valid bytes with another value in the header, and a checksum that fits."""
    values = dict(zip(FIELDS, HEADER.unpack_from(VALID), strict=True))
    return sealed(HEADER.pack(*{**values, name: value}.values()), VALID[BEGIN:])


def check(data):
    """What is not refused with our error holds exactly the numbers that were sent."""
    try:
        received = loads(data)
    except WireError as problem:
        assert len(str(problem).splitlines()) == 1
        return False
    assert pack(received).astype("<f4").tobytes() == data[BEGIN:]
    return True


def test_what_is_written_is_read_back(tmp_path):
    for shape in SHAPES:
        sent = untrained_predictors(shape, 3, RND(), seed=4)
        packing.save(tmp_path / "sent.rnd", sent, shape, RND(), 5)
        received = packing.load(tmp_path / "sent.rnd", shape, RND(), 5)
        assert np.array_equal(pack(received), pack(sent))
        assert (tmp_path / "sent.rnd").stat().st_size == BEGIN + 3 * sent.bytes_each


def test_bytes_are_the_same_on_every_machine():
    name = architecture(SHAPE, SMALL).encode()
    numbers = pack(SENT)
    expected = struct.pack("<8sI4s16sQII", b"rndcfl\r\n", 1, b"<f4 ", name, SEED, *numbers.shape)
    assert VALID == sealed(expected, struct.pack(f"<{numbers.size}f", *numbers.ravel().tolist()))


def test_what_would_be_refused_is_not_written():
    with pytest.raises(WireError, match="shape"):
        packing.dumps(SENT, (4,), SMALL, SEED)
    for seed in (-1, 2**64, 0.5):
        with pytest.raises(InputError, match="target_seed"):
            packing.dumps(SENT, SHAPE, SMALL, seed)


@pytest.mark.parametrize(
    "data, says",
    [
        (VALID.decode("latin1"), "read from bytes, got str"),
        (b"", "cut short: .* got 0"),
        (VALID[: BEGIN - 1], "cut short"),
        (VALID[:-1], "cut short"),
        (VALID + b"x", "too long"),
        (VALID[:-1] + bytes([VALID[-1] ^ 1]), "damaged"),
        (b"PK\x03\x04" + VALID[4:], "not predictors of rndcfl"),
        (with_field("version", 2), "version 2"),
        (with_field("dtype", b"<f8 "), "type"),
        (with_field("architecture", architecture((4,), SMALL).encode()), "architecture"),
        (with_field("seed", 8), "target of seed 8"),
        (with_field("count", 3), "cut short"),
        (with_field("count", 2**32 - 1), "cut short"),
        (with_field("count", 1), "too long"),
        (sealed(VALID[: HEADER.size], b"\0\0\xc0\x7f" + VALID[BEGIN + 4 :]), "NaN"),
        (sealed(VALID[: HEADER.size], b"\0\0\x80\x7f" + VALID[BEGIN + 4 :]), "infinite"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isascii() else "",
)
def test_each_cause_is_named(data, says):
    with pytest.raises(WireError, match=says):
        loads(data)


def test_a_checksum_is_not_all_that_is_checked():
    count, width = HEADER.unpack_from(VALID)[-2:]
    header = HEADER.pack(*HEADER.unpack_from(VALID)[:-2], width, count)  # the matrix transposed
    with pytest.raises(WireError, match="shape"):
        loads(sealed(header, VALID[BEGIN:]))


def test_a_file_beyond_the_bound_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "huge.rnd"
    path.touch()
    os.truncate(path, packing.MOST_BYTES + 1)  # takes no space
    monkeypatch.setattr(type(path), "open", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(WireError, match=r"huge\.rnd is too long: .* at most"):
        packing.load(path, SHAPE, SMALL, SEED)


def test_bytes_beyond_the_bound_are_neither_read_nor_written(monkeypatch):
    monkeypatch.setattr(packing, "MOST_BYTES", len(VALID) - 1)
    with pytest.raises(WireError, match="too long"):
        loads(VALID)
    with pytest.raises(WireError, match="send fewer"):
        packing.dumps(SENT, SHAPE, SMALL, SEED)


def test_no_file_and_no_plain_file_are_refused(tmp_path):
    for path in (tmp_path / "none.rnd", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(WireError, match="is no file"):
            packing.load(path, SHAPE, SMALL, SEED)
    (tmp_path / "short.rnd").write_bytes(VALID[:-1])
    with pytest.raises(WireError, match=r"short\.rnd: cut short"):
        packing.load(tmp_path / "short.rnd", SHAPE, SMALL, SEED)


# --- whatever comes -----------------------------------------------------------------------------


@settings(max_examples=2000)
@given(st.binary(max_size=4 * len(VALID)))
def test_any_bytes_are_refused(data):
    assert not check(data)
    assert not check(VALID[:8] + data)
    assert not check(VALID[: HEADER.size] + data)


@st.composite
def damaged(draw):
    """Valid bytes with a few changed, taken out or put in."""
    data = bytearray(VALID)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.binary(max_size=8))
        data[at : at + draw(st.sampled_from([0, 1, len(piece), len(data)]))] = piece
    return bytes(data)


@settings(max_examples=2000)
@given(damaged())
def test_damaged_bytes_are_refused(data):
    assert check(data) == (data == VALID)


def test_every_flipped_bit_is_refused():
    for bit in range(8 * len(VALID)):
        data = bytearray(VALID)
        data[bit // 8] ^= 1 << bit % 8
        assert not check(bytes(data)), bit


VALUES = {
    "magic": st.binary(min_size=8, max_size=8),
    "version": st.integers(0, 2**32 - 1),
    "dtype": st.binary(min_size=4, max_size=4),
    "architecture": st.binary(min_size=16, max_size=16),
    "seed": st.integers(0, 2**64 - 1),
    "count": st.integers(0, 2**32 - 1) | st.integers(0, 99),
    "width": st.integers(0, 2**32 - 1) | st.integers(0, 99),
}


@settings(max_examples=2000)
@given(st.sampled_from(FIELDS).flatmap(lambda name: st.tuples(st.just(name), VALUES[name])))
def test_any_other_header_is_refused_though_its_checksum_fits(field):
    data = with_field(*field)
    assert check(data) == (data == VALID)


@settings(max_examples=2000)
@given(
    st.integers(0, 99),
    st.integers(0, 99),
    st.binary(max_size=2 * len(VALID)),
    st.lists(st.floats(width=32), max_size=2 * SENT.bytes_each // 4),
    st.booleans(),
)
def test_any_matrix_is_refused_or_read_as_it_is(count, width, raw, values, right):
    numbers = struct.pack(f"<{len(values)}f", *values) or raw
    if right:  # rows of the right length, so that their values are all that can be wrong
        width = SENT.bytes_each // 4
        count, numbers = (
            1,
            np.resize(np.frombuffer(numbers[: len(numbers) // 4 * 4], "<f4"), width).tobytes(),
        )
    header = HEADER.pack(*HEADER.unpack_from(VALID)[:-2], count, width)
    accepted = check(sealed(header, numbers))
    if right:
        assert accepted == bool((np.abs(np.frombuffer(numbers, "<f4")) <= LARGEST).all())
