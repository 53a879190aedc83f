"""Deploying into a folder: complete, all or nothing, with everything of others kept."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from vdo.errors import DeployRefused
from vdo.job import JobId, Oid
from vdo.publish import rollover
from vdo.publish.deploy import DeployFailed, DeployFile, Deployment, deploy, recover
from vdo.tree import Content, Mode

Project = Mapping[str, "str | Content"]
COMMIT = Oid("1" * 40)


def script(text: str) -> Content:
    return Content(Mode.EXECUTABLE, text.encode())


def link(target: str) -> Content:
    return Content(Mode.SYMLINK, target.encode())


def files(project: Project) -> list[DeployFile]:
    whole = {path: Content(Mode.FILE, one.encode()) if isinstance(one, str) else one for path, one in project.items()}
    return [DeployFile(path, one.mode, one.data) for path, one in whole.items()]


def put(target: Path, project: Project, job: int = 1, **options: Any) -> Deployment:
    return deploy(files(project), target, job=JobId(job), title=f"Job {job}", commit=COMMIT, **options)


def shown(target: Path) -> dict[str, str]:
    """All but the manifest: a file's text, `->` for a link, `*` for an executable file, `/` for an empty folder."""
    found = {}
    for path in sorted(target.rglob("*")):
        name = str(path.relative_to(target))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_dir():
            if not any(path.iterdir()):
                found[name + "/"] = ""
        elif name != ".vdo-deploy.json":
            found[name] = ("*" if os.access(path, os.X_OK) and path.stat().st_mode & 0o100 else "") + path.read_text()
    return found


ONE: Project = {
    "app.py": "one",
    "run": script("#!/bin/sh"),
    "lib/a.py": "a",
    "lib/old/b.py": "b",
    "docs": "a file that becomes a folder",
    "static/site.css": "a folder that becomes a file",
    "static/js/x.js": "x",
    "current": link("lib/a.py"),
    "same": "same",
}
TWO: Project = {
    "app.py": "two",
    "run": "not a script any more",
    "lib/a.py": script("a"),
    "docs/index.md": "docs",
    "docs/deep/er/page.md": "page",
    "static": "a file",
    "current": link("app.py"),
    "same": "same",
    "new.py": "new",
}
KEPT = {"data.db": "rows", "lib/cache/x": "cached", "lib/old/__pycache__/b.pyc": "compiled"}


def text(project: Project) -> dict[str, str]:
    prefix = {Mode.EXECUTABLE: "*", Mode.SYMLINK: "-> ", Mode.FILE: ""}
    return {
        path: one if isinstance(one, str) else prefix[one.mode] + one.data.decode() for path, one in project.items()
    }


def keep_some(target: Path) -> None:
    for name, data in KEPT.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "srv" / "app"


@pytest.fixture
def deployed(target: Path) -> Path:
    """ONE is there, and a server has made files of its own since."""
    put(target, ONE)
    keep_some(target)
    return target


