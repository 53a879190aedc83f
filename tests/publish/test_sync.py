"""Coming home: what was merged, what people committed, what colleagues pushed, and a stack that stays whole."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from standins.git_host import GitHost
from standins.github_api import Fault, GitHubApi, HostRepository
from standins.openapi_contract import needed
from standins.publish_setup import NAME, connect
from standins.workshop import Workshop

from vdo.errors import JobNotFound
from vdo.job import Job, Oid
from vdo.publish.colleagues import find_remote, remote_jobs
from vdo.publish.github.homecoming import GitHubPulls
from vdo.publish.github.host import Host
from vdo.publish.github.memory import opened
from vdo.publish.github.pulls import publish_pulls
from vdo.publish.landed import How, landed
from vdo.publish.push import PushReport, push
from vdo.publish.remote import Remote
from vdo.publish.sync import SyncReport, What, sync
from vdo.store.index import Query
from vdo.store.repository import Repository

GREEN: Callable[[Job, Oid], bool] = lambda _job, _tree: True  # noqa: E731


def push_all(shop: Workshop, origin: Remote) -> PushReport:
    return push(shop.repository, shop.repository.jobs(Query())[::-1], origin, revive=False)


def push_with_pulls(shop: Workshop, origin: Remote, github: Host) -> list[str]:
    jobs = shop.repository.jobs(Query())[::-1]
    report = push(shop.repository, jobs, origin, revive=False)
    return [result.done.value for result in publish_pulls(shop.repository, jobs, report, github)]


def sync_with_pulls(shop: Workshop, origin: Remote, github: Host) -> SyncReport:
    with opened(shop.repository, "origin", github.address) as memory:
        return sync(shop.repository, origin, GREEN, pulls=GitHubPulls(shop.repository, github, memory))


def told(report: SyncReport) -> list[tuple[int, str]]:
    return [(event.job, event.what.name) for event in report.events]


class Person:
    """Somebody with a clone of the host's repository."""

    def __init__(self, host: GitHost, folder: Path) -> None:
        self.host, self.folder = host, folder
        subprocess.run(["git", "clone", "-q", str(host.path(NAME)), folder], check=True)

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", "-C", self.folder, *args], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commits(self, branch: str, **files: str) -> Oid:
        self.git("fetch", "-q")
        self.git("checkout", "-q", "-B", branch, f"origin/{branch}")
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", f"By hand: {', '.join(files)}")
        self.git("push", "-q", "origin", branch)
        return Oid(self.git("rev-parse", "HEAD"))


@pytest.fixture
def jobs(shop: Workshop, host: GitHost) -> list[Job]:
    """main, and three jobs on it that build on one another and change one file in turn."""
    shop.person("main", {"readme": "r\n"})
    shop.git("push", "-q", str(host.path(NAME)), "main")
    one = shop.job("One", {"app.py": "one\n", "one.py": "1\n"}, extends="main")
    two = shop.job("Two", {"app.py": "one\ntwo\n", "two.py": "2\n"}, extends=one)
    three = shop.job("Three", {"app.py": "one\ntwo\nthree\n"}, extends=two)
    return [one, two, three]


@pytest.fixture
def person(host: GitHost, jobs: list[Job], tmp_path: Path) -> Person:
    return Person(host, tmp_path / "person")


def merge(team: HostRepository, head: str, method: str, base: str = "main") -> None:
    pull = next((one for one in team.pulls() if one.head == head), None)
    pull = pull or team.create_pull("T", head, base, "", False, "bob")
    team.merge(pull.number, method, "bob")


