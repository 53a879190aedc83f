"""The agent `command`: any coding agent with a command line, at work in a private checkout."""

from __future__ import annotations

import codecs
import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vdo import secrets
from vdo.agents.changes import compare, log_line
from vdo.agents.named import Named
from vdo.agents.prompts import Prompts
from vdo.config import AgentSettings
from vdo.environ import clean_environ
from vdo.errors import AgentUnavailable, BadPath, Stopped
from vdo.outcome import DONE, Action, CheckReport, Outcome, Result
from vdo.process import Completed
from vdo.progress import Note, TaskDone, Text
from vdo.secrets import Secrets
from vdo.tree import Tree
from vdo.work import Work

DEFAULT_SECONDS = 3600.0
LOG = "agent.log"
_THIS_MACHINES = ("PATH", "HOME")
_PASSED = (*_THIS_MACHINES, "LANG", "LANGUAGE")
_LAST_LINES = 5
_SILENT = "it printed nothing"

KNOWN_COMMANDS: Mapping[str, str] = {
    "claude": "claude -p",
    "codex": "codex exec -",
    "gemini": "gemini",
    "aider": 'aider --yes --no-auto-commits --message-file "$VDO_PROMPT_FILE"',
    "opencode": 'opencode run "$(cat "$VDO_PROMPT_FILE")"',
}
"""Coding agents by the program that starts them, and the command line with which they take vdo's prompt."""


def create(settings: AgentSettings, environ: Mapping[str, str], prompts: Prompts) -> CommandAgent:
    """Raises AgentUnavailable when the command cannot be run as it is configured."""
    if not settings.command:
        raise AgentUnavailable(f"the agent {settings.name!r} has no command", hint="give it a `command:`")
    started = program(settings.command)
    if started is not None and shutil.which(started, path=environ.get("PATH")) is None:
        raise AgentUnavailable(f"there is no program {started!r} on the PATH", hint=_install_hint(environ))
    return CommandAgent(settings, environ, prompts, secrets.known(environ))


