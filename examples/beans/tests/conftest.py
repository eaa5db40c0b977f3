"""Artifacts on disk for the steps, and Google's APIs on a loopback port, held to what their documents say."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kfp import dsl

LISTED = 1


@pytest.fixture
def artifact(tmp_path: Path) -> Any:
    """Makes an artifact of a type and a name, whose file is below the test's folder."""

    def make(kind: type[dsl.Artifact], name: str) -> dsl.Artifact:
        return kind(name=name, uri=str(tmp_path / name))

    return make


class DiscoveryDocument:
    """What a discovery document says of methods and of the fields of their bodies."""

    def __init__(self, name: str) -> None:
        path = files("googleapiclient") / "discovery_cache" / "documents" / name
        self._document = json.loads(path.read_text())
        self._methods = list(self._find_methods(self._document["resources"]))

    def _find_methods(self, resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for resource in resources.values():
            yield from resource.get("methods", {}).values()
            yield from self._find_methods(resource.get("resources", {}))

    def problems(self, verb: str, path: str, query: dict[str, list[str]], body: Any) -> list[str]:
        """What a request has that the API does not know."""
        for method in self._methods:
            pattern = re.sub(r"\{\+\w+\}", "[^:?]+", method["path"].replace(".", r"\."))
            if method["httpMethod"] != verb or not re.fullmatch(_resource_pattern(method, pattern), path):
                continue
            unknown = sorted(set(query) - set(method.get("parameters", {})))
            problems = [f"parameter {name}" for name in unknown]
            if "request" in method:
                problems += self._unknown_fields(method["request"]["$ref"], body, "")
            elif body is not None:
                problems.append("a body")
            return problems
        return [f"no method {verb} {path}"]

    def _unknown_fields(self, schema: str, value: Any, at: str) -> list[str]:
        properties = self._document["schemas"][schema].get("properties", {})
        problems = []
        for name, child in value.items():
            if name not in properties:
                problems.append(f"field {at}{name} of {schema}")
            elif "$ref" in properties[name]:
                problems += self._unknown_fields(properties[name]["$ref"], child, f"{at}{name}.")
            elif properties[name].get("type") == "string" and not isinstance(child, str):
                problems.append(f"field {at}{name} is no text")
        return problems


def _resource_pattern(method: dict[str, Any], pattern: str) -> str:
    """The method's path, with the pattern that it has for its resource name."""
    for name, parameter in method.get("parameters", {}).items():
        if parameter.get("location") == "path" and "pattern" in parameter:
            pattern = method["path"].replace(f"{{+{name}}}", parameter["pattern"].strip("^$"))
    return pattern


class LoopbackCloud:
    """Vertex AI and a KFP registry: what they hold, what was asked, and what they refuse."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.discovery = DiscoveryDocument("aiplatform.v1.json")
        self.schedules: list[dict[str, Any]] = []
        self.jobs: list[dict[str, Any]] = []
        self.models: list[dict[str, Any]] = []
        self.uploads: dict[str, list[bytes]] = {}
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.refuse: tuple[str, int, str] | None = None
        self.job_states = ["PIPELINE_STATE_RUNNING", "PIPELINE_STATE_SUCCEEDED"]

    def answer(self, verb: str, target: str, raw: bytes, content_type: str) -> tuple[int, Any]:
        """Status and body for a request; text for the registry, else JSON."""
        url = urlsplit(target)
        self.requests.append(f"{verb} {url.path}")
        if self.refuse and re.search(self.refuse[0], f"{verb} {url.path}"):
            return self.refuse[1], {"error": {"code": self.refuse[1], "message": self.refuse[2]}}
        if not url.path.startswith("/v1/"):
            return self._registry(url.path, raw, content_type)
        query = parse_qs(url.query, keep_blank_values=True)
        body = json.loads(raw) if raw else None
        self.problems += self.discovery.problems(verb, url.path[1:], query, body)
        return 200, self._vertex(verb, url.path.removeprefix("/v1/"), query, body)

    def _registry(self, path: str, raw: bytes, content_type: str) -> tuple[int, Any]:
        boundary = content_type.partition("boundary=")[2].encode()
        [part] = [part for part in raw.split(b"--" + boundary) if b'name="content"' in part]
        content = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        self.uploads.setdefault(path, []).append(content)
        return 200, f"beans/sha256:{hashlib.sha256(content).hexdigest()}"

    def _vertex(self, verb: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        parent, _, last = path.rpartition("/")
        if last == "schedules" and verb == "POST":
            self.schedules.append({"name": f"{path}/{len(self.schedules) + 1}", **body})
            return self.schedules[-1]
        if last == "schedules":
            start = int(query.get("pageToken", ["0"])[0])
            page: dict[str, Any] = {"schedules": self.schedules[start : start + LISTED]}
            if start + LISTED < len(self.schedules):
                page["nextPageToken"] = str(start + LISTED)
            return page
        if verb == "PATCH":
            [schedule] = [item for item in self.schedules if item["name"] == path]
            assert query["updateMask"] == [",".join(sorted(body))]
            schedule.update(body)
            return schedule
        if last == "pipelineJobs":
            self.jobs.append({"name": f"{path}/{len(self.jobs) + 1}", **body})
            return self.jobs[-1]
        if parent.endswith("pipelineJobs"):
            [job] = [item for item in self.jobs if item["name"] == path]
            state = self.job_states.pop(0) if len(self.job_states) > 1 else self.job_states[0]
            return {**job, "state": state, "error": {"message": "accuracy 0.5 is below 0.9"}}
        if last == "models:upload":
            self.models.append(body["model"])
            return {"name": f"{parent}/operations/1"}
        return {"name": path, "done": True, "response": {"model": "projects/p/locations/l/models/1"}}


@pytest.fixture
def cloud() -> Iterator[LoopbackCloud]:
    """The APIs on a loopback port. At the end nothing may have been asked that they do not know."""

    class LoopbackHandler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = served.answer(self.command, self.path, raw, self.headers.get("Content-Type", ""))
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), LoopbackHandler) as server:
        served = LoopbackCloud(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield served
        finally:
            server.shutdown()
    assert served.problems == []
