import gzip
import zipfile
from xml.sax.saxutils import escape

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import IGNORED
from rndcfl.data import texts
from rndcfl.data.catalogue import data_files, load_dataset
from rndcfl.data.files import sha256
from rndcfl.data.texts import UNKNOWN_SHOWN, WINDOW, Person, windows

# --- windows ------------------------------------------------------------------------------------


def test_windows_by_hand(monkeypatch):
    monkeypatch.setattr(texts, "WINDOW", 3)
    x, y, owner, alphabet = windows([Person("a", "", "abcabcab"), Person("b", "", "bbbb")])
    assert alphabet == UNKNOWN_SHOWN + "bac"  # both use b; a before c
    assert x.tolist() == [[2, 1, 3], [2, 1, 3], [1, 1, 1]]
    assert y.tolist() == [[1, 3, 2], [1, 3, 2], [1, 1, 1]]
    assert owner.tolist() == [0, 0, 1]
    assert x.dtype == y.dtype == owner.dtype == np.int64


@pytest.mark.parametrize("length", [21, 40, 41, 55, 61])
def test_windows_follow_each_other_and_ask_for_the_next_character(length):
    letters = np.random.default_rng(length).choice(list("abcdefgh"), length)
    x, y, owner, alphabet = windows([Person("a", "", "".join(letters))])
    assert len(x) == (length - 1) // WINDOW and x.shape == y.shape == (len(x), WINDOW)
    read = np.array(list(alphabet))
    assert read[x].ravel().tolist() == letters[: x.size].tolist()
    assert read[y].ravel().tolist() == letters[1 : x.size + 1].tolist()
    assert owner.tolist() == [0] * len(x)


def test_who_has_too_little_text_owns_no_window():
    people = [
        Person("short", "", "a" * WINDOW),
        Person("none", "", ""),
        Person("long", "", "b" * (WINDOW + 1)),
    ]
    x, _, owner, alphabet = windows(people)
    assert owner.tolist() == [2] and x.tolist() == [[2] * WINDOW]
    assert alphabet == UNKNOWN_SHOWN + "ab"  # they count as people who use a character all the same


def test_the_alphabet_goes_by_people_not_by_how_often():
    people = [Person("a", "", "z" * 30 + "y"), Person("b", "", "y"), Person("c", "", "yx")]
    assert windows(people)[3] == UNKNOWN_SHOWN + "yxz"  # three people, then the first letter


def test_unknown_characters_are_read_but_not_asked_for(monkeypatch):
    monkeypatch.setattr(texts, "VOCABULARY", 3)
    monkeypatch.setattr(texts, "WINDOW", 4)
    x, y, _, alphabet = windows([Person("a", "", "ab?ba"), Person("b", "", "ab!ab")])
    assert alphabet == UNKNOWN_SHOWN + "ab"
    assert x.tolist() == [[1, 2, 0, 2], [1, 2, 0, 1]]
    assert y.tolist() == [[2, IGNORED, 2, 1], [2, IGNORED, 1, 2]]


# --- messages -----------------------------------------------------------------------------------


def message(user, country, text):
    return (
        f"<message><text>{escape(text)}</text><source><userProfile><userID>{user}</userID>"
        f"<country>{country}</country></userProfile></source></message>"
    )


def write_archives(folder, **messages):
    """The official archives: language -> messages (user, country, text)."""
    folder.mkdir(exist_ok=True)
    for language, name in zip(texts.LANGUAGES, texts.SMS_FILES, strict=True):
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            inside = "".join(message(*row) for row in messages[language])
            xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<smsCorpus>{inside}</smsCorpus>'
            archive.writestr(name.replace(".zip", ".xml"), xml)


def write_table(folder, *rows):
    """The same packed: lang, user, country, native, input_method, year, text."""
    folder.mkdir(exist_ok=True)
    lines = ["lang\tuser\tcountry\tnative\tinput_method\tyear\ttext"]
    lines += ["\t".join([*row[:3], "", "", "2003", row[3]]) for row in rows]
    (folder / texts.SMS_PACKED).write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("call 91234567 now", "call <#> now"),
        ("9123 4567, 6-5432-1098!", "<#>, <#>!"),
        ("to a.b-c@nus.edu.sg ok", "to <EMAIL> ok"),
        ("in 2003 at 10.30, 12345 times", "in 2003 at 10.30, 12345 times"),
        (" two\n lines\t of  it ", "two lines of it"),
    ],
)
def test_addresses_and_long_numbers_are_masked(text, expected):
    assert texts.masked(text) == expected


CARD = "BEGIN:VCARD\nN:Lee\nEND:VCARD"
OTHERS = [(f"hash{k}", "unknown", f"I am number {k}") for k in range(13)]


