"""What is durable when: read from the order of the system calls, since no killed process can show it."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from standins.stores import Store, git

SCRIPT = """
import os, sys
from pathlib import Path
from standins.stores import Store
from vdo.store import trash
store = Store.at(sys.argv[1])
def done(): os.write(1, b"done\\n")
first = store.new("One", "text"); done()
job = store.build(first, {"a": "1", "d/b": "2"}); done()
store.publish_branch(job); done()
job = store.finish(job); done()
gone = trash.delete(store, job); done()
job = trash.undelete(store, gone); done()
store.git.run("pack-refs", "--all")
job = store.journals.append(job, "from a packed ref"); done()
store.git.run("pack-refs", "--all")
trash.delete(store, job); trash.empty(store); done()
log = store.call_log(job)
log.begin(0, b"request"); done()
log.event(b"event")
log.end(); done()
"""
CALL = re.compile(r"^\d+\s+(\w+)\((.*)\)\s+= 0$|^\d+\s+(write)\((.*)\)\s+= \d+$")
NAMED = re.compile(r'"((?:[^"\\]|\\.)*)"')
OPENED = re.compile(r"^\d+<([^>]*)>")
TRACED = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,mkdir,mkdirat,write"


@dataclass(frozen=True)
class Call:
    """One system call that went through: what it was done to, and the new name if it gave one."""

    name: str
    path: str
    to: str = ""


@pytest.fixture(scope="module", params=["plain", "signed"])
def calls(tmp_path_factory, request) -> list[Call]:
    if shutil.which("strace") is None:
        pytest.skip("the order of system calls is read with strace, which is not installed")
    folder = tmp_path_factory.mktemp("durability")
    home = folder / "home"
    home.mkdir()
    identity = "[user]\n\tname = Ada\n\temail = ada@example.com\n"
    if request.param == "signed":
        if shutil.which("ssh-keygen") is None:
            pytest.skip("signing needs a key, and ssh-keygen to make one")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        identity += f"\tsigningKey = {folder}/key.pub\n[commit]\n\tgpgSign = true\n[gpg]\n\tformat = ssh\n"
    (home / ".gitconfig").write_text(identity)
    store = Store.make(folder / "store.git")
    trace = folder / "trace"
    command = ["strace", "-f", "-y", "-s", "200", "-e", f"trace={TRACED}", "-e", "signal=none", "-o", str(trace)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run([*command, sys.executable, "-c", SCRIPT, store.path], env=env, capture_output=True, text=True)
    if "ptrace" in done.stderr and done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.stdout == "done\n" * SCRIPT.count("; done()"), done.stderr
    store.close()
    return list(parsed(trace.read_text().splitlines(), str(store.path) + "/"))


def parsed(lines: list[str], root: str):
    for line in lines:
        match = CALL.match(line)
        if match is None:
            continue
        name, arguments = (match[1], match[2]) if match[1] else (match[3], match[4])
        opened = OPENED.match(arguments)
        if name in ("fsync", "fdatasync") and opened:
            yield Call("sync", opened[1].removeprefix(root))
        elif name == "write" and '"done\\n"' in arguments:
            yield Call("done", "")
        elif name == "write" and opened and opened[1].startswith(root):
            yield Call("write", opened[1].removeprefix(root))
        elif name.startswith(("rename", "link")):
            source, target = NAMED.findall(arguments)[:2]
            yield Call("name", source.removeprefix(root), target.removeprefix(root))
        elif name.startswith("mkdir"):
            yield Call("mkdir", NAMED.findall(arguments)[0].removeprefix(root).rstrip("/"))


def parent(path: str, top: str = "") -> str:
    return path.rpartition("/")[0] or top


def is_ref(call: Call) -> bool:
    return call.name == "name" and call.to.startswith(("refs/", "packed-refs"))


def is_object(call: Call) -> bool:
    return call.name == "name" and re.fullmatch(r"objects/([0-9a-f]{2}|pack)/[^/]+", call.to) is not None


def synced(calls: list[Call], path: str) -> bool:
    return any(call.name == "sync" and call.path.rstrip("/") == path for call in calls)


def test_the_trace_has_what_is_judged(calls):
    assert sum(map(is_ref, calls)) >= 10 and sum(map(is_object, calls)) >= 20
    assert sum(call.name == "done" for call in calls) == SCRIPT.count("; done()")
    assert any(call.to == "packed-refs" for call in calls)
    assert any(call.name == "mkdir" and call.path == "refs/vdo/jobs" for call in calls)


def test_a_file_is_synced_after_its_last_write_and_before_it_gets_its_name(calls):
    judged = 0
    for at, call in enumerate(calls):
        if is_ref(call) or is_object(call):
            written = max(n for n in range(at) if calls[n] == Call("write", call.path))
            assert synced(calls[written:at], call.path), call
            judged += 1
    assert judged > 30


def test_every_object_is_durable_before_a_ref_moves(calls):
    for at, call in enumerate(calls):
        if not is_ref(call) or call.to == "packed-refs":
            continue
        for number, earlier in enumerate(calls[:at]):
            if is_object(earlier):
                assert synced(calls[number:at], parent(earlier.to)), (earlier, call)
            if earlier.name == "mkdir" and parent(earlier.path) == "objects":
                assert synced(calls[number:at], "objects"), (earlier, call)


def test_every_ref_and_folder_is_durable_before_it_is_said_to_be(calls):
    ends = [at for at, call in enumerate(calls) if call.name == "done"]
    for at, call in enumerate(calls[: ends[-1]]):
        end = next(end for end in ends if end > at)
        if is_ref(call) and call.to != "packed-refs":
            assert synced(calls[at:end], parent(call.to)), call
        if call.name == "mkdir" and call.path.startswith("refs/"):
            assert synced(calls[at:end], parent(call.path)), call


def test_a_call_is_durable_before_it_is_sent_and_when_it_was_read(calls):
    ends = [at for at, call in enumerate(calls) if call.name == "done"]
    (log,) = {call.path for call in calls if call.name == "write" and call.path.startswith("vdo/calls/")}
    for begin, end in zip(ends[-3:-1], ends[-2:], strict=True):
        written = max(n for n in range(begin, end) if calls[n] == Call("write", log))
        assert synced(calls[written:end], log)
    for folder in (parent(log), "vdo/calls", "vdo"):
        assert synced(calls[ends[-3] : ends[-2]], folder)


def test_git_is_told_to_sync(tmp_path):
    """The settings that vdo gives to git are ones that this git knows."""
    git(tmp_path, "init", "-q")
    done = subprocess.run(
        ["git", "-c", "core.fsync=committed,reference", "status"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "unknown" not in done.stderr and "ignoring" not in done.stderr
