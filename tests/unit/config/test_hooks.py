"""The hooks of environments and stacks: what may stand there, what it becomes, what differs from trunk."""

from __future__ import annotations

import pytest

from orchestrator.config import load_text
from orchestrator.config.hooks import Hook, HookOwner, Hooks, changed_hooks
from orchestrator.errors import ConfigError


def hooks_of(text: str) -> Hooks:
    return load_text(f"environments: {{dev: {{hooks: {{{text}}}}}}}").environment("dev").hooks


@pytest.mark.parametrize(
    ("text", "hooks"),
    [
        ("before_plan: [{command: [bin/a, -x]}]", Hooks(before_plan=(Hook("bin/a -x", ("bin/a", "-x")),))),
        (
            "after_apply: [{name: chat, command: [b], env: [CHAT_TOKEN], timeout: 1m}]",
            Hooks(after_apply=(Hook("chat", ("b",), ("CHAT_TOKEN",), 60.0),)),
        ),
        ("report: [{command: [c]}]", Hooks(report=(Hook("c", ("c",)),))),
        ("report: [{command: [c], code: head}]", Hooks(report=(Hook("c", ("c",), code="head"),))),
    ],
)
def test_a_hook_has_its_defaults(text: str, hooks: Hooks) -> None:
    assert hooks_of(text) == hooks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("before_plan: [{name: x}]", "is missing"),
        ("before_plan: [{command: []}]", ""),
        ("before_plan: [{command: bin/a}]", "must be a list"),
        ("before_plan: [{command: [a], code: head}]", "unknown key `code`"),
        ("after_apply: [{command: [a], code: head}]", "unknown key `code`"),
        ("report: [{command: [a], env: [CHAT_TOKEN]}]", "unknown key `env`"),
        ("report: [{command: [a], code: mine}]", "must be base or head"),
        ("before_plan: [{command: [a], timeout: 0}]", "must be longer than zero"),
        ("before_plan: [{command: [a], env: [A=b]}]", "must be the name of an environment variable"),
        ("before_plan: [{command: [a], env: [ACTIONS_ID_TOKEN_REQUEST_URL]}]", "cannot be passed"),
        ("before_plan: [{command: [a]}, {command: [a]}]", "has two hooks called 'a'"),
        ("reports: []", "unknown key `reports`; did you mean `report`?"),
    ],
)
def test_a_mistake_is_reported_with_its_key(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        hooks_of(text)
    assert words in caught.value.message
    assert str(caught.value.key).startswith("environments.dev.hooks")


def test_a_secret_instead_of_a_name_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        hooks_of('before_plan: [{command: [a], env: ["hunter2 hunter2"]}]')
    assert "hunter2" not in caught.value.message


def test_a_stack_has_its_own_hooks_and_a_shared_root_has_them_everywhere() -> None:
    config = load_text(
        """
        stacks:
          dev/app: {hooks: {before_plan: [{command: [a]}]}}
          service: {path: roots/service, environments: {dev: {}, prod: {}}, hooks: {report: [{command: [b]}]}}
        """
    )
    assert config.stack_hooks("dev", "dev/app").hooks.before_plan == (Hook("a", ("a",)),)
    assert config.stack_hooks("prod", "prod/service").hooks.report == (Hook("b", ("b",)),)
    for environment, stack in (("test", "test/service"), ("dev", "dev/other")):
        assert config.stack_hooks(environment, stack) == HookOwner(environment, stack)
        assert config.stack_hooks(environment, stack).hooks == Hooks()


def test_a_pattern_has_no_hooks() -> None:
    with pytest.raises(ConfigError) as caught:
        load_text("stacks: {'{x}/envs/{environment}': {hooks: {report: [{command: [b]}]}}}")
    assert "`hooks` of" in caught.value.message


def test_what_differs_from_trunk_is_named_by_its_key() -> None:
    base = load_text("environments: {dev: {hooks: {before_plan: [{command: [a]}]}}, prod: {}}")
    head = load_text(
        """
        environments:
          dev: {hooks: {before_plan: [{command: [b]}], report: [{command: [c]}]}}
          prod: {}
        stacks: {dev/app: {hooks: {after_apply: [{command: [d]}]}}}
        """
    )
    assert changed_hooks(head, base) == (
        "environments.dev.hooks.before_plan",
        "environments.dev.hooks.report",
        "stacks.dev/app.hooks.after_apply",
    )
    assert changed_hooks(base, base) == ()
    # One that a branch removes still runs, so it is named too.
    assert changed_hooks(load_text(""), base) == ("environments.dev.hooks.before_plan",)


def test_jobs_get_the_variables_of_terraform_and_of_hooks() -> None:
    """Names of `env`, tokens of hosts, and what hooks name, each once."""
    config = load_text(
        "terraform: {credentials: [registry.acme-corp.example]}\n"
        "environments:\n  dev:\n    env: [TF_VAR_size]\n"
        "    hooks: {after_apply: [{command: [tools/say], env: [CHAT_TOKEN, TF_VAR_size]}]}\n  prod: {}\n"
    )
    token = "TF_TOKEN_registry_acme__corp_example"
    assert config.job_variables("dev") == ("TF_VAR_size", token, "CHAT_TOKEN")
    assert config.job_variables("prod") == (token,)
