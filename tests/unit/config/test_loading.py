"""infra.yaml: what is read, what is refused, and how mistakes are told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import pytest

from orchestrator.config import (
    Config,
    GcsBackend,
    LocalBackend,
    Order,
    SharedEnvironment,
    load,
    load_text,
)
from orchestrator.config.checks import HttpCheck
from orchestrator.errors import ConfigError, Exit

WHOLE = """
version: 1
trunk: trunk
roots: {modules: tf/modules, envs: tf/envs}
terraform: {binary: tofu, version: "~> 1.11"}
backend: {gcs: {bucket: "acme-{environment}", prefix: "state/{stack}"}}
lock_files: required
environments:
  staging: {var_files: [tf/common.tfvars], env: [TF_VAR_image], parallelism: 4}
  prod:
    protected: false
    apply: ci
    approval: strict
    approved_by: merge
    unapproved: refuse
    accounts: {plan: plan@acme.iam.gserviceaccount.com}
    timeouts: {plan: 90s, apply: 1h30m, unlock: 0.5m}
    checks: [{http: "https://example.com"}]
    soak: 2d
stacks:
  prod/network: {depends_on: [prod/base], reads: [files], moved: prod/net}
  service: {path: tf/roots/service, environments: {staging: {var_files: [a.tfvars]}, prod: }}
