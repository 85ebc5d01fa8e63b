"""Every command in README and docs is run: here, or by the test that is named here.

Of make's targets only what they would run is asked; what only a network or another program has is
listed as not run.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from tiny_notebook import write_notebook

from rndcfl import __version__
from rndcfl.book import paths

ROOT = paths.root()
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "flower-app/README.md",
    "benchmarks/README.md",
]
PAGES += sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
PROGRAMS = (
    r"rndcfl|make|papermill|conda|pip|jupyter|flwr|flower-\w+|ssh-keygen|export|\.venv/bin/\w+"
)


def commands(text):
    """What a page tells its readers to type: indented blocks without comments, and inline code."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines = re.sub(r"\\\n *", "", prose).splitlines()
    blocks = [re.split(r"\s+# ", line.strip())[0] for line in lines if re.match(r"    \S", line)]
    inline = re.findall(rf"`((?:{PROGRAMS}) [^`]*)`", prose)
    return {command for command in [*blocks, *inline] if re.match(rf"(?:{PROGRAMS}) ", command)}


TYPED = {page: commands((ROOT / page).read_text(encoding="utf-8")) for page in PAGES}
ALL = sorted(set().union(*TYPED.values()))

# As they are, in a checkout with one small notebook, in this order.
IN_ORDER = [
    "rndcfl reproduce",
    "rndcfl reproduce --only 03 --set 03.rounds=5",
    "rndcfl reproduce --profile paper",
    "rndcfl list --profile paper --check",
    "rndcfl verify",
]
# Here, as they are or in small.
SMALLER = {
    "papermill notebooks/03_federated_training.ipynb out.ipynb -k python3 -p rounds 5": (
        "-p rounds 1 -p n_clients 4 -p n_groups 2"
    )
}
SCALE, ROUNDS = (
    "test_bench_scale_writes_a_row_for_each_run",
    "test_bench_rounds_writes_a_row_for_each_method_and_number",
)
DISCOVERY = "test_bench_discovery_writes_ratios_and_what_they_come_from"
SITES, LOOPBACK = (
    "test_the_two_sites_of_the_apps_readme",
    "test_two_nodes_over_tls_find_their_federation_and_a_stranger_is_refused",
)
SMOKE, WHEEL = (
    "test_all_notebooks_run_in_the_smoke_profile",
    "test_the_wheel_runs_where_there_is_no_checkout",
)
LIST = "test_list_shows_every_notebook_with_parameters_minutes_and_state"
DISCOVER, NATURAL = (
    "test_discover_writes_json_and_never_over_a_file",
    "test_discover_natural_clients",
)
OWN = "test_what_is_written_beside_the_table"
PICTURES = "test_a_folder_of_files_is_as_good_as_its_files"
CHECK = "test_check_runs_a_students_copy_and_says_what_is_wrong"
ELSEWHERE = {
    "rndcfl discover --setting rotation": DISCOVER,
    "rndcfl discover --dataset heart-disease --setting natural": NATURAL,
    "rndcfl discover hospitals/*.csv --target num": OWN,
    "rndcfl discover hospitals/*.csv --target num --report found.html": OWN,
    "rndcfl discover wards/*.parquet --drop patient_id --csv found.csv": OWN,
    "rndcfl discover scans/ --size 64 --by features": PICTURES,
    "rndcfl list": LIST,
    "rndcfl list --profile paper": LIST,
    "rndcfl bench": DISCOVERY,
    "rndcfl bench discovery": DISCOVERY,
    "rndcfl bench discovery --json benchmarks/discovery.json": DISCOVERY,
    "rndcfl bench scale": SCALE,
    "rndcfl bench scale --json benchmarks/scale.json": SCALE,
    "rndcfl bench rounds": ROUNDS,
    "rndcfl bench rounds --json benchmarks/rounds.json": ROUNDS,
    "rndcfl html PAGES/": "test_a_copy_of_the_real_notebooks_is_whole_and_loads_nothing",
    "rndcfl course build OUT/": "test_build_writes_students_and_solutions",
    "rndcfl course build course --repository OWNER/NAME": "test_build_links_to_binder_and_colab",
    "rndcfl course check OUT/student/*.ipynb": CHECK,
    "rndcfl reproduce --only 00 --only 01 --only 02": SMOKE,
    "rndcfl flower --nodes 4 --secure": LOOPBACK,
    "flwr run": LOOPBACK,
    "pip install .": WHEEL,
    "pip install '.[book]'": WHEEL,
}
# Two sites and a server on three machines: Flower's own programs, started by the loopback's test
# with the same options; the sites' data by another.
ELSEWHERE |= {command: SITES for command in ALL if command.startswith("flower-supernode ")}
ELSEWHERE |= {
    command: LOOPBACK
    for command in ALL
    if command.startswith(("flower-superlink ", "flwr ", "ssh-keygen ", "export "))
}
# What only a network or another program has, and what runs this test.
NOT_HERE = {
    ".venv/bin/pytest tests/test_novelty.py",
    "conda env create -f environment.yml",
    "conda activate rndcfl",
    "pip install 'rndcfl[flower]'",
    "pip install 'rndcfl[book,data]'",
    "pip install -e '.[flower]'",
    "rndcfl flower --nodes 12 --simulation",
    "jupyter nbconvert --to slides",
}
TARGETS = {command for command in ALL if command.startswith("make ")}


def test_every_command_is_run_and_nothing_else():
    known = {*IN_ORDER, *SMALLER, *ELSEWHERE, *NOT_HERE}
    assert set(ALL) == known | TARGETS
    assert all(TYPED[page] for page in ("README.md", "CONTRIBUTING.md", "docs/using.md"))


