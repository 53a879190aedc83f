"""What the syntax-aware rung unites in each language, and what it leaves to others."""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple

import pytest

from vdo.job import Oid
from vdo.merge.languages import LANGUAGES, language_of
from vdo.merge.rungs import climb, rungs_for
from vdo.merge.units import Unit, assemble
from vdo.merge.values import Conflict, Declined, Kind, Resolution, Stage
from vdo.tree import Mode


def conflict(path: str, base: str | bytes | None, ours: str | bytes, theirs: str | bytes) -> Conflict:
    def stage(text: str | bytes) -> Stage:
        return Stage(Mode.FILE, Oid("0" * 40), text.encode() if isinstance(text, str) else text)

    kind = Kind.ADD_ADD if base is None else Kind.CONTENT
    return Conflict(path, kind, None if base is None else stage(base), stage(ours), stage(theirs))


def merge(
    path: str,
    base: str | bytes | None,
    ours: str | bytes,
    theirs: str | bytes,
    paths: tuple[str, ...] = ("b.js", "c.js"),
) -> Resolution | Declined:
    return climb(conflict(path, base, ours, theirs), rungs_for(paths))


class Case(NamedTuple):
    """`@` in the base is where both sides add something: `ours` and `theirs`, each in turn. A NUL stands for an @."""

    path: str
    base: str
    ours: list[str]
    theirs: list[str]
    how: str
    merged: str = ""
    """What becomes of it, where that is not simply ours and then theirs."""


