import os
import shutil
import subprocess
from pathlib import Path

import pytest
from standins.projects import Project, creating, script
from standins.stores import git

from vdo.errors import IdentityMissing, RepositoryError
from vdo.job import State


def test_without_an_identity_nothing_begins(home, tmp_path):
    (home / ".gitconfig").write_text("[init]\n\tdefaultBranch = main\n")
    project = Project(tmp_path / "nobody.git")

    with pytest.raises(IdentityMissing, match="git does not say who you are") as missing:
        project.new(agent=creating(tmp_path, {"a": "a"}))

    assert "git config --global user.name" in missing.value.hint and missing.value.exit_code == 3
    assert project.refs() == {}
    project.service.close()


def test_an_identity_that_is_lost_later_stops_a_run_before_it_begins(project, home, tmp_path):
    project.new(agent=creating(tmp_path, {"a": "a"}))
    refs = project.refs()
    (home / ".gitconfig").write_text("")

    service = project.open()
    with pytest.raises(IdentityMissing):
        service.run()
    service.close()

    assert project.refs() == refs


def test_author_and_committer_are_the_users(project, tmp_path):
    project.environ.update(GIT_AUTHOR_NAME="Ann Author", GIT_AUTHOR_EMAIL="ann@example.com")
    other = Project(project.folder, project.environ)
    other.make(agent=creating(tmp_path, {"a": "a"}))

    people = "Ann Author <ann@example.com>, Ada Tester <ada@example.com>"
    assert other.git("log", "-1", "--format=%an <%ae>, %cn <%ce>", "job/1") == people
    other.service.close()


@pytest.fixture
def ssh_key(home):
    """A key that signs, and git told so."""
    key = home / "key"
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (home / "signers").write_text(f"ada@example.com {(home / 'key.pub').read_text()}")
    with (home / ".gitconfig").open("a") as config:
        config.write(f"[user]\n\tsigningKey = {key}.pub\n[gpg]\n\tformat = ssh\n")
        config.write(f'[gpg "ssh"]\n\tallowedSignersFile = {home}/signers\n')
    git(home, "config", "--global", "commit.gpgSign", "true")


@pytest.fixture
def gpg_key(home):
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    # The agent's socket must have a short path.
    short = Path("/tmp") / f"vdo-gpg-{os.getpid()}"
    short.mkdir(mode=0o700)
    os.environ["GNUPGHOME"] = str(short)
    line = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "Ada <ada@example.com>"]
    subprocess.run([*line, "ed25519", "sign"], check=True, capture_output=True)
    git(home, "config", "--global", "commit.gpgSign", "true")
    git(home, "config", "--global", "user.signingKey", "ada@example.com")
    yield
    subprocess.run(["gpgconf", "--kill", "all"], check=False)
    del os.environ["GNUPGHOME"]
    shutil.rmtree(short, ignore_errors=True)


@pytest.mark.parametrize("kind", ["ssh_key", "gpg_key"])
def test_a_jobs_commit_is_signed_when_git_says_so(kind, request, tmp_path):
    request.getfixturevalue(kind)
    project = Project(tmp_path / "signed.git")

    job = project.make("Signed", "Described.", agent=creating(tmp_path, {"a": "a"}), checks=("true",))

    assert job.state is State.COMPLETED
    project.git("verify-commit", "job/1")
    assert project.git("log", "-1", "--format=%G?", "job/1") in ("G", "U")
    assert project.git("log", "-1", "--format=%(trailers:key=Vdo-Job,valueonly)", "job/1").strip() == "1"
    child = project.make("Child", extends="1", agent=creating(tmp_path, {"b": "b"}))
    assert child.state is State.COMPLETED
    project.git("verify-commit", "job/2")
    project.service.close()


def test_a_key_that_cannot_sign_leaves_one_clear_message(home, tmp_path):
    git(home, "config", "--global", "commit.gpgSign", "true")
    git(home, "config", "--global", "gpg.format", "ssh")
    git(home, "config", "--global", "user.signingKey", str(home / "missing.pub"))
    project = Project(tmp_path / "unsigned.git")
    job = project.new(agent=creating(tmp_path, {"a": "a"}))

    with pytest.raises(RepositoryError, match=r"git commit-tree failed: .*missing\.pub"):
        project.run(job)

    failed = project.job(job)
    assert failed.state is State.FAILED and "missing.pub" in failed.error
    assert project.branches() == []
    git(home, "config", "--global", "commit.gpgSign", "false")
    other = Project(project.folder)
    other.service.retry("1")
    assert other.run(1)[0].state is State.COMPLETED
    for each in (project, other):
        each.service.close()


def test_the_callers_git_environment_leads_no_child_astray(project, tmp_path, monkeypatch):
    """`GIT_DIR` and friends are set, as in a hook: agent, checks and vdo's own git do not follow them."""
    mine = tmp_path / "mine"
    git(tmp_path, "init", "-q", "-b", "main", str(mine))
    git(mine, "commit", "-q", "--allow-empty", "-m", "Mine")
    hostile = {
        "GIT_DIR": str(mine / ".git"),
        "GIT_WORK_TREE": str(mine),
        "GIT_INDEX_FILE": str(mine / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(mine / ".git" / "objects"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(mine),
    }
    before = git(mine, "rev-parse", "HEAD")
    objects = sorted((mine / ".git" / "objects").rglob("*"))
    project.environ.update(hostile)
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)

    from vdo.service.intake import NewJob
    from vdo.service.service import Service

    service = Service.open(str(project.folder), project.environ)
    agent = script(
        tmp_path, "env | grep ^GIT_ > env.txt; git add -A; git commit -q -m own; git log --oneline > log.txt"
    )
    service.new(NewJob("A job", agent=agent, checks=("! env | grep ^GIT_ | grep -v ^GIT_CONFIG_NOSYSTEM=1",)))
    (done,) = service.run()
    service.close()
    for name in hostile:
        monkeypatch.delenv(name)

    assert done.state is State.COMPLETED, done.error
    assert git(mine, "rev-parse", "HEAD") == before
    assert sorted((mine / ".git" / "objects").rglob("*")) == objects
    files = project.files("job/1")
    assert files["env.txt"] == "" or "\nGIT_DIR" not in files["env.txt"]
    assert "own" in files["log.txt"]


def test_git_dir_names_the_repository_when_nothing_else_does(project, tmp_path, monkeypatch):
    from vdo.service.service import Service

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_DIR", str(project.folder))
    service = Service.open(None, os.environ)
    assert service.location.common_dir == project.folder.resolve()
    service.close()