def found(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The command lines of the coding agents that are on the PATH."""
    lines = KNOWN_COMMANDS.items()
    return tuple(line for program, line in lines if shutil.which(program, path=environ.get("PATH")))


@dataclass
class CommandAgent:
    """Its only checkpoint is its exit: interrupted, it starts again from the tree that the job has."""

    settings: AgentSettings
    environ: Mapping[str, str]
    prompts: Prompts
    secrets: Secrets
    kind: str = "command"

    def __post_init__(self) -> None:
        self.model = self.settings.model

    def plan(self, work: Work) -> Result:
        """It plans by itself, if at all."""
        return DONE

    def build(self, work: Work) -> Result:
        return self._run(work, None)

    def repair(self, work: Work, report: CheckReport) -> Result:
        """Runs again on the tree as it is now, with the output of the red checks in its prompt."""
        return self._run(work, report)

    def _run(self, work: Work, report: CheckReport | None) -> Result:
        prompt = self.secrets.redact(self.prompts.command(work.briefing, report)).encode()
        before = Tree(work.tree.base, work.tree.changes)
        with _prompt_file(prompt) as file, work.checkout() as folder:
            work.emit(Note(work.job, f"running {self.settings.command}"))
            try:
                done = self._start(work, folder, file, prompt)
            except Stopped:
                work.keep_folder(folder)
                raise
            work.keep(LOG, self.secrets.redact(done.output).encode())
            if not done.ok:
                work.keep_folder(folder)
                return self._failed(done, folder)
            try:
                work.adopt(folder, include_ignored=self.settings.include_ignored)
            except BadPath as error:
                work.keep_folder(folder)
                return Result(Outcome.FAILED, f"what the agent left cannot be used: {error}", error.hint or _LOG_HINT)
        return self._finish(work, before, done)

    def _start(self, work: Work, folder: Path, file: Path, prompt: bytes) -> Completed:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")

        def show(data: bytes) -> None:
            text = decoder.decode(data)
            if text:
                work.emit(Text(work.job, self.secrets.redact(text)))

        assert self.settings.command is not None
        if self.settings.sandbox:
            return self._start_confined(self.settings.command, work, folder, file, show)
        return work.run(
            ["/bin/sh", "-c", self.settings.command],
            cwd=folder,
            env=self._variables(work, file),
            seconds=self.settings.timeout or DEFAULT_SECONDS,
            stdin=prompt,
            on_output=show,
        )

    def _start_confined(
        self, command: str, work: Work, folder: Path, file: Path, show: Callable[[bytes], None]
    ) -> Completed:
        """Inside it has a home of its own, and of this machine the system and what its command line names."""
        named = Named.of(command, self.environ)
        given = clean_environ(self._variables(work, file))
        own = {name: value for name, value in given.items() if name in self.settings.env or name not in _THIS_MACHINES}
        return work.run_confined(
            f'{{ {command}\n}} <"$VDO_PROMPT_FILE"',
            cwd=folder,
            env=own,
            seconds=self.settings.timeout or DEFAULT_SECONDS,
            readable=(file, *named.readable),
            path=named.path,
            on_output=show,
        )

    def _variables(self, work: Work, file: Path) -> dict[str, str]:
        """PATH, HOME, locale and what the configuration names: not the user's whole environment."""
        named = {*_PASSED, *self.settings.env}
        kept = {key: value for key, value in self.environ.items() if key in named or key.startswith("LC_")}
        parent = work.briefing.parent
        return {
            **kept,
            "VDO_PROMPT_FILE": str(file),
            "VDO_JOB": str(work.job),
            "VDO_TITLE": work.briefing.title,
            "VDO_PARENT": "" if parent is None else str(parent.number or parent.name),
        }

    def _finish(self, work: Work, before: Tree, done: Completed) -> Result:
        changes = compare(before, work.tree)
        leaked = self._leaked(work.tree, changes)
        if leaked is not None:
            work.tree = before
            return leaked
        if not changes:
            summary = "the agent ended well, but changed nothing"
            said = _last_lines(self.secrets.redact(done.output))
            return Result(Outcome.FAILED, summary, said if said == _SILENT else f"it said: {said}")
        for action, path in changes:
            work.emit(TaskDone(work.job, action, path, len(changes), len(changes)))
        lines = [log_line(action, path) for action, path in changes]
        work.checkpoint("\n".join([*lines, f"{self.settings.name}: done in {done.seconds:.0f} s"]))
        return DONE

    def _leaked(self, tree: Tree, changes: list[tuple[Action, str]]) -> Result | None:
        """A file with a secret of the environment would be in git for ever."""
        for action, path in changes:
            if action is not Action.DELETED:
                name = self.secrets.find(path) or self.secrets.find(tree.read(path).decode("utf-8", "surrogateescape"))
                if name is not None:
                    where = self.secrets.redact(path)
                    summary = f"the agent wrote the value of {name}, a secret of your environment, into {where}"
                    return Result(
                        Outcome.FAILED, summary, "nothing of it was recorded; tell it not to in the description"
                    )
        return None

    def _failed(self, done: Completed, folder: Path) -> Result:
        said = _last_lines(self.secrets.redact(done.output))
        if done.timed_out:
            hint = "give it more time (`timeout:` of the agent), or make smaller jobs of it"
            return Result(
                Outcome.FAILED, f"the agent was not done after {done.seconds:.0f} s and was ended: {said}", hint
            )
        if done.stopped:
            return Result(Outcome.FAILED, f"the agent was ended: {done.stopped}", _LOG_HINT)
        how = f"exit code {done.exit_code}" if (done.exit_code or 0) >= 0 else f"signal {-(done.exit_code or 0)}"
        file = _left_behind(self.settings.command or "", folder)
        hint = f"{file!r} is no file of the project: {_ELSEWHERE}" if file else _LOG_HINT
        return Result(Outcome.FAILED, f"the agent failed with {how}: {said}", hint)


_LOG_HINT = "`vdo log JOB -p` has all that it printed; `vdo retry JOB` starts it again"
_ELSEWHERE = "the agent runs in a checkout of it, so name files of your own by their absolute paths"


@contextlib.contextmanager
def _prompt_file(prompt: bytes) -> Iterator[Path]:
    """A file with the prompt in a folder of its own: in the checkout it would become part of the job."""
    with tempfile.TemporaryDirectory(prefix="vdo-prompt-") as folder:
        file = Path(folder, "prompt.md")
        file.write_bytes(prompt)
        yield file


def program(command: str) -> str | None:
    """The program that a plain command line starts; None where only a shell can tell."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if not words or set(command) & set("|&;<>()$`\n") or "=" in words[0]:
        return None
    return words[0]


def _left_behind(command: str, checkout: Path) -> str | None:
    """The file that `command` names as if it ran in the caller's folder, and not in the checkout."""
    words = [word for word in command.split() if not word.startswith(("/", "-"))]
    return next((word for word in words if os.path.isfile(word) and not (checkout / word).exists()), None)


def _install_hint(environ: Mapping[str, str]) -> str:
    there = found(environ)
    return f"these coding agents are there: {', '.join(there)}" if there else "install it, or name one that is there"


def _last_lines(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:]) or _SILENT
