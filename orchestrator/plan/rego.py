"""Rules in Rego on Terraform's plan JSON, in conftest's conventions: `deny`, `violation` and `warn`.

What goes wrong here is an error, never a pass. Rules are written in Rego v1 (`deny contains msg if {…}`).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from orchestrator.config.rules import Rego
from orchestrator.errors import PolicyError
from orchestrator.plan.policy import Violation
from orchestrator.process import Command, Supervisor

RULE = re.compile(r"(deny|violation|warn)(?:_\w+)?")
# Rules about rules: `opa test` runs them.
TESTS = "_test.rego"
# Each mention of the input, with the part that it names, if it does so plainly.
INPUT = re.compile(r"\binput\b(?:\.([A-Za-z_]\w*)\b)?")
# What JSON escapes in a text; most texts have none of it.
ESCAPED = re.compile(r'["\\\x00-\x1f]')
# The package, and its file, that makes conftest give the value of others.
PROBE = "infra_probe"
PROBE_FILE = "infra_probe.rego"
# Where the plan lies among the data of conftest.
PLAN = "infra_plan"
SECONDS = 120.0
LONGEST = 2000
V1 = "Write it in Rego v1: `deny contains msg if { … }`, where `msg` is text or an object with a `msg`."


@dataclass(frozen=True)
class RegoRules:
    """Rego by path, as trunk has it, and how it is evaluated.

    `supervisor` runs the program `opa` or `conftest`, with `env` as its whole environment, where infra.yaml
    asks for one; `folder` is a private one, in which the plan may lie while it runs.
    """

    texts: Mapping[str, str]
    settings: Rego
    supervisor: Supervisor
    env: Mapping[str, str] = field(repr=False)

    def __bool__(self) -> bool:
        return any(not path.endswith(TESTS) for path in self.texts)

    def evaluate(self, show_json: bytes, folder: Path) -> tuple[Violation, ...]:
        """What the rules say of a plan. Messages are as the rules made them: they may hold secrets.

        PolicyError when a rule cannot be evaluated, a namespace has none, or the engine is missing.
        """
        texts = {path: text for path, text in self.texts.items() if not path.endswith(TESTS)}
        if not texts:
            return ()
        if self.settings.engine == "regopy":
            return tuple(_violations(_by_regopy(texts, self.settings, show_json)))
        with TemporaryDirectory(prefix="rego-", dir=folder) as name:
            work = Path(name)
            rules = work / "rules"
            for number, (path, text) in enumerate(sorted(texts.items())):
                (rules / str(number)).mkdir(parents=True)
                (rules / str(number) / Path(path).name).write_text(text, encoding="utf-8")
            (work / "plan.json").touch(mode=0o600)
            (work / "plan.json").write_bytes(show_json)
            return tuple(_violations(self._by_program(work)))

    def _by_program(self, work: Path) -> dict[str, Any]:
        engine = self.settings.engine
        program = shutil.which(engine, path=self.env.get("PATH", ""))
        if program is None:
            raise PolicyError(
                f"`policy.rego.engine` is {engine}, and there is no such program on PATH.",
                advice=f"Install {engine}, or use `regopy`: `pip install 'infra-orchestrator[rego]'`.",
            )
        # Without a home conftest panics, and in one it looks for plugins.
        env = {**self.env, "HOME": str(work), "XDG_DATA_HOME": str(work)}

        def run(argv: tuple[str, ...], namespaces: str) -> Any:
            command = Command(argv, cwd=work, env=env, deadline=SECONDS, title=f"{engine} on a plan")
            done = self.supervisor.run(command)
            try:
                if not done.ok:
                    raise ValueError(f"exit code {done.returncode}")
                return json.loads(done.stdout)
            except ValueError as error:
                reason = _complaints(done.text) or done.error_text or str(error)
                raise _failed(namespaces, reason) from error

        namespaces = self.settings.namespaces
        try:
            if engine == "opa":
                return {name: _of_opa(run(opa_argv(program, name), name)) for name in namespaces}
            (work / "rules" / PROBE_FILE).write_text(render_probe(namespaces), encoding="utf-8")
            (work / "empty.json").write_text("{}")
            (work / "data" / PLAN).mkdir(parents=True)
            (work / "plan.json").rename(work / "data" / PLAN / "plan.json")
            return _of_conftest(run(conftest_argv(program), ", ".join(namespaces)), namespaces)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _failed(", ".join(namespaces), f"{engine} answers what is not understood") from error


def opa_argv(program: str, namespace: str) -> tuple[str, ...]:
    """`opa eval` of a whole package, run where `rules/` and `plan.json` lie."""
    options = ("--format", "json", "--strict-builtin-errors", "--data", "rules", "--input", "plan.json")
    return (program, "eval", *options, f"data.{namespace}")


def conftest_argv(program: str) -> tuple[str, ...]:
    """`conftest test` of the probe, which must not fail for what it finds."""
    options = ("--no-fail", "--no-color", "--output", "json", "--parser", "json", "--policy", "rules")
    return (program, "test", *options, "--data", "data", "--namespace", PROBE, "empty.json")


def render_probe(namespaces: Iterable[str]) -> str:
    """Rego that gives the whole value of each namespace as a warning.

    Of its own accord conftest passes where a package is missing, and where `deny` is no set of messages. The
    plan comes as data, since conftest rounds the numbers of an input.
    """
    rules = (
        f'warn contains {{"msg": {json.dumps(name)}, "value": value}} if {{\n'
        f"  value := data.{name} with input as data.{PLAN}\n}}"
        for name in namespaces
    )
    return "\n".join((f"package {PROBE}", *rules, ""))


def _of_opa(answer: Any) -> Any:
    """The package's value; None when it is not there."""
    results = answer.get("result") or [{"expressions": [{"value": None}]}]
    return results[0]["expressions"][0]["value"]


