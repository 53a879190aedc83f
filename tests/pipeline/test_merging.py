import pytest
from standins.anthropic_api import Status, say, tool
from standins.merges import TEXT, fork, merged, putting, resolved
from standins.projects import creating, script
from standins.stores import git

from vdo.errors import JobNotFound, JobStateError, RevisionNotFound, UsageError
from vdo.job import State
from vdo.merge.threeway import UnrelatedHistories
from vdo.pipeline import merging
from vdo.store.journal import Journals

OURS, THEIRS = TEXT.replace("second", "ours"), TEXT.replace("second", "theirs")
BOTH = "first\nours and theirs\nthird\n"
MARKED = """\
first
<<<<<<< job #2
ours
||||||| base
second
=======
theirs
>>>>>>> job #3
third
"""
PLACE = MARKED.removeprefix("first\n").removesuffix("third\n")


pytestmark = pytest.mark.usefixtures("impatient")


def read(path):
    return tool("read", file_path=path)


def edit(path, old, new):
    return tool("edit", file_path=path, old_string=old, new_string=new)


def write(path, content):
    return tool("write", file_path=path, content=content)


def answering(*answers):
    """A script by the place in the conversation, so that a question that is repeated is answered the same way."""

    def answer(request, _number):
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        return answers[turn] if turn < len(answers) else Status(400, "a turn too many")

    return answer


@pytest.fixture
def conflict(project, tmp_path):
    """Jobs #2 and #3, which change one line of a text, and each something else."""
    fork(
        project,
        tmp_path,
        {"text": TEXT, "other": "other\n"},
        {"text": OURS, "two": "2\n"},
        {"text": THEIRS, "three": "3\n"},
        checks=("test -f other", "! grep '^<<<<<<<' text"),
    )
    return project


def test_two_jobs_without_a_conflict_are_merged_by_git_alone(project, tmp_path):
    fork(
        project,
        tmp_path,
        {"text": TEXT * 3, "a": "a\n"},
        {"text": "ours\n" + TEXT * 3, "two": "2\n"},
        {"text": TEXT * 3 + "theirs\n", "a": None},
        checks=("test -f text",),
    )
    job = merged(project, 2, 3)

    assert (job.state, job.title, job.agent, job.model) == (State.COMPLETED, "Merge #2 and #3", None, None)
    assert project.files("job/4") == {
        ".vdo.yaml": project.read("job/1", ".vdo.yaml"),
        "text": "ours\n" + TEXT * 3 + "theirs\n",
        "two": "2\n",
    }
    assert project.git("rev-parse", "job/4^1", "job/4^2").split() == [project.job(2).commit, project.job(3).commit]
    assert project.tree("job/4") == project.git("merge-tree", "--write-tree", "job/2", "job/3")
    assert resolved(project, job) == {"text": "git"}
    message = project.git("log", "-1", "--format=%B", "job/4")
    assert "\nVdo-Extends: 2 " in message and "\nVdo-Merges: 3 " in message
    assert "Vdo-Agent" not in message and "Vdo-Resolved" not in message
    assert "Merged job #3\n\n[RESOLVED] text (git)" in project.log(job)
    assert (job.files.created, job.files.modified, job.files.deleted) == (0, 1, 1)


def test_the_checks_of_both_parents_judge_it(project, tmp_path):
    fork(project, tmp_path, {"a": "a\n"}, {"one": "1\n"}, {"b": "b\n"}, checks=("test -f a",))
    project.make(
        "Four", extends="2", agent=script(tmp_path, 'printf \'checks: ["test -f a", "test -f one"]\' >.vdo.yaml')
    )
    with_three = 'printf \'checks: ["test -f a", "test -f b"]\' > .vdo.yaml'
    project.make("Five", extends="3", agent=script(tmp_path, with_three))
    job = merged(project, 4, 3)
    assert job.state is State.COMPLETED, job.error
    assert {check.command for check in project.service.readings.show("6").checks} == {"test -f a", "test -f one"}

    job = merged(project, 6, 5, on_conflict="theirs")
    assert job.state is State.COMPLETED, job.error
    assert {check.command for check in project.service.readings.show("7").checks} == {
        "test -f a",
        "test -f one",
        "test -f b",
    }


