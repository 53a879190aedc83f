import pytest
from standins.projects import Project, creating, script
from standins.stores import git

from vdo.errors import BranchMoved, JobStateError, RepositoryError, StaleLock
from vdo.job import State
from vdo.store.repository import Repository


@pytest.fixture
def parent(project, tmp_path):
    return project.make("Parent", agent=creating(tmp_path, {"a.txt": "a\n", "b.txt": "b\n"}))


def test_an_extension_starts_from_what_people_committed_and_says_so(project, parent, tmp_path):
    tip = project.commit("job/1", "people.txt", "by hand\n")

    job = project.make("Child", extends="1", agent=creating(tmp_path, {"c.txt": "c\n"}))

    assert project.git("rev-parse", "job/2^1") == tip == job.base
    assert "people.txt" in project.files("job/2")
    opening = f"Extending job #1 (3 files), from its branch's tip {tip[:12]}: 1 commit by people on top of the job's"
    assert opening in project.log(job)
    project.commit("job/1", "more.txt", "more\n")
    project.commit("job/1", "most.txt", "most\n")
    again = project.make("Child", extends="1", agent=creating(tmp_path, {"c.txt": "c\n"}))
    assert ": 3 commits by people on top" in project.log(again)
    files = {file.path: (file.from_job, file.from_commit) for file in project.service.readings.files("2")}
    assert files["people.txt"] == (None, tip) and files["a.txt"] == (1, parent.commit)
    assert project.service.readings.show("1").notices == (
        "people committed on top: job/1 is 3 commits ahead of the job",
    )


def rewrite(project, branch):
    """As `git commit --amend` by a person; (the new tip, the old one)."""
    before = project.git("rev-parse", branch)
    parents = project.git("rev-list", "--parents", "-1", branch).split()[1:]
    words = [word for parent in parents for word in ("-p", parent)]
    after = project.git("commit-tree", f"{branch}^{{tree}}", "-m", "Amended", *words)
    project.git("update-ref", f"refs/heads/{branch}", after)
    return after, before


def test_a_rewritten_branch_stops_and_offers_both(project, parent, tmp_path):
    after, before = rewrite(project, "job/1")
    agent = creating(tmp_path, {"c.txt": "c\n"})

    with pytest.raises(BranchMoved, match="the branch job/1 was rewritten") as stopped:
        project.new("Child", extends="1", agent=agent)

    assert f"--extends {after[:12]} (as the branch is now)" in stopped.value.hint
    assert f"--extends {before[:12]} (as the job left it)" in stopped.value.hint
    assert stopped.value.exit_code == 3
    assert project.service.reader.index.newest() == 1
    assert "was rewritten" in project.service.readings.show("1").notices[0]
    for offered in (after, before):
        job = project.make("Child", extends=offered[:12], agent=agent)
        assert (job.state, job.base) == (State.COMPLETED, offered)


def test_a_branch_that_is_rewritten_before_a_child_runs_stops_that(project, parent, tmp_path):
    child = project.new("Child", extends="1", agent=creating(tmp_path, {"c.txt": "c\n"}))
    after, before = rewrite(project, "job/1")

    with pytest.raises(BranchMoved) as stopped:
        project.run(child)

    assert after[:12] in stopped.value.hint and before[:12] in stopped.value.hint
    assert project.job(child).state is State.FAILED and "was rewritten" in project.job(child).error
    project.git("update-ref", "refs/heads/job/1", before)
    project.service.retry("2")
    assert project.run(child)[0].state is State.COMPLETED


def test_a_parent_that_moved_after_a_child_started_is_told_with_the_files_of_both(project, parent, tmp_path):
    project.make("Child", extends="1", agent=script(tmp_path, "echo child >> a.txt; echo child > new.txt"))
    assert project.service.readings.show("2").notices == ()

    project.commit("job/1", "people.txt", "x\n")
    assert project.service.readings.show("2").notices == (
        "the branch of job #1 moved after this job started; no file changed on both sides",
    )
    project.commit("job/1", "a.txt", "people\n")
    assert project.service.readings.show("2").notices == (
        "the branch of job #1 moved after this job started; changed on both sides: a.txt",
    )


