import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from standins.anthropic_api import AnthropicServer, plan, say, tool
from standins.projects import Project, creating, recording, script
from standins.zygote import Zygote

from vdo import progress
from vdo.errors import BranchMoved, JobBusy, JobStateError, RefConflict, Stopped, UsageError
from vdo.job import State
from vdo.leftovers import marked
from vdo.pipeline.desk import Desk
from vdo.pipeline.surroundings import Surroundings
from vdo.store import checkout, claims


def wait_for(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


@pytest.fixture
def elsewhere(project):
    """Runs `vdo run` of this project in another process; the functions return at once."""
    started = []
    code = (
        "import os, signal, sys, threading\n"
        "from vdo.service.service import Service\n"
        "stop = threading.Event()\n"
        "signal.signal(signal.SIGINT, lambda *_: stop.set())\n"
        "print('ready', flush=True)\n"
        "try:\n    Service.open(sys.argv[1], os.environ).run(sys.argv[2:], stop=stop)\n"
        "except Exception as problem:\n    print(type(problem).__name__, problem, flush=True)\n"
    )

    def run(*names):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(project.folder), *names],
            env=project.environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_parents_are_run_before_their_children(project, tmp_path):
    for number in range(1, 5):
        agent = script(tmp_path, f"ls > seen{number}.txt")
        project.new(f"Job {number}", agent=agent, extends=str(number - 1) if number > 1 else None)
    assert [project.job(number).state for number in (1, 2, 3, 4)] == [State.QUEUED, *3 * [State.WAITING]]

    done = project.run(workers=3)

    assert [(job.id, job.state) for job in done] == [(number, State.COMPLETED) for number in (1, 2, 3, 4)]
    assert project.read("job/4", "seen4.txt") == "seen1.txt\nseen2.txt\nseen3.txt\nseen4.txt\n"


def test_a_named_job_brings_the_parents_that_it_waits_for(project, tmp_path):
    project.new("Parent", agent=creating(tmp_path, {"a": "a"}))
    project.new("Other", agent=creating(tmp_path, {"b": "b"}))
    child = project.new("Child", agent=creating(tmp_path, {"c": "c"}), extends="1")

    done = project.run(child)

    assert [job.id for job in done] == [1, 3]
    assert project.job(2).state is State.QUEUED