policy: {destroy: {prod: prevent}, labels: {required: [team]}}
guard: {buckets: ["acme-*"], prevent: [workflows]}
drift: {stale_after: 2d, labels: [drifted]}
masking: {names: [pin], attributes: ["*.bootstrap"], patterns: ["ACME-[0-9]+"]}
"""


def mistakes_of(text: str) -> list[ConfigError]:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return [caught.value, *caught.value.others]


def test_a_repository_without_the_file_has_the_defaults(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config == Config()
    assert config.roots.envs == PurePosixPath("infra/envs")
    assert config.environment("prod").timeouts.plan == 1200


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "---\n", "environments:\nstacks:\npolicy:\nroots:\n"])
def test_an_empty_file_has_them_too(text: str) -> None:
    config = load_text(text)
    assert (config.environments, config.stacks, config.roots) == ({}, {}, Config().roots)


def test_every_key_arrives() -> None:
    config = load_text(WHOLE)
    staging, prod = config.environments.values()
    assert list(config.environments) == ["staging", "prod"]
    assert config.trunk == "trunk"
    assert config.roots.modules == PurePosixPath("tf/modules")
    assert (config.terraform.binary, config.terraform.version) == ("tofu", "~> 1.11")
    assert config.lock_files == "required"
    assert config.backend == GcsBackend("acme-{environment}", "state/{stack}")
    assert staging.var_files == (PurePosixPath("tf/common.tfvars"),)
    assert (staging.env, staging.parallelism) == (("TF_VAR_image",), 4)
    assert (prod.apply, prod.approval, prod.approved_by) == ("ci", "strict", "merge")
    assert (prod.unapproved, prod.accounts.apply) == ("refuse", None)
    assert prod.accounts.plan == "plan@acme.iam.gserviceaccount.com"
    assert (prod.timeouts.plan, prod.timeouts.apply, prod.timeouts.unlock) == (90, 5400, 30)
    assert (prod.checks, prod.soak) == ((HttpCheck("https://example.com", "https://example.com"),), 172800)
    network, service = config.stacks["prod/network"], config.stacks["service"]
    assert (network.depends_on, network.moved) == (("prod/base",), "prod/net")
    assert network.reads == (PurePosixPath("files"),)
    assert not network.is_shared
    assert service.path == PurePosixPath("tf/roots/service")
    assert service.environments["staging"] == SharedEnvironment((PurePosixPath("a.tfvars"),))
    assert list(service.environments) == ["staging", "prod"]
    assert config.masking.names == ("pin",)
    assert config.policy.destroy_level("prod", protected=False) == "prevent"
    assert config.policy.labels.required == ("team",)
    assert (config.guard.buckets, config.guard.backends) == (("acme-*",), None)
    assert config.guard.prevent == ("workflows",)


MISTAKES = [
    # text, line, key, part of the message
    ("truk: main", 1, "truk", "unknown key `truk`; did you mean `trunk`?"),
    ("backend:\n  gcs: {bukket: x}", 2, "backend.gcs.bukket", "did you mean `bucket`?"),
    ("environments:\n  prod: {timeouts: {paln: 1m}}", 2, "environments.prod.timeouts.paln", "mean `plan`?"),
    ("stacks:\n  a/b:\n    read: [x]", 3, "stacks.a/b.read", "did you mean `reads`?"),
    ("zzz: 1", 1, "zzz", "unknown key `zzz`"),
    ("environments:\n  prod:\n    timeouts:\n      plan: 20", 4, "environments.prod.timeouts.plan",
     "must be a duration such as 20m, not 20"),
    ("environments: {a: {timeouts: {plan: 1:30}}}", 1, "environments.a.timeouts.plan", "as a number"),
    ("environments: {a: {timeouts: {plan: 0s}}}", 1, "environments.a.timeouts.plan", "longer than zero"),
    ("environments: {a: {soak: 9999d}}", 1, "environments.a.soak", "a year at most"),
    ("trunk: no", 1, "trunk", "must be text, not no (YAML reads it as true or false)"),
    ("terraform: {version: 1.11}", 1, "terraform.version", "must be text, not 1.11"),
    ("lock_files: always", 1, "lock_files", "must be optional or required"),
    ("environments:\n  no: {}", 2, "environments.no", 'as true or false; write "no"'),
    ("environments: {on: {}}", 1, "environments.on", 'write "on"'),
    ("environments: {1: {}}", 1, "environments.1", 'as a number; write "1"'),
    ("environments: {2026-01-01: {}}", 1, "environments.2026-01-01", "as a date"),
    ("environments: {null: {}}", 1, "environments.null", "as nothing"),
    ("environments: {'a b': {}}", 1, "environments.a b", "a name that can be a folder"),
    ("environments: {a: {protected: 'yes'}}", 1, "environments.a.protected", "must be true or false"),
    ("environments: {a: {env: [A=secret-value]}}", 1, "environments.a.env[0]", "without a value"),
    ("environments: {a: {parallelism: 0}}", 1, "environments.a.parallelism", "from 1 to 256"),
    ("environments: {a: {accounts: {plan: bob}}}", 1, "environments.a.accounts.plan", "e-mail address"),
    ("environments: {a: {var_files: x}}", 1, "environments.a.var_files", "must be a list"),
    ("environments: {a: {var_files: [../x]}}", 1, "environments.a.var_files[0]", "stay inside"),
    ("environments: [a]", 1, "environments", "must be a mapping of keys to values, not a list"),
    ("roots: {envs: /abs}", 1, "roots.envs", "from the repository's root"),
    ("roots: {envs: infra/modules/x}", 1, "roots", "and envs not inside modules"),
    ("backend: {}", 1, "backend", "one of gcs, local and config_file"),
    ("backend: {gcs: {prefix: x}}", 1, "backend.gcs.bucket", "is missing"),
    ("backend: {gcs: {bucket: b, prefix: '{env}/{stack}'}}", 1, "backend.gcs.prefix", "{stack} only"),
    ("stacks: {x: {path: a}}", 1, "stacks.x", "must name the `environments`"),
    ("stacks: {x: {environments: {dev: {}}}}", 1, "stacks.x", "needs `path`"),
    ("stacks: {/x: {}}", 1, "stacks./x", "a stack id such as prod/network"),
    ("stacks: {a/../b: {}}", 1, "stacks.a/../b", "a stack id such as prod/network"),
    ("masking: {patterns: ['(']}", 1, "masking.patterns[0]", "must be a regular expression"),
    ("masking: {patterns: ['A-[[0-9]+']}", 1, "masking.patterns[0]", "possible nested set at position 3"),
    ("masking: {patterns: ['x*']}", 1, "masking.patterns[0]", "does not match an empty text"),
    ("version: 2", 1, "version", "must be 1, not 2"),
    ("- a", 1, None, "must be a mapping of keys to values, not a list"),
    ("hello", 1, None, "must be a mapping of keys to values"),
    ("policy: {<<: {b: 1}}", 1, "policy", "merge keys"),
    ("trunk: !!python/object:os.system y", 1, "trunk", "is not supported"),
    ("trunk: !mine [1]", 1, "trunk", "the tag !mine is not supported"),
    ("policy: {? [1, 2] : 3}", 1, "policy", "a key must be text"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "words"), MISTAKES)
def test_a_mistake_names_line_key_and_what_would_be_right(
    text: str, line: int, key: str | None, words: str
) -> None:
    messages = {(mistake.line, mistake.key): mistake.message for mistake in mistakes_of(text)}
    assert words in messages[(line, key)]


def test_a_value_instead_of_a_variable_name_is_not_repeated() -> None:
    assert "secret-value" not in "".join(
        mistake.message for mistake in mistakes_of("environments: {a: {env: [A=secret-value]}}")
    )


def test_several_mistakes_are_reported_together_in_the_file_s_order() -> None:
    mistakes = mistakes_of("truk: 1\nlock_files: x\nenvironments:\n  dev: {}\n  dev: {}\nroots: 3\n")
    assert [(mistake.line, mistake.file) for mistake in mistakes] == [(n, "infra.yaml") for n in (1, 2, 5, 6)]
    assert "`dev` is given twice; the first is on line 4" in mistakes[2].message
    assert mistakes[0].exit_code == Exit.USAGE
    assert all(mistake.advice for mistake in mistakes)


MALFORMED = [
    ("a:\n\t- b\n", 2, "a tab is used for indentation"),
    ("a: [1,\nb: 2\n", 1, "not valid YAML"),
    ("a: 'x\n", None, "not valid YAML"),
    ("a: *missing\n", 1, "undefined alias"),
    ("a: b: c\n", 1, "not valid YAML"),
    ("a: 1\n---\nb: 2\n", None, "not valid YAML"),
    ("a: \x01\n", None, "not valid YAML"),
    ("policy: " + "[" * 100_000, 1, "far larger than any configuration"),
    ("policy: &a [*a]\n", 1, "far larger than any configuration"),
]


@pytest.mark.parametrize(("text", "line", "words"), MALFORMED)
def test_text_that_is_no_yaml_is_one_clear_error(text: str, line: int | None, words: str) -> None:
    (error,) = mistakes_of(text)
    assert words in error.message
    assert line is None or error.line == line


def test_an_alias_bomb_is_refused_quickly() -> None:
    levels = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"b{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9)]
    begun = time.process_time()
    (error,) = mistakes_of("policy:\n" + "".join(f"  {line}\n" for line in levels))
    assert "aliases" in error.message
    assert time.process_time() - begun < 5


def test_a_plain_alias_is_fine() -> None:
    config = load_text("environments:\n  dev: &x {parallelism: 3}\n  prod: *x\n")
    assert config.environment("prod").parallelism == 3


@pytest.mark.parametrize("target", ["/dev/zero", "other.yaml", "nowhere"])
def test_a_link_is_no_configuration(tmp_path: Path, target: str) -> None:
    (tmp_path / "other.yaml").write_text("secret: x\n")
    (tmp_path / "infra.yaml").symlink_to(target)
    with pytest.raises(ConfigError, match="is a link") as caught:
        load(tmp_path)
    assert caught.value.file == "infra.yaml"
    assert caught.value.advice


def test_files_that_cannot_be_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "infra.yaml"
    file.write_bytes(b"trunk: main\nx: \xff\xfe\n")
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        load(tmp_path)
    assert (caught.value.file, caught.value.line) == ("infra.yaml", 2)
    file.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        load(tmp_path)
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    file.rmdir()
    (tmp_path / "infra.yml").write_text("trunk: main")
    with pytest.raises(ConfigError, match="must be named"):
        load(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "infra.yaml")
    with pytest.raises(ConfigError, match="it is not a file"):
        load(tmp_path)


def test_a_byte_order_mark_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "infra.yaml").write_bytes(b"\xef\xbb\xbftrunk: main\r\nlock_files: required\r\n")
    assert load(tmp_path).trunk == "main"


ORDERS = [
    ("", {"prod", "dev", "staging"}, Order(("dev", "staging", "prod"))),
    ("", {"production", "qa", "blue"}, Order(("qa", "production"), ("blue",))),
    ("environments: {prod: , dev: }", {"dev", "prod"}, Order(("prod", "dev"))),
    ("environments: {eu: , us: }", {"us", "dev", "asia"}, Order(("us",), ("asia", "dev"))),
    ("", set(), Order(())),
]


@pytest.mark.parametrize(("text", "environments", "order"), ORDERS)
def test_promotion_order(text: str, environments: set[str], order: Order) -> None:
    assert load_text(text).promotion_order(environments) == order


def test_the_last_environment_is_protected_unless_it_states_otherwise() -> None:
    config = load_text("environments: {dev: {protected: true}, qa: , prod: {protected: false}}")
    order = config.promotion_order(["dev", "qa", "prod"])
    assert [config.is_protected(name, order) for name in order.names] == [True, False, False]
    plain = Config()
    order = plain.promotion_order(["dev", "staging", "sandbox"])
    assert [plain.is_protected(name, order) for name in order.all] == [False, True, True]
    assert not plain.is_protected("dev", ("dev", "prod"))


def test_backend_settings_of_a_stack() -> None:
    gcs = load_text("backend: {gcs: {bucket: b}}").backend
    assert isinstance(gcs, GcsBackend)
    assert gcs.settings("prod", "net/eu") == {"bucket": "b", "prefix": "prod/state/net/eu"}
    assert gcs.settings("prod", "") == {"bucket": "b", "prefix": "prod/state"}
    local = load_text("backend: {local: {path: 'st/{environment}/{stack}/x.tfstate'}}").backend
    assert isinstance(local, LocalBackend)
    assert local.settings("dev", "a") == {"path": "st/dev/a/x.tfstate"}
    assert local.settings("dev", "") == {"path": "st/dev/x.tfstate"}


def test_a_repository_without_the_file_loads_neither_pydantic_nor_yaml(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from orchestrator.config import load; load(pathlib.Path(sys.argv[1]));"
        "print(sorted({'pydantic', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("written", "expected"),
    [("off", ("off", 0.0)), ('"off"', ("off", 0.0)), ("run", ("run", 0.0)), ("10m", (600.0, 600.0))],
)
def test_providers_stay_for_a_run_or_for_a_duration(
    written: str, expected: tuple[str | float, float]
) -> None:
    settings = load_text(f"terraform: {{warm: {written}}}\n").terraform
    assert (settings.warm, settings.warm_idle) == expected


@pytest.mark.parametrize("written", ["on", "0", "0s", "-1m", "10", "soon", "[1]"])
def test_anything_else_is_no_such_duration(written: str) -> None:
    (error,) = mistakes_of(f"terraform: {{warm: {written}}}\n")
    assert "off, run, or a duration" in error.message
