import os
import threading
import time
from dataclasses import replace

import pytest
from standins.sandboxes import sandbox_of
from standins.wheels import wheel

from vdo.sandbox import environment
from vdo.sandbox.bubblewrap import Bubblewrap
from vdo.sandbox.contract import MIB
from vdo.sandbox.environment import Environments, Installation
from vdo.sandbox.setup import Setup
from vdo.tree import MemoryBase, Tree

PROJECT = "5f0c" * 8


@pytest.fixture
def wheels(folder) -> Installation:
    """An index of our own: a folder of wheels, as a user would configure a mirror."""
    place = folder.parent / "wheels"
    place.mkdir()
    wheel(place, "demolib", "1.0")
    wheel(place, "demolib", "2.0")
    return Installation(env={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(place)}, read_only=(place,))


@pytest.fixture
def environments(folder) -> Environments:
    return Environments(folder.parent / "cache/environments")


def requirements(text: str) -> Setup:
    setup = Setup.usual(Tree(MemoryBase({"requirements.txt": text.encode()})))
    assert setup is not None
    return setup


@pytest.mark.slow
def test_a_python_project_gets_an_environment_of_its_own(sandbox, folder, environments, wheels):
    prepared = environments.prepare(requirements("demolib==1.0\n"), sandbox, project=PROJECT, installation=wheels)

    assert prepared.environment is not None, prepared.output
    assert not prepared.reused and "network" in prepared.note
    made = prepared.environment
    done = sandbox.run(
        "demolib && python -c 'import demolib, sys; print(demolib.VERSION, sys.prefix)'; python -c 'import click'; pwd",
        folder,
        access=made.access,
        env=made.environ,
    )
    assert done.output.splitlines()[:2] == ["demolib runs", f"1.0 {made.folder}/venv"]
    assert "No module named 'click'" in done.output

    # What the checks use, no check can change.
    assert not sandbox.run("pip uninstall -y demolib", folder, access=made.access).ok
    assert not sandbox.run(f"touch {made.folder}/venv/x || touch {made.folder}/made/x", folder, access=made.access).ok


class Unused(Bubblewrap):
    """In which nothing is run."""

    def run(self, *_command, **_options):
        raise AssertionError("nothing had to be run")


@pytest.mark.slow
def test_the_second_job_spends_nothing_and_a_changed_requirement_makes_a_new_one(folder, environments, wheels):
    sandbox = sandbox_of("bubblewrap")
    first = environments.prepare(requirements("demolib==1.0\n"), sandbox, project=PROJECT, installation=wheels)

    second = environments.prepare(requirements("demolib==1.0\n"), Unused(), project=PROJECT, installation=wheels)
    changed = environments.prepare(requirements("demolib==2.0\n"), sandbox, project=PROJECT, installation=wheels)

    assert second.reused and second.note == "environment reused"
    assert second.environment == first.environment
    assert not changed.reused and changed.environment is not None and changed.environment != first.environment
    done = sandbox.run("python -c 'import demolib; print(demolib.VERSION)'", folder, access=changed.environment.access)
    assert done.output == "2.0\n"