def test_a_branch_that_is_gone_is_told_and_does_not_matter(project, parent, tmp_path):
    project.git("update-ref", "-d", "refs/heads/job/1")

    assert project.service.readings.show("1").notices == (
        f"the branch job/1 is gone; the job's commit {parent.commit[:12]} is still here",
    )
    child = project.make("Child", extends="1", agent=creating(tmp_path, {"c.txt": "c\n"}))
    assert (child.state, child.base) == (State.COMPLETED, parent.commit)
    assert project.branches() == ["job/2"]


def test_a_branch_in_the_way_leaves_the_job_to_be_published(project, tmp_path):
    job = project.new(agent=creating(tmp_path, {"a.txt": "a\n"}))
    theirs = project.commit("job/1", "theirs.txt", "x\n")

    with pytest.raises(BranchMoved, match="the branch job/1 exists and does not contain commit") as stopped:
        project.run(job)

    assert stopped.value.exit_code == 3
    assert "git branch -m job/1 OTHER" in stopped.value.hint and "vdo run 1" in stopped.value.hint
    held = project.job(job)
    assert (held.state, held.claim) == (State.PUBLISHING, None)
    assert "does not contain commit" in held.error
    assert project.service.reader.state(held) is State.INTERRUPTED
    assert project.git("rev-parse", "job/1") == theirs
    assert "Not published yet" in project.log(held)
    with pytest.raises(BranchMoved):
        project.run(job)
    with pytest.raises(JobStateError, match="is done and only has to be published"):
        project.service.retry("1", feedback="Do it differently.")

    project.git("branch", "-m", "job/1", "mine")
    (done,) = project.run(job)

    assert (done.state, done.error) == (State.COMPLETED, None)
    assert done.commit == held.commit == project.git("rev-parse", "job/1")


def test_a_branch_that_people_made_of_the_jobs_commit_is_taken_as_published(project, tmp_path):
    job = project.new(agent=creating(tmp_path, {"a.txt": "a\n"}))
    project.commit("job/1", "theirs.txt", "x\n")
    with pytest.raises(BranchMoved):
        project.run(job)
    commit = project.job(job).commit
    project.git("update-ref", "refs/heads/job/1", commit)
    on_top = project.commit("job/1", "more.txt", "x\n")

    assert project.run(job)[0].state is State.COMPLETED
    assert project.git("rev-parse", "job/1") == on_top


def test_a_branch_named_job_stops_the_publishing(project, tmp_path):
    job = project.new(agent=script(tmp_path, f"git --git-dir={project.folder} branch job {{}} || true; echo a > a"))
    commit = project.commit("other", "x", "x\n")
    project.git("update-ref", "refs/heads/job", commit)

    with pytest.raises(RepositoryError, match="a branch named `job` is in the way"):
        project.run(job)

    assert project.job(job).state is State.PUBLISHING
    project.git("branch", "-m", "job", "jobs")
    assert project.run(job)[0].state is State.COMPLETED


def test_what_holds_a_job_up_is_recorded_without_keys(project, tmp_path, monkeypatch):
    def refuse(_repository, _job):
        raise RepositoryError("git update-ref failed: a hook said hunter2hunter2")

    project.configure(SERVICE_TOKEN="hunter2hunter2")
    monkeypatch.setattr(Repository, "publish_branch", refuse)
    job = project.new(agent=creating(tmp_path, {"a.txt": "a\n"}))
    with pytest.raises(RepositoryError):
        project.run(job)

    held = project.job(job)
    assert held.state is State.PUBLISHING and "hunter2" not in held.error + project.log(held)
    assert held.error.startswith("git update-ref failed") and "()" not in held.error


