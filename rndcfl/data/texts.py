"""Text of people: what phones send (NUS SMS Corpus) and what Shakespeare's speakers say.

A person's text is cut into windows of characters that do not overlap, so that windows are nearly
independent samples; the task is the next character at every place of a window.
"""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import IGNORED
from rndcfl.data.dataset import Origin, Samples, natural
from rndcfl.data.files import corrupt, download, find, find_each, not_found, sha256

WINDOW = 20  # characters
VOCABULARY = 500  # distinct characters at most; the others are all "unknown"
UNKNOWN, UNKNOWN_SHOWN = 0, "\N{REPLACEMENT CHARACTER}"

SMS_LICENCE = "none stated; free to use with citation"
SMS_CITATION = (
    "Chen, Kan: Creating a Live, Public Short Message Service Corpus: The NUS SMS Corpus, "
    "Language Resources and Evaluation 47(2), 299-355, 2013"
)
SMS_FROM = "https://github.com/kite1988/nus-sms-corpus"
SMS_FILES = ("smsCorpus_en_xml_2015.03.09_all.zip", "smsCorpus_zh_xml_2015.03.09.zip")
SMS_PACKED = "nus_sms.tsv.gz"
LANGUAGES = {"en": "English", "zh": "Chinese"}
SEVERAL_PEOPLE, AS_PACKED = "0", "en015"  # an id that many share, and what the table calls it
COUNTRIES = {"SG": "Singapore", "USA": "United States", "UK": "United Kingdom", "unknown": ""}

PLAYS = "input.txt"
PLAYS_URL = (
    f"https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/{PLAYS}"
)
PLAYS_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
PLAYS_PACKED = "tinyshakespeare_speakers.tsv.gz"


@dataclass(frozen=True)
class Person:
    """One who writes or speaks: `text` is all of it, a line for each message or speech."""

    name: str
    group: str
    text: str


def windows(people: list[Person]) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Cut the text of all people into windows.

    Returns
    -------
    x : characters as numbers, int64 [n, WINDOW]; 0 is any that is not in the vocabulary.
    y : the character after each of them, likewise; unknown ones are ignored.
    owner : whose window it is, int64 [n].
    alphabet : the characters by number, at most :data:`VOCABULARY`: those that most people use,
        which is all that a person has to disclose.
    """
    users = Counter(c for person in people for c in set(person.text))
    common = sorted(users, key=lambda c: (-users[c], c))[: VOCABULARY - 1]
    number = {c: k for k, c in enumerate(common, start=UNKNOWN + 1)}
    xs, ys, owners = [], [], []
    for i, person in enumerate(people):
        codes = np.array([number.get(c, UNKNOWN) for c in person.text], dtype=np.int64)
        n = (len(codes) - 1) // WINDOW
        if n > 0:
            xs.append(codes[: n * WINDOW].reshape(n, WINDOW))
            ys.append(codes[1 : n * WINDOW + 1].reshape(n, WINDOW))
            owners.append(np.full(n, i))
    if not xs:
        raise InputError(f"no person has written {WINDOW + 1} characters, which is one window")
    y = np.concatenate(ys)
    y = np.where(y == UNKNOWN, IGNORED, y)
    return np.concatenate(xs), y, np.concatenate(owners), UNKNOWN_SHOWN + "".join(common)


def of_people(people: list[Person]) -> Samples:
    """The windows of all people, who are not grouped where all have the same group."""
    x, y, owner, alphabet = windows(people)
    kinds = tuple(dict.fromkeys(person.group for person in people))
    groups = np.array([kinds.index(person.group) for person in people])
    names = tuple(person.name for person in people)
    origin = Origin(owner, names, groups, kinds if len(kinds) > 1 else ())
    return natural(x, y, origin, len(alphabet), alphabet)


def masked(text: str) -> str:
    """The text on one line, addresses and long numbers that the corpus left in masked as well."""
    text = re.sub(r"\S+@\S+\.\w+", "<EMAIL>", " ".join(text.split()))
    return re.sub(r"\d(?:[ -]?\d){5,}", "<#>", text)


def sms(root: Path | None) -> list[Person]:
    """The people of the NUS SMS Corpus, grouped by the language they wrote in.

    A message that one person sent more than once counts once. Reads the official archives, or one
    table of them (``nus_sms.tsv.gz``: lang, user, country, ..., text).
    """
    packed = find("sms", [SMS_PACKED], root)
    official = [find("sms", [name], root) for name in SMS_FILES]
    rows: Iterable[tuple[str, str, str, str]]
    if packed:
        rows = ((r[0], r[1], r[2], r[-1]) for r in _table(packed) if r[1] != AS_PACKED)
    elif official[0] and official[1]:
        rows = _archives(dict(zip(LANGUAGES, (official[0], official[1]), strict=True)))
    else:
        raise not_found("sms", SMS_FILES, SMS_FROM, root)
    homes: dict[tuple[str, str], str] = {}
    messages: dict[tuple[str, str], dict[str, None]] = {}
    for language, user, country, text in rows:
        homes.setdefault((language, user), COUNTRIES.get(country, country.title()))
        messages.setdefault((language, user), {})[masked(text)] = None
    return [
        Person(f"{user} {homes[language, user]}".strip(), LANGUAGES[language], "\n".join(texts))
        for (language, user), texts in messages.items()
    ]


def shakespeare(root: Path | None) -> list[Person]:
    """The speakers of tinyshakespeare; those of one name in several plays are one."""
    packed = find("shakespeare", [PLAYS_PACKED], root)
    speeches: dict[str, list[str]] = {}
    for name, text in _table(packed) if packed else _plays(root):
        speeches.setdefault(name, []).append(text)
    return [Person(name.title(), "", "\n".join(texts)) for name, texts in speeches.items()]


def sms_files(root: Path | None) -> list[Path]:
    """The corpus's files as they are on this machine, or none."""
    packed = find("sms", [SMS_PACKED], root)
    return [packed] if packed else find_each("sms", [[name] for name in SMS_FILES], root)


