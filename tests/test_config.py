"""The configuration: who wins, what the untrusted tree may set, and what each mistake is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdo.config import Config, ModelPrice, Prices, ProjectSetup, SetupPolicy, Step, load, project
from vdo.errors import ConfigError, UsageError
from vdo.job import Usage
from vdo.spec import Budget

Load = Callable[..., Config]


@pytest.fixture
def configure(tmp_path: Path) -> Load:
    """Loads a configuration from the user's file, variables, flags and the tree's file."""

    def run(user: str = "", tree: str = "", env: Mapping[str, str] | None = None, **flags: Any) -> Config:
        folder = tmp_path / "xdg" / "vdo"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(user)
        environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg"), **(env or {})}
        return load(environ, {name.replace("__", "."): value for name, value in flags.items()}, tree.encode())

    return run


def test_without_any_file_the_defaults_hold(tmp_path: Path) -> None:
    config = load({"HOME": str(tmp_path)})

    assert config.budget == Budget(usd=Decimal(5), tokens=None, seconds=3600.0)
    assert (config.rounds, config.setup, config.sandbox, config.agent) == (3, SetupPolicy.ASK, "auto", None)
    assert config.prompts == tmp_path / ".config" / "vdo" / "prompts"
    assert set(config.origins.values()) == {"default"}


def test_the_stronger_source_wins_and_is_remembered(configure: Load) -> None:
    user = "rounds: 2\nremote: mine\nagent: one\n"
    config = configure(user, "rounds: 1\n", {"VDO_REMOTE": "theirs", "VDO_AGENT": "two"}, agent="three")

    assert (config.agent, config.remote, config.rounds) == ("three", "theirs", 1)
    assert config.origins["agent"] == "the command line"
    assert config.origins["remote"] == "VDO_REMOTE"
    assert config.origins["rounds"] == ".vdo.yaml:1:1"
    assert configure(user).origins["rounds"].endswith("vdo/config.yaml:1:1")


def test_every_setting_can_be_shown_with_its_origin(configure: Load) -> None:
    rows = {key: (value, origin) for key, value, origin in configure(tree="context: {exclude: [a]}", rounds="4").rows()}

    assert rows["rounds"] == (4, "the command line")
    assert rows["budget.usd"] == (Decimal(5), "default")
    assert rows["context.exclude"] == (("a",), ".vdo.yaml")
    assert {"agents", "prices", "prompts", "limits.disk", "github_url", "sandbox"} <= set(rows)


def test_a_tree_lowers_limits_but_never_lifts_them(configure: Load) -> None:
    tree = "budget: {usd: 1, tokens: 1000, seconds: 2h}\nlimits: {memory: 64GB, processes: 8}\ncontext: {tokens: 99}\n"
    config = configure("budget: {usd: 2}\n", tree)

    assert config.budget == Budget(usd=Decimal(1), tokens=1000, seconds=3600.0)
    assert (config.limits.memory, config.limits.processes, config.context.tokens) == (4 << 30, 8, 99)
    assert config.origins["limits.memory"] == "default"
    assert config.origins["budget.usd"] == ".vdo.yaml:1:10"


def test_what_a_flag_or_a_variable_says_the_tree_does_not_lower(configure: Load) -> None:
    config = configure("", "budget: {usd: 1, tokens: 5}\n", {"VDO_BUDGET_TOKENS": "none"}, budget__usd="7.50")

    assert config.budget.usd == Decimal("7.50")
    assert config.budget.tokens is None


def test_context_excludes_of_both_are_joined(configure: Load) -> None:
    config = configure("context: {exclude: [a/**, b]}\n", "context: {exclude: [b, c]}\n")
    assert config.context.exclude == ("a/**", "b", "c")


@pytest.mark.parametrize("source", ["", "\n# nothing yet\n", "---\n", "null\n"])
def test_an_empty_file_sets_nothing(configure: Load, source: str) -> None:
    assert configure(source, source).rounds == 3
    assert project(source.encode()).checks == ()


def test_agents_know_their_kind_from_what_they_name(configure: Load, tmp_path: Path) -> None:
    agents = configure(
        """
        agents:
          claude: {model: claude-opus-5-5, effort: high, max_tokens: 32_000, base_url: "http://localhost:1/"}
          codex: {command: codex exec -, env: [OPENAI_API_KEY], timeout: 30m, include_ignored: true, sandbox: yes}
          demo: {file: answers.json}
        """
    ).agents

    assert [agent.kind for agent in agents.values()] == ["claude", "command", "replay"]
    assert (agents["claude"].effort, agents["claude"].max_tokens) == ("high", 32000)
    assert agents["claude"].base_url == "http://localhost:1"
    assert (agents["codex"].env, agents["codex"].timeout) == (("OPENAI_API_KEY",), 1800.0)
    assert agents["codex"].include_ignored and agents["codex"].sandbox
    assert agents["demo"].file == tmp_path / "xdg" / "vdo" / "answers.json"
    assert agents["demo"].place.endswith("config.yaml:5:11")


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("agnet: x", ":1:1: unknown key 'agnet'", "did you mean 'agent'?"),
        ("budget: {eur: 1}", ":1:10: unknown key 'budget.eur'", "did you mean 'budget.usd'?"),
        ("rounds: 1\nrounds: 2", ":2:1: the key 'rounds' is there twice", ""),
        ("rounds: many", ":1:9: expected a whole number, found text", ""),
        ("rounds: 1.5", ":1:9: expected a whole number, found '1.5'", ""),
        ("rounds: 010", ":1:9: expected a whole number, found '010'", ""),
        ("rounds: -1", ":1:9: expected a number at least 0", ""),
        ("budget: {usd: .inf}", ":1:15: expected a number, found '.inf'", ""),
        ("budget: {seconds: 0}", ":1:19: expected a time", ""),
        ("limits: {memory: 1TB}", ":1:18: expected a size", ""),
        ("rounds: 1\n? [a]\n: b", ":2:3: a key must be text", ""),
        ("limits: {processes: [1]}", ":1:21: expected a whole number, found a list", ""),
        ("limits: {memory: [1]}", ":1:18: expected a size such as 512MB or 2GB, found a list", ""),
        ('agent: "a\\0b"', ":1:8: the text contains a NUL character", ""),
        ("setup: maybe", ":1:8: expected ask or always or never, found 'maybe'", "known are"),
        ("sandbox: bubblewarp", ":1:10: expected auto", "did you mean 'bubblewrap'?"),
        ("agent: 5", ":1:8: expected text, found a number", "put it in quotes"),
        ("agent: ''", ":1:8: expected text, found nothing", ""),
        ("deploy_roots: [apps]", ":1:16: expected an absolute path", "begin it with"),
        ("setup_env: ['A=b']", "1:13: 'A=b' is no name of a variable", "without its value"),
        ("github_url: github.com", ":1:13: expected an address", ""),
        ("agents: {a: {comand: x}}", ":1:14: unknown key 'comand' in the agent 'a'", "did you mean 'command'?"),
        ("agents: {a b: {}}", ":1:10: 'a b' cannot name an agent", ""),
        ("agents: {a: {kind: command}}", ":1:13: the agent 'a' is of the kind command, which needs `command`", ""),
        ("agents: {a: {kind: claude, file: x}}", ":1:28: `file` is for agents of the kind replay", ""),
        ("agents: {a: {sandbox: maybe}}", ":1:23: expected true or false, found text", ""),
        ("prices: {models: {}}", ":1:9: prices need a `date`", "2026"),
        ("prices: {date: today, models: {}}", ":1:16: expected a day", ""),
        ("prices: {date: 2026-11-01, models: {m: {input: 1}}}", ":1:40: a price needs `input` and `output`", ""),
        ("- a", ":1:1: expected a mapping, found a list", ""),
        ("a: [1", "expected ',' or ']'", ""),
        ("{}: 1", ":1:1: a key must be text", ""),
        ("agent: !!python/name:os.system x", "has no meaning here", ""),
        ("agents: !!map x", "has no meaning here", ""),
        ("agents: &a {b: *a}", "contains itself", ""),
        ("rounds: 1\n---\nrounds: 2", ":2:1: expected a single document", ""),
        ("agent: \x01", ":1:8: special characters are not allowed", ""),
        ("x: " + "[" * 5000, "nested too deeply", ""),
    ],
)
def test_a_mistake_is_reported_where_it_stands(configure: Load, source: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configure(source)
    assert message in str(caught.value)
    assert "config.yaml" in str(caught.value)
    assert hint in caught.value.hint


def test_a_wrong_variable_is_named(configure: Load) -> None:
    with pytest.raises(ConfigError, match=r"^VDO_ROUNDS: expected a whole number, found 'x'"):
        configure(env={"VDO_ROUNDS": "x"})


def test_a_wrong_flag_is_wrong_usage(configure: Load) -> None:
    with pytest.raises(UsageError, match=r"^budget\.usd: expected a number, found 'much'"):
        configure(budget__usd="much")


def test_lists_come_from_variables_and_flags_too(configure: Load) -> None:
    config = configure(env={"VDO_SETUP_ENV": "HTTP_PROXY, PIP_INDEX_URL"}, deploy_roots=("/a,b", "/c"))
    assert config.setup_env == ("HTTP_PROXY", "PIP_INDEX_URL")
    assert config.deploy_roots == (Path("/a,b"), Path("/c"))


def test_an_unreadable_file_is_an_error_not_a_default(tmp_path: Path) -> None:
    (tmp_path / ".config" / "vdo" / "config.yaml").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"config\.yaml cannot be read: Is a directory"):
        load({"HOME": str(tmp_path)})


def test_a_relative_xdg_folder_is_ignored(tmp_path: Path) -> None:
    config = load({"HOME": str(tmp_path), "XDG_CONFIG_HOME": "elsewhere"})
    assert config.user_file == tmp_path / ".config" / "vdo" / "config.yaml"


def test_a_project_sets_checks_setup_and_protection() -> None:
    config = project(
        b"checks: [pytest -q, 'ruff check']\n"
        b"setup: {run: pip install -r requirements.txt, when: [requirements.txt, 'requirements/*.txt']}\n"
        b"protect: tests/**\n"
    )
    assert config.checks == ("pytest -q", "ruff check")
    assert config.setup == ProjectSetup("pip install -r requirements.txt", ("requirements.txt", "requirements/*.txt"))
    assert config.protect == ("tests/**",)


@pytest.mark.parametrize(
    "key",
    ["agent", "model", "agents", "prices", "prompts", "setup_env", "sandbox", "deploy_roots", "remote", "github_url"],
)
def test_a_tree_may_not_set_what_is_the_users(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^\.vdo\.yaml:2:1: a project's tree may not set `{key}`"):
        project(f"checks: [x]\n{key}: x\n".encode())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("chekcs: [x]", ":1:1: unknown key 'chekcs'"),
        ("budget: {eur: 1}", ":1:10: unknown key 'budget.eur'"),
        ("budget: {usd: none}", ":1:15: a project's tree can only lower `budget.usd`"),
        ("rounds: ~", ":1:9: a project's tree can only lower `rounds`"),
        ("limits: {memory: much}", ":1:18: expected a size"),
        ("checks: [[a]]", ":1:10: expected text, found a list"),
        ("checks: [1]", ":1:10: expected text, found a number"),
        ("setup: {when: [a]}", ":1:8: setup needs `run`"),
        ("setup: {run: x, when: [../secrets]}", ":1:24: '../secrets' leads out of the project"),
        ("protect: [/etc/passwd]", ":1:11: '/etc/passwd' leads out of the project"),
        ("protect: ['C:\\\\x']", "leads out of the project"),
        ("# \N{SNOWMAN}\n\ufeff\u0000", "special characters"),
    ],
)
def test_a_wrong_project_file_is_reported_where_it_stands(source: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        project(source.encode())
    assert message in str(caught.value)


def test_text_that_is_not_utf8_is_reported_where_it_stands() -> None:
    with pytest.raises(ConfigError, match=r"^\.vdo\.yaml:2:4: the text is not UTF-8"):
        project(b"a: 1\nb: \xff\n")


def test_a_huge_file_is_refused_unread() -> None:
    with pytest.raises(ConfigError, match="too many"):
        project(b"#" * (1 << 20) + b"\n")


def test_a_small_document_cannot_become_a_large_one() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    with pytest.raises(ConfigError, match="unknown key 'a0'"):
        project("\n".join(lines).encode())


@given(st.binary(max_size=200) | st.text(alphabet="abc:[]{}-&*!#'\"\n ,?|>%@\t", max_size=60).map(str.encode))
def test_whatever_a_tree_holds_the_answer_is_a_value_or_a_config_error(data: bytes) -> None:
    try:
        config = project(data)
    except ConfigError as error:
        assert str(error).startswith(".vdo.yaml")
    else:
        assert all(isinstance(check, str) and check.strip() for check in config.checks)


def test_a_call_costs_what_the_list_says(configure: Load) -> None:
    prices = configure().prices
    usage = Usage(input=1_000_000, output=100_000, cache_read=10_000_000, cache_write=200_000)

    assert prices.cost("claude-opus-5-5", usage) == Decimal("4") + Decimal("2") + Decimal("2") + Decimal("1")
    assert prices.cost("claude-sonnet-5-5-20261007", Usage(output=1)) == Decimal("0.00001")
    assert prices.date == "2026-10-07"


def test_haikus_price_depends_on_the_size_of_the_prompt(configure: Load) -> None:
    prices = configure().prices
    assert prices.cost("claude-haiku-5-5", Usage(input=100_000)) == Decimal("0.01")
    assert prices.cost("claude-haiku-5-5", Usage(input=100_001, output=1000)) == Decimal("0.0525005") + Decimal(0)


def test_what_has_no_price_is_never_guessed(configure: Load) -> None:
    prices = configure().prices
    assert prices.cost("some-model", Usage(input=1)) is None
    assert prices.cost("claude-haiku-5-5", Usage(input=1, cache_read=1)) is None
    assert Prices({}).date == ""


def test_the_users_prices_are_laid_over_the_built_in_ones(configure: Load) -> None:
    prices = configure(
        """
        prices:
          date: 2026-11-01
          models:
            claude-opus-5-5: {input: 3, output: 15}
            mine:
              - {up_to: 1000, input: 1, output: 2}
              - {input: 10, output: 20, cache_read: 0.5}
        """
    ).prices

    assert prices.cost("claude-opus-5-5", Usage(input=1_000_000)) == 3
    assert prices.cost("mine", Usage(input=1000)) == Decimal("0.001")
    assert prices.cost("mine", Usage(input=1, cache_read=1000)) == Decimal("0.00051")
    assert prices.cost("claude-sonnet-5-5", Usage(output=1_000_000)) == 10


def test_a_prompt_beyond_the_last_step_has_no_price() -> None:
    price = ModelPrice((Step(Decimal(1), Decimal(1), up_to=5),), "2026-11-01")
    assert price.cost(Usage(input=6)) is None


@pytest.mark.parametrize(
    "steps",
    [
        "[{input: 1, output: 1}, {input: 1, output: 1}]",
        "[{up_to: 5, input: 1, output: 1}]",
        "[{up_to: 9, input: 1, output: 1}, {up_to: 5, input: 1, output: 1}, {input: 1, output: 1}]",
    ],
)
def test_price_steps_without_order_are_refused(configure: Load, steps: str) -> None:
    with pytest.raises(ConfigError, match="step"):
        configure(f"prices: {{date: 2026-11-01, models: {{m: {steps}}}}}")


def test_yaml_is_loaded_only_when_there_is_a_file_to_read(tmp_path: Path) -> None:
    import subprocess

    code = "import sys, os, vdo.config; vdo.config.load(os.environ); print('yaml' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