def test_without_an_agent_a_person_is_asked(conflict):
    job = merged(conflict, 2, 3)

    assert job.state is State.CONFLICTED
    assert job.error == "in conflict: text (`vdo resolve 4 --checkout DIR` gives a folder to resolve it in)"
    assert "[CONFLICT] text (content): " in conflict.log(job)
    work = conflict.git("rev-parse", f"{job.journal}:work")
    assert conflict.read(work, "text") == MARKED
    assert conflict.read(work, "three") == "3\n"
    for side, text in (("base", TEXT), ("ours", OURS), ("theirs", THEIRS), ("marked", MARKED)):
        assert conflict.read(f"{job.journal}", f"record/conflicts/1/{side}") == text
    assert conflict.branches() == ["job/1", "job/2", "job/3"]


@pytest.mark.parametrize(("how", "text"), [("ours", OURS), ("theirs", THEIRS)])
def test_a_side_can_be_preferred(conflict, how, text):
    job = merged(conflict, 2, 3, on_conflict=how)
    assert job.state is State.COMPLETED
    assert conflict.read("job/4", "text") == text
    assert (
        conflict.git("log", "-1", "--format=%(trailers:key=Vdo-Resolved,valueonly)", "job/4").strip() == f"text={how}"
    )


def test_manual_and_fail_ask_no_agent(conflict, serve):
    server = serve([])
    assert merged(conflict, 2, 3, on_conflict="manual").state is State.CONFLICTED
    job = merged(conflict, 2, 3, on_conflict="fail")
    assert (job.state, server.requests) == (State.FAILED, [])
    assert job.error.startswith("in conflict: text (")


def test_an_agent_fills_the_open_places(conflict, serve):
    server = serve([say(read("text"), "I look."), say(edit("text", PLACE, "ours and theirs\n")), say("Both are in.")])
    job = merged(conflict, 2, 3)

    assert (job.state, job.agent) == (State.COMPLETED, "claude"), job.error
    assert conflict.read("job/4", "text") == BOTH
    assert conflict.git("log", "-1", "--format=%(trailers:key=Vdo-Resolved,valueonly)", "job/4").strip() == "text=agent"
    assert resolved(conflict, job) == {"text": "agent"}
    assert server.refusals == []
    told = "".join(block["text"] for block in server.requests[0]["messages"][0]["content"])
    for expected in (
        '"Side 1"',
        "What side 1 is for.",
        '"Side 2"',
        "What side 2 is for.",
        "in these files git could not decide:\n- text\n",
        MARKED,
        "Merge #2 and #3",
        "Change nothing else",
    ):
        assert expected in told
    assert "Part of the work is done already" not in told
    assert job.usage.output > 0
    assert "Resolved by the agent\n\n[RESOLVED] text" in conflict.log(job)


def test_a_command_agent_fills_them_too(conflict, tmp_path):
    agent = script(tmp_path, f"grep -q 'could not decide' \"$VDO_PROMPT_FILE\" && printf %s '{BOTH}' > text")
    job = merged(conflict, 2, 3, agent=agent)
    assert (job.state, job.agent) == (State.COMPLETED, "command"), job.error
    assert conflict.read("job/4", "text") == BOTH


