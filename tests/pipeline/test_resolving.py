import os
import subprocess

import pytest
from standins.anthropic_api import say, tool
from standins.merges import TEXT, fork, merged, resolved
from standins.projects import Project, script
from standins.stores import git

from vdo.errors import JobStateError, UsageError
from vdo.job import State
from vdo.pipeline.conflicts import Progress
from vdo.tree import Mode

OURS, THEIRS = TEXT.replace("second", "ours"), TEXT.replace("second", "theirs")
BOTH = "first\nours and theirs\nthird\n"


@pytest.fixture
def conflict(project, tmp_path):
    """Job #4 merges #2 and #3, and is in conflict about `text` and `gone`."""
    fork(
        project,
        tmp_path,
        {"text": TEXT, "gone": "1\n", "other": "other\n"},
        {"text": OURS, "gone": None},
        {"text": THEIRS, "gone": "2\n", "dir/three": "3\n"},
        checks=("test -f other",),
    )
    assert merged(project, 2, 3).state is State.CONFLICTED
    return project


@pytest.fixture
def folder(conflict, tmp_path):
    """What `vdo resolve 4 --checkout` wrote."""
    where = tmp_path / "resolving"
    assert [file.path for file in conflict.service.check_out_conflict("4", where)] == ["gone", "text"]
    return where


def go_on(project, folder):
    project.run(project.service.continue_conflict("4", folder))
    return project.job(4)


def test_the_folder_is_a_merge_that_git_knows(folder):
    assert git(folder, "status", "--porcelain=v1").splitlines() == [
        "A  dir/three",
        "DU gone",
        "UU text",
    ]
    assert git(folder, "diff", "--name-only", "--diff-filter=U").splitlines() == ["gone", "text"]
    assert git(folder, "show", ":1:text") + "\n" == TEXT
    assert git(folder, "show", ":2:text") + "\n" == OURS
    assert git(folder, "show", ":3:text") + "\n" == THEIRS
    assert "You have unmerged paths" in git(folder, "status")
    assert (folder / "text").read_text().startswith("first\n<<<<<<< job #2\nours\n||||||| base\nsecond\n=======\n")
    assert (folder / "dir" / "three").read_text() == "3\n"


def test_a_folder_that_was_resolved_in_an_editor(conflict, folder):
    (folder / "text").write_text(BOTH)
    (folder / "gone").unlink()
    (folder / "text.orig").write_text("what a merge tool leaves\n")
    (folder / "text_BACKUP_123").write_text("what a merge tool leaves\n")
    (folder / "needed").write_text("so that both work\n")
    job = go_on(conflict, folder)

    assert job.state is State.COMPLETED, job.error
    assert set(conflict.files("job/4")) == {".vdo.yaml", "text", "other", "dir/three", "needed"}
    assert conflict.read("job/4", "text") == BOTH
    assert resolved(conflict, job) == {"gone": "person", "text": "person"}
    trailers = conflict.git("log", "-1", "--format=%(trailers:key=Vdo-Resolved,valueonly)", "job/4").split()
    assert trailers == ["gone=person", "text=person"]
    assert "Resolved by hand\n\n[RESOLVED] gone (person)\n[RESOLVED] text (person)\n[CREATED] needed" in conflict.log(
        job
    )
    assert job.agent is None and job.error is None
    assert [check.passed for check in conflict.service.readings.show("4").checks] == [True]
    assert conflict.git("rev-list", "--parents", "-1", "job/4").split()[1:] == [conflict.job(n).commit for n in (2, 3)]


def test_a_folder_that_was_resolved_and_committed_with_git(conflict, folder):
    (folder / "text").write_text(BOTH)
    git(folder, "add", "text")
    git(folder, "rm", "-q", "--force", "gone")
    git(folder, "commit", "-q", "-m", "By hand")
    assert git(folder, "status", "--porcelain") == ""
    assert len(git(folder, "rev-list", "--parents", "-1", "HEAD").split()) == 3
    job = go_on(conflict, folder)
    assert job.state is State.COMPLETED, job.error
    assert set(conflict.files("job/4")) == {".vdo.yaml", "text", "other", "dir/three"}


