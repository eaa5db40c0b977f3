"""Generated modules, and where what we say of them differs from what Terraform does.

Every value that Terraform evaluates is an output of its module. Ours is right when the same, or unknown.
"""

from __future__ import annotations

import json
import os
import posixpath
import random
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.guard.code_facts import code_facts
from orchestrator.repository.facts import FILE_FUNCTIONS
from orchestrator.repository.fingerprint import provider_address
from orchestrator.repository.hcl.text import NameScope, Text, literal, resolve
from orchestrator.repository.source import Source
from orchestrator.repository.tree import Tree
from orchestrator.repository.variables import folder_of, instances, root_scope

# Expressions in many spellings; all of them are valid anywhere in a module with the names below.
EXPRESSIONS = (
    *(
        '"plain"',
        '""',
        '"a${"b"}c"',
        '"x ${~ "y" ~} z"',
        '"${ "y" ~}  z"',
        '"a\\tb"',
        '"\\u00e9"',
        '"e\\u0301"',
    ),
    *("1", "1.50", "1e3", "-1", "0.1", "true", "false", '("p")', '(("p"))', '/* c */ "x"'),
    *('true ? "a" : "b"', 'join("/", ["", "p"])', "var.v", '"${var.v}/x"', '"${var.n}"', "var.n", "var.b"),
    *("local.base", '"${local.base}-${var.v}"', '"$${x}"', '"%%{x}"', '"$$x"', '"100%"', 'upper("x")'),
    *('"%{if true}a%{else}b%{endif}"', '"a%{ if true ~} b %{~ endif }c"', 'trimspace(" x ")', "path.module"),
    *('abspath("x")', 'pathexpand("x")', "tostring(1.50)", "tostring(var.n)", 'format("%s", "x")', "null"),
    *(
        '{ a = "b" }.a',
        '["x"][0]',
        'nonsensitive(sensitive("x"))',
        'try(var.v, "x")',
        "coalesce(null, var.v)",
    ),
    *('"${path.module}/x.txt"', '"${path.root}/x"', '[for f in fileset(path.module, "*.none") : f]', "var.o"),
    *('<<A\n  two ${"x"}\nA', "<<-A\n    two\n      three\n    A", '<<-A\n${"x"}\nA', '"${var.o == null}"'),
    *('"a" # c', '"a" // c', '"a/*b*/"', "(\n  var.v\n)", '"${ /* c */ var.v }"', "var /* c */ .v"),
    *('replace("a", "a", "b")', "null == null", '"\\"q\\""', '"${1}"', '"${1.50}"', '"${true}"', "1 + 1"),
)
# Strings of JSON; there a value is a template.
TEMPLATES = (
    *("plain", "${var.v}", "a${var.v}b", "$${x}", "%{if true}a%{endif}", "${~ var.v ~}", 'q"q', "e\u0301"),
    *("${1.50}", "${var.n}", "line\nline", "${local.base}", '${join("/", ["a"])}', "${path.module}/x", "A"),
    *("${true}", " ${~ var.v } ", "INFRA_TEMPLATE\n${var.v}", "\\u0041", "${null}x"[:7]),
)
DEFAULTS = ('"d"', '"1"', '"01"', "1", "1.50", "true", '"\\u00e9"', "<<A\nh\nA\n")
ARGUMENTS = ('"arg"', "null", "1", "local.root", '"${local.root}/x"', "true", '"${path.module}/y"', "1.50")
OVERRIDES = ("override.tf", "a_override.tf", "z_override.tf", "b_override.tf.json", "override.tf.json")
# Terraform reads none of these.
IGNORED = (
    ".hidden.tf",
    "x.tf~",
    "#x.tf#",
    "y.tofu",
    "main.tofu",
    "x.tf.bak",
    ".override.tf",
    "override.tf.txt",
)
PROVIDERS = ("google", "aws", "random", "null", "tls")
TERRAFORM_TIMEOUT = 240
CONSOLE_TRIES = 5


@dataclass
class RandomModules:
    """A root with modules, as files."""

    files: dict[str, str] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)


def generate(seed: int, count: int) -> RandomModules:
    """A root that calls so many modules, each with locals in many spellings."""
    rng = random.Random(seed)
    world = RandomModules()
    calls = ['locals {\n  root = "of-root"\n}\n']
    for number in range(count):
        name = f"m{number}"
        may_be_null = _generate_module(rng, world, name)
        calls.append(_call(rng, name, may_be_null))
        calls.append(f'output "{name}" {{\n  value = module.{name}\n}}\n')
    world.files["main.tf"] = "\n".join(calls)
    return world