class TestLanded:
    @pytest.mark.parametrize(
        ("method", "how"), [("merge", How.MERGED), ("squash", How.SQUASHED), ("rebase", How.SQUASHED)]
    )
    def test_every_way_to_merge_is_seen(
        self,
        shop: Workshop,
        jobs: list[Job],
        origin: Remote,
        api: GitHubApi,
        team: HostRepository,
        method: str,
        how: How,
    ) -> None:
        push_all(shop, origin)
        merge(team, "job/1", method)
        sync(shop.repository, origin, GREEN)
        main = shop.repository.refs.read("refs/remotes/origin/main")
        assert main is not None
        assert landed(shop.repository, jobs[0], main) is how
        assert landed(shop.repository, jobs[1], main) is None

    def test_rebased_with_peoples_commits(
        self, shop: Workshop, jobs: list[Job], origin: Remote, api: GitHubApi, team: HostRepository, person: Person
    ) -> None:
        push_all(shop, origin)
        person.commits("job/1", fix="f\n")
        sync(shop.repository, origin, GREEN)
        merge(team, "job/1", "rebase")
        sync(shop.repository, origin, GREEN)
        main = shop.repository.refs.read("refs/remotes/origin/main")
        assert main is not None
        assert landed(shop.repository, shop.repository.job(1), main) is How.REBASED

    def test_resolved_by_hand_it_counts_by_its_content(self, shop: Workshop, jobs: list[Job]) -> None:
        shop.person("main", {"app.py": "one\n", "other": "o\n"})
        main = shop.person("main", {"one.py": "1\n"})
        assert landed(shop.repository, jobs[0], main) is How.SAME

    def test_taken_back_it_still_was_merged(self, shop: Workshop, jobs: list[Job]) -> None:
        shop.person("main", {"app.py": "one\n", "one.py": "1\n"})
        main = shop.person("main", {"app.py": None, "one.py": None})
        assert landed(shop.repository, jobs[0], main) is How.SQUASHED

    def test_whatever_the_users_git_shows_patches_like(self, shop: Workshop, jobs: list[Job]) -> None:
        for setting in ("color.ui=always", "diff.noprefix=true", "diff.renames=copies", "log.showSignature=true"):
            shop.git("config", *setting.split("="))
        moved = shop.job("Move", {"one.py": None, "two/one.py": "1\n"}, extends=jobs[0])
        shop.person("main", {"app.py": "one\n", "one.py": "1\n"})
        shop.person("main", {"one.py": None, "two/one.py": "1\n"})
        main = shop.person("main", {"two/one.py": "else\n"})
        assert [landed(shop.repository, job, main) for job in (jobs[0], moved)] == [How.SQUASHED] * 2

    def test_what_takes_back_its_parent_has_not_come_without_it(self, shop: Workshop, jobs: list[Job]) -> None:
        back = shop.job("Back", {"app.py": None, "one.py": None}, extends=jobs[0])
        without = shop.person("main", {"other": "o\n"})
        assert landed(shop.repository, back, without) is None
        shop.person("main", {"app.py": "one\n", "one.py": "1\n"})
        assert landed(shop.repository, back, shop.person("main", {"app.py": None, "one.py": None})) is How.SQUASHED

    def test_not_by_a_part_of_it(self, shop: Workshop, jobs: list[Job]) -> None:
        assert landed(shop.repository, jobs[0], shop.person("main", {"app.py": "one\n"})) is None


