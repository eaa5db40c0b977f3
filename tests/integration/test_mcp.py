"""`infra mcp` with the SDK's client: the tools are the commands' documents, and change nothing."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from orchestrator.cli.app import App
from orchestrator.cli.mcp import make_server
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo

STACK = 'terraform {\n  backend "local" {}\n}\n'
FILES = {
    "infra.yaml": "version: 1\nbackend: {local: {path: '.states/{environment}/{stack}.tfstate'}}\n",
    "infra/envs/dev/net/main.tf": STACK,
    "infra/envs/prod/net/main.tf": STACK,
    ".gitignore": ".infra/\n",
}
TOOLS = {"status", "pending", "plan", "drift", "impact", "query", "questions"}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    return make_repo(FILES)


def talk(repo: Repo, use: Callable[[Client], Awaitable[Any]]) -> Any:
    """What a client of a server in this process gets."""
    app = App(dict(os.environ), io.StringIO(), io.StringIO(), io.StringIO(), str(repo.root))

    async def run() -> Any:
        async with Client(make_server(app)) as client:
            return await use(client)

    return asyncio.run(run())


def call(repo: Repo, tool: str, /, **arguments: Any) -> dict[str, Any]:
    result = talk(repo, lambda client: client.call_tool(tool, arguments))
    document: dict[str, Any] = result.structured_content
    return document


def files(root: Path) -> Mapping[str, bytes]:
    """All files but the dataset and what Git keeps for itself."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_relative_to(root / ".infra") and ".git" not in path.parts
    }


def test_every_tool_is_read_only(repo: Repo) -> None:
    tools = talk(repo, lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == TOOLS
    assert all(tool.annotations.read_only_hint for tool in tools)
    assert all(tool.description for tool in tools)


def test_tools_are_the_documents_of_the_commands(repo: Repo) -> None:
    before = files(repo.root)
    infra = Infra(repo.root, {**os.environ})
    assert (
        call(repo, "status", names=["dev"])["stacks"] == infra("status", "dev", "--json").document["stacks"]
    )
    assert call(repo, "questions") == infra("query", "--list", "--json").document
    rows = call(repo, "query", sql="SELECT id FROM stacks ORDER BY id")["rows"]
    assert rows == [["dev/net"], ["prod/net"]]
    assert [stack["id"] for stack in call(repo, "impact", name="dev/net")["stacks"]] == ["dev/net"]
    assert {stack["id"] for stack in call(repo, "pending")["stacks"]} == {"dev/net", "prod/net"}
    assert call(repo, "drift")["command"] == "drift --last"
    assert call(repo, "plan", pull_request=7)["environments"] == []
    assert files(repo.root) == before


def test_many_rows_are_cut_and_counted(repo: Repo) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1200) SELECT i FROM n"
    document = call(repo, "query", sql=numbers)
    assert (len(document["rows"]), document["left_out"]) == (1000, 200)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("status", {"names": ["--watch"]}),
        ("status", {"names": ["nowhere"]}),
        ("drift", {"names": ["--fix"]}),
        ("impact", {"name": "--help"}),
        ("query", {"sql": "DELETE FROM stacks"}),
        ("query", {"sql": "-"}),
        ("plan", {"pull_request": -1}),
    ],
)
def test_no_argument_is_an_option_and_mistakes_are_errors(
    repo: Repo, name: str, arguments: Mapping[str, Any]
) -> None:
    document = call(repo, name, **arguments)
    assert document["errors"], document
    assert document["exit_code"] != 0


def test_the_command_speaks_the_protocol_on_its_streams(repo: Repo) -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "orchestrator", "mcp"], cwd=repo.root, env=dict(os.environ)
    )

    async def run() -> Any:
        async with Client(server) as client:
            return await client.call_tool("status", {"names": ["dev/net"]})

    document = asyncio.run(run()).structured_content
    assert [stack["id"] for stack in document["stacks"]] == ["dev/net"]
