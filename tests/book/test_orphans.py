"""Nothing outlives a command for long that was told to end, was killed, or lost its parent."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest
from tiny_notebook import write_notebook

import rndcfl

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

COMMAND = [sys.executable, "-m", "rndcfl", "reproduce", "--profile", "smoke", "--jobs", "1"]
SAID = "rndcfl: told to end, or left alone; run the same command again to resume"
CELLS = [
    """\
from rndcfl.book.run.parallel import over_seeds

over_seeds(abs, [0, 1], 2)""",
    """\
import os, pathlib, time

(pathlib.Path(os.environ["RNDCFL_OUTPUT"]) / "last").touch()
time.sleep(300)""",
]
# What waits for another program, as a shell does that is not asked to become it.
PARENT = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
LEADS = {"start_new_session": True}  # so that nothing below it leads, whatever runs the tests


class Family:
    """What carries a mark of its own in its environment: all that a command starts."""

    def __init__(self):
        self.mark = uuid.uuid4().hex
        self.environment = {**os.environ, "RNDCFL_TEST_FAMILY": self.mark}

    def living(self):
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = process.environ().get("RNDCFL_TEST_FAMILY") == self.mark
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def named(self, text):
        """One whose command line has a text in it, or None."""
        for process in self.living():
            with contextlib.suppress(psutil.Error):
                if text in " ".join(process.cmdline()):
                    return process
        return None

    def gone(self, seconds=15):
        """Whether all have ended, or do so in time; none is left afterwards."""
        until = time.monotonic() + seconds
        while (left := self.living()) and time.monotonic() < until:
            time.sleep(0.1)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return not left


@pytest.fixture
def family():
    made = Family()
    yield made
    made.gone(0)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / "rndcfl"
    ignored = shutil.ignore_patterns("*.gz", "__pyc*")
    return shutil.copytree(Path(rndcfl.__file__).parent, folder, ignore=ignored)


@pytest.fixture
def checkout(package, tmp_path):
    (tmp_path / "rndcfl").symlink_to(package)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "profiles.yaml").touch()
    write_notebook(tmp_path / "notebooks" / "00_long.ipynb", *CELLS)
    return tmp_path


def until(what, seconds=120):
    """Wait until ``what()`` is something, and return that."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def begin(family, command, **how):
    return subprocess.Popen(command, env=family.environment, text=True, **LEADS, **how)


MOMENTS = {
    "kernel": lambda family, checkout: family.named("ipykernel_launcher"),
    "map": lambda family, checkout: family.named("popen_loky"),
    "last": lambda family, checkout: list(checkout.glob("papermill_runs/*/*/last")),
}


@pytest.mark.parametrize(
    ("victim", "sign", "moment"),
    [
        ("command", signal.SIGTERM, "last"),
        ("kernel", signal.SIGKILL, "map"),  # its workers are importing
        ("parent", signal.SIGTERM, "kernel"),
    ],
)
def test_a_run_leaves_no_process_behind(family, checkout, victim, sign, moment):
    family.environment["PYTHONPATH"] = str(checkout)
    command = [*PARENT, *COMMAND] if victim == "parent" else COMMAND
    said = checkout / "said"
    with said.open("w") as file:
        process = begin(family, command, cwd=checkout, stdout=file, stderr=file)
    until(lambda: MOMENTS[moment](family, checkout))
    assert process.poll() is None
    pid = family.named("ipykernel_launcher").pid if victim == "kernel" else process.pid
    os.kill(pid, sign)
    if victim == "kernel":
        assert process.wait(30) == 1
    assert family.gone(), said.read_text()
    if victim == "command":
        assert process.wait() == 128 + sign
    if victim != "kernel":
        assert SAID in said.read_text().splitlines()
        assert (checkout / "papermill_runs" / "smoke" / "00_long.partial").exists()
    process.wait()


LONG = """\
import pathlib, sys, time
from rndcfl.common import orphans
orphans.end_when_told()
pathlib.Path(sys.argv[1]).touch()
try:
    time.sleep(300)
except orphans.Terminated:
    pathlib.Path(sys.argv[1]).unlink()
    raise
"""


@pytest.mark.parametrize(
    ("before_parent", "before_command", "stays"),
    [
        ([], [], False),
        (["nohup"], [], False),
        ([], ["nohup"], True),
        ([], ["setsid", "--wait"], True),
    ],
    ids=["plain", "nohup parent", "nohup command", "setsid"],
)
def test_a_command_follows_its_parent_unless_it_is_detached(
    family, tmp_path, before_parent, before_command, stays
):
    if shutil.which((*before_parent, *before_command, "sh")[0]) is None:
        pytest.skip("not on this system")
    begun = tmp_path / "begun"
    command = [*before_command, sys.executable, "-c", LONG, str(begun)]
    how = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process = begin(family, [*before_parent, *PARENT, *command], **how)
    until(begun.exists)
    process.kill()
    process.wait()
    assert family.gone(2 if stays else 15) != stays
    assert begun.exists() == stays


STUCK = """\
import time
from rndcfl.common import orphans
orphans.LIMIT = 1
orphans.end_when_told()
print(flush=True)
try:
    time.sleep(300)
finally:
    time.sleep(300)
"""


def test_a_command_that_cannot_clean_up_ends_all_the_same(family):
    process = begin(family, [sys.executable, "-c", STUCK], stdout=subprocess.PIPE)
    process.stdout.readline()
    process.terminate()
    assert process.wait(15) == 143


FOLLOWER = """\
import sys, time
from rndcfl.common import orphans
time.sleep(1)  # imports, during which its parent ends
orphans.end_with(int(sys.argv[1]))
time.sleep(300)
"""
STARTER = """\
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())])
"""


def test_a_process_follows_a_parent_that_was_gone_before_it_could_look(family):
    begin(family, [sys.executable, "-c", STARTER, FOLLOWER]).wait()
    assert family.living()
    assert family.gone()


GUARDED = """\
import subprocess, sys
from rndcfl.flower import guard
process = subprocess.Popen(guard.command(*sys.argv[1:]), start_new_session=True)
sys.exit(process.wait())
"""
# A program that starts another in a group of its own, and both ignore being asked to end.
DEAF = """\
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
print(flush=True)
time.sleep(300)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="groups of their own are not seen")
def test_a_guarded_program_and_all_it_starts_end_with_the_process_that_wanted_it(family):
    command = [sys.executable, "-c", GUARDED, sys.executable, "-c", DEAF]
    process = begin(family, command, stdout=subprocess.PIPE)
    process.stdout.readline()
    until(lambda: len(family.living()) == 4)
    process.kill()
    process.wait()
    assert family.gone()


def test_a_guard_ends_as_its_program_does(family):
    for code in (0, 3):
        program = [sys.executable, "-c", f"import sys; sys.exit({code})"]
        assert begin(family, [sys.executable, "-c", GUARDED, *program]).wait(60) == code
