from pathlib import Path

import pytest

from vdo.agents.named import Named


@pytest.fixture
def place(tmp_path):
    """A home, and programs outside of it."""
    for folder in ("home/bin", "home/versions/1", "tools/bin", "lib/agent"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def program(file: Path) -> Path:
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def named(place, command, *folders):
    path = ":".join(str(place / folder) for folder in folders)
    return Named.of(command, {"PATH": f"{path}:/usr/bin:/bin", "HOME": str(place / "home")})


def test_the_system_is_there_anyway(place):
    assert named(place, "cat /usr/bin/env | sh -c 'true'") == Named((), ())


def test_a_program_comes_with_its_folder_and_what_it_points_to(place):
    real = program(place / "lib/agent/cli.js")
    (place / "tools/bin/agent").symlink_to(real)

    found = named(place, "agent exec -", "tools/bin")

    assert found == Named((place / "lib/agent", place / "tools/bin"), (place / "tools/bin",))


def test_programs_of_the_home_open_their_own_folders_only(place):
    real = program(place / "home/versions/1/agent")
    (place / "home/bin/agent").symlink_to(real)

    assert named(place, "agent", "home/bin").readable == (place / "home/bin", place / "home/versions/1")


def test_a_program_beside_the_home_comes_alone(place):
    for file in (place / "home/agent", place / "other"):
        program(file)

    assert named(place, "agent | other", "home", "") == Named(
        (place / "home/agent", place / "other"), (place / "home", place)
    )


def test_files_that_are_named_in_full(place):
    script = place / "home/agent.sh"
    script.write_text("")

    assert named(place, f"sh {script} {place}/home {place}/gone ./x") == Named((script,), ())
    assert named(place, f"sh {script} 'open").readable == (script,)
