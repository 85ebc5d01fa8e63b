"""What holds the project together: environments, layout, imports, README, what is committed."""

import ast
import doctest
import graphlib
import importlib
import inspect
import json
import re
import sys
import tomllib
import warnings
from importlib import metadata

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from rndcfl import METHODS, SETTINGS, __version__
from rndcfl.book import paths
from rndcfl.book.provenance import verify
from rndcfl.book.run import planning
from rndcfl.common.metrics import exact

ROOT = paths.root()
PACKAGE = ROOT / "rndcfl"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CONDA = {"pytorch": "torch", "matplotlib-base": "matplotlib", "seaborn-base": "seaborn"}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def tree(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def named(requirements):
    """Name -> version range; our own extras, named among them, are left out."""
    asked = {canonicalize_name(r.name): r.specifier for r in map(Requirement, requirements)}
    return {name: allowed for name, allowed in asked.items() if name != PROJECT["name"]}


SCIENCE = named(PROJECT["dependencies"])
EXTRAS = {extra: named(asked) for extra, asked in PROJECT["optional-dependencies"].items()}
INSTALLED = {
    **SCIENCE,
    **EXTRAS["book"],
    **EXTRAS["data"],
    **EXTRAS["flower"],
    **EXTRAS["dev"],
}  # make setup

# --- environments -------------------------------------------------------------------------------


def test_conda_and_pip_ask_for_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    *packages, pip = environment["dependencies"]
    assert pip == {"pip": ["-e .[book,flower]"]}
    asked = named(packages)
    assert asked.pop("python") == SpecifierSet(PROJECT["requires-python"])
    assert asked.pop("pip") == SpecifierSet()
    asked = {CONDA.get(name, name): allowed for name, allowed in asked.items()}
    assert asked == {**SCIENCE, **EXTRAS["book"]}


def test_make_setup_installs_what_notebooks_and_tests_need():
    assert "-c constraints.txt -e '.[dev]'" in MAKEFILE
    assert f"{PROJECT['name']}[book,data,flower]" in PROJECT["optional-dependencies"]["dev"]


@pytest.mark.parametrize("extra", [None, *EXTRAS])
def test_every_requirement_has_a_lower_and_an_upper_bound(extra):
    for name, allowed in (EXTRAS[extra] if extra else SCIENCE).items():
        assert {part.operator for part in allowed} == {">=", "<"}, name


def test_what_several_extras_ask_for_has_one_range():
    for asked in EXTRAS.values():
        for name, allowed in asked.items():
            assert all(allowed == other.get(name, allowed) for other in [SCIENCE, *EXTRAS.values()])


def test_installed_versions_are_within_the_ranges():
    assert SpecifierSet(PROJECT["requires-python"]).contains(
        ".".join(map(str, sys.version_info[:3]))
    )
    for name, allowed in INSTALLED.items():
        assert allowed.contains(metadata.version(name)), name


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    for line in lines:
        assert re.fullmatch(r"[\w.-]+==[\w.]+( *;.*)?", line), line  # no URL, no range, no path
    found = dict(re.match(r"([\w.-]+)==([\w.]+)", line).groups() for line in lines)
    assert len(found) == len(lines)
    return {canonicalize_name(name): version for name, version in found.items()}


def test_constraints_pin_exactly_and_within_the_ranges():
    pinned = pins()
    assert pinned["torch"] == "2.13.0"
    for name, allowed in INSTALLED.items():
        assert allowed.contains(pinned[name]), name


def needed(name, extras=()):
    """What an installed package needs here: name -> extras asked of it."""
    for text in metadata.requires(name) or []:
        asked = Requirement(text)
        if not asked.marker or any(asked.marker.evaluate({"extra": e}) for e in ["", *extras]):
            yield canonicalize_name(asked.name), tuple(sorted(asked.extras))


def test_constraints_pin_all_that_make_setup_brings():
    found, todo = set(), [(PROJECT["name"], ("dev",))]
    while todo:
        package = todo.pop()
        if package not in found:
            found.add(package)
            # torch itself says which exact builds for GPUs belong to it
            todo += [] if package[0] == "torch" else needed(*package)
    names = {name for name, _ in found} - {PROJECT["name"]}
    assert len(names) > len(INSTALLED)
    assert names - set(pins()) == set()


# --- the package --------------------------------------------------------------------------------


def imported(name):
    """Modules of the package that a module imports, anywhere in it and for type checking too."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in MODULES:
                    yield full
                elif node.module in MODULES:
                    yield node.module


GRAPH = {name: set(imported(name)) - {name} for name in MODULES}


def reaches(name):
    found, todo = set(), [name]
    while todo:
        new = GRAPH[todo.pop()] - found
        found |= new
        todo += new
    return found


def test_there_are_no_circles_of_imports():
    try:
        list(graphlib.TopologicalSorter(GRAPH).static_order())
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


# An import goes down this list, never up; rooms in one line do not know each other. Data and
# settings stand beside the pipeline, which never imports them.
ROOMS = [
    ["book"],
    ["flower", "flare"],
    ["protocol"],
    ["hostile"],
    ["simulation"],
    ["methods"],
    ["evolving", "scale", "privacy"],
    ["discovery"],
    ["criteria"],
    ["federations"],
    ["twosample"],
    ["novelty", "features"],
    ["reports"],
    ["predictors"],
    ["clients"],
    ["given"],
    ["fedavg"],
    ["engine"],
    ["common"],
]
FLOOR = {room: len(ROOMS) - k for k, rooms in enumerate(ROOMS) for room in rooms}
BESIDE = {"data": "clients", "settings": "clients"}  # room -> the highest that it may import
FACES = {"rndcfl", "rndcfl.__main__"}  # they only hand on


def room(name):
    return name.split(".")[1]


def test_imports_go_down_the_list_of_rooms():
    up = []
    for name, uses in GRAPH.items():
        if name in FACES:
            continue
        own = room(name)
        for used in uses - FACES:
            other = room(used)
            if own == other:
                continue
            if own in BESIDE:
                down = other in BESIDE or FLOOR[other] <= FLOOR[BESIDE[own]]
            elif other in BESIDE:
                down = FLOOR[own] > FLOOR["discovery"] and own not in ("methods", "simulation")
            else:
                down = FLOOR[other] < FLOOR[own]
            if not down:
                up.append(f"{name} imports {used}")
    assert up == []


def test_every_room_is_on_the_list():
    assert {room(name) for name in MODULES if name not in FACES} <= {*FLOOR, *BESIDE}


def test_only_the_faces_know_the_book():
    knowing = {n for n, uses in GRAPH.items() if any(room(u) == "book" for u in uses - FACES)}
    assert {name for name in knowing if not name.startswith("rndcfl.book")} == {"rndcfl.__main__"}


def others_imported(name):
    """Top-level names of other people's modules that a module imports, anywhere in it."""
    nodes = list(ast.walk(tree(name)))
    names = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom)]
    return {n.partition(".")[0] for n in names} - {*sys.stdlib_module_names, "rndcfl"}


