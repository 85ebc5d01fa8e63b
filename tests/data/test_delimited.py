import gzip

import numpy as np
import pandas as pd
import pytest

from rndcfl.common.errors import InputError
from rndcfl.data.delimited import read_csv

PLAIN = "age,sex,bmi\n61,f,22.5\n57,m,31\n"
TABLE = pd.DataFrame({"age": [61, 57], "sex": ["f", "m"], "bmi": [22.5, 31]})


@pytest.fixture
def table(tmp_path):
    """Function text or bytes -> the table in a file of it, and what was noticed."""

    def read(text, name="a.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_csv(path, **options)

    return read


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "\n\n") + " \n",
        PLAIN + "\x1a",
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", ";").replace(".", ","),
        PLAIN.replace(",", " , "),
        PLAIN.replace("\n", ",\n"),
        PLAIN.replace("\n", ",,\n") + ",,,,\n",
        '"age","sex","bmi"\n"61","f","22.5"\n"57","m","31"\n',
        "sep=;\n" + PLAIN.replace(",", ";"),
        "# of the north\n" + PLAIN,
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        gzip.compress(PLAIN.encode(), mtime=0),
    ],
)
def test_every_dialect_is_the_same_table(table, text):
    found, said = table(text)
    pd.testing.assert_frame_equal(found, TABLE, check_dtype=False)
    assert said == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-be"])
def test_letters_in_every_encoding(table, encoding):
    start = "\ufeff" if encoding == "utf-16-be" else ""
    found, _ = table((start + "größe,ort\n1,Köln\n").encode(encoding))
    assert found.columns.tolist() == ["größe", "ort"] and found["ort"].tolist() == ["Köln"]


@pytest.mark.parametrize(
    "text, columns",
    [
        ("1.5;2\n2.5;3\n", [[1.5, 2.5], [2, 3]]),
        ("1,5;2,0\n2,5;3,0\n", [[1.5, 2.5], [2, 3]]),
        ("1.234,5;1.000\n12,5;2.000\n", [[1234.5, 12.5], [1000, 2000]]),
        ("1,5;0.25\n2,5;0.5\n", [[1.5, 2.5], [0.25, 0.5]]),
        ('"1,234.5",2\n"1,000",3\n', [[1234.5, 1000], [2, 3]]),
        ("-1e-3,+2\n.5,3\n", [[-0.001, 0.5], [2, 3]]),
        (" 1.0  2 \n  1.5 3\n", [[1, 1.5], [2, 3]]),
    ],
)
def test_numbers_as_people_write_them(table, text, columns):
    found, said = table(text)
    assert found.T.to_numpy(dtype=float).tolist() == columns
    assert said == ["a.csv has no header line; its columns are called 0, 1, ..."]


def test_words_with_commas_do_not_make_words_of_numbers(table):
    found, _ = table("a;who\n1,5;Rossi, M\n2,5;Bo, X\n")
    assert found["a"].tolist() == [1.5, 2.5]
    assert found["who"].tolist() == ["Rossi, M", "Bo, X"]


@pytest.mark.parametrize(
    "text, header",
    [
        ("5.1,3.5,setosa\n4.9,3,setosa\n", False),
        ("63,?,0\n41,3,1\n", False),
        ("2019,2020\n1,2\n", False),
        ("age,2019\n61,2\n57,3\n", True),
        ("city\nNew York\nRome\n", True),
        ("a,b\n?,?\n", True),
    ],
)
def test_the_first_line_is_a_header_or_data(table, text, header):
    found, said = table(text)
    assert len(found) == len(text.splitlines()) - header
    assert bool(said) is not header


@pytest.mark.parametrize(
    "text",
    [",a,b\n0,5,x\n1,7,y\n", "Unnamed: 0,a,b\n0,5,x\n1,7,y\n", '"a","b"\n"1",5,"x"\n"2",7,"y"\n'],
)
def test_an_index_that_was_written_too_is_left_out(table, text):
    found, said = table(text)
    assert found.columns.tolist() == ["a", "b"] and found["a"].tolist() == [5, 7]
    assert said == ["a.csv: its first column has no name and numbers the rows; it is left out"]


def test_a_first_column_that_does_not_number_the_rows_stays(table):
    found, said = table(",a\n61,1\n57,2\n")
    assert (found.columns.tolist(), said) == (["unnamed 0", "a"], [])


@pytest.mark.parametrize("mark", ["", "?", " ? ", "NA", "n/a", "NaN", "NULL", "-", "."])
def test_marks_for_missing(table, mark):
    found, _ = table(f"a,b\n1,x\n{mark},y\n3,{mark}\n")
    assert found["a"].isna().tolist() == [False, True, False]
    assert found["b"].isna().tolist() == [False, False, True]
    assert found["a"].dtype == np.float64


def test_marks_that_are_named_take_the_place_of_the_usual_ones(table):
    found, _ = table("a,b\n1,NA\n-999,y\n", missing=("-999",))
    assert found["a"].isna().tolist() == [False, True]
    assert found["b"].tolist() == ["NA", "y"]


def test_cells_with_lines_and_quotation_marks(table):
    found, _ = table('a,"b\nc"\n1,"x\ny"\n2,"say ""z"""\n3,5" nail\n')
    assert found.iloc[:, 1].tolist() == ["x\ny", 'say "z"', '5" nail']


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("\ufeff", "is empty"),
        ("a,b\n", "has a header and no rows"),
        ("a,b,c\n1,2\n3,4,5\n", "line 2 has 2 columns, the first 3; each line must have the same"),
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 columns, the first 2"),
        ('a,b\n1,"x\n2,y\n', "a quotation mark is never closed"),
        (bytes(range(256)), "it is no text"),
        (b"a,b\n1,\x002\n", "it is no text"),
        (b"\xff\xfe\x00\xd8", "it is no text"),
        (b"\x1f\x8b\x08\x00junk", "cannot be read"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-9], "cannot be read"),
        ("a\n" + "x" * 200_000 + "\n", "field larger than field limit"),
    ],
)
def test_what_is_no_table(table, text, message):
    with pytest.raises(InputError, match=rf"a\.csv .*{message}") as caught:
        table(text)
    assert "\n" not in str(caught.value)
