"""The checks of an environment: what may stand there, and what it becomes."""

from __future__ import annotations

import pytest

from orchestrator.config import load_text
from orchestrator.config.checks import Check, CommandCheck, HttpCheck, TerraformCheck
from orchestrator.errors import ConfigError

URL = "https://shop.example.com/health"


def checks_of(text: str) -> tuple[Check, ...]:
    return load_text(f"environments: {{dev: {{checks: [{text}]}}}}").environment("dev").checks


@pytest.mark.parametrize(
    ("text", "check"),
    [
        (f'{{http: "{URL}"}}', HttpCheck(URL, URL)),
        (
            f'{{name: shop, http: "{URL}", status: 204, contains: ok, timeout: 3s, retries: 0, every: 1m}}',
            HttpCheck("shop", URL, 204, "ok", 3.0, 0, 60.0),
        ),
        ("{command: [bin/smoke, --fast]}", CommandCheck("bin/smoke --fast", ("bin/smoke", "--fast"))),
        ("{name: smoke, command: [x], timeout: 1m}", CommandCheck("smoke", ("x",), 60.0)),
        ("{terraform: true}", TerraformCheck()),
    ],
)
def test_a_check_has_its_defaults(text: str, check: Check) -> None:
    assert checks_of(text) == (check,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{name: x}", "must hold one of http, command and terraform"),
        (f'{{http: "{URL}", terraform: true}}', "must hold one of http, command and terraform"),
        ("{command: [x], status: 200}", "`status` does not belong to a check with `command`"),
        ("{terraform: true, timeout: 1s}", "`timeout` does not belong to a check with `terraform`"),
        ("{terraform: false}", "must be True"),
        ("{command: []}", ""),
        ("{command: x}", "must be a list"),
        ('{http: "file:///etc/passwd"}', "must be an http or https address without a user"),
        ('{http: "https://me:secret@example.com"}', "must be an http or https address without a user"),
        (f'{{http: "{URL}", status: 99}}', "must be a number from 100 to 599"),
        (f'{{http: "{URL}", retries: -1}}', "must be a number from 0 to 1000"),
        (f'{{htp: "{URL}"}}', "unknown key `htp`; did you mean `http`?"),
    ],
)
def test_a_mistake_is_reported(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checks_of(text)
    assert words in caught.value.message
    assert str(caught.value.key).startswith("environments.dev.checks")


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("{dev: {}, prod: {}}", (False, True)),
        ("{dev: {approved_by: merge}, prod: {protected: false}}", (True, False)),
        ("{dev: {unapproved: apply}, prod: {}}", (True, True)),
        ("{dev: {approval: strict}, prod: {}}", (False, True)),
    ],
)
def test_who_needs_an_approval(text: str, needs: tuple[bool, bool]) -> None:
    config = load_text(f"environments: {text}")
    order = config.promotion_order(["dev", "prod"])
    assert tuple(config.needs_approval(name, order) for name in ("dev", "prod")) == needs