class TestDeploying:
    def test_a_new_folder_holds_exactly_the_project(self, target: Path) -> None:
        done = put(target, ONE)

        assert shown(target) == text(ONE)
        assert done.written == tuple(sorted(ONE))
        assert sorted(path.name for path in target.parent.iterdir()) == ["app"]

    def test_an_empty_folder_keeps_its_identity(self, target: Path) -> None:
        target.mkdir(parents=True)
        before = target.stat().st_ino
        put(target, ONE)

        assert (shown(target), target.stat().st_ino) == (text(ONE), before)

    def test_the_next_deployment_changes_everything_and_keeps_what_others_made(self, deployed: Path) -> None:
        def untouched(name: str) -> tuple[int, int, int]:
            """What a write would change; reading moves the time of access only."""
            info = (deployed / name).stat()
            return info.st_ino, info.st_mtime_ns, info.st_ctime_ns

        database, unchanged = untouched("data.db"), untouched("same")
        done = put(deployed, TWO, job=2)

        assert shown(deployed) == text(TWO) | KEPT
        assert (done.previous, done.job, done.unchanged) == (1, 2, 1)
        assert untouched("data.db") == database
        assert untouched("same") == unchanged

    def test_an_earlier_job_is_the_way_back(self, deployed: Path) -> None:
        put(deployed, TWO, job=2)
        put(deployed, ONE, job=1)

        assert shown(deployed) == text(ONE) | KEPT

    def test_folders_that_nothing_is_in_any_more_are_gone(self, target: Path) -> None:
        put(target, {"a/b/c/d": "1", "a/b/e": "2", "x": "3"})
        put(target, {"x": "3"})

        assert [path.name for path in target.iterdir() if path.is_dir()] == []

    def test_what_was_deleted_by_hand_comes_back(self, deployed: Path) -> None:
        (deployed / "app.py").unlink()
        put(deployed, ONE)

        assert shown(deployed) == text(ONE) | KEPT

    def test_a_submodule_is_left_out(self, target: Path) -> None:
        deploy(
            [*files({"a": "a"}), DeployFile("vendor", Mode.SUBMODULE, b"")],
            target,
            job=JobId(1),
            title="T",
            commit=COMMIT,
        )

        assert shown(target) == {"a": "a"}

    def test_names_that_are_not_utf8(self, target: Path) -> None:
        name = os.fsdecode(b"caf\xe9")
        put(target, {name: "1", "ünï": "2"})
        put(target, {"ünï": "3"})

        assert sorted(os.listdir(os.fsencode(target))) == [b".vdo-deploy.json", "ünï".encode()]

    def test_the_umask_decides_on_permissions(self, target: Path) -> None:
        before = os.umask(0o027)
        try:
            put(target, {"a": "a", "dir/run": script("x")})
        finally:
            os.umask(before)

        assert [oct((target / name).stat().st_mode & 0o777) for name in ("a", "dir", "dir/run")] == [
            "0o640",
            "0o750",
            "0o750",
        ]

    def test_the_log_says_where_each_file_comes_from(self, target: Path) -> None:
        lines: list[str] = []
        own = DeployFile("own.py", Mode.FILE, b"1")
        inherited = DeployFile("base.html", Mode.FILE, lambda: b"2", from_job=JobId(50))
        person = DeployFile("fix.py", Mode.FILE, b"3", from_commit=Oid("2" * 40))
        deploy([own, inherited, person], target, job=JobId(51), title="T", commit=COMMIT, log=lines.append)

        assert lines == [
            "[Deploy] own.py (generated)",
            "[Deploy] base.html (inherited from job #50)",
            "[Deploy] fix.py (inherited from commit 222222222222)",
        ]

    def test_the_target_may_be_a_link_to_a_folder(self, target: Path, tmp_path: Path) -> None:
        real = tmp_path / "releases"
        real.mkdir()
        target.parent.mkdir()
        target.symlink_to(real)
        put(target, ONE)

        assert target.is_symlink()
        assert shown(real) == text(ONE)


def refuse(target: Path, project: Project, match: str, **options: Any) -> str:
    """The deployment is refused, and nothing at all has changed."""
    before = shown(target) if target.is_dir() else {}
    with pytest.raises(DeployRefused, match=match) as refused:
        put(target, project, **options)
    assert (shown(target) if target.is_dir() else {}) == before
    return str(refused.value)