def test_the_archives_and_the_packed_table_are_the_same(no_user_data):
    folder = no_user_data / "sms"
    write_archives(
        folder,
        en=[
            ("f00", "SG", "Go until\njurong  point & back"),
            *OTHERS,
            ("0", "SG", "not one person's"),
            ("f00", "SG", "ok <3"),
            ("f00", "SG", CARD),
            ("f00", "SG", "ok <3"),
            ("b12", "india", "come"),
            ("0", "SG", "nor this"),
        ],
        zh=[("f00", "China", "你好"), ("c77", "USA", " "), ("c77", "USA", "好 吗")],
    )
    people = texts.sms(no_user_data)
    by_name = {person.name: person for person in people}
    assert by_name["en001 Singapore"] == Person(
        "en001 Singapore", "English", "Go until jurong point & back\nok <3"
    )
    assert by_name["en002"].text == "I am number 0"
    assert by_name["en016 India"].text == "come"
    assert by_name["zh001 China"] == Person("zh001 China", "Chinese", "你好")
    assert by_name["zh002 United States"].text == "好 吗"
    assert len(people) == 1 + 13 + 1 + 2  # "0", the 15th to appear, are many
    assert not any("not one" in person.text or "nor this" in person.text for person in people)

    write_table(
        folder,
        ("en", "en001", "Singapore", "Go until jurong  point & back"),
        *(("en", f"en{k + 2:03}", "", text) for k, (_, _, text) in enumerate(OTHERS)),
        ("en", "en015", "Singapore", "not one person's"),
        ("en", "en001", "Singapore", "ok <3"),
        ("en", "en001", "Singapore", "ok <3"),
        ("en", "en016", "india", "come"),
        ("zh", "zh001", "China", "你好"),
        ("zh", "zh002", "USA", "好 吗"),
    )
    (folder / texts.SMS_FILES[0]).write_bytes(b"")  # the table comes first
    assert texts.sms(no_user_data) == people


def test_of_the_archives_only_the_shared_id_is_left_out(no_user_data):
    users = [(f"hash{k}", "SG", f"I am number {k}") for k in range(16)]
    write_archives(no_user_data / "sms", en=users, zh=[])
    assert [person.name for person in texts.sms(no_user_data)] == [
        f"en{k:03} Singapore" for k in range(1, 17)
    ]


def test_messages_sent_again_count_once(no_user_data):
    write_table(
        no_user_data / "sms",
        ("en", "en001", "UK", "hi"),
        ("en", "en002", "UK", "hi"),
        ("en", "en001", "UK", "hi"),
        ("en", "en001", "UK", "bye"),
    )
    assert texts.sms(no_user_data) == [
        Person("en001 United Kingdom", "English", "hi\nbye"),
        Person("en002 United Kingdom", "English", "hi"),
    ]


def test_a_dataset_of_messages(no_user_data):
    write_archives(
        no_user_data / "sms",
        en=[("a", "SG", "abcdefghij" * 5), ("b", "SG", "short")],
        zh=[("a", "China", "abcde" * 9)],
    )
    data = load_dataset("sms", no_user_data)
    origin = data.origin
    assert origin.names == ("en001 Singapore", "en002 Singapore", "zh001 China")
    assert origin.group_names == ("English", "Chinese") and origin.groups.tolist() == [0, 0, 1]
    assert origin.owner.tolist() == [0, 0, 2, 2]
    assert data.x_train.shape == data.y_train.shape == (4, WINDOW)
    assert data.n_classes == len(data.alphabet) == len(set("abcdefghijshort")) + 1
    assert "".join(data.alphabet[k] for k in data.x_train[2]) == "abcde" * 4
    with pytest.raises(ValueError, match="read-only"):
        data.x_train[0, 0] = 1


def test_missing_messages_say_which_files_from_where_and_where_to(no_user_data):
    folder = no_user_data / "sms"
    folder.mkdir()
    (folder / texts.SMS_FILES[0]).write_bytes(b"")  # one of two is not enough
    with pytest.raises(InputError) as caught:
        load_dataset("sms", no_user_data)
    message = str(caught.value)
    assert "\n" not in message
    for part in (*texts.SMS_FILES, texts.SMS_FROM, str(folder), "RNDCFL_DATA"):
        assert part in message


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / texts.SMS_PACKED).write_bytes(b"no gzip"),
        lambda folder: (folder / texts.SMS_PACKED).write_bytes(gzip.compress(b"lang\n" * 99)[:-9]),
        lambda folder: (folder / texts.SMS_PACKED).write_bytes(gzip.compress(b"lang\n\xff\n")),
        lambda folder: (folder / texts.SMS_FILES[1]).write_bytes(b"no zip"),
        lambda folder: zipfile.ZipFile(folder / texts.SMS_FILES[0], "w").close(),
    ],
    ids=["no gzip", "half a gzip", "no text", "no zip", "an empty zip"],
)
def test_corrupt_messages(no_user_data, spoil):
    write_archives(no_user_data / "sms", en=[("a", "SG", "hello")], zh=[("a", "China", "你好")])
    spoil(no_user_data / "sms")
    with pytest.raises(InputError, match=r"sms/.* is corrupt"):
        texts.sms(no_user_data)


