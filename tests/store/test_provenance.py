import itertools
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.history import History
from standins.stores import Store, git

from vdo.job import EMPTY_TREE, Oid
from vdo.store import objects
from vdo.store.git import Git
from vdo.store.index import Index
from vdo.store.provenance import Provenance
from vdo.store.trees import differences
from vdo.tree import Content, Mode

PATHS = ["a", "b", "d/a", "d/e/f", "d", "x.py", "é", "-n", "*.c"]
contents = st.builds(
    Content, st.sampled_from([Mode.FILE, Mode.EXECUTABLE, Mode.SYMLINK]), st.sampled_from([b"1", b"2", b"3"])
)
edits = st.lists(st.tuples(st.sampled_from(PATHS), st.none() | contents), max_size=3)
# Per commit: which earlier ones are its parents, what a merge takes from the further ones, and its own changes.
steps = st.tuples(st.lists(st.integers(0, 11), max_size=3), st.sets(st.sampled_from(PATHS)), edits)
histories = st.lists(steps, min_size=1, max_size=12)

Files = dict[str, Content]


def put(files: Files, path: str, content: Content | None) -> None:
    if content is None:
        files.pop(path, None)
        return
    for other in [other for other in files if other.startswith(path + "/") or path.startswith(other + "/")]:
        del files[other]
    files[path] = content


def build(history: History, plan) -> tuple[list[Oid], list[Files], list[list[Oid]]]:
    made: list[Oid] = []
    trees: list[Files] = []
    above: list[list[Oid]] = []
    for wanted, taken, changes in plan:
        numbers = list(dict.fromkeys(number % len(made) for number in wanted)) if made else []
        files = dict(trees[numbers[0]]) if numbers else {}
        for number in numbers[1:]:
            for path in sorted(taken):
                put(files, path, trees[number].get(path, files.get(path)))
        for path, content in changes:
            put(files, path, content)
        parents = [made[number] for number in numbers]
        oid = history.commit(files, *parents)
        if oid not in made:  # a root commit with the same files again
            made.append(oid)
            trees.append(files)
            above.append(parents)
    return made, trees, above


def by_git(folder: Path, commit: Oid, paths) -> dict[str, str]:
    env = {**os.environ, "GIT_LITERAL_PATHSPECS": "1"}
    found = {}
    for path in paths:
        command = ["git", "log", "-1", "--format=%H", commit, "--", path]
        found[path] = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True).stdout.strip()
    return found


