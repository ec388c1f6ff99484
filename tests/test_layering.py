"""Imports point downwards only, and never in a circle."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "qgnn_lightning"
ROOT = Path(__file__).parents[1] / PACKAGE
LAYERS = [
    {
        *("quantization", "graph", "constraints", "objectives", "kernels"),
        *("storage", "provenance", "errors"),
    },
    {"nn", "data"},
    {"baselines"},
    {"lightning_module", "deploy"},
    {"callbacks", "run", "bench", "report", "study"},
    {"cli"},
    {"__main__"},
]
LAYER_OF = {part: number for number, parts in enumerate(LAYERS) for part in parts}
# Beyond torch, the standard library and the package itself.
MAY_IMPORT = {
    "quantization": set(),
    "graph": set(),
    "constraints": set(),
    "objectives": set(),
    "kernels": {"triton"},
    "storage": set(),
    "provenance": set(),
    "errors": set(),
    "nn": set(),
    "deploy": {"safetensors", "numpy"},
    "report": {"tensorboard"},
    "study": {"yaml"},
}
TRAINING_ONLY = {"lightning", "lightning_fabric", "pytorch_lightning", "torch_geometric"}


@dataclass(frozen=True)
class Import:
    """One imported module, by its full name."""

    source: str
    target: str
    line: int
    for_types_only: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def part_of(module: str) -> str:
    """``qgnn_lightning.nn._linear`` belongs to ``nn``."""
    return module.split(".")[1] if "." in module else ""


def _typing_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                lines |= set(range(statement.lineno, (statement.end_lineno or 0) + 1))
    return lines


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{node.module}" if node.module else package


def _targets(module: str, node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    source = _absolute(module, node)
    names = [f"{source}.{alias.name}" for alias in node.names]
    return sorted({name if name in MODULES else source for name in names})


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    typing = _typing_lines(tree)
    return tuple(
        Import(module, target, node.lineno, node.lineno in typing)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for target in _targets(module, node)
    )


ALL = [found for module in MODULES for found in imports_of(module)]


def is_ours(target: str) -> bool:
    return target.split(".")[0] == PACKAGE


def test_every_part_has_a_layer():
    parts = {part_of(module) for module in MODULES} - {""}
    assert parts <= LAYER_OF.keys(), "a new part of the package needs a place in LAYERS"


def test_the_package_itself_imports_nothing():
    assert imports_of(PACKAGE) == ()


def test_imports_point_downwards():
    wrong = [
        str(found)
        for found in ALL
        if is_ours(found.target)
        and part_of(found.source) != part_of(found.target)
        and part_of(found.target) != ""
        and LAYER_OF[part_of(found.source)] <= LAYER_OF[part_of(found.target)]
    ]
    assert wrong == []


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_lower_layers_need_torch_and_the_standard_library_only(part):
    allowed = {"torch", PACKAGE} | MAY_IMPORT[part] | sys.stdlib_module_names
    wrong = [
        str(found)
        for found in ALL
        if part_of(found.source) == part and found.target.split(".")[0] not in allowed
    ]
    assert wrong == []


def reachable(start: str) -> set[str]:
    """All modules of ours that a module needs, directly or not."""
    seen, waiting = set(), [start]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        waiting += [i.target for i in imports_of(module) if i.target in MODULES]
    return seen


@pytest.mark.parametrize("part", ["nn", "deploy"])
def test_neither_layers_nor_packed_models_need_what_training_needs(part):
    starts = [module for module in MODULES if part_of(module) == part]
    needed = set().union(*(reachable(start) for start in starts))
    wrong = [
        str(found)
        for module in sorted(needed)
        for found in imports_of(module)
        if found.target.split(".")[0] in TRAINING_ONLY
    ]
    assert wrong == []


def cycles() -> list[str]:
    """Circles of modules, by removing those that import nothing that is left."""
    left = {
        module: {
            i.target for i in imports_of(module) if i.target in MODULES and not i.for_types_only
        }
        - {module}
        for module in MODULES
    }
    while free := [module for module, targets in left.items() if not targets & left.keys()]:
        for module in free:
            del left[module]
    return sorted(left)


def test_no_import_goes_in_a_circle():
    assert cycles() == []