CASES = {
    "python definitions with one remark before each": Case(
        "app.py",
        "def a():\n    return 1\n@",
        ["\n\n# For the web.\ndef b():\n    return 2\n"],
        ["\n\n# For the web.\ndef c():\n    return 3\n"],
        "syntax: functions",
    ),
    "views of different addresses": Case(
        "app.py",
        "app = Flask()\n@",
        ['\n\n\0app.route("/a/<int:id>")\ndef a(id):\n    return 1\n'],
        ['\n\n\0app.route("/a/new")\ndef new():\n    return 3\n'],
        "syntax: functions",
    ),
    "views of different methods and routers": Case(
        "app.py",
        "app = FastAPI()\n@",
        ['\n\n\0app.get("/a")\ndef a():\n    return 1\n\n\n\0one.put("/a")\ndef b():\n    return 2\n'],
        ['\n\n\0app.post("/a")\ndef c():\n    return 3\n\n\n\0two.put("/a")\ndef d():\n    return 4\n'],
        "syntax: functions",
    ),
    "animations and selectors of their own": Case(
        "a.css",
        ".a { b: c }\n@",
        ["@keyframes in {\n  from { opacity: 0 }\n}\n.b { color: red }\n"],
        ["@keyframes out {\n  from { opacity: 1 }\n}\n.b:hover { color: blue }\n"],
        "syntax: rules",
    ),
    "style sheets are imported before the rules": Case(
        "a.css",
        "@",
        ["\0import 'a';\n.b { c: d }\n"],
        ["\0import 'a';\n\0import 'b';\n"],
        "syntax: imports, rules",
        "\0import 'a';\n\0import 'b';\n.b { c: d }\n",
    ),
    "python names of one import": Case(
        "app.py",
        "from app.models import (\n    Base,\n@)\n",
        ["    User,\n"],
        ["    Group,\n"],
        "syntax: imports",
    ),
    "python names on one line": Case(
        "app.py",
        "from app.models import Base@\n",
        [", User"],
        [", Group"],
        "syntax: imports",
    ),
    "python registrations": Case(
        "app.py",
        "def create(app):\n    app.register_blueprint(a)\n@    return app\n",
        ["    from app.b import b\n    app.register_blueprint(b)\n"],
        ["    from app.c import c\n    app.register_blueprint(c)\n"],
        "syntax: imports, registrations",
    ),
    "python imports of one name, each with its registration": Case(
        "app.py",
        "def create():\n    app = F()\n    from app.a import bp\n    app.register_blueprint(bp)\n@    return app\n",
        ["    from app.b import bp\n    app.register_blueprint(bp, url_prefix='/b')\n"],
        ["    from app.c import blueprint as bp\n    app.register_blueprint(bp)\n"],
        "syntax: imports, registrations",
    ),
    "python first imports of one name, each with its registration": Case(
        "app.py",
        "def create():\n    app = F()\n@    return app\n",
        ["    from app.b import bp\n    app.register_blueprint(bp)\n"],
        ["    from app.c import bp\n    app.register_blueprint(bp)\n"],
        "syntax: registrations",
    ),
    "python imports of one name by functions beside each other": Case(
        "cli.py",
        "def a():\n    return 1\n@",
        ["\n\ndef risk():\n    from app.risk import run\n\n    return run()\n"],
        ["\n\ndef sig():\n    from app.sig import run\n\n    return run()\n"],
        "syntax: functions",
    ),
    "python names that only sound like a version": Case(
        "units.py",
        "CONVERSIONS = {\n    'a': 1,\n@}\nVERSIONED = [\n    A,\n@]\n",
        ["    'b': 2,\n", "    B,\n"],
        ["    'c': 3,\n", "    C,\n"],
        "syntax: entries",
    ),
    "python entries of a list whose beginnings repeat": Case(
        "test_app.py",
        'PAGES = [\n    ("GET", "/"),\n    ("GET", "/login"),\n@]\n',
        ['    ("GET", "/risk"),\n'],
        ['    ("GET", "/sig"),\n'],
        "syntax: entries",
    ),
    "python includes on several lines": Case(
        "urls.py",
        'urlpatterns = [\n    path("a", a),\n@]\n',
        ['    path(\n        "",\n        include("risk.urls"),\n    ),\n'],
        ['    path(\n        "",\n        include("sig.urls"),\n    ),\n'],
        "syntax: entries",
    ),
    "one option of two commands": Case(
        "cli.js",
        'program.command("a").action(a);\n@\nprogram.parse();\n',
        ['program.command("b").option("--json").action(b);\n'],
        ['program.command("c").option("--json").action(c);\n'],
        "syntax: registrations",
    ),
    "javascript cases with variables of their own": Case(
        "reducer.js",
        'function f(kind) {\n  switch (kind) {\n    case "a":\n      return 1;\n@  }\n}\n',
        ['    case "b": {\n      const x = 2;\n      return x;\n    }\n'],
        ['    case "c":\n      const x = 3;\n      return x;\n'],
        "syntax: branches",
    ),
    "nested rules of different rules": Case(
        "a.css",
        ".a { b: c }\n@",
        [".x { top: 0; &:hover { color: red } }\n"],
        [".y { top: 0; &:hover { color: blue } }\n"],
        "syntax: rules",
    ),
    "properties that only begin alike": Case(
        "a.css",
        ".a {\n  top: 0;\n@}\n",
        ["  border: 1px solid;\n"],
        ["  border-radius: 4px;\n"],
        "syntax: declarations",
    ),
    "python functions": Case(
        "app.py",
        "def a():\n    return 1\n@",
        ["\n\ndef b():\n    return 1\n"],
        ["\n\n@other\ndef c():\n    return 1\n"],
        "syntax: functions",
    ),
    "python methods": Case(
        "app.py",
        "class A:\n    def a(self):\n        return 1\n@\n\nA()\n",
        ["\n    def b(self):\n        return 1\n"],
        ["\n    def c(self):\n        return 1\n"],
        "syntax: functions",
    ),
    "python fields": Case(
        "models.py",
        "class A:\n    id = Column(int)\n@",
        ["    risk = Column(float)\n"],
        ["    name = Column(str)\n"],
        "syntax: names",
    ),
    "python conditions that both sides need": Case(
        "app.py",
        "import typing\n@\nA: One\nB: Two\n",
        ["\nif typing.X:\n    from a import One\n"],
        ["\nif typing.X:\n    from b import Two\n"],
        "syntax: imports",
        "import typing\n\nif typing.X:\n    from a import One\n    from b import Two\n\nA: One\nB: Two\n",
    ),
    "python fields of a dataclass": Case(
        "models.py",
        "from dataclasses import dataclass\n\n\n@dataclass\nclass A:\n    id: int\n@".replace("@d", "\0d"),
        ["    risk: int = 0\n"],
        ["    name: str\n"],
        "syntax: names",
        "from dataclasses import dataclass\n\n\n\0dataclass\nclass A:\n    id: int\n    name: str\n    risk: int = 0\n",
    ),
    "python dictionary without a trailing comma": Case(
        "settings.py",
        'CONFIG = {\n    "a": 1@\n}\n',
        [',\n    "b": 2'],
        [',\n    "c": 3'],
        "syntax: entries",
    ),
    "python list on one line": Case("settings.py", 'APPS = ["a", "b"@]\n', [', "c"'], [', "d"'], "syntax: entries"),
    "python nested list": Case(
        "settings.py",
        'CONFIG = {\n    "apps": ["a"@],\n    "other": 1,\n}\n',
        [', "c"'],
        [', "d"'],
        "syntax: entries",
    ),
    "python sub-commands with one variable": Case(
        "cli.py",
        "def parser(sub):\n    p = sub.add_parser('a')\n    p.set_defaults(run=a)\n@    return sub\n",
        ["    p = sub.add_parser('b')\n    p.add_argument('--all')\n    p.set_defaults(run=b)\n"],
        ["    p = sub.add_parser('c')\n    # everything\n    p.add_argument('--all')\n    p.set_defaults(run=c)\n"],
        "syntax: registrations",
    ),
    "python branches of a dispatch": Case(
        "cli.py",
        'def main(name):\n    if name == "a":\n        a()\n@    else:\n        usage()\n',
        ['    elif name == "b":\n        b()\n'],
        ['    elif name == "c":\n        c()\n'],
        "syntax: branches",
    ),
    "python url patterns": Case(
        "urls.py",
        'urlpatterns = [\n    path("", home),\n@]\n',
        ['    path("b/", include("b.urls")),\n'],
        ['    path("c/", include("c.urls")),\n'],
        "syntax: entries",
    ),
    "python item assignments": Case(
        "app.py",
        'def create(app):\n    app.config["A"] = 1\n@    return app\n',
        ['    app.config["B"] = 2\n'],
        ['    app.config["C"] = 3\n'],
        "syntax: entries",
    ),
    "python arguments": Case("app.py", "run(\n    a=1,\n@)\n", ["    b=2,\n"], ["    c=3,\n"], "syntax: arguments"),
    "javascript": Case(
        "server.js",
        'const a = require("a");\n@const app = a();\napp.use("/a", a);\n@\nmodule.exports = { app@ };\n',
        ['const b = require("./b");\n', 'app.use("/b", b);\n', ", b"],
        ['const c = require("./c");\n', 'app.get("/c", (q, s) => {\n  s.json(c);\n});\n', ", c"],
        "syntax: imports, registrations, entries",
    ),
    "javascript modules": Case(
        "index.mjs",
        'import { a@ } from "./a.js";\n\nexport class A {\n  a() {}\n@}\n',
        [", b", "\n  b() {}\n"],
        [", c", "\n  c() {}\n"],
        "syntax: imports, functions",
    ),
    "javascript cases": Case(
        "reducer.js",
        'switch (kind) {\n  case "a":\n    return 1;\n@  default:\n    return 0;\n}\n'.replace(
            "switch", "function f(kind) {\n switch"
        )
        + "}\n",
        ['  case "b":\n    return 2;\n'],
        ['  case "c": {\n    return 3;\n  }\n'],
        "syntax: branches",
    ),
    "javascript commands": Case(
        "cli.js",
        'program\n  .command("a")\n  .action(a);\n@\nprogram.parse();\n',
        ['program.command("b").action(b);\n'],
        ['program.command("c").action(c);\n'],
        "syntax: registrations",
    ),
    "typescript": Case(
        "api.ts",
        "export interface Api {\n  a: string;\n@}\n\nexport enum Kind {\n  A = 1@\n}\n",
        ["  b: string;\n", ",\n  B = 2"],
        ["  c?: string;\n", ",\n  C = 3"],
        "syntax: members, entries",
    ),
    "jsx": Case(
        "Nav.tsx",
        'export const Nav = () => (\n  <ul>\n    <li><Link to="/">Home</Link></li>\n@  </ul>\n);\n',
        ['    <li><Link to="/b">B</Link></li>\n'],
        ['    <li><Link to="/c">C</Link></li>\n'],
        "syntax: elements",
    ),
    "html": Case(
        "base.html",
        '<nav>\n  <a href="/">Home</a>\n@</nav>\n<p>Text</p>\n',
        ['  <a href="/b">B</a>\n'],
        ['  <a href="/c">C</a>\n'],
        "syntax: links",
    ),
    "html on one line": Case(
        "index.html",
        '<ul><li><a href="/">Home</a></li>@</ul>\n',
        ['<li><a href="/b">B</a></li>'],
        ['<li><a href="/c">C</a></li>'],
        "syntax: links",
    ),
    "html cards without names": Case(
        "index.html",
        '<main>\n  <div class="card"><h2>A</h2></div>\n@</main>\n',
        ['  <div class="card"><h2>B</h2></div>\n'],
        ['  <div class="card"><h2>C</h2></div>\n'],
        "syntax: elements",
    ),
    "jinja": Case(
        "base.html",
        '<nav>\n  <a href="{{ url_for(\'home\') }}" class="{% if home %}on{% endif %}">Home</a>\n@</nav>\n'
        "{% block body %}{% endblock %}\n",
        ["  {% if user %}\n  <a href=\"{{ url_for('b') }}\">B</a>\n  {% endif %}\n"],
        ["  <a href=\"{{ url_for('c') }}\">C</a>\n"],
        "syntax: elements, links",
    ),
    "css": Case(
        "site.css", "a {\n  color: red;\n}\n@", ["\n.b {\n  top: 0;\n}\n"], ["\n.c {\n  top: 0;\n}\n"], "syntax: rules"
    ),
    "json": Case(
        "package.json",
        '{\n  "name": "x",\n  "dependencies": {\n    "a": "1"@\n  }\n}\n',
        [',\n    "b": "2"'],
        [',\n    "c": "3"'],
        "syntax: keys",
    ),
    "json list": Case(
        "nav.json", '[\n  {"href": "/"}@\n]\n', [',\n  {"href": "/b"}'], [',\n  {"href": "/c"}'], "syntax: entries"
    ),
    "yaml": Case(
        "mkdocs.yml",
        "site: x\nnav:\n  - Home: index.md\n@# plugins follow\nplugins:\n  search: {}\n@",
        ["  - B: b.md\n", "  b: {}\n"],
        ["  - C: c.md\n", "  c:\n    d: 1\n"],
        "syntax: entries, keys",
    ),
    "toml": Case(
        "pyproject.toml",
        '[project]\ndependencies = [\n    "a",\n@]\n\n[project.scripts]\na = "a:main"\n@',
        ['    "b>=2",\n', 'b = "b:main"\n'],
        ['    "c>=3",\n', 'c = "c:main"\n'],
        "syntax: entries, keys",
    ),
    "requirements": Case("requirements.txt", "flask>=3\n@", ["b==1.0\n"], ["c\n"], "syntax: requirements"),
    "ini": Case(
        "setup.cfg",
        "[options]\ninstall_requires =\n    a\n@\n[other]\nx = 1\n@",
        ["    b\n", "y = 2\n"],
        ["    c\n", "z = 3\n"],
        "syntax: entries, keys",
    ),
    "environment": Case(".env.example", "A=1\n@", ["B=2\n"], ["C=3\n"], "syntax: keys"),
    "ignored files": Case(".gitignore", "*.pyc\n@", ["/b/\n"], ["/c/\n"], "syntax: lines"),
    "markdown": Case(
        "README.md",
        "# Project\n\n- a\n@\n## Use\n\nText.\n@",
        ["- The risk engine rates.\n", "\n## Risks\n\nRate.\n"],
        ["- Reports are printed.\n", "\n## Reports\n\nPrint.\n"],
        "syntax: bullets, sections",
    ),
    "markdown table": Case(
        "README.md", "| a | b |\n|---|---|\n| 1 | 2 |\n@\nText.\n", ["| 3 | 4 |\n"], ["| 5 | 6 |\n"], "syntax: rows"
    ),
    "restructured text": Case(
        "CHANGES.rst",
        "Changes\n=======\n\n-   One\n    thing\n@\n.. _a: https://a\n@",
        ["-   Risks are rated\n", ".. _b: https://b\n"],
        ["-   Reports\n    are printed\n", ".. _c: https://c\n"],
        "syntax: bullets, links",
    ),
}


