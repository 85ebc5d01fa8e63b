"""A SuperLink and SuperNodes on this machine: processes, connections, kills and restarts."""

import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("flwr")

from click.testing import CliRunner

from rndcfl.book.cli import main
from rndcfl.flower import keys
from rndcfl.flower.loopback import Loopback, RunFailed
from rndcfl.flower.trial import drawn_sites, try_out

PATIENCE = 300  # seconds; everything here ends by itself, this only ends a test that hangs
FEW = dict(groups=2, samples=60, steps=60)


def until(what, seconds=PATIENCE):
    """Wait until ``what()`` is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def said(path, text):
    return path.is_file() and text in path.read_text(errors="replace")


def residue(folder):
    """Processes that still know the folder of a loopback."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            pass
    return found


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "loopback"
    if Path("/proc/self/environ").exists():
        until(lambda: not residue(tmp_path / "loopback"), 30)


def test_two_nodes_over_tls_find_their_federation_and_a_stranger_is_refused(folder):
    with Loopback(folder, drawn_sites(2), secure=True) as loopback:
        stranger = keys.make(folder / "stranger", 1).node(0)
        loopback.start_node(1, key=stranger, name="stranger")
        trial = try_out(loopback, groups=1, rounds=1, samples=200)
        assert trial.problems() == []
        assert trial.labels == [0, 0]
        assert trial.comparable
        until(lambda: said(folder / "stranger.log", "Failed to activate"))
    assert oct((folder / "keys" / "node0").stat().st_mode)[-3:] == "600"


def test_a_killed_node_does_not_stop_the_run_and_a_killed_server_resumes(folder):
    log = folder / "results" / "log.txt"
    asked = dict(**FEW, min_clients=2, timeout_discovery=45.0, timeout_hello=60.0)
    with Loopback(folder, drawn_sites(3)) as loopback:

        def run(**more):
            def target():
                try:
                    results.append(loopback.run(**asked, **more))
                except RunFailed as failure:
                    results.append(failure)

            results = []
            thread = threading.Thread(target=target, daemon=True)
            thread.start()
            return thread, results

        # One node dies between its predictor and its row.
        thread, results = run(rounds=1, output="results")
        until(lambda: said(log, "predictor answered by"))
        answered = re.search(r"predictor answered by (\d)", log.read_text())[1]
        loopback.kill("node2")
        thread.join(PATIENCE)
        (result,) = results
        assert result["finished"]
        if answered == "3":
            assert re.search("row: node .* (has not answered|failed)", log.read_text())
        assert [sorted(d["clients"]) for d in result["discoveries"]] == [[0, 1]]
        assert result["labels"] == {"0": 0, "1": 1}

        # The server dies in the middle of a round, and is started again.
        thread, results = run(rounds=3, output="results")
        until(lambda: said(log, "round 1: 2 clients, mean accuracy"))
        loopback.kill("superlink")
        thread.join(PATIENCE)
        assert isinstance(results[0], RunFailed)
        for i in (0, 1):
            loopback.kill(f"node{i}")
        loopback.start_link()
        for i in (0, 1):
            loopback.start_node(i)
        result = loopback.run(**asked, rounds=3, output="results")
        assert result["finished"] and result["rounds"] == 3
        assert re.search("resuming with round 2", log.read_text())
        assert result["labels"] == {"0": 0, "1": 1}


def test_a_run_that_fails_is_not_taken_for_one_that_worked(folder):
    with Loopback(folder, drawn_sites(2)) as loopback:
        with pytest.raises(RunFailed, match=r"[012] of at least 3 clients") as failure:
            loopback.run(**FEW, rounds=1, min_clients=3, timeout_hello=15.0, output="results")
    assert "\n" not in str(failure.value)


def test_a_run_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    def run(*args, timeout, **_):
        raise subprocess.TimeoutExpired("flwr", timeout)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(RunFailed, match=r"not done after 3 s; see .*run.log"):
        Loopback(tmp_path, []).run(timeout=3)


@pytest.mark.parametrize(
    "typed, says",
    [
        ("--nodes 1", "1 is not in the range"),
        ("--secure --simulation", "ray is not installed|no connections to secure"),
    ],
)
def test_the_command_line_refuses(typed, says):
    result = CliRunner().invoke(main, ["flower", *typed.split()], prog_name="rndcfl")
    assert result.exit_code == 2
    assert re.search(says, result.stderr) and len(result.stderr.splitlines()) == 1