def test_as_many_jobs_as_asked_for_run_at_the_same_time(project, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    meet = f"touch {marks}/$VDO_JOB; for i in $(seq 300); do [ $(ls {marks} | wc -l) -ge 3 ] && break; sleep 0.02; done"
    for _ in range(3):
        project.new(agent=script(tmp_path, f"{meet}; ls {marks} > met.txt"))

    project.run(workers=3)

    assert [project.read(f"job/{number}", "met.txt") for number in (1, 2, 3)] == ["1\n2\n3\n"] * 3


def test_never_more_jobs_than_asked_for_run_at_the_same_time(project, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    agent = script(tmp_path, f"touch {marks}/$VDO_JOB; sleep 0.1; ls {marks} > met.txt; rm {marks}/$VDO_JOB")
    for _ in range(4):
        project.new(agent=agent)

    project.run(workers=2)

    assert all(len(project.read(f"job/{number}", "met.txt").split()) <= 2 for number in range(1, 5))


def test_a_number_of_workers_below_one_is_refused(project):
    with pytest.raises(UsageError, match="at least one job"):
        project.service.run(workers=0)


def test_several_processes_share_the_work_and_do_nothing_twice(tmp_path):
    project = Project(tmp_path / "shared.git")
    log = tmp_path / "log"
    agent = script(tmp_path, f"echo $VDO_JOB >> {log}; sleep 0.05; ls > seen$VDO_JOB.txt")
    for number in range(1, 13):
        project.new(f"Job {number}", agent=agent, extends={5: "1", 6: "1", 7: "5", 8: "2"}.get(number))
    with contextlib.ExitStack() as stack:
        zygotes = [Zygote() for _ in range(3)]
        for zygote in zygotes:
            stack.callback(zygote.close)
        with ThreadPoolExecutor(3) as pool:
            environ = dict(os.environ)
            ran = list(pool.map(lambda z: z.run(project.folder, environ, [], workers=2), zygotes))

    assert [one.error for one in ran] == ["", "", ""]
    states = {row.job.id: row.state for row in project.service.readings.project("1").jobs}
    assert set(states.values()) == {State.COMPLETED}
    assert all(project.job(number).state is State.COMPLETED for number in range(1, 13))
    assert sorted(map(int, log.read_text().split())) == list(range(1, 13))
    assert project.read("job/7", "seen7.txt") == "seen1.txt\nseen5.txt\nseen7.txt\n"
    assert "Going on" not in "".join(project.log(project.job(number)) for number in range(1, 13))
    project.service.close()


def test_whoever_wants_a_job_that_runs_elsewhere_waits_for_it(project, tmp_path, elsewhere):
    started = tmp_path / "started"
    project.new(agent=script(tmp_path, f"touch {started}; sleep 1; echo a > a"))
    project.new(agent=creating(tmp_path, {"b": "b"}), extends="1")
    other = elsewhere("1")
    wait_for(started.exists)

    done = project.run(2)

    assert [(job.id, job.state) for job in done] == [(1, State.COMPLETED), (2, State.COMPLETED)]
    notes = [event.text for event in project.events if isinstance(event, progress.Note)]
    assert notes.count("another process works on it; waiting for that") <= 1
    other.wait(10)


def test_a_child_of_a_failed_job_says_what_it_waits_for(project, tmp_path):
    project.new("Parent", agent=script(tmp_path, "exit 3"))
    child = project.new("Child", agent=creating(tmp_path, {"c": "c"}), extends="1")
    done = project.run(child)
    assert [(job.id, job.state) for job in done] == [(1, State.FAILED)]
    assert project.job(child).state is State.WAITING

    with pytest.raises(JobStateError, match="job #2 waits for #1, which failed") as refused:
        project.run(child)

    assert refused.value.hint.startswith("`vdo retry 1` goes on with it") and refused.value.exit_code == 1
    assert project.run() == []


def test_what_cannot_be_run_says_so(project, tmp_path):
    project.new(agent=creating(tmp_path, {"a": "a"}))
    project.service.cancel("1")
    with pytest.raises(JobStateError, match="job #1 is cancelled") as refused:
        project.run(1)
    assert refused.value.hint.startswith("`vdo retry 1` goes on with it") and refused.value.exit_code == 2


def test_running_a_completed_job_again_does_nothing(project, tmp_path):
    job = project.make(agent=creating(tmp_path, {"a": "a"}))
    refs = project.refs()

    assert [done.state for done in project.run(job)] == [State.COMPLETED]
    assert project.refs() == refs


def test_an_error_of_one_job_leaves_the_others_alone(project, tmp_path):
    agent = creating(tmp_path, {"a": "a"})
    project.new("Lost", agent=agent)
    Path(agent.removeprefix("replay:")).unlink()
    project.new("Fine", agent=creating(tmp_path, {"b": "b"}))

    done = project.run()

    assert [(job.id, job.state) for job in done] == [(1, State.FAILED), (2, State.COMPLETED)]
    assert "there are no recorded answers at" in project.job(1).error


DAEMON = """\
import os, sys, time
if os.fork():
    sys.exit()
os.setsid()
if os.fork():
    sys.exit()
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def daemon(tmp_path):
    """A command agent that starts a daemon, sleeps, and never ends; (agent, file with the daemon's number)."""
    code, pid = tmp_path / "daemon.py", tmp_path / "daemon.pid"
    code.write_text(DAEMON)
    return script(tmp_path, f"{sys.executable} {code} {pid}; echo half > half.txt; sleep 600 & sleep 600"), pid


def test_cancel_stops_a_job_in_another_process_with_all_that_it_started(project, elsewhere, daemon):
    agent, file = daemon
    project.new(agent=agent)
    other = elsewhere("1")
    wait_for(lambda: file.exists() and file.read_text())
    claim = project.job(1).claim
    assert claim is not None and marked(claim)

    job = project.service.cancel("1")

    assert (job.state, job.claim) == (State.CANCELLED, None)
    assert marked(claim) == [] and not alive(int(file.read_text()))
    assert other.wait(10) == 0
    assert project.branches() == []
    assert project.record(job).get("half-done/half.txt") == b"half\n"


def test_cancel_stops_a_call_that_hangs(project, elsewhere):
    with AnthropicServer([say("never", fault="stall", after=2)]) as server:
        project.talk_to(server)
        project.new()
        other = elsewhere("1")
        wait_for(lambda: server.requests)
        time.sleep(0.3)

        began = time.monotonic()
        job = project.service.cancel("1")

        assert time.monotonic() - began < 30  # the server keeps the call waiting longer than that
        assert job.state is State.CANCELLED and job.wasted_usd > 0
        assert other.wait(10) == 0


def test_cancel_stops_a_check(project, elsewhere, tmp_path):
    project.new(agent=creating(tmp_path, {"a": "a"}), checks=("sleep 600",))
    other = elsewhere("1")
    wait_for(lambda: project.job(1).state is State.VERIFYING)
    claim = project.job(1).claim

    assert project.service.cancel("1").state is State.CANCELLED
    assert other.wait(10) == 0
    assert marked(claim) == []


def test_cancel_ends_a_queued_job_and_one_that_waits(project, tmp_path):
    project.new(agent=creating(tmp_path, {"a": "a"}))
    project.new(agent=creating(tmp_path, {"b": "b"}), extends="1")

    assert [project.service.cancel(name).state for name in ("2", "1", "1")] == [State.CANCELLED] * 3
    assert project.run() == []
    assert project.service.reader.index.newest() == 2


def test_a_wish_that_comes_when_the_branch_is_there_is_too_late(project, tmp_path, monkeypatch):
    """The first run is killed between the branch and the last entry; the second is asked to end as it begins."""
    project.new(agent=creating(tmp_path, {"a": "a"}))
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Desk, "finish", _die)
        project.run(1)
    assert project.job(1).state is State.PUBLISHING and project.branches() == ["job/1"]
    wishes = []

    def ask(event):
        wishes.append(claims.ask_cancel(project.repository.location.own, event.job))

    project.service.run(["1"], observe=ask)

    assert wishes[0] is True
    assert project.job(1).state is State.COMPLETED


class Killed(BaseException):
    """The process is gone at this very point."""


def _die(*_args, **_options):
    raise Killed


def test_cancel_of_what_is_over_says_so(project, tmp_path):
    project.make(agent=creating(tmp_path, {"a": "a"}))
    with pytest.raises(JobStateError, match="job #1 is completed: there is nothing to cancel"):
        project.service.cancel("1")


def test_cancel_ends_what_a_killed_process_left(project, elsewhere, daemon):
    agent, file = daemon
    project.new(agent=agent)
    other = elsewhere("1")
    wait_for(lambda: file.exists() and file.read_text())
    other.kill()
    other.wait()
    assert project.service.reader.state(project.job(1)) is State.INTERRUPTED
    assert alive(int(file.read_text()))

    job = project.service.cancel("1")

    assert job.state is State.CANCELLED
    assert not alive(int(file.read_text()))


def test_a_new_run_ends_what_a_killed_process_left_and_keeps_its_folder(project, elsewhere, tmp_path):
    code, pid, go = tmp_path / "daemon.py", tmp_path / "daemon.pid", tmp_path / "go"
    code.write_text(DAEMON)
    agent = (
        f"test -e {go} && echo whole > whole.txt || {{ {sys.executable} {code} {pid}; echo h > half.txt; sleep 600; }}"
    )
    project.new(agent=agent)
    other = elsewhere("1")
    wait_for(lambda: pid.exists() and pid.read_text())
    time.sleep(0.2)
    other.kill()
    other.wait()
    go.touch()

    (done,) = project.run(1)

    assert done.state is State.COMPLETED
    assert not alive(int(pid.read_text()))
    assert project.files("job/1") == {"whole.txt": "whole\n"}
    assert project.record(done).get("half-done/half.txt") == b"h\n"


@pytest.fixture
def half_done(project, elsewhere, tmp_path):
    """A job of a command agent that was killed with half of its work done; it ends well once `go` is there."""
    go, started = tmp_path / "go", tmp_path / "started"
    half = f"echo h > half.txt; touch {started}; sleep 600"
    project.new(agent=f"test -e {go} && echo whole > whole.txt || {{ {half}; }}")
    other = elsewhere("1")
    wait_for(started.exists)
    other.kill()
    other.wait()
    go.touch()
    job = project.job(1)
    assert checkout.leftovers(job.claim)
    return job


def test_a_retry_after_a_kill_keeps_what_was_left_half_done(project, half_done):
    project.service.retry("1")
    (done,) = project.run(1)

    assert done.state is State.COMPLETED
    assert project.record(done).get("half-done/half.txt") == b"h\n"
    assert checkout.leftovers(half_done.claim) == []


def test_a_kill_during_the_checks_leaves_nothing_half_done(project, elsewhere, tmp_path):
    go, started = tmp_path / "go", tmp_path / "started"
    project.environ["VDO_SANDBOX"] = "none"
    project.configure()
    agent = creating(tmp_path, {"a": "a"})
    project.new(agent=agent, checks=(f"touch {started}; test -e {go} || sleep 600",))
    other = elsewhere("1")
    wait_for(started.exists)
    other.kill()
    other.wait()
    go.touch()

    (done,) = project.run(1)

    assert done.state is State.COMPLETED
    assert project.record(done).names("half-done") == []


def test_cancelling_after_a_kill_keeps_what_was_left_half_done(project, half_done):
    job = project.service.cancel("1")

    assert project.record(job).get("half-done/half.txt") == b"h\n"
    assert checkout.leftovers(half_done.claim) == []


def test_a_deleted_job_leaves_no_private_folder(project, half_done):
    project.service.delete("1")

    assert checkout.leftovers(half_done.claim) == []


def first(action, monkeypatch):
    """Somebody else does this just before the next claim is taken."""
    take = claims.take

    def late(folder, number):
        monkeypatch.setattr(claims, "take", take)
        action()
        return take(folder, number)

    monkeypatch.setattr(claims, "take", late)


def test_a_retry_that_comes_after_a_deletion_brings_nothing_back(project, tmp_path, monkeypatch):
    project.make(agent=script(tmp_path, "exit 3"))
    first(lambda: project.open().delete("1"), monkeypatch)

    with pytest.raises(JobStateError, match="job #1 is deleted"):
        project.service.retry("1")

    assert project.job(1).state is State.DELETED
    assert project.service.undelete("1").state is State.FAILED


def test_a_retry_that_comes_after_another_one_leaves_its_result_alone(project, tmp_path, monkeypatch):
    flag = tmp_path / "flag"
    project.make(agent=script(tmp_path, f"test -e {flag} || exit 3; echo a > a"))
    flag.touch()
    other = project.open()
    first(lambda: (other.retry("1"), other.run(["1"])), monkeypatch)

    with pytest.raises(JobStateError, match="job #1 is completed"):
        project.service.retry("1")

    assert project.job(1).state is State.COMPLETED


def test_a_deletion_that_comes_after_another_one_says_so(project, tmp_path, monkeypatch):
    project.make(agent=creating(tmp_path, {"a": "a"}))
    first(lambda: project.open().delete("1"), monkeypatch)

    with pytest.raises(JobStateError, match="job #1 is deleted already"):
        project.service.delete("1")


def test_ctrl_c_leaves_jobs_interrupted_and_the_next_run_goes_on(project, elsewhere, tmp_path):
    go = tmp_path / "go"
    agent = script(tmp_path, f"touch {tmp_path}/started; test -e {go} || sleep 600; echo a > a")
    project.new(agent=agent)
    project.new(agent=creating(tmp_path, {"b": "b"}), extends="1")
    other = elsewhere()
    wait_for((tmp_path / "started").exists)
    other.send_signal(signal.SIGINT)
    assert "Stopped" in other.stdout.read()
    assert other.wait(10) == 0
    assert project.service.reader.state(project.job(1)) is State.INTERRUPTED
    assert project.job(2).state is State.WAITING
    go.touch()

    assert [job.state for job in project.run()] == [State.COMPLETED, State.COMPLETED]


def test_a_stop_before_anything_began_leaves_everything_as_it_was(project, tmp_path):
    project.new(agent=creating(tmp_path, {"a": "a"}))
    refs, stop = project.refs(), threading.Event()
    stop.set()

    with pytest.raises(Stopped):
        project.run(1, stop=stop)

    assert project.refs() == refs


def test_two_processes_cannot_hold_one_job(project, tmp_path):
    project.new(agent=creating(tmp_path, {"a": "a"}))
    claim = claims.take(project.repository.location.own, 1)
    for action in (
        lambda: project.service.delete("1"),
        lambda: claims.take(project.repository.location.own, 1),
    ):
        with pytest.raises(JobBusy):
            action()
    claim.release()
    assert project.run(1)[0].state is State.COMPLETED


def test_a_holder_that_lost_its_job_cannot_append_any_more(project, tmp_path):
    """Somebody removed the folder with the claims while a process was halted: two hold the job, one has it."""
    project.new(agent=script(tmp_path, "echo a > a"))
    own = project.repository.location.own
    zombie_claim = claims.take(own, 1)
    around = Surroundings(project.service.config, project.environ)
    repository = project.service.open_repository()
    zombie = Desk(repository, project.job(1), zombie_claim, around)
    zombie.append(State.BUILDING, "Begun")
    (own / "claims" / "1").unlink()

    (done,) = project.run(1)
    assert done.state is State.COMPLETED
    refs = project.refs()

    with pytest.raises(RefConflict):
        zombie.checkpoint("A late word")
    assert project.refs() == refs
    zombie_claim.release()
    repository.close()


def test_a_job_whose_parent_is_being_published_waits_for_it(project, tmp_path):
    project.new("Parent", agent=creating(tmp_path, {"a": "a"}))
    project.commit("job/1", "in-the-way", "x")
    project.new("Child", agent=creating(tmp_path, {"b": "b"}), extends="1")

    with pytest.raises(BranchMoved):
        project.run(workers=2)

    assert (project.job(1).state, project.job(2).state) == (State.PUBLISHING, State.WAITING)
    project.git("branch", "-m", "job/1", "mine")
    assert [job.state for job in project.run(workers=2)] == [State.COMPLETED, State.COMPLETED]


def test_an_observer_hears_of_every_phase(project, tmp_path):
    project.make(agent=creating(tmp_path, {"a": "a"}))

    phases = [event.state for event in project.events if isinstance(event, progress.Phase)]
    assert phases == [State.PLANNING, State.BUILDING, State.VERIFYING, State.PUBLISHING, State.COMPLETED]
    assert {event.job for event in project.events} == {1}


def test_answers_that_run_out_fail_the_job(project, tmp_path):
    job = project.make(agent=recording(tmp_path, {"plan": {"summary": "s", "tasks": [], "checks": []}}))

    assert job.state is State.FAILED and "the recording has 1 answers, and the job needs one more" in job.error


def test_jobs_of_threads_do_not_mix(project):
    def answer(request, _number):
        text = "".join(block.get("text", "") for block in request["messages"][0]["content"])
        name = next(word for word in ("alpha", "beta", "gamma") if word in text)
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        write = tool("write", file_path=f"{name}.txt", content=name * 100)
        return (plan((f"{name}.txt", "created", name)), say(write), say("Done."))[turn]

    with AnthropicServer(answer) as server:
        project.talk_to(server)
        for name in ("alpha", "beta", "gamma"):
            project.new(name)
        done = project.run(workers=3)

    assert [job.state for job in done] == [State.COMPLETED] * 3
    for number, name in enumerate(("alpha", "beta", "gamma"), 1):
        assert project.files(f"job/{number}") == {f"{name}.txt": name * 100 + "\n"}
