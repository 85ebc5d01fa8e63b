"""What looks like a slip in people's data, said in one line with what to do.

Nothing here changes data or refuses any: each function returns the lines, or none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np

SCALES = 100.0  # ratio of two columns' standard deviations from which on the small one is not seen
SHARED = 0.2  # share of a client's samples that others hold as well, from which on it is said
OFTEN = 0.1  # share of a column that one value takes, from which on it may stand for "missing"
FAR = 3.0  # standard deviations of the other values that such a value is away from them
FEW = 10  # rows that a client must have before its columns are judged
NAMED = 3  # clients or columns that a line names before it says "and so many more"


def of_samples(who: Sequence[str], arrays: Sequence[np.ndarray], kind: str) -> list[str]:
    """Samples that several clients hold, that one client holds often, and that never vary.

    Parameters
    ----------
    who : names of the clients.
    arrays : inputs of each, [n, ...].
    kind : of the inputs; rows of a table may well be alike.
    """
    keys = [[blake2b(row.data, digest_size=16).digest() for row in x] for x in arrays]
    lines = []
    constant = [name for name, own in zip(who, keys, strict=True) if len(own) > 1 == len(set(own))]
    if constant:
        lines.append(
            f"all samples of {listed(constant)} are the same: whoever holds anything else is "
            "unlike it"
        )
    holders: dict[bytes, set[int]] = defaultdict(set)
    for i, own in enumerate(keys):
        for key in set(own):
            holders[key].add(i)
    shared, repeated = [], []
    for name, own in zip(who, keys, strict=True):
        distinct = set(own)
        twice = 1 - len(distinct) / len(own)
        elsewhere = sum(len(holders[key]) > 1 for key in distinct) / len(distinct)
        if len(distinct) > 1 and elsewhere >= max(SHARED, 2 * twice):
            shared.append(name)
        if kind in ("images", "series") and len(distinct) > 1 and twice >= 0.5:
            repeated.append(name)
    if shared:
        lines.append(
            f"{listed(shared)} hold samples that other clients hold as well, to the bit: clients "
            "with the same file look unlike, for each knows its own samples; give each its own"
        )
    if repeated:
        lines.append(
            f"{listed(repeated)} hold each sample several times over: copies count as samples and "
            "make differences look surer than they are; leave copies out"
        )
    return lines


def of_columns(names: Sequence[str], tables: Sequence[np.ndarray], scaled: bool) -> list[str]:
    """Columns that number the rows, hold a mark for missing, or outweigh the others.

    Parameters
    ----------
    names : of the columns, [d].
    tables : of each client, [n, d], NaN for missing.
    scaled : whether columns will be brought to one scale.
    """
    lines = []
    numbering = [name for k, name in enumerate(names) if _numbers([t[:, k] for t in tables])]
    if numbering:
        lines.append(
            f"{column(numbering)} numbers the rows (an index, a record's number?), which tells "
            "clients apart for nothing; leave it out"
        )
    pooled = np.concatenate(list(tables))
    for k, name in enumerate(names):
        mark = None if name in numbering else _mark(pooled[:, k], [t[:, k] for t in tables])
        if mark is not None:
            value, share = mark
            lines.append(
                f"{column([name])} is {value:g} in {share:.0%} of its rows, far from all other "
                "values; if that stands for missing, put NaN (an empty cell) there"
            )
    if not scaled:
        lines += _unlike_scales(names, pooled)
    return lines


def _numbers(parts: list[np.ndarray]) -> bool:
    """Whether a column counts each client's rows, or grows from row to row and never repeats."""
    if min(map(len, parts)) < FEW:
        return False
    if any(np.isnan(v).any() or (v != np.round(v)).any() for v in parts):
        return False
    if any(len(np.unique(v)) < len(v) for v in parts):
        return False
    if all(np.ptp(v) == len(v) - 1 for v in parts):
        return True
    whole = np.concatenate(parts)
    return all((np.diff(v) > 0).all() for v in parts) and len(np.unique(whole)) == len(whole)


def _mark(values: np.ndarray, parts: list[np.ndarray]) -> tuple[float, float] | None:
    """The smallest or largest value, if it is frequent and far from the others; and its share."""
    values = values[~np.isnan(values)]
    if len(values) < FEW:
        return None
    for value in (values.min(), values.max()):
        others = values[values != value]
        if len(np.unique(others)) < 5:
            continue
        share = max(float(np.mean(v == value)) for v in parts if len(v))
        gap, spread = float(np.abs(others - value).min()), float(others.std())
        if share >= OFTEN and abs(np.median(others) - value) > FAR * spread and gap > spread / 2:
            return float(value), float(np.mean(values == value))
    return None


def _unlike_scales(names: Sequence[str], pooled: np.ndarray) -> list[str]:
    spreads = np.nanstd(pooled, axis=0)
    known = np.flatnonzero(np.ptp(pooled, axis=0) > 0)  # spreads of constants are rounded
    if not len(known):
        return []
    largest, smallest = known[spreads[known].argmax()], known[spreads[known].argmin()]
    ratio = spreads[largest] / spreads[smallest]
    if ratio <= SCALES:
        return []
    times = f"{ratio:.0f}" if ratio < 1e6 else f"{ratio:.0e}"
    return [
        f"{column([names[largest]])} varies {times} times as "
        f"much as {column([names[smallest]])}, whose differences will not be seen; from_tables "
        "brings columns to one scale"
    ]


def left_alone(who: Sequence[str]) -> str:
    """Of clients with too few samples."""
    return f"{listed(who)} with too few samples to compare: each stays in a federation of its own"


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def column(names: Iterable[str]) -> str:
    """Columns by name, for a sentence."""
    return "column " + listed(list(map(str, names)))