class Quick:
    """A setup without a virtual environment: what is told here of caching does not need one."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(environment, "_VENV", "true {0} {1}")


@pytest.fixture
def quick(monkeypatch) -> Quick:
    return Quick(monkeypatch)


@pytest.fixture
def bubblewrap():
    return sandbox_of("bubblewrap")


def test_a_failed_setup_is_not_kept(quick, bubblewrap, environments):
    setup = Setup("echo went wrong; exit 4", {})

    failed = environments.prepare(setup, bubblewrap, project=PROJECT)
    again = environments.prepare(setup, bubblewrap, project=PROJECT)

    assert failed.environment is None and "went wrong" in failed.output
    assert again.environment is None and not again.reused


def test_a_setup_that_was_stopped_is_not_kept(quick, bubblewrap, environments):
    class Stop(Exception):
        pass

    calls = []

    def check_stop() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Stop

    setup = Setup("touch begun; sleep 1; touch done", {})
    with pytest.raises(Stop):
        environments.prepare(setup, bubblewrap, project=PROJECT, check_stop=check_stop)

    whole = environments.prepare(setup, bubblewrap, project=PROJECT)

    assert not whole.reused and whole.environment is not None
    assert sorted(path.name for path in (whole.environment.folder / "made").iterdir()) == ["begun", "done"]


def test_it_sees_only_the_files_that_it_names_and_no_secret(quick, bubblewrap, environments, folder, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-very-secret")
    tree = Tree(MemoryBase({"package.json": b"{}", "web/package.json": b"{}", "app.py": b"secret()", "notes.md": b""}))
    setup = Setup.of(tree, f"find . -type f; env; ls {folder}; ls ~", ["package.json", "web/*.json", "gone.txt"])

    prepared = environments.prepare(setup, bubblewrap, project=PROJECT)

    found = [line for line in prepared.output.splitlines() if line.startswith("./")]
    assert sorted(found) == ["./package.json", "./web/package.json"]
    assert "very-secret" not in prepared.output


def test_what_else_it_makes_is_linked_into_a_checkout(quick, bubblewrap, environments, folder):
    setup = Setup("mkdir -p node_modules/x && echo 1 > node_modules/x/index.js", {"package.json": b"{}"})
    made = environments.prepare(setup, bubblewrap, project=PROJECT).environment
    (folder / "package.json").write_text("of the checkout")

    assert made.link_into(folder) == ["node_modules"]

    done = bubblewrap.run("cat package.json node_modules/x/index.js; touch node_modules/y", folder, access=made.access)
    assert done.output.startswith("of the checkout1\n") and not done.ok


def test_two_that_want_the_same_make_it_once(quick, bubblewrap, environments):
    setup = Setup("echo made; sleep 0.5", {})
    results = []

    def want() -> None:
        results.append(environments.prepare(setup, bubblewrap, project=PROJECT))

    threads = [threading.Thread(target=want) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(result.reused for result in results) == [False, True, True]
    assert len({result.environment for result in results}) == 1


def test_who_waits_for_another_can_be_stopped(quick, bubblewrap, environments):
    setup = Setup("echo begun; sleep 5", {})
    begun = threading.Event()

    def make() -> None:
        environments.prepare(setup, bubblewrap, project=PROJECT, on_output=lambda _data: begun.set())

    thread = threading.Thread(target=make)
    thread.start()
    assert begun.wait(60)

    class Stop(Exception):
        pass

    def check_stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        environments.prepare(setup, bubblewrap, project=PROJECT, check_stop=check_stop)
    assert thread.is_alive()
    thread.join()


def test_it_is_bounded_in_size(quick, bubblewrap, environments):
    given = Installation(limits=replace(environment.LIMITS, disk=20 * MIB))

    prepared = environments.prepare(
        Setup("head -c 50000000 /dev/zero > big; sleep 9", {}), bubblewrap, project=PROJECT, installation=given
    )

    assert prepared.environment is None and "20 MiB" in prepared.output


@pytest.mark.parametrize(
    "hostile",
    [
        "rm -rf reqs; ln -s {0} reqs",
        "chmod 000 reqs . 2>/dev/null; exit 1",
        "ln -s {0} link; ln -s {0}/keep file; exit 1",
        "i=0; while [ $i -lt 1500 ]; do mkdir d; cd d; i=$((i+1)); done; exit 1",
    ],
    ids=["folder-replaced", "rights-taken", "links-left", "too-deep"],
)
def test_tricks_do_not_reach_what_is_outside(quick, bubblewrap, environments, folder, hostile):
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "keep").write_text("kept")
    setup = Setup(hostile.format(outside), {"reqs/keep": b"x"})

    prepared = environments.prepare(setup, bubblewrap, project=PROJECT)
    environments.clean(max_age=-1)

    assert (outside / "keep").read_text() == "kept"
    left = [path for path in (folder.parent / "cache/environments").iterdir() if path.is_dir()]
    assert left == [], prepared.output


def test_the_oldest_are_cleaned_away(quick, bubblewrap, environments, folder):
    keys = []
    for number in range(3):
        prepared = environments.prepare(Setup(f"head -c 1000000 /dev/zero > {number}", {}), bubblewrap, project=PROJECT)
        keys.append(prepared.environment.key)
    cache = folder.parent / "cache/environments"

    def used(key: str, days_ago: float) -> None:
        then = time.time() - days_ago * 86400
        os.utime(cache / f"{key}.ready", (then, then))

    for key, days in zip(keys, (40, 2, 0), strict=True):
        used(key, days)
    assert environments.clean() == [keys[0]]
    assert environments.clean(max_bytes=1_500_000) == [keys[1]]
    assert environments.clean(max_bytes=0) == []  # used today: somebody may be using it
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [keys[2]]


def test_who_uses_one_keeps_it(quick, bubblewrap, environments, folder):
    setup = Setup("true", {})
    key = environments.prepare(setup, bubblewrap, project=PROJECT).environment.key
    ready = folder.parent / f"cache/environments/{key}.ready"
    os.utime(ready, (1, 1))

    assert environments.prepare(setup, bubblewrap, project=PROJECT).reused

    assert environments.clean() == []


def test_where_nothing_was_made_nothing_is_cleaned(environments):
    assert environments.clean() == []


class TestKeys:
    def test_each_part_counts(self):
        base = Setup("pip install x", {"a": b"1"})
        keys = {
            base.key("p", "bubblewrap", "1"),
            base.key("q", "bubblewrap", "1"),
            base.key("p", "landlock", "1"),
            base.key("p", "bubblewrap", "2"),
            Setup("pip install y", {"a": b"1"}).key("p", "bubblewrap", "1"),
            Setup("pip install x", {"a": b"2"}).key("p", "bubblewrap", "1"),
            Setup("pip install x", {"b": b"1"}).key("p", "bubblewrap", "1"),
        }
        assert len(keys) == 7
        assert Setup("pip install x", {"a": b"1"}).key("p", "bubblewrap", "1") in keys

    def test_an_approval_is_for_what_runs_on_what(self):
        base = Setup("pip install x", {"a": b"1"})

        assert Setup("pip install x", {"a": b"1"}).fingerprint == base.fingerprint
        assert Setup("pip install x", {"a": b"2"}).fingerprint != base.fingerprint
        assert Setup("pip install x; curl y", {"a": b"1"}).fingerprint != base.fingerprint


class TestUsual:
    def of(self, **files: str) -> Setup | None:
        return Setup.usual(
            Tree(MemoryBase({name.replace("__", "/").replace("_", "."): text.encode() for name, text in files.items()}))
        )

    def test_requirements_with_what_they_refer_to(self):
        setup = self.of(
            requirements_txt="-r reqs/base.txt\nflask\n",
            reqs__base_txt="-c ../limits.txt\n-r ../../outside.txt\n-r base.txt\n",
            limits_txt="flask<4\n",
            other_txt="x\n",
        )

        assert setup.run == "pip install -r requirements.txt"
        assert sorted(setup.files) == ["limits.txt", "reqs/base.txt", "requirements.txt"]

    def test_declared_dependencies(self):
        setup = self.of(
            pyproject_toml='[project]\nname="x"\ndependencies=["flask>=3", "a; python_version<\'4\'"]\n'
            '[project.optional-dependencies]\ntest=["pytest"]\ndocs=["sphinx"]\n'
            '[dependency-groups]\ndev=["ruff", {include-group="x"}]\n'
        )

        assert setup.run == "pip install 'flask>=3' 'a; python_version<'\"'\"'4'\"'\"'' ruff pytest"
        assert setup.files == {}

    @pytest.mark.parametrize("text", ["not toml [", "", "project = 3", "[project]\ndependencies = 'x'"])
    def test_nothing_to_install(self, text):
        assert self.of(pyproject_toml=text) is None

    def test_no_python_project(self):
        assert self.of(package_json="{}") is None