MISDEEDS = {
    "touches another line": (
        [edit("text", "first\n", "First\n")],
        "text: lines outside of the open places were changed",
    ),
    "leaves a marker": ([edit("text", PLACE, "ours\n=======\ntheirs\n")], "text: a conflict marker is left"),
    "touches another file": ([edit("other", "other", "changed")], "other: it was not in conflict"),
    "adds a file": ([write("more", "more\n")], "more: it was not in conflict"),
    "deletes the file": ([tool("delete", file_path="text")], "text: the file is gone"),
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_an_agent_that_breaks_the_rules_is_told_and_mends_it(conflict, serve, misdeed):
    calls, problem = MISDEEDS[misdeed]
    undo = {
        "touches another file": [edit("other", "changed", "other")],
        "adds a file": [tool("delete", file_path="more")],
    }.get(misdeed, [])
    good = [] if misdeed in ("touches another line", "leaves a marker", "deletes the file") else ["resolved"]
    first = [edit("text", PLACE, "ours and theirs\n")] if good or "line" in misdeed else []
    server = serve(
        [
            say(read("text"), read("other"), *first, *calls),
            say("Done."),
            say(*undo, *([] if good else [write("text", BOTH)]), "Mended."),
            say("Now it is right."),
        ]
    )
    job = merged(conflict, 2, 3)

    assert job.state is State.COMPLETED, job.error
    assert conflict.files("job/4") == {
        ".vdo.yaml": conflict.read("job/1", ".vdo.yaml"),
        "text": BOTH,
        "other": "other\n",
        "two": "2\n",
        "three": "3\n",
    }
    assert f"The resolution cannot be used\n\n{problem}" in conflict.log(job)
    said = server.requests[2]["messages"][-1]["content"][-1]["text"]
    assert problem.partition(": ")[2] in said


def test_an_agent_that_changes_the_mode_is_told(conflict, tmp_path):
    job = merged(conflict, 2, 3, agent=script(tmp_path, f"printf %s '{BOTH}' > text; chmod +x text"))
    assert job.state is State.CONFLICTED
    assert "text: its mode was changed" in conflict.log(job)


def test_after_three_rounds_a_person_is_asked_and_finds_it_as_git_left_it(conflict, serve):
    wrong = [say(read("text"), read("other"), edit("other", "other", "changed")), say("Done.")]
    server = serve([*wrong, say("I insist."), say("I still do."), Status(400, "too much")])
    job = merged(conflict, 2, 3)

    assert job.state is State.CONFLICTED
    assert job.error.startswith("the agent's resolutions broke the rules of merging (")
    assert len(server.requests) == 4
    assert conflict.log(job).count("The resolution cannot be used") == merging.ROUNDS
    assert "`vdo retry 4 -m FEEDBACK` lets the agent try again" in job.error
    work = conflict.git("rev-parse", f"{job.journal}:work")
    assert (conflict.read(work, "text"), conflict.read(work, "other")) == (MARKED, "other\n")

    serve([say(read("text")), say(edit("text", PLACE, "ours and theirs\n")), say("All right.")])
    conflict.run(conflict.service.retry("4", feedback="Keep both words, in one line."))
    job = conflict.job(4)
    assert job.state is State.COMPLETED, job.error
    assert conflict.read("job/4", "text") == BOTH


def test_an_agent_that_fails_leaves_it_to_a_person(conflict, tmp_path):
    job = merged(conflict, 2, 3, agent=script(tmp_path, "echo no idea; exit 7"))
    assert job.state is State.CONFLICTED
    assert "the agent failed with exit code 7: no idea" in job.error


def test_what_an_agent_cannot_fill_is_left_to_a_person(project, tmp_path):
    fork(
        project,
        tmp_path,
        {"text": TEXT, "gone": "1\n", "latin": "x\n"},
        {"text": OURS, "gone": None},
        {"text": THEIRS, "gone": "2\n"},
    )
    for number, byte in ((2, 351), (3, 350)):
        agent = script(tmp_path, f"printf '\\{byte}\\n' > latin")
        project.make("Latin", extends=str(number), agent=agent)
    job = merged(project, 4, 5, agent=script(tmp_path, f"printf %s '{BOTH}' > text"))

    assert job.state is State.CONFLICTED
    assert job.error.startswith("in conflict: gone, latin (")
    assert resolved(project, job) == {"text": "agent"}
    progress = project.service.conflicts(str(job.id))
    assert {file.path: file.kind for file in progress.open} == {"gone": "modify/delete", "latin": "content"}
    assert progress.open[1].versions["ours"].data == b"\xe9\n"
    job = project.service.resolve_files(str(job.id), {"gone": None, "latin": b"\xe8\n"})
    project.run(job)
    assert project.job(job).state is State.COMPLETED
    assert set(project.git("ls-tree", "-r", "--name-only", f"job/{job.id}").split()) == {"latin", "text"}


def test_more_parents_are_merged_one_after_the_other(project, tmp_path, serve):
    sides = [{"text": TEXT.replace("second", name), name: name} for name in ("one", "two", "three", "four")]
    fork(project, tmp_path, {"text": TEXT}, *sides)

    def answer(request, _number):
        """Fills the open place of whatever step it is asked about with the words of both sides."""
        messages = request["messages"]
        if len(messages) == 1:
            return say(read("text"))
        if len(messages) == 3:
            lines = messages[2]["content"][0]["content"].splitlines()
            marks = [next(n for n, line in enumerate(lines) if line.startswith(mark * 7)) for mark in "<|=>"]
            ours, theirs = lines[marks[0] + 1 : marks[1]], lines[marks[2] + 1 : marks[3]]
            old = "\n".join(lines[marks[0] : marks[3] + 1]) + "\n"
            return say(edit("text", old, " ".join([*ours, *theirs]) + "\n"))
        return say("Done.")

    server = serve(answer)
    job = merged(project, 2, 3, 4, 5)

    assert job.state is State.COMPLETED, job.error
    assert project.read("job/6", "text") == "first\none two three four\nthird\n"
    assert set(project.files("job/6")) == {"text", "one", "two", "three", "four"}
    assert project.git("rev-list", "--parents", "-1", "job/6").split()[1:] == [
        project.job(n).commit for n in range(2, 6)
    ]
    assert len(server.requests) == 9
    assert job.title == "Merge #2, #3, #4 and #5"
    log = project.log(job)
    assert [f"1 file in conflict with job #{number}" in log for number in (3, 4, 5)] == [True] * 3
    assert "four" in project.git("log", "--graph", "--format=%s", "job/6") or "Side 4" in project.git("log", "job/6")


def test_red_checks_after_a_clean_merge_go_to_the_agent(project, tmp_path, serve):
    """Each side is green alone: together they are too many."""
    check = "test $(ls parts | wc -l) -lt 3"
    fork(project, tmp_path, {"parts/a": "a\n"}, {"parts/b": "b\n"}, {"parts/c": "c\n"}, checks=(check,))
    server = serve([say(tool("delete", file_path="parts/a")), say("There is room now.")])
    job = merged(project, 2, 3)

    assert (job.state, job.agent) == (State.COMPLETED, "claude"), job.error
    assert set(project.files("job/4")) == {".vdo.yaml", "parts/b", "parts/c"}
    said = "".join(block["text"] for block in server.requests[0]["messages"][0]["content"])
    assert check in said and "git could not decide" not in said


def test_red_checks_after_a_clean_merge_without_an_agent_fail_it(project, tmp_path):
    fork(
        project,
        tmp_path,
        {"parts/a": "a\n"},
        {"parts/b": "b\n"},
        {"parts/c": "c\n"},
        checks=("test $(ls parts | wc -l) -lt 3",),
    )
    job = merged(project, 2, 3)
    assert job.state is State.FAILED
    assert "the checks failed" in job.error


def test_red_checks_after_a_resolution_are_mended_without_the_talk_of_conflicts(conflict, serve):
    wrong = "<<<<<<< is no marker here, but the check finds it"
    server = serve(
        [
            say(read("text")),
            say(edit("text", PLACE, "ours and theirs\n<<<<<<<\tno marker\n")),
            say("Done."),
            say(read("text")),
            say(edit("text", "<<<<<<<\tno marker\n", "")),
            say("Mended."),
        ]
    )
    job = merged(conflict, 2, 3)
    assert job.state is State.COMPLETED, (job.error, wrong)
    assert conflict.read("job/4", "text") == BOTH
    assert "git could not decide" not in "".join(b["text"] for b in server.requests[3]["messages"][0]["content"])


def test_a_revision_is_merged_like_a_job(conflict):
    conflict.git("branch", "colleague", "job/1")
    tip = conflict.commit("colleague", "theirs", "by hand\n")
    job = merged(conflict, 2, "colleague")
    assert job.state is State.COMPLETED, job.error
    assert conflict.files("job/4").keys() == {".vdo.yaml", "other", "text", "theirs", "two"}
    assert f"\nVdo-Merges: colleague {tip}\n" in conflict.git("log", "-1", "--format=%B", "job/4")
    view = conflict.service.readings.show("4").to_json()
    assert (view["merges"], view["merged_revisions"]) == ([], ["colleague"])

    other = merged(conflict, "colleague", 3, title="Into the colleague's work")
    assert (other.state, other.project) == (State.COMPLETED, conflict.job(1).project)
    assert conflict.git("rev-parse", "job/5^1") == tip


def test_commits_by_people_on_a_parents_branch_are_merged_too(conflict):
    tip = conflict.commit("job/3", "by-hand", "by hand\n")
    conflict.commit("job/3", "text", OURS)
    job = merged(conflict, 2, 3)
    assert job.state is State.COMPLETED, job.error
    assert conflict.read("job/4", "by-hand") == "by hand\n"
    assert conflict.git("merge-base", tip, "job/4") == tip


def test_unrelated_projects_need_a_word(conflict, tmp_path):
    conflict.make("Another project", agent=creating(tmp_path, {"another": "x\n"}))
    with pytest.raises(UnrelatedHistories, match="#2 and #4 have no common ancestor"):
        conflict.service.merge(["2", "4"])
    job = merged(conflict, 2, 4, unrelated=True)
    assert job.state is State.COMPLETED, job.error
    assert {"another", "two"} < conflict.files("job/5").keys()
    assert job.project == conflict.job(2).project


def test_a_merge_waits_for_its_parents(project, tmp_path):
    project.make("Shell", agent=creating(tmp_path, {"a": "a\n"}))
    project.new("One", extends="1", agent=creating(tmp_path, {"one": "1\n"}))
    project.new("Two", extends="1", agent=creating(tmp_path, {"two": "2\n"}))
    job = project.service.merge(["2", "3"])
    assert job.state is State.WAITING
    project.run(job, workers=2)
    assert [project.job(number).state for number in (2, 3, 4)] == [State.COMPLETED] * 3
    assert project.files("job/4").keys() == {"a", "one", "two"}


def test_unrelated_jobs_that_were_still_waiting_end_it_with_the_reason(project, tmp_path):
    project.new("One", agent=creating(tmp_path, {"one": "1\n"}))
    project.new("Two", agent=creating(tmp_path, {"two": "2\n"}))
    job = project.service.merge(["1", "2"])
    project.run(job)
    job = project.job(job)
    assert job.state is State.FAILED
    assert "job #1 and job #2 have no common ancestor" in job.error


def test_what_is_part_of_the_other_is_not_merged(conflict, tmp_path):
    before = conflict.refs()
    for names in (("1", "2"), ("2", "1"), ("2", "2"), ("2", "job/2~1"), ("2", "3", "1")):
        with pytest.raises(UsageError, match=r"is part of #[23] already: there is nothing to merge"):
            conflict.service.merge(names)
    assert conflict.refs() == before
    conflict.new("Four", extends="2", agent=creating(tmp_path, {"four": "4\n"}))
    with pytest.raises(UsageError, match="#2 is part of #4 already"):
        conflict.service.merge(["2", "4"])


def test_a_parent_that_contains_the_other_when_its_turn_comes(project, tmp_path):
    """Somebody merged by hand while the merge was waiting."""
    fork(project, tmp_path, {"a": "a\n"}, {"two": "2\n"})
    project.new("Three", extends="1", agent=creating(tmp_path, {"three": "3\n"}))
    job = project.service.merge(["2", "3"])
    project.run(3)
    merge = project.git("commit-tree", "-p", "job/2", "-p", "job/3", "-m", "By hand", "job/3^{tree}")
    project.git("update-ref", "refs/heads/job/2", merge)
    project.run(job)
    job = project.job(job)
    assert job.state is State.FAILED
    assert job.error == "there is nothing to merge: job #3 is part of job #2 already"
    assert "Job #3 is part of what is there already" in project.log(job)


def test_wrong_requests_are_refused_before_anything_is_recorded(conflict, tmp_path):
    before = conflict.refs()
    with pytest.raises(UsageError, match="at least two"):
        conflict.service.merge(["2"])
    with pytest.raises(RevisionNotFound):
        conflict.service.merge(["2", "nothing"])
    with pytest.raises(UsageError, match="a conflict cannot be left to 'somebody'"):
        conflict.service.merge(["2", "3"], on_conflict="somebody")
    assert conflict.refs() == before
    conflict.service.delete("3")
    with pytest.raises(JobNotFound, match="was deleted"):
        conflict.service.merge(["2", "3"])
    conflict.make("Fails", extends="1", agent=script(tmp_path, "exit 1"))
    with pytest.raises(JobStateError, match="#4 failed"):
        conflict.service.merge(["2", "4"])


def test_a_parent_that_is_deleted_while_the_merge_waits_is_still_merged(conflict):
    job = conflict.service.merge(["2", "3"], on_conflict="ours")
    conflict.service.delete("3", force=True)
    conflict.run(job)
    assert conflict.job(job).state is State.COMPLETED
    assert conflict.read("job/4", "three") == "3\n"


def test_a_job_that_builds_on_a_merge(conflict, tmp_path, serve):
    """`vdo new --merge`: first the merge, its conflicts included, then the plan and the build, each with its talk."""
    server = serve(
        [
            say(read("text")),
            say(edit("text", PLACE, "ours and theirs\n")),
            say("Resolved."),
            say('{"summary": "s", "tasks": [{"path": "new", "action": "created", "note": "n"}], "checks": []}'),
            say(write("new", "new\n")),
            say("Built."),
        ]
    )
    job = conflict.make("More", "Add more.", extends="2", merges=("3",))
    assert job.state is State.COMPLETED, job.error
    assert conflict.files("job/4").keys() == {".vdo.yaml", "other", "text", "two", "three", "new"}
    assert conflict.read("job/4", "text") == BOTH
    planning = "".join(b["text"] for b in server.requests[3]["messages"][0]["content"])
    assert "git could not decide" not in planning and BOTH in planning
    building = server.requests[4]["messages"][-1]["content"][-1]["text"]
    assert "git could not decide" not in building


def test_merges_alone_have_the_first_one_as_their_parent(conflict, tmp_path):
    job = conflict.new("More", merges=("2", "3"), on_conflict="ours", agent=putting(tmp_path, {"new": "new\n"}))
    conflict.run(job)
    job = conflict.job(job)
    assert job.state is State.COMPLETED, job.error
    assert (job.extends.id, [parent.id for parent in job.merges]) == (2, [3])
    assert conflict.read("job/4", "new") == "new\n"


def test_a_text_of_20_megabytes_is_left_to_a_person(project, tmp_path):
    line = "printf '%s\\n' {word}; yes 0123456789012345678 | head -n 1000000"
    fork(project, tmp_path, {"a": "a\n"})
    project.make("Base", extends="1", agent=script(tmp_path, f"({line.format(word='base')}) > big"))
    for word in ("ours", "theirs"):
        project.make(word, extends="2", agent=script(tmp_path, f"({line.format(word=word)}) > big"))
    job = merged(project, 3, 4, agent=script(tmp_path, "exit 9"))
    assert job.state is State.CONFLICTED
    assert job.error.startswith("in conflict: big (")
    (file,) = project.service.conflicts(str(job.id)).open
    assert len(file.versions["theirs"].data) == 20_000_007
    assert len(project.record(job).get("merge.json") or b"") < 2000


class Killed(BaseException):
    """As after SIGKILL: nothing of the run goes on."""


@pytest.fixture
def kill(monkeypatch):
    """Ends the run at the n-th entry of a journal from now on: before it is written, or right after."""
    write, seen = Journals._write, []

    def arm(number, *, after):
        def writes(self, *args):
            seen.append(1)
            if len(seen) == number and not after:
                raise Killed
            job = write(self, *args)
            if len(seen) == number:
                raise Killed
            return job

        seen.clear()
        monkeypatch.setattr(Journals, "_write", writes)

    return arm


TALK = (
    say(read("text"), read("other"), edit("other", "other", "changed")),
    say("Done."),
    say(edit("other", "changed", "other"), edit("text", PLACE, "ours and theirs\n")),
    say("Now it is right."),
)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 15))
def test_a_kill_at_any_entry_asks_nothing_twice(conflict, serve, kill, number, after):
    server = serve(answering(*TALK))
    job = conflict.service.merge(["2", "3"])
    kill(number, after=after)
    with pytest.raises(Killed):
        conflict.run(job)
    kill(0, after=False)
    conflict.run(job)

    job = conflict.job(job)
    assert job.state is State.COMPLETED, job.error
    assert conflict.read("job/4", "text") == BOTH
    assert conflict.read("job/4", "other") == "other\n"
    assert len(server.requests) == len(TALK)
    assert server.refusals == []
    assert conflict.log(job).count("The resolution cannot be used") == 1


