"""Replaying a job: its recorded answers fed to its base, in memory, to see that they give the same tree."""

from __future__ import annotations

from dataclasses import dataclass

from vdo.agents.replay import replay_messages
from vdo.config.project import FILE
from vdo.errors import JobStateError
from vdo.job import EMPTY_TREE, Job, JobId, Oid, State
from vdo.pipeline import record
from vdo.pipeline.checks import first_checks
from vdo.pipeline.record import RecordFiles
from vdo.store import objects, specs, trees
from vdo.store.repository import Repository
from vdo.tree import Tree


@dataclass(frozen=True)
class Replay:
    """What feeding the recorded answers to the base came to: two trees, and how many answers there are."""

    job: JobId
    expected: Oid
    actual: Oid
    calls: int
    note: str = ""

    @property
    def same(self) -> bool:
        return self.expected == self.actual


def replay(repository: Repository, job: Job) -> Replay:
    """Nothing is written, called or paid. Raises JobStateError for a job without a result."""
    if job.state is State.DELETED:
        raise JobStateError(f"job #{job.id} was deleted", hint=repository.way_back(job))
    if job.commit is None:
        raise JobStateError(f"job #{job.id} has no commit to compare with", hint=f"`vdo show {job.id}`")
    repo = repository.repo
    work, record_tree = repository.journals.trees(job.journal)
    expected = objects.tree_of(repo, job.commit)
    files = RecordFiles(trees.StoredTree(repo, record_tree))
    transcript = record.load_transcript(files)
    if not transcript.messages:
        return Replay(job.id, expected, work, 0, "recorded tree of a job without a conversation")
    answers = sum(message.role == "assistant" for message in transcript.messages)
    if job.merges:
        tree = _replay_merge(repository, job)
        return Replay(job.id, expected, trees.preview(repo, tree), answers)
    base = objects.tree_of(repo, job.base) if job.base else EMPTY_TREE
    tree = trees.load(repo, base)
    # A project gets its first checks once it is built: what was said later may have changed them.
    built = _said_until_built(repository, job)
    replay_messages(transcript.messages[:built], tree)
    plan = files.get("plan.json")
    asked = specs.load(files.need("spec.json"), files.need("description").decode())
    text = first_checks(asked, None if plan is None else record.load_plan(plan), tree)
    if text is not None:
        tree.write(FILE, text)
    replay_messages(transcript.messages[built:], tree)
    return Replay(job.id, expected, trees.preview(repo, tree), answers)


def _said_until_built(repository: Repository, job: Job) -> int:
    """How many messages there were when the first building came to its end."""
    verified = [each for each in repository.journals.entries(job.journal) if each.job.state is State.VERIFYING]
    first = RecordFiles(trees.StoredTree(repository.repo, verified[-1].record))
    return len(record.load_transcript(first).messages)


def _replay_merge(repository: Repository, job: Job) -> Tree:
    """The recorded answers, each fed to what git or a person had made of the parents until then.

    What changed in an entry that came without an answer was done by somebody else, and is taken as it is recorded.
    """
    tree, known, before = trees.load(repository.repo, EMPTY_TREE), 0, EMPTY_TREE
    for entry in list(repository.journals.entries(job.journal))[::-1]:
        messages = record.load_transcript(RecordFiles(trees.StoredTree(repository.repo, entry.record))).messages
        if len(messages) > known:
            replay_messages(messages[known:], tree)
        elif entry.work != before:
            tree = trees.load(repository.repo, entry.work)
        known, before = len(messages), entry.work
    return tree