def test_what_runs_elsewhere_does():
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in set(ELSEWHERE.values()) if f"\ndef {name}(" not in tests] == []


@pytest.mark.parametrize("command", sorted(TARGETS))
def test_make_knows_its_targets(command):
    asked = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stderr


def typed(command, folder, checkout):
    """Run a command as it is typed after activating the environment; what it printed."""
    program, *arguments = shlex.split(command)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RNDCFL_O", "RNDCFL_P"))}
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**kept, "PYTHONPATH": str(checkout)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


SQUARES = """
import pandas as pd
from rndcfl.book.provenance.results import Results

results = Results("03_federated_training", dict(n=n, rounds=rounds))
table = pd.DataFrame(dict(round=range(rounds), square=[n * k**2 for k in range(rounds)]))
results.publish_table("tab_squares", table, "Squares.")
"""


@pytest.fixture
def small(tmp_path):
    """A checkout with the package and one notebook of squares."""
    ignored = shutil.ignore_patterns("*.gz", "__pyc*")
    shutil.copytree(ROOT / "rndcfl", tmp_path / "rndcfl", ignore=ignored)
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    path = notebooks / "03_federated_training.ipynb"
    write_notebook(path, SQUARES)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\nrounds = 3  # type: int  rounds"
    nbformat.write(notebook, path)
    (notebooks / "profiles.yaml").write_text("03_federated_training: {paper: {rounds: 9}}\n")
    (notebooks / "verify.yaml").write_text(
        "03_federated_training:\n  parameters: {rounds: 4}\n  tables: {tab_squares: {square: 0}}\n"
    )
    return tmp_path


def test_commands_of_the_runner_as_they_are(small):
    printed = {command: typed(command, small, small) for command in IN_ORDER}
    assert "03_federated_training    done in" in printed["rndcfl reproduce --profile paper"]
    shown = printed["rndcfl list --profile paper --check"]
    assert re.search(r"03_federated_training .* fresh\n(.*\n)+ +figures/tab_squares +fresh", shown)
    assert "4 numbers of 1 notebooks computed again, 4 identical" in printed["rndcfl verify"]
    assert printed["rndcfl verify"].endswith("\nverified\n")

    # What was published by other code, or touched since, is found.
    table = small / "figures" / "tab_squares.csv"
    table.write_text(table.read_text().replace("64", "65"))
    with pytest.raises(AssertionError, match=r"not as in the run: tab_squares\.csv"):
        typed("rndcfl list --profile paper --check", small, small)


@pytest.mark.parametrize("command", SMALLER)
def test_commands_in_small(command, tmp_path):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    typed(f"{command} {SMALLER[command]}", tmp_path, ROOT)
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert any("rounds = 1\n" in cell.source for cell in executed.cells)


# --- what is installed --------------------------------------------------------------------------

TEN_LINES = """
import numpy as np
from rndcfl import Clients, discover, simulate

rng = np.random.default_rng(0)
towns = [(rng.normal(k % 2, 1, (200, 8)), rng.integers(2, size=200)) for k in range(6)]
clients = Clients.from_arrays(towns)
found = discover(clients)
print(found)
history = simulate(clients, "rnd", rounds=2)
print(found.labels.tolist(), len(history.table))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and sdist as ``make dist`` makes them, of a copy of what is in the checkout."""
    copy = tmp_path_factory.mktemp("dist") / "rndcfl"
    left = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "papermill_runs", "dist", "out")
    shutil.copytree(ROOT, copy, ignore=left)
    subprocess.run([sys.executable, "-m", "hatchling", "build"], cwd=copy, check=True)
    (wheel,) = copy.glob("dist/*.whl")
    (sdist,) = copy.glob("dist/*.tar.gz")
    return wheel, sdist


def test_the_wheel_runs_where_there_is_no_checkout(built, tmp_path):
    wheel, _ = built
    assert wheel.name.startswith(f"rndcfl-{__version__}-")
    into, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-index",
            "--target",
            into,
            wheel,
        ],
        check=True,
    )
    where = typed("rndcfl --version", elsewhere, into)
    assert where.strip().endswith(__version__)
    (elsewhere / "towns.py").write_text(TEN_LINES)
    done = subprocess.run(
        [sys.executable, "towns.py"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(into)},
    )
    assert "[0, 1, 0, 1, 0, 1] 12" in done.stdout, done.stderr
    typed("rndcfl reproduce --profile smoke --only 00", elsewhere, into)
    run = elsewhere / "papermill_runs" / "smoke" / "00_start_here"
    assert (run / "run.json").is_file()
    assert str(tmp_path) not in (run / "notebook.ipynb").read_text()
    assert not (into / "papermill_runs").exists()


def test_the_sdist_is_the_repository_without_the_published_run(built, tmp_path):
    _, sdist = built
    shutil.unpack_archive(sdist, tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    wanted = [
        *("README.md", "LICENSE", "CITATION.cff", "Makefile", "constraints.txt"),
        *("environment.yml", "notebooks/profiles.yaml", "tests/book/test_commands.py"),
        *("docs/using.md", "flower-app/README.md", "figures/fig_recovery.csv"),
        "rndcfl/data/fashion-mnist-t10k-images-idx3-ubyte.gz",
    ]
    assert [name for name in wanted if not (root / name).is_file()] == []
    assert not (root / "papermill_runs").exists()
    assert sum(path.stat().st_size for path in Path(root).rglob("*") if path.is_file()) < 30e6
