"""Answers of GitHub that are not as documented end in our own errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from orchestrator.errors import ForgeError
from tests.support.github_answers import ADDRESS, CALLS, LINKS, ScriptedClient

BODIES = {
    "html": b"<!DOCTYPE html><html><body>Sign in to the proxy</body></html>",
    "nothing": b"",
    "null": b"null",
    "no list": b"{}",
    "no object": b"[]",
    "a list of null": b"[null]",
    "text": b'"x"',
    "a number": b"1e400",
    "torn": b'[{"user": {"login": "ad',
    "nested": b"[" * 100_000,
    "long": b'{"message": "' + b"A" * 200_000 + b'", "login": ["' + b"B" * 200_000 + b'"]}',
    "half a character": b'{"login": "\\ud800", "state": "\\udfff", "role_name": "\\u202e"}',
    "no text": b"\xff\xfe\x00",
}


@pytest.fixture(scope="module")
def answers() -> ScriptedClient:
    return ScriptedClient()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_answer_ends_in_another_error(answers: ScriptedClient, body: bytes) -> None:
    for name in CALLS:
        for status in (200, 403):
            message = "fine"
            try:
                answers.call(name, status, body)
            except ForgeError as error:
                message = error.message
            assert 0 < len(message) < 1_000, name


@pytest.mark.parametrize("name", CALLS)
def test_a_text_that_cannot_be_encoded_is_no_other_error(answers: ScriptedClient, name: str) -> None:
    """Names of an answer stand in the addresses of further requests."""
    for body in _with_half_characters(CALLS[name][1]):
        with suppress(ForgeError):
            answers.call(name, 200, json.dumps(body).encode())


def _with_half_characters(value: Any) -> Iterator[Any]:
    """A copy for each text of a document, with half a character in its stead."""
    match value:
        case str():
            yield "\ud800"
        case dict():
            yield from ({**value, key: other} for key in value for other in _with_half_characters(value[key]))
        case list():
            for index, member in enumerate(value):
                yield from (
                    [*value[:index], other, *value[index + 1 :]] for other in _with_half_characters(member)
                )


@pytest.mark.parametrize("name", ["pull request", "reviews", "comments", "branch moves", "label events"])
@pytest.mark.parametrize("wrong", [None, 7, [], {}])
def test_an_answer_that_lacks_a_key_is_no_value(answers: ScriptedClient, name: str, wrong: object) -> None:
    key = {"pull request": "head", "reviews": "state", "comments": "id", "branch moves": "after"}.get(
        name, "label"
    )
    if (name, wrong) == ("comments", 7):
        return
    _, good = CALLS[name]
    body = {**good, key: wrong} if isinstance(good, dict) else [{**good[0], key: wrong}]
    with pytest.raises(ForgeError):
        answers.call(name, 200, json.dumps(body).encode())


@pytest.mark.parametrize("name", ["reviews", "commits", "comments", "changed paths"])
@pytest.mark.parametrize("link", [LINKS[1], f'<{ADDRESS}/pulls/7/reviews?page=1>; rel="next"'])
def test_a_list_without_an_end_is_an_error(answers: ScriptedClient, name: str, link: str) -> None:
    """Those that were read so far are not taken for all: an author or a review could be missing."""
    with pytest.raises(ForgeError, match="does not end"):
        answers.call(name, 200, json.dumps(CALLS[name][1]).encode(), link)


def test_who_pushed_is_not_decided_by_an_incomplete_list(answers: ScriptedClient) -> None:
    with pytest.raises(ForgeError, match="does not end"):
        answers.call("branch moves", 200, json.dumps(CALLS["branch moves"][1]).encode(), LINKS[2])


def test_a_next_page_without_an_address_is_no_other_error(answers: ScriptedClient) -> None:
    move = {
        "actor": {"login": "ada", "id": 1, "type": "User"},
        "before": "0" * 40,
        "after": "a" * 40,
        "timestamp": "2026-01-02T03:04:05Z",
    }
    link = '<http://loca]lhost:1/x?page=2>; rel="next"'
    document = {"call": "branch moves", "status": 200, "link": link, "body": [move]}
    with pytest.raises(ForgeError, match="not as documented"):
        answers.read(json.dumps(document).encode())


def test_a_list_is_read_twice_by_one_client(answers: ScriptedClient) -> None:
    """Its pages are no repetition the second time."""
    for _ in range(2):
        with pytest.raises(ForgeError, match="does not end"):
            answers.call("reviews", 200, json.dumps(CALLS["reviews"][1]).encode(), LINKS[1])
        assert answers.call("reviews", 200, json.dumps(CALLS["reviews"][1]).encode())


def test_the_token_goes_to_no_other_host(answers: ScriptedClient) -> None:
    with pytest.raises(ForgeError, match="not as documented"):
        answers.call("reviews", 200, json.dumps(CALLS["reviews"][1]).encode(), LINKS[3])
