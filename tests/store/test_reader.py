import pytest
from standins.stores import Store, git

from vdo.errors import JobNotFound, RepositoryError, RevisionNotFound, UsageError
from vdo.job import JobRef, Revision, Uid
from vdo.store import messages


@pytest.fixture
def two(store: Store) -> Store:
    first = store.completed("One", {"a": "1"})
    store.completed("Two", {"b": "2"}, extends=first.ref)
    return store


@pytest.mark.parametrize("name", ["2", "#2", "job/2", " 2 ", "@", "02"])
def test_a_job_has_many_names(two, name):
    assert two.find(name).id == 2


@pytest.mark.parametrize("digits", [8, 9, 20, 32])
def test_the_beginning_of_an_id_names_a_job(two, digits):
    uid = two.job(2).uid
    assert two.find(uid[:digits]).id == two.find(uid[:digits].upper()).id == 2


@pytest.mark.parametrize(
    "name", ["3", "#3", "", "two", "0", "-1", "1e3", "2;", "0123456", "f" * 32, "²", "9" * 30, "job/"]
)
def test_what_names_no_job(two, name):
    with pytest.raises(JobNotFound, match="there is no job") as caught:
        two.find(name)
    assert "vdo list" in caught.value.hint


def test_there_is_no_newest_job_in_an_empty_repository(store):
    with pytest.raises(JobNotFound):
        store.find("@")
    assert store.jobs(Store.everything) == []


def forged(store: Store, number: int, uid: str) -> None:
    """A job with an id of our choice."""
    job = store.job(1)
    message = git(store.path, "log", "-1", "--format=%B", job.journal)
    text = message.replace("Vdo-Job: 1", f"Vdo-Job: {number}").replace(job.uid, uid)
    tip = git(store.path, "commit-tree", f"{job.journal}^{{tree}}", "-p", job.journal, "-F", "-", stdin=text.encode())
    git(store.path, "update-ref", f"refs/vdo/jobs/{number}", tip)
    assert messages.read_job(text, tip).uid == uid


def test_an_id_that_is_not_clear_is_refused(two):
    forged(two, 3, "12345678" + "a" * 24)
    forged(two, 4, "12345678" + "b" * 24)

    with pytest.raises(UsageError, match="begins the ids of several jobs"):
        two.find("12345678")
    assert two.find("12345678a").id == 3


def test_a_number_wins_over_an_id_that_looks_like_one(two):
    forged(two, 3, "123456789" + "a" * 23)
    assert two.find("123456789").id == 3
    forged(two, 123456789, "b" * 32)
    assert two.find("123456789").id == 123456789


def test_parents_are_jobs_before_they_are_revisions(two):
    git(two.path, "branch", "1", "job/2")
    git(two.path, "branch", "feature/x", "job/2")
    git(two.path, "tag", "-a", "-m", "t", "v1", "job/1")
    one, second = two.job(1), two.job(2)

    assert two.parent("1") == two.parent("job/1") == one.ref
    assert two.parent("feature/x") == Revision("feature/x", second.commit)
    assert two.parent("v1") == Revision("v1", one.commit)
    assert two.parent("job/2~1") == Revision("job/2~1", one.commit)
    assert two.parent(second.commit[:10]).commit == second.commit
    git(two.path, "branch", "job/77", "job/1")
    assert two.parent("job/77") == Revision("job/77", one.commit)


@pytest.mark.parametrize(
    "name", ["", "nothing", "#9", "--help", "-1", "a\nb", "HEAD\n--all", "job/1:a", "v\0", "job/1^{tree}"]
)
def test_what_is_neither_is_refused(two, name):
    with pytest.raises(RevisionNotFound):
        two.parent(name)


def test_the_tip_is_where_a_child_starts(two):
    job = two.job(1)
    tip = git(two.path, "commit-tree", "-p", job.commit, "-m", "people", "job/1^{tree}")
    git(two.path, "update-ref", "refs/heads/job/1", tip)

    assert two.tip(job) == two.resolve(job.ref) == tip
    assert two.contains(job.commit, tip) and not two.contains(tip, job.commit)
    git(two.path, "update-ref", "-d", "refs/heads/job/1")
    assert two.tip(job) == job.commit
    assert two.resolve(Revision("x", job.commit)) == job.commit


def test_a_parent_without_a_commit_is_told(two):
    queued = two.new("Queued")
    for ref in (queued.ref, JobRef(queued.id, Uid("f" * 32))):
        with pytest.raises(RepositoryError, match="job #3 has no commit"):
            two.resolve(ref)
    assert two.by_ref(JobRef(queued.id, Uid("f" * 32))) is None  # the id counts, not the number


def test_records_need_one_process(two, monkeypatch):
    job = two.job(2)
    started = []
    real = two.git.try_run
    monkeypatch.setattr(two.git, "try_run", lambda *args, **named: started.append(args) or real(*args, **named))

    found = two.records(job, ["spec.json", "description", "no such", "in/folder"])

    assert len(started) == 1 and found["description"] == b"" and found["no such"] is found["in/folder"] is None


def test_objects_of_any_kind_come_in_order(two):
    names = ["job/1", "nothing at all", "job/1:a", "job/1^{tree}", "job/2:b", "job/1:missing"]

    found = list(two.git.objects(names))

    assert [item and item[1] for item in found] == ["commit", None, "blob", "tree", "blob", None]
    assert [item[2] for item in (found[2], found[4]) if item] == [b"1", b"2"]
    assert two.git.blob("job/1:nothing") is None and list(two.git.objects([])) == []
