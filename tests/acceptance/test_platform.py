"""A platform of five modules on one shell: built once as a chain, once in parallel and merged, deployed as one app."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from standins.governance import MODULES, Site, served, shell_agent
from standins.projects import Project

from vdo.job import Job, State

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path):
    made = Project(tmp_path / "platform.git")
    yield made
    made.service.close()


def completed(project: Project, job: Job) -> Job:
    job = project.job(job)
    assert job.state is State.COMPLETED, (job.id, job.error)
    assert job.checks == "passed"
    return job


def chain(project: Project, folder: Path) -> Job:
    """Each module on top of the one before."""
    job = completed(project, project.make("AI Governance Platform", agent=shell_agent(folder)))
    for module in MODULES:
        made = project.make(module.title, module.description, extends=str(job.id), agent=module.agent(folder))
        job = completed(project, made)
    return job


def parallel(project: Project, folder: Path) -> Job:
    """Each module on the shell, two at a time, then all of them together in one merge."""
    shell = completed(project, project.make("AI Governance Platform", agent=shell_agent(folder)))
    jobs = [
        project.new(module.title, module.description, extends=str(shell.id), agent=module.agent(folder))
        for module in MODULES
    ]
    project.run(*jobs, workers=2)
    for job in jobs:
        completed(project, job)
    merge = project.service.merge([str(job.id) for job in jobs], title="The whole platform")
    project.run(merge)
    return completed(project, merge)


def use(site: Site) -> None:
    """Every module answers, and they work on the same records."""
    start = site.get("/")
    assert {module.page for module in MODULES} < set(re.findall(r'<a href="([^"]+)">', start))
    for module in MODULES:
        assert f"<h1>{module.title}</h1>" in site.get(module.page)

    assert "Acme: not assessed yet" in site.get("/sig?vendor=Acme")
    assert "<td>Acme</td><td>20</td><td>critical</td>" in site.post(
        "/assessments", vendor="Acme", likelihood=5, impact=4
    )
    site.post("/assessments", vendor="Bolt", likelihood=1, impact=2)
    questionnaire = site.get("/sig?vendor=Acme")
    assert "Acme: assessed at 20 (critical)" in questionnaire and questionnaire.count("<li>") == 4
    assert site.get("/sig?vendor=Bolt").count("<li>") == 2

    assert "<dt>Acme</dt>" in site.post("/precedents", case="Acme", reason="No certificate")
    assert "Kept." in site.post("/scenarios", hours=8, people=10)
    retrospective = site.get("/retrospective")
    assert "<li>assessment: 2</li><li>precedent: 1</li><li>scenario: 1</li>" in retrospective
    assert "Critical: Acme" in retrospective


@pytest.mark.parametrize("build", [chain, parallel])
def test_five_modules_are_one_application(project: Project, tmp_path: Path, build) -> None:
    tip = build(project, tmp_path)

    target = tmp_path / "deployed"
    project.service.deploy(str(tip.id), target)
    with served(target) as site:
        use(site)
    files = {file.path: file.from_job for file in project.service.readings.files(str(tip.id))}
    for number, module in enumerate(MODULES, 2):
        assert files[f"{module.name}.py"] == (None if number == tip.id else number)


def test_both_ways_lead_to_the_same_platform(project: Project, tmp_path: Path) -> None:
    """The order of what was added is all that differs; nothing was left to an agent."""
    merge = parallel(project, tmp_path)
    view = project.service.readings.show(str(merge.id))
    assert {file.path: file.how for file in view.resolved} == {
        "README.md": "syntax: bullets",
        "app.py": "syntax: imports, entries",
        "templates/base.html": "syntax: links",
    }
    assert (merge.agent, merge.usage) == (None, None)
    parents = project.git("rev-list", "--parents", "-1", merge.branch).split()[1:]
    assert parents == [project.job(number).commit for number in range(2, 7)]
    assert [step.job.id for step in project.service.readings.lineage(str(merge.id)).chain] == [1, 2, 3, 4, 5, 6, 7]

    other = Project(tmp_path / "chain.git")
    tip = chain(other, tmp_path)
    merged, chained = project.files(merge.branch), other.files(tip.branch)
    other.service.close()
    assert merged.keys() == chained.keys()
    for path in merged:
        assert sorted(merged[path].splitlines()) == sorted(chained[path].splitlines()), path
