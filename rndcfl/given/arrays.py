"""Anything that holds numbers, read as a NumPy array: tensors, frames, masked arrays, lists."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch

from rndcfl.common.errors import InputError

KNOWN = (torch.float16, torch.float32, torch.float64)  # floats that NumPy has too
TABLES = "from_tables reads tables with names, words and missing values"
LARGEST = 1e30  # whose squares and sums float32 and float64 still hold


def as_array(what: str, given: Any) -> np.ndarray:
    """What was given, as it is: NaN where a masked array or a nullable type lacks a value.

    Parameters
    ----------
    what : names it in errors, such as ``"client 0: x"``.

    Raises
    ------
    InputError
        For what is no array.
    """
    if given is None:
        raise no_samples(what)
    if isinstance(given, list | tuple) and given:
        if isinstance(given[0], torch.Tensor):
            given = _stacked(what, given)
        elif any(isinstance(part, np.ma.MaskedArray) for part in given):
            with reading(what):
                given = np.ma.stack(given)
    if isinstance(given, torch.Tensor):
        return _of_tensor(what, given)
    with reading(what):
        if isinstance(given, np.ma.MaskedArray):
            return _of_masked(what, given)
        if isinstance(given, pd.DataFrame | pd.Series):
            return _of_frame(given)
        if hasattr(given, "toarray"):  # SciPy's sparse matrices
            given = given.toarray()
    try:
        found = np.asarray(given)
        if found.dtype.kind in "US" and isinstance(given, list | tuple):
            return _as_given(found, given)
        return found
    except Exception:  # whatever an object's own conversion may raise
        raise InputError(f"{what} is not a rectangular array of numbers") from None


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever other people's code raises while it reads `what`, as one line."""
    try:
        yield
    except (InputError, Warning):
        raise
    except Exception as problem:
        reason = one_line(problem) or type(problem).__name__
        raise InputError(f"{what} cannot be read: {reason}") from None


def one_line(given: object) -> str:
    """Its words in one line."""
    return " ".join(str(given).split())


def no_samples(what: str) -> InputError:
    """The error for a client without data."""
    who, _, part = what.rpartition(": ")
    return InputError(f"{who} has no samples in {part}; leave it out or give it data")


def as_numbers(what: str, given: Any, missing: bool = False) -> np.ndarray:
    """The same as an array of numbers or of truth values.

    Parameters
    ----------
    missing : whether values may be missing (NaN).

    Raises
    ------
    InputError
        For words, dates and complex numbers; for NaN where nothing may be missing; for infinite
        values, and those that float32 does not hold.
    """
    x = as_array(what, given)
    if x.dtype == object:
        x = _of_objects(what, x)
    elif x.dtype.kind in "US":
        x = _floats(what, x)
    if x.dtype.kind not in "buif":
        raise InputError(
            f"{what} of dtype {x.dtype} cannot be read as numbers; give real numbers, of dates the "
            "days since one"
        )
    if x.dtype.kind == "f":
        if x.dtype not in (np.float32, np.float64):  # of 16 or 128 bits, or the other byte order
            with np.errstate(all="ignore"):
                x = x.astype(np.float64)
        _check_finite(what, x, missing)
    return x


def _check_finite(what: str, x: np.ndarray, missing: bool) -> None:
    bad = int((np.isinf(x) if missing else ~np.isfinite(x)).sum())
    if bad and missing:
        raise InputError(f"{what} holds {bad} infinite values; give NaN for missing ones")
    if bad:
        raise InputError(
            f"{what} holds {bad} NaN or infinite values; remove or impute them, or take "
            "from_tables, which marks what is missing"
        )
    if x.size and max(np.nanmax(x, initial=0), -np.nanmin(x, initial=0)) > LARGEST:
        raise InputError(f"{what} holds values beyond {LARGEST:.0e}; bring it to another scale")


def _stacked(what: str, given: Any) -> torch.Tensor:
    try:
        return torch.stack([t.detach() for t in given])
    except (RuntimeError, AttributeError, TypeError):
        raise InputError(f"{what} is not a rectangular array of numbers") from None


def _of_tensor(what: str, given: torch.Tensor) -> np.ndarray:
    """A tensor on any device, with gradients, sparse, quantised or of a type NumPy lacks."""
    try:
        found = given.detach()
        if found.is_quantized:
            found = found.dequantize()
        found = found.to_dense().cpu()
        if found.is_floating_point() and found.dtype not in KNOWN:
            found = found.float()
        return found.resolve_conj().resolve_neg().numpy()
    except Exception as problem:
        raise InputError(
            f"{what} is a tensor whose values cannot be read: {one_line(problem)}"
        ) from None


def _of_masked(what: str, given: np.ma.MaskedArray[Any, Any]) -> np.ndarray:
    """NaN where it is masked."""
    if given.dtype.kind != "V" and not np.ma.getmaskarray(given).any():
        return np.asarray(given.data)
    if given.dtype.kind not in "buifO":
        raise InputError(f"{what} is masked and not of numbers; leave masked samples out")
    return np.ma.filled(given.astype(np.float64), np.nan)


def _as_given(found: np.ndarray, given: Any) -> np.ndarray:
    """A list's words and numbers as they are, where NumPy has made words of all."""
    mixed = np.array(given, dtype=object)
    alike = mixed.shape != found.shape or all(isinstance(v, str | bytes) for v in mixed.ravel())
    return found if alike else mixed


def _of_frame(given: pd.DataFrame | pd.Series) -> np.ndarray:
    """Its values; NaN where nullable types lack one."""
    if isinstance(given, pd.DataFrame):
        types = list(given.dtypes)
    else:
        types = [given.dtype]
    if all(_is_real(t) for t in types):
        if any(given.isna().to_numpy().ravel()):
            return given.to_numpy(dtype=np.float64, na_value=np.nan)
        plain = all(isinstance(t, np.dtype) for t in types)
        return given.to_numpy() if plain else _narrowest(given)
    return given.to_numpy(dtype=object)


def _is_real(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def _narrowest(given: pd.DataFrame | pd.Series) -> np.ndarray:
    """Nullable and Arrow types without a gap, as NumPy's: whole numbers stay whole."""
    found = given.convert_dtypes(dtype_backend="numpy_nullable").to_numpy(dtype=object)
    return np.array(found.tolist())


def _of_objects(what: str, x: np.ndarray) -> np.ndarray:
    """Objects that are numbers; None and pandas NA are missing."""
    if x.ndim == 0:
        raise InputError(
            f"{what} is {type(x.item()).__name__}, no array; give arrays, or datasets "
            "to from_datasets"
        )
    with reading(what):
        gone = pd.isna(x)
    if gone.any():
        x = np.where(gone, np.nan, x)
    elif all(isinstance(v, bool | np.bool_) for v in x.ravel()):
        return x.astype(bool)
    elif all(isinstance(v, int | np.integer) for v in x.ravel()):
        with np.errstate(all="ignore"):
            try:
                return x.astype(np.int64)
            except OverflowError:
                pass
    return _floats(what, x)


def _floats(what: str, x: np.ndarray) -> np.ndarray:
    try:
        with np.errstate(all="ignore"):
            return x.astype(np.float64)
    except Exception:  # whatever an object's own conversion may raise
        raise InputError(f"{what} of dtype {x.dtype} cannot be read as numbers; {TABLES}") from None