@pytest.mark.parametrize("name", MODULES)
def test_a_room_imports_only_what_the_package_or_its_extra_brings(name):
    brought = {**SCIENCE, **(EXTRAS.get(room(name), {}) if name not in FACES else {})}
    packages = metadata.packages_distributions()
    for module in others_imported(name):
        assert {canonicalize_name(p) for p in packages.get(module, [module])} & set(brought), module


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_one_room(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= 260


FORBIDDEN = {
    "Path.cwd": "rndcfl.book.paths",
    "os.getcwd": "rndcfl.book.paths",
    "torch.manual_seed": "rndcfl.common.seeding",
    "np.random.seed": None,
    "np.random.default_rng": "rndcfl.common.seeding",
    "random.seed": None,
}


@pytest.mark.parametrize("name", MODULES)
def test_no_global_seeds_and_no_current_folder(name):
    used = {ast.unparse(node) for node in ast.walk(tree(name)) if isinstance(node, ast.Attribute)}
    assert {what for what, where in FORBIDDEN.items() if what in used and where != name} == set()


def public(body):
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in body if isinstance(node, kinds) and not node.name.startswith("_")]


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name):
    assert ast.get_docstring(tree(name))
    module = importlib.import_module(name)
    missing = []
    for node in public(tree(name).body):
        if not ast.get_docstring(node):
            missing.append(node.name)
        if isinstance(node, ast.ClassDef):
            own = getattr(module, node.name)
            # An override may leave it to the method that it overrides.
            members = {member.name for member in public(node.body)}
            missing += [f"{node.name}.{m}" for m in members if not inspect.getdoc(getattr(own, m))]
    assert missing == []