class TestRefusing:
    def test_a_first_deployment_into_a_folder_with_files(self, target: Path) -> None:
        target.mkdir(parents=True)
        (target / "letter.txt").write_text("mine")
        refuse(target, ONE, "is not empty")

        put(target, ONE, force=True)
        assert shown(target) == text(ONE) | {"letter.txt": "mine"}

    def test_a_file_that_was_edited(self, deployed: Path) -> None:
        (deployed / "app.py").write_text("edited")
        refuse(deployed, TWO, r"app\.py was edited since vdo wrote it")

        done = put(deployed, TWO, job=2, force=True)
        assert shown(deployed) == text(TWO) | KEPT | {".vdo-deploy/saved/job-2/app.py": "edited"}
        assert done.saved == ("app.py",)

    def test_an_edit_that_is_what_the_new_job_has_is_none(self, deployed: Path) -> None:
        (deployed / "app.py").write_text("two")
        put(deployed, TWO, job=2)

        assert shown(deployed) == text(TWO) | KEPT

    def test_a_changed_executable_bit_is_an_edit(self, deployed: Path) -> None:
        (deployed / "app.py").chmod(0o755)
        refuse(deployed, TWO, r"app\.py was edited")

    def test_an_edited_file_that_the_new_job_does_not_have(self, deployed: Path) -> None:
        (deployed / "lib/old/b.py").write_text("mine now")
        refuse(deployed, TWO, r"lib/old/b\.py is not in this job any more, and was edited")

        put(deployed, TWO, job=2, force=True)
        assert shown(deployed)[".vdo-deploy/saved/job-2/lib/old/b.py"] == "mine now"

    def test_a_file_of_others_in_the_way(self, deployed: Path) -> None:
        (deployed / "new.py").write_text("mine")
        refuse(deployed, TWO, r"new\.py is in the way")

    def test_a_file_of_others_with_the_same_content_is_taken_over(self, deployed: Path) -> None:
        (deployed / "new.py").write_text("new")
        put(deployed, TWO, job=2)
        put(deployed, ONE)

        assert shown(deployed) == text(ONE) | KEPT

    def test_a_folder_of_others_where_a_file_goes(self, deployed: Path) -> None:
        (deployed / "static" / "uploads").mkdir()
        (deployed / "static" / "uploads" / "cat.png").write_text("meow")
        refuse(deployed, TWO, r"static is a folder with files that are not vdo's \(static/uploads/cat\.png\)")

        put(deployed, TWO, job=2, force=True)
        assert shown(deployed)["static"] == "a file"
        assert shown(deployed)[".vdo-deploy/saved/job-2/static/uploads/cat.png"] == "meow"

    def test_a_file_of_others_where_a_folder_goes(self, deployed: Path) -> None:
        put(deployed, {"app.py": "one"}, job=3)
        (deployed / "docs").write_text("mine")
        refuse(deployed, TWO, "docs stands where the project has a folder")

        put(deployed, TWO, job=2, force=True)
        assert shown(deployed)[".vdo-deploy/saved/job-2/docs"] == "mine"
        assert shown(deployed)["docs/index.md"] == "docs"

    def test_what_was_put_aside_stays_when_it_happens_again(self, deployed: Path) -> None:
        for words in ("first", "second"):
            (deployed / "app.py").write_text(words)
            put(deployed, TWO, job=2, force=True)

        saved = {name: data for name, data in shown(deployed).items() if name.startswith(".vdo-deploy/")}
        assert saved == {
            ".vdo-deploy/saved/job-2/app.py": "first",
            ".vdo-deploy/saved/job-2-2/app.py": "second",
        }

    def test_a_socket_in_the_way(self, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(deployed)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("new.py")
            with pytest.raises(DeployRefused, match="in the way"):
                put(deployed, TWO)

    @pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", ".git/config", "a/.GIT/hooks/x", "a//b"])
    def test_a_project_that_leaves_its_folder(self, target: Path, name: str) -> None:
        refuse(target, {name: "1"}, "cannot be deployed")
        assert not target.exists()

    @pytest.mark.parametrize("name", [".vdo-deploy.json", ".vdo-deploy/plan.json"])
    def test_a_project_with_the_names_of_the_deployment(self, target: Path, name: str) -> None:
        refuse(target, {name: "1"}, "needs for itself")

    def test_a_target_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("x")
        refuse(tmp_path / "x", ONE, "is a file")

    def test_a_target_inside_a_git_dir(self, tmp_path: Path) -> None:
        subprocess.run(["git", "init", "-q", tmp_path / "work"], check=True)
        subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare.git"], check=True)
        for folder in ("work/.git/app", "bare.git/deploy/app", "bare.git"):
            refuse(tmp_path / folder, ONE, "inside the git directory")

    def test_a_link_to_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "x").symlink_to("nowhere")
        refuse(tmp_path / "x", ONE, "a symbolic link to nothing")

    @pytest.mark.parametrize(
        "forged",
        [
            "{",
            "[]",
            '{"version": 2}',
            '{"version":1,"token":"t","job":1,"title":"","commit":"c","files":{"../x":{"sha256":"","mode":"100644"}}}',
        ],
    )
    def test_a_manifest_that_cannot_be_trusted(self, deployed: Path, forged: str) -> None:
        (deployed / ".vdo-deploy.json").write_text(forged)
        refuse(deployed, TWO, "cannot be read as the record of a deployment")

    def test_two_at_once(self, deployed: Path) -> None:
        seen = []

        def second(step: str) -> None:
            if step == "begin" and not seen:
                seen.append(step)
                with pytest.raises(DeployRefused, match="another process is deploying"):
                    put(deployed, ONE)

        put(deployed, TWO, on_step=second)
        assert seen

    def test_two_first_deployments_at_once(self, target: Path) -> None:
        seen = []

        def second(step: str) -> None:
            if step == "begin" and not seen:
                seen.append(step)
                with pytest.raises(DeployRefused, match="another process is deploying"):
                    put(target, ONE)

        put(target, TWO, on_step=second)
        assert seen
        assert shown(target) == text(TWO)


