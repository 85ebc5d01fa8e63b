"""The notebooks as sources, and one run of them all in the smoke profile."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pandas as pd
import papermill
import pytest
import yaml

from rndcfl.book import paths
from rndcfl.book.run import parameters
from rndcfl.book.run.parameters import PROFILES, TYPES

NOTEBOOKS = paths.notebooks()
COLUMNS = {  # that others read
    "fig_novelty_matrix": "i j group_i group_j novelty excess",
    "fig_novelty_levels": "seed level novelty",
    "fig_discovery_cost": "method model schedule round seconds_cumulative bytes_cumulative "
    "measured",
    "fig_tolerance": "dataset setting criterion tolerance exact ari",
    "tab_recovery": "dataset setting criterion seeds exact exact_low exact_high ari_mean "
    "federations_mean",
    "tab_methods": "dataset setting method seeds accuracy_mean accuracy_ci95 worst_client_mean "
    "ari_mean mb_per_client seconds_mean",
    "fig_drift": "schedule seed round ari accuracy bytes_cumulative",
    "tab_real_clients": "dataset method seeds clients metric score_mean score_ci95 ari_mean "
    "federations_mean",
    "fig_scaling": "clients peers_scored seconds peak_mb bytes_per_client ari",
    "tab_hostile": "attack share defence seeds honest_exact honest_accuracy",
}
PROVENANCE = {
    "id",
    "caption",
    "notebook",
    "profile",
    "parameters",
    "seeds",
    "dataset",
    "source_hash",
    "versions",
    "device",
    "date",
}


def tags(cell):
    return cell.metadata.get("tags", [])


def code(notebook):
    """All code cells but the parameters."""
    return [c for c in notebook.cells if c.cell_type == "code" and "parameters" not in tags(c)]


def parameters_cell(notebook):
    (cell,) = [cell for cell in notebook.cells if "parameters" in tags(cell)]
    return cell


def calls(notebook, attribute):
    """The calls of ``something.attribute(...)`` or ``attribute(...)`` in a notebook."""
    for cell in code(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
                if attribute in (called, getattr(called, "id", None)):
                    yield node


# --- parameters ---------------------------------------------------------------------------------


def test_one_parameters_cell_directly_after_the_introduction(notebook):
    position = notebook.cells.index(parameters_cell(notebook))
    assert position > 0
    assert {cell.cell_type for cell in notebook.cells[:position]} == {"markdown"}


def test_parameters_are_typed_constants(notebook):
    source = parameters_cell(notebook).source
    for statement, line in zip(ast.parse(source).body, source.splitlines(), strict=True):
        assert isinstance(statement, ast.Assign)
        assert [type(target) for target in statement.targets] == [ast.Name]
        ast.literal_eval(statement.value)
        assert re.fullmatch(r"\w+ = [^=]+  # type: (int|float|str|bool|list)  [^=]+", line)


def test_papermill_reads_the_parameters_as_we_do(name, notebook):
    seen = papermill.inspect_notebook(str(NOTEBOOKS[name]))
    ours = parameters.declared(NOTEBOOKS[name])
    written = {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(parameters_cell(notebook).source).body
    }
    assert list(seen) == list(ours) == list(written)
    for key, p in ours.items():
        assert p.kind == seen[key]["inferred_type_name"]
        assert p.default == written[key]
        assert type(p.default) is TYPES[p.kind]
        assert p.help


def test_every_parameter_is_read_in_a_later_cell(name, notebook):
    read = set()
    for cell in code(notebook):
        tree = ast.parse(cell.source)
        passed_on = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Results"
            for inner in ast.walk(node)  # for the record only: that is no use of a parameter
        }
        read |= {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and node not in passed_on
        }
    assert set(parameters.declared(NOTEBOOKS[name])) <= read


def test_the_record_of_results_names_notebook_and_all_parameters(name, notebook):
    (call,) = calls(notebook, "Results")
    title, given = call.args
    assert ast.literal_eval(title) == name
    assert isinstance(given, ast.Call) and given.func.id == "dict"
    assert {(word.arg, ast.unparse(word.value)) for word in given.keywords} == {
        (key, key) for key in parameters.declared(NOTEBOOKS[name])
    }


# --- sources ------------------------------------------------------------------------------------


def test_sources_hold_no_outputs_and_no_trace_of_a_run(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        assert not set(cell.metadata) & {"papermill", "execution", "collapsed", "scrolled"}
        assert "raises-exception" not in tags(cell)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


def test_cell_ids_are_stable(name, notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(cell_id.startswith(name[:2] + "-") for cell_id in ids)


def test_every_code_cell_is_plain_python_that_knows_no_paths(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)  # no magics either
            assert "cwd()" not in cell.source
            assert not re.search(r"/(home|Users|root|tmp)\b", cell.source)


def test_a_notebook_opens_with_its_question_and_ends_with_limits_and_exercises(name, notebook):
    first = notebook.cells[0].source
    assert first.startswith(f"# {name[:2]} ")
    assert "\n**Question.** " in first
    headings = [c.source for c in notebook.cells if c.source.startswith("## ")]
    assert headings[-1].startswith("## Exercises\n")
    assert any("limits" in cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_a_number_names_one_notebook():
    assert len({name[:2] for name in NOTEBOOKS}) == len(NOTEBOOKS)


def test_published_ids_are_unique_and_known():
    ids = []
    for path in NOTEBOOKS.values():
        notebook = nbformat.read(path, as_version=4)
        for kind, prefix in (("figure", "fig_"), ("publish_table", "tab_")):
            found = [ast.literal_eval(call.args[0]) for call in calls(notebook, kind)]
            assert all(given.startswith(prefix) for given in found)
            ids += found
    assert {"fig_novelty_matrix", "fig_novelty_levels"} <= set(ids)
    assert [given for given, count in Counter(ids).items() if count > 1] == []


# --- profiles -----------------------------------------------------------------------------------


def test_profiles_name_every_notebook_and_nothing_else():
    assert list(parameters.profiles()) == list(NOTEBOOKS)
    for entry in parameters.profiles().values():
        assert {"minutes", "smoke", "paper"} <= set(entry) <= {"minutes", *PROFILES}


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_change_known_parameters_to_values_of_their_type(name, profile):
    values = parameters.parameters_for(name, profile, {})
    for key, p in parameters.declared(NOTEBOOKS[name]).items():
        assert type(values[key]) is TYPES[p.kind]
        if p.kind == "list" and p.default:
            assert {type(v) for v in values[key]} <= {type(v) for v in p.default}


@pytest.mark.parametrize(
    "profile, each, together, at_a_time",
    [("smoke", 5, 5, 2), ("demo", 10, 10, 2), ("paper", 60, 165, 1)],
)
def test_expected_minutes_keep_within_the_limits(profile, each, together, at_a_time):
    minutes = [parameters.profiles()[name]["minutes"][profile] for name in NOTEBOOKS]
    assert all(0 < m <= each for m in minutes)
    assert sum(minutes) / at_a_time <= together


# --- a run of all notebooks, as a user types it -------------------------------------------------


def without_pictures(path):
    """Text of an executed notebook, bitmaps left out."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("image/png", None)
    return nbformat.writes(notebook)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_all_notebooks_run_in_the_smoke_profile(tmp_path):
    copy = tmp_path / "copy"
    for part in ("flower-app", "notebooks", "rndcfl"):
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(paths.root() / part, copy / part, ignore=ignored)
    sources = contents(copy / "notebooks")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RNDCFL_")}

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=copy,
            capture_output=True,
            text=True,
            timeout=900,
            env={**clean, "PYTHONPATH": str(copy)},
        )

    root = python("-c", "from rndcfl.book import paths; print(paths.root())").stdout.strip()
    assert Path(root) == copy.resolve()

    command = "-m rndcfl reproduce --profile smoke --jobs 2".split()
    first = python(*command)
    assert first.returncode == 0, first.stdout + first.stderr
    assert not re.search("Traceback|leaked", first.stderr), first.stderr
    assert len(re.findall(r"done in \d+ s$", first.stdout, re.MULTILINE)) == len(NOTEBOOKS)
    assert contents(copy / "notebooks") == sources
    assert not (copy / "figures").exists()

    runs = copy / "papermill_runs" / "smoke"
    manifest = json.loads((runs / "manifest.json").read_text())
    assert sorted(p.name for p in runs.iterdir()) == [*NOTEBOOKS, "manifest.json"]
    assert list(manifest) == list(NOTEBOOKS)
    for name in NOTEBOOKS:
        record = json.loads((runs / name / "run.json").read_text())
        assert manifest[name] == {k: v for k, v in record.items() if k != "definitions"}
        assert (record["status"], record["error"], record["profile"]) == ("ok", None, "smoke")
        assert record["parameters"] == parameters.parameters_for(name, "smoke", {})
        written = yaml.safe_load((runs / name / "params.yaml").read_text())
        assert written == record["parameters"]
        check_executed(runs / name / "notebook.ipynb", tmp_path)

    saved = {path.stem for path in runs.glob("*/[ft][ia][gb]_*.json")}
    assert {"fig_novelty_levels", "fig_novelty_matrix"} <= saved
    for given in saved:
        check_saved(runs, given, first.stdout)

    before = contents(copy)
    second = python(*command)
    assert second.returncode == 0, second.stderr
    assert len(re.findall(r"up to date$", second.stdout, re.MULTILINE)) == len(NOTEBOOKS)
    assert contents(copy) == before


def check_executed(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip():
            assert cell.execution_count
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
        if "check" in tags(cell):  # the solution passes
            assert re.search(r"^Exercise \d: right", cell.outputs[-1].text, re.MULTILINE)
    text = without_pictures(path)
    assert str(tmp_path) not in text
    assert str(Path.home()) + os.sep not in text


def check_saved(runs, given, said):
    (sidecar,) = runs.glob(f"*/{given}.json")
    about = json.loads(sidecar.read_text())
    assert PROVENANCE <= set(about)
    assert about["id"] == given
    assert about["notebook"] == sidecar.parent.name
    assert about["profile"] == "smoke"
    assert about["parameters"] == parameters.parameters_for(about["notebook"], "smoke", {})
    assert about["caption"] and about["dataset"]["sha256"]
    table = pd.read_csv(sidecar.with_suffix(".csv"))
    assert len(table)
    assert set(COLUMNS.get(given, "").split()) <= set(table.columns)
    if given.startswith("tab_"):
        assert sidecar.with_suffix(".tex").stat().st_size
        return
    assert about["alt"]
    assert sidecar.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert sidecar.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert f"figure  {sidecar.with_suffix('.png').relative_to(runs.parent.parent)}" in said