def versions(case: Case) -> tuple[str, str, str, str]:
    """Base, ours, theirs and what their merge should be."""
    parts = case.base.split("@")

    def filled(*sides: list[str]) -> str:
        added = ["".join(side[n] for side in sides) for n in range(len(parts) - 1)]
        return "".join(text + extra for text, extra in zip(parts, [*added, ""], strict=True))

    texts = filled(["", "", ""]), filled(case.ours), filled(case.theirs), case.merged or filled(case.ours, case.theirs)
    base, ours, theirs, merged = (text.replace("\0", "@") for text in texts)
    return base, ours, theirs, merged


@pytest.mark.parametrize("name", CASES)
def test_additions_that_commute_are_united(name: str) -> None:
    base, ours, theirs, expected = versions(CASES[name])
    result = merge(CASES[name].path, base, ours, theirs)
    assert isinstance(result, Resolution), result
    assert result.data.decode() == expected
    assert result.how == CASES[name].how


@pytest.mark.parametrize("name", CASES)
def test_swapping_the_sides_changes_the_order_only(name: str) -> None:
    base, ours, theirs, _ = versions(CASES[name])
    one, two = (merge(CASES[name].path, base, *sides) for sides in ((ours, theirs), (theirs, ours)))
    assert isinstance(one, Resolution) and isinstance(two, Resolution)
    assert sorted(re.findall(rb"\w+|[^\w\s]", one.data)) == sorted(re.findall(rb"\w+|[^\w\s]", two.data))