def _complaints(text: str) -> str:
    """What opa complains of in its JSON, each with its line."""
    try:
        errors = json.loads(text)["errors"]
        return "; ".join(
            f"{Path(error['location']['file']).name}:{error['location']['row']}: {error['message']}"
            for error in errors
        )
    except (ValueError, LookupError, TypeError):
        return ""


def _of_conftest(answer: Any, namespaces: Iterable[str]) -> dict[str, Any]:
    """The value of each package, which the probe gives; None for one that is not there."""
    (result,) = answer
    values = {warning["msg"]: warning["metadata"]["value"] for warning in result.get("warnings") or ()}
    return {name: values.get(name) for name in namespaces}


def _by_regopy(texts: Mapping[str, str], settings: Rego, show_json: bytes) -> dict[str, Any]:
    """The value of each namespace, by the Python package."""
    try:
        from regopy import Interpreter, LogLevel, RegoError
    except ImportError as missing:
        raise PolicyError(
            f"There are rules in Rego in {settings.folder}, and regopy is not installed.",
            advice="`pip install 'infra-orchestrator[rego]'`, or set `policy: {rego: {engine: opa}}`.",
        ) from missing
    interpreter = Interpreter()
    interpreter.log_level = LogLevel.NONE
    # Else a function that fails makes its rule undefined, which looks like a plan without fault.
    interpreter.strict_built_in_errors = True
    for path, text in sorted(texts.items()):
        try:
            interpreter.add_module(path, text)
        except (RegoError, ValueError) as error:
            raise PolicyError(
                f"{path} is no Rego that can be read: {_reason(error)}", file=path, advice=V1
            ) from error
    try:
        _set_input(interpreter, _plan_for(texts.values(), json.loads(show_json)))
        return {name: _package(interpreter, name) for name in settings.namespaces}
    except (RegoError, ValueError) as error:
        raise _failed(", ".join(settings.namespaces), _reason(error)) from error


def _plan_for(texts: Iterable[str], plan: Any) -> Any:
    """The parts of a plan that rules name, such as `input.resource_changes`; else all of it.

    Most of a plan is its configuration and prior state, and handing a plan over is most of the time.
    """
    names: set[str] = set()
    for text in texts:
        for match in INPUT.finditer(text):
            if match[1] is None:
                return plan
            names.add(match[1])
    return {name: value for name, value in plan.items() if name in names}


def _set_input(interpreter: Any, plan: Any) -> None:
    """Make a plan the input of the rules.

    Value by value takes a third of the time of a text in Rego's own syntax. But the engine rounds fractions
    in this way (1e-07 becomes 0), and holds integers of 64 bits only: a plan that has others goes as text.
    """
    try:
        terms = _make_input(plan)
    except _InexactError:
        # Without \uXXXX, of which the engine counts each as six characters.
        interpreter.set_input_term(json.dumps(plan, ensure_ascii=False))
    else:
        interpreter.set_input(terms)


class _InexactError(Exception):
    """A number that only text hands over exactly."""