@pytest.mark.parametrize("number", range(1, 8))
def test_a_command_agent_that_ended_well_is_not_started_again(conflict, tmp_path, kill, number):
    agent = script(tmp_path, f"echo run >> {tmp_path}/runs; printf %s '{BOTH}' > text")
    job = conflict.service.merge(["2", "3"], agent=agent)
    kill(number, after=True)
    with pytest.raises(Killed):
        conflict.run(job)
    kill(0, after=False)
    conflict.run(job)
    assert conflict.job(job).state is State.COMPLETED
    assert conflict.read("job/4", "text") == BOTH
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_command_agent_is_told_again_after_a_kill_between_its_rounds(conflict, tmp_path, kill):
    agent = script(
        tmp_path,
        f"echo run >> {tmp_path}/runs; if grep -q 'lines outside' $VDO_PROMPT_FILE; then printf %s '{BOTH}' > text; "
        "else echo x > text; fi",
    )
    job = conflict.service.merge(["2", "3"], agent=agent)
    kill(5, after=True)
    with pytest.raises(Killed):
        conflict.run(job)
    assert "The resolution cannot be used" in conflict.log(conflict.job(job))
    kill(0, after=False)
    conflict.run(job)
    assert conflict.job(job).state is State.COMPLETED
    assert (tmp_path / "runs").read_text() == "run\nrun\n"