@settings(max_examples=40)
@given(histories)
def test_every_file_has_the_commit_that_git_log_shows(plan):
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder) / "repo.git")
        made, trees, above = build(history, plan)
        runner = Git(history.path)
        cold = Provenance(runner, Index(Path(folder), runner))
        (Path(folder) / "warm").mkdir()
        warm = Provenance(runner, Index(Path(folder) / "warm", runner))
        store = Store.at(history.path)
        for commit, parents in zip(made, above, strict=True):  # as jobs keep them, one after another
            trees_of = [objects.tree_of(store.repo, oid) for oid in (commit, *parents[:1])]
            statuses = dict(differences(store.repo, trees_of[1] if parents else EMPTY_TREE, trees_of[0]))
            if len(statuses) % 2:
                warm.keep(commit, parents[0] if parents else None, statuses)
            else:
                warm.changes(commit, parents[0] if parents else None)

        for number in {len(made) - 1, len(made) // 2}:
            expected = by_git(history.path, made[number], trees[number])
            assert cold.origins(made[number]) == expected
            assert warm.origins(made[number]) == expected
            assert cold.origins(made[number]) == expected  # from the cache
        cold._index.close()
        warm._index.close()
        store.close()


def test_jobs_and_people_are_told_apart(store: Store, tmp_path):
    shell = store.completed("Shell", {"app.py": "1\n", "base.html": "1\n", "old.py": "1\n", "pkg/a.py": "1\n"})
    person = tmp_path / "person"
    git(tmp_path, "clone", "-q", "-b", "job/1", str(store.path), str(person))
    (person / "base.html").write_text("by hand\n")
    (person / "hand.py").write_text("x\n")
    git(person, "add", ".")
    git(person, "commit", "-q", "-m", "people commit too")
    git(person, "push", "-q", "origin", "job/1")
    hand = git(person, "rev-parse", "HEAD")

    child = store.completed("Child", {"app.py": "2\n", "old.py": None, "new.py": "3\n"}, extends=shell.ref)

    origins = store.provenance.origins(child.commit)
    assert origins == {
        "app.py": child.commit,
        "new.py": child.commit,
        "base.html": hand,
        "hand.py": hand,
        "pkg/a.py": shell.commit,
    }
    assert store.index.commits(origins.values()) == {shell.commit: 1, child.commit: 2}
    assert store.provenance.changes(child.commit, child.base) == {
        "app.py": ("M", child.commit),
        "old.py": ("D", child.commit),
        "new.py": ("A", child.commit),
    }


def test_a_merge_did_not_change_what_it_took_over(store: Store):
    base = store.completed("Base", {"app": "1\n"})
    left = store.completed("Left", {"left": "1\n"}, extends=base.ref)
    right = store.completed("Right", {"right": "1\n", "app": "2\n"}, extends=base.ref)
    job = store.new("Merge", extends=left.ref, merges=(right.ref,))
    files = {"right": "1\n", "app": "2\n", "glue": "1\n"}
    merged = store.finish(store.build(job, files, merges=[right.commit]))

    expected = {"app": right.commit, "left": left.commit, "right": right.commit, "glue": merged.commit}
    assert store.provenance.changes(merged.commit, left.commit) == {
        "app": ("M", right.commit),
        "right": ("A", right.commit),
        "glue": ("A", merged.commit),
    }
    assert store.provenance.origins(merged.commit) == expected
    assert expected == by_git(store.path, merged.commit, expected)


def test_a_long_chain_of_jobs(store: Store):
    """More steps than a snapshot covers, each known by its difference only."""
    history = History(store.path)
    commits = [history.commit({"f0": "0", "all": "0"})]
    store.provenance.keep(commits[0], None, {"f0": "A", "all": "A"})
    files = {"f0": "0", "all": "0"}
    for number in range(1, 150):
        files = {**files, f"f{number}": "x", "all": str(number)}
        commits.append(history.commit(files, commits[-1]))
        store.provenance.keep(commits[-1], commits[-2], {f"f{number}": "A", "all": "M"}, merge=False)

    for _ in range(2):
        origins = store.provenance.origins(commits[-1])
        assert origins["all"] == commits[-1]
        assert [origins[f"f{number}"] for number in range(150)] == commits
    assert [commit for commit in commits if (store.index.origins(commit) or (0, 0, None))[2]] == [commits[-1]]


def test_large_differences_go_through(store: Store):
    """More names than a pipe holds at once."""
    history = History(store.path)
    files = {f"a rather long folder name/{number:05}" + "x" * 80: "1" for number in range(3000)}
    first = history.commit(files)
    second = history.commit({name: "2" for name in files}, first)
    third = history.commit({**{name: "2" for name in files}, "one more": "1"}, second)

    origins = store.provenance.origins(third)

    assert set(origins.values()) == {second, third} and origins["one more"] == third


@pytest.mark.parametrize("how", ["shallow", "root"])
def test_histories_that_end_somewhere(store: Store, tmp_path, how):
    history = History(tmp_path / "repo.git")
    first = history.commit({"a": "1", "b": "1"})
    second = history.commit({"a": "2", "b": "1"}, first)
    third = history.commit({"a": "2", "b": "1", "c": "1"}, second)
    if how == "root":
        where, expected = history.path, {"a": second, "b": first, "c": third}
    else:
        where = tmp_path / "shallow.git"
        history.git("update-ref", "refs/heads/main", third)
        git(tmp_path, "clone", "-q", "--bare", "--depth=2", "-b", "main", f"file://{history.path}", str(where))
        expected = {"a": second, "b": second, "c": third}  # as `git log` there says

    assert Store.at(where).provenance.origins(third) == expected
    assert by_git(where, third, expected) == expected


def test_a_cache_that_cannot_be_kept_is_done_without(store: Store, monkeypatch):
    job = store.completed("One", {"a": "1"})
    monkeypatch.setattr(store.index, "keep_origins", lambda *_args, **_named: None)

    assert store.provenance.changes(job.commit, None) == {"a": ("A", job.commit)}
    assert store.provenance.origins(job.commit) == {"a": job.commit}


def test_an_empty_project(store: Store):
    job = store.completed("Empty", {})
    assert store.provenance.origins(job.commit) == {} == store.provenance.changes(job.commit, None)


def test_names_that_are_no_text(store: Store):
    names = ["na\udcffve", "two\nlines", 'quote"', "tab\t"]
    blob = git(store.path, "hash-object", "-w", "--stdin", stdin=b"x")
    raw = b"".join(b"100644 blob %s\t%s\0" % (blob.encode(), os.fsencode(name)) for name in sorted(names))
    tree = git(store.path, "mktree", "-z", stdin=raw)
    commit = Oid(git(store.path, "commit-tree", "-m", "x", tree))

    assert store.provenance.origins(commit) == dict.fromkeys(names, commit) == store.provenance.origins(commit)
    assert store.provenance.changes(commit, None) == {name: ("A", commit) for name in names}


def test_order_does_not_come_from_clocks(store: Store):
    """A child that claims to be older than its parent."""
    times = itertools.count(1_700_000_000, -1000)
    tree_one = git(store.path, "mktree", stdin=b"")
    blob = git(store.path, "hash-object", "-w", "--stdin", stdin=b"x")
    tree_two = git(store.path, "mktree", stdin=f"100644 blob {blob}\ta\n".encode())
    parent, chain = "", []
    for tree in (tree_one, tree_two, tree_two, tree_two):
        date = {"GIT_COMMITTER_DATE": f"{next(times)} +0000", "GIT_AUTHOR_DATE": "1700000000 +0000"}
        parent = git(store.path, "commit-tree", "-m", "x", *(["-p", parent] if parent else []), tree, **date)
        chain.append(parent)

    assert store.provenance.origins(Oid(chain[-1])) == {"a": chain[1]}
