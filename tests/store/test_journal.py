import dataclasses
import shutil
import subprocess

import pytest
from standins.stores import Store, git

from vdo.errors import RefConflict, RepositoryError
from vdo.job import EMPTY_TREE, Revision, State
from vdo.store import commits, messages, objects


def chain(store: Store, number: int) -> list[str]:
    return git(store.path, "rev-list", "--first-parent", f"refs/vdo/jobs/{number}").splitlines()


def test_the_journal_is_a_chain_that_counts(store: Store):
    job = store.completed("One", {"a.py": "1\n"})
    job = store.journals.append(job, "Note\n[CREATED] a.py\n[INHERITED] 0 files")

    entries = list(store.journals.entries(job.journal))

    assert [entry.job.seq for entry in entries] == [4, 3, 2, 1, 0]
    assert [entry.job.journal for entry in entries] == chain(store, 1)
    assert [entry.job.state.value for entry in entries] == [
        "completed",
        "completed",
        "publishing",
        "building",
        "queued",
    ]
    assert entries[0].note == "Note\n\n[CREATED] a.py\n[INHERITED] 0 files"
    assert [entry.job.uid for entry in entries] == [job.uid] * 5
    assert git(store.path, "cat-file", "-t", f"{job.journal}:work/a.py") == "blob"
    assert git(store.path, "ls-tree", "--name-only", f"{job.journal}:record").split() == ["description", "spec.json"]


def test_the_job_commit_reads_as_the_contract_says(store: Store):
    first = store.completed("Shell", {"app.py": "1\n"})
    job = store.new("Risk  page", "Adds a page.\n\nWith two\nparagraphs.\n", extends=first.ref)
    published = store.build(job, {"risk.py": "2\n"})
    done = store.finish(published)

    message = git(store.path, "log", "-1", "--format=%B", "job/2").rstrip("\n")
    journal = git(store.path, "rev-parse", f"{published.journal}^1")
    assert message == (
        "Risk  page\n\nAdds a page.\n\nWith two\nparagraphs.\n\n"
        f"Vdo-Job: 2\nVdo-Id: {job.uid}\nVdo-Project: {first.uid}\nVdo-Extends: 1 {first.uid}\n"
        f"Vdo-Base: {first.commit}\nVdo-State: completed\nVdo-Agent: replay\nVdo-Checks: none\n"
        f"Vdo-Journal: {journal}"
    )
    assert git(store.path, "log", "-1", "--format=%P %T", "job/2").split() == [
        first.commit,
        store.journals.trees(done.journal)[0],
    ]
    assert git(store.path, "diff", "--name-status", "job/2^1", "job/2") == "A\trisk.py"
    assert git(store.path, "log", "-1", "--format=%an <%ae>", "job/2") == "Ada Tester <ada@example.com>"


def test_a_job_on_a_revision_names_it(store: Store):
    base = store.completed("One").commit
    git(store.path, "branch", "main branch".replace(" ", "-"), base)
    job = store.new("Two", extends=Revision("main~0 @{now}", base))

    assert git(store.path, "log", "-1", "--format=%(trailers:key=Vdo-Base-Name,valueonly)", job.journal).strip() == (
        "main~0%20@{now}"
    )
    assert store.job(2).extends == Revision("main~0 @{now}", base)
    assert (job.base, job.project) == (base, job.uid)
    assert git(store.path, "log", "-1", "--format=%P", job.journal) == base


def test_what_a_journal_names_survives_git_gc(store: Store, tmp_path):
    base = store.completed("Base", {"a": "1\n"})
    aside = store.work(base.commit, {"b": "2\n"})
    side = commits.write(store.repo, store.identity, "nobody's", aside, [base.commit], (0, 0))
    job = store.build(store.new("Child", extends=base.ref), {"c": "3\n"}, merges=[side])
    # The base's branch goes away, the child's was never made.
    git(store.path, "update-ref", "-d", "refs/heads/job/1")
    git(store.path, "update-ref", "-d", "refs/vdo/jobs/1")
    copy = tmp_path / "copy.git"
    shutil.copytree(store.path, copy)

    git(copy, "-c", "gc.pruneExpire=now", "reflog", "expire", "--expire=now", "--all")
    git(copy, "gc", "-q", "--prune=now")

    for oid in (base.commit, side, job.commit, job.journal):
        assert git(copy, "cat-file", "-t", oid) == "commit"
    assert Store.at(copy).job(2) == job
    Store.at(copy).fsck()