def test_a_merge_tool_of_git_can_be_used(conflict, folder, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\n(head -n 1 "$2"; echo "ours and theirs"; tail -n 1 "$3") > "$4"\n')
    tool.chmod(0o755)
    command = f'mergetool.mine.cmd={tool} "$BASE" "$LOCAL" "$REMOTE" "$MERGED"'
    settings = ("-c", command, "-c", "mergetool.mine.trustExitCode=true")
    git(folder, *settings, "mergetool", "--no-prompt", "--tool=mine", "text")
    assert (folder / "text").read_text() == BOTH
    assert (folder / "text.orig").exists()
    git(folder, "add", "gone")
    job = go_on(conflict, folder)
    assert job.state is State.COMPLETED, job.error
    assert (conflict.read("job/4", "text"), conflict.read("job/4", "gone")) == (BOTH, "2\n")
    assert "text.orig" not in conflict.files("job/4")


def test_markers_that_are_left_are_refused(conflict, folder):
    (folder / "gone").unlink()
    for text in (None, BOTH + "=======\n", ">>>>>>> job #3\r\n" + BOTH):
        if text is not None:
            (folder / "text").write_text(text)
        with pytest.raises(UsageError, match="conflict markers are left in text") as refused:
            conflict.service.continue_conflict("4", folder)
        assert refused.value.hint.endswith(f"vdo resolve 4 --continue {folder}")
    assert conflict.job(4).state is State.CONFLICTED


def test_a_file_without_markers_must_be_decided(conflict, folder):
    (folder / "text").write_text(BOTH)
    with pytest.raises(UsageError, match="nothing was decided about gone") as refused:
        conflict.service.continue_conflict("4", folder)
    assert "`git add FILE`" in refused.value.hint
    git(folder, "add", "gone")
    assert go_on(conflict, folder).state is State.COMPLETED
    assert conflict.read("job/4", "gone") == "2\n"


def test_only_the_folder_of_this_conflict_is_taken(conflict, folder, tmp_path):
    with pytest.raises(UsageError, match="was not made by `vdo resolve --checkout`"):
        conflict.service.continue_conflict("4", tmp_path)
    with pytest.raises(UsageError, match="is there already, and not empty"):
        conflict.service.check_out_conflict("4", folder)
    other = merged(conflict, 2, 3)
    with pytest.raises(UsageError, match="belongs to another job"):
        conflict.service.continue_conflict(str(other.id), folder)
    (folder / "text").write_text(BOTH)
    (folder / "gone").unlink()
    conflict.service.continue_conflict("4", folder)
    with pytest.raises(JobStateError, match="there is no conflict to resolve"):
        conflict.service.continue_conflict("4", folder)
    with pytest.raises(JobStateError, match="#2 is completed: there is no conflict"):
        conflict.service.check_out_conflict("2", tmp_path / "new")


def test_red_checks_after_a_resolution_are_mended_by_hand_too(project, tmp_path):
    fork(project, tmp_path, {"text": TEXT}, {"text": OURS}, {"text": THEIRS}, checks=("! grep -q red text",))
    job = merged(project, 2, 3)
    project.run(project.service.resolve_files("4", {"text": b"red\n"}))
    job = project.job(job)
    assert job.state is State.FAILED
    assert job.error == (
        "the checks failed: `! grep -q red text` (`vdo resolve 4 --checkout DIR` gives a folder to mend it in)"
    )

    where = tmp_path / "mending"
    assert project.service.check_out_conflict("4", where) == ()
    assert git(where, "status", "--porcelain") == "M  text"
    (where / "text").write_text("still red\n")
    assert go_on(project, where).state is State.FAILED
    with pytest.raises(UsageError, match="an earlier state of this one"):
        project.service.continue_conflict("4", where)
    again = tmp_path / "again"
    project.service.check_out_conflict("4", again)
    (again / "text").write_text(BOTH)
    job = go_on(project, again)
    assert job.state is State.COMPLETED, job.error
    assert project.read("job/4", "text") == BOTH
    assert resolved(project, job) == {"text": "person"}
    assert "Mended by hand\n\n[MODIFIED] text" in project.log(job)


def test_a_clean_merge_with_red_checks_is_mended_by_hand(project, tmp_path):
    check = "test $(ls parts | wc -l) -lt 3"
    fork(project, tmp_path, {"parts/a": "a\n"}, {"parts/b": "b\n"}, {"parts/c": "c\n"}, checks=(check,))
    assert merged(project, 2, 3).state is State.FAILED
    where = tmp_path / "mending"
    project.service.check_out_conflict("4", where)
    (where / "parts" / "a").unlink()
    assert go_on(project, where).state is State.COMPLETED
    assert project.job(4).agent is None


def test_red_checks_after_a_resolution_by_hand_go_to_an_agent_where_there_is_one(project, tmp_path, serve):
    fork(project, tmp_path, {"text": TEXT}, {"text": OURS}, {"text": THEIRS}, checks=("! grep -q red text",))
    merged(project, 2, 3, on_conflict="manual")
    serve([say(tool("read", file_path="text")), say(tool("write", file_path="text", content=BOTH)), say("Mended.")])
    project.run(project.service.resolve_files("4", {"text": b"red\n"}))
    job = project.job(4)
    assert (job.state, job.agent) == (State.COMPLETED, "claude"), job.error
    assert project.read("job/4", "text") == BOTH


def test_a_conflict_that_was_left_with_fail_can_still_be_resolved(conflict, tmp_path):
    job = merged(conflict, 2, 3, on_conflict="fail")
    assert job.state is State.FAILED
    where = tmp_path / "late"
    conflict.service.check_out_conflict(str(job.id), where)
    (where / "text").write_text(BOTH)
    (where / "gone").unlink()
    conflict.run(conflict.service.continue_conflict(str(job.id), where))
    assert conflict.job(job).state is State.COMPLETED


def test_a_conflict_is_given_up(conflict):
    job = conflict.service.abort_conflict("4")
    assert job.state is State.CANCELLED
    assert conflict.branches() == ["job/1", "job/2", "job/3"]
    with pytest.raises(JobStateError, match="there is no conflict"):
        conflict.service.abort_conflict("4")


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({}, "nothing is said of gone, text"),
        ({"text": b"x\n"}, "nothing is said of gone"),
        ({"text": b"x\n", "gone": None, "other": b""}, "other is not in conflict"),
        ({"text": b"<<<<<<< a\n", "gone": None}, "conflict markers are left in text"),
    ],
)
def test_decisions_must_be_complete(conflict, texts, problem):
    with pytest.raises(UsageError, match=problem):
        conflict.service.resolve_files("4", texts)
    assert conflict.job(4).state is State.CONFLICTED