def test_a_build_on_a_merge_that_was_killed_while_it_was_resolved(conflict, serve, kill):
    plan = say('{"summary": "s", "tasks": [{"path": "new", "action": "created", "note": "n"}], "checks": []}')
    resolving = [say(read("text")), say(edit("text", PLACE, "ours and theirs\n")), say("Resolved.")]
    building = [plan, say(write("new", "new\n")), say("Built.")]

    def answer(request, _number):
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        told = "".join(block["text"] for block in request["messages"][0]["content"])
        return (resolving if "git could not decide" in told else building)[turn]

    serve(answer)
    job = conflict.new("More", extends="2", merges=("3",))
    for number in (3, 3, 3, 3):
        kill(number, after=True)
        with pytest.raises(Killed):
            conflict.run(job)
    kill(0, after=False)
    conflict.run(job)
    job = conflict.job(job)
    assert job.state is State.COMPLETED, job.error
    assert (conflict.read("job/4", "text"), conflict.read("job/4", "new")) == (BOTH, "new\n")


def test_the_recorded_answers_of_a_merge_lead_to_its_tree(conflict, serve):
    serve(answering(*TALK))
    job = merged(conflict, 2, 3)
    before = conflict.refs()
    replayed = conflict.service.replay(str(job.id))
    assert (replayed.same, replayed.calls) == (True, 4)
    assert conflict.refs() == before


