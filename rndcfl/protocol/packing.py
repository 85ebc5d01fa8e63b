"""Predictors as they travel and rest: plain numbers, checked before anything uses them.

A receiver knows the architecture and the target's seed beforehand, so that a predictor is its
weights and nothing else: no names, no code, no pickle. As bytes and in files these follow a header
of fixed length that says what they are, with a checksum over both.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from rndcfl.common.errors import InputError, check_number
from rndcfl.common.files import write_whole
from rndcfl.engine.networks import device
from rndcfl.predictors import RND, Predictors, untrained_predictors

LARGEST = 1e3  # of a weight; trained ones stay below 10
MOST_BYTES = 2**28  # more is refused unread: room for some 7,700 predictors of the default size
# Magic, version, type of number, architecture, target's seed, predictors, parameters of each.
# Little-endian, as the numbers are; 32 bytes of SHA-256 of all else come after it.
HEADER = struct.Struct("<8sI4s16sQII")
CHECKSUM = 32  # bytes
MAGIC, VERSION, DTYPE = b"rndcfl\r\n", 1, b"<f4 "


class WireError(InputError):
    """What was received is not what it should be; it has not been used."""


def architecture(shape: tuple[int, ...], rnd: RND) -> str:
    """What sender and receiver must agree on, as 16 hexadecimal digits.

    The shape of a sample, the networks and their budget: novelties of other values do not compare.
    """
    return hashlib.sha256(repr((shape, asdict(rnd))).encode()).hexdigest()[:16]


def pack(predictors: Predictors) -> np.ndarray:
    """All parameters of each predictor in a row, float32 [N, P]."""
    rows = [p.flatten(1) for p in predictors.parameters.values()]
    return torch.cat(rows, 1).cpu().numpy()


def unpack(packed: np.ndarray, shape: tuple[int, ...], rnd: RND) -> Predictors:
    """The stack of predictors in `packed`, checked.

    Parameters
    ----------
    packed : float32 [N, P], of :func:`pack`.
    shape : of one sample as the networks read it.
    rnd : the networks.

    Raises
    ------
    WireError
        For another type or shape, NaN, infinite or absurdly large weights.
    """
    stack = untrained_predictors(shape, 1, rnd, seed=0)
    sizes = [p[0].numel() for p in stack.parameters.values()]
    check_packed(packed, sum(sizes))
    parts = torch.from_numpy(np.array(packed)).to(device()).split(sizes, dim=1)
    named = zip(stack.parameters.items(), parts, strict=True)
    return Predictors({k: part.reshape(-1, *p.shape[1:]) for (k, p), part in named}, stack.network)


def packed_width(shape: tuple[int, ...], rnd: RND) -> int:
    """Number of parameters P of a predictor for samples of `shape`."""
    return untrained_predictors(shape, 1, rnd, seed=0).bytes_each // 4


def check_packed(packed: np.ndarray, width: int) -> None:
    """Raise :class:`WireError` unless these are predictors of `width` parameters each."""
    if packed.dtype != np.float32:
        raise WireError(f"predictors are float32, got {packed.dtype}")
    if packed.ndim != 2 or packed.shape[1] != width or not len(packed):
        raise WireError(f"predictors have shape [N, {width}], got {list(packed.shape)}")
    if not (np.abs(packed) <= LARGEST).all():  # NaN fails the comparison as well
        raise WireError(f"predictors hold NaN, infinite or weights beyond {LARGEST:g}")


def dumps(predictors: Predictors, shape: tuple[int, ...], rnd: RND, target_seed: int) -> bytes:
    """Predictors as bytes: header, checksum, and the numbers of :func:`pack` row by row.

    Parameters
    ----------
    predictors : to write.
    shape : of one sample as the networks read it.
    rnd : the networks and their budget.
    target_seed : of the random target that they imitate, 0 to 2**64 - 1.

    Raises
    ------
    InputError
        For another seed, and (:class:`WireError`) for what the receiver would refuse.
    """
    check_number("target_seed", target_seed, 0, 2**64 - 1, whole=True)
    packed = pack(predictors)
    unpack(packed, shape, rnd)  # what the receiver would refuse is not sent
    name = architecture(shape, rnd).encode()
    header = HEADER.pack(MAGIC, VERSION, DTYPE, name, int(target_seed), *packed.shape)
    numbers = packed.astype("<f4").tobytes()
    if HEADER.size + CHECKSUM + len(numbers) > MOST_BYTES:
        raise WireError(f"{len(packed)} predictors are more than {MOST_BYTES} bytes; send fewer")
    return header + hashlib.sha256(header + numbers).digest() + numbers


def loads(data: bytes, shape: tuple[int, ...], rnd: RND, target_seed: int) -> Predictors:
    """The predictors in `data`, of :func:`dumps` with the same other arguments.

    Raises
    ------
    WireError
        Whatever else `data` holds: other bytes, another version, type of number, architecture,
        target or length, damage, and all that :func:`unpack` refuses.
    """
    if not isinstance(data, bytes):
        raise WireError(f"predictors are read from bytes, got {type(data).__name__}")
    if len(data) > MOST_BYTES:
        raise WireError(f"too long: more than {MOST_BYTES} bytes of predictors are not read")
    begin = HEADER.size + CHECKSUM
    if len(data) < begin:
        raise WireError(f"cut short: predictors have a header of {begin} bytes, got {len(data)}")
    magic, version, dtype, name, seed, count, width = HEADER.unpack_from(data)
    known = architecture(shape, rnd)
    if magic != MAGIC:
        raise WireError("these bytes are not predictors of rndcfl")
    if version != VERSION:
        raise WireError(f"predictors of format version {version}; only {VERSION} is read")
    if dtype != DTYPE:
        raise WireError(f"predictors are of type {DTYPE!r}, got {dtype!r}")
    if name != known.encode():
        raise WireError(f"predictors of architecture {name!r}, expected {known.encode()!r}")
    if seed != target_seed:
        raise WireError(f"predictors of the target of seed {seed}, expected {target_seed}")
    expected = begin + 4 * count * width
    if len(data) != expected:
        what = "cut short" if len(data) < expected else "too long"
        raise WireError(f"{what}: the header says {expected} bytes, got {len(data)}")
    if hashlib.sha256(data[: HEADER.size] + data[begin:]).digest() != data[HEADER.size : begin]:
        raise WireError("damaged: the checksum does not fit")
    packed = np.frombuffer(data, "<f4", offset=begin).reshape(count, width)
    return unpack(packed.astype(np.float32), shape, rnd)


def save(
    path: Path, predictors: Predictors, shape: tuple[int, ...], rnd: RND, target_seed: int
) -> None:
    """Write :func:`dumps` to a file, whole or not at all."""
    write_whole(path, dumps(predictors, shape, rnd, target_seed))


def load(path: Path, shape: tuple[int, ...], rnd: RND, target_seed: int) -> Predictors:
    """The predictors in a file of :func:`save`; one of more than `MOST_BYTES` is not read.

    Raises
    ------
    WireError
        For no file, one that cannot be read, and all that :func:`loads` refuses.
    """
    if not path.is_file():  # a pipe would be waited for, a device read without end
        raise WireError(f"{path} is no file")
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise WireError(f"{path} is too long: {size} bytes, at most {MOST_BYTES} are read")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)  # it may have grown
    except OSError as problem:
        raise WireError(f"{path} cannot be read: {problem.strerror}") from None
    try:
        return loads(data, shape, rnd, target_seed)
    except WireError as problem:
        raise WireError(f"{path}: {problem}") from None