@pytest.mark.parametrize("name", CASES)
def test_a_file_taken_apart_and_put_together_is_the_same(name: str) -> None:
    language = language_of(CASES[name].path)
    assert language is not None
    for text in versions(CASES[name])[:3]:
        unit = language.parse(text)
        assert isinstance(unit, Unit)
        assert _together(unit) == text


def _together(unit: Unit) -> str:
    if not unit.parts:
        return unit.text
    elements = [part for part in unit.parts if part.element]
    parts = [dataclasses.replace(part, text=_together(part)) for part in unit.parts]
    return assemble(parts, unit.separator, trailing=bool(elements) and elements[-1].separated)


DECLINED = {
    "one blueprint at two addresses": (
        "a.py",
        "app = Flask()\n",
        'app = Flask()\napp.register_blueprint(x, url_prefix="/a")\n',
        'app = Flask()\napp.register_blueprint(x, url_prefix="/b")\n',
    ),
    "an entry changed and removed": (
        "a.py",
        'X = {\n    "a": 1,\n    "b": 2,\n}\n',
        'X = {\n    "a": 1,\n}\n',
        'X = {\n    "a": 1,\n    "b": 3,\n    "c": 4,\n}\n',
    ),
    "a link changed and removed": (
        "a.html",
        '<nav>\n<a href="/a">A</a>\n<a href="/b">B</a>\n</nav>\n',
        '<nav>\n<a href="/a">A</a>\n</nav>\n',
        '<nav>\n<a href="/a">A</a>\n<a href="/b">Bee</a>\n<a href="/c">C</a>\n</nav>\n',
    ),
    "a key changed and removed": (
        "a.toml",
        "[a]\nx = 1\ny = 2\n",
        "[a]\nx = 1\n",
        "[a]\nx = 1\ny = 30\n",
    ),
    "an import changed and replaced": (
        "a.py",
        "from b import a\nfrom c import d, e\n",
        "from b import a\nfrom c import d, e, f\nfrom g import h\n",
        "from b import a\nfrom g import h\n",
    ),
    "one key with two values": ("a.json", '{\n  "a": 1\n}\n', '{\n  "a": 2\n}\n', '{\n  "a": 3\n}\n'),
    "one new key with two values": ("a.json", '{"z": 1}\n', '{"z": 1, "a": 2}\n', '{"z": 1, "a": 3}\n'),
    "versions": ("a/__init__.py", '__version__ = "1.0"\n', '__version__ = "1.1"\n', '__version__ = "2.0"\n'),
    "versions in a list": ("ci.yml", 'python: ["3.11"]\n', 'python: ["3.11", "3.12"]\n', 'python: ["3.11", "3.13"]\n'),
    "two versions of one requirement": ("requirements.txt", "a\n", "a\nb==1\n", "a\nb==2\n"),
    "one function in two ways": (
        "a.py",
        "x = 1\n",
        "x = 1\n\n\ndef f():\n    return 1\n",
        "x = 1\n\n\ndef f():\n    return 2\n",
    ),
    "one route in two ways": (
        "a.js",
        "const a = 1;\n",
        'const a = 1;\napp.get("/x", one);\n',
        'const a = 1;\napp.get("/x", two);\n',
    ),
    "statements": ("a.py", "def f():\n    a()\n", "def f():\n    a()\n    b()\n", "def f():\n    a()\n    c()\n"),
    "a statement changed and removed": (
        "a.py",
        "def f():\n    a(1)\n    b(2)\n    c()\n",
        "def f():\n    a(1)\n    b(3)\n    c()\n",
        "def f():\n    c()\n",
    ),
    "items of a list in the middle of a function": (
        "a.py",
        "def f(out):\n    out.append(1)\n    return out\n",
        "def f(out):\n    out.append(1)\n    out.append(2)\n    return out\n",
        "def f(out):\n    out.append(1)\n    out.append(3)\n    return out\n",
    ),
    "steps of a script": (
        "a.js",
        "function f(m) {\n  m.set(a, 1);\n}\n",
        "function f(m) {\n  m.set(a, 1);\n  m.set(b, 2);\n}\n",
        "function f(m) {\n  m.set(a, 1);\n  m.push(c);\n}\n",
    ),
    "a sentence": ("a.md", "Some words.\n", "Some ways.\n", "Some wars.\n"),
    "two titles": ("a.html", "<title>A</title>\n", "<title>B</title>\n", "<title>C</title>\n"),
    "releases of two branches": (
        "CHANGES.rst",
        "Changes\n=======\n",
        "Changes\n=======\n\nVersion 1.2\n-----------\n\n- b\n",
        "Changes\n=======\n\nVersion 2.0\n-----------\n\n- c\n",
    ),
    "the same thing said twice": (
        "CHANGES.md",
        "- One thing is new\n",
        "- One thing is new\n- Fix crash on empty input\n",
        "- One thing is new\n- Fix crash on empty input (#77)\n",
    ),
    "steps of a build": (
        "ci.yml",
        "steps:\n  - run: a\n    name: a\n",
        "steps:\n  - run: a\n    name: a\n  - run: b\n    name: b\n",
        "steps:\n  - run: a\n    name: a\n  - run: c\n    name: c\n",
    ),
    "a pattern that takes another one back": (".gitignore", "*.log\n", "*.log\n!keep.log\n", "*.log\n*.tmp\n"),
    "a lock file": ("uv.lock", "a = 1\n", "a = 1\nb = 1\n", "a = 1\nc = 1\n"),
    "a generated file": (
        "api_pb2.py",
        "# Generated. DO NOT EDIT!\nA = 1\n",
        "# Generated. DO NOT EDIT!\nA = 1\nB = 1\n",
        "# Generated. DO NOT EDIT!\nA = 1\nC = 1\n",
    ),
    "a language that is not known": ("a.zig", "a\n", "a\nb\n", "a\nc\n"),
    "a side that does not parse": ("a.py", "a = 1\n", "a = 1\ndef b(:\n", "a = 1\nc = 1\n"),
    "markers of an earlier merge": (
        "a.md",
        "- a\n",
        "- a\n\n<<<<<<< x\n- b\n=======\n- c\n>>>>>>> y\n",
        "- a\n- d\n",
    ),
    "mixed line ends": ("a.md", "- a\n", "- a\r\n- b\n", "- a\n- c\n"),
    "another encoding": ("a.md", "- a\n", "- a\n- \xe9\n".encode("latin-1"), "- a\n- c\n"),
    "a fall through": (
        "a.js",
        'function f(k) {\n  switch (k) {\n    case "a":\n      return 1;\n  }\n}\n',
        'function f(k) {\n  switch (k) {\n    case "a":\n      return 1;\n    case "b":\n      g();\n  }\n}\n',
        'function f(k) {\n  switch (k) {\n    case "a":\n      return 1;\n    case "c":\n      return 3;\n  }\n}\n',
    ),
    "one address of two views": (
        "app.py",
        "app = Flask()\n",
        'app = Flask()\n\n\n@app.route("/search")\ndef find():\n    return 1\n',
        'app = Flask()\n\n\n@app.route("/search")\ndef search():\n    return 2\n',
    ),
    "an address that another one matches": (
        "app.py",
        "app = FastAPI()\n",
        'app = FastAPI()\n\n\n@app.get("/users/{id}")\ndef user(id):\n    return 1\n',
        'app = FastAPI()\n\n\n@app.get("/users/me")\ndef me():\n    return 2\n',
    ),
    "a route for everything": (
        "app.js",
        "app.get('/a', a);\n\napp.listen(1);\n",
        "app.get('/a', a);\napp.get('*', missing);\n\napp.listen(1);\n",
        "app.get('/a', a);\napp.get('/b', b);\n\napp.listen(1);\n",
    ),
    "a pattern for everything": (
        "urls.py",
        'urlpatterns = [\n    path("a", a),\n]\n',
        'urlpatterns = [\n    path("a", a),\n    re_path(r"^.*$", missing),\n]\n',
        'urlpatterns = [\n    path("a", a),\n    path("b", b),\n]\n',
    ),
    "what every request passes and a route": (
        "app.js",
        "app.use(a);\n\napp.listen(1);\n",
        "app.use(a);\napp.use(authenticate);\n\napp.listen(1);\n",
        "app.use(a);\napp.get('/y', y);\n\napp.listen(1);\n",
    ),
    "the answer to every other request": (
        "app.js",
        "app.use(a);\n\napp.listen(1);\n",
        "app.use(a);\napp.use((req, res) => res.status(404).end());\n\napp.listen(1);\n",
        "app.use(a);\napp.use(helmet());\n\napp.listen(1);\n",
    ),
    "one choice in two ways": (
        "a.py",
        'C = [\n    ("a", "A"),\n]\n',
        'C = [\n    ("a", "A"),\n    ("b", "B"),\n]\n',
        'C = [\n    ("a", "A"),\n    ("b", "Bee"),\n]\n',
    ),
    "one object of a list in two ways": (
        "a.js",
        "const r = [\n  { path: '/', c: A },\n];\n",
        "const r = [\n  { path: '/', c: A },\n  { path: '/x', c: B },\n];\n",
        "const r = [\n  { path: '/', c: A },\n  { path: '/x', c: C },\n];\n",
    ),
    "one requirement of a list with two bounds": (
        "pyproject.toml",
        'dependencies = [\n  "a",\n]\n',
        'dependencies = [\n  "a",\n  "b-c>=1",\n]\n',
        'dependencies = [\n  "a",\n  "B_C[x]>=2",\n]\n',
    ),
    "a place in a tuple": ("a.py", "P = (1, 2)\n", "P = (1, 2, 3)\n", "P = (1, 2, 4)\n"),
    "one option of two arguments": (
        "a.py",
        'p.add_argument("-a")\n',
        'p.add_argument("-a")\np.add_argument("--verbose", "-v")\n',
        'p.add_argument("-a")\np.add_argument("--version", "-v")\n',
    ),
    "arguments that are known by their place": (
        "a.py",
        'p.add_argument("-a")\n',
        'p.add_argument("-a")\np.add_argument("source")\n',
        'p.add_argument("-a")\np.add_argument("target")\n',
    ),
    "one selector in a rule and in a query": (
        "a.css",
        ".a { b: c }\n",
        ".a { b: c }\n@media print { .x, .y { color: red } }\n",
        ".a { b: c }\n.y { color: blue }\n",
    ),
    "a property and its shorthand": (
        "a.css",
        ".a {\n  b: c;\n}\n",
        ".a {\n  b: c;\n  margin: 0;\n}\n",
        ".a {\n  b: c;\n  margin-top: 4px;\n}\n",
    ),
    "a template's variable with two values": (
        "a.html",
        "<p>a</p>\n",
        "<p>a</p>\n{% set b = 1 %}\n",
        "<p>a</p>\n{% set b = 2 %}\n",
    ),
    "a block that stands twice": (
        "a.html",
        "<p>a</p>\n",
        "<p>a</p>\n<i>{% block b %}1{% endblock %}</i>\n",
        "<p>a</p>\n<b>{%- block b -%}2{%- endblock %}</b>\n",
    ),
    "one id of two elements": (
        "a.html",
        "<main>\n</main>\n",
        "<main>\n<div id='x'>1</div>\n</main>\n",
        "<main>\n<section id='x'>2</section>\n</main>\n",
    ),
    "one name for two imports": (
        "a.py",
        "app = F()\n",
        "app = F()\nfrom b import bp\napp.register_blueprint(bp)\n",
        "app = F()\nfrom c import bp\napp.register_blueprint(bp)\n",
    ),
    "one name for what may be one module": (
        "a.py",
        "def make():\n    app = F()\n    return app\n",
        "def make():\n    app = F()\n    from .b import bp\n    app.register_blueprint(bp)\n    return app\n",
        "def make():\n    app = F()\n    from app.b import bp\n    app.register_blueprint(bp)\n    return app\n",
    ),
    "one name for two imports, and one registered by both": (
        "a.py",
        "def make():\n    app = F()\n    return app\n",
        "def make():\n    app = F()\n    from b import x\n    app.register_blueprint(x)\n    from b import bp\n"
        "    app.register_blueprint(bp)\n    return app\n",
        "def make():\n    app = F()\n    from b import x, y\n    app.register_blueprint(x)\n    from c import bp\n"
        "    app.register_blueprint(bp)\n    return app, y\n",
    ),
    "one name for two imports, used once more": (
        "a.py",
        "def make():\n    app = F()\n    return app\n",
        "def make():\n    app = F()\n    from b import bp\n    app.register_blueprint(bp)\n    return app, bp\n",
        "def make():\n    app = F()\n    from c import bp\n    app.register_blueprint(bp)\n    return app\n",
    ),
    "one name for two imports, used later on": (
        "a.py",
        "def make():\n    app = F()\n    return app\n",
        "def make():\n    app = F()\n    from b import bp\n    app.register_view(lambda: bp)\n    return app\n",
        "def make():\n    app = F()\n    from c import bp\n    app.register_blueprint(bp)\n    return app\n",
    ),
    "one name for an import and what is around it": (
        "a.py",
        "x = 1\n\n\ndef make():\n    app = F()\n    return app\n",
        "from b import bp\n\nx = 1\n\n\ndef make():\n    app = F(bp)\n    return app\n",
        "x = 1\n\n\ndef make():\n    app = F()\n    from c import bp\n    app.register_blueprint(bp)\n    return app\n",
    ),
    "one variable of two cases": (
        "a.js",
        'function f(k) {\n  switch (k) {\n    case "a":\n      return 1;\n  }\n}\n',
        'function f(k) {\n  switch (k) {\n    case "a":\n      return 1;\n    case "b":\n      const x = 2;\n'
        "      return x;\n  }\n}\n",
        'function f(k) {\n  switch (k) {\n    case "a":\n      return 1;\n    case "c":\n      const x = 3;\n'
        "      return x;\n  }\n}\n",
    ),
    "one selector of nested rules": (
        "a.css",
        ".a { b: c }\n",
        ".a { b: c }\n.x, .y { &:hover { color: red } }\n",
        ".a { b: c }\n.y { top: 0; &:hover { color: blue } }\n",
    ),
    "one name for two modules": (
        "a.js",
        "const e = 1;\n\ne();\n",
        "const e = 1;\nconst r = require('./b');\n\ne();\ne.use('/b', r);\n",
        "const e = 1;\nconst { q: r } = require('./c');\n\ne();\ne.use('/c', r);\n",
    ),
    "one name for an import and a function": (
        "a.ts",
        "const e = 1;\n",
        "const e = 1;\nimport { x as r } from './b';\n",
        "const e = 1;\nexport function r() {}\n",
    ),
    "members with one value": (
        "a.py",
        "class A(enum.IntEnum):\n    a = 1\n",
        "class A(enum.IntEnum):\n    a = 1\n    b = 2\n",
        "class A(enum.IntEnum):\n    a = 1\n    c = 2\n",
    ),
    "members with one value in TypeScript": (
        "a.ts",
        "enum A {\n  A = 1,\n}\n",
        "enum A {\n  A = 1,\n  B = 2,\n}\n",
        "enum A {\n  A = 1,\n  C = 2,\n}\n",
    ),
    "a version of parts": ("a.py", "VERSION = (1, 2, 0)\n", "VERSION = (1, 3, 0)\n", "VERSION = (1, 2, 1)\n"),
    "two attributes of one pattern": (
        ".gitattributes",
        "* text\n",
        "* text\n*.png binary\n",
        "* text\n*.png -text\n",
    ),
    "what is packaged and what is not": (
        "MANIFEST.in",
        "include a\n",
        "include a\nrecursive-include b *\n",
        "include a\nexclude b/c\n",
    ),
    "owners, of whom the last one counts": ("CODEOWNERS", "* @a\n", "* @a\n/x @b\n", "* @a\n/x/y @c\n"),
    "both branches of a condition": (
        "a.html",
        "{% if a %}\n<p>1</p>\n{% endif %}\n",
        "{% if a %}\n<p>1</p>\n{% else %}\n<p>2</p>\n{% endif %}\n",
        "{% if a %}\n<p>1</p>\n{% elif b %}\n<p>3</p>\n{% endif %}\n",
    ),
}