def shakespeare_files(root: Path | None) -> list[Path]:
    """The plays' file as it is on this machine, or none."""
    found = find("shakespeare", [PLAYS_PACKED, PLAYS], root)
    return [found] if found else []


def _table(path: Path) -> Iterator[list[str]]:
    """Rows of a packed table, without its header."""
    try:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as problem:
        raise corrupt(path, problem) from None
    columns = len(lines[0].split("\t")) if lines else 0
    for line in lines[1:]:
        row = line.split("\t")
        if len(row) != columns:
            raise corrupt(path, f"a row of {len(row)} columns under a header of {columns}")
        yield row


def _archives(paths: dict[str, Path]) -> Iterator[tuple[str, str, str, str]]:
    """Language, user, country and text of each message of one person in the official archives."""
    for language, path in paths.items():
        try:
            with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
                root = ElementTree.parse(file).getroot()
        except (OSError, IndexError, zlib.error, zipfile.BadZipFile, SyntaxError) as problem:
            raise corrupt(path, problem) from None
        users: dict[str, str] = {}
        for message in root.iter("message"):
            text = message.findtext("text") or ""
            user = message.findtext("source/userProfile/userID") or SEVERAL_PEOPLE
            country = message.findtext("source/userProfile/country") or ""
            number = users.setdefault(user, f"{language}{len(users) + 1:03}")  # as they appear
            if user != SEVERAL_PEOPLE and text.strip() and "BEGIN:VCARD" not in text:
                yield language, number, country, text


def _plays(root: Path | None) -> Iterable[tuple[str, str]]:
    """Speaker and text of each speech in the original file."""
    path = find("shakespeare", [PLAYS], root)
    path = path or download("shakespeare", PLAYS_URL, f"sha256:{PLAYS_SHA256}", root)
    raw = path.read_bytes()
    if sha256([raw]) != PLAYS_SHA256:
        raise corrupt(path, "wrong checksum")
    for block in raw.decode().split("\n\n"):
        name, _, speech = block.strip().partition(":\n")
        if speech:
            yield name, " ".join(speech.split())
