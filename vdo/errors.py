"""The errors that vdo reports: one tree, each with an exit code, an HTTP status and a hint on what to do next."""

from __future__ import annotations


class VdoError(Exception):
    """What failed and to which thing, in one sentence; `hint` says what to do next.

    Exit codes: 1 the job failed or is in conflict, 2 wrong usage, 3 the environment, the repository, the
    configuration or a remote, 70 a bug, 130 interrupted.
    """

    exit_code = 3
    http_status = 500
    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class UsageError(VdoError):
    """What was asked for is malformed or not allowed: nothing was changed."""

    exit_code, http_status = 2, 422


class RepositoryError(VdoError):
    """The repository is missing, unsupported, unreadable or damaged."""


class RepositoryNotFound(RepositoryError):
    http_status = 404
    hint = "go to a git repository, name one with -C DIR, or make one with `vdo init NAME.git`"


class RefConflict(RepositoryError):
    """A ref was not where it was expected: somebody else moved it. Nothing was written."""

    http_status = 409
    hint = "run the command again: it reads the new state first"


class StaleLock(RepositoryError):
    """A lock file of git outside vdo's own refs is in the way; vdo never removes those."""

    http_status = 409


class JobNotFound(VdoError):
    http_status = 404
    hint = "`vdo list` shows the jobs of this repository"


class RevisionNotFound(VdoError):
    http_status = 404
    hint = "name a job (51, #51, job/51, an id) or a git revision (a branch, a tag, a commit)"


class JobStateError(VdoError):
    """The job exists, but what was asked does not fit the state it is in."""

    exit_code, http_status = 2, 409


class JobBusy(JobStateError):
    """Another process works on the job at this moment."""

    exit_code = 3
    hint = "`vdo log -f JOB` follows it, `vdo cancel JOB` stops it"


class JobWaits(JobStateError):
    """The job cannot start before another one has a result."""

    exit_code = 1


class BranchMoved(JobStateError):
    """A job's branch does not contain the job's commit any more, or is in the way of it."""

    exit_code = 3


class IdentityMissing(VdoError):
    http_status = 409
    hint = 'set who you are: git config --global user.name "NAME" && git config --global user.email "EMAIL"'


class ConfigError(VdoError):
    """A configuration file or variable is wrong: file, line and column are in the message."""


class AgentUnavailable(VdoError):
    """There is no agent to do the work, or the one that was named cannot be used."""

    http_status = 409


class RemoteError(VdoError):
    """A remote (git host, API) refused or could not be reached."""

    http_status = 502


class JobFailed(VdoError):
    """The job ended without a result; its journal keeps everything."""

    exit_code, http_status = 1, 409


class BadPath(UsageError):
    """A path that must not be written; the message is meant for the agent that asked for it."""


class DeployRefused(VdoError):
    """The target of a deployment is not in the state that allows it; nothing was written."""

    http_status = 409


class Stopped(VdoError):
    """Work was stopped on request: by Ctrl-C (the job can go on later) or by `vdo cancel`."""

    exit_code = 130
    http_status = 409


class Cancelled(Stopped):
    """`vdo cancel` asked for the end of this job."""

    exit_code = 1