def _make_input(plan: Any) -> Any:
    """A JSON value as regopy's `Input`; ValueError where the engine does not take it.

    `Input(plan)` makes the same by a Python call and a copy for each value, in twice the time: texts that
    occur again, such as the names of attributes, are encoded once here.
    """
    from regopy import Input, rego_shared

    library = rego_shared.rego
    push_text, push_integer = library.regoInputString, library.regoInputInt
    push_boolean, push_null = library.regoInputBoolean, library.regoInputNull
    end_item, end_object, end_array = (
        library.regoInputObjectItem,
        library.regoInputObject,
        library.regoInputArray,
    )
    # It frees what it has when nothing refers to it.
    terms = Input.__new__(Input)
    terms._impl = stack = rego_shared.rego_new_input()
    encoded: dict[str, bytes] = {}

    def add_text(text: str) -> int:
        data = encoded.get(text)
        if data is None:
            # The engine keeps texts in their escaped form.
            escaped = json.dumps(text, ensure_ascii=False)[1:-1] if ESCAPED.search(text) else text
            data = encoded[text] = escaped.encode()
        code: int = push_text(stack, data)
        return code

    def add(value: Any) -> None:
        code = 0
        if isinstance(value, str):
            code = add_text(value)
        elif isinstance(value, dict):
            for key, item in value.items():
                code = code or add_text(key)
                add(item)
                code = code or end_item(stack)
            code = code or end_object(stack, len(value))
        elif isinstance(value, list):
            for item in value:
                add(item)
            code = end_array(stack, len(value))
        elif value is None:
            code = push_null(stack)
        elif isinstance(value, bool):
            code = push_boolean(stack, value)
        elif isinstance(value, int) and -(2**63) <= value < 2**63:
            code = push_integer(stack, value)
        else:
            raise _InexactError
        if code:
            raise ValueError(f"regopy does not take the plan: code {code}")

    add(plan)
    return terms


def _package(interpreter: Any, namespace: str) -> Any:
    output = interpreter.query(f"data.{namespace}")
    if not output.ok():
        raise ValueError(str(output))
    results = output.results
    if not results or not results[0].expressions:
        return None
    return results[0].expressions[0]


def _violations(packages: Mapping[str, Any]) -> Iterator[Violation]:
    """What the rules of each namespace say."""
    for namespace, package in packages.items():
        if not isinstance(package, dict):
            raise PolicyError(
                f"There is no package {namespace} among the rules in Rego.",
                advice="Correct `policy: {rego: {namespaces: […]}}` in infra.yaml, or the package's name.",
            )
        for name, value in sorted(package.items()):
            match = RULE.fullmatch(name)
            if match:
                severity: Literal["error", "warning"] = "warning" if match[1] == "warn" else "error"
                for message in _messages(f"{namespace}.{name}", value):
                    yield _violation(severity, f"{namespace}.{name}", message)


def _messages(rule: str, value: Any) -> list[Any]:
    if value is None or value is False:
        return []
    if value is True:
        return [f"{rule} does not let it."]
    if isinstance(value, list):
        return sorted(value, key=lambda message: json.dumps(message, sort_keys=True))
    if isinstance(value, str):
        return [value]
    raise PolicyError(f"{rule} gives neither a set of messages nor one message.", advice=V1)


def _violation(severity: Literal["error", "warning"], rule: str, message: Any) -> Violation:
    """One message: text, or an object whose `msg` it is; its `address`, if any, names the resource."""
    text = message.get("msg") if isinstance(message, dict) else message
    if not isinstance(text, str) or not text.strip():
        raise PolicyError(f"{rule} gives a message that is no text.", advice=V1)
    details = message if isinstance(message, dict) else {}
    extra = details.get("metadata") if isinstance(details.get("metadata"), dict) else details
    address = (extra or {}).get("address")
    advice = f"The rule is {rule}, in Rego, as trunk has it."
    text = text.strip()[:LONGEST]
    return Violation(severity, "rego", text, advice, address if isinstance(address, str) else None)


def _failed(namespace: str, why: str) -> PolicyError:
    reason = why.strip()[:LONGEST] or "it says nothing"
    return PolicyError(f"The rules in Rego ({namespace}) cannot be evaluated: {reason}", advice=V1)


def _reason(error: Exception) -> str:
    """The messages among what regopy throws, which is a tree."""
    messages = re.findall(r"\(errormsg \d+:([^)\n]*)\)", str(error))
    return "; ".join(dict.fromkeys(messages)) or "it gives an error and says no more"