@pytest.mark.parametrize("name", DECLINED)
def test_what_is_no_addition_or_does_not_commute_is_left_to_others(name: str) -> None:
    path, base, ours, theirs = DECLINED[name]
    for sides in ((ours, theirs), (theirs, ours)):
        result = merge(path, base, *sides)
        assert isinstance(result, Declined), result
        assert result.reason


def test_a_merge_of_one_side_with_itself_is_that_side() -> None:
    for case in CASES.values():
        base, ours, _, _ = versions(case)
        result = merge(case.path, base, ours, ours)
        assert isinstance(result, Resolution) and result.data.decode() == ours


def test_an_import_that_is_deleted_goes_only_where_nothing_uses_it() -> None:
    base = "import json\nimport os\n\n\ndef a():\n    return json.dumps(os.name)\n"
    ours = "import os\n\n\ndef a():\n    return os.name\n"
    unused = base.replace("import json\n", "import json\nimport re\n") + "\n\ndef b():\n    return re.escape('x')\n"
    used = unused.replace("re.escape", "json.loads")
    result = merge("a.py", base, ours, unused)
    assert isinstance(result, Resolution) and b"import json" not in result.data
    result = merge("a.py", base, ours, used)
    assert isinstance(result, Declined) and "json" in result.reason


def test_an_import_of_a_module_that_the_other_side_removed_is_no_merge() -> None:
    base = "from app import a\n\nprint(a)\n"
    ours = "from app import a\nfrom app.risk import rate\n\nprint(a, rate)\n"
    theirs = "from app import a\nfrom app.text import wrap\n\nprint(a)\nprint(wrap)\n"
    files = ("app/__init__.py", "app/text.py", "main.py")
    result = merge("main.py", base, ours.replace("(a, rate)", "(a)"), theirs, files)
    assert isinstance(result, Declined) and "app/risk" in result.reason
    result = merge("main.py", base, ours.replace("(a, rate)", "(a)"), theirs, (*files, "app/risk.py"))
    assert isinstance(result, Resolution)


