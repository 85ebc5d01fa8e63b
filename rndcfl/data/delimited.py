"""CSV in its dialects: delimiters, decimal commas, encodings, with a header or without."""

from __future__ import annotations

import csv
import gzip
import io
import re
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from rndcfl.common.errors import InputError
from rndcfl.given.arrays import reading

DELIMITERS = "\t;|,"  # commas last: they may be decimal
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none", "-", ".")
LINES = 50  # at the top of a file, that show its dialect
CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")  # characters that no text has
NOTE = re.compile("#|sep=")  # begins a line above the header, of a person or of Excel
EUROPEAN = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+)?(,\d+)?([eE][+-]?\d+)?")
AMERICAN = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?")


def read_csv(path: Path, missing: tuple[str, ...] = MISSING) -> tuple[pd.DataFrame, list[str]]:
    """A table of a text file, and what was noticed about it.

    Columns are numbered where there is no header. A first column without a name that only numbers
    the rows (an index that was written too) is left out.

    Parameters
    ----------
    missing : what stands for a missing value.

    Raises
    ------
    InputError
        For a file that is empty, no text, or whose lines have different numbers of columns.
    """
    text = _text(path)
    with reading(f"{path} is no CSV: it"):
        rows, delimiter = _rows(text)
    if not rows:
        raise InputError(f"{path} is empty")
    said, first = [], rows[0][1]
    if _is_data([row for _, row in rows[:LINES]], missing):
        header = list(map(str, range(len(first))))
        said.append(f"{path.name} has no header line; its columns are called 0, 1, ...")
    else:
        header, rows = first, rows[1:]
        if not rows:
            raise InputError(f"{path} has a header and no rows")
        if all(len(row) == len(first) + 1 for _, row in rows):
            ends = all(not row[-1] for _, row in rows)  # with a delimiter, or begins with a name
            header = [*header, ""] if ends else ["", *header]
    for number, row in rows:
        if len(row) != len(header):
            raise InputError(
                f"{path} cannot be read as CSV: line {number} has {len(row)} columns, the first "
                f"{len(header)}; each line must have the same"
            )
    words = [[None if v in missing else v for v in column] for column in _turned(rows)]
    shown = [k for k, name in enumerate(header) if name or any(words[k])]
    columns = [pd.Series(words[k], dtype=object) for k in shown]
    columns = _typed(columns, commas=delimiter != ",")
    names = [header[k] or f"unnamed {k}" for k in shown]
    if len(names) > 1 and names[0] in ("unnamed 0", "Unnamed: 0") and _counts(columns[0]):
        said.append(
            f"{path.name}: its first column has no name and numbers the rows; it is left out"
        )
        names, columns = names[1:], columns[1:]
    return pd.concat(columns, axis=1).set_axis(names, axis=1), said


def _text(path: Path) -> str:
    with reading(str(path)):
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    text = None
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ENCODINGS:
        try:
            text = raw.decode(encoding).rstrip("\x1a")
            break
        except UnicodeDecodeError:
            continue
    if text is None or CONTROL.search(text):
        raise InputError(f"{path} cannot be read as CSV: it is no text")
    return text


def _rows(text: str) -> tuple[list[tuple[int, list[str]]], str]:
    """Lines that hold anything, each with its number, cut into cells; and the delimiter."""
    delimiter = _delimiter(text)
    try:
        rows = _cut(text, delimiter, strict=True)
    except csv.Error as problem:
        if "unexpected end" in str(problem):
            raise ValueError("a quotation mark is never closed") from None
        rows = _cut(text, delimiter)
    while len(rows) > 1 and len(rows[0][1]) < len(rows[1][1]) and NOTE.match(rows[0][1][0]):
        rows = rows[1:]
    blanks = [(number, row[0].split()) for number, row in rows if len(row) == 1]
    widths = {len(row) for _, row in blanks}
    if len(blanks) == len(rows) > 1 and len(widths) == 1 and max(widths) > 1:
        last = blanks[-1][1]
        if sum(map(_is_number, last)) > len(last) / 2:  # columns set apart by blanks
            return blanks, " "
    return rows, delimiter


def _cut(text: str, delimiter: str, strict: bool = False, most: int | None = None) -> list:
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=strict
    )
    every = ((lines.line_num, [cell.strip() for cell in row]) for row in lines)
    return list(islice((row for row in every if any(row[1])), most))


def _delimiter(text: str) -> str:
    """The first that cuts all lines into the same number of cells, else the one that cuts most."""

    def cut(delimiter: str) -> tuple[bool, int]:
        widths = [len(row) for _, row in _cut(text, delimiter, most=LINES)]
        common = max(set(widths), key=widths.count, default=1)
        return common > 1 and len(set(widths)) == 1, widths.count(common) if common > 1 else 0

    best = max(DELIMITERS, key=cut)
    return best if cut(best)[1] else ","


def _is_data(rows: list[list[str]], missing: tuple[str, ...]) -> bool:
    """Whether the first line holds numbers already, and no word above numbers."""
    first, body = rows[0], rows[1:]
    if not any(map(_is_number, first)):
        return False
    for k, cell in enumerate(first):
        below = [row[k] for row in body if k < len(row) and row[k] not in missing]
        if cell not in missing and not _is_number(cell) and below and all(map(_is_number, below)):
            return False
    return True


def _turned(rows: list[tuple[int, list[str]]]) -> list[tuple[str, ...]]:
    return list(zip(*(row for _, row in rows), strict=True))


def _is_number(cell: str) -> bool:
    if not any(map(str.isdigit, cell)):
        return False
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return bool(EUROPEAN.fullmatch(cell) or AMERICAN.fullmatch(cell))
    return True


def _typed(columns: list[pd.Series], commas: bool) -> list[pd.Series]:
    """Columns of numbers where all that is there is a number, else of words.

    Parameters
    ----------
    commas : whether they may be decimal; a file has them everywhere or nowhere.
    """
    plain = [_numbers(column) for column in columns]
    left = [column for column, found in zip(columns, plain, strict=True) if found is None]
    european = commas and any(_european(column) is not None for column in left)
    made = []
    for column, found in zip(columns, plain, strict=True):
        if european:
            turned = _european(column)
            found = found if turned is None else turned
        elif found is None:
            found = _matching(AMERICAN, column, lambda v: v.replace(",", ""))
        made.append(column if found is None else found)
    return made


def _european(column: pd.Series) -> pd.Series | None:
    return _matching(EUROPEAN, column, lambda v: v.replace(".", "").replace(",", "."))


def _matching(pattern: re.Pattern[str], column: pd.Series, turn: Any) -> pd.Series | None:
    there = column.dropna()
    if not all(pattern.fullmatch(v) for v in there):
        return None
    return _numbers(column.map(turn, na_action="ignore"))


def _numbers(column: pd.Series) -> pd.Series | None:
    found = pd.to_numeric(column, errors="coerce")
    return found if found.notna().sum() == column.notna().sum() else None


def _counts(column: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(column) or column.isna().any():
        return False
    return bool((column.diff().dropna() == 1).all())
