import threading

import pytest

from vdo.sandbox.leaks import ALLOW, Finding, secrets_in
from vdo.secrets import Secrets
from vdo.tree import Content, MemoryBase, Mode, Tree

# Put together here, so that nobody's scanner takes this file for a leak.
GITHUB = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"
AWS = "AK" + "IAQWERTYUIOPASDFGH"
STRIPE = "sk_" + "live_" + "aB3dE5gH7jK9mN1pQ3sT5vW7"
SLACK = "xox" + "b-123456789012-123456789012-aB3dE5gH7jK9mN1pQ3sT5vW7"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----"


def written(path: str, text: str | bytes, before: Tree | None = None) -> tuple[Tree, Tree]:
    old = before or Tree()
    after = Tree(old.base)
    after.changes[path] = Content(Mode.FILE, text if isinstance(text, bytes) else text.encode())
    return old, after


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"token = '{GITHUB}'", "GitHub Token"),
        (f"aws = {AWS}", "AWS Access Key"),
        (f'"key": "{STRIPE}"', "Stripe Access Key"),
        (f"SLACK={SLACK}", "Slack Token"),
        (PEM, "Private Key"),
    ],
)
@pytest.mark.parametrize("path", ["app.py", "config.yaml", "deep/settings.ini", ".env", "notes"])
def test_keys_are_found_with_file_and_line(path, text, kind):
    (found,) = secrets_in(
        *written(path, f"first: 1\n\n{text}\nlast\n" if path.endswith("yaml") else f"\n\n{text}\nx\n")
    )

    assert found == Finding(path, 3, kind) and str(found) == f"{path}:3: {kind}"
    assert GITHUB not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        'password = "hunter2"\nSECRET_KEY = "dev"\napp.secret_key = "change me please"\n',
        "postgresql://app:app@localhost:5432/app\nhttp://192.168.0.1/\n",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg\n",
        "id = '5f0c9a52-7d0e-4d8c-b1a4-3f2f6c2e9a77'\ncommit 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n",
        "token = os.environ['GITHUB_TOKEN']\nkey: ${STRIPE_KEY}\n",
    ],
)
def test_what_ordinary_code_is_full_of_is_not_taken_for_one(text):
    assert secrets_in(*written("app.py", text)) == ()


@pytest.mark.parametrize("line", [f"token = '{GITHUB}'  # {ALLOW}", f"const t = '{GITHUB}' // {ALLOW}"])
def test_a_line_can_say_that_it_holds_none(line):
    assert secrets_in(*written("app.js", line + "\n")) == ()


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("a\nb\n", f"a\n{AWS}\nb\n", [2]),
        ("# pragma: allowlist nextline secret\nb\n", f"# pragma: allowlist nextline secret\n{AWS}\n", []),
        # Only the very next line: an inherited one between them is not left out.
        ("b\n", f"# pragma: allowlist nextline secret\nb\n{AWS}\n", [3]),
        (f"{AWS}\nb\n", f"{AWS}\nc\n", []),
    ],
)
def test_lines_that_are_new_are_told_by_their_place(before, after, lines):
    old = Tree(MemoryBase({"app.py": before.encode()}))

    assert [each.line for each in secrets_in(*written("app.py", after, old))] == lines


def test_what_was_there_before_is_inherited():
    before = Tree(MemoryBase({"old.py": f"k = '{AWS}'\n".encode(), "other.py": f"k = '{GITHUB}'\n".encode()}))

    found = secrets_in(*written("old.py", f"# moved down\nk = '{AWS}'\nnew = '{GITHUB}'\n", before))

    assert found == (Finding("old.py", 3, "GitHub Token"),)


def test_a_deleted_file_leaks_nothing():
    before = Tree(MemoryBase({"old.py": f"k = '{AWS}'\n".encode()}))
    after = Tree(before.base)
    after.delete("old.py")

    assert secrets_in(before, after) == ()


def test_a_known_secret_is_found_whatever_its_form():
    known = Secrets({"MY_TOKEN": "correct horse battery"})

    found = secrets_in(*written("app.py", "# correct\nx = 'correct horse battery'\n"), known)

    assert found == (Finding("app.py", 2, "the value of MY_TOKEN"),)
    assert "horse" not in repr(found)


@pytest.mark.parametrize(
    "before", [b"\0\1\xff\n", b"x\n" * (2 << 20), b"", b"one\ntwo: "], ids=["binary", "huge", "alone", "text"]
)
@pytest.mark.parametrize("secret", ["correct horse battery", "-----BEGIN-----\ncorrect horse\n-----END-----"])
def test_a_known_secret_is_found_in_any_file(before, secret):
    found = secrets_in(*written("data.bin", before + secret.encode() + b"\n"), Secrets({"MY_KEY": secret}))

    assert found == (Finding("data.bin", before.count(b"\n") + 1, "the value of MY_KEY"),)


def test_a_known_secret_is_found_in_the_target_of_a_link():
    old, after = written("link", "x")
    after.changes["link"] = Content(Mode.SYMLINK, b"correct horse battery")

    assert [each.path for each in secrets_in(old, after, Secrets({"MY_KEY": "correct horse battery"}))] == ["link"]


@pytest.mark.parametrize("data", [b"\0\1" + AWS.encode(), b"", b"\xff\xfe\xfa" * 100])
def test_binary_files_are_left_out(data):
    assert secrets_in(*written("image.bin", data)) == ()


@pytest.mark.parametrize(
    "text", [f"\xfc = '{AWS}'\n".encode("latin-1"), f"ü = '{AWS}'\r\n".encode(), f"x\r\r{AWS}".encode()]
)
def test_any_encoding_and_any_line_end(text):
    assert [each.kind for each in secrets_in(*written("app.py", text))] == ["AWS Access Key"]


def test_several_threads_at_once():
    found: list[tuple[Finding, ...]] = []
    threads = [
        threading.Thread(target=lambda: found.append(secrets_in(*written("app.py", f"{AWS}\n{STRIPE}\n"))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [len(each) for each in found] == [2, 2, 2, 2]