def test_a_script_that_imports_what_is_not_there_is_no_merge() -> None:
    base = 'const a = require("./a");\n'
    ours, theirs = base + 'const b = require("./b");\n', base + 'const c = require("./c");\n'
    assert isinstance(merge("x/main.js", base, ours, theirs, ("x/a.js", "x/c.js")), Declined)
    assert isinstance(merge("x/main.js", base, ours, theirs, ("x/a.js", "x/b/index.js", "x/c.ts")), Resolution)


def test_windows_line_ends_stay_and_the_side_that_changed_them_decides() -> None:
    base, ours, theirs, expected = versions(CASES["markdown"])
    windows = [text.replace("\n", "\r\n") for text in (base, ours, theirs)]
    result = merge("README.md", *windows)
    assert isinstance(result, Resolution) and result.data.decode() == expected.replace("\n", "\r\n")
    result = merge("README.md", base, windows[1], theirs)
    assert isinstance(result, Resolution) and result.data.decode() == expected.replace("\n", "\r\n")


def test_the_last_separator_is_that_of_the_side_that_has_elements() -> None:
    base = "interface A {\n  a: 1;\n}\n\ninterface B {\n  b: 1;\n}\n"
    ours = "interface A {\n}\n\ninterface B {\n  b: 1;\n  c: 2;\n}\n"
    theirs = "interface A {\n  d: 3;\n}\n\ninterface B {\n  b: 1;\n  e: 4;\n}\n"
    result = merge("a.ts", base, ours, theirs)
    assert isinstance(result, Resolution), result
    assert result.data.decode() == "interface A {\n  d: 3;\n}\n\ninterface B {\n  b: 1;\n  c: 2;\n  e: 4;\n}\n"


