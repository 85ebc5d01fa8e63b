import nbformat
import pytest

from rndcfl.book import paths
from rndcfl.book.run import parameters
from rndcfl.common.errors import InputError

CELL = """\
rounds = 3  # type: int  rounds of training
lr = 0.5  # type: float  learning rate
name = "a b"  # type: str  a name
flag = True  # type: bool  a switch
seeds = [0, 1]  # type: list  seeds"""

METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}

PROFILES = """\
00_tiny:
  minutes: {smoke: 0.5, paper: 3}
  smoke: {rounds: 1}
  paper: {lr: 1, seeds: [0, 1, 2]}
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "profiles.yaml").write_text(PROFILES)
    cells = [
        nbformat.v4.new_markdown_cell("# 00 Tiny"),
        nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("hidden = 1"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    for name in ("00_tiny", "01_other"):
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    return tmp_path


def values(profile="demo", **changes):
    return parameters.parameters_for("00_tiny", profile, changes)


def test_declared_reads_the_tagged_cell(checkout):
    found = parameters.declared(paths.notebooks()["00_tiny"])
    assert {p.name: (p.kind, p.default) for p in found.values()} == {
        "rounds": ("int", 3),
        "lr": ("float", 0.5),
        "name": ("str", "a b"),
        "flag": ("bool", True),
        "seeds": ("list", [0, 1]),
    }
    assert found["rounds"].help == "rounds of training"


def test_demo_is_what_the_notebook_says(checkout):
    assert values() == dict(rounds=3, lr=0.5, name="a b", flag=True, seeds=[0, 1])


def test_a_profile_changes_only_what_it_names(checkout):
    assert values("smoke") == {**values(), "rounds": 1}
    assert values("paper") == {**values(), "lr": 1.0, "seeds": [0, 1, 2]}


def test_changes_win_over_the_profile(checkout):
    assert values("smoke", rounds=9, name="c") == {**values(), "rounds": 9, "name": "c"}


def test_a_whole_number_will_do_for_a_float(checkout):
    assert type(values(lr=2)["lr"]) is float
    shares = parameters.Parameter("shares", "list", [0.1, 0.5], "")
    checked = shares.check([0, 0.25, 1], "00_tiny")
    assert checked == [0.0, 0.25, 1.0] and {type(entry) for entry in checked} == {float}
    for given in ([True], ["1"], [None], [10**400]):
        with pytest.raises(InputError, match=r"00_tiny\.shares must be a list of float, got \["):
            shares.check(given, "00_tiny")
    with pytest.raises(InputError, match=r"00_tiny\.lr must be of type float"):
        values(lr=10**400)


@pytest.mark.parametrize(
    "change",
    [
        {"rounds": "5"},
        {"rounds": 2.0},
        {"rounds": True},
        {"rounds": None},
        {"lr": "0.1"},
        {"lr": True},
        {"name": 5},
        {"flag": 1},
        {"flag": "true"},
        {"seeds": 3},
        {"seeds": "[0]"},
    ],
    ids=str,
)
def test_a_value_of_another_type_is_an_error(checkout, change):
    (name,) = change
    with pytest.raises(InputError, match=rf"00_tiny\.{name} must be of type .*, got"):
        values(**change)


def test_list_entries_are_of_the_type_of_the_default_ones(checkout):
    with pytest.raises(InputError, match=r"00_tiny\.seeds"):
        values(seeds=["zero"])


@pytest.mark.parametrize(
    "given, message",
    [
        ("round", r"unknown parameter of notebook 00_tiny 'round'; did you mean 'rounds'\?"),
        ("hidden", "unknown parameter of notebook 00_tiny 'hidden'"),
    ],
)
def test_an_unknown_parameter_is_an_error(checkout, given, message):
    with pytest.raises(InputError, match=message):
        values(**{given: 1})


@pytest.mark.parametrize("entry", ["{round: 1}", "{rounds: many}"])
def test_mistakes_in_profiles_are_errors(checkout, entry):
    (checkout / "notebooks" / "profiles.yaml").write_text(f"00_tiny:\n  smoke: {entry}\n")
    with pytest.raises(InputError, match="00_tiny"):
        values("smoke")
    assert values("demo")["rounds"] == 3


def test_expected_minutes(checkout):
    assert parameters.expected_minutes("00_tiny", "smoke") == 0.5
    assert parameters.expected_minutes("00_tiny", "paper") == 3
    assert parameters.expected_minutes("01_other", "smoke") == 0


@pytest.mark.parametrize(
    "text, value",
    [
        ("rounds=5", 5),
        ("lr=0.25", 0.25),
        ("lr=1.5e-3", 0.0015),
        ("lr=1e-3", 0.001),  # YAML 1.1 would read a string
        ("name=some words", "some words"),
        ("name=a=b", "a=b"),
        ("name='5'", "5"),
        ("flag=false", False),
        ("seeds=[0, 1, 2]", [0, 1, 2]),
    ],
)
def test_changes_have_the_type_that_they_look_like(checkout, text, value):
    changes = parameters.parse_changes([f"00.{text}"])["00_tiny"]
    (key,) = changes
    checked = values(**changes)[key]
    assert (checked, type(checked)) == (value, type(value))


def test_changes_of_several_notebooks_are_sorted_out(checkout):
    given = ["0.rounds=5", "01_other.rounds=6", "00.name=x"]
    assert parameters.parse_changes(given) == {
        "00_tiny": {"rounds": 5, "name": "x"},
        "01_other": {"rounds": 6},
    }
    assert parameters.parse_changes([]) == {}


@pytest.mark.parametrize(
    "text, message",
    [
        ("rounds=5", r"NOTEBOOK\.PARAMETER=VALUE.*got 'rounds=5'"),
        ("00.rounds", r"NOTEBOOK\.PARAMETER=VALUE.*got '00.rounds'"),
        ("", "got ''"),
        ("00.seeds=[1", "cannot be read as YAML"),
        ("7.rounds=5", "unknown notebook '7'"),
        ("00_tinny.rounds=5", "did you mean '00_tiny'"),
    ],
)
def test_changes_that_cannot_be_read(checkout, text, message):
    with pytest.raises(InputError, match=message) as caught:
        parameters.parse_changes([text])
    assert len(str(caught.value).splitlines()) == 1
