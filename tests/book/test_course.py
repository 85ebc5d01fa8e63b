"""Exercises of the notebooks, copies for a course, and what their checks say of answers."""

import ast
import re

import nbformat
import numpy as np
import pytest
from click.testing import CliRunner

from rndcfl.book import paths
from rndcfl.book.cli import main
from rndcfl.book.course import checks, copies
from rndcfl.book.provenance import fingerprint

NOTEBOOKS = paths.notebooks()
KINDS = ["recall", "predict, then run", "break it", "extend it"]
PARTS = ("starter", "solution", "check")


def tags(cell):
    return set(cell.metadata.get("tags", []))


def exercises(notebook):
    """Exercise -> its cells by part."""
    found = {}
    for cell in notebook.cells:
        match = re.fullmatch(r"(\d\d-e[1-9])(-(\w+))?", cell.id)
        if match:
            found.setdefault(match[1], {})[match[3] or "question"] = cell
    return found


# --- exercises ----------------------------------------------------------------------------------


def test_exercises_go_from_recall_to_open_ended(notebook):
    kinds = []
    for k, parts in enumerate(exercises(notebook).values(), 1):
        assert {"question", *PARTS} <= set(parts) <= {"question", "answer", *PARTS}
        assert [part for part in parts if part in PARTS] == list(PARTS)
        title = re.match(rf"### Exercise {k} \((.*)\)\n\n\S", parts["question"].source)
        assert title, parts["question"].source
        kinds.append(title[1])
        for part in PARTS:
            assert tags(parts[part]) == {part}
            assert parts[part].cell_type == "code"
        if "answer" in parts:
            assert tags(parts["answer"]) == {"solution"}
    assert list(dict.fromkeys(kinds)) == KINDS


def test_checks_say_what_is_wrong(notebook):
    for k, parts in enumerate(exercises(notebook).values(), 1):
        body = ast.parse(parts["check"].source).body
        assert isinstance(body[0], ast.Assert)
        for node in ast.walk(ast.Module(body, [])):
            if isinstance(node, ast.Assert):
                assert node.msg, ast.unparse(node)
                assert f"Exercise {k}:" in ast.unparse(node.msg)
        assert ast.unparse(body[-1]).startswith("print(")
        assert f"Exercise {k}: right" in ast.unparse(body[-1])


def test_an_empty_answer_fails_each_check(notebook):
    for k, parts in enumerate(exercises(notebook).values(), 1):
        names = {"np": np}
        exec(parts["starter"].source, names)
        with pytest.raises(AssertionError, match=f"^Exercise {k}:"):
            exec(parts["check"].source, names)


def test_students_copies_hold_no_solution(notebook):
    before = nbformat.writes(notebook)
    student = copies.without_solutions(notebook)
    assert nbformat.writes(notebook) == before
    hidden = [cell for cell in notebook.cells if "solution" in tags(cell)]
    assert len(hidden) >= len(KINDS)
    assert len(student.cells) == len(notebook.cells) - len(hidden)
    text = "\n".join(cell.source for cell in student.cells)
    assert [cell.id for cell in hidden if cell.source in text] == []
    assert not [cell.id for cell in student.cells if re.search("solution|answer", cell.id)]


def test_no_result_depends_on_exercises(tmp_path, notebook, name):
    notebook.cells = [c for c in notebook.cells if not tags(c) & set(PARTS)]
    nbformat.write(notebook, tmp_path / "without.ipynb")
    without = fingerprint.notebook_hash(tmp_path / "without.ipynb")
    assert without == fingerprint.notebook_hash(NOTEBOOKS[name])


# --- copies -------------------------------------------------------------------------------------


