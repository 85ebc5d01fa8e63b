"""Progress bars: after two seconds, and only where a person looks."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress(every: Iterable[Any] | None = None, desc: str = "", total: int | None = None) -> Any:
    """A bar that appears after two seconds, on a terminal or in a notebook, and goes when done."""
    return tqdm(every, desc=desc, total=total, leave=False, delay=2, **silent())


def silent() -> dict[str, Any]:
    """What makes tqdm silent where nobody looks; else nothing, for ``TQDM_DISABLE`` to decide."""
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    return {} if watched else {"disable": True}
