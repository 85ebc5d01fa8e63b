import pytest

from rndcfl.book import paths
from rndcfl.common.errors import InputError

NAMES = ["00_first", "01_second", "03_third_thing"]


def make_checkout(folder):
    (folder / "notebooks").mkdir(parents=True)
    for name in [*NAMES, "scratch"]:
        (folder / "notebooks" / f"{name}.ipynb").touch()
    (folder / "notebooks" / "profiles.yaml").touch()
    return folder


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.delenv(paths.OUTPUT_VARIABLE, raising=False)
    monkeypatch.delenv(paths.PROFILE_VARIABLE, raising=False)
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    return make_checkout(tmp_path)


def test_root_is_the_folder_of_the_notebooks():
    assert (paths.root() / "notebooks" / "profiles.yaml").is_file()


def test_root_is_the_current_folder_where_the_package_lies_in_no_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages/rndcfl/book/paths.py"))
    monkeypatch.chdir(make_checkout(tmp_path / "checkout"))
    assert paths.root() == tmp_path / "checkout"


def test_an_installed_package_brings_its_notebooks_and_works_in_the_current_folder(
    tmp_path, monkeypatch
):
    installed = tmp_path / "site-packages" / "rndcfl" / "book"
    monkeypatch.setattr(paths, "__file__", str(installed / "paths.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no notebooks/ found"):
        paths.notebooks()
    make_checkout(installed)
    assert list(paths.notebooks()) == NAMES
    assert paths.sources() == installed / "notebooks"
    assert paths.root() == tmp_path
    assert paths.runs("demo") == tmp_path / "papermill_runs" / "demo"


def test_notebooks_are_the_numbered_ones_in_order(checkout):
    assert list(paths.notebooks()) == NAMES
    assert all(path.stem == name for name, path in paths.notebooks().items())


@pytest.mark.parametrize("given", ["03", "3", "03_third_thing", "03_third_thing.ipynb"])
def test_notebook_by_number_or_name(checkout, given):
    assert paths.notebook_name(given) == "03_third_thing"


@pytest.mark.parametrize(
    "given, message",
    [
        ("03_third_think", r"unknown notebook '03_third_think'; did you mean '03_third_thing'\?"),
        ("2", r"unknown notebook '2' .*00_first, 01_second, 03_third_thing"),
        ("103", "unknown notebook '103'"),
        ("scratch", "unknown notebook 'scratch'"),
        ("", "unknown notebook ''"),
    ],
)
def test_unknown_notebook_is_an_error_that_names_the_valid_ones(checkout, given, message):
    with pytest.raises(InputError, match=message):
        paths.notebook_name(given)


def test_runs_and_figures_lie_in_the_checkout(checkout):
    assert paths.runs("demo") == checkout / "papermill_runs" / "demo"
    assert paths.figures() == checkout / "figures"


def test_output_of_a_notebook_opened_by_hand(checkout):
    assert paths.output("00_first") == checkout / "papermill_runs" / "interactive" / "00_first"
    assert paths.output("00_first").is_dir()
    assert paths.profile() == "interactive"
    assert not paths.under_runner()


def test_output_under_the_runner_is_the_folder_it_names(checkout, monkeypatch):
    monkeypatch.setenv(paths.OUTPUT_VARIABLE, str(checkout / "given" / "folder"))
    monkeypatch.setenv(paths.PROFILE_VARIABLE, "smoke")
    assert paths.output("00_first") == checkout / "given" / "folder"
    assert paths.output("00_first").is_dir()
    assert paths.profile() == "smoke"
    assert paths.under_runner()


def test_an_empty_variable_names_no_folder(checkout, monkeypatch):
    monkeypatch.setenv(paths.OUTPUT_VARIABLE, "")
    assert paths.output("00_first") == checkout / "papermill_runs" / "interactive" / "00_first"
    assert not paths.under_runner()


def test_results_go_to_the_current_folder_where_there_is_no_checkout(tmp_path, monkeypatch):
    monkeypatch.delenv(paths.OUTPUT_VARIABLE, raising=False)
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages/rndcfl/book/paths.py"))
    monkeypatch.chdir(tmp_path)
    assert paths.output("00_x") == tmp_path / "papermill_runs" / "interactive" / "00_x"
    assert paths.output("00_x").is_dir()