def test_a_replay_of_a_merge_takes_what_a_person_did_as_it_is(conflict, serve):
    """Of two steps the first was resolved by hand, the second by the agent."""
    conflict.make("Side 3", extends="1", agent=putting(conflict.folder, {"text": TEXT.replace("second", "more")}))
    job = merged(conflict, 2, 3, 4)
    conflict.service.resolve_files(str(job.id), {"text": BOTH.encode()})
    place = "<<<<<<< job #2+job #3\nours and theirs\n||||||| base\nsecond\n=======\nmore\n>>>>>>> job #4\n"
    serve([say(read("text")), say(edit("text", place, "ours, theirs and more\n")), say("Done.")])
    conflict.run(job)
    assert conflict.job(job).state is State.COMPLETED, conflict.job(job).error
    replayed = conflict.service.replay(str(job.id))
    assert (replayed.same, replayed.calls) == (True, 3)


def test_a_name_that_is_not_utf8_can_be_in_conflict(project):
    name = b"caf\xe9"
    for branch, parent, text in (("base", None, TEXT), ("left", "base", OURS), ("right", "base", THEIRS)):
        blob = git(project.folder, "hash-object", "-w", "--stdin", stdin=text.encode())
        tree = git(project.folder, "mktree", "-z", stdin=b"100644 blob " + blob.encode() + b"\t" + name + b"\0")
        commit = project.git("commit-tree", tree, "-m", branch, *(["-p", parent] if parent else []))
        project.git("branch", branch, commit)
    job = merged(project, "left", "right")
    assert job.state is State.CONFLICTED, job.error
    (file,) = project.service.conflicts(str(job.id)).open
    project.run(project.service.resolve_files(str(job.id), {file.path: BOTH.encode()}))
    assert project.job(job).state is State.COMPLETED, project.job(job).error
    assert project.read(f"job/{job.id}", name.decode("utf-8", "surrogateescape")) == BOTH
    assert "Vdo-Resolved: caf?=person" in project.git("log", "-1", "--format=%B", f"job/{job.id}")
