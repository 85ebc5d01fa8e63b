import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from tiny_notebook import write_notebook

import rndcfl
from rndcfl import discover, make_clients
from rndcfl.book import paths
from rndcfl.book.cli import main
from rndcfl.book.run import parameters, planning, runner
from rndcfl.book.run.runner import lock

resource = pytest.importorskip("resource") if sys.platform != "win32" else None

COMMANDS = {"reproduce", "list", "discover", "verify"}


def rndcfl_(*arguments):
    """What a user types after ``rndcfl``."""
    return CliRunner().invoke(main, list(arguments), prog_name="rndcfl")


def refused(*arguments):
    """The one line on stderr with which the command line refuses something."""
    result = rndcfl_(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("rndcfl: ")
    return line


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed, nearest",
    [
        ("reproduse", "reproduce"),
        ("reproduce --profil smoke", "--profile"),
        ("reproduce --profile smok", "smoke"),
        ("list --profile pape", "paper"),
        ("reproduce --only 01_novlty", "01_novelty"),
        ("reproduce --only 99", "00_start_here"),
        ("reproduce --set 03_federated_trianing.rounds=5", "03_federated_training"),
        ("reproduce --set 03.round=5", "rounds"),
        ("reproduce --set 03.dataset=fashion-mnist-mimi", "fashion-mnist-mini"),
        ("discover --dataset fashion-mnist-mimi", "fashion-mnist-mini"),
        ("discover --setting rotaton", "rotation"),
        ("discover --criterion calibratd", "calibrated"),
        ("discover --jsn out.json", "--json"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_valid_one(typed, nearest):
    assert nearest in refused(*typed.split())


@pytest.mark.parametrize(
    "typed, said",
    [
        ("reproduce --set 03.rounds=many", "03_federated_training.rounds must be of type int"),
        ("reproduce --set rounds=5", "NOTEBOOK.PARAMETER=VALUE such as 03.rounds=5"),
        ("reproduce --only 01 --set 03.rounds=5", "03_federated_training, which --only leaves out"),
        ("reproduce --jobs 0", "--jobs"),
        ("reproduce --profile", "--profile"),
        ("discover --clients 3 --groups 4", "4 groups need at least as many clients, got 3"),
        ("discover --clients x", "not a valid integer"),
        ("discover --clients 0 --groups 0", "at least 1, got 0"),
        ("discover --seed -1", "seed must be a whole number of at least 0, got -1"),
        ("discover --samples 2", "1 of them left to compare; at least 2 must be"),
        ("discover --target num", "--target is for files, and no files were given"),
        ("discover a.csv --setting rotation", "--setting is for a dataset, and files were given"),
        ("discover nothing.csv", "there is no nothing.csv"),
        ("discover --samples 999999", "samples"),
        ("discover --criterion paper", "criterion 'paper' needs tolerance"),
        ("discover --tolerance 0.5", "criterion 'calibrated' takes no tolerance"),
        ("discover everything", "everything"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(typed, said):
    assert said in refused(*typed.split())


def test_no_command_shows_the_help_and_is_no_success():
    result = rndcfl_()
    assert result.exit_code == 2
    assert "Usage: rndcfl" in result.output


# --- help and version ---------------------------------------------------------------------------


def test_help_lists_the_commands():
    result = rndcfl_("--help")
    assert result.exit_code == 0
    listed = result.output.partition("Commands:")[2]
    assert {line.split()[0] for line in listed.splitlines() if line.strip()} >= COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_and_option_explains_itself(command):
    result = rndcfl_(command, "-h")
    assert result.exit_code == 0
    assert main.commands[command].help
    for option in main.commands[command].params:
        name = option.opts[0] if option.param_type_name == "option" else option.human_readable_name
        assert name in result.output


def test_version():
    result = rndcfl_("--version")
    assert result.exit_code == 0
    assert result.output == f"rndcfl, version {rndcfl.__version__}\n"


def test_python_m_is_the_same_as_the_entry_point(monkeypatch, capsys):
    (script,) = entry_points(group="console_scripts", name="rndcfl")
    assert script.load() is import_module("rndcfl.__main__").main
    monkeypatch.delitem(sys.modules, "rndcfl.__main__")  # it is run anew
    monkeypatch.setattr(sys, "argv", ["anything", "--help"])
    runpy.run_module("rndcfl", run_name="__main__")
    assert capsys.readouterr().out.split() == rndcfl_("--help").stdout.split()


WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None  # as if it were not installed
from rndcfl.__main__ import main
main()
"""


def without(module, *typed):
    command = [sys.executable, "-c", WITHOUT, module, *typed]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("module", ["click", "papermill"])
def test_without_the_extra_one_line_says_what_to_install(module):
    ran = without(module, "list")
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert f"({module} is missing)" in line
    assert line.endswith("pip install 'rndcfl[book]'")


def test_flower_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setattr("rndcfl.book.flower_command.find_spec", lambda name: None)
    assert "pip install 'rndcfl[flower]'" in refused("flower")


def test_a_module_of_our_own_that_is_missing_is_not_hidden():
    ran = without("rndcfl.book.paths", "list")
    assert ran.returncode == 1
    assert "ModuleNotFoundError" in ran.stderr and "pip install" not in ran.stderr


# --- list ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed, profile", [("list", "demo"), ("list --profile paper", "paper")])
def test_list_shows_every_notebook_with_parameters_minutes_and_state(typed, profile):
    result = rndcfl_(*typed.split())
    assert result.exit_code == 0
    blocks = dict(re.findall(r"^(\d\d_\w+) +(.*(?:\n +.*)*)", result.output, re.MULTILINE))
    assert list(blocks) == list(paths.notebooks())
    for name, block in blocks.items():
        minutes = parameters.expected_minutes(name, profile)
        head = block.splitlines()[0]
        assert re.fullmatch(rf"{minutes:.1f} min  (fresh|stale \(.+\)|missing|failed)", head)
        for key, value in parameters.parameters_for(name, profile, {}).items():
            assert f"    {key} = {value!r} " in block
        for p in parameters.declared(paths.notebooks()[name]).values():
            assert p.help in block


# --- discover -----------------------------------------------------------------------------------

FEW = "discover --setting rotation --clients 4 --groups 2 --samples 60 --seed 3".split()


def no_constant(text):
    raise AssertionError(f"{text} is not JSON")


def test_discover_writes_json_and_never_over_a_file(tmp_path):
    file = tmp_path / "new" / "found.json"
    result = rndcfl_(*FEW, "--json", str(file))
    assert result.exit_code == 0
    assert str(file) in result.stdout
    found = json.loads(file.read_text(), parse_constant=no_constant)
    assert set(found) >= {
        "dataset",
        "setting",
        "seed",
        "criterion",
        "tolerance",
        "labels",
        "groups",
        "n_federations",
        "exact",
        "ari",
        "nmi",
        "novelty",
        "excess",
        "costs",
    }
    clients = make_clients("fashion-mnist-mini", "rotation", 4, 2, 3, samples_per_client=60)
    expected = discover(clients, seed=3)
    assert found["labels"] == expected.labels.tolist()
    assert found["novelty"] == expected.novelty.tolist()
    assert found["excess"] == expected.excess.tolist()
    assert found["groups"] == [0, 1, 0, 1]
    assert found["costs"]["bytes_up"] == expected.ledger.total().bytes_up
    assert f"{found['n_federations']} federations" in result.stdout

    before = file.read_bytes()
    assert "exists" in refused(*FEW, "--json", str(file))
    assert file.read_bytes() == before


def test_discover_natural_clients(data_root, tmp_path):
    data_root("heart-disease")
    file = tmp_path / "found.json"
    result = rndcfl_(
        *"discover --dataset heart-disease --setting natural --json".split(), str(file)
    )
    assert result.exit_code == 0
    found = json.loads(file.read_text(), parse_constant=no_constant)
    assert (found["dataset"], found["setting"]) == ("heart-disease", "natural")
    assert found["groups"] == [0, 1, 2, 3] * 3
    assert found["labels"] == discover(make_clients("heart-disease", "natural")).labels.tolist()
    assert "groups of its own" in refused("discover", "--dataset", "heart-disease")


def test_discover_natural_clients_of_ordinary_data():
    said = "fashion-mnist-mini does not say whose its samples are"
    assert said in refused("discover", "--setting", "natural")


def test_discover_with_the_papers_criterion():
    result = rndcfl_(*FEW, "--criterion", "paper", "--tolerance", "0.5")
    assert result.exit_code == 0
    assert re.search(r"\d federations by criterion paper_\w+; ARI", result.stdout)
    rows = [line.split() for line in result.stdout.splitlines() if re.match(r" +\d", line)]
    assert [row[:3] for row in rows] == [[str(i), "60", str(i % 2)] for i in range(4)]


def test_discover_by_features(tmp_path):
    file = tmp_path / "found.json"
    result = rndcfl_(*FEW, "--by", "features", "--json", str(file))
    assert result.exit_code == 0 and "17 kB up, 0 kB down" in result.stdout
    found = json.loads(file.read_text(), parse_constant=no_constant)
    assert found["by"] == "features" and found["novelty"] is None and found["excess"] is None
    clients = make_clients("fashion-mnist-mini", "rotation", 4, 2, 3, samples_per_client=60)
    assert found["labels"] == discover(clients, seed=3, by="features").labels.tolist()
    assert "did you mean 'features'" in refused(*FEW, "--by", "feature")


# --- reproduce, in a checkout of its own --------------------------------------------------------


SAVE = "import os, pathlib; (pathlib.Path(os.environ['RNDCFL_OUTPUT']) / 'fig_n.png').touch()"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with the package and no notebooks, for this process and those it starts."""
    package = Path(rndcfl.__file__).parent
    shutil.copytree(package, tmp_path / "rndcfl", ignore=shutil.ignore_patterns("*.gz", "__pyc*"))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "profiles.yaml").touch()
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in (
        paths.OUTPUT_VARIABLE,
        paths.PROFILE_VARIABLE,
        "OMP_NUM_THREADS",
        "OMP_WAIT_POLICY",
        "TQDM_DISABLE",
    ):
        monkeypatch.setenv(name, "")  # execute sets them; this puts them back afterwards
    return tmp_path


REPRODUCE = [sys.executable, "-m", "rndcfl", "reproduce", "--profile", "smoke", "--jobs", "1"]
RUNS = Path("papermill_runs", "smoke")


def test_reproduce_runs_what_is_not_done_and_says_what_failed(checkout):
    for name in ("00_done", "01_older"):
        write_notebook(checkout / "notebooks" / f"{name}.ipynb", SAVE)
    bad = [SAVE, "raise RuntimeError('this is why')"]
    write_notebook(checkout / "notebooks" / "02_bad.ipynb", *bad)
    for job in planning.plan("smoke", ["00_done", "01_older"], {}):
        assert runner.execute(job)["status"] == "ok"
    record = checkout / RUNS / "01_older" / "run.json"
    record.write_text(record.read_text().replace('"python": "', '"python": "0'))

    result = subprocess.run(REPRODUCE, cwd=checkout, capture_output=True, text=True, timeout=300)
    assert result.returncode == 1, result.stderr
    assert re.search(r"^ +00_done +up to date$", result.stdout, re.MULTILINE)
    assert re.search(r"^ +01_older +done in \d+ s$", result.stdout, re.MULTILINE)
    assert re.search(r"^ +02_bad +FAILED: .*this is why$", result.stdout, re.MULTILINE)
    shown = re.findall(r"^figure  (.*)$", result.stdout, re.MULTILINE)
    assert shown == [str(RUNS / name / "fig_n.png") for name in ("00_done", "01_older")]
    failed = RUNS / "02_bad.failed" / "notebook.ipynb"
    assert result.stderr.splitlines()[-1] == f"02_bad failed; look at {failed}"
    assert (checkout / failed).exists()
    assert len(list((checkout / RUNS).glob("01_older.stale-*"))) == 1
    listed = json.loads((checkout / RUNS / "manifest.json").read_text())
    assert {name: about["status"] for name, about in listed.items()} == {
        "00_done": "ok",
        "01_older": "ok",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_an_interrupt_stops_everything_and_says_how_to_resume(checkout):
    write_notebook(checkout / "notebooks" / "00_long.ipynb", SAVE, "import time; time.sleep(60)")
    write_notebook(checkout / "notebooks" / "01_waiting.ipynb", SAVE)
    process = subprocess.Popen(
        REPRODUCE,
        cwd=checkout,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # As in a terminal, whatever shell the tests run in: one that runs them in the background
        # lets its children ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    begun = checkout / RUNS / "00_long.partial" / "fig_n.png"
    deadline = time.monotonic() + 120
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
    said = process.communicate(timeout=50)[1]
    assert process.returncode == 130
    assert said.splitlines()[-1] == "rndcfl: interrupted; run the same command again to resume"
    assert begun.exists()
    assert not list((checkout / RUNS).glob("01_waiting*"))


def environment():
    """This process's, without the empty variables of the fixture, which OpenMP complains of."""
    return {name: value for name, value in os.environ.items() if value}


def ended(pid):
    """Whether a process has ended, or does so within some seconds."""
    try:
        psutil.Process(pid).wait(20)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


PIDS = """\
import os, pathlib
out = pathlib.Path(os.environ["RNDCFL_OUTPUT"])
own = [os.getppid(), os.getpid(), *map(int, (path.name for path in out.glob("[0-9]*")))]
(out / "new").write_text(" ".join(map(str, own)))
(out / "new").rename(out / "pids")"""
SEEDS = """\
import os, pathlib, threading, time
from rndcfl.book.run.parallel import over_seeds

def long(seed):
    (pathlib.Path(os.environ["RNDCFL_OUTPUT"]) / str(os.getpid())).touch()
    time.sleep(300)

threading.Thread(target=over_seeds, args=(long, [0, 1], 2), daemon=True).start()
while len(list(pathlib.Path(os.environ["RNDCFL_OUTPUT"]).glob("[0-9]*"))) < 2:
    time.sleep(0.1)"""


def pids(checkout, process):
    """The worker's and the kernel's, when the notebook has begun."""
    path = checkout / RUNS / "00_long.partial" / "pids"
    deadline = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return [int(pid) for pid in path.read_text().split()]


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_a_second_run_is_refused_and_a_killed_one_leaves_no_process_behind(checkout):
    write_notebook(checkout / "notebooks" / "00_long.ipynb", SEEDS, PIDS, "time.sleep(300)")
    process = subprocess.Popen(REPRODUCE, cwd=checkout, stdout=subprocess.DEVNULL)
    try:
        family = pids(checkout, process)
        kernel = family[1]
        result = rndcfl_(*REPRODUCE[3:])
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith("rndcfl: another rndcfl reproduce is working in ")
        assert psutil.pid_exists(kernel)
    finally:
        process.kill()  # the command alone
        process.wait()
    assert len(family) == 4 and all(map(ended, family))
    with lock(checkout / RUNS / "00_long"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_a_worker_that_is_killed_is_one_line_and_takes_nothing_with_it(checkout):
    long = checkout / "notebooks" / "00_long.ipynb"
    write_notebook(long, PIDS, "import time; time.sleep(300)")
    write_notebook(checkout / "notebooks" / "01_short.ipynb", SAVE)
    process = subprocess.Popen(
        REPRODUCE,
        cwd=checkout,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    worker, kernel = pids(checkout, process)
    os.kill(worker, signal.SIGKILL)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert re.search(r"^ +00_long +KILLED: its process was killed", out, re.MULTILINE)
    assert re.search(r"^ +01_short +done in", out, re.MULTILINE)
    assert said.splitlines()[-1] == "00_long was killed; run the same command again to resume"
    assert "Traceback" not in said
    assert ended(kernel)


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
def test_a_full_disk_ends_a_run_in_one_line(checkout):
    big = (
        "from rndcfl.common.files import write_whole\n"
        "write_whole(pathlib.Path(os.environ['RNDCFL_OUTPUT']) / 'big.csv', 'x' * 2**20)"
    )
    write_notebook(checkout / "notebooks" / "00_big.ipynb", SAVE, big)
    result = subprocess.run(
        REPRODUCE,
        cwd=checkout,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, 2**19)),
    )
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert re.fullmatch(r"rndcfl: cannot write .*big\.csv: File too large", line)
    left = {path.name for path in (checkout / RUNS / "00_big.partial").iterdir()}
    assert left == {"fig_n.png", "notebook.ipynb", "params.yaml", "reached.txt", "run.json"}


def test_a_place_where_nothing_can_be_written_is_one_line(checkout):
    write_notebook(checkout / "notebooks" / "00_tiny.ipynb", SAVE)
    (checkout / "papermill_runs").touch()  # a file in the folder's place
    result = rndcfl_(*REPRODUCE[3:])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("rndcfl: cannot write ") and "papermill_runs" in line
    found = rndcfl_(*FEW, "--json", str(checkout / "papermill_runs" / "a.json"))
    assert found.exit_code == 2 and "federations by criterion" in found.stdout
    (line,) = found.stderr.splitlines()
    assert line.startswith("rndcfl: cannot write ")