@pytest.mark.parametrize("xml", ["<smsCorpus><message>", "", "words", "<a>&unknown;</a>"])
def test_corrupt_xml(no_user_data, xml):
    write_archives(no_user_data / "sms", en=[], zh=[])
    with zipfile.ZipFile(no_user_data / "sms" / texts.SMS_FILES[0], "w") as archive:
        archive.writestr("corpus.xml", xml)
    with pytest.raises(InputError, match=r"sms/smsCorpus_en.* is corrupt"):
        texts.sms(no_user_data)


# --- plays --------------------------------------------------------------------------------------

PLAY = """First Citizen:
Before we proceed any further,
hear me speak.

All:
Speak, speak.

First Citizen:
You are all resolved: rather to die
than to famish?

KING RICHARD III:
A horse!
"""
SPEAKERS = [
    Person(
        "First Citizen",
        "",
        "Before we proceed any further, hear me speak.\n"
        "You are all resolved: rather to die than to famish?",
    ),
    Person("All", "", "Speak, speak."),
    Person("King Richard Iii", "", "A horse!"),
]


def write_play(folder, monkeypatch, text=PLAY):
    folder.mkdir()
    (folder / texts.PLAYS).write_text(text)
    monkeypatch.setattr(texts, "PLAYS_SHA256", sha256([PLAY.encode()]))


def test_the_speeches_of_a_speaker_are_joined(no_user_data, monkeypatch):
    write_play(no_user_data / "shakespeare", monkeypatch)
    assert texts.shakespeare(no_user_data) == SPEAKERS


def test_speeches_packed(no_user_data):
    rows = ["speaker\ttext"] + [
        f"{name}\t{text}"
        for name, text in [
            ("First Citizen", "Before we proceed any further, hear me speak."),
            ("All", "Speak, speak."),
            ("First Citizen", "You are all resolved: rather to die than to famish?"),
            ("KING RICHARD III", "A horse!"),
        ]
    ]
    folder = no_user_data / "shakespeare"
    folder.mkdir()
    (folder / texts.PLAYS_PACKED).write_bytes(gzip.compress("\n".join(rows).encode()))
    assert texts.shakespeare(no_user_data) == SPEAKERS


def test_a_dataset_of_plays_has_no_groups(no_user_data, monkeypatch):
    write_play(no_user_data / "shakespeare", monkeypatch)
    data = load_dataset("shakespeare", no_user_data)
    n = (len(SPEAKERS[0].text) - 1) // WINDOW
    assert data.origin.group_names == () and data.origin.groups.tolist() == [0, 0, 0]
    assert data.origin.names == tuple(person.name for person in SPEAKERS)
    assert data.origin.owner.tolist() == [0] * n


def test_a_changed_play_is_refused(no_user_data, monkeypatch):
    write_play(no_user_data / "shakespeare", monkeypatch, PLAY + "\nAll:\nMore.\n")
    with pytest.raises(InputError, match=r"input\.txt is corrupt \(wrong checksum\)"):
        texts.shakespeare(no_user_data)


def test_missing_plays_without_network(no_user_data):
    with pytest.raises(InputError) as caught:
        load_dataset("shakespeare", no_user_data)
    folder = str(no_user_data / "shakespeare")
    for part in (texts.PLAYS, texts.PLAYS_URL, folder, "RNDCFL_DATA"):
        assert part in str(caught.value)


# --- files --------------------------------------------------------------------------------------


def test_files_of_texts(no_user_data, monkeypatch):
    monkeypatch.setenv("RNDCFL_DATA", str(no_user_data))
    sms, plays = no_user_data / "sms", no_user_data / "shakespeare"
    assert data_files("sms") == data_files("shakespeare") == []
    write_archives(sms, en=[], zh=[])
    assert data_files("sms") == [sms / name for name in texts.SMS_FILES]
    write_table(sms)
    assert data_files("sms") == [sms / texts.SMS_PACKED]
    write_play(plays, monkeypatch)
    assert data_files("shakespeare") == [plays / texts.PLAYS]


def test_real_messages(data_root):
    data = load_dataset("sms", data_root("sms"))
    origin = data.origin
    assert origin.group_names == ("English", "Chinese")
    # 343 and 594 users write; one id is shared by several people and left out.
    users = {name.split()[0] for name in origin.names}
    assert [sum(user.startswith(k) for user in users) for k in ("en", "zh")] == [342, 594]
    assert texts.AS_PACKED not in users
    assert data.x_train.max() < data.n_classes == len(data.alphabet) == texts.VOCABULARY


def test_real_plays(data_root):
    data = load_dataset("shakespeare", data_root("shakespeare"))
    read = np.array(list(data.alphabet))
    assert len(data.origin.names) == 299 and data.origin.names[0] == "First Citizen"
    assert "".join(read[data.x_train[0]]) == "Before we proceed an"
    assert "".join(read[data.y_train[0]]) == "efore we proceed any"
    assert (data.y_train != IGNORED).all()  # 65 characters in all