class TestLinksInTheTarget:
    """Whoever can write into the target must not lead a deployment out of it."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Iterator[Path]:
        folder = tmp_path / "outside"
        folder.mkdir()
        (folder / "a.py").write_text("a")
        yield folder
        assert shown(folder) == {"a.py": "a"}

    @pytest.mark.parametrize("force", [False, True])
    def test_a_folder_was_replaced_by_a_link(self, deployed: Path, outside: Path, force: bool) -> None:
        (deployed / "lib").rename(deployed / "elsewhere")
        (deployed / "lib").symlink_to(outside)
        if not force:
            refuse(deployed, TWO, "lib stands where the project has a folder")
            return
        put(deployed, TWO, job=2, force=True)
        assert not (deployed / "lib").is_symlink()
        assert shown(deployed)[".vdo-deploy/saved/job-2/lib"] == f"-> {outside}"

    def test_a_file_was_replaced_by_a_link(self, deployed: Path, outside: Path) -> None:
        (deployed / "lib/a.py").unlink()
        (deployed / "lib/a.py").symlink_to(outside / "a.py")
        refuse(deployed, TWO, r"lib/a\.py was edited")
        put(deployed, TWO, force=True)
        assert shown(deployed)["lib/a.py"] == "*a"

    @pytest.mark.parametrize("name", [".vdo-deploy", ".vdo-deploy.json"])
    def test_the_deployments_own_files_are_links(self, deployed: Path, outside: Path, name: str) -> None:
        (deployed / name).unlink(missing_ok=True)
        (deployed / name).symlink_to(outside / ("" if name == ".vdo-deploy" else "a.py"))
        refuse(deployed, TWO, name)

    def test_a_forged_plan_cannot_reach_out(self, deployed: Path, outside: Path) -> None:
        (deployed / ".vdo-deploy").mkdir()
        for path in ("../../outside/a.py", str(outside / "a.py")):
            (deployed / ".vdo-deploy" / "plan.json").write_text(
                f'{{"token": "x", "label": "1", "steps": [["create", "{path}", 1, false]]}}'
            )
            refuse(deployed, TWO, "is not the work folder of a deployment")

    def test_a_link_of_the_project_itself_is_replaced_and_not_followed(self, target: Path, outside: Path) -> None:
        put(target, {"x": link("../../outside")})
        put(target, {"x/a.py": "changed"})
        assert shown(target) == {"x/a.py": "changed"}
        put(target, {"x": link("../../outside")})
        assert shown(target) == {"x": "-> ../../outside"}


def steps_of(tmp_path: Path, force: bool) -> list[str]:
    """The names of all steps of going from ONE to TWO."""
    target = tmp_path / "probe"
    put(target, ONE)
    keep_some(target)
    if force:
        disturb(target)
    seen: list[str] = []
    put(target, TWO, job=2, on_step=seen.append, force=force)
    return seen


def disturb(target: Path) -> None:
    (target / "app.py").write_text("edited")
    (target / "static" / "own").mkdir()
    (target / "static" / "own" / "file").write_text("mine")


def stop_at(number: int, action: Callable[[], None]) -> rollover.OnStep:
    counted = iter(range(number + 1))

    def on_step(_step: str) -> None:
        if next(counted, None) == number:
            action()

    return on_step


def in_child(body: Callable[[], None]) -> int:
    """Run in a forked process; how it ended."""
    child = os.fork()
    if not child:
        try:
            body()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize("force", [False, True])
class TestInterrupted:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A killed process loses nothing that the system has: syncing matters when that dies, and has its own test."""
        monkeypatch.setattr(os, "fsync", lambda _descriptor: None)

    def test_killed_at_every_step(self, tmp_path: Path, force: bool) -> None:
        steps = steps_of(tmp_path, force)
        assert len(steps) > 20
        for number, step in enumerate(steps):
            target = tmp_path / f"app{number}"
            put(target, ONE)
            keep_some(target)
            if force:
                disturb(target)
            before = shown(target)
            kill = stop_at(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
            assert in_child(lambda t=target, k=kill: put(t, TWO, job=2, on_step=k, force=force)) == signal.SIGKILL

            prepared = all(earlier != "begin" for earlier in steps[:number])
            if prepared:  # nothing of the project has been touched
                now = {name: data for name, data in shown(target).items() if not name.startswith(".vdo-deploy/")}
                assert now == before, step
            recover(target)
            committed = "commit" in steps[:number]
            if committed:
                assert shown(target).items() >= (text(TWO) | KEPT).items(), step
            else:
                assert shown(target) == before, step
            put(target, TWO, job=2, force=force)
            assert shown(target).items() >= (text(TWO) | KEPT).items(), step
            if force:
                saved = {name.split("/", 3)[3]: data for name, data in shown(target).items() if "/saved/" in name}
                assert saved.items() >= {"app.py": "edited", "static/own/file": "mine"}.items(), step

    def test_killed_again_while_it_is_undone(self, tmp_path: Path, force: bool) -> None:
        steps = steps_of(tmp_path, force)
        for number in range(steps.index("begin") + 1, steps.index("commit") + 1, 3):
            target = tmp_path / f"app{number}"
            put(target, ONE)
            keep_some(target)
            if force:
                disturb(target)
            before = shown(target)
            kill = stop_at(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
            in_child(lambda t=target, k=kill: put(t, TWO, job=2, on_step=k, force=force))
            for again in range(0, len(steps), 2):
                kill = stop_at(again, lambda: os.kill(os.getpid(), signal.SIGKILL))
                in_child(lambda t=target, k=kill: _recover_with(t, k))
            recover(target)
            assert shown(target) == before

    def test_an_error_at_every_step_leaves_the_previous_one(self, tmp_path: Path, force: bool) -> None:
        def full() -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        steps = steps_of(tmp_path, force)
        for number, step in enumerate(steps[: steps.index("commit") + 1]):
            target = tmp_path / f"app{number}"
            put(target, ONE)
            keep_some(target)
            if force:
                disturb(target)
            before = shown(target)
            with pytest.raises(DeployFailed, match="No space left"):
                put(target, TWO, job=2, on_step=stop_at(number, full), force=force)
            assert shown(target) == before, step
            assert not (target / ".vdo-deploy").exists()


def _recover_with(target: Path, on_step: rollover.OnStep) -> None:
    with rollover.Folder(target) as folder:
        folder.lock()
        rollover.Rollover(folder, on_step).recover()


def test_a_killed_first_deployment_leaves_no_target(tmp_path: Path) -> None:
    for number in range(30):
        target = tmp_path / f"app{number}"
        kill = stop_at(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
        if in_child(lambda t=target, k=kill: put(t, ONE, on_step=k)) != signal.SIGKILL:
            break
        assert not target.exists()
        put(target, TWO)
        assert shown(target) == text(TWO)
    else:
        pytest.fail("it has more steps than were tried")
    assert number > 15
    assert not list(tmp_path.glob(".*"))


LIMITED = """
import resource, signal, sys
from pathlib import Path
from vdo.publish.deploy import DeployFile, deploy
from vdo.tree import Mode
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
deploy([DeployFile("a", Mode.FILE, b"new"), DeployFile("big", Mode.FILE, b"x" * 200_000)], Path(sys.argv[1]),
       job=2, title="T", commit="1" * 40)
"""


def test_a_write_that_the_system_refuses(target: Path) -> None:
    put(target, {"a": "old"})
    done = subprocess.run([sys.executable, "-c", LIMITED, target], capture_output=True, text=True)

    assert "DeployFailed" in done.stderr
    assert "File too large" in done.stderr
    assert shown(target) == {"a": "old"}


def test_ctrl_c_waits_for_the_end_of_the_exchange(target: Path) -> None:
    put(target, ONE)

    def press(step: str) -> None:
        if step.startswith("replace"):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        put(target, TWO, job=2, on_step=press)
    assert shown(target) == text(TWO)


def test_ctrl_c_before_the_exchange_leaves_the_previous_one(target: Path) -> None:
    put(target, ONE)

    def press(step: str) -> None:
        if step == "stage":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        put(target, TWO, job=2, on_step=press)
    assert shown(target) == text(ONE)


def test_a_file_that_changes_while_it_is_deployed_stops_it(target: Path) -> None:
    put(target, ONE)

    def edit(step: str) -> None:
        if step == "prepare":
            (target / "app.py").write_text("edited just now")

    with pytest.raises(DeployFailed, match="being changed by somebody else"):
        put(target, TWO, job=2, on_step=edit)
    assert shown(target) == text(ONE) | {"app.py": "edited just now"}


def test_a_system_without_hard_links(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    put(target, ONE)
    monkeypatch.setattr(os, "link", refused)

    def fail(step: str) -> None:
        if step == "commit":
            raise OSError(errno.EIO, "broken")

    with pytest.raises(DeployFailed):
        put(target, TWO, job=2, on_step=fail)
    assert shown(target) == text(ONE)
    put(target, TWO, job=2)
    assert shown(target) == text(TWO)


@pytest.mark.skipif(
    not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat("/tmp").st_dev,
    reason="needs a second file system",
)
def test_a_link_to_another_file_system_is_no_way_there(target: Path) -> None:
    put(target, ONE)
    (target / "new.py").symlink_to("/dev/shm/vdo-never-written")
    refuse(target, TWO, r"new\.py is in the way")
    assert not os.path.lexists("/dev/shm/vdo-never-written")


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are named through /proc")
def test_what_an_exchange_rests_on_is_synced_before_it_is_relied_on(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(target, {"a": "1", "b": "1"})
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename

    def name(descriptor: int) -> str:
        return os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(f"{target}/").removeprefix(str(target))

    def synced(descriptor: int) -> None:
        calls.append(f"sync {name(descriptor)}")
        fsync(descriptor)

    def renamed(old: str, new: str, **folders: int) -> None:
        calls.append(f"rename {name(folders['dst_dir_fd'])}/{new}")
        rename(old, new, **folders)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    put(target, {"a": "2", "c": "2"})
    new = ".vdo-deploy/new"
    assert calls == [
        f"sync {new}/2",
        f"sync {new}/3",
        f"sync {new}/manifest",
        f"sync {new}/plan",
        f"sync {new}",
        "sync .vdo-deploy/old",
        "rename .vdo-deploy/plan.json",
        "sync .vdo-deploy",
        "rename /c",
        "rename /a",
        "sync ",
        "rename /.vdo-deploy.json",
        "sync ",
        "sync .vdo-deploy",
    ]
