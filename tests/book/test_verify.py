import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from rndcfl.book import paths
from rndcfl.book.cli import main
from rndcfl.book.provenance import verify
from rndcfl.book.provenance.verify import Sample, compare, passed
from rndcfl.book.run import parameters, runner
from rndcfl.common.errors import InputError

PUBLISHED = pd.DataFrame(
    {
        "method": ["rnd", "rnd", "ifca", "ifca"],
        "tolerance": [np.nan, 0.5, np.nan, np.nan],
        "ari": [1.0, 0.5, 1.0, np.nan],
        "novelty": [10.0, 0.1, 2.0, 3.0],
        "seconds": [1.0, 2.0, 3.0, 4.0],
    }
)
SAMPLE = Sample("02_discovery", {}, {"table": {"ari": 0, "novelty": 0.01}})


@pytest.fixture
def compared(tmp_path):
    """Compare what `change` makes of the published table with it."""

    def run(change, sample=SAMPLE):
        for folder, table in (("before", PUBLISHED), ("now", change(PUBLISHED.copy()))):
            (tmp_path / folder).mkdir()
            table.to_csv(tmp_path / folder / "table.csv", index=False)
        return compare(sample, tmp_path / "before", tmp_path / "now").set_index("column")

    return run


def test_a_sample_is_compared_row_by_row_whatever_its_order(compared):
    found = compared(lambda table: table.iloc[[2, 0]].assign(seconds=9.0))
    assert found["numbers"].tolist() == found["identical"].tolist() == [2, 2]
    assert found["largest"].tolist() == [0, 0]
    assert passed(found, exactly=True).all()


def test_rows_of_one_name_are_compared_in_turn_and_nothing_equals_nothing(compared):
    found = compared(lambda table: table.iloc[2:])
    assert found["identical"].tolist() == [2, 2]


def test_differences_are_relative_above_one_and_held_to_their_bound(compared):
    def change(table):
        table["novelty"] += [0.2, 0.002, 0, 0]
        return table

    found = compared(change)
    assert found["largest"].tolist() == [0, pytest.approx(0.02)]
    assert found["identical"].tolist() == [4, 2]
    assert passed(found, exactly=False).tolist() == [True, False]


def test_within_bounds_is_enough_for_another_machine_only(compared):
    found = compared(lambda table: table.assign(novelty=table["novelty"] * 1.001))
    assert passed(found, exactly=False).all()
    assert passed(found, exactly=True).tolist() == [True, False]


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.replace({"method": {"ifca": "cfl"}}),
        lambda table: table.assign(ari=np.nan),
        lambda table: table.fillna({"ari": 1.0}),
        lambda table: table.head(0),
    ],
)
def test_rows_and_numbers_that_are_not_there_do_not_pass(compared, change):
    found = compared(change)
    assert not passed(found, exactly=False)["ari"]
    assert not passed(found, exactly=True)["ari"]


def test_rows_can_be_picked(compared):
    picked = Sample("02_discovery", {}, SAMPLE.tables, {"table": "method == 'rnd'"})
    found = compared(lambda table: table.replace({"method": {"ifca": "cfl"}}), picked)
    assert found["identical"].tolist() == [2, 2]


@pytest.mark.parametrize("name", verify.samples())
def test_a_sample_is_part_of_what_was_published(name):
    sample = verify.samples()[name]
    whole = parameters.parameters_for(name, "paper", {})
    small = parameters.parameters_for(name, "paper", sample.parameters)
    for key in sample.parameters:
        if isinstance(small[key], list):
            assert set(small[key]) <= set(whole[key]), key
    for table, bounds in sample.tables.items():
        published = pd.read_csv(paths.runs("paper") / name / f"{table}.csv")
        assert set(bounds) < set(published.columns)
        if table in sample.rows:
            assert len(published.query(sample.rows[table]))


def test_figures_say_whether_they_are_those_of_the_run(tmp_path, monkeypatch):
    run, published = tmp_path / "run", tmp_path / "figures"
    monkeypatch.setattr(paths, "figures", lambda: published)
    for folder in (run, published):
        folder.mkdir()
        for name in ("fig_a.json", "fig_a.csv", "fig_ab.json", "tab_b.json", "tab_b.csv"):
            (folder / name).write_text(name)
    (run / "suite.json").touch()
    (published / "fig_a.csv").write_text("other")
    (published / "tab_b.csv").unlink()
    assert verify.figures(run) == {
        "fig_a": "not as in the run: fig_a.csv",
        "fig_ab": "as in the run",
        "tab_b": "missing: tab_b.csv",
    }


def test_only_what_is_published_and_has_a_sample_can_be_verified(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="unknown notebook with a sample '03'"):
        verify.planned(["03"])
    monkeypatch.setattr(paths, "runs", lambda profile: tmp_path)
    with pytest.raises(InputError, match="notebook 03_federated_training has no published run in"):
        verify.planned(["03_federated_training"])


# --- the command, with copies of the published run for what it computes -------------------------


@pytest.fixture
def verified(tmp_path, monkeypatch):
    """``rndcfl verify --only 03`` when running it again gives the published run, changed."""

    def typed(change=lambda folder: None):
        def reproduce(jobs, workers, force):
            for job in jobs:
                shutil.copytree(paths.runs("paper") / job.name, job.folder)
                yield job, change(job.folder) or {"status": "ok", "seconds": 1.0}

        monkeypatch.setattr(verify, "apart", lambda job, _: replace(job, folder=tmp_path / "again"))
        monkeypatch.setattr(runner, "reproduce", reproduce)
        return CliRunner().invoke(main, ["verify", "--only", "03"], prog_name="rndcfl")

    return typed


def test_the_published_run_is_as_published(verified):
    result = verified()
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("\nverified\n")
    ((numbers, identical),) = re.findall(r"(\d+) numbers of 1 .*, (\d+) identical", result.stdout)
    assert 0 < int(numbers) == int(identical)


def test_one_other_number_is_not_as_published(verified):
    table, bounds = next(iter(verify.samples()["03_federated_training"].tables.items()))

    def change(folder):
        found = pd.read_csv(folder / f"{table}.csv")
        found.loc[0, next(iter(bounds))] += 1
        found.to_csv(folder / f"{table}.csv", index=False)

    result = verified(change)
    assert result.exit_code == 1
    assert result.stdout.endswith("\nNOT as published\n")
    ((numbers, identical),) = re.findall(r"(\d+) numbers of 1 .*, (\d+) identical", result.stdout)
    assert int(identical) == int(numbers) - 1


def test_a_sample_that_does_not_run_is_reported_in_a_line(verified):
    result = verified(lambda folder: {"status": "failed", "error": "ZeroDivisionError"})
    assert result.exit_code == 1
    assert result.stdout.endswith("FAILED: ZeroDivisionError\nNOT as published\n")
    (line,) = result.stderr.splitlines()
    assert line.startswith("03_federated_training failed; look at ")