def test_what_git_ignores_stays_out_and_what_is_forbidden_is_refused(conflict, folder):
    (folder / "text").write_text(BOTH)
    (folder / "gone").unlink()
    (folder / ".gitignore").write_text("*.pyc\n")
    (folder / "x.pyc").write_bytes(b"\0")
    os.symlink("/etc/passwd", folder / "link")
    with pytest.raises(UsageError, match="link"):
        conflict.service.continue_conflict("4", folder)
    (folder / "link").unlink()
    assert go_on(conflict, folder).state is State.COMPLETED
    assert "x.pyc" not in conflict.files("job/4")


def test_the_folders_own_git_settings_run_nothing(conflict, folder, tmp_path):
    """Somebody may have written them: an editor's extension, an agent."""
    for name, value in (("core.fsmonitor", f"touch {tmp_path}/ran"), ("core.hooksPath", str(tmp_path))):
        git(folder, "config", name, value)
    (folder / "text").write_text(BOTH)
    (folder / "gone").unlink()
    assert go_on(conflict, folder).state is State.COMPLETED
    assert not (tmp_path / "ran").exists()


def test_several_steps_by_hand(project, tmp_path):
    sides = [{"text": TEXT.replace("second", name)} for name in ("one", "two", "three")]
    fork(project, tmp_path, {"text": TEXT}, *sides)
    job = merged(project, 2, 3, 4)
    for number, ours, text in ((1, "one", "one two"), (2, "one two", "one two three")):
        assert project.job(job).state is State.CONFLICTED
        where = tmp_path / f"step-{number}"
        project.service.check_out_conflict(str(job.id), where)
        assert f"\n{ours}\n|||||||" in (where / "text").read_text()
        (where / "text").write_text(TEXT.replace("second", text))
        project.run(project.service.continue_conflict(str(job.id), where))
    assert project.job(job).state is State.COMPLETED
    assert project.read(f"job/{job.id}", "text") == TEXT.replace("second", "one two three")
    message = project.git("log", "-1", "--format=%B", f"job/{job.id}")
    assert message.count("Vdo-Resolved: text=person") == 1


