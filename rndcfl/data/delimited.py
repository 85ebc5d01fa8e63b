"""CSV in its dialects: delimiters, decimal commas, encodings, with a header or without."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pandas as pd

from rndcfl.common.errors import InputError

DELIMITERS = ",;\t|"
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none", "-", ".")
LINES = 50  # at the top of a file, that show its dialect


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
    lines = [line for line in text.splitlines()[:LINES] if line.strip()]
    if not lines:
        raise InputError(f"{path} is empty")
    delimiter = _delimiter(lines)
    rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    bare = _is_data(rows, missing)
    decimal = "," if delimiter != "," and _decimal_commas(rows) else "."
    try:
        table = pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            header=None,
            skiprows=0,
            dtype=str,
            keep_default_na=False,
            na_values=list(missing),
            skipinitialspace=True,
            index_col=False,
        )
    except (ValueError, pd.errors.ParserError, csv.Error) as problem:
        reason = " ".join(str(problem).split())
        raise InputError(f"{path} cannot be read as CSV: {reason}") from None
    said = []
    if bare:
        table.columns = [str(k) for k in range(table.shape[1])]
        said.append(f"{path.name} has no header line; its columns are called 0, 1, ...")
    else:
        header = [str(name).strip() for name in rows[0]]
        header += [f"column {k}" for k in range(len(header), table.shape[1])]
        header = ["" if name == "nan" else name for name in header]
        table = table.iloc[1:].reset_index(drop=True)
        table.columns = header[: table.shape[1]]
    table = table.apply(_typed, decimal=decimal)
    if table.shape[1] > 1 and table.columns[0] == "" and _counts(table.iloc[:, 0]):
        said.append(
            f"{path.name}: its first column has no name and numbers the rows; it is left out"
        )
        table = table.iloc[:, 1:]
    if not len(table):
        raise InputError(f"{path} has a header and no rows")
    return table, said


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, ValueError) as problem:
        raise InputError(f"{path} cannot be read: {problem}") from None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw:
        raise InputError(f"{path} cannot be read as CSV: it is no text")
    for encoding in ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{path} cannot be read as CSV: unknown encoding")


def _delimiter(lines: list[str]) -> str:
    """The one that cuts most lines into the same number of parts, the more the better."""

    def parts(delimiter: str) -> tuple[int, int]:
        cut = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        common = max(set(cut), key=cut.count)
        return (cut.count(common) if common > 1 else 0), common

    best = max(DELIMITERS, key=parts)
    return best if parts(best)[0] else ","


def _is_data(rows: list[list[str]], missing: tuple[str, ...]) -> bool:
    """Whether the first line holds numbers already."""
    there = [cell.strip() for cell in rows[0] if cell.strip() not in missing]
    return bool(there) and all(_is_number(cell.replace(",", ".")) for cell in there)


def _decimal_commas(rows: list[list[str]]) -> bool:
    cells = [cell for row in rows[1:] for cell in row if "," in cell]
    return bool(cells) and all(_is_number(cell.replace(",", ".", 1)) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _typed(column: pd.Series, decimal: str) -> pd.Series:
    """Numbers where all that is there is a number, else words without blanks around them."""
    words = column.str.strip()
    shown = words.str.replace(",", ".", regex=False) if decimal == "," else words
    found = pd.to_numeric(shown, errors="coerce")
    return found if found.notna().sum() == words.notna().sum() else words


def _counts(column: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(column) or column.isna().any():
        return False
    return bool((column.diff().dropna() == 1).all())
