import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standins.stores import Store, git

from vdo.errors import UsageError
from vdo.store import trailers
from vdo.texts import clean_description, clean_title

CUT = "------------------------ >8 ------------------------"
LINES = [
    "Vdo-Job: 7",
    "Vdo-Id: 00000000000000000000000000000000",
    "Signed-off-by: A <a@example.com>",
    "---",
    "--- ",
    "-- ",
    "",
    " ",
    "\t",
    "\u00a0",
    "# a comment",
    "; another",
    "Conflicts:",
    "\tapp.py",
    "    Vdo-Job: 8",
    "🚀 start",
    "line\u2028Vdo-Job: 9\u2029",
    "next\x85Vdo-Job: 9",
    "\x0bVdo-Job: 10\x0c",
    "(cherry picked from commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904)",
    f"# {CUT}",
    f"{CUT}",
    f"V {CUT}",
    f"🚀 {CUT}",
    f"## {CUT} and more",
    "diff --git a/x b/x",
    "Vdo-Job: 11\r",
    "\r",
]
text = st.lists(st.sampled_from(LINES) | st.text(max_size=20), max_size=8).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\r", "\n\n"]).map(lambda end: end.join(lines))
)
title = st.sampled_from(LINES) | st.text(max_size=40)


def usable(clean, value):
    try:
        return clean(value)
    except UsageError:
        return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("log")
    git(made, "init", "-q")
    return made


@settings(max_examples=150)
@given(title, text, st.sampled_from("#;%!&*-"))
@example("Vdo-Job: 7", "Vdo-Job: 7", "#")
@example(f"# {CUT}", f"Vdo-Job: 7\n\n# {CUT}\nrest", "#")
@example("t", f"Vdo-Job: 7\n\n- {CUT}\n", "-")
def test_git_sees_our_trailers_and_no_others(folder, subject, body, comment):
    subject, body = usable(clean_title, subject), usable(clean_description, body)
    if subject is None or body is None:
        return
    pairs = (("Vdo-Job", "51"), ("Vdo-Error", trailers.encode(body)), ("Vdo-State", "completed"))

    message = trailers.message(subject, body, pairs)

    options = ("-c", f"core.commentChar={comment}", "interpret-trailers", "--parse", "--no-divider")
    seen = git(folder, *options, stdin=message.encode())
    # git leaves white space at the ends of a value out.
    ours = "\n".join(f"{key}: {value.strip(' ')}".rstrip(" ") for key, value in pairs)
    assert re.sub(" +$", "", seen, flags=re.MULTILINE) == ours
    assert trailers.parse(message) == pairs
    assert trailers.decode(dict(trailers.parse(message))["Vdo-Error"]) == body


@settings(max_examples=50)
@given(title, text)
@example("t", f"Vdo-Job: 7\n\n# {CUT}\n")
@example("---", "---\n\nVdo-Job: 7\n---")
def test_git_log_reads_our_job_number(folder, subject, body):
    subject, body = usable(clean_title, subject), usable(clean_description, body)
    if subject is None or body is None:
        return
    message = trailers.message(subject, body, (("Vdo-Job", "51"), ("Vdo-State", "completed")))
    tree = git(folder, "hash-object", "-wt", "tree", "--stdin")
    oid = git(folder, "commit-tree", tree, "-F", "-", stdin=message.encode())

    assert git(folder, "log", "--format=%(trailers:key=Vdo-Job,valueonly)", oid).strip() == "51"


def test_a_job_with_a_forging_description_gives_it_back_byte_for_byte(store: Store):
    description = f"Vdo-Job: 7\n\n# {CUT}\nline\u2028sep 🚀\n---\n\nVdo-Job: 8\n  \n"

    job = store.completed("Vdo-Job: 9", description=description)

    assert store.description(store.job(job.id)) == description
    command = ["git", "cat-file", "blob", f"refs/vdo/jobs/{job.id}:record/description"]
    assert subprocess.run(command, cwd=store.path, capture_output=True).stdout == description.encode()
    for revision in (f"job/{job.id}", f"refs/vdo/jobs/{job.id}"):
        assert git(store.path, "log", "-1", "--format=%(trailers:key=Vdo-Job,valueonly)", revision).strip() == "1"
    assert store.job(job.id).title == "Vdo-Job: 9"


def test_a_value_is_one_line_without_control_characters():
    value = "50%\nx\r\x1b[2J\x9b1m\x85\u2028\u2029é"

    encoded = trailers.encode(value)

    assert encoded == "50%25%0Ax%0D%1B[2J%C2%9B1m%C2%85%E2%80%A8%E2%80%A9é"
    assert trailers.decode(encoded) == value


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_word_comes_back(value):
    encoded = trailers.encode_word(value)

    assert not any(character.isspace() for character in encoded)
    assert trailers.decode(encoded) == value


def test_a_note_with_nul_and_bytes_that_are_no_text_keeps_its_trailers(store: Store):
    job = store.new()

    job = store.journals.append(job, "half\0way\n[CREATED] \udcff.txt\n\0")

    assert Store.at(store.path).job(job.id) == job
    assert store.journals.entry(job.journal)[0].note == "half\ufffdway\n\n[CREATED] ?.txt\n\ufffd"


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_cut_line_gets_a_space_wherever_it_stands(at):
    lines = ["one", "two", "three"]
    lines[at] = f"; {CUT}"

    defused = trailers.defuse("\n".join(lines)).split("\n")

    assert defused[at] == f" ; {CUT}"
    assert defused[:at] + defused[at + 1 :] == lines[:at] + lines[at + 1 :]