WITH_EXAMPLES = [n for n, path in MODULES.items() if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_are_right(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed


def test_discovery_and_clients_have_examples():
    assert {"rndcfl.discovery", "rndcfl.clients"} <= set(WITH_EXAMPLES)


# --- README -------------------------------------------------------------------------------------

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_names_the_two_commands():
    targets = re.findall(r"^(\w+):", MAKEFILE, re.MULTILINE)
    for command in ("reproduce", "test"):
        assert f"make {command}" in README
        assert command in targets


def test_make_help_explains_every_target():
    listed = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.* ## \w", MAKEFILE, re.MULTILINE)
    assert sorted(" ".join(listed).split()) == sorted(explained)


def test_pre_commit_asks_what_make_lint_asks():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    recipe = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    asked = [line.strip() for line in recipe.splitlines()[1:]]
    # pre-commit mends, and names the files itself; make lint only asks
    asked = [re.sub(r" (\.|--check|--verify|notebooks/\S+)(?= |$)", "", line) for line in asked]
    entries = [hook["entry"] for hook in hooks["repos"][0]["hooks"]]
    entries = [entry.replace(" --force-exclude", "") for entry in entries]
    assert [line.replace("$(BIN)", ".venv/bin") for line in asked] == entries


def test_readme_names_every_notebook_method_and_setting():
    for name in paths.notebooks():
        assert f"(notebooks/{name}.ipynb)" in README
    for name in [*METHODS, *SETTINGS]:
        assert f"`{name}`" in README, name


def blocks(text):
    """The Python of a page, block by block."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_a_method_and_a_setting_are_added_as_the_readme_says(monkeypatch):
    _, block = blocks(README)
    monkeypatch.setitem(METHODS, "halves", None)  # taken out again after the test
    monkeypatch.setitem(SETTINGS, "negatives", None)
    names = {}
    exec(block, names)
    assert names["history"].labels.tolist() == [[0, 0, 1, 1]] * 2
    light = [client.x.mean() > 0.5 for client in names["clients"]]
    assert light == [False, True, False, True]


def test_own_data_as_the_readme_says(stripe_clients):
    own, _ = blocks(README)
    names = {
        f"{k}{i}": getattr(client, k)
        for i, client in enumerate(stripe_clients(3, n=60))
        for k in "xy"
    }
    exec(own, names)
    assert names["labels"].tolist() == [0, 1, 0]
    assert names["history"].labels.tolist() == [[0, 1, 0]] * 20


def test_more_uses_as_their_page_says():
    page = (ROOT / "docs/using.md").read_text(encoding="utf-8")
    untrained, changing, thousands, guarded = blocks(page)
    names = {}
    exec(untrained, names)
    truth = names["clients"].groups
    assert exact(truth, names["found"].labels) and exact(truth, names["many"].labels)
    assert exact(truth, names["history"].labels[-1])
    exec(changing, names)
    found, true = names["history"].labels, names["drift"].groups
    assert [len(set(found[r])) for r in range(4)] == [len(set(true(r))) for r in range(4)]
    exec(thousands, names)
    assert exact(names["many"].groups, names["labels"])
    exec(guarded, names)
    for result in ("robust", "private"):
        assert exact(names["clients"].groups, names[result].labels)
    assert names["history"].labels.shape == (2, 6)


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == __version__
    assert f"\n## {__version__} ({citation['date-released']})\n" in changes


# --- what is committed --------------------------------------------------------------------------

HOME = re.compile(rb"/((home|Users)/\w|root/)|C:\\+Users")


def without_bitmaps(path):
    if path.suffix != ".ipynb":
        return path.read_bytes()
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("image/png", None)
    return nbformat.writes(notebook).encode()


@pytest.mark.parametrize("folder", ["notebooks", "figures", "papermill_runs/paper"])
def test_nothing_committed_holds_a_home_path(folder):
    files = [p for p in (ROOT / folder).rglob("*") if p.is_file() and "." not in p.parent.name]
    assert [str(p) for p in files if HOME.search(without_bitmaps(p))] == []


def test_published_runs_are_ok_and_a_warning_says_which_are_stale():
    for job in planning.plan("paper", list(paths.notebooks()), {}):
        if (job.folder / "run.json").exists():
            record = json.loads((job.folder / "run.json").read_text(encoding="utf-8"))
            assert record["status"] == "ok"
            state = planning.state(job)
            if state != "fresh":
                warnings.warn(f"published run of {job.name} is {state}", stacklevel=1)


def test_figures_are_those_of_the_published_runs():
    known = set()
    for name in paths.notebooks():
        found = verify.figures(paths.runs("paper") / name)
        assert set(found.values()) <= {"as in the run"}, found
        known |= set(found)
    assert {path.stem for path in paths.figures().iterdir()} == known


OTHER_PAGES = ["SECURITY.md", "CONTRIBUTING.md", "flower-app/README.md", "benchmarks/README.md"]
OTHER_PAGES += [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", OTHER_PAGES)
def test_links_of_other_pages_lead_somewhere(name):
    path = ROOT / name
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert links and [link for link in links if not (path.parent / link).exists()] == []


def test_the_instructors_guide_knows_every_notebook():
    text = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    for name in paths.notebooks():
        assert re.search(rf"^\| {name[:2]} \w", text, re.MULTILINE), name
