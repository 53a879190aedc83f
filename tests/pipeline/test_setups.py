"""What a job's checks need installed: asked about, made once, used again."""

import threading
import time
from decimal import Decimal

import pytest
from standins.anthropic_api import plan, say, tool
from standins.projects import creating, script
from standins.wheels import wheel

from vdo.config.prices import PRICES
from vdo.errors import Stopped
from vdo.job import State
from vdo.pipeline.ledger import Account
from vdo.progress import Doing
from vdo.sandbox import environment
from vdo.spec import Budget

CONFIGURED = 'checks: ["grep -q fine tool"]\nsetup: {run: cp needs.txt tool, when: [needs.txt]}\n'
FILES = {".vdo.yaml": CONFIGURED, "needs.txt": "fine\n"}
BLOCKED = "its checks need `cp needs.txt tool`, which runs with a network and was not allowed yet"


@pytest.fixture(autouse=True)
def quick(monkeypatch, request):
    """A setup without a virtual environment, which takes seconds to make: only where it is looked at."""
    if "slow" not in request.keywords:
        monkeypatch.setattr(environment, "_VENV", "true {0} {1}")


class Person:
    """Answers the question whether a setup may run."""

    def __init__(self, answer: bool) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def __call__(self, _job, run, files) -> bool:
        self.asked.append((run, files))
        return self.answer


def test_a_setup_that_nobody_allowed_blocks_and_a_retry_pays_nothing_again(project, serve):
    server = serve(
        [
            plan((".vdo.yaml", "created"), ("needs.txt", "created")),
            say(*(tool("write", file_path=path, content=text) for path, text in FILES.items()), tool("run_checks")),
            say("Done."),
        ]
    )
    job = project.make()

    assert (job.state, job.error) == (State.FAILED, f"{BLOCKED} (`vdo retry 1 --allow-setup` allows it)")
    assert project.branches() == []
    told = server.requests[2]["messages"][-1]["content"][-1]["content"]
    assert f"the checks cannot be run at this moment: {BLOCKED}" in str(told)
    assert not list((project.folder.parent).rglob("tool")) and "FAILED" not in project.log(job)
    paid = job.cost_usd

    project.service.retry("1")
    (done,) = project.run(1, allow_setup=True)

    assert (done.state, done.checks, done.cost_usd) == (State.COMPLETED, "passed", paid)
    assert len(server.requests) == 3 and paid > Decimal(0)


def test_a_person_is_asked_until_what_it_runs_or_sees_changes(project, tmp_path):
    person = Person(True)

    def make(text, **options):
        job = project.new(agent=script(tmp_path, text), **options)
        (done,) = project.run(job, approve=person)
        return done.state

    first = f"cat > .vdo.yaml <<'END'\n{CONFIGURED}END\necho fine > needs.txt; echo x > other.txt"
    assert make(first) is State.COMPLETED
    assert person.asked == [("cp needs.txt tool", ("needs.txt",))]

    assert make("echo y > other.txt", extends="1") is State.COMPLETED
    assert len(person.asked) == 1

    assert make("echo more >> needs.txt", extends="2") is State.COMPLETED
    assert person.asked[1:] == [("cp needs.txt tool", ("needs.txt",))]

    assert make("sed -i 's/cp needs/cp -p needs/' .vdo.yaml", extends="2") is State.COMPLETED
    assert person.asked[2:] == [("cp -p needs.txt tool", ("needs.txt",))]

    assert make(first) is State.COMPLETED  # another project, and just the same
    assert len(person.asked) == 3


def test_who_says_no_is_asked_once(project, serve):
    serve(
        [
            plan((".vdo.yaml", "created"), ("needs.txt", "created")),
            say(*(tool("write", file_path=path, content=text) for path, text in FILES.items()), tool("run_checks")),
            say(tool("run_checks")),
            say("Done."),
        ]
    )
    person = Person(False)
    job = project.new()
    (failed,) = project.run(job, approve=person)

    assert failed.state is State.FAILED and BLOCKED in failed.error
    assert len(person.asked) == 1
    # The next run may be another answer.
    project.service.retry("1")
    person.answer = True
    assert project.run(1, approve=person)[0].state is State.COMPLETED


@pytest.mark.parametrize("answer", [True, False])
def test_jobs_side_by_side_ask_once_for_the_same(project, tmp_path, answer):
    class Slow(Person):
        def __call__(self, *question) -> bool:
            time.sleep(1.0)
            return super().__call__(*question)

    person = Slow(answer)
    jobs = [project.new(agent=creating(tmp_path, FILES)) for _ in range(3)]
    ended = project.run(*jobs, workers=3, approve=person)

    assert {job.state for job in ended} == {State.COMPLETED if answer else State.FAILED}
    assert len(person.asked) == 1


def test_who_gives_no_answer_can_end_and_go_on_later(project, tmp_path):
    stop = threading.Event()

    def leave(*_question) -> bool:
        stop.set()
        return False

    job = project.new(agent=creating(tmp_path, FILES))
    with pytest.raises(Stopped):
        project.run(job, approve=leave, stop=stop)

    assert project.service.readings.show("1").state is State.INTERRUPTED
    assert project.run(job, allow_setup=True)[0].state is State.COMPLETED


