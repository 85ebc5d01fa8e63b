"""Tables whose columns have names: matched by name, and brought to numbers.

Words and categories become one column for each level that any client has; a missing one is a level
of its own. Numbers stay numbers, NaN for missing in whatever form it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rndcfl.common.errors import InputError
from rndcfl.given.arrays import as_numbers, one_line, reading
from rndcfl.given.hints import listed

LEVELS = 50  # different words that a column may hold, more only where they repeat
REPEATED = 5  # rows for each of them, on average


@dataclass(frozen=True)
class Columns:
    """What all clients agree on: the columns and, of words, the levels."""

    names: tuple[str, ...]
    levels: dict[str, list[str]]
    gaps: frozenset[str]  # columns of words in which some client lacks one

    @property
    def made(self) -> list[str]:
        """Names of the columns of numbers that come of them."""
        every = []
        for name in self.names:
            if name in self.levels:
                every += [f"{name}={one_line(level)}" for level in self.levels[name]]
                every += [f"{name} missing"] if name in self.gaps else []
            else:
                every.append(name)
        return every


def is_frame(given: Any) -> bool:
    """Whether it has columns with names."""
    return isinstance(given, pd.DataFrame) or hasattr(given, "to_pandas")


def as_frame(who: str, given: Any) -> pd.DataFrame:
    """A DataFrame of pandas, Polars or Arrow with distinct names, as pandas."""
    with reading(f"{who}: its table"):
        frame = given if isinstance(given, pd.DataFrame) else given.to_pandas()
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{who}: its table is {type(given).__name__}; give one with columns")
    frame = frame.set_axis([one_line(name) for name in frame.columns], axis=1)
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise InputError(f"{who}: column {listed(twice)} is there twice; rename one")
    return frame


def aligned(who: Sequence[str], frames: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The frames with their columns in the order of the first.

    Raises
    ------
    InputError
        Which columns differ, where they do.
    """
    first = list(frames[0].columns)
    for name, frame in zip(who, frames, strict=True):
        lacks = [str(c) for c in first if c not in frame]
        more = [str(c) for c in frame if c not in first]
        if lacks or more:
            parts = [f"lacks column {listed(lacks)}"] if lacks else []
            parts += [f"has column {listed(more)}, which {who[0]} has not"] if more else []
            raise InputError(
                f"{name} {' and '.join(parts)}; rename columns to match, or leave them out at all "
                "clients with drop="
            )
    return [frame[first] for frame in frames]


def agreed(who: Sequence[str], frames: Sequence[pd.DataFrame]) -> Columns:
    """What columns hold, over all clients; frames are :func:`aligned`.

    Raises
    ------
    InputError
        For dates, identifiers, what is neither numbers nor words, and for columns that are numbers
        at one client and words at another.
    """
    levels: dict[str, list[str]] = {}
    gaps = set()
    for name in map(str, frames[0]):
        parts = [frame[name] for frame in frames]
        kinds = []
        for w, part in zip(who, parts, strict=True):
            with reading(f"{w}: column {name}"):
                kinds.append(_kind(w, name, part))
        known = [kind for kind in kinds if kind != "nothing"]
        if len(set(known)) > 1:
            where = [f"{kind} at {who[kinds.index(kind)]}" for kind in dict.fromkeys(known)]
            raise InputError(
                f"column {name} holds {', '.join(where)}; make it the same at all clients"
            )
        if known and known[0] == "words":
            with reading(f"column {name}"):
                levels[name] = _levels(name, parts)
            if any(part.isna().any() for part in parts):
                gaps.add(name)
    return Columns(tuple(frames[0].columns), levels, frozenset(gaps))


