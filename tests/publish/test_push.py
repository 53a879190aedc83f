"""Pushing jobs: what is new goes up in one piece, and nothing of others is ever touched."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest
from standins.git_host import Cut, GitHost
from standins.publish_setup import GIT_TOKEN, NAME, connect
from standins.workshop import Workshop

from vdo.errors import IdentityMissing, RemoteError
from vdo.job import JobId, State
from vdo.publish.push import Outcome, Pushed, PushReport, push
from vdo.publish.remote import Remote
from vdo.store.index import Query


def outcomes(report: PushReport) -> dict[str, Outcome]:
    return {one.name: one.outcome for one in report.results}


def only(report: PushReport) -> Pushed:
    (one,) = report.results
    return one


def push_all(shop: Workshop, remote: Remote, **options: bool) -> PushReport:
    jobs = shop.repository.jobs(Query())[::-1]
    return push(shop.repository, jobs, remote, **options)


def grow(shop: Workshop, count: int = 3) -> None:
    """A shell and jobs that extend one another."""
    last = shop.job("Shell", {"app.py": "1"})
    for number in range(2, count + 1):
        last = shop.job(f"Part {number}", {f"part{number}.py": "x"}, extends=last)


class TestTheOrdinaryWay:
    def test_an_empty_remote_gets_the_root_as_its_target_branch(
        self, shop: Workshop, host: GitHost, origin: Remote
    ) -> None:
        grow(shop)
        report = push_all(shop, origin)

        assert outcomes(report) == dict.fromkeys(("main", "job/1", "job/2", "job/3"), Outcome.NEW)
        assert host.refs(NAME) == {f"refs/heads/{name}": shop.branch(name) for name in ("job/1", "job/2", "job/3")} | {
            "refs/heads/main": shop.branch("job/1")
        }
        assert (report.target, report.listing.branch("main")) == ("main", shop.branch("job/1"))
        assert host.pushes == 1

    def test_again_there_is_nothing_to_do(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop)
        push_all(shop, origin)
        report = push_all(shop, origin)

        assert set(outcomes(report).values()) == {Outcome.UNCHANGED}
        assert host.pushes == 1

    def test_existing_code_becomes_the_target_and_the_root_job_comes_on_top(
        self, shop: Workshop, host: GitHost, origin: Remote
    ) -> None:
        base = shop.person("main", {"old.py": "old"})
        shop.job("On existing code", {"new.py": "new"}, extends="main")
        push_all(shop, origin)

        assert host.refs(NAME)["refs/heads/main"] == base

    def test_peoples_commits_go_along(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop, 1)
        push_all(shop, origin)
        fix = shop.person("job/1", {"fix.py": "f"})
        report = push_all(shop, origin)

        assert outcomes(report) == {"job/1": Outcome.UPDATED}
        assert host.refs(NAME)["refs/heads/job/1"] == fix

    def test_only_completed_jobs_have_something_to_push(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop, 1)
        shop.job("Broken", {"x": "x"}, extends=shop.repository.job(1), state=State.FAILED)
        assert outcomes(push_all(shop, origin)) == {"main": Outcome.NEW, "job/1": Outcome.NEW}

    def test_a_job_whose_branch_was_deleted_here_still_counts(
        self, shop: Workshop, host: GitHost, origin: Remote
    ) -> None:
        grow(shop, 2)
        shop.git("update-ref", "-d", "refs/heads/job/2")
        push_all(shop, origin)
        assert host.refs(NAME)["refs/heads/job/2"] == shop.repository.job(2).commit

    def test_journals_go_along_when_asked_for(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop, 1)
        shop.job("Broken", {"x": "x"}, state=State.FAILED)
        push_all(shop, origin, journals=True)
        assert {name for name in host.refs(NAME) if name.startswith("refs/vdo/")} == {
            "refs/vdo/jobs/1",
            "refs/vdo/jobs/2",
        }
        job = shop.repository.job(2)
        shop.repository.journals.append(dataclasses.replace(job, state=State.CANCELLED), "Cancelled")
        report = push_all(shop, origin, journals=True)
        assert outcomes(report)["refs/vdo/jobs/2"] is Outcome.UPDATED
        assert host.refs(NAME)["refs/vdo/jobs/2"] == shop.repository.job(2).journal

    def test_a_hundred_jobs_are_one_push(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        first = shop.job("Shell", {"app.py": "1"})
        for number in range(99):
            shop.job(f"Part {number}", {f"{number}.py": "x"}, extends=first)
        push_all(shop, origin)

        assert host.pushes == 1
        assert len(host.refs(NAME)) == 101

    def test_nothing_here_but_the_record_of_the_push_is_changed(self, shop: Workshop, origin: Remote) -> None:
        grow(shop)
        before, config = shop.git("for-each-ref"), (shop.path / "config").read_text()
        push_all(shop, origin)
        after = set(shop.git("for-each-ref").splitlines()) - set(before.splitlines())

        assert {line.split("\t")[1] for line in after} == {
            f"refs/{below}/origin/{name}"
            for below, name in [("vdo/pushed", f"heads/job/{n}") for n in (1, 2, 3)]
            + [("remotes", f"job/{n}") for n in (1, 2, 3)]
            + [("remotes", "main")]
        }
        assert (shop.path / "config").read_text() == config


class TestWithOthers:
    def test_a_colleagues_job_of_the_same_number_is_left_alone(
        self, shop: Workshop, colleague: Workshop, host: GitHost, origin: Remote
    ) -> None:
        grow(colleague, 2)
        push_all(colleague, connect(colleague, host))
        before = host.refs(NAME)
        subprocess.run(["git", "-C", shop.path, "fetch", "-q", str(host.path(NAME)), "main:main"], check=True)
        ours = shop.job("Ours", {"ours.py": "o"}, extends="main")
        # its number was free here: the remote was not known yet
        assert ours.id == 1
        report = push_all(shop, origin)

        assert outcomes(report) == {"job/1-ada": Outcome.NEW}
        assert host.refs(NAME) == before | {"refs/heads/job/1-ada": ours.commit}
        assert outcomes(push_all(shop, origin)) == {"job/1-ada": Outcome.UNCHANGED}

    def test_somebody_else_with_the_same_name(
        self, shop: Workshop, colleague: Workshop, host: GitHost, origin: Remote
    ) -> None:
        grow(colleague, 1)
        push_all(colleague, connect(colleague, host))
        host.git(NAME, "update-ref", "refs/heads/job/1-ada", "main")
        subprocess.run(["git", "-C", shop.path, "fetch", "-q", str(host.path(NAME)), "main:main"], check=True)
        ours = shop.job("Ours", {"ours.py": "o"}, extends="main")
        assert outcomes(push_all(shop, origin)) == {f"job/1-ada-{ours.uid[:8]}": Outcome.NEW}

    def test_nobody_needs_to_be_known_while_the_numbers_are_free(
        self, shop: Workshop, host: GitHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grow(shop, 2)
        for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL", "EMAIL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        stranger = Workshop(shop.path)
        with pytest.raises(IdentityMissing):
            _ = stranger.repository.identity
        report = push_all(stranger, connect(stranger, host), journals=True)
        assert set(outcomes(report).values()) == {Outcome.NEW}

    def test_another_address_does_not_change_a_branchs_name(
        self, shop: Workshop, colleague: Workshop, host: GitHost, origin: Remote, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grow(colleague, 1)
        push_all(colleague, connect(colleague, host))
        subprocess.run(["git", "-C", shop.path, "fetch", "-q", str(host.path(NAME)), "main:main"], check=True)
        shop.job("Ours", {"ours.py": "o"}, extends="main")
        assert outcomes(push_all(shop, origin)) == {"job/1-ada": Outcome.NEW}
        monkeypatch.setenv("GIT_AUTHOR_EMAIL", "lovelace@example.com")
        assert outcomes(push_all(Workshop(shop.path), origin)) == {"job/1-ada": Outcome.UNCHANGED}

    def test_a_colleagues_journal_is_left_alone(
        self, shop: Workshop, colleague: Workshop, host: GitHost, origin: Remote
    ) -> None:
        grow(colleague, 1)
        push_all(colleague, connect(colleague, host), journals=True)
        theirs = host.refs(NAME)["refs/vdo/jobs/1"]
        subprocess.run(["git", "-C", shop.path, "fetch", "-q", str(host.path(NAME)), "main:main"], check=True)
        shop.job("Ours", {"ours.py": "o"}, extends="main")
        push_all(shop, origin, journals=True)

        assert host.refs(NAME)["refs/vdo/jobs/1"] == theirs
        assert host.refs(NAME)["refs/vdo/jobs/1-ada"] == shop.repository.job(1).journal

    def test_people_pushed_commits_on_top(self, shop: Workshop, host: GitHost, origin: Remote, tmp_path: Path) -> None:
        grow(shop, 1)
        push_all(shop, origin)
        fix = person(host, tmp_path, "job/1", "fix.py")
        one = only(push_all(shop, origin))

        assert (one.outcome, one.hint) == (Outcome.BEHIND, "`vdo sync` brings them")
        assert host.refs(NAME)["refs/heads/job/1"] == fix

    def test_people_committed_here_and_there(
        self, shop: Workshop, host: GitHost, origin: Remote, tmp_path: Path
    ) -> None:
        grow(shop, 1)
        push_all(shop, origin)
        theirs = person(host, tmp_path, "job/1", "theirs.py")
        shop.person("job/1", {"mine.py": "m"})
        one = only(push_all(shop, origin))

        assert (one.outcome, one.reason) == (Outcome.REFUSED, "people committed to job/1 here and on origin")
        assert host.refs(NAME)["refs/heads/job/1"] == theirs

    def test_somebody_replaced_the_branch(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop, 2)
        push_all(shop, origin)
        amended = host.git(NAME, "commit-tree", "job/2^{tree}", "-p", "main", "-m", "Amended")
        host.git(NAME, "update-ref", "refs/heads/job/2", amended)
        report = push_all(shop, origin)

        assert outcomes(report) == {"job/1": Outcome.UNCHANGED, "job/2": Outcome.REFUSED}
        assert "somebody replaced origin/job/2" in report.refused[0].reason

    def test_what_we_pushed_ourselves_may_be_replaced(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop, 1)
        shop.person("job/1", {"note.py": "first"})
        push_all(shop, origin)
        shop.git("update-ref", "refs/heads/job/1", str(shop.repository.job(1).commit))
        second = shop.person("job/1", {"note.py": "second"})
        assert outcomes(push_all(shop, origin)) == {"job/1": Outcome.UPDATED}
        assert host.refs(NAME)["refs/heads/job/1"] == second

    def test_what_others_pushed_is_not_ours_to_replace_even_when_we_had_it(
        self, shop: Workshop, host: GitHost, origin: Remote, tmp_path: Path
    ) -> None:
        grow(shop, 1)
        push_all(shop, origin)
        theirs = person(host, tmp_path, "job/1", "theirs.py")
        shop.git("fetch", "-q", str(host.path(NAME)), "job/1:job/1")
        assert outcomes(push_all(shop, origin)) == {"job/1": Outcome.UNCHANGED}
        shop.git("update-ref", "refs/heads/job/1", str(shop.repository.job(1).commit))
        shop.person("job/1", {"mine.py": "m"})
        assert outcomes(push_all(shop, origin)) == {"job/1": Outcome.REFUSED}
        assert host.refs(NAME)["refs/heads/job/1"] == theirs

    def test_a_branch_that_was_rewritten_here(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop, 1)
        push_all(shop, origin)
        shop.git("update-ref", "refs/heads/job/1", shop.person("other", {"x": "amended"}))
        one = only(push_all(shop, origin))
        assert (one.outcome, one.reason.partition(":")[0]) == (Outcome.REFUSED, "the branch job/1 was rewritten here")

    def test_a_branch_that_was_deleted_there(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop, 2)
        push_all(shop, origin)
        host.git(NAME, "update-ref", "-d", "refs/heads/job/2")
        assert outcomes(push_all(shop, origin, revive=False))["job/2"] is Outcome.GONE
        assert "refs/heads/job/2" not in host.refs(NAME)
        assert outcomes(push_all(shop, origin))["job/2"] is Outcome.NEW
        assert "refs/heads/job/2" in host.refs(NAME)

    def test_a_project_that_has_nothing_to_do_with_the_target(
        self, shop: Workshop, host: GitHost, origin: Remote, tmp_path: Path
    ) -> None:
        seed(host, tmp_path)
        before = host.refs(NAME)
        grow(shop, 2)
        report = push_all(shop, origin)

        assert set(outcomes(report).values()) == {Outcome.REFUSED}
        assert report.refused[0].reason == "its history has nothing in common with origin/main"
        assert "vdo merge origin/main 1" in report.refused[0].hint
        assert host.refs(NAME) == before

    def test_somebody_pushes_in_the_middle(
        self, shop: Workshop, colleague: Workshop, host: GitHost, origin: Remote, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grow(colleague, 1)
        push_all(colleague, connect(colleague, host))
        subprocess.run(["git", "-C", shop.path, "fetch", "-q", str(host.path(NAME)), "main:main"], check=True)
        shop.job("Filler", {"f": "f"}, extends="main")
        second = shop.job("Ours", {"ours.py": "o"}, extends="main")
        their_second = colleague.job("Theirs", {"t": "t"}, extends=colleague.repository.job(1))
        real, theirs = Remote.push, connect(colleague, host)

        def meanwhile(self: Remote, updates: object) -> object:
            if self is origin and "refs/heads/job/2" not in host.refs(NAME):
                push_all(colleague, theirs)
            return real(self, updates)  # type: ignore[arg-type]

        monkeypatch.setattr(Remote, "push", meanwhile)
        lines: list[str] = []
        report = push(shop.repository, [second], origin, log=lines.append)

        assert lines == ["somebody else pushed to origin just now: looking again"]
        assert outcomes(report) == {"job/2-ada": Outcome.NEW}
        assert host.refs(NAME)["refs/heads/job/2"] == their_second.commit


def seed(host: GitHost, tmp_path: Path) -> None:
    """A repository that has a history of its own."""
    other = Workshop(tmp_path / "other.git")
    other.person("main", {"readme": "r"})
    other.git("push", "-q", str(host.path(NAME)), "main")


def person(host: GitHost, tmp_path: Path, branch: str, name: str) -> str:
    """Somebody clones, commits on a branch and pushes."""
    clone = tmp_path / f"clone-{name}"
    subprocess.run(["git", "clone", "-q", "-b", branch, str(host.path(NAME)), clone], check=True)
    (clone / name).write_text(name)
    subprocess.run(["git", "-C", clone, "add", "."], check=True)
    subprocess.run(["git", "-C", clone, "commit", "-q", "-m", f"By hand: {name}"], check=True)
    subprocess.run(["git", "-C", clone, "push", "-q"], check=True)
    return host.refs(NAME)[f"refs/heads/{branch}"]


class TestWhatGoesWrong:
    def test_a_hook_refuses_one_and_so_all(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop)
        host.hook(NAME, "update", 'case "$1" in */job/2) echo "no twos today"; exit 1;; esac')
        report = push_all(shop, origin)

        assert {one.name: one.reason for one in report.refused} == {
            "main": "not pushed, since another one was refused",
            "job/1": "not pushed, since another one was refused",
            "job/2": "origin refused it (hook declined): no twos today",
            "job/3": "not pushed, since another one was refused",
        }
        assert host.refs(NAME) == {}
        assert shop.git("for-each-ref", "refs/vdo/pushed") == ""

    @pytest.mark.parametrize("after", [False, True])
    def test_the_connection_breaks(self, shop: Workshop, host: GitHost, origin: Remote, after: bool) -> None:
        grow(shop)
        host.cuts.append(Cut(after))
        if after:
            assert len(push_all(shop, origin).results) == 4
        else:
            with pytest.raises(RemoteError, match="did not take the push") as failed:
                push_all(shop, origin)
            assert "run the command again" in failed.value.hint
            assert host.refs(NAME) == {}
        push_all(shop, origin)
        assert len(host.refs(NAME)) == 4

    def test_a_remote_that_wants_other_credentials(self, shop: Workshop, host: GitHost) -> None:
        grow(shop, 1)
        with pytest.raises(RemoteError, match="origin cannot be read: could not read Username") as failed:
            push_all(shop, connect(shop, host, token="wrong"))
        assert "git push --dry-run origin" in failed.value.hint

    def test_a_host_that_is_not_there(self, shop: Workshop) -> None:
        grow(shop, 1)
        shop.git("remote", "add", "origin", "http://127.0.0.1:1/x/y.git")
        with pytest.raises(RemoteError, match="Failed to connect"):
            push_all(shop, Remote(shop.repository, "origin"))

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("upstream", "there is no remote 'upstream'"),
            ("https://x:secret99@h/o/r", "'https://h/o/r' is not the name"),
            ("https://x:se@secret99@h/o/r", "'https://h/o/r' is not the name"),
        ],
    )
    def test_a_remote_that_is_not_configured(self, shop: Workshop, name: str, message: str) -> None:
        with pytest.raises(RemoteError, match=message) as failed:
            Remote(shop.repository, name)
        assert "secret99" not in str(failed.value) + failed.value.hint

    def test_two_pushes_at_the_very_same_moment(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        """Somebody's branch is there between the look of the host and its lock: the lease cannot tell."""
        grow(shop, 1)
        push_all(shop, origin)
        ours = shop.job("Ours", {"ours.py": "o"}, extends=shop.repository.job(1))
        other = host.git(NAME, "commit-tree", "main^{tree}", "-p", "main", "-m", "Somebody's")
        host.hook(
            NAME,
            "update",
            f"[ -e taken ] || {{ : > taken; mkdir -p refs/heads/job; echo {other} > refs/heads/job/2; }}",
        )
        lines: list[str] = []
        report = push(shop.repository, [ours], origin, log=lines.append)
        assert outcomes(report) == {"job/2-ada": Outcome.NEW}
        assert host.refs(NAME)["refs/heads/job/2"] == other
        assert lines == ["somebody else pushed to origin just now: looking again"]

    def test_more_than_fits_into_one_push(
        self, shop: Workshop, host: GitHost, origin: Remote, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("vdo.publish.push._PER_PUSH", 2)
        grow(shop, 5)
        host.hook(NAME, "update", 'case "$1" in */job/3) echo "no threes"; exit 1;; esac')
        report = push_all(shop, origin)
        assert [(one.name, one.outcome) for one in report.results] == [
            ("main", Outcome.NEW),
            ("job/1", Outcome.NEW),
            ("job/2", Outcome.REFUSED),
            ("job/3", Outcome.REFUSED),
            ("job/4", Outcome.REFUSED),
            ("job/5", Outcome.REFUSED),
        ]
        assert "another one was refused" in report.results[-1].reason
        assert set(host.refs(NAME)) == {"refs/heads/main", "refs/heads/job/1"}
        assert "refs/vdo/pushed/origin/heads/job/1" in shop.git("for-each-ref", "refs/vdo/pushed")


class TestPlaces:
    """Where a remote leads to."""

    def test_a_path_that_begins_at_the_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("work", "work.git"):
            subprocess.run(["git", "init", "-q", *(["--bare"] if "." in name else []), tmp_path / name], check=True)
            subprocess.run(["git", "init", "-q", "--bare", tmp_path / f"remote-{name}"], check=True)
            folder = tmp_path / name / ("" if "." in name else ".git")
            shop = Workshop(folder)
            shop.git("remote", "add", "origin", f"../remote-{name}")
            grow(shop, 1)
            monkeypatch.chdir("/")
            assert set(outcomes(push_all(shop, Remote(shop.repository, "origin"))).values()) == {Outcome.NEW}

    def test_a_mirror_takes_single_branches(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        shop.git("config", "remote.origin.mirror", "true")
        grow(shop, 1)
        push_all(shop, origin)
        assert set(host.refs(NAME)) == {"refs/heads/main", "refs/heads/job/1"}

    def test_pushes_that_go_elsewhere(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        host.create("me/platform")
        grow(shop, 1)
        shop.git("remote", "set-url", "--push", "origin", host.url("me/platform"))
        with pytest.raises(RemoteError, match="fetched from one repository and pushed to another") as failed:
            push_all(shop, origin)
        assert "git remote get-url --push origin" in failed.value.hint
        shop.git("remote", "set-url", "--push", "origin", str(host.path(NAME)))
        push_all(shop, origin)
        shop.git("remote", "set-url", "--add", "--push", "origin", host.url("me/platform"))
        push_all(shop, origin)
        assert "refs/heads/job/1" in host.refs(NAME)

    def test_a_new_repository_under_the_old_name(self, shop: Workshop, host: GitHost, origin: Remote) -> None:
        grow(shop, 2)
        push_all(shop, origin)
        host.create("team/new")
        shop.git("remote", "set-url", "origin", host.url("team/new"))
        report = push_all(shop, connect(shop, host), revive=False)
        assert outcomes(report) == dict.fromkeys(("main", "job/1", "job/2"), Outcome.NEW)


class TestSecrets:
    def test_gits_children_never_see_the_token_of_the_api(
        self, shop: Workshop, host: GitHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grow(shop, 1)
        connect(shop, host)
        hooks = shop.path / "hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "pre-push").write_text(
            f"#!/bin/sh\nenv > {tmp_path}/seen; cat /proc/$PPID/cmdline >> {tmp_path}/seen\n"
        )
        (hooks / "pre-push").chmod(0o755)
        environ = dict(os.environ) | {"GITHUB_TOKEN": "ghp_hidden1", "GH_TOKEN": "ghp_hidden2"}
        host.allow(environ, GIT_TOKEN)
        push_all(shop, Remote(shop.repository, "origin", environ))
        seen = (tmp_path / "seen").read_text()

        assert "PATH=" in seen
        assert "ghp_hidden" not in seen
        assert GIT_TOKEN not in seen.partition("push\0")[2]

    def test_a_token_in_the_remotes_address_is_not_repeated(self, shop: Workshop, host: GitHost) -> None:
        grow(shop, 1)
        shop.git("remote", "add", "origin", host.url("team/missing").replace("http://", f"http://x:{GIT_TOKEN}@"))
        with pytest.raises(RemoteError) as failed:
            push_all(shop, Remote(shop.repository, "origin"))
        assert GIT_TOKEN not in f"{failed.value} {failed.value.hint}"

    def test_what_a_hook_prints_is_cleaned(self, shop: Workshop, host: GitHost) -> None:
        grow(shop, 1)
        connect(shop, host)
        host.hook(NAME, "update", 'echo "the token is sk-very-secret"; exit 1')
        environ = dict(os.environ) | {"SOME_API_KEY": "sk-very-secret"}
        host.allow(environ, GIT_TOKEN)
        report = push_all(shop, Remote(shop.repository, "origin", environ))
        assert "value of SOME_API_KEY removed" in str(report.refused)
        assert "sk-very-secret" not in str(report)


def test_a_mirrored_clone_is_not_overwritten_by_looking(
    shop: Workshop, host: GitHost, origin: Remote, tmp_path: Path
) -> None:
    grow(shop, 2)
    push_all(shop, origin)
    shop.git("config", "remote.origin.fetch", "+refs/*:refs/*")
    person(host, tmp_path, "job/1", "theirs.py")
    mine = shop.person("job/1", {"mine.py": "m"})
    assert outcomes(push_all(shop, origin))["job/1"] is Outcome.REFUSED
    assert shop.branch("job/1") == mine
    assert JobId(1) in {one.job for one in push_all(shop, origin).refused}