def test_a_stale_holder_changes_nothing(store: Store):
    old = store.new("One")
    new = store.journals.append(dataclasses.replace(old, state=State.BUILDING), "Somebody else")
    before = store.all_refs()

    with pytest.raises(RefConflict) as caught:
        store.journals.append(dataclasses.replace(old, state=State.COMPLETED), "A zombie's checkpoint")

    assert "run the command again" in caught.value.hint
    assert store.all_refs() == before
    assert Store.at(store.path).job(1) == new == store.job(1)


def test_after_a_conflict_the_index_is_not_believed(store: Store):
    """A journal that moved within one tick of the file system's clock leaves the stamp as it was."""
    old = store.new("One")
    new = store.journals.append(old, "Moved")
    store.index.record(old, messages.journal_message(old, "x"), "")  # the index as it would be then
    assert store.job(1) == old

    with pytest.raises(RefConflict):
        store.journals.append(store.job(1), "From the old state")

    assert store.job(1) == new


def test_everything_is_sound_for_git(store: Store):
    first = store.completed("One", {"a": "1", "b/c": "2"})
    store.completed("Two", {"a": None}, extends=first.ref)
    store.completed("Empty", {})
    store.new("Queued")
    store.fsck()
    assert objects.tree_of(store.repo, store.job(3).commit) == EMPTY_TREE

    subprocess.run(["git", "clone", "-q", "--mirror", "--no-local", store.path, store.path / "x"], check=True)
    git(store.path / "x", "fsck", "--strict", "--full")


def test_a_project_that_becomes_empty_is_stored(store: Store):
    first = store.completed("One", {"only": "1"})
    second = store.completed("Two", {"only": None}, extends=first.ref)

    assert git(store.path, "ls-tree", "job/2") == ""
    assert store.journals.trees(second.journal)[0] == EMPTY_TREE
    store.fsck()


def test_records_are_kept_until_they_are_replaced(store: Store):
    job = store.new("One", "text")
    job = store.journals.append(job, "a", record={"messages/0": b"\0\xff", "plan.json": b"{}"})
    job = store.journals.append(job, "b", record={"plan.json": b'{"x": 1}'})

    names = ["messages/0", "plan.json", "nothing", "description"]
    assert list(store.records(job, names).values()) == [b"\0\xff", b'{"x": 1}', None, b"text"]
    assert store.record_json(job, "plan.json") == {"x": 1}


def test_a_missing_journal_entry_is_one_clear_error(store: Store):
    job = store.new("One")
    job = store.journals.append(job, "two")
    path = store.path / "objects" / job.journal[:2] / job.journal[2:]
    path.unlink()

    with pytest.raises(RepositoryError, match=f"object {job.journal} is missing"):
        list(Store.at(store.path).journals.entries(job.journal))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="signing needs a key, and ssh-keygen to make one")
def test_a_signed_commit_is_made_by_git(store: Store, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingKey", str(tmp_path / "key.pub")),
        ("commit.gpgSign", "true"),
        ("i18n.commitEncoding", "ISO-8859-1"),
    ):
        git(store.path, "config", name, value)

    job = store.completed("Grün", description="naïve")

    raw = git(store.path, "cat-file", "commit", job.commit)
    assert "gpgsig -----BEGIN SSH SIGNATURE-----" in raw and "\nencoding " not in raw
    assert git(store.path, "-c", "i18n.logOutputEncoding=UTF-8", "log", "-1", "--format=%s", "job/1") == "Grün"
    assert git(store.path, "log", "-1", "--format=%(trailers:key=Vdo-Job,valueonly)", "job/1").strip() == "1"