def numbers(who: str, frame: pd.DataFrame, columns: Columns) -> np.ndarray:
    """A client's table as numbers, float64 [n, d], NaN for missing."""
    made = []
    for name in columns.names:
        part = frame[name]
        if name in columns.levels:
            words = _words(part)
            made += [(words == level).to_numpy(dtype=np.float64) for level in columns.levels[name]]
            made += [part.isna().to_numpy(dtype=np.float64)] if name in columns.gaps else []
        else:
            with reading(f"{who}: column {name}"):
                made.append(_numeric(who, name, part))
    return np.stack(made, axis=1) if made else np.empty((len(frame), 0))


def _kind(who: str, name: str, part: pd.Series) -> str:
    """``"numbers"``, ``"words"``, or ``"nothing"`` where all is missing."""
    if not isinstance(part.dtype, pd.CategoricalDtype):
        if pd.api.types.is_datetime64_any_dtype(part) or str(part.dtype).startswith(
            ("date", "time", "period", "duration")
        ):
            raise _dates(who, name)
        if pd.api.types.is_complex_dtype(part):
            raise _complex(who, name)
    there = part.reset_index(drop=True).dropna()
    if not len(there):
        return "nothing"
    if isinstance(part.dtype, pd.CategoricalDtype):
        return "words"
    if pd.api.types.is_numeric_dtype(part):
        return "numbers"
    there = there.astype(object)  # of Arrow's words to_numeric makes numbers
    values = there.tolist()
    if any(hasattr(v, "year") or hasattr(v, "total_seconds") for v in values):
        raise _dates(who, name)
    if all(isinstance(v, str) for v in values):
        return _of_strings(who, name, there)
    if any(isinstance(v, str) for v in values):
        word = next(v for v in values if isinstance(v, str))
        raise _mixed(who, name, word, there.index[values.index(word)])
    found = pd.to_numeric(there, errors="coerce")
    if pd.api.types.is_complex_dtype(found):
        raise _complex(who, name)
    if found.notna().all():
        return "numbers"
    raise InputError(
        f"{who}: column {name} holds {type(values[0]).__name__}, neither numbers nor words; leave "
        f"it out with drop=[{name!r}]"
    )


def _of_strings(who: str, name: str, there: pd.Series) -> str:
    """Words that are all numbers are numbers; if most are, the others are marks or slips."""
    strange = pd.to_numeric(there, errors="coerce").isna().to_numpy()
    if not strange.any():
        return "numbers"
    if strange.mean() < 0.5:
        k = int(strange.argmax())
        raise _mixed(who, name, there.iloc[k], there.index[k])
    if pd.to_datetime(there.iloc[:20], errors="coerce", format="ISO8601").notna().all():
        raise _dates(who, name)
    return "words"


def _mixed(who: str, name: str, word: str, row: Any) -> InputError:
    return InputError(
        f"{who}: column {name} holds {word!r} among numbers, in row {row + 1}; if that stands "
        "for missing, put NaN there, or name it in missing= of from_files"
    )


def _dates(who: str, name: str) -> InputError:
    return InputError(
        f"{who}: column {name} holds dates; give days since one, "
        f"(frame[{name!r}] - day).dt.days, or leave it out with drop=[{name!r}]"
    )


def _complex(who: str, name: str) -> InputError:
    return InputError(f"{who}: column {name} holds complex numbers; give real ones")


def _levels(name: str, parts: Iterable[pd.Series]) -> list[str]:
    words = pd.concat([_words(part).dropna() for part in parts])
    found = sorted(set(words))
    if len(found) > LEVELS and len(words) < REPEATED * len(found):
        raise InputError(
            f"column {name} holds {len(found)} different words in {len(words)} rows; if they name "
            f"the rows, leave it out with drop=[{name!r}]"
        )
    return found


def _words(part: pd.Series) -> pd.Series:
    """Levels as words, whatever type they are of; missing stays missing."""
    return part.astype(object).map(lambda v: v if pd.isna(v) else str(v))


def _numeric(who: str, name: str, part: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(part):
        part = pd.to_numeric(part.astype(object).where(part.notna(), None), errors="coerce")
    values = part.to_numpy(dtype=np.float64, na_value=np.nan)
    return as_numbers(f"{who}: column {name}", values, missing=True)
