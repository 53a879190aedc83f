"""Pull requests of jobs: stacked, idempotent, and never a second one whatever breaks."""

from __future__ import annotations

import dataclasses
import logging
import re

import pytest
from standins.github_api import Fault, GitHubApi, HostRepository, primary_limit, secondary_limit
from standins.openapi_contract import needed
from standins.publish_setup import API_TOKEN, NAME, connect, connect_api
from standins.workshop import Workshop

from vdo.errors import RemoteError
from vdo.job import Job
from vdo.publish.github.address import Address
from vdo.publish.github.host import Host
from vdo.publish.github.pulls import Done, PullResult, publish_pulls
from vdo.publish.github.values import PullRequest
from vdo.publish.push import push
from vdo.publish.remote import Remote
from vdo.store.index import Query

pytestmark = needed


def publish(shop: Workshop, origin: Remote, github: Host, *jobs: Job) -> tuple[PullResult, ...]:
    wanted = list(jobs) or shop.repository.jobs(Query())[::-1]
    report = push(shop.repository, wanted, origin, revive=False)
    return publish_pulls(shop.repository, wanted, report, github)


def seeded(shop: Workshop, team: HostRepository) -> None:
    """main is there and here."""
    shop.person("main", {"readme": "r\n"})
    shop.git("push", "-q", str(team.host.path(NAME)), "main")


def stack(shop: Workshop, count: int = 3) -> list[Job]:
    jobs: list[Job] = []
    for number in range(1, count + 1):
        files = {f"part{number}.py": f"{number}\n"}
        jobs.append(
            shop.job(f"Part {number}", files, extends=jobs[-1] if jobs else "main", description=f"Do {number}.")
        )
    return jobs


@pytest.fixture
def jobs(shop: Workshop, team: HostRepository) -> list[Job]:
    seeded(shop, team)
    return stack(shop)


def done(results: tuple[PullResult, ...]) -> list[str]:
    return [result.done.value for result in results]