def branches(project, **trees):
    """Branches of these trees (path -> mode, data), all on `base`."""
    commits = {}
    for name, files in trees.items():
        lines = []
        for path, (mode, data) in files.items():
            oid = data if mode is Mode.SUBMODULE else git(project.folder, "hash-object", "-w", "--stdin", stdin=data)
            kind = "commit" if mode is Mode.SUBMODULE else "blob"
            lines.append(f"{mode:06o} {kind} {oid}\t{path}")
        tree = git(project.folder, "mktree", stdin="\n".join(lines).encode())
        parent = ["-p", commits["base"]] if commits else []
        commits[name] = project.git("commit-tree", tree, "-m", name, *parent)
        project.git("branch", name, commits[name])


def test_submodules_binaries_and_links_are_decided_in_the_index(project, tmp_path):
    one, two, three = ("1" * 40, "2" * 40, "3" * 40)
    branches(
        project,
        base={"sub": (Mode.SUBMODULE, one), "x": (Mode.FILE, b"x")},
        left={"sub": (Mode.SUBMODULE, two), "logo": (Mode.FILE, b"\0l"), "link": (Mode.SYMLINK, b"x")},
        right={"sub": (Mode.SUBMODULE, three), "logo": (Mode.FILE, b"\0r"), "link": (Mode.SYMLINK, b"logo")},
    )
    job = merged(project, "left", "right")
    assert job.state is State.CONFLICTED
    where = tmp_path / "folder"
    project.service.check_out_conflict("1", where)
    assert git(where, "ls-files", "-u", "sub").split("\n")[2] == f"160000 {three} 3\tsub"
    with pytest.raises(UsageError, match="nothing was decided about link, logo, sub"):
        project.service.continue_conflict("1", where)
    (where / "logo").write_bytes(b"\0both")
    (where / "link").unlink()
    os.symlink("logo", where / "link")
    git(where, "add", "logo", "link")
    git(where, "update-index", "--cacheinfo", f"160000,{three},sub")
    job = go_on_first(project, where)
    assert job.state is State.COMPLETED, job.error
    listing = project.git("ls-tree", "job/1").splitlines()
    assert f"160000 commit {three}\tsub" in listing
    assert project.git("cat-file", "blob", "job/1:logo") == "\0both"
    assert project.git("cat-file", "blob", "job/1:link") == "logo"


def go_on_first(project, folder):
    project.run(project.service.continue_conflict("1", folder))
    return project.job(1)