def test_the_time_for_an_answer_is_none_of_the_jobs():
    began = time.monotonic()
    account = Account(Budget(seconds=60.0), PRICES)

    with account.at_rest():
        time.sleep(0.5)

    assert account.seconds <= time.monotonic() - began - 0.5


def test_always_asks_nobody(project, tmp_path):
    project.environ["VDO_SETUP"] = "always"

    assert project.make(agent=creating(tmp_path, FILES)).state is State.COMPLETED


def test_never_runs_the_checks_without(project, tmp_path):
    project.environ["VDO_SETUP"] = "never"
    job = project.new(agent=creating(tmp_path, FILES))
    (done,) = project.run(job, allow_setup=True)

    assert done.state is State.FAILED and "`grep -q fine tool`" in done.error
    said = "setup is switched off, so `cp needs.txt tool` was not run"
    assert said in project.notes(job) and said in project.log(job)


def test_a_setup_that_fails_is_a_red_check_for_the_agent(project, serve):
    project.environ["VDO_SETUP"] = "always"
    broken = CONFIGURED.replace("cp needs.txt tool", "echo looking; cp needs.tx tool")
    server = serve(
        [
            plan((".vdo.yaml", "created"), ("needs.txt", "created")),
            say(
                *(tool("write", file_path=path, content=text) for path, text in {**FILES, ".vdo.yaml": broken}.items())
            ),
            say("Done."),
            say(tool("edit", file_path=".vdo.yaml", old_string="needs.tx ", new_string="needs.txt ")),
            say("Mended."),
        ]
    )
    job = project.make()

    assert (job.state, job.checks) == (State.COMPLETED, "passed")
    told = str(server.requests[3]["messages"][-1]["content"])
    assert "setup: echo looking; cp needs.tx tool" in told and "cannot stat" in told
    assert "[FAILED] setup: echo looking; cp needs.tx tool" in project.log(job)
    assert "Checks failed\n\nsetup: it ran with " in project.log(job)
    assert Doing(job.id, "looking") in project.events


def test_it_sees_only_what_the_users_configuration_lends(project, tmp_path):
    lent = tmp_path / "certificate.pem"
    lent.write_text("trusted\n")
    project.environ.update(
        VDO_SETUP="always", VDO_SETUP_ENV="PIP_CERT", PIP_CERT=str(lent), OTHER="hidden", SECRET_KEY="k-12345678"
    )
    files = {**FILES, ".vdo.yaml": CONFIGURED.replace("cp needs.txt tool", "(cat n*; cat $PIP_CERT; env) > tool")}
    job = project.make(agent=creating(tmp_path, files), checks=("cat tool",))

    assert job.state is State.COMPLETED
    printed = project.record(job).get("checks/1-1.txt").decode()
    assert "trusted" in printed and "hidden" not in printed and "k-12345678" not in printed


@pytest.mark.slow
def test_requirements_are_installed_once_and_anew_when_they_change(project, tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        wheel(wheels, "demolib", version)
    lent = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.as_uri()}
    project.environ.update(lent, VDO_SETUP="always", VDO_SETUP_ENV=",".join(lent))
    check = "python -c 'import demolib; print(demolib.VERSION)'"
    first = project.make(
        agent=creating(tmp_path, {"requirements.txt": "demolib==1.0\n", "app.py": "import demolib\n"}), checks=(check,)
    )
    second = project.make(agent=creating(tmp_path, {"more.py": "more = 1\n"}), extends="1")
    third = project.make(agent=script(tmp_path, "echo demolib==2.0 > requirements.txt"), extends="2")

    assert [job.state for job in (first, second, third)] == [State.COMPLETED] * 3
    made, reused, anew = (project.notes(job) for job in (first, second, third))
    assert "setup: pip install -r requirements.txt" in made
    assert reused == ["setup: environment reused", f"check: {check}"]
    assert "setup: pip install -r requirements.txt" in anew
    assert "setup: environment made with " in project.log(first) and " network of" in project.log(first)
    assert "Checks passed\n\nsetup: environment reused\n[PASSED]" in project.log(second)
    printed = [project.record(job).get("checks/1-1.txt").decode().splitlines()[-1] for job in (first, second, third)]
    assert printed == ["1.0", "1.0", "2.0"]


def test_a_setup_that_fails_though_nothing_of_it_was_changed_is_no_agents_to_mend(project, serve):
    project.environ["VDO_SETUP"] = "always"
    project.commit("main", ".vdo.yaml", CONFIGURED.replace("cp needs.txt tool", "echo no route; exit 7"))
    server = serve([plan(("a.txt", "created")), say(tool("write", file_path="a.txt", content="a\n")), say("Done.")])

    job = project.make(extends="main")

    assert job.state is State.FAILED and len(server.requests) == 3
    reason = "setup: echo no route; exit 7 failed, though this job changed nothing of it: no route"
    assert job.error.startswith(f"{reason} (`vdo log 1 -p` has all that it printed; ")
    assert "`setup_env`" in job.error and "`vdo retry 1` tries it again" in job.error
    assert project.record(job).get("checks/setup.txt") == b"no route"