def _call(rng: random.Random, name: str, may_be_null: bool) -> str:
    lines = [rng.choice((f'  source = "./{name}"', f'  source /* c */ = "./{name}" # c'))]
    for variable in ("v", "o"):
        if rng.random() < 0.5:
            values = [value for value in ARGUMENTS if value != "null" or may_be_null or variable == "o"]
            lines.append(f"  {variable} = {rng.choice(values)}")
    lines += [f"  n = {rng.choice(('1', '2.50', chr(34) + '03' + chr(34)))}"] if rng.random() < 0.5 else []
    return f'module "{name}" {{\n' + "\n".join(lines) + "\n}\n"


def _generate_module(rng: random.Random, world: RandomModules, name: str) -> bool:
    """Write a module; whether null may be given for its variable, where it means the default."""
    locals_ = [f"l{index}" for index in range(rng.randint(2, 6))]
    world.names[name] = locals_
    kind = rng.choice(("", "\n  type = string", "\n  type = any"))
    nullable = rng.choice(("", "", "\n  nullable = false"))
    default = rng.choice(DEFAULTS)
    variables = (
        f'variable "v" {{\n  default = {default}{kind}{nullable}\n}}\n'
        'variable "n" {\n  type = number\n  default = "4.0"\n}\n'
        'variable "b" {\n  type = bool\n  default = "true"\n}\n'
        'variable "o" {\n  default = null\n}\n'
    )
    files: dict[str, list[str]] = {"main.tf": [variables, 'locals {\n  base = "base"\n}\n']}
    for local in locals_:
        file = rng.choice(("main.tf", "b.tf", "c.tf.json"))
        if file == "c.tf.json":
            files.setdefault(file, []).append(json.dumps({"locals": {local: rng.choice(TEMPLATES)}}))
        else:
            files.setdefault(file, []).append(f"locals {{\n  {local} = {rng.choice(EXPRESSIONS)}\n}}\n")
        files.setdefault("outputs.tf", []).append(f'output "{local}" {{\n  value = local.{local}\n}}\n')
    for file in rng.sample(OVERRIDES, rng.randint(0, 3)):
        local = rng.choice(locals_)
        if file.endswith(".json"):
            files[file] = [json.dumps({"locals": {local: rng.choice(TEMPLATES)}})]
        else:
            value = rng.choice(EXPRESSIONS)
            files[file] = [f"locals {{\n  {local} = {value}\n}}\n"]
            if rng.random() < 0.5:
                files[file].append(f'variable "v" {{\n  default = {rng.choice(DEFAULTS[:4])}\n}}\n')
    for file in rng.sample(IGNORED, rng.randint(0, 3)):
        files[file] = [f'locals {{\n  {locals_[0]} = "of an ignored file"\n}}\n']
    for file, parts in files.items():
        text = "[" + ",".join(parts) + "]" if file == "c.tf.json" else "\n".join(parts)
        world.files[f"{name}/{file}"] = text
    if rng.random() < 0.3:
        world.files[f"{name}/in.tf"] = (
            f'module "in" {{\n  source = "./in{rng.choice(("", "/", "/../in"))}"\n}}\n'
        )
        world.files[f"{name}/in/main.tf"] = 'output "x" {\n  value = 1\n}\n'
        if rng.random() < 0.5:
            world.files[f"{name}/in_override.tf"] = 'module "in" {\n  source = "./other"\n}\n'
            world.files[f"{name}/other/main.tf"] = 'output "x" {\n  value = 2\n}\n'
    return bool(nullable)


