"""The names and phrases of docs/glossary.toml are not used: in code, in command lines, in JSON, in prose."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import GENERIC as GENERIC_VARIABLES
from tests.support.house import generic_names, python_files

ROOT = Path(__file__).parents[2]
GLOSSARY: dict[str, Any] = tomllib.loads((ROOT / "docs" / "glossary.toml").read_text(encoding="utf-8"))
WORDS: dict[str, str] = {
    word: row["instead"] for row in GLOSSARY["name"] if not row.get("exact") for word in row["words"]
}
GENERIC: dict[str, str] = {
    word: row["instead"] for row in GLOSSARY["name"] if row.get("exact") for word in row["words"]
}
ALLOWED = {(row["file"], name) for row in GLOSSARY["allowed"] for name in row["names"]}
CODE = tuple(sorted((ROOT / "orchestrator").rglob("*.py")))
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))

_ANY_PHRASE = re.compile("|".join(f"(?:{row['pattern']})" for row in GLOSSARY["phrase"]), re.IGNORECASE)


_CLASS = re.compile(r"^\s*class (\w+)", re.MULTILINE)


def words_of(name: str) -> set[str]:
    """The words of `snake_case`, `CamelCase` and `--kebab-case`, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names that a module defines, options and arguments of its commands, and keys of its dictionaries."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.Call(func=ast.Attribute(attr="option" | "argument")):
                for text in ast.walk(node):
                    if (
                        isinstance(text, ast.Constant)
                        and isinstance(text.value, str)
                        and " " not in text.value
                    ):
                        yield text.lineno, text.value
            case ast.Dict(keys=keys):
                for key in keys:
                    if (
                        isinstance(key, ast.Constant)
                        and isinstance(key.value, str)
                        and key.value.isidentifier()
                    ):
                        yield key.lineno, key.value


def texts_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What people read of a module: docstrings, help, errors, reports, and parts of each."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


@functools.cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def wrong_words(name: str) -> dict[str, str]:
    """The words of a name that must not be used, with what to say instead."""
    return {word: WORDS[word] for word in words_of(name) & WORDS.keys()} | (
        {name: GENERIC[name]} if name in GENERIC else {}
    )


# Comments and strings of one line or more; of these, names are only in strings without white space.
_NO_CODE = re.compile(r'"""(?s:.*?)"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*')


@functools.cache
def _is_wrong(name: str) -> bool:
    return bool(wrong_words(name))


def may_have_wrong_names(text: str) -> bool:
    """Whether a name of a module can have a word that must not be used; parsing all of them takes seconds."""

    def keep_names(match: re.Match[str]) -> str:
        return "" if match[0].startswith("#") or re.search(r"\s", match[0]) else match[0]

    return any(map(_is_wrong, set(re.findall(r"[A-Za-z_]\w*", _NO_CODE.sub(keep_names, text)))))


@functools.cache
def _names_of(path: Path) -> frozenset[tuple[int, str]]:
    """The names of a module that may have such a word, its own one included."""
    matches = may_have_wrong_names(path.read_text(encoding="utf-8"))
    return frozenset({(1, path.stem), *(names_in(_parsed(path)) if matches else ())})


def _name_problems(path: Path) -> list[str]:
    file = _relative(path)
    return [
        f"{file}:{line}: {name!r} has {word!r}; say {instead}"
        for line, name in sorted(_names_of(path))
        for word, instead in sorted(wrong_words(name).items())
        if (file, name) not in ALLOWED
    ]


def _phrase_problems(where: str, text: str) -> list[str]:
    one_line = re.sub(r"\s+", " ", text)
    return [
        f"{where}: {match[0]!r}; say {row['instead']}"
        for row in GLOSSARY["phrase"]
        for match in re.finditer(row["pattern"], one_line, re.IGNORECASE)
    ]


def class_names(text: str) -> list[str]:
    """The classes that a module defines, also those inside functions."""
    if not _CLASS.search(text):
        return []  # parsing takes long
    return [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]


