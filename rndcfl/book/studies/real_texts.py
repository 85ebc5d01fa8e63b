"""What is shown of clients that are people: numbers for names, and how several of them write.

Nothing is said of the text of fewer than three: it would be about one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from rndcfl.clients import Clients
from rndcfl.data.texts import UNKNOWN_SHOWN

LEAST_PEOPLE = 3  # a federation of fewer says something about one of them
PERSONS = ("sms",)  # datasets whose clients are people of our time, by the ids of a corpus


def shown_names(clients: Clients, group_names: Sequence[str]) -> list[str]:
    """Names for figures and tables: of people a number, and their group, instead of any id."""
    if clients.dataset not in PERSONS:
        return [client.name for client in clients]
    groups = clients.groups if clients.groups is not None else [None] * len(clients)
    return [
        f"person {i}" + ("" if g is None else f" ({group_names[g]})")
        for i, g in enumerate(groups, start=1)
    ]


def inside(
    clients: Clients, labels: np.ndarray, alphabet: str, group_names: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Who is in each federation and, where they are :data:`LEAST_PEOPLE` or more, how they write.

    Yields
    ------
    dict
        federation, who, message (characters from one line break to the next), typical.
    """
    names = shown_names(clients, group_names)
    for federation in np.unique(labels).tolist():
        members = np.flatnonzero(labels == federation).tolist()
        text = np.concatenate([clients[i].x.ravel() for i in members])
        breaks = int((text == alphabet.find("\n")).sum())
        typical = typical_strings(clients, labels, federation, alphabet)
        yield {
            "federation": federation,
            "who": ", ".join(names[i] for i in members),
            "message": len(text) / max(1, breaks) if len(members) >= LEAST_PEOPLE else None,
            "typical": "  ".join(typical).replace("\n", "|") or "-",
        }


def typical_strings(
    clients: Clients, labels: np.ndarray, federation: int, alphabet: str, n: int = 10
) -> list[str]:
    """Strings of three characters that a federation writes more often than the others.

    None where it, or all the others together, are fewer than :data:`LEAST_PEOPLE`; and only
    strings that as many of its members have written, so that no person's own words show.
    """
    members = [_strings(client.x, alphabet) for client in clients]
    mine = [own for own, label in zip(members, labels, strict=True) if label == federation]
    rest = [own for own, label in zip(members, labels, strict=True) if label != federation]
    if min(len(mine), len(rest)) < LEAST_PEOPLE:
        return []
    writers = Counter(text for own in mine for text in own)
    ours, others = _together(mine), _together(rest)
    often = [text for text, count in writers.items() if count >= LEAST_PEOPLE and ours[text] >= 5]
    share = {t: np.log((ours[t] + 1) / (others[t] + 1)) for t in often}
    return sorted(often, key=lambda text: (-share[text], text))[:n]


def _together(counts: Sequence[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for own in counts:
        total.update(own)
    return total


def _strings(windows: np.ndarray, alphabet: str) -> Counter[str]:
    """How often each three known characters follow each other in windows [n, length]."""
    lines = ("".join(alphabet[c] for c in window) for window in windows)
    every = Counter(line[k : k + 3] for line in lines for k in range(len(line) - 2))
    return Counter({text: n for text, n in every.items() if UNKNOWN_SHOWN not in text})
