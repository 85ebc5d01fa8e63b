"""The runner on a checkout of its own with one tiny notebook.

A kernel takes seconds to start: only tests of how one ends have one (see `without_kernel`).
"""

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

from rndcfl.book import paths
from rndcfl.book.provenance import definitions, fingerprint, reached
from rndcfl.book.run import executed, planning, runner
from rndcfl.book.run.runner import lock
from rndcfl.common.errors import InputError
from rndcfl.common.files import WriteError

METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}
WRITE = """\
import os
from pathlib import Path
out = Path(os.environ["RNDCFL_OUTPUT"])
(out / "sum.csv").write_text(f"n\\n{n + 1}\\n")"""


def write_notebook(checkout, *cells):
    path = checkout / "notebooks" / "00_tiny.ipynb"
    cells = [
        nbformat.v4.new_markdown_cell("# 00 Tiny", id="title"),
        nbformat.v4.new_code_cell(
            "n = 1  # type: int  a number", id="parameters", metadata={"tags": ["parameters"]}
        ),
        *(nbformat.v4.new_code_cell(cell, id=f"c{k}") for k, cell in enumerate(cells)),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=METADATA), path)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    folder = tmp_path / "checkout"
    (folder / "notebooks").mkdir(parents=True)
    (folder / "notebooks" / "profiles.yaml").write_text("00_tiny:\n  smoke: {n: 2}\n")
    write_notebook(folder, WRITE)
    monkeypatch.setattr(paths, "root", lambda: folder)
    for name in (
        paths.OUTPUT_VARIABLE,
        paths.PROFILE_VARIABLE,
        reached.VARIABLE,
        "OMP_NUM_THREADS",
        "OMP_WAIT_POLICY",
        "TQDM_DISABLE",
    ):
        monkeypatch.setenv(name, "")  # execute sets them; this puts them back afterwards
    return folder


def job(profile="smoke", **changes):
    (planned,) = planning.plan(profile, ["00_tiny"], {"00_tiny": changes})
    return planned


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def beside(folder):
    return sorted(path.name for path in folder.parent.iterdir() if path != folder)


# --- plan and state -----------------------------------------------------------------------------


def test_plan_checks_parameters_and_writes_nothing(checkout):
    with pytest.raises(InputError, match="unknown parameter of notebook 00_tiny 'm'"):
        job(m=1)
    with pytest.raises(InputError, match=r"00_tiny\.n must be of type int, got 'two'"):
        job(n="two")
    assert job().parameters == {"n": 2}
    assert not (checkout / "papermill_runs").exists()


def test_a_sweep_gets_a_folder_of_its_own(checkout):
    plain, three, four = job(), job(n=3), job(n=4)
    assert plain.folder == checkout / "papermill_runs" / "smoke" / "00_tiny"
    assert len({plain.folder, three.folder, four.folder}) == 3
    assert three.folder.parent == plain.folder.parent
    assert three.folder == job(n=3).folder
    assert job(n=2).folder == plain.folder  # the profile's own value is no change


def test_only_the_paper_profile_without_changes_is_published(checkout):
    assert job("paper").published
    assert not job("paper", n=3).published
    assert not job("smoke").published
    assert not job("demo").published


def record_of(job, **changes):
    """As if the job had run with other inputs."""
    job.folder.mkdir(parents=True, exist_ok=True)
    record = {"status": "ok", "inputs": {**job.inputs, **changes}, "definitions": {}}
    (job.folder / "run.json").write_text(json.dumps(record))
    return planning.state(job)


def test_state_names_what_has_changed(checkout):
    assert planning.state(job()) == "missing"
    assert record_of(job()) == "fresh"
    for name in ("parameters", "notebook", "data"):
        with_data = replace(job(), inputs={**job().inputs, "data": "now"})
        assert record_of(with_data, **{name: "before"}) == f"stale ({name} changed)"
    assert record_of(job(), package="a", notebook="b") == "stale (notebook changed)"