def names_used_twice(classes: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Of pairs of a class and its file: the files of each class name that occurs more than once."""
    files: dict[str, list[str]] = defaultdict(list)
    for name, file in classes:
        files[name].append(file)
    return {name: files[name] for name in files if len(files[name]) > 1}


def test_each_class_name_occurs_once() -> None:
    """In the package, the tests, the benchmarks and the examples together."""
    texts = {path: path.read_text(encoding="utf-8") for path in python_files(ROOT)}
    candidates = names_used_twice((name, "") for text in texts.values() for name in _CLASS.findall(text))
    again = re.compile(rf"\bclass ({'|'.join(candidates) or '(?!)'})\b")
    classes = [
        (name, _relative(path))
        for path, text in texts.items()
        if again.search(text)
        for name in class_names(text)
    ]
    assert names_used_twice(classes) == {}


def test_a_class_name_that_occurs_twice_is_seen() -> None:
    text = 'X = "class Text:"\nclass Ledger: ...\ndef f():\n    class Ledger(dict): ...\n'
    assert names_used_twice((name, "a.py") for name in class_names(text)) == {"Ledger": ["a.py", "a.py"]}


def test_names_use_the_terms_of_the_glossary() -> None:
    assert [problem for path in CODE for problem in _name_problems(path)] == []


# In names of tests also the past of "keep" and "ask"; an update in place is a term of Terraform.
_WRONG_IN_TESTS = frozenset({*WORDS, "kept", "asked", "lands", "mends", "mended", "settles"})


@functools.cache
def _has_wrong_word(name: str) -> bool:
    if name.startswith("test_"):
        return bool(words_of(name.replace("_in_place", "")) & _WRONG_IN_TESTS)
    return name in GENERIC_VARIABLES or bool(words_of(name) & WORDS.keys())


def _wrong_names_of(path: Path) -> list[tuple[int, str]]:
    """The lines and names of variables, parameters, functions, tests and classes."""
    text = _NO_CODE.sub("", path.read_text(encoding="utf-8"))
    if not any(map(_has_wrong_word, set(re.findall(r"[A-Za-z_]\w*", text)))):
        return []  # parsing takes long
    tree = _parsed(path)
    names = [
        (node.lineno, node.arg if isinstance(node, ast.arg) else node.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.arg | ast.FunctionDef | ast.ClassDef)
    ]
    variables = [
        (node.lineno, node.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    return [
        *generic_names(tree),
        *((line, name) for line, name in names + variables if _has_wrong_word(name)),
    ]


def test_names_in_tests_benchmarks_and_examples_use_the_terms_of_the_glossary() -> None:
    paths = [path for path in python_files(ROOT) if path not in CODE]
    assert len(paths) > 500
    assert [
        f"{_relative(path)}:{line}: {name}" for path in paths for line, name in _wrong_names_of(path)
    ] == []


@pytest.mark.parametrize(
    ("name", "is_wrong"),
    [
        ("test_a_failure_is_told", True),
        ("test_a_plan_is_kept", True),
        ("test_the_lock_holds_its_place", True),
        ("test_a_change_in_place_is_reported", False),
    ],
)
def test_old_terms_in_names_of_tests_are_seen(name: str, is_wrong: bool) -> None:
    assert _has_wrong_word(name) is is_wrong


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("one = 1", ["one"]),
        ("def check(place): ...", ["place"]),
        ("def check(*, told=1): return told", ["told", "told"]),
        ("sorted(x, key=lambda one: -x)", ["one"]),
        ("from hypothesis import given\n@given(1)\ndef check(): ...", []),
        ("report.shown = {'made': 1}", []),
    ],
)
def test_each_use_of_a_generic_name_is_seen(code: str, names: list[str]) -> None:
    assert [name for _, name in generic_names(ast.parse(code))] == names


def test_texts_use_the_terms_of_the_glossary() -> None:
    problems = [
        problem
        for path in CODE
        if _ANY_PHRASE.search(re.sub(r"\s+", " ", path.read_text(encoding="utf-8")))
        for line, text in texts_in(_parsed(path))
        for problem in _phrase_problems(f"{_relative(path)}:{line}", text)
    ]
    assert problems == []


@pytest.mark.parametrize("page", PAGES, ids=_relative)
def test_pages_use_the_terms_of_the_glossary(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "glossary.md":
        text = re.sub(r"\|[^|\n]*\|$", "", text, flags=re.MULTILINE)  # the column of what not to say
    assert _phrase_problems(_relative(page), re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)) == []


@pytest.mark.parametrize("page", PAGES, ids=_relative)
def test_lines_wrap_at_110(page: Path) -> None:
    """Rows of tables, code, footnotes and links cannot be wrapped."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for line in text.splitlines() if len(line) > 110 and not line.startswith(("|", "[^", "!["))]
    assert lines == []


def test_each_allowance_is_used_and_has_a_reason() -> None:
    used = {
        (_relative(path), name)
        for path in CODE
        if _relative(path) in {file for file, _ in ALLOWED}
        for _, name in _names_of(path)
        if wrong_words(name)
    }
    assert used >= ALLOWED
    assert all(row["reason"].endswith(".") for row in GLOSSARY["allowed"])


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("def settle(): ...", "settle"),
        ("class OwedStack: ...", "OwedStack"),
        ("def run(doomed): ...", "doomed"),
        ("landing = 1", "landing"),
        ("self.owed = 1", "owed"),
        ("click.option('--patience', 'x')", "--patience"),
        ("{'landed': 1}", "landed"),
        ("lambda one: 1", "one"),
    ],
)
def test_each_kind_of_name_is_seen(code: str, name: str) -> None:
    names = {name for _, name in names_in(ast.parse(code))}
    assert name in names
    assert may_have_wrong_names(f'"""Settle it: said."""\n# told\n{code}\n')
    assert wrong_words(name)


def test_words_of_comments_and_texts_are_no_names() -> None:
    assert not may_have_wrong_names('"""Settle it."""\nx = "it was told"  # the patience\n')


@pytest.mark.parametrize("row", GLOSSARY["phrase"], ids=lambda row: str(row["pattern"]))
def test_each_phrase_matches_its_example(row: dict[str, str]) -> None:
    assert re.search(row["pattern"], row["example"], re.IGNORECASE)
