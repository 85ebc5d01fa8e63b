"""Runs killed with -9 at random moments: what the next run leaves is what one alone leaves.

Loading the package takes longer than the tiny notebook, so that each command is forked from a
process that has loaded it; the kernel is a real one each time.
"""

import contextlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import psutil
import pytest
from tiny_notebook import write_notebook

import rndcfl
from rndcfl.book import paths
from rndcfl.common.seeding import numpy_rng

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks what has loaded PyTorch")

# Writing takes as long as computing here, so that kills fall into it as well.
CELLS = [
    """\
import pathlib, time

def slowly(path, content):
    with path.open("wb") as file:
        for k in range(5):
            file.write(content[k * len(content) // 5 : (k + 1) * len(content) // 5])
            file.flush()
            time.sleep(0.02)

pathlib.Path.write_bytes = slowly
""",
    """\
import pandas as pd
from matplotlib.figure import Figure
from rndcfl.book.provenance.results import Results
from rndcfl.common.seeding import numpy_rng

results = Results("00_tiny", {"n": n})
""",
    *(
        f"""\
def compute():
    time.sleep(0.2)
    return pd.DataFrame({{"x": numpy_rng({k}, "x").random(100)}})

table = results.table("table_{k}", compute)
"""
        for k in range(3)
    ),
    """\
figure = Figure(figsize=(2, 2))
figure.subplots().plot(table["x"])
results.figure("fig_x", figure, table, "Caption.", "Alt.")
results.publish_table("tab_x", table, "Caption.")
""",
]
STABLE = {".csv", ".png", ".pdf", ".tex"}  # a sidecar holds the date


def make_checkout(folder):
    (folder / "notebooks").mkdir(parents=True)
    (folder / "notebooks" / "profiles.yaml").touch()
    write_notebook(folder / "notebooks" / "00_tiny.ipynb", *CELLS)


def begin():
    """Fork ``rndcfl reproduce``; return its process."""
    from rndcfl.book.cli import main

    pid = os.fork()
    if pid:
        return psutil.Process(pid)
    code = 0
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            main(["reproduce", "--profile", "paper", "--jobs", "1"])
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        os._exit(code)


def end(process, seconds=60):
    """Wait for a command; return its exit code."""
    return process.wait(seconds)


def kill(process, what):
    """Kill -9 a command, its worker, its kernel, or all of them; whether there was one to kill."""
    family = process.children(recursive=True)
    workers, kernels = [], []
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # it may just have ended
            workers += [member] * (member.ppid() == process.pid)
            kernels += [member] * ("ipykernel_launcher" in " ".join(member.cmdline()))
    victims = dict(all=[process, *family], command=[process], worker=workers, kernel=kernels)[what]
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGKILL)
    return bool(victims)


def written(checkout):
    """Path -> contents of every result that a reader would find."""
    files = [*checkout.glob("papermill_runs/paper/*/*"), *checkout.glob("figures/*")]
    return {
        str(path.relative_to(checkout)): path.read_bytes()
        for path in files
        if path.suffix in STABLE and not path.name.startswith(".") and ".stale" not in str(path)
    }


def check_whole(found, expected):
    for name, content in found.items():
        shown = name.replace(".partial", "").replace(".failed", "")
        assert content == expected[shown], f"{name} is not what one run alone writes"


def check_done(checkout, expected):
    assert written(checkout) == expected
    runs = checkout / "papermill_runs" / "paper"
    assert {path.name for path in runs.iterdir()} == {"00_tiny", "manifest.json"}
    hidden = [
        path for folder in (runs / "00_tiny", checkout / "figures") for path in folder.glob(".*")
    ]
    assert hidden == []
    for path in (*runs.glob("00_tiny/*.json"), *checkout.glob("figures/*.json")):
        json.loads(path.read_text())


def chain(checkout, seed, kills):
    """Kill runs in one folder `kills` times, two in the middle of something, then let one end."""
    import papermill  # noqa: F401

    import rndcfl.book.cli  # noqa: F401
    from rndcfl.book.run import planning, workers

    workers.CONTEXT = multiprocessing.get_context("fork")
    paths.root = lambda: checkout
    make_checkout(checkout)
    started = time.monotonic()
    assert end(begin()) == 0
    alone, expected = time.monotonic() - started, written(checkout)
    assert {"figures/fig_x.csv", "papermill_runs/paper/00_tiny/table_2.csv"} <= set(expected)

    def fresh():
        for name in ("papermill_runs", "figures"):
            shutil.rmtree(checkout / name, ignore_errors=True)

    fresh()
    rng = numpy_rng(seed, "kills")
    hit = resumed = 0
    while hit < kills or resumed < 2:
        process = begin()
        time.sleep(rng.uniform(0, alone))
        what = rng.choice(["all", "command", "worker", "kernel"])
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            assert end(process) == 0  # it was faster, having less to do
            check_done(checkout, expected)
            fresh()
            continue
        hit += kill(process, what)
        code = end(process)
        assert code in ({-9} if what in ("all", "command") else {0, 1}), (what, code)
        check_whole(written(checkout), expected)
        resumed += (checkout / "papermill_runs" / "paper" / "00_tiny.partial").exists()
    assert end(begin()) == 0
    check_done(checkout, expected)
    assert planning.state(planning.plan("paper", ["00_tiny"], {})[0]) == "fresh"
    print(f"{hit} kills, {resumed} resumed, {alone:.1f} s alone")


def test_ten_kills_change_no_byte(tmp_path):
    here = Path(__file__).parent
    folders = [str(here), str(Path(rndcfl.__file__).parent.parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}
    code = (
        "import pathlib, sys, test_crash\n"
        "test_crash.chain(pathlib.Path(sys.argv[1]), int(sys.argv[2]), 5)"
    )
    chains = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / f"checkout{k}"), str(k)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for k in range(2)
    ]
    try:
        for process in chains:
            said = process.communicate(timeout=600)
            assert process.returncode == 0, said[1]
            print(said[0])
    finally:
        for process in chains:
            process.kill()