def rndcfl(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_build_writes_students_and_solutions(tmp_path):
    result = rndcfl("course", "build", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert f"{len(NOTEBOOKS)} notebooks in {tmp_path / 'out' / 'student'}" in result.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["solutions", "student"]
    for name, path in NOTEBOOKS.items():
        master = nbformat.read(path, as_version=4)
        for folder, source in (
            ("solutions", master),
            ("student", copies.without_solutions(master)),
        ):
            made = nbformat.read(tmp_path / "out" / folder / path.name, as_version=4)
            nbformat.validate(made)
            (setup,) = [cell for cell in made.cells if cell.id == "setup"]
            assert made.cells.index(setup) == 1
            made.cells.remove(setup)
            assert made == source, name
            listed = (tmp_path / "out" / folder / "README.md").read_text()
            assert f"[{name}]({path.name}): " in listed
    assert "mybinder" not in listed


def test_build_never_writes_over_students_work(tmp_path):
    (tmp_path / "solutions").mkdir()
    result = rndcfl("course", "build", tmp_path)
    assert result.exit_code == 2
    assert "solutions exists; name another folder" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["solutions"]


def test_build_links_to_binder_and_colab(tmp_path):
    out = tmp_path / "unit"
    assert rndcfl("course", "build", out, "--repository", "me/mine").exit_code == 0
    listed = (out / "student" / "README.md").read_text()
    path = "unit/student/00_start_here.ipynb"
    assert f"https://colab.research.google.com/github/me/mine/blob/HEAD/{path}" in listed
    assert "https://mybinder.org/v2/gh/me/mine/HEAD?labpath=" + path.replace("/", "%2F") in listed
    setup = nbformat.read(out / "student" / "00_start_here.ipynb", as_version=4).cells[1]
    assert '"rndcfl @ git+https://github.com/me/mine"' in setup.source


def test_a_repository_that_is_none_is_refused(tmp_path):
    result = rndcfl("course", "build", tmp_path / "out", "--repository", "https://github.com/a/b")
    assert result.exit_code == 2
    assert "--repository wants OWNER/NAME" in result.output
    assert not (tmp_path / "out").exists()


# --- checking a student's copy ------------------------------------------------------------------

ANSWERS = {
    "00-e1": "def received(n):\n    return n",
    "00-e2": "predicted = 1",
    "00-e3": 'blind = "iid"',
}


def test_check_runs_a_students_copy_and_says_what_is_wrong(tmp_path):
    rndcfl("course", "build", tmp_path)
    path = tmp_path / "student" / "00_start_here.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for number, answer in ANSWERS.items():
        exercises(notebook)[number]["starter"].source = answer
    nbformat.write(notebook, path)
    result = rndcfl("course", "check", path)
    assert result.exit_code == 1
    assert "1 of 4 right" in result.output
    said = dict(re.findall(r"^  (00-e\d) +((?:right|WRONG)  .*)$", result.output, re.MULTILINE))
    assert re.search(
        r"WRONG  Exercise 1: you say 12 among 12, the ledger counts 11", said["00-e1"]
    ) or re.search(r"WRONG  Exercise 1: you say 6 among 6, the ledger counts 5", said["00-e1"])
    assert said["00-e2"].startswith("right  Exercise 2: right")
    assert said["00-e3"].startswith("WRONG  Exercise 3: in iid there is only one group")
    assert said["00-e4"].startswith("WRONG  Exercise 4: put a list")


def test_an_answer_that_never_ends_is_a_wrong_one(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "CELL_TIMEOUT", 4)
    path = tmp_path / "00_start_here.ipynb"
    notebook = nbformat.read(NOTEBOOKS["00_start_here"], as_version=4)
    endless, other = (exercises(notebook)[f"00-e{k}"] for k in (2, 3))
    endless["starter"].source = "while True:\n    pass"
    parameters = [c for c in notebook.cells if tags(c) & {"parameters"}]
    notebook.cells = [*parameters, *(e[p] for e in (endless, other) for p in ("starter", "check"))]
    nbformat.write(notebook, path)
    answers = checks.check(path)
    assert [(answer.exercise, answer.right) for answer in answers] == [
        ("00-e2", False),
        ("00-e3", False),
    ]
    assert answers[0].message == "the answer's cell ended: KeyboardInterrupt"
    assert answers[1].message == "Exercise 3: name a setting"


def test_a_copy_that_fails_before_its_exercises_is_reported(tmp_path):
    path = tmp_path / "00_start_here.ipynb"
    notebook = nbformat.read(NOTEBOOKS["00_start_here"], as_version=4)
    notebook.cells = [c for c in notebook.cells if tags(c) & {"parameters"}]
    notebook.cells.append(nbformat.v4.new_code_cell("roundz"))
    nbformat.write(notebook, path)
    result = rndcfl("course", "check", path)
    assert result.exit_code == 2
    assert "not of an exercise fails: NameError: name 'roundz'" in result.output


@pytest.mark.parametrize(
    "given, says",
    [
        ("99_none.ipynb", "no notebook of the course; its name must be one of: 00_start_here"),
        ("00_start_here.ipynb", "cannot be read: No such file"),
    ],
)
def test_check_wants_notebooks_of_the_course(tmp_path, given, says):
    result = rndcfl("course", "check", tmp_path / given)
    assert result.exit_code == 2
    assert says in result.output


def test_a_file_that_is_no_notebook_is_reported(tmp_path):
    (tmp_path / "00_start_here.ipynb").write_text("print(1)")
    result = rndcfl("course", "check", tmp_path / "00_start_here.ipynb")
    assert result.exit_code == 2
    assert "is no notebook" in result.output
    with pytest.raises(Exception, match="is no notebook"):
        checks.read(tmp_path / "00_start_here.ipynb")