def write(files: Mapping[str, str], root: Path) -> Source:
    """The files on disk, and as our source of code for Terraform."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    data = {path: text.encode() for path, text in files.items()}
    ids = {path: f"{index:040x}" for index, path in enumerate(sorted(data))}
    tree = Tree(ids, lambda path: data[path], commit="0" * 40)
    return Source(tree, "modules", product="terraform")


def terraform(argv: Sequence[str], root: Path, *arguments: str, text: str = "", **env: str) -> str:
    """What Terraform prints; an AssertionError with its words when it fails."""
    child = {"PATH": os.environ["PATH"], "HOME": str(root), "CHECKPOINT_DISABLE": "1", **env}
    done = subprocess.run(
        [*argv, *arguments],
        cwd=root,
        env=child,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=TERRAFORM_TIMEOUT,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def misses(argv: Sequence[str], root: Path, world: RandomModules) -> Iterator[str]:
    """Where we say something else than Terraform, of values and of module sources."""
    source = write(world.files, root)
    terraform(argv, root, "get", "-no-color")
    terraform(argv, root, "plan", "-no-color", "-input=false", "-out=plan")
    planned = json.loads(terraform(argv, root, "show", "-json", "plan"))["planned_values"]["outputs"]
    scopes = dict(instances(source, "", root_scope(source, "", (), ()), lambda path: True))
    for name, locals_ in world.names.items():
        actual = (planned.get(name) or {}).get("value") or {}
        for local in locals_:
            text = source.directory(name).locals.get(local)
            if text is None:
                yield f"{name}.{local}: not seen"
                continue
            value = _value(text, scopes[name], name)
            if value is not None and not _same(value, _relative(actual.get(local), root)):
                yield f"{name}.{local}: {value!r}, Terraform {actual.get(local)!r}"
    yield from _module_misses(source, root)


def _value(text: Text, scope: NameScope, folder: str) -> str | None:
    resolved = resolve(text, scope)
    base = folder_of(resolved[0], folder, ".")
    if base is None:
        return literal(resolved)
    rest = literal(resolved[1:] or ("",))
    return None if rest is None else f"{base or '.'}{rest}"


def _relative(actual: Any, root: Path) -> Any:
    """A path below the root as seen from there: Terraform makes some absolute."""
    prefix = f"{root.resolve()}/"
    return f"./{actual.removeprefix(prefix)}" if isinstance(actual, str) and prefix in actual else actual


def _same(expected: str, actual: Any) -> bool:
    if isinstance(actual, bool):
        return expected == ("true" if actual else "false")
    if isinstance(actual, str):
        return expected == actual or (
            posixpath.normpath(expected) == posixpath.normpath(actual) and "/" in actual
        )
    if isinstance(actual, int | float):
        return expected == json.dumps(actual)
    return False


def _module_misses(source: Source, root: Path) -> Iterator[str]:
    listed = json.loads((root / ".terraform/modules/modules.json").read_text())["Modules"]
    for module in listed:
        folder = ""
        for step in filter(None, module["Key"].split(".")):
            called = {call.call.name: call.path for call in source.calls(folder)}
            if called.get(step) is None:
                yield f"module {module['Key']}: not seen"
                break
            folder = str(called[step])
        else:
            if posixpath.normpath(folder or ".") != posixpath.normpath(module["Dir"]):
                yield f"module {module['Key']}: {folder}, Terraform {module['Dir']}"


# Variables of roots

TFVARS = (
    *("terraform.tfvars", "terraform.tfvars.json", "a.auto.tfvars", ".b.auto.tfvars", ".auto.tfvars"),
    *("z.auto.tfvars.json", "x.tfvars", "A.auto.tfvars", "a.auto.tfvars.json", "given.tfvars"),
)


def variable_misses(argv: Sequence[str], root: Path, seed: int) -> Iterator[str]:
    """The same for the variables of a root, which files and the environment set."""
    rng = random.Random(seed)
    files = {"main.tf": "", "given.tfvars": "# nothing\n"}
    for name in "abc":
        kind = rng.choice(("", "  type = string\n", "  nullable = false\n"))
        files["main.tf"] += f'variable "{name}" {{\n  default = "default"\n{kind}}}\n'
    for file in rng.sample(TFVARS, rng.randint(1, 5)):
        chosen = rng.sample("abc", rng.randint(1, 3))
        if file.endswith(".json"):
            values = {name: rng.choice(("j", "$${x}", "${x}", None, 1, True)) for name in chosen}
            files[file] = json.dumps(values)
        else:
            spellings = (f'"{file}"', "null", "1.50", '"${"x"}"', "<<A\nx\nA\n", '"\\u00e9"', "true")
            files[file] = "".join(f"{name} = {rng.choice(spellings)}\n" for name in chosen)
    source = write(files, root)
    passed = {f"TF_VAR_{name}": "of the environment" for name in rng.sample("abc", rng.randint(0, 2))}
    printed = ""
    for _ in range(CONSOLE_TRIES):
        # On a busy machine it prints nothing now and then.
        printed = printed or terraform(
            argv,
            root,
            *("console", "-var-file=given.tfvars"),
            text="jsonencode({ a = var.a, b = var.b, c = var.c })\n",
            **passed,
        )
    actual = json.loads(json.loads(printed))
    scope = root_scope(source, "", ("given.tfvars",), tuple(passed))
    for name in "abc":
        [definition] = [scope.lookup(_ref(name))]
        expected = literal(resolve(*definition)) if definition is not None else None
        if expected is not None and not _same(expected, actual[name]):
            yield f"seed {seed}, var.{name}: {expected!r}, Terraform {actual[name]!r}: {files}"


def _ref(name: str) -> Any:
    from orchestrator.repository.hcl.text import Ref

    return Ref("var", name)


# Remote states

STATES = 4
STATE_PATHS = (
    *('"s{}.tfstate"', '"s${{{}}}.tfstate"', '("s{}.tfstate")', '"${{path.module}}/s{}.tfstate"'),
    *('"${{local.s}}{}.tfstate"', "local.p{}", "var.p{}", '"${{var.s}}{}${{local.end}}"', '"./s{}.tfstate"'),
    *(
        'join("", ["s", "{}", ".tfstate"])',
        '"s{}.tfstate" /* c */',
        'true ? "s{}.tfstate" : ""',
        "abspath(var.p{})",
    ),
    *('"${{ /* c */ local.s }}{}.tfstate"', '"s{}${{~ ".tfstate" ~}}"', "nonsensitive(local.p{})"),
)
STATE_CONFIGS = (
    *("{{ path = {} }}", '{{ "path" = {} }}', "{{\n    path = {}\n  }}", "{{ (local.key) = {} }}"),
    *("merge({{ path = {} }}, {{}})", "{{ path : {} }}", "({{ path = {} }})", '{{ "${{"path"}}" = {} }}'),
)
STATE_KINDS = ('"local"', '"loc${"al"}"', "local.kind", 'lower("LOCAL")', "var.kind")


def remote_state_misses(argv: Sequence[str], root: Path, seed: int, count: int) -> Iterator[str]:
    """The same for the places of remote states: each file that may be read says in an output which it is.

    Both what discovery and what the guard take from the code is compared.
    """
    rng = random.Random(seed)
    for number in range(STATES):
        output = {"which": {"value": f"s{number}.tfstate", "type": "string"}}
        state = {"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "l", "outputs": output}
        (root / f"s{number}.tfstate").write_text(json.dumps({**state, "resources": []}))
    numbers = range(STATES)
    files = {
        "names.tf": "".join(f'variable "p{n}" {{\n  default = "s{n}.tfstate"\n}}\n' for n in numbers)
        + 'variable "s" {\n  default = "s"\n}\nvariable "kind" {\n  default = "local"\n}\n'
        'locals {\n  s = "s"\n  end = ".tfstate"\n  key = "path"\n  kind = "local"\n'
        + "".join(f'  p{n} = "s{n}.tfstate"\n' for n in numbers)
        + "}\n"
    }
    for number in range(count):
        for file, text in _remote_state(rng, f"x{number}").items():
            files[file] = files.get(file, "") + text
        name = f"data.terraform_remote_state.x{number}.outputs.which"
        files["outputs.tf"] = files.get("outputs.tf", "") + f'output "x{number}" {{\n  value = {name}\n}}\n'
    source = write(files, root)
    terraform(argv, root, "init", "-no-color", "-input=false")
    terraform(argv, root, "plan", "-no-color", "-input=false", "-out=plan")
    planned = json.loads(terraform(argv, root, "show", "-json", "plan"))["planned_values"]["outputs"]
    module = source.module("")
    scope = root_scope(source, "", (), ())
    of_guard: dict[str, list[Mapping[str, Text] | None]] = {}
    for name, path in source.code(""):
        # The guard judges each block as it is written, those of override files too.
        for store in code_facts(source.file(name, path), module).states:
            of_guard.setdefault(store.name, []).append(store.settings)
    for name, facts in source.directory("").remote_states.items():
        actual = planned[name]["value"]
        for who, module_facts in (("discovery", [facts.config]), ("guard", of_guard.get(name, []))):
            paths = [
                _value(settings["path"], scope, "") if settings and "path" in settings else None
                for settings in module_facts
            ]
            expected_paths = [posixpath.normpath(path) for path in paths if path is not None]
            if not module_facts or (
                len(expected_paths) == len(module_facts) and actual not in expected_paths
            ):
                yield f"seed {seed}, {name}: {who} has {expected_paths}, Terraform {actual!r}"
    yield from (f"seed {seed}, {name}: not seen" for name in planned.keys() - of_guard.keys())


def _remote_state(rng: random.Random, name: str) -> dict[str, str]:
    """One remote state in HCL or JSON, with or without an override of its configuration."""

    def path() -> str:
        return rng.choice(STATE_PATHS).format(rng.randrange(STATES))

    if rng.random() < 0.2:
        config = {"path": rng.choice(("s1.tfstate", "${local.s}2.tfstate", "${var.p3}", "./s0.tfstate"))}
        block = {"backend": rng.choice(("local", "${local.kind}")), "config": config}
        return {f"{name}.tf.json": json.dumps({"data": {"terraform_remote_state": {name: block}}})}
    kind, config_text = rng.choice(STATE_KINDS), rng.choice(STATE_CONFIGS).format(path())
    head = f'data "terraform_remote_state" "{name}" {{\n'
    files = {"states.tf": f"{head}  backend = {kind}\n  config = {config_text}\n}}\n"}
    if rng.random() < 0.3:
        files["states_override.tf"] = f"{head}  config = {rng.choice(STATE_CONFIGS).format(path())}\n}}\n"
    return files


# Functions

# They give back a path, or a part of it.
PATH_FUNCTIONS = frozenset({"abspath", "basename", "dirname", "pathexpand"})


def function_misses(argv: Sequence[str], root: Path) -> Iterator[str]:
    """The functions that Terraform says take a path, and that we do not know to read files."""
    listed = json.loads(terraform(argv, root, "metadata", "functions", "-json"))["function_signatures"]
    for name, signature in listed.items():
        parameters = {parameter["name"] for parameter in signature.get("parameters", ())}
        takes_path = "path" in parameters or "file" in name
        if takes_path and name.removeprefix("core::") not in FILE_FUNCTIONS | PATH_FUNCTIONS:
            yield f"{name} is not known to read files"
    yield from (f"{name} is no function" for name in FILE_FUNCTIONS if name not in listed)


# Providers

_PROVIDER = re.compile(r"provider\[([^\]]+)\]")
_MODULE = re.compile(r"(?:├──|└──) module\.(\w+)")


def provider_misses(argv: Sequence[str], root: Path, seed: int, count: int) -> Iterator[str]:
    """The same for the providers that modules need."""
    rng = random.Random(seed)
    files = {}
    calls = []
    for number in range(count):
        name = f"p{number}"
        calls.append(f'module "{name}" {{\n  source = "./{name}"\n}}\n')
        files.update({f"{name}/{file}": text for file, text in _provider_module(rng).items()})
    files["main.tf"] = "".join(calls)
    source = write(files, root)
    terraform(argv, root, "get", "-no-color")
    needed: dict[str, set[str]] = {}
    module = ""
    for line in terraform(argv, root, "providers", "-no-color").splitlines():
        if match := _MODULE.search(line):
            module = match[1]
        elif match := _PROVIDER.search(line):
            needed.setdefault(module, set()).add(match[1])
    for number in range(count):
        facts = source.directory(f"p{number}")
        names = (facts.types.providers | facts.required_providers.keys()) - {"terraform"}
        expected = {
            provider_address(facts.required_providers.get(name, f"hashicorp/{name}")) for name in names
        }
        actual = needed.get(f"p{number}", set()) - {"terraform.io/builtin/terraform"}
        if missing := actual - expected:
            yield f"seed {seed}, p{number}: {sorted(missing)} not seen"


def _provider_module(rng: random.Random) -> dict[str, str]:
    files: dict[str, str] = {"main.tf": ""}
    required = rng.sample(PROVIDERS, rng.randint(0, 3))
    if required:
        spellings = (
            '{{ source = "acme/{}" }}',
            '{{ "source" = "acme/{}" }}',
            '"1.0"',
            '{{ version = "1.0" }}',
        )
        entries = "".join(f"    {name} = {rng.choice(spellings).format(name)}\n" for name in required)
        files["versions.tf"] = f"terraform {{\n  required_providers {{\n{entries}  }}\n}}\n"
        if rng.random() < 0.5:
            name = rng.choice(PROVIDERS)
            entry = f'    {name} = {{ source = "example.com/acme/{name}" }}\n'
            files["o_override.tf"] = f"terraform {{\n  required_providers {{\n{entry}  }}\n}}\n"
    for index in range(rng.randint(0, 3)):
        type_name = f"{rng.choice(PROVIDERS)}_thing"
        if rng.random() < 0.3:
            files[f"r{index}.tf.json"] = json.dumps({"resource": {type_name: {f"r{index}": {"//": "c"}}}})
            continue
        kind = rng.choice(("resource", "data", "ephemeral"))
        label = rng.choice((f'"{type_name}"', type_name, f'/* c */ "{type_name}"'))
        provider = f"  provider = {rng.choice(PROVIDERS)}\n" if rng.random() < 0.3 else ""
        files["main.tf"] += f'{kind} {label} "r{index}" {{\n{provider}}}\n'
        if rng.random() < 0.3:
            files["r_override.tf"] = (
                f'{kind} "{type_name}" "r{index}" {{\n  provider = {rng.choice(PROVIDERS)}\n}}\n'
            )
    return files