class TestPlainGit:
    def test_peoples_commits_come_home(self, shop: Workshop, jobs: list[Job], origin: Remote, person: Person) -> None:
        push_all(shop, origin)
        tip = person.commits("job/2", fix="f\n")
        report = sync(shop.repository, origin, GREEN)

        assert told(report) == [(2, "ADVANCED")]
        assert shop.branch("job/2") == tip
        assert shop.repository.tip(jobs[1]) == tip
        assert told(sync(shop.repository, origin, GREEN)) == []
        following = shop.job("On top", {"x": "x"}, extends=jobs[1])
        assert following.base == tip

    def test_commits_on_both_sides_are_for_people(
        self, shop: Workshop, jobs: list[Job], origin: Remote, person: Person
    ) -> None:
        push_all(shop, origin)
        person.commits("job/2", theirs="t\n")
        mine = shop.person("job/2", {"mine": "m\n"})
        report = sync(shop.repository, origin, GREEN)

        assert told(report) == [(2, "ATTENTION")]
        assert report.events[0].hint == "merge the two: git checkout job/2 && git merge origin/job/2"
        assert shop.branch("job/2") == mine

    def test_a_branch_that_was_rebased_there_is_told(
        self, shop: Workshop, jobs: list[Job], origin: Remote, host: GitHost
    ) -> None:
        """As the button "Update with rebase" does it."""
        push_all(shop, origin)
        commit = host.git(NAME, "commit-tree", "job/2^{tree}", "-p", "main", "-m", "Two")
        host.git(NAME, "update-ref", "refs/heads/job/2", commit)
        report = sync(shop.repository, origin, GREEN)
        assert told(report) == [(2, "ATTENTION")]
        assert "does not contain the job's commit any more" in report.events[0].text
        assert "vdo extend origin/job/2 TITLE" in report.events[0].hint
        assert shop.branch("job/2") == jobs[1].commit

    def test_a_branch_that_is_checked_out_stays(
        self, shop: Workshop, jobs: list[Job], origin: Remote, person: Person, tmp_path: Path
    ) -> None:
        push_all(shop, origin)
        shop.git("worktree", "add", "-q", str(tmp_path / "tree"), "job/2")
        person.commits("job/2", fix="f\n")
        report = sync(shop.repository, origin, GREEN)

        assert f"git -C {tmp_path}/tree merge --ff-only origin/job/2" == report.events[0].hint
        assert shop.branch("job/2") == jobs[1].commit

    def test_no_other_ref_moves(self, shop: Workshop, jobs: list[Job], origin: Remote, person: Person) -> None:
        push_all(shop, origin)
        person.commits("main", theirs="t\n")
        before = shop.git("for-each-ref", "refs/heads", "refs/vdo", "refs/tags")
        config = (shop.path / "config").read_text()
        sync(shop.repository, origin, GREEN)
        assert shop.git("for-each-ref", "refs/heads", "refs/vdo", "refs/tags") == before
        assert (shop.path / "config").read_text() == config

    def test_a_squash_brings_the_children_onto_the_target(
        self, shop: Workshop, jobs: list[Job], origin: Remote, api: GitHubApi, team: HostRepository
    ) -> None:
        push_all(shop, origin)
        merge(team, "job/1", "squash")
        report = sync(shop.repository, origin, GREEN)

        assert told(report) == [(1, "MERGED"), (2, "REPLAYED")]
        tip = shop.branch("job/2")
        assert shop.git("log", "-1", "--format=%P", "job/2") == f"{jobs[1].commit} {team.branch('main')}"
        assert shop.read("job/2", "app.py") == "one\ntwo"
        assert shop.git("diff", "--name-only", "origin/main", "job/2").split() == ["app.py", "two.py"]
        assert told(sync(shop.repository, origin, GREEN)) == []
        assert (shop.branch("job/2"), shop.branch("job/3")) == (tip, jobs[2].commit)

    def test_each_project_is_brought_onto_the_branch_that_it_goes_to(
        self, shop: Workshop, jobs: list[Job], host: GitHost, origin: Remote, api: GitHubApi, team: HostRepository
    ) -> None:
        shop.git("branch", "develop", "main")
        shop.git("push", "-q", str(host.path(NAME)), "develop")
        four = shop.job("Four", {"four.py": "4\n"}, extends="develop")
        five = shop.job("Five", {"five.py": "5\n"}, extends=four)
        push_all(shop, origin)
        merge(team, "job/4", "squash", base="develop")
        report = sync(shop.repository, origin, GREEN)

        assert told(report) == [(4, "MERGED"), (5, "REPLAYED")]
        assert "origin/develop has it" in report.events[0].text
        assert shop.git("log", "-1", "--format=%P", "job/5") == f"{five.commit} {team.branch('develop')}"
        assert shop.branch("job/2") == jobs[1].commit
        assert told(sync(shop.repository, origin, GREEN)) == []

    def test_red_checks_leave_the_branch(
        self, shop: Workshop, jobs: list[Job], origin: Remote, api: GitHubApi, team: HostRepository
    ) -> None:
        push_all(shop, origin)
        merge(team, "job/1", "squash")
        judged: list[tuple[int, str]] = []

        def red(job: Job, tree: Oid) -> bool:
            judged.append((job.id, shop.git("cat-file", "blob", f"{tree}:app.py")))
            return False

        report = sync(shop.repository, origin, red)
        assert judged == [(2, "one\ntwo")]
        assert told(report) == [(1, "MERGED"), (2, "ATTENTION")]
        assert "its checks are red on top of origin/main" in report.events[1].text
        assert shop.branch("job/2") == jobs[1].commit

    def test_a_conflict_is_for_people(
        self,
        shop: Workshop,
        jobs: list[Job],
        origin: Remote,
        api: GitHubApi,
        team: HostRepository,
        person: Person,
    ) -> None:
        push_all(shop, origin)
        merge(team, "job/1", "squash")
        person.commits("main", **{"two.py": "mine\n"})
        report = sync(shop.repository, origin, GREEN)

        assert told(report)[1] == (2, "ATTENTION")
        assert "does not merge cleanly" in report.events[1].text
        assert "vdo merge 2 origin/main" in report.events[1].hint
        assert shop.branch("job/2") == jobs[1].commit

    def test_a_checked_out_branch_is_replayed_by_its_owner(
        self,
        shop: Workshop,
        jobs: list[Job],
        origin: Remote,
        api: GitHubApi,
        team: HostRepository,
        tmp_path: Path,
    ) -> None:
        push_all(shop, origin)
        merge(team, "job/1", "squash")
        shop.git("worktree", "add", "-q", str(tmp_path / "tree"), "job/2")
        report = sync(shop.repository, origin, GREEN)

        assert told(report) == [(1, "MERGED"), (2, "ATTENTION")]
        assert f"git -C {tmp_path}/tree merge origin/main" in report.events[1].hint
        assert shop.branch("job/2") == jobs[1].commit

    def test_a_branch_that_moves_meanwhile(
        self, shop: Workshop, jobs: list[Job], origin: Remote, person: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push_all(shop, origin)
        person.commits("job/2", fix="f\n")
        checked_out = type(shop.repository).checked_out

        def meanwhile(self: Repository, branch: str) -> str | None:
            found = checked_out(self, branch)
            shop.person("job/2", {"mine": "m\n"})
            return found

        monkeypatch.setattr(type(shop.repository), "checked_out", meanwhile)
        report = sync(shop.repository, origin, GREEN)
        assert told(report) == [(2, "ATTENTION")]
        assert report.events[0].text == "job/2 is being changed by somebody else"
        assert shop.read("job/2", "mine") == "m"

    def test_a_true_merge_needs_no_replay(
        self, shop: Workshop, jobs: list[Job], origin: Remote, api: GitHubApi, team: HostRepository
    ) -> None:
        push_all(shop, origin)
        merge(team, "job/1", "merge")
        assert told(sync(shop.repository, origin, GREEN)) == [(1, "MERGED")]
        assert shop.branch("job/2") == jobs[1].commit


class TestColleagues:
    def test_their_jobs_are_known_by_their_id(
        self, shop: Workshop, colleague: Workshop, jobs: list[Job], host: GitHost, origin: Remote, tmp_path: Path
    ) -> None:
        push_all(shop, origin)
        colleague.git("fetch", "-q", str(host.path(NAME)), "main:main")
        theirs = colleague.job("Their part", {"their.py": "t"}, extends="main")
        push(colleague.repository, [theirs], connect(colleague, host))
        tip = Person(host, tmp_path / "p").commits("job/1-ada", fix="f\n")
        report = sync(shop.repository, origin, GREEN)

        (found,) = report.others
        assert (found.name, found.uid, found.title, found.commit) == ("origin/1-ada", theirs.uid, "Their part", tip)
        assert (found.own_commit, found.author, found.extends) == (theirs.commit, "Ada Tester", "main")
        assert find_remote(shop.repository, "origin/job/1-ada") == found
        assert found.revision.name == "origin/job/1-ada"
        assert shop.repository.resolve(shop.repository.parent(found.revision.name)) == tip
        assert [one.uid for one in remote_jobs(shop.repository, "origin")] == [theirs.uid]

    def test_whatever_a_message_contains(self, shop: Workshop, jobs: list[Job], host: GitHost, origin: Remote) -> None:
        push_all(shop, origin)
        message = "Odd\x01\n\na\x01\nb\u00e9\n\nVdo-Job: 9\nVdo-Id: " + "a0" * 16 + "\n"
        for number, above in enumerate((message, "On top\x01\nof it\n", "Once more\n"), 91):
            below = ("-p", "job/9") if number > 91 else ()
            commit = host.git(NAME, "commit-tree", "main^{tree}", *below, "-F", "-", stdin=above)
            host.git(NAME, "update-ref", "refs/heads/job/9", commit)
            host.git(NAME, "update-ref", f"refs/heads/job/{number}", commit)
        others = sync(shop.repository, origin, GREEN).others
        assert [(one.name, one.uid) for one in others] == [(f"origin/{n}", "a0" * 16) for n in (9, 91, 92, 93)]
        assert find_remote(shop.repository, "origin/93").own_commit == others[1].commit

    def test_a_branch_that_is_no_job_is_none(
        self, shop: Workshop, jobs: list[Job], host: GitHost, origin: Remote
    ) -> None:
        push_all(shop, origin)
        host.git(NAME, "update-ref", "refs/heads/job/99", "main")
        assert sync(shop.repository, origin, GREEN).others == ()
        with pytest.raises(JobNotFound, match="no job origin/99"):
            find_remote(shop.repository, "origin/99")


@needed
class TestWithPullRequests:
    def test_the_whole_story(
        self,
        shop: Workshop,
        colleague: Workshop,
        jobs: list[Job],
        host: GitHost,
        origin: Remote,
        github: Host,
        team: HostRepository,
        person: Person,
    ) -> None:
        """A stack goes up, its base is squashed, a person commits on it, a colleague uses the same numbers."""
        assert push_with_pulls(shop, origin, github) == ["opened"] * 3
        merge(team, "job/1", "squash")
        fix = person.commits("job/2", **{"fix.py": "f\n"})
        colleague.git("fetch", "-q", str(host.path(NAME)), "main:main")
        colleague.job("Theirs 1", {"t1": "1"}, extends="main")
        colleague.job("Theirs 2", {"t2": "2"}, extends="main")
        theirs = push_all(colleague, connect(colleague, host))
        assert [one.name for one in theirs.results] == ["job/1-ada", "job/2-ada"]

        report = sync_with_pulls(shop, origin, github)
        assert told(report) == [(2, "ADVANCED"), (1, "MERGED"), (2, "REPLAYED"), (2, "RETARGETED")]
        assert [one.name for one in report.others] == ["origin/1-ada", "origin/2-ada"]
        assert push_with_pulls(shop, origin, github)[0] == "merged"

        assert [(pull.head, pull.base, pull.number) for pull in team.pulls()] == [
            ("job/2", "main", 2),
            ("job/3", "job/2", 3),
        ]
        refs = host.refs(NAME)
        assert refs["refs/heads/job/1-ada"] == colleague.branch("job/1")
        assert refs["refs/heads/job/3"] == jobs[2].commit
        for kept in (fix, jobs[1].commit, team.branch("main")):
            assert team.git("merge-base", str(kept), "job/2") == kept
        assert team.git("diff", "--name-only", "main", "job/2").split() == ["app.py", "fix.py", "two.py"]
        assert told(sync_with_pulls(shop, origin, github)) == []
        assert push_with_pulls(shop, origin, github) == ["merged", "unchanged", "unchanged"]

        merge(team, "job/2", "squash")
        assert told(sync_with_pulls(shop, origin, github)) == [(2, "MERGED"), (3, "REPLAYED"), (3, "RETARGETED")]
        push_with_pulls(shop, origin, github)
        merge(team, "job/3", "squash")
        assert team.git("show", "main:app.py") == "one\ntwo\nthree"
        assert sorted(team.git("ls-tree", "--name-only", "main").split()) == [
            "app.py",
            "fix.py",
            "one.py",
            "readme",
            "two.py",
        ]

    @pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
    def test_children_are_retargeted(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository, method: str
    ) -> None:
        push_with_pulls(shop, origin, github)
        merge(team, "job/1", method)
        events = told(sync_with_pulls(shop, origin, github))

        assert events[0] == (1, "MERGED")
        assert events[-1] == (2, "RETARGETED")
        assert ((2, "REPLAYED") in events) is (method != "merge")
        assert team.pull(2).base == "main"

    def test_children_go_to_the_branch_that_the_project_began_on(
        self, shop: Workshop, host: GitHost, origin: Remote, github: Host, team: HostRepository
    ) -> None:
        shop.person("main", {"readme": "r\n"})
        shop.git("branch", "develop", "main")
        shop.git("push", "-q", str(host.path(NAME)), "main", "develop")
        one = shop.job("One", {"one.py": "1\n"}, extends="develop")
        shop.job("Two", {"two.py": "2\n"}, extends=one)
        push_with_pulls(shop, origin, github)
        merge(team, "job/1", "squash")
        assert (2, "RETARGETED") in told(sync_with_pulls(shop, origin, github))
        assert team.pull(2).base == "develop"

    def test_a_repository_that_was_made_anew_has_none_of_them(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, api: GitHubApi, team: HostRepository
    ) -> None:
        push_with_pulls(shop, origin, github)
        api.open(NAME)
        assert told(sync_with_pulls(shop, origin, github)) == []
        assert push_with_pulls(shop, origin, github) == ["opened"] * 3
        merge(api.repositories[NAME], "job/1", "merge")
        api.open(NAME)
        assert push_with_pulls(shop, origin, github)[1:] == ["opened"] * 2

    def test_a_closed_one_is_reported_once(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        push_with_pulls(shop, origin, github)
        team.update_pull(3, {"state": "closed"})
        assert told(sync_with_pulls(shop, origin, github)) == [(3, "CLOSED")]
        assert told(sync_with_pulls(shop, origin, github)) == []

    def test_merged_into_the_job_below(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        push_with_pulls(shop, origin, github)
        merge(team, "job/2", "merge")
        events = told(sync_with_pulls(shop, origin, github))
        assert (2, "MERGED") in events
        assert team.pull(3).base == "job/1"
        push_with_pulls(shop, origin, github)
        assert team.pull(3).base == "job/1"

    @pytest.mark.parametrize(
        ("runs", "statuses", "ready"),
        [
            ({"build": "success"}, {}, True),
            ({"build": "success"}, {"ci/x": "success"}, True),
            ({"build": None}, {}, False),
            ({"build": "failure"}, {"ci/x": "success"}, False),
            ({}, {"ci/x": "pending"}, False),
            ({}, {}, False),
        ],
    )
    def test_drafts_become_ready_when_the_hosts_checks_are_green(
        self,
        shop: Workshop,
        jobs: list[Job],
        origin: Remote,
        github: Host,
        team: HostRepository,
        runs: dict[str, str | None],
        statuses: dict[str, str],
        ready: bool,
    ) -> None:
        shop.repository.journals.append(dataclasses.replace(jobs[0], checks="none"), "Not judged")
        push_with_pulls(shop, origin, github)
        sha = str(jobs[0].commit)
        team.check_runs[sha], team.statuses[sha] = runs, statuses
        assert team.pull(1).draft is True

        events = sync_with_pulls(shop, origin, github).events
        assert [event.what for event in events] == ([What.READY] if ready else [])
        assert team.pull(1).draft is not ready

    def test_a_draft_that_people_made_again_stays_one(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        shop.repository.journals.append(dataclasses.replace(jobs[0], checks="none"), "Not judged")
        push_with_pulls(shop, origin, github)
        team.check_runs[str(jobs[0].commit)] = {"build": "success"}
        assert told(sync_with_pulls(shop, origin, github)) == [(1, "READY")]
        team.pull(1).draft = True
        assert told(sync_with_pulls(shop, origin, github)) == []
        assert team.pull(1).draft is True

    @pytest.mark.parametrize("path", [".*/check-runs", "/graphql"])
    def test_a_token_without_the_right_to_see_checks(
        self,
        shop: Workshop,
        jobs: list[Job],
        origin: Remote,
        github: Host,
        api: GitHubApi,
        team: HostRepository,
        path: str,
    ) -> None:
        shop.repository.journals.append(dataclasses.replace(jobs[0], checks="none"), "Not judged")
        push_with_pulls(shop, origin, github)
        team.check_runs[str(jobs[0].commit)] = {"build": "success"}
        message = "Resource not accessible by integration"
        query = {"data": None, "errors": [{"type": "FORBIDDEN", "message": message}]}
        api.faults.append(
            Fault(200, query, path=path) if path == "/graphql" else Fault(403, {"message": message}, path=path)
        )
        merge(team, "job/3", "merge")
        report = sync_with_pulls(shop, origin, github)
        assert {(1, "ATTENTION"), (3, "MERGED")} <= set(told(report))
        assert any(message in event.text for event in report.events)
        assert told(sync_with_pulls(shop, origin, github)) == [(1, "READY")]

    def test_one_red_check_among_hundreds(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        shop.repository.journals.append(dataclasses.replace(jobs[0], checks="none"), "Not judged")
        push_with_pulls(shop, origin, github)
        runs: dict[str, str | None] = {f"build {number}": "success" for number in range(150)}
        team.check_runs[str(jobs[0].commit)] = {**runs, "last": "failure"}
        assert told(sync_with_pulls(shop, origin, github)) == []
