import time

import pytest

from vdo.globs import matcher


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.py", ["app.py"], ["src/app.py", "app.pyc"]),
        ("**/*.py", ["app.py", "src/a/app.py"], ["app.js"]),
        ("src/**", ["src/a", "src/a/b"], ["src", "lib/src/a"]),
        ("src/**/test_*.py", ["src/test_a.py", "src/x/y/test_a.py"], ["test_a.py"]),
        ("**/**/a", ["a", "x/y/a"], ["b"]),
        ("*.{js,ts}", ["a.js", "a.ts"], ["a.jsx"]),
        ("[ab]?.txt", ["a1.txt"], ["c1.txt", "a.txt"]),
        ("**", ["a", "a/b"], []),
        ("[", ["["], ["a"]),
    ],
)
def test_patterns(pattern, yes, no):
    match = matcher([pattern])

    assert [path for path in yes if not match(path)] == []
    assert [path for path in no if match(path)] == []


def test_a_hostile_pattern_ends_soon():
    began = time.process_time()  # of ours: others may keep the machine busy

    assert not matcher(["*a" * 200 + "b", "**/a/" * 30 + "b", "{a,b}" * 40])("a/" * 60 + "a" * 200)
    assert time.process_time() - began < 2