def test_a_file_against_a_folder_and_two_names_of_one_file(project, tmp_path):
    text = TEXT.encode() * 3
    branches(
        project,
        base={"a": (Mode.FILE, text)},
        left={"one": (Mode.FILE, text), "lib": (Mode.FILE, b"a file\n")},
        right={"two": (Mode.FILE, text)},
    )
    inner = git(project.folder, "hash-object", "-w", "--stdin", stdin=b"inside\n")
    lib = git(project.folder, "mktree", stdin=f"100644 blob {inner}\tinner\n".encode())
    blob = project.git("rev-parse", "right:two")
    tree = git(project.folder, "mktree", stdin=f"100644 blob {blob}\ttwo\n040000 tree {lib}\tlib\n".encode())
    right = project.git("commit-tree", tree, "-p", "base", "-m", "right")
    project.git("update-ref", "refs/heads/right", right)
    assert merged(project, "left", "right").state is State.CONFLICTED
    where = tmp_path / "folder"
    project.service.check_out_conflict("1", where)
    assert (where / "lib" / "inner").read_text() == "inside\n"
    (moved,) = where.glob("lib~*")
    with pytest.raises(UsageError, match="nothing was decided about"):
        project.service.continue_conflict("1", where)
    git(where, "add", "one")
    (where / "two").unlink()
    moved.rename(where / "library")
    job = go_on_first(project, where)
    assert job.state is State.COMPLETED, job.error
    assert project.files("job/1") == {"lib/inner": "inside\n", "library": "a file\n", "one": TEXT * 3}


def test_the_values_come_back_from_the_record(conflict):
    record = conflict.record(conflict.job(4))
    progress = Progress.load(record)
    assert progress.dump() == record.get("merge.json")
    for name, data in progress.dump_open().items():
        assert record.get(name) == data
    again = {**progress.dump_open(), "merge.json": progress.dump()}

    class Files:
        def get(self, name):
            return again.get(name)

        def names(self, folder):
            raise AssertionError(folder)

    assert Progress.load(Files()) == progress


def test_an_agent_that_gave_up_leaves_nothing_for_the_next_step(project, tmp_path, serve, impatient):
    """After a person has resolved the first step, the agent is asked about the second one in a new conversation."""
    sides = [{"text": TEXT.replace("second", name)} for name in ("one", "two", "three")]
    fork(project, tmp_path, {"text": TEXT}, *sides)
    serve([say("I cannot.")] * 3)
    job = merged(project, 2, 3, 4)
    assert job.state is State.CONFLICTED
    server = serve([say("I cannot either.")] * 3)
    project.run(project.service.resolve_files(str(job.id), {"text": TEXT.replace("second", "one two").encode()}))
    assert project.job(job).state is State.CONFLICTED
    assert len(server.requests) == 3
    assert len(server.requests[0]["messages"]) == 1
    assert "one two" in "".join(block["text"] for block in server.requests[0]["messages"][0]["content"])


def test_a_work_tree_repository_is_left_alone(tmp_path):
    """In a clone with a work tree: nothing but vdo's own refs and the branch changes."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", "-b", "main", str(clone)], check=True)
    (clone / "text").write_text(TEXT)
    git(clone, "add", "text")
    git(clone, "commit", "-q", "-m", "Base")
    project = Project(clone)
    for number, text in ((1, OURS), (2, THEIRS)):
        project.make(f"Side {number}", extends="main", agent=script(tmp_path, f"printf %s '{text}' > text"))
    before = (
        git(clone, "status", "--porcelain"),
        (clone / ".git" / "index").read_bytes(),
        git(clone, "symbolic-ref", "HEAD"),
    )
    job = merged(project, 1, 2)
    where = tmp_path / "resolving"
    project.service.check_out_conflict(str(job.id), where)
    (where / "text").write_text(BOTH)
    project.run(project.service.continue_conflict(str(job.id), where))
    assert project.job(job).state is State.COMPLETED
    after = (
        git(clone, "status", "--porcelain"),
        (clone / ".git" / "index").read_bytes(),
        git(clone, "symbolic-ref", "HEAD"),
    )
    assert after == before
    project.service.close()
