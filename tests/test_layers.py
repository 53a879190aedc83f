"""Imports point down, never up or sideways; heavy libraries stay in their packages and off the read path."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "vdo"
PACKAGES = {
    **dict.fromkeys(("store", "agents", "context", "sandbox"), 1),
    **dict.fromkeys(("pipeline", "merge", "publish"), 2),
    "service": 3,
    "web": 4,
    "cli": 5,  # one of its commands starts the web server
    "__main__": 6,
}
"""What is not listed is layer 0: values and rules that everything else stands on."""
OWNERS = {
    "pygit2": {"store", "merge"},
    "anthropic": {"agents"},
    "click": {"cli"},
    "yaml": {"yaml_reader"},
    "fastapi": {"web"},
    "github": {"publish"},
    "tree_sitter": {"context", "merge"},
}
HEAVY = {"pygit2", "yaml", "anthropic", "jinja2", "httpx2", "fastapi", "github", "tree_sitter"}

MODULES = {
    ".".join(("vdo", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imports(name: str, *, top_level: bool = False) -> Iterator[str]:
    """The modules that the module `name` imports, anywhere in it or only when it is loaded."""
    tree = ast.parse(MODULES[name].read_text())
    nodes = list(tree.body) if top_level else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{name}:{node.lineno}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def part(module: str) -> str:
    """The package or module right below vdo that `module` lies in."""
    return module.split(".")[1] if "." in module else module


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    own = part(name)
    for imported in imports(name):
        if imported.split(".")[0] != "vdo":
            owners = OWNERS.get(imported.split(".")[0])
            assert owners is None or own in owners, f"{name} imports {imported}, which belongs to {owners}"
        elif part(imported) not in (own, "vdo"):
            above, below = PACKAGES.get(own, 0), PACKAGES.get(part(imported), 0)
            assert below < above or above == below == 0, f"{name} (layer {above}) imports {imported} (layer {below})"


def test_every_package_has_its_layer() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - set(PACKAGES) == {"config", "demo"}, "give a new package its layer here"


def test_there_are_no_import_cycles() -> None:
    graph = {name: {one for one in imports(name, top_level=True) if one in MODULES and one != name} for name in MODULES}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def loaded(*command: str, cwd: Path) -> set[str]:
    """Which heavy libraries `vdo COMMAND` loads, asked in a process of its own."""
    code = (
        "import sys\n"
        "from vdo.cli.main import main\n"
        "try:\n    main()\n"
        "finally:\n    print('loaded', *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return HEAVY & set(done.stderr.splitlines()[-1].split())


@pytest.mark.skipif("vdo.cli.main" not in MODULES, reason="there is no command line yet")
@pytest.mark.parametrize("command", ["list", "projects", "list --json", "--help", "list --help"])
def test_reading_commands_load_no_heavy_library(command: str, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", tmp_path], check=True)
    assert loaded(*command.split(), cwd=tmp_path) == set()
