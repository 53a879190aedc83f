from vdo import secrets


def test_names_and_lengths_decide_what_is_secret():
    found = secrets.known(
        {
            "ANTHROPIC_API_KEY": "sk-ant-0123456789",
            "GITHUB_TOKEN": "ghp_abcdefgh",
            "CLIENT_SECRET_FILE": "x9x9x9x9x9",
            "DB_PASSWORD_1": "correct horse",
            "SHORT_KEY": "1234567",
            "KEYBOARD": "dvorak-international",
            "DB_PASSWORD": "postgres",
            "HOME": "/home/somebody",
        }
    )

    assert set(found.values) == {"ANTHROPIC_API_KEY", "GITHUB_TOKEN", "CLIENT_SECRET_FILE", "DB_PASSWORD_1"}


def test_the_line_end_of_a_value_is_none_of_it():
    found = secrets.known({"A_TOKEN": "abcdefgh\r\n", "B_TOKEN": "  1234567 "})

    assert found.redact("x abcdefgh y") == "x [value of A_TOKEN removed by vdo] y"
    assert set(found.values) == {"A_TOKEN"}


def test_a_secret_inside_another_leaves_no_rest():
    found = secrets.known({"A_TOKEN": "abcdefgh", "B_TOKEN": "abcdefgh-ijklmnop"})

    text = found.redact("one abcdefgh-ijklmnop two abcdefgh")

    assert text == "one [value of B_TOKEN removed by vdo] two [value of A_TOKEN removed by vdo]"
    assert secrets.is_marked(text)
    assert not secrets.is_marked("removed by vdo")


def test_bytes_without_a_secret_come_back_unchanged():
    found = secrets.known({"A_TOKEN": "abcdefgh"})

    assert found.redact_bytes(b"\xff\x00abcdefgh\xfe") == b"\xff\x00[value of A_TOKEN removed by vdo]\xfe"
    assert found.redact_bytes(bytes(range(255, -1, -1))) == bytes(range(255, -1, -1))


def test_it_is_found_anywhere_in_a_json_value():
    found = secrets.known({"A_TOKEN": 'quo"te\nline'})

    assert found.find_in([{"type": "tool_use", "input": {"content": ['x quo"te\nline y']}}]) == "A_TOKEN"
    assert found.find_in({'quo"te\nline': 1}) == "A_TOKEN"
    assert found.find_in({"a": [1, None, True, "quote"]}) is None


def test_values_do_not_show_in_a_repr():
    assert "abcdefgh" not in repr(secrets.known({"A_TOKEN": "abcdefgh"}))
