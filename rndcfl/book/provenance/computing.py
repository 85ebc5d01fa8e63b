"""What of the package's code computes, with docstrings, annotations and such left out."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = "rndcfl"
PLACE = "__file__"  # stands for whatever is made from the place of a file
STEPS = ("parent", "parents", "resolve", "absolute", "joinpath")  # from one place to another
KEPT = ("ClassVar", "InitVar", "KW_ONLY")  # annotations by which a dataclass computes


def computing(tree: ast.Module, package: Path | None = None) -> ast.Module:
    """The part of a module that computes, where each import counts by name, not by place.

    Left out are docstrings, annotations, the words of errors, and what is there for type checkers.
    A name imported from the package in the folder `package` (default: this one) is called alike
    wherever it stands; any other by its full name, such as ``numpy.mean``. What is made from the
    place of a file, such as ``Path(__file__).parent / "data"``, is one place; so is the name of a
    module of the package, as text.
    """
    return _Computing(package or folder(), tree).visit(tree)


def folder() -> Path:
    """Where the package lies."""
    import rndcfl

    return Path(rndcfl.__path__[0])


class _Computing(ast.NodeTransformer):
    """Leaves of a module what computes, and calls what it imports by one name everywhere."""

    def __init__(self, package: Path, tree: ast.Module) -> None:
        self.package = package
        self.imported: dict[str, str] = {}  # name here -> name everywhere
        self.modules: set[str] = set()  # names here of this package's modules
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for a in node.names:
                    here = a.asname or a.name.partition(".")[0]
                    whole = a.name if a.asname else here
                    self.imported[here] = PACKAGE if whole.startswith(PACKAGE) else whole
            elif isinstance(node, ast.ImportFrom):
                self._import_from(node)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for a in node.names:
            here = a.asname or a.name
            if module.partition(".")[0] != PACKAGE:
                self.imported[here] = f"{module}.{a.name}"
                continue
            if self._is_module(f"{module}.{a.name}"):
                self.modules.add(here)
            else:
                self.imported[here] = a.name

    def _is_module(self, name: str) -> bool:
        at = self.package.joinpath(*name.split(".")[1:])
        return name.startswith(f"{PACKAGE}.") and (at.is_dir() or at.with_suffix(".py").is_file())

    def visit_Constant(self, node: ast.Constant) -> ast.AST:  # what a process is to run
        text = node.value if isinstance(node.value, str) else ""
        return ast.Constant(PACKAGE) if "/" not in text and self._is_module(text) else node

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.imported.get(node.id, node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in self.modules:
            return ast.Name(node.attr, node.ctx)
        self.generic_visit(node)
        return _place() if _is_place(node.value) and node.attr in STEPS else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        made_into = isinstance(node.func, ast.Name) and node.func.id in ("Path", "str")
        self.generic_visit(node)
        made_into &= len(node.args) == 1 and _is_place(node.args[0])
        return _place() if _is_place(node.func) or made_into else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        return _place() if _is_place(node.value) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return _place() if _is_place(node.left) else node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:  # which error counts, its words do not
        node.exc = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        node.cause = None
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST | None:  # for the type checker
        test = node.test
        narrows = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.IsNot)
        return None if narrows else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:  # a field; see _unannotated
        kind = next((k for k in KEPT if k in ast.unparse(node.annotation)), "annotated")
        node.value = node.value and self.visit(node.value)
        node.annotation = ast.Name(kind)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        node.body = [_unannotated(n) for n in _undocumented(node.body)]
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = _undocumented(node.body)
        return self.generic_visit(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = [_unannotated(n) for n in _undocumented(node.body)]
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node


def _undocumented(body: list[ast.stmt]) -> list[ast.stmt]:
    """Without a docstring, or any other text that nothing reads."""
    return [
        node
        for node in body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]


def _is_place(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == PLACE


def _place() -> ast.Name:
    return ast.Name(PLACE, ast.Load())


def _unannotated(node: ast.stmt) -> ast.stmt:
    """In functions ``x: int = 1`` is ``x = 1``, and ``x: int`` nothing."""
    if isinstance(node, ast.AnnAssign):
        return ast.Assign([node.target], node.value, lineno=0) if node.value else ast.Pass()
    for name in ("body", "orelse", "finalbody"):
        inner = getattr(node, name, None)
        if isinstance(inner, list) and not isinstance(node, ast.ClassDef):
            setattr(node, name, [_unannotated(n) for n in inner])
    return node