class TestStacks:
    def test_a_stack_goes_up(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        results = publish(shop, origin, github)

        assert done(results) == ["opened"] * 3
        assert [(pull.head, pull.base, pull.draft, pull.issue.title) for pull in team.pulls()] == [
            ("job/1", "main", False, "Part 1"),
            ("job/2", "job/1", False, "Part 2"),
            ("job/3", "job/2", False, "Part 3"),
        ]
        assert results[1] == PullResult(
            jobs[1].id, Done.OPENED, 2, "https://github.example/team/platform/pull/2", base="job/1"
        )

    def test_a_new_project_begins_with_the_children(
        self, shop: Workshop, origin: Remote, github: Host, team: HostRepository
    ) -> None:
        shell = shop.job("Shell", {"app.py": "1"})
        shop.job("Feature", {"feature.py": "1"}, extends=shell)

        assert done(publish(shop, origin, github)) == ["none", "opened"]
        assert [(pull.head, pull.base) for pull in team.pulls()] == [("job/2", "main")]

    def test_again_nothing_changes_and_one_call_says_so(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, api: GitHubApi
    ) -> None:
        publish(shop, origin, github)
        api.asked.clear()

        assert done(publish(shop, origin, github)) == ["unchanged"] * 3
        assert [one.method for one in api.asked] == ["GET"]

    def test_one_call_lists_and_at_most_three_change_each(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, api: GitHubApi
    ) -> None:
        publish(shop, origin, github)
        assert len(api.calls("GET", f"/repos/{NAME}/pulls")) == 1 + 3  # the list, and a look for each new one
        assert len(api.asked) <= 1 + 3 * 3

    def test_the_section_tells_the_story(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        publish(shop, origin, github)
        text = team.pulls()[1].issue.body or ""

        assert f"**Job 2** · `{jobs[1].uid}` · by claude some-model" in text
        assert "> Do 2." in text
        assert "**Checks:** passed" in text
        assert "**Cost:** 0.0421 USD (1,200 tokens in, 800 out, 9,000 cached)" in text
        assert "Files: 1 created, 2 inherited" in text
        assert "| `part2.py` | created | this job |  |" in text
        assert re.search(r"Inherited: 1 from (job 1|commit \w+), 1 from (job 1|commit \w+)", text)
        assert [line for line in text.splitlines() if "job 1:" in line or "job 2:" in line or "job 3:" in line] == [
            "- #1 job 1: Part 1",
            "- **job 2: Part 2** ← this one",
            "- #3 job 3: Part 3",
        ]

    def test_what_people_wrote_stays(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        publish(shop, origin, github)
        pull = team.pulls()[0]
        written = (
            "Please look at the *colours*.\r\n\r\n" + (pull.issue.body or "").replace("\n", "\r\n") + "\r\nThanks!"
        )
        pull.issue.body, pull.issue.title = written, "A better title"
        assert done(publish(shop, origin, github)) == ["unchanged"] * 3
        shop.job("Part 4", {"part4.py": "4"}, extends=jobs[0])

        assert done(publish(shop, origin, github)) == ["updated", "unchanged", "unchanged", "opened"]
        body = pull.issue.body or ""
        assert body.startswith("Please look at the *colours*.\r\n\r\n<!-- vdo:begin -->")
        assert body.endswith("<!-- vdo:end -->\r\nThanks!")
        assert "- #4 job 4: Part 4" in body
        assert pull.issue.title == "A better title"

    def test_people_removed_the_section(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        publish(shop, origin, github)
        team.pulls()[0].issue.body = "Only this.\n"
        publish(shop, origin, github)
        assert (team.pulls()[0].issue.body or "").startswith("Only this.\n\n<!-- vdo:begin -->")

    def test_a_merge_job_names_both_parents(
        self, shop: Workshop, origin: Remote, github: Host, team: HostRepository
    ) -> None:
        seeded(shop, team)
        base = shop.job("Base", {"base.py": "b"}, extends="main")
        left = shop.job("Left", {"left.py": "l"}, extends=base)
        right = shop.job("Right", {"right.py": "r"}, extends=base)
        shop.job("Both", {"right.py": "r"}, extends=left, merges=(right,))
        publish(shop, origin, github)

        pull = team.pulls()[3]
        assert (pull.head, pull.base) == ("job/4", "job/2")
        assert "Merges job 2 (Left) and job 3 (Right)" in (pull.issue.body or "")

    def test_checks_decide_on_drafts(self, shop: Workshop, origin: Remote, github: Host, team: HostRepository) -> None:
        seeded(shop, team)
        job = stack(shop, 1)[0]
        shop.repository.journals.append(dataclasses.replace(job, checks="none"), "As if nothing had judged it")
        publish(shop, origin, github)
        assert team.pulls()[0].draft is True

    def test_a_repository_without_drafts(
        self, shop: Workshop, origin: Remote, github: Host, team: HostRepository
    ) -> None:
        team.drafts_allowed = False
        seeded(shop, team)
        job = stack(shop, 1)[0]
        shop.repository.journals.append(dataclasses.replace(job, checks="none"), "As if nothing had judged it")
        assert done(publish(shop, origin, github)) == ["opened"]
        assert team.pulls()[0].draft is False

    def test_an_issue_is_closed_by_it(self, shop: Workshop, origin: Remote, github: Host, team: HostRepository) -> None:
        seeded(shop, team)
        job = stack(shop, 1)[0]
        shop.repository.journals.append(dataclasses.replace(job, extra=(("Vdo-Closes", "77"),)), "From an issue")
        publish(shop, origin, github)
        assert "\nCloses #77\n" in (team.pulls()[0].issue.body or "")

    def test_a_base_that_people_chose_stays(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        publish(shop, origin, github)
        team.git("update-ref", "refs/heads/develop", "main")
        team.update_pull(1, {"base": "develop"})
        publish(shop, origin, github)
        assert team.pull(1).base == "develop"

    def test_built_on_another_branch_it_goes_back_there(
        self, shop: Workshop, origin: Remote, github: Host, team: HostRepository
    ) -> None:
        seeded(shop, team)
        shop.git("branch", "develop", "main")
        shop.git("push", "-q", str(team.host.path(NAME)), "develop")
        shop.job("On develop", {"d.py": "d"}, extends="develop")
        publish(shop, origin, github)
        assert team.pulls()[0].base == "develop"


class TestEndings:
    @pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
    def test_what_was_merged_is_not_opened_again(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository, method: str
    ) -> None:
        publish(shop, origin, github)
        team.merge(1, method, "bob")
        team.git("update-ref", "-d", "refs/heads/job/1")

        assert done(publish(shop, origin, github)) == ["merged", "updated", "updated"]
        assert done(publish(shop, origin, github)) == ["merged", "unchanged", "unchanged"]
        assert [(pull.head, pull.base) for pull in team.pulls()] == [("job/2", "main"), ("job/3", "job/2")]
        assert len(team.pulls("all")) == 3

    def test_a_closed_one_stays_closed(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository, api: GitHubApi
    ) -> None:
        publish(shop, origin, github)
        team.update_pull(3, {"state": "closed"})
        assert done(publish(shop, origin, github))[2] == "closed"
        api.asked.clear()
        assert done(publish(shop, origin, github))[2] == "closed"
        assert len(api.asked) == 1
        team.update_pull(3, {"state": "open"})
        assert done(publish(shop, origin, github))[2] == "unchanged"

    def test_another_machine_finds_them_too(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        publish(shop, origin, github)
        team.update_pull(3, {"state": "closed"})
        for path in (shop.path / "vdo" / "github").iterdir():
            path.unlink()
        assert done(publish(shop, origin, github))[2] == "closed"
        assert len(team.pulls("all")) == 3

    def test_numbers_of_another_repository_mean_nothing(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, api: GitHubApi
    ) -> None:
        """The remote leads elsewhere now, where somebody has pull requests of the same numbers."""
        publish(shop, origin, github)
        other = api.open("team/other")
        for branch in ("main", "job/1:theirs"):
            shop.git("push", "-q", str(other.host.path("team/other")), branch)
        other.create_pull("Theirs", "theirs", "main", "Their text", False, "bob")
        shop.git("remote", "set-url", "origin", other.host.url("team/other"))
        moved = Host(Address(api.url, "team", "other"), github._requests)
        jobs = shop.repository.jobs(Query())[::-1]
        report = push(shop.repository, jobs, connect(shop, other.host))

        assert done(publish_pulls(shop.repository, jobs, report, moved)) == ["opened"] * 3
        assert [(pull.head, pull.issue.body == "Their text") for pull in other.pulls()] == [
            ("theirs", True),
            ("job/1", False),
            ("job/2", False),
            ("job/3", False),
        ]

    def test_children_of_a_merged_job_go_to_the_target(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, team: HostRepository
    ) -> None:
        publish(shop, origin, github)
        team.merge(1, "squash", "bob")
        results = publish(shop, origin, github)

        assert done(results) == ["merged", "updated", "updated"]
        assert [(pull.head, pull.base) for pull in team.pulls()] == [("job/2", "main"), ("job/3", "job/2")]
        assert "- #1 job 1: Part 1 (merged)" in (team.pull(3).issue.body or "")


class TestTroubles:
    def test_it_waits_as_told(self, shop: Workshop, jobs: list[Job], origin: Remote, api: GitHubApi) -> None:
        waited: list[float] = []
        lines: list[str] = []
        github = connect_api(api, sleep=waited.append, log=lines.append)
        api.faults += [primary_limit(30), secondary_limit(7), secondary_limit(9, 429), secondary_limit(None)]
        assert done(publish(shop, origin, github)) == ["opened"] * 3

        assert 29 <= waited[0] <= 32
        assert waited[1:] == [7, 9, 480]
        assert all(line.startswith("GitHub asks to wait") for line in lines)

    def test_server_errors_pass(self, shop: Workshop, jobs: list[Job], origin: Remote, api: GitHubApi) -> None:
        waited: list[float] = []
        api.faults += [Fault(502), Fault(500), Fault(503)]
        assert done(publish(shop, origin, connect_api(api, sleep=waited.append))) == ["opened"] * 3
        assert waited == [1, 4, 15]

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("status", [500, 502])
    def test_no_second_pull_request_when_an_answer_is_lost(
        self,
        shop: Workshop,
        jobs: list[Job],
        origin: Remote,
        github: Host,
        api: GitHubApi,
        team: HostRepository,
        after: bool,
        status: int,
    ) -> None:
        api.faults += [Fault(status, method="POST", after=after)]
        results = publish(shop, origin, github)

        assert done(results) == ["opened"] * 3
        assert [pull.head for pull in team.pulls("all")] == ["job/1", "job/2", "job/3"]

    def test_a_request_that_takes_too_long(
        self,
        shop: Workshop,
        jobs: list[Job],
        origin: Remote,
        api: GitHubApi,
        team: HostRepository,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("vdo.publish.github.requests._TIMEOUT", 1)
        api.faults += [Fault(504, method="POST", after=True, delay=1.5), Fault(504, method="GET", delay=1.5)]
        publish(shop, origin, connect_api(api))
        assert [pull.head for pull in team.pulls("all")] == ["job/1", "job/2", "job/3"]

    def test_it_goes_on_where_it_stopped(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, api: GitHubApi, team: HostRepository
    ) -> None:
        publish(shop, origin, github, jobs[0])
        api.faults += [Fault(401, {"message": "Bad credentials"}, method="POST")]
        with pytest.raises(RemoteError, match="does not accept the token"):
            publish(shop, origin, github)
        assert done(publish(shop, origin, github)) == ["updated", "opened", "opened"]
        assert len(team.pulls("all")) == 3

    def test_somebody_opened_it_in_between(
        self, shop: Workshop, jobs: list[Job], origin: Remote, api: GitHubApi, team: HostRepository
    ) -> None:
        push(shop.repository, jobs, origin)

        class Late(Host):
            """It looks for a pull request just before somebody opens one."""

            def newest(self, head: str) -> PullRequest | None:
                found = super().newest(head)
                if head == "job/1" and not team.pulls():
                    team.create_pull("By hand", head, "main", "Mine.", False, "bob")
                return found

        github = connect_api(api)
        publish(shop, origin, Late(github.address, github._requests))
        assert len(team.pulls("all")) == 3
        assert (team.pull(1).issue.body or "").startswith("Mine.\n\n<!-- vdo:begin -->")

    def test_an_old_pull_request_of_such_a_branch_is_not_taken_for_the_lost_one(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, api: GitHubApi, team: HostRepository
    ) -> None:
        push(shop.repository, jobs, origin)
        team.create_pull("Long ago", "job/1", "main", "Another job's.", False, "bob")
        team.update_pull(1, {"state": "closed"})
        api.faults += [Fault(502, method="POST")]
        assert done(publish(shop, origin, github)) == ["opened"] * 3
        assert [(pull.number, pull.head) for pull in team.pulls()] == [(2, "job/1"), (3, "job/2"), (4, "job/3")]
        assert team.pull(1).issue.body == "Another job's."

    @pytest.mark.parametrize("count", [3, 40])
    def test_a_renamed_repository_is_asked_by_its_new_name(
        self,
        shop: Workshop,
        jobs: list[Job],
        origin: Remote,
        github: Host,
        api: GitHubApi,
        team: HostRepository,
        count: int,
    ) -> None:
        """GitHub sends us on, PyGithub follows without what was asked for: it must not end in a foreign text."""
        for number in range(count):
            shop.git("push", "-q", str(team.host.path(NAME)), f"job/1:theirs{number}")
            team.create_pull("Theirs", f"theirs{number}", "main", "Their text", False, "bob")
        api.renamed["team/old"] = NAME
        old = Host(Address(api.url, "team", "old"), github._requests)
        report = push(shop.repository, jobs, origin)
        with pytest.raises(RemoteError) as failed:
            publish_pulls(shop.repository, jobs, report, old)
        assert "git remote set-url" in failed.value.hint
        assert {pull.issue.body for pull in team.pulls()} == {"Their text"}

    def test_the_checks_of_a_renamed_repository_are_not_asked_for_without_end(
        self, jobs: list[Job], github: Host, api: GitHubApi, team: HostRepository
    ) -> None:
        assert jobs[0].commit is not None
        team.check_runs[jobs[0].commit] = {f"build {number}": "success" for number in range(40)}
        api.renamed["team/old"] = NAME
        with pytest.raises(RemoteError, match="same checks again"):
            Host(Address(api.url, "team", "old"), github._requests).light(jobs[0].commit)

    def test_github_refuses_one(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, api: GitHubApi
    ) -> None:
        error = {"resource": "PullRequest", "field": "head", "code": "invalid"}
        answer = {"message": "Validation Failed", "documentation_url": "https://docs.github.com", "errors": [error]}
        api.faults += [Fault(422, answer, method="POST", path=".*/pulls")]
        results = publish(shop, origin, github)
        assert done(results) == ["refused", "opened", "opened"]
        assert results[0].reason == "head is not valid"

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            (Fault(401, {"message": "Bad credentials"}), "does not accept the token"),
            (Fault(403, {"message": "Resource not accessible by personal access token"}), "may not do this: Resource"),
            (Fault(404, {"message": "Not Found"}), "does not find it"),
        ],
    )
    def test_what_cannot_be_helped_is_said(
        self, shop: Workshop, jobs: list[Job], origin: Remote, github: Host, api: GitHubApi, fault: Fault, message: str
    ) -> None:
        api.faults.append(fault)
        with pytest.raises(RemoteError, match=message) as failed:
            publish(shop, origin, github)
        assert failed.value.hint

    def test_the_token_is_nowhere(
        self,
        shop: Workshop,
        jobs: list[Job],
        origin: Remote,
        api: GitHubApi,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        lines: list[str] = []
        github = connect_api(api, log=lines.append)
        api.faults += [Fault(403, {"message": f"{API_TOKEN} may not"})]
        with pytest.raises(RemoteError) as failed:
            publish(shop, origin, github)
        publish(shop, origin, github)

        kept = "".join(path.read_text("latin-1") for path in shop.path.rglob("*") if path.is_file())
        told = "".join(record.getMessage() for record in caplog.records)
        for text in (str(failed.value), failed.value.hint, repr(github), repr(github._requests), *lines, told, kept):
            assert API_TOKEN not in text


@pytest.mark.slow
def test_a_hundred_jobs(shop: Workshop, origin: Remote, github: Host, api: GitHubApi, team: HostRepository) -> None:
    seeded(shop, team)
    for number in range(100):
        shop.job(f"Part {number}", {f"part{number}.py": "x\n"}, extends="main")
    assert set(done(publish(shop, origin, github))) == {"opened"}
    assert team.host.pushes == 1
    assert len(api.asked) <= 1 + 3 * 100
    api.asked.clear()
    assert set(done(publish(shop, origin, github))) == {"unchanged"}
    assert len(api.asked) == 1