def test_state_names_the_definitions_that_have_changed(checkout):
    before = definitions.rests_on(["rndcfl.common.metrics:ari"])
    assert set(before) == {"ari"}
    record = {"status": "ok", "inputs": job().inputs, "definitions": before}
    path = job().folder / "run.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record))
    assert planning.state(job()) == "fresh"
    record["definitions"] = {"ari": "0" * 12, **{f"gone{k}": "0" * 12 for k in range(6)}}
    path.write_text(json.dumps(record))
    assert planning.state(job()) == "stale (ari, gone0, gone1, gone2, gone3 and 2 more changed)"
    del record["definitions"]
    path.write_text(json.dumps(record))
    assert planning.state(job()).startswith("stale (it does not list")


def test_state_takes_the_word_of_a_record_whose_data_are_not_here(checkout):
    assert job().inputs["data"] is None
    assert record_of(job(), data="elsewhere") == "fresh"


def test_state_follows_notebook_and_profile(checkout):
    record_of(job())
    write_notebook(checkout, WRITE, "print(n)")
    assert planning.state(job()) == "stale (notebook changed)"
    write_notebook(checkout, WRITE)
    (checkout / "notebooks" / "profiles.yaml").write_text("00_tiny:\n  smoke: {n: 5}\n")
    assert planning.state(job()) == "stale (parameters changed)"


def test_manifest_lists_finished_runs_and_sweeps_only(checkout):
    for planned in (job(), job(n=3)):
        record_of(planned)
    for suffix in ("partial", "failed", "stale-20200101-000000"):
        shutil.copytree(job().folder, job().folder.with_name(f"00_tiny.{suffix}"))
    listed = json.loads(planning.manifest("smoke").read_text())
    assert set(listed) == {"00_tiny", job(n=3).folder.name}
    assert listed["00_tiny"]["status"] == "ok"


# --- execution ----------------------------------------------------------------------------------


def execute_here(source, target, values, **_):
    """What papermill does, without a kernel."""
    notebook = nbformat.read(source, as_version=4)
    nbformat.write(notebook, target)
    names = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
        if "parameters" in cell.metadata.get("tags", []):
            names.update(values)
    return notebook


@pytest.fixture
def without_kernel(monkeypatch):
    monkeypatch.setattr(papermill, "execute_notebook", execute_here)
    monkeypatch.setattr(runner, "LINGER", 0)  # no kernel may still be writing


def test_a_finished_run_is_put_in_place_put_aside_and_replaced(checkout, without_kernel):
    record = runner.execute(job())
    done = job().folder
    assert (record["status"], record["error"], record["parameters"]) == ("ok", None, {"n": 2})
    assert set(contents(done)) == {"notebook.ipynb", "params.yaml", "run.json", "sum.csv"}
    assert (done / "sum.csv").read_text() == "n\n3\n"
    assert yaml.safe_load((done / "params.yaml").read_text()) == {"n": 2}
    assert json.loads((done / "run.json").read_text()) == record
    assert record["versions"] == fingerprint.versions()
    assert beside(done) == []
    assert planning.state(job()) == "fresh"
    assert record["definitions"] == {}  # it uses nothing of the package
    assert not (checkout / "figures").exists()
    first = contents(done)

    write_notebook(checkout, WRITE.replace("n + 1", "n + 2"))
    runner.execute(job())
    (aside,) = beside(done)
    assert aside.startswith("00_tiny.stale-2")
    assert contents(done.with_name(aside)) == first
    assert (done / "sum.csv").read_text() == "n\n4\n"

    shutil.rmtree(done.with_name(aside))
    runner.execute(job(), force=True)
    assert beside(done) == []
    assert planning.state(job()) == "fresh"


def test_a_run_rests_on_what_it_executed_here_and_in_workers(checkout):
    write_notebook(
        checkout,
        "from rndcfl.book.run.parallel import over_seeds",
        "from rndcfl.common.metrics import ari, nmi",
        "over_seeds(lambda seed: ari([0, 1], [0, 1]), [0, 1], workers=2)",
    )
    rests = runner.execute(job())["definitions"]
    assert {"over_seeds", "_alone", "ari"} <= rests.keys()
    assert "nmi" not in rests


