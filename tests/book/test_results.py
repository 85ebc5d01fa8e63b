import json
import os
import subprocess
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from rndcfl.book import paths
from rndcfl.book.provenance import results
from rndcfl.book.provenance.fingerprint import source_hash, versions
from rndcfl.book.provenance.results import Results


def no_constant(text):
    raise AssertionError(f"{text} is not JSON")


# --- tables -------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Results go here, as under the runner."""
    monkeypatch.setenv(paths.OUTPUT_VARIABLE, str(tmp_path))
    monkeypatch.setenv(paths.PROFILE_VARIABLE, "smoke")
    return tmp_path


class Counted:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return pd.DataFrame({"call": [self.calls], "x": [0.1]})


def test_under_the_runner_a_table_is_computed_once(folder):
    compute = Counted()
    first = Results("00_tiny").table("sums", compute)
    second = Results("00_tiny").table("sums", compute)
    assert compute.calls == 1
    pd.testing.assert_frame_equal(first, second)
    assert (folder / "sums.csv").read_bytes() == b"call,x\n1,0.1\n"


def test_opened_by_hand_a_table_is_always_computed_again(tmp_path, monkeypatch):
    monkeypatch.delenv(paths.OUTPUT_VARIABLE, raising=False)
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    compute = Counted()
    for call in (1, 2):
        assert Results("00_tiny").table("sums", compute)["call"].tolist() == [call]
    assert (tmp_path / "papermill_runs" / "interactive" / "00_tiny" / "sums.csv").exists()


def test_a_table_reads_back_as_it_was(folder):
    table = pd.DataFrame(
        {"name": ["a", "b"], "n": [1, 2], "x": [1 / 3, np.nan], "ok": [True, False]}, index=[7, 3]
    )
    back = Results("00_tiny").table("mixed", table)
    pd.testing.assert_frame_equal(back, table.reset_index(drop=True), check_exact=True)


def test_a_table_that_fails_leaves_no_file(folder):
    with pytest.raises(ZeroDivisionError):
        Results("00_tiny").table("sums", lambda: 1 / 0)
    assert list(folder.iterdir()) == []


def test_numbers_of_every_kind_are_written(folder):
    values = {"a": 1, "b": np.float64(0.5), "c": np.float32(0.25), "d": np.int64(3)}
    Results("00_tiny").numbers("few", values)
    assert json.loads((folder / "few.json").read_text()) == {"a": 1, "b": 0.5, "c": 0.25, "d": 3}


# --- figures ------------------------------------------------------------------------------------

PARAMETERS = {"dataset": "fashion-mnist-mini", "n_clients": 4, "seeds": [0, 1]}
DATA = pd.DataFrame({"x": [1.0, 2.0], "y": np.array([3, 4])})


def save(title="a title, $s_{ij}$"):
    figure = Figure(figsize=(3.25, 2))
    ax = figure.subplots()
    ax.plot(DATA["x"], DATA["y"], "o-", label="line")
    ax.set_title(title)
    ax.legend()
    Results("00_tiny", PARAMETERS).figure("fig_a", figure, DATA, "What it shows.", "A line.")


def test_a_figure_is_four_files(folder):
    save()
    assert sorted(p.name for p in folder.iterdir()) == [
        f"fig_a.{suffix}" for suffix in ("csv", "json", "pdf", "png")
    ]
    pd.testing.assert_frame_equal(pd.read_csv(folder / "fig_a.csv"), DATA)
    assert (folder / "fig_a.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_embeds_true_type_fonts(folder):
    save()
    pdf = (folder / "fig_a.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


SAVE_AGAIN = """
import matplotlib as mpl
settings = lambda: {k: v for k, v in mpl.rcParams.items() if not k.startswith("backend")}
before = settings()
from test_results import save
import rndcfl.book.figures
assert settings() == before, "importing the package changed matplotlib's settings"
save()
"""


def test_same_inputs_give_the_same_bytes_in_another_process(folder, monkeypatch):
    save()
    again = folder / "again"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), str(paths.root())]),
        "PYTHONHASHSEED": "1",
        paths.OUTPUT_VARIABLE: str(again),
    }
    subprocess.run([sys.executable, "-c", SAVE_AGAIN], env=environment, check=True, timeout=120)
    for suffix in ("pdf", "png", "csv"):
        name = f"fig_a.{suffix}"
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_the_sidecar_says_where_a_figure_comes_from(folder):
    save()
    about = json.loads((folder / "fig_a.json").read_text(), parse_constant=no_constant)
    assert about["id"] == "fig_a"
    assert about["caption"] == "What it shows."
    assert about["alt"] == "A line."
    assert about["notebook"] == "00_tiny"
    assert about["parameters"] == PARAMETERS
    assert about["seeds"] == [0, 1]
    assert about["profile"] == "smoke"
    assert about["source_hash"] == source_hash()
    assert about["versions"] == versions()
    assert about["device"]
    assert date.fromisoformat(about["date"]) <= date.today()
    assert about["dataset"]["name"] == "fashion-mnist-mini"
    assert about["dataset"]["licence"] == "MIT"
    assert len(about["dataset"]["sha256"]) == 64


def test_the_sidecar_leaves_out_what_there_is_not(folder):
    assert "dataset" not in Results("00_tiny", {"n": np.int64(3)}).provenance()


def test_a_figure_that_cannot_be_drawn_leaves_nothing(folder):
    with pytest.raises(ValueError):
        save(title=r"$\frac{$")
    assert list(folder.iterdir()) == []


def test_a_published_table_is_three_files(folder):
    table = pd.DataFrame({"method": ["rnd_x", "100 %"], "accuracy": [0.91234, 0.5]})
    Results("00_tiny", PARAMETERS).publish_table("tab_a", table, "What it says.")
    assert sorted(p.name for p in folder.iterdir()) == ["tab_a.csv", "tab_a.json", "tab_a.tex"]
    pd.testing.assert_frame_equal(pd.read_csv(folder / "tab_a.csv"), table)
    tex = (folder / "tab_a.tex").read_text()
    for part in (r"rnd\_x & 0.912 \\", r"100 \% & 0.5 \\", "What it says.", r"\label{tab_a}"):
        assert part in tex
    about = json.loads((folder / "tab_a.json").read_text())
    assert (about["id"], about["caption"]) == ("tab_a", "What it says.")
    assert "alt" not in about


def test_device_is_named():
    assert results._device() in Results("00_tiny").provenance().values()
