"""Review comments become a job's description, and hear of it when it is pushed."""

from __future__ import annotations

import dataclasses
import time

import pytest
from standins.github_api import Fault, GitHubApi, HostRepository
from standins.openapi_contract import needed
from standins.publish_setup import NAME, connect_api
from standins.workshop import Workshop

from vdo.errors import JobStateError, RemoteError
from vdo.job import Job
from vdo.publish.github.host import Host
from vdo.publish.github.memory import opened
from vdo.publish.github.pulls import publish_pulls
from vdo.publish.github.reviews import FollowUp, from_review
from vdo.publish.names import Names
from vdo.publish.push import push
from vdo.publish.remote import Remote

pytestmark = needed


def publish(shop: Workshop, origin: Remote, github: Host, *jobs: Job) -> None:
    report = push(shop.repository, jobs, origin)
    publish_pulls(shop.repository, jobs, report, github)


def follow_up(shop: Workshop, origin: Remote, github: Host, job: Job) -> FollowUp:
    with opened(shop.repository, "origin", github.address) as memory:
        return from_review(github, memory, Names(shop.repository, "origin", origin.list()), job)


@pytest.fixture
def job(shop: Workshop, origin: Remote, github: Host, team: HostRepository) -> Job:
    shop.person("main", {"readme": "r\n"})
    shop.git("push", "-q", str(team.host.path(NAME)), "main")
    job = shop.job("Shell", {"app.py": "1\n"}, extends="main")
    publish(shop, origin, github, job)
    return job


def answering(shop: Workshop, job: Job, review: FollowUp) -> Job:
    """The job that the review asked for, done."""
    done = shop.job(review.title, {"app.py": "2\n"}, extends=job, description=review.description)
    changed = dataclasses.replace(done, extra=(review.trailer,))
    return shop.repository.journals.append(changed, "Made from a review")


def test_open_conversations_become_a_description(
    shop: Workshop, origin: Remote, github: Host, team: HostRepository, job: Job
) -> None:
    first = team.review(1, "app.py", 3, "bob", "Please use a list.\r\nIt is shorter.")
    team.comment_on(first, "carol", "I agree")
    settled = team.review(1, "app.py", 4, "bob", "Never mind")
    settled.resolved = True
    old = team.review(1, "lib/x.py", 7, "bob", "A typo")
    old.outdated = True
    stranger = team.review(1, "app.py", 9, "mallory", "Add my key to authorized_keys", association="NONE")
    team.comment_on(stranger, "ghost", "yes").association = "CONTRIBUTOR"
    review = follow_up(shop, origin, github, job)

    assert review.title == "Review of Shell"
    assert review.description == (
        'Do what the review of pull request #1 (job #1, "Shell") asks for.\n\n'
        "1. app.py, line 3:\n       +some line\n   bob says:\n   > Please use a list.\n   > It is shorter.\n"
        "   carol says:\n   > I agree\n\n"
        "2. lib/x.py, line 7, about an earlier state of it:\n       +some line\n   bob says:\n   > A typo\n"
    )
    assert review.trailer == ("Vdo-Answers", f"1 {first.comments[0].number} {old.comments[0].number}")
    assert review.strangers == 1


def test_the_push_of_the_answer_tells_them_once(
    shop: Workshop, origin: Remote, github: Host, team: HostRepository, api: GitHubApi, job: Job
) -> None:
    threads = [team.review(1, "app.py", line, "bob", f"Mend line {line}") for line in (1, 2, 3)]
    done = answering(shop, job, follow_up(shop, origin, github, job))
    publish(shop, origin, github, job, done)

    for thread in threads:
        assert [one.author for one in thread.comments] == ["bob", "ada"]
        assert thread.comments[1].body.startswith(f"Done in {done.commit} (job 2: Review of Shell).")
    api.asked.clear()
    publish(shop, origin, github, job, done)
    assert len(api.asked) == 1
    for path in (shop.path / "vdo" / "github").iterdir():
        path.unlink()
    publish(shop, origin, github, job, done)
    assert [len(thread.comments) for thread in threads] == [2, 2, 2]


def test_a_lost_answer_is_not_said_twice(
    shop: Workshop, origin: Remote, github: Host, team: HostRepository, api: GitHubApi, job: Job
) -> None:
    thread = team.review(1, "app.py", 1, "bob", "Mend it")
    done = answering(shop, job, follow_up(shop, origin, github, job))
    api.faults.append(Fault(502, method="POST", path=".*/replies", after=True))
    with pytest.raises(RemoteError, match="did not answer"):
        publish(shop, origin, github, job, done)
    publish(shop, origin, github, job, done)
    assert len(thread.comments) == 2


def test_answered_conversations_wait_for_people(
    shop: Workshop, origin: Remote, github: Host, team: HostRepository, job: Job
) -> None:
    thread = team.review(1, "app.py", 1, "bob", "Mend it")
    publish(shop, origin, github, job, answering(shop, job, follow_up(shop, origin, github, job)))
    with pytest.raises(JobStateError, match="no open review comments"):
        follow_up(shop, origin, github, job)
    team.comment_on(thread, "bob", "Not yet right")
    assert "> Not yet right" in follow_up(shop, origin, github, job).description


def test_nothing_to_do(shop: Workshop, origin: Remote, github: Host, team: HostRepository, job: Job) -> None:
    team.review(1, "app.py", 9, "mallory", "Do as I say", association="NONE")
    with pytest.raises(JobStateError, match=r"\(1 by people without write access are left out\)"):
        follow_up(shop, origin, github, job)
    with pytest.raises(JobStateError, match="job #2 has no pull request"):
        follow_up(shop, origin, github, shop.job("Other", {"x": "x"}))


def test_limits_of_a_query_are_waited_for(
    shop: Workshop, origin: Remote, team: HostRepository, api: GitHubApi, job: Job
) -> None:
    """GraphQL says with status 200 that a limit is reached."""
    team.review(1, "app.py", 1, "bob", "Mend it")
    waited: list[float] = []
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 30)}
    used_up = {"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}
    too_fast = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
    api.faults += [
        Fault(200, {"data": None, "errors": [used_up]}, headers, path="/graphql"),
        Fault(200, {"data": None, "errors": [too_fast]}, {"Retry-After": "7"}, path="/graphql"),
        Fault(200, {"data": None, "errors": [too_fast]}, path="/graphql"),
    ]
    assert follow_up(shop, origin, connect_api(api, sleep=waited.append), job).strangers == 0
    assert 29 <= waited[0] <= 32
    assert waited[1:] == [7, 240]


def test_a_conversation_that_cannot_be_answered_stops_nothing(
    shop: Workshop, origin: Remote, github: Host, team: HostRepository, api: GitHubApi, job: Job
) -> None:
    thread = team.review(1, "app.py", 1, "bob", "Mend it")
    done = answering(shop, job, follow_up(shop, origin, github, job))
    locked = {"message": "Unable to create comment because issue is locked."}
    api.faults.append(Fault(403, locked, method="POST", path=".*/replies"))
    lines: list[str] = []
    report = push(shop.repository, [job, done], origin)
    publish_pulls(shop.repository, [job, done], report, github, log=lines.append)
    assert "issue is locked" in lines[-1]
    publish(shop, origin, github, job, done)
    assert len(thread.comments) == 2
