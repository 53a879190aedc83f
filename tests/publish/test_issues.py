"""From an issue to a pull request that closes it, by way of the documented workflow."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from standins.git_host import GitHost
from standins.github_api import HostRepository
from standins.openapi_contract import needed
from standins.publish_setup import NAME, connect
from standins.workshop import Workshop

from vdo.errors import UsageError
from vdo.publish.github.host import Host
from vdo.publish.github.issues import from_issue
from vdo.publish.github.pulls import publish_pulls
from vdo.publish.github.requests import NotFound
from vdo.publish.push import push
from vdo.store.index import Query

WORKFLOW = Path(__file__).parents[2] / ".github" / "examples" / "vdo-issue.yml"


@needed
class TestIssues:
    def test_an_issue_is_what_is_wanted(self, github: Host, team: HostRepository) -> None:
        team.open_issue("Dark\tmode", "Please.\r\n\r\nAt night.")
        wanted = from_issue(github, 1)

        assert wanted.title == "Dark mode"
        source = f"(From https://github.example/{NAME}/issues/1 by mallory)"
        assert wanted.description == f"Please.\n\nAt night.\n\n{source}\n"
        assert wanted.trailer == ("Vdo-Closes", "1")

    def test_what_is_no_open_issue(self, github: Host, team: HostRepository) -> None:
        team.open_issue("Old").state = "closed"
        team.open_issue("Really a pull request").is_pull = True
        with pytest.raises(UsageError, match="issue #1 is closed"):
            from_issue(github, 1)
        with pytest.raises(UsageError, match="#2 is a pull request"):
            from_issue(github, 2)
        with pytest.raises(NotFound):
            from_issue(github, 3)

    def test_a_bundle_brings_the_job_to_where_it_can_be_pushed(
        self, host: GitHost, github: Host, team: HostRepository, tmp_path: Path
    ) -> None:
        """What the two jobs of the workflow do with git, commands included."""
        seed = Workshop(tmp_path / "seed.git")
        seed.person("main", {"readme": "r\n"})
        seed.git("push", "-q", str(host.path(NAME)), "main")
        number = team.open_issue("Dark mode", "Please.").number

        build = Workshop(_clone(host, tmp_path / "build"))
        wanted = from_issue(github, number)
        job = build.job(wanted.title, {"dark.css": "d"}, extends="origin/main", description=wanted.description)
        build.repository.journals.append(dataclasses.replace(job, extra=(wanted.trailer,)), "From an issue")
        _script(build.path, "build", "git bundle")

        publish = Workshop(_clone(host, tmp_path / "publish"))
        _script(publish.path, "publish", "git -c", BUNDLE=str(build.path / "vdo.bundle"))
        subprocess.run(["git", "-C", publish.path, "remote", "set-url", "origin", host.url(NAME)], check=True)
        jobs = publish.repository.jobs(Query())
        report = push(publish.repository, jobs, connect(publish, host))
        publish_pulls(publish.repository, jobs, report, github)

        (pull,) = team.pulls()
        assert (pull.head, pull.base, pull.issue.title) == ("job/1", "main", "Dark mode")
        assert f"\nCloses #{number}\n" in (pull.issue.body or "")
        assert team.git("show", "job/1:dark.css") == "d"


def _clone(host: GitHost, folder: Path) -> Path:
    subprocess.run(["git", "clone", "-q", str(host.path(NAME)), folder], check=True)
    return folder


def _script(folder: Path, job: str, begins: str, **variables: str) -> None:
    """Run the line of a job of the workflow that begins so."""
    script = next(step["run"] for step in _jobs()[job]["steps"] if begins in step.get("run", ""))
    (line,) = [line for line in script.splitlines() if line.startswith(begins)]
    exports = "".join(f"{name}='{value}'; " for name, value in variables.items())
    subprocess.run(["bash", "-euc", exports + line], cwd=folder, check=True, capture_output=True)


def _jobs() -> dict[str, Any]:
    return yaml.safe_load(WORKFLOW.read_text())["jobs"]


class TestTheWorkflow:
    def test_who_runs_the_agent_cannot_write(self) -> None:
        jobs = _jobs()
        assert yaml.safe_load(WORKFLOW.read_text())["permissions"] == {}
        assert set(jobs["build"]["permissions"].values()) == {"read"}
        assert jobs["build"]["steps"][0]["with"]["persist-credentials"] is False
        assert "secrets." not in str(jobs["publish"])

    def test_no_text_of_an_issue_gets_into_a_script(self) -> None:
        for job in _jobs().values():
            for step in job["steps"]:
                assert "${{" not in step.get("run", "")
                assert not re.search(r"issue\.(title|body)|comment\.body", str(step))

    def test_who_can_write_runs_nothing_of_the_bundle(self) -> None:
        runs = "\n".join(step.get("run", "") for step in _jobs()["publish"]["steps"])
        assert not re.search(r"git (checkout|switch|merge|pull)|vdo (run|new|deploy)", runs)