def test_a_file_without_a_final_newline() -> None:
    result = merge("requirements.txt", "a", "a\nb", "a\nc")
    assert isinstance(result, Resolution) and result.data == b"a\nb\nc"


def test_an_encoding_that_a_file_declares_is_kept() -> None:
    text = "# -*- coding: latin-1 -*-\nA = 'é'\n"
    sides = [(text + added).encode("latin-1") for added in ("", "B = 'ü'\n", "C = 'ö'\n")]
    result = merge("a.py", *sides)
    assert isinstance(result, Resolution) and result.data.decode("latin-1") == text + "B = 'ü'\nC = 'ö'\n"


def test_a_large_file_is_left_alone_quickly() -> None:
    line = b"- a line of a list that goes on and on\n"
    result = merge("a.md", line * 500_000, line * 500_000 + b"- b\n", line * 500_000 + b"- c\n")
    assert isinstance(result, Declined) and "large" in result.reason


def test_new_files_of_both_sides() -> None:
    result = merge("requirements-dev.txt", None, "pytest\n", "ruff\n")
    assert isinstance(result, Resolution) and result.data == b"pytest\nruff\n"
    one = "import re\n\nA = re.compile('a')\nB = re.compile('b')\n"
    assert isinstance(merge("a.py", None, one, one + "C = 1\n"), Declined)


def test_every_language_is_found_by_the_names_of_its_files() -> None:
    for language in LANGUAGES:
        for suffix in language.suffixes:
            assert language_of(f"some/where{suffix}") in LANGUAGES
    assert language_of("docs/requirements-dev.txt").name == "requirements"  # type: ignore[union-attr]
    assert language_of("Makefile") is None