def test_somebody_elses_lock_on_the_branch_is_reported_and_left(project, tmp_path):
    job = project.new(agent=creating(tmp_path, {"a.txt": "a\n"}))
    lock = project.folder / "refs" / "heads" / "job" / "1.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("")

    with pytest.raises(StaleLock, match=r"1\.lock is in the way"):
        project.run(job)

    assert lock.exists() and project.job(job).state is State.PUBLISHING
    lock.unlink()
    assert project.run(job)[0].state is State.COMPLETED


def test_a_job_whose_branch_is_checked_out_stays(project, parent, tmp_path):
    project.git("worktree", "add", "-q", str(tmp_path / "tree"), "job/1")

    with pytest.raises(JobStateError, match=r"the branch job/1 is checked out in .*/tree"):
        project.service.delete("1")

    assert project.branches() == ["job/1"]
    child = project.make("Child", extends="1", agent=creating(tmp_path, {"c.txt": "c\n"}))
    assert child.state is State.COMPLETED
    assert git(tmp_path / "tree", "status", "--porcelain") == ""
    assert git(tmp_path / "tree", "rev-parse", "HEAD") == parent.commit


def test_in_a_clone_nothing_but_vdos_own_refs_changes(project, tmp_path):
    work = tmp_path / "clone"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    (work / "app.py").write_text("app = 1\n")
    git(work, "add", "app.py")
    git(work, "commit", "-q", "-m", "First")
    (work / "app.py").write_text("app = 2\n")
    (work / "staged").write_text("s\n")
    git(work, "add", "staged")
    before = {name: (work / ".git" / name).read_bytes() for name in ("HEAD", "index", "config")}
    status, refs = git(work, "status", "--porcelain"), git(work, "for-each-ref", "refs/heads", "refs/tags")
    clone = Project(work)

    job = clone.make("Child", extends="main", agent=script(tmp_path, "echo more >> app.py"))

    assert job.state is State.COMPLETED
    assert {name: (work / ".git" / name).read_bytes() for name in before} == before
    assert git(work, "status", "--porcelain") == status
    after = git(work, "for-each-ref", "refs/heads", "refs/tags")
    assert [line for line in after.splitlines() if "refs/heads/job/1" not in line] == refs.splitlines()
    assert clone.read("job/1", "app.py") == "app = 1\nmore\n"
    clone.service.close()


def test_a_revision_is_extended_as_it_was_when_the_job_was_made(project, tmp_path):
    first = project.commit("main", "a.txt", "a\n")
    job = project.new("On main", extends="main", agent=script(tmp_path, "echo b >> a.txt"))
    project.commit("main", "a.txt", "changed\n")

    (done,) = project.run(job)

    assert done.base == first and project.read("job/1", "a.txt") == "a\nb\n"
    message = project.git("log", "-1", "--format=%B", "job/1")
    assert f"Vdo-Base: {first}" in message and "Vdo-Base-Name: main" in message and "Vdo-Extends" not in message
    assert "Extending main (1 file)" in project.log(done)


def test_a_job_that_is_published_cannot_be_cancelled_any_more(project, tmp_path):
    job = project.new(agent=creating(tmp_path, {"a.txt": "a\n"}))
    project.commit("job/1", "theirs.txt", "x\n")
    with pytest.raises(BranchMoved):
        project.run(job)
    project.git("update-ref", "refs/heads/job/1", project.job(job).commit)

    with pytest.raises(JobStateError, match="job #1 is published already") as refused:
        project.service.cancel("1")

    assert refused.value.hint == "`vdo run 1` completes it"
    assert project.run(job)[0].state is State.COMPLETED


def test_a_job_that_waits_to_be_published_can_be_cancelled(project, tmp_path):
    job = project.new(agent=creating(tmp_path, {"a.txt": "a\n"}))
    theirs = project.commit("job/1", "theirs.txt", "x\n")
    with pytest.raises(BranchMoved):
        project.run(job)

    assert project.service.cancel("1").state is State.CANCELLED
    assert project.git("rev-parse", "job/1") == theirs
