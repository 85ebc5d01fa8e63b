import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rndcfl
from rndcfl.book.provenance import definitions, reached
from rndcfl.book.provenance.computing import computing

HERE = Path(rndcfl.__file__).parent


@pytest.fixture(scope="module")
def found():
    """Everything that the package defines, once."""
    return definitions.definitions()


@pytest.fixture
def edited(tmp_path, found):
    """Edit a file of a copy of the package; call for the names whose definitions changed."""
    copy = tmp_path / "rndcfl"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.gz"))

    def changes(*edits, rename=None):
        for where, old, new in edits:
            paths = [p for p in copy.rglob("*.py") if where in str(p.relative_to(copy))]
            [path] = [p for p in paths if old in p.read_text(encoding="utf-8")]
            path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
        if rename:
            [path] = copy.rglob(rename[0])
            path.rename(path.with_name(rename[1]))
        after = definitions.definitions.__wrapped__(copy)
        hashes = [{n: {d.hash for d in ds} for n, ds in t.items()} for t in (found, after)]
        return {
            n for n in hashes[0].keys() | hashes[1].keys() if hashes[0].get(n) != hashes[1].get(n)
        }

    return changes


def test_a_number_that_figures_or_benchmarks_compute_is_seen(edited):
    mean = ("figures", '["novelty"].mean()', '["novelty"].median()')
    exact = ("bench", "exact=exact(clients.groups, found.labels),\n", "exact=True,\n")
    assert edited(mean, exact) == {"level_table", "measure_here"}


def test_words_of_an_error_do_not_count(edited):
    words = ("together", "no clients given; give", "no clients given, give")
    assert edited(words) == set()


def test_annotations_do_not_count(edited):
    quoted = ("clients", "| slice) -> Client | Clients:", "| slice) -> 'Client | Clients':")
    assert edited(quoted) == set()


def test_the_file_does_not_count(edited):
    assert edited(rename=("metrics.py", "scores.py")) == set()


def test_a_constant_and_a_default_count(edited):
    changes = edited(
        ("predictors", "steps: int = 150", "steps: int = 151"),
        ("novelty", "MAX_PROFILE = 64", "MAX_PROFILE = 65"),
    )
    assert changes == {"RND", "MAX_PROFILE"}


PLAIN = """
import math
from rndcfl.common.metrics import ari as score

LIMIT = 3

class Thing:
    size = 1
    def area(self, r=1):
        return math.pi * r**2 + score(r)
"""
TOLD = '''
"""What the module is for."""
from math import pi  # noqa
import math
from rndcfl.common import metrics

LIMIT: int = 3  # not more


class Thing:
    """A thing."""

    # of some size
    size = 1

    def area(self, r: float = 1) -> float:
        """Its area."""
        return math.pi * r**2 + metrics.ari(r)
'''


def hashes(text):
    body = computing(ast.parse(text)).body
    return {d.name: d.hash for d in definitions._collected(body, "rndcfl.thing")}


def test_docstrings_comments_annotations_and_the_way_of_importing_do_not_count():
    assert hashes(TOLD) == hashes(PLAIN)


@pytest.mark.parametrize(
    "old, new, name",
    [
        ("r**2", "r**3", "Thing.area"),
        ("r=1", "r=2", "Thing.area"),
        ("size = 1", "size = 2", "Thing"),
        ("LIMIT = 3", "LIMIT = 4", "LIMIT"),
        ("import math", "import cmath as math", "Thing.area"),
        ("import ari as", "import exact as", "Thing.area"),
    ],
)
def test_what_computes_counts_where_it_stands(old, new, name):
    before, after = hashes(PLAIN), hashes(PLAIN.replace(old, new))
    assert {key for key in before if before[key] != after[key]} == {name}


def test_a_result_rests_on_what_ran_and_on_what_that_mentions(found):
    rests = definitions.rests_on(
        ["rndcfl.predictors:RND.n_train", "rndcfl.book.cli:nothing"], ["METHODS"]
    )
    assert {"RND", "RND.n_train", "METHODS"} <= rests.keys()
    assert "RND.n_scored" not in rests  # did not run
    assert "PACFL" not in rests  # is only registered
    assert definitions.changed(rests) == []
    assert definitions.changed({**rests, "RND": "0" * 12, "gone": "0" * 12}) == ["RND", "gone"]


def test_of_two_definitions_of_a_name_the_one_that_ran_counts(found):
    name = next(
        n for n, ds in found.items() if len(ds) == 2 and {d.kind for d in ds} == {"function"}
    )
    one, other = found[name]
    assert definitions.rests_on([f"{one.module}:{name}"])[name] == one.hash != other.hash


def test_a_process_notes_what_it_executes_and_what_it_starts_does_too(tmp_path):
    into = tmp_path / "reached.txt"
    code = (
        "from rndcfl.common.metrics import ari; ari([0, 1], [0, 1])\n"
        "import subprocess, sys\n"
        "if len(sys.argv) == 1:\n"
        "    from rndcfl.common.errors import check_number; check_number('x', 1, 0)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, reached.VARIABLE: str(into)}, check=True
    )
    noted = reached.names(into)
    assert {"rndcfl.common.metrics:ari", "rndcfl.common.errors:check_number"} <= set(noted)
    assert not any(name.endswith(":exact") for name in noted)
