import os
import subprocess
import sys
from pathlib import Path

from standins.stores import Store

SCRIPT = """
import os, sys
from vdo.store.location import discover
from vdo.store.reader import Reader
from vdo.store.index import Query
reader = Reader(discover(sys.argv[1], os.environ))
jobs = reader.jobs(Query())
job = reader.find("@")
assert reader.description(job) == "text" and reader.record_json(job, "spec.json")["title"] == "Two"
assert [child.id for child in reader.children(reader.job(1))] == [2]
assert reader.provenance.origins(job.commit) and reader.tip(job) == job.commit and reader.state(job)
print(*sorted({"pygit2", "_pygit2", "yaml", "anthropic", "rich"} & sys.modules.keys()))
"""


def test_reading_imports_neither_pygit2_nor_yaml(store: Store):
    first = store.completed("One", {"a": "1"})
    store.completed("Two", {"b": "1"}, description="text", extends=first.ref)

    done = subprocess.run([sys.executable, "-c", SCRIPT, store.path], capture_output=True, text=True, env=os.environ)

    assert done.stdout == "\n", done.stderr


def test_listing_starts_at_most_one_process(store: Store, tmp_path):
    """A git in front of the real one counts; the index is made from nothing."""
    for _ in range(3):
        store.completed("One", {"a": "1"})
    store.close()
    (store.path / "vdo/index.sqlite").unlink()
    count = tmp_path / "count"
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True).stdout.strip()
    fake.write_text(f'#!/bin/sh\necho x >> {count}\nexec {real} "$@"\n')
    fake.chmod(0o755)
    env = {**os.environ, "PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}"}
    script = SCRIPT.partition("job = ")[0] + "print(len(jobs))"

    for expected in ("x\n", "x\n"):  # the second time none
        done = subprocess.run([sys.executable, "-c", script, store.path], capture_output=True, text=True, env=env)
        assert done.stdout == "3\n", done.stderr
        assert Path(count).read_text() == expected
