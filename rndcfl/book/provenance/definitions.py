"""What the package's code computes, one hash per definition: what a result may rest on.

A definition is a function, a method, a class without its methods, or a constant. What it computes
counts: its body, defaults, bases, fields and decorators. Docstrings, comments, annotations, the
words of an error, and the file in which it stands do not count, so that tidying costs nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rndcfl.book.provenance.computing import PACKAGE, computing, folder

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Definition:
    """What a name of the package stands for.

    Attributes
    ----------
    name : ``function``, ``Class``, ``Class.method`` or ``CONSTANT``; several may have one name.
    module : where it stands, such as ``rndcfl.clients``.
    kind : ``"function"`` (methods too), ``"class"`` or ``"constant"``.
    hash : of what it computes.
    mentions : names that occur in it.
    """

    name: str
    module: str
    kind: str
    hash: str
    mentions: frozenset[str]


@lru_cache(maxsize=1)
def definitions(package: Path | None = None) -> dict[str, list[Definition]]:
    """Name -> all that the package in a folder (default: this one) defines by it."""
    package = package or folder()
    found: dict[str, list[Definition]] = {}
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = path.relative_to(package).with_suffix("").parts
        module = ".".join([PACKAGE, *(part for part in parts if part != "__init__")])
        for definition in _collected(computing(tree, package).body, module):
            found.setdefault(definition.name, []).append(definition)
    return found


def table(known: dict[str, list[Definition]] | None = None) -> dict[str, str]:
    """Name -> hash of all that the package defines by it."""
    return {name: _joined(own) for name, own in sorted((known or definitions()).items())}


def rests_on(executed: Iterable[str], named: Iterable[str] = ()) -> dict[str, str]:
    """The definitions a result rests on: name -> hash.

    Parameters
    ----------
    executed : functions and methods that ran, as ``module:function`` or ``module:Class.method``.
    named : names in the notebook's own code.

    Notes
    -----
    Functions count where they ran. Constants do not run: they count where a counting definition
    mentions them. A class counts where a method of it ran or a counting function mentions it; a
    class that only a constant mentions, such as one entry of a registry, does not.
    """
    known = definitions()
    places = {f"{d.module}:{d.name}": d for every in known.values() for d in every}
    todo = [places[place] for place in executed if place in places]
    todo += [places[f"{d.module}:{d.name.rpartition('.')[0]}"] for d in todo if "." in d.name]
    todo += [d for name in named for d in known.get(name, []) if d.kind != "function"]
    counts: set[Definition] = set()
    while todo:
        definition = todo.pop()
        if definition not in counts:
            counts.add(definition)
            wanted = ("constant",) if definition.kind == "constant" else ("constant", "class")
            mentioned = (d for name in definition.mentions for d in known.get(name, []))
            todo += [d for d in mentioned if d.kind in wanted]
    names = sorted({d.name for d in counts})
    return {name: _joined([d for d in counts if d.name == name]) for name in names}


def changed(before: dict[str, str]) -> list[str]:
    """Which of these definitions compute something else now, or are not there any more."""
    now = {name: {d.hash for d in known} for name, known in definitions().items()}
    return [name for name, hash in before.items() if set(hash.split("+")) - now.get(name, set())]


def _joined(known: Iterable[Definition]) -> str:
    return "+".join(sorted({definition.hash for definition in known}))


def names_in(code: str) -> set[str]:
    """The names that occur in a piece of code."""
    return _mentions(ast.parse(code))


def _mentions(*nodes: ast.AST) -> set[str]:
    every = [node for root in nodes for node in ast.walk(root)]
    names = {node.id for node in every if isinstance(node, ast.Name)}
    names |= {node.attr for node in every if isinstance(node, ast.Attribute)}
    return names | {node.name for node in every if isinstance(node, ast.alias)}


def _collected(body: Sequence[ast.stmt], module: str, prefix: str = "") -> Iterator[Definition]:
    def made(name: str, kind: str, *nodes: ast.AST) -> Definition:
        text = "\n".join(map(ast.unparse, nodes))
        hash = hashlib.sha256(text.encode()).hexdigest()[:12]
        return Definition(prefix + name, module, kind, hash, frozenset(_mentions(*nodes)))

    for node in body:
        if isinstance(node, FUNCTIONS):
            yield made(node.name, "function", node)
        elif isinstance(node, ast.ClassDef):
            inner = [n for n in node.body if isinstance(n, (*FUNCTIONS, ast.ClassDef))]
            own = [n for n in node.body if n not in inner]
            yield made(node.name, "class", *node.bases, *node.keywords, *node.decorator_list, *own)
            yield from _collected(inner, module, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If):
            yield from _collected([*node.body, *node.orelse], module, prefix)
        else:
            for name in _given(node):
                yield made(name, "constant", node)


def _given(node: ast.stmt) -> list[str]:
    """Names to which a statement of a module gives a value, or adds (``registry.add(...)``)."""
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
    names = [n for target in targets if target for n in ast.walk(target)]
    if isinstance(node, ast.Expr):
        names = list(ast.walk(node))[1:]
    own = [n.id for n in names if isinstance(n, ast.Name) and "." not in n.id]
    return own[:1] if isinstance(node, ast.Expr) else own