def test_a_failure_is_kept_apart_and_leaves_the_finished_run_alone(checkout, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(papermill, "execute_notebook", execute_here)
        runner.execute(job())
    done, first = job().folder, contents(job().folder)
    write_notebook(
        checkout, WRITE, "raise ValueError('first line\\nthis is why')", "print('after')"
    )
    record = runner.execute(job())
    assert (record["status"], record["error"]) == ("failed", "this is why")
    assert beside(done) == ["00_tiny.failed"]
    assert contents(done) == first
    failed = done.with_name("00_tiny.failed")
    assert json.loads((failed / "run.json").read_text()) == record
    assert "this is why" in (failed / "notebook.ipynb").read_text()
    assert (failed / "sum.csv").exists()
    assert planning.state(job()) == "stale (notebook changed)"

    shutil.rmtree(done)
    assert planning.state(job()) == "failed"
    write_notebook(checkout, WRITE)
    assert runner.execute(job())["status"] == "ok"
    assert beside(done) == []


@pytest.mark.parametrize(
    "cell, status, error",
    [
        ("import sys; sys.exit(0)", "failed", "SystemExit: 0"),  # what follows has not run
        ("import os; os._exit(1)", "kernel_died", "Kernel died"),
        ("import time; time.sleep(60)", "timeout", "time"),
    ],
)
def test_how_a_run_ended_is_recorded(checkout, monkeypatch, cell, status, error):
    if status == "timeout":
        monkeypatch.setattr(runner, "CELL_TIMEOUT", 2)
    write_notebook(checkout, cell, WRITE)
    record = runner.execute(job())
    assert record["status"] == status
    assert error in record["error"]
    assert not job().folder.exists()
    assert beside(job().folder) == ["00_tiny.failed"]


SLOW = """\
import time
kernel = get_ipython().kernel
answer = kernel.shell_handlers["kernel_info_request"]
async def slow(*request):
    await answer(*request)
    time.sleep(5)
kernel.shell_handlers["kernel_info_request"] = slow"""


def test_a_kernel_that_is_still_busy_when_it_is_ended_prints_no_error(checkout, capfd):
    write_notebook(checkout, WRITE, SLOW)
    assert runner.execute(job())["status"] == "ok"
    assert "KeyboardInterrupt" not in "".join(capfd.readouterr())


def interrupt(monkeypatch, job):
    """Begin a run that finishes its first table and is then interrupted."""

    def execute_notebook(*args, **kwargs):
        (Path(os.environ[paths.OUTPUT_VARIABLE]) / "first.csv").write_text("n\n77\n")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(papermill, "execute_notebook", execute_notebook)
        runner.execute(job)
    assert planning.state(job) == "missing"


def test_an_interrupted_run_keeps_its_finished_tables(checkout, monkeypatch):
    use_results = """\
import pandas as pd
from rndcfl.book.provenance.results import Results
results = Results("00_tiny", {"n": n})
first = results.table("first", lambda: 1 / 0)
second = results.table("second", lambda: first * 10)"""
    write_notebook(checkout, use_results)
    interrupt(monkeypatch, job())
    assert runner.execute(job())["error"] is None
    assert (job().folder / "first.csv").read_text() == "n\n77\n"
    assert (job().folder / "second.csv").read_text() == "n\n770\n"
    assert beside(job().folder) == []


@pytest.mark.parametrize("why", ["other inputs", "force"])
def test_an_interrupted_run_can_be_begun_anew(checkout, monkeypatch, without_kernel, why):
    interrupt(monkeypatch, job())
    if why == "other inputs":
        write_notebook(checkout, WRITE, "print(n)")
    runner.execute(job(), force=why == "force")
    assert set(contents(job().folder)) == {"notebook.ipynb", "params.yaml", "run.json", "sum.csv"}


def test_what_was_being_written_when_a_run_was_killed_is_removed(
    checkout, monkeypatch, without_kernel
):
    interrupt(monkeypatch, job())
    partial = job().folder.with_name("00_tiny.partial")
    (partial / ".second.csv.123").write_text("n\n7")
    runner.execute(job())
    names = {"notebook.ipynb", "params.yaml", "run.json", "first.csv", "sum.csv"}
    assert set(contents(job().folder)) == names


def test_papermill_that_cannot_write_is_one_line(checkout, monkeypatch):
    def execute_notebook(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(papermill, "execute_notebook", execute_notebook)
    with pytest.raises(WriteError, match=r"^cannot write .*00_tiny: No space left on device$"):
        runner.execute(job())


def test_a_run_counts_as_done_when_it_is_published(checkout, without_kernel):
    count = """\
from rndcfl.book.provenance.results import Results
import pandas as pd
def compute():
    (out / "computed.txt").open("a").write("x")
    return pd.DataFrame({"n": [n]})
Results("00_tiny").table("fig_a", compute)"""
    write_notebook(checkout, "\n".join(WRITE.splitlines()[:3]), count)
    (checkout / "figures").touch()  # a file, so that nothing can be written there
    with pytest.raises(WriteError, match=r"^cannot write .*figures.*fig_a\.csv: "):
        runner.execute(job("paper"))
    assert planning.state(job("paper")) == "missing"
    (checkout / "figures").unlink()
    assert runner.execute(job("paper"))["status"] == "ok"
    assert (checkout / "figures" / "fig_a.csv").read_text() == "n\n1\n"
    assert (job("paper").folder / "computed.txt").read_text() == "x"  # once


def test_a_folder_that_another_run_works_in_is_refused(checkout):
    with lock(job().folder), pytest.raises(InputError, match="another rndcfl reproduce") as caught:
        list(runner.reproduce([job(n=3), job()]))
    assert "papermill_runs/smoke/00_tiny;" in str(caught.value)
    assert not (checkout / "papermill_runs" / "smoke").exists()
    with lock(job().folder), lock(job(n=3).folder), lock(job("demo").folder):
        pass  # none of them is left locked, and they do not exclude each other


def test_a_run_that_has_ended_leaves_its_folder_to_others(checkout):
    record_of(job())
    record = json.loads((job().folder / "run.json").read_text())
    (job().folder / "run.json").write_text(
        json.dumps({**record, "versions": fingerprint.versions()})
    )
    ended = runner.reproduce([job()])
    assert next(ended)[1]["status"] == "fresh"
    with lock(job().folder):
        assert list(ended) == []


def test_the_paper_profile_publishes_figures_and_tables(checkout, without_kernel):
    save = "[(out / name).write_text('x') for name in ('fig_a.png', 'fig_a.csv', 'tab_b.tex')]"
    write_notebook(checkout, WRITE, save)
    runner.execute(job("paper", n=3))
    assert not (checkout / "figures").exists()
    runner.execute(job("paper"))
    assert set(contents(checkout / "figures")) == {"fig_a.png", "fig_a.csv", "tab_b.tex"}
    write_notebook(checkout, WRITE, save, "raise ValueError")
    (checkout / "figures" / "fig_a.csv").write_text("as published")
    runner.execute(job("paper"))
    assert (checkout / "figures" / "fig_a.csv").read_text() == "as published"


# --- no paths in executed notebooks -------------------------------------------------------------


def test_an_executed_notebook_holds_no_path_of_this_machine(checkout, monkeypatch):
    home = checkout.parent / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    write_notebook(checkout, "from pathlib import Path\nPath.cwd(), Path.home() / 'a file'")
    assert runner.execute(job())["status"] == "ok"
    text = (job().folder / "notebook.ipynb").read_text()
    assert str(checkout.parent) not in text
    assert "~/a file" in text
    assert "output_path" not in text


@pytest.mark.parametrize("home", ["/ab", "/"])
def test_taking_paths_out_spares_pictures_and_other_words(checkout, monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    data = {"image/png": "iVBO/ab/abyy", "text/plain": "3/absolute"}
    output = nbformat.v4.new_output("display_data", data=data)
    cell = nbformat.v4.new_code_cell("show()", outputs=[output])
    path = checkout / "notebook.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    executed.remove_paths(path)
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].data == data
