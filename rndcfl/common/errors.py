"""One kind of error for everything a user can get wrong, and one wording for it.

Every message states in one line what was given, what is allowed and what to do. The command line
prints it and exits with code 2.
"""

from __future__ import annotations

import difflib
import numbers
import sys
import warnings
from collections.abc import Iterable
from typing import Any


class InputError(ValueError):
    """Something the caller gave cannot be used; the message is one line, raised before any work."""


class Notice(UserWarning):
    """Something in the data that a reader should know, with what to do; nothing is refused."""


def notice(lines: Iterable[str]) -> None:
    """Say each line once, as a :class:`Notice` at the place in the caller's own code."""
    depth = 1
    while sys._getframe(depth).f_globals.get("__name__", "").partition(".")[0] == "rndcfl":
        depth += 1
        if sys._getframe(depth).f_back is None:
            break
    for line in lines:
        warnings.warn(line, Notice, stacklevel=depth + 1)


class WireError(InputError):
    """What was received is not what it should be; it was not used."""


def check_name(what: str, given: Any, allowed: Iterable[str]) -> str:
    """Return `given` if it is one of `allowed`, else raise with the nearest valid name.

    Parameters
    ----------
    what : what the name stands for, e.g. ``"setting"``.
    given : the name to look up.
    allowed : the valid names.

    Raises
    ------
    InputError
        Naming `given`, the nearest name if there is one, and all allowed names.
    """
    names = list(allowed)
    if given in names:
        return str(given)
    near = difflib.get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"unknown {what} {given!r}{hint} (allowed: {', '.join(names) or 'none'})")


def check_number(
    what: str, given: Any, low: float, high: float = float("inf"), whole: bool = False
) -> None:
    """Raise unless `given` is a number (an integer if `whole`) with ``low <= given <= high``."""
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(given, kind) and not isinstance(given, bool):
        # As float, large whole numbers would be rounded.
        value = int(given) if isinstance(given, numbers.Integral) else float(given)
        # NaN fails the comparison, so it is refused as well.
        if low <= value <= high and abs(value) < float("inf"):
            return
    noun = "a whole number" if whole else "a number"
    bounds = f"of at least {low}" if high == float("inf") else f"from {low} to {high}"
    raise InputError(f"{what} must be {noun} {bounds}, got {given!r}")
