"""The provider's servers: ports, worlds, types that grow, stopping in the middle, and the end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tf.gen import tfplugin_pb2 as pb
from tf.gen.tfplugin_pb2_grpc import ProviderStub

from orchestrator.errors import SandboxError
from orchestrator.sandbox.provider.server import ProviderServer, reattach_config
from orchestrator.sandbox.schemas import RecordedSchemas, record_schemas
from orchestrator.sandbox.sentinel import Sentinel
from tests.support.simulated import attached

GOOGLE = "registry.terraform.io/hashicorp/google"
ACME = "registry.terraform.io/acme/widgets"
NETWORK = 'resource "google_compute_network" "n" {\n  name = "n"\n}\n'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ProviderServer]:
    schema = {"provider": {}, "resource_schemas": {"widgets_widget": {"version": 0, "block": {}}}}
    document = {"format_version": "1.0", "provider_schemas": {ACME: schema}}
    record_schemas(json.dumps(document).encode(), tmp_path / "schemas")
    server = ProviderServer(tmp_path / "worlds", RecordedSchemas([tmp_path / "schemas"]))
    server.start()
    yield server
    server.close()


def test_what_terraform_receives() -> None:
    document = json.loads(reattach_config({GOOGLE: 1234, ACME: 99}, 7))
    assert sorted(document) == [
        "registry.opentofu.org/acme/widgets",
        "registry.opentofu.org/hashicorp/google",
        "registry.terraform.io/acme/widgets",
        "registry.terraform.io/hashicorp/google",
    ]
    assert document["registry.opentofu.org/hashicorp/google"] == {
        "Protocol": "grpc",
        "ProtocolVersion": 6,
        "Pid": 7,
        "Test": True,
        "Addr": {"Network": "tcp", "String": "127.0.0.1:1234"},
    }


def test_one_port_for_each_provider_and_world(server: ProviderServer) -> None:
    first, second = server.open("one"), server.open("two")
    assert sorted(first) == [ACME, GOOGLE]
    assert len({*first.values(), *second.values()}) == 4
    assert server.open("one") == first


def test_the_types_served_only_grow(server: ProviderServer) -> None:
    port = server.open("w")[GOOGLE]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = ProviderStub(channel)

        def served() -> tuple[list[str], list[str]]:
            schema = stub.GetProviderSchema(pb.GetProviderSchema.Request())
            metadata = stub.GetMetadata(pb.GetMetadata.Request())
            assert [each.type_name for each in metadata.resources] == sorted(schema.resource_schemas)
            return sorted(schema.resource_schemas), sorted(schema.data_source_schemas)

        assert served() == ([], [])
        server.serve_types("google", ["google_pubsub_topic", "google_no_such_thing"])
        assert served() == (["google_pubsub_topic"], [])
        server.serve_types("hashicorp/google", ["google_compute_network"], ["google_project"])
        assert served() == (["google_compute_network", "google_pubsub_topic"], ["google_project"])
        functions = stub.GetFunctions(pb.GetFunctions.Request()).functions
        assert "name_from_id" in functions


def test_a_small_provider_is_served_whole(server: ProviderServer) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.open('w')[ACME]}") as channel:
        schema = ProviderStub(channel).GetProviderSchema(pb.GetProviderSchema.Request())
    assert list(schema.resource_schemas) == ["widgets_widget"]


def test_a_provider_recorded_while_we_run(server: ProviderServer, tmp_path: Path) -> None:
    before = server.open("w")
    other = "registry.terraform.io/acme/other"
    document = {"format_version": "1.0", "provider_schemas": {other: {"provider": {}}}}
    record_schemas(json.dumps(document).encode(), tmp_path / "schemas")
    server.serve_types("acme/other", [])
    after = server.open("w")
    assert after == {**before, other: after[other]}
    with grpc.insecure_channel(f"127.0.0.1:{after[other]}") as channel:
        ProviderStub(channel).GetProviderSchema(pb.GetProviderSchema.Request())


def test_what_goes_wrong_is_a_diagnostic(server: ProviderServer) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.open('w')[GOOGLE]}") as channel:
        stub = ProviderStub(channel)
        read = stub.ReadResource(pb.ReadResource.Request(type_name="google_no_such_thing"))
        assert "ReadResource: KeyError" in read.diagnostics[0].summary
        moved = stub.MoveResourceState(
            pb.MoveResourceState.Request(source_type_name="a", target_type_name="google_pubsub_topic")
        )
        assert moved.diagnostics[0].summary == "Moving a to google_pubsub_topic is not supported"
        call = stub.CallFunction(pb.CallFunction.Request(name="nothing"))
        assert call.error.text == "The sandbox does not simulate the function nothing."


def test_unknown_providers(server: ProviderServer, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no schema of the provider"):
        server.serve_types("acme/other", [])
    closed = ProviderServer(tmp_path, RecordedSchemas())
    with pytest.raises(SandboxError, match="not running"):
        closed.open("w")


def test_closed_ports_refuse(server: ProviderServer) -> None:
    port = server.open("w")[GOOGLE]
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_stop_in_the_middle_of_waiting(
    server: ProviderServer, tmp_path: Path, terraform_argv: tuple[str, ...]
) -> None:
    server.serve_types("google", ["google_compute_network"])
    sentinel = Sentinel()
    stack = attached(server, "w", tmp_path / "stack", terraform_argv, sentinel.pid)
    stack.world.set_delays(50)  # ten minutes for a network
    stack.write(NETWORK)
    stack.run("init")
    child = subprocess.Popen(
        [*terraform_argv, "apply", "-auto-approve", "-no-color", "-input=false"],
        cwd=stack.folder,
        env=dict(stack.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not stack.world.list() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    # The waiting ends with the request to stop, not with the network.
    child.wait(timeout=120)
    stack.world.set_delays(0)
    assert list(stack.values()) == ["google_compute_network.n"], "what was made is in the state"
    assert stack.plan()[0] == 0
    sentinel.close()


def test_defaults_stand_in_for_the_environment(tmp_path: Path, terraform_argv: tuple[str, ...]) -> None:
    server = ProviderServer(tmp_path / "worlds", RecordedSchemas(), defaults={"project": "from-environment"})
    server.start()
    server.serve_types("google", ["google_compute_network"])
    sentinel = Sentinel()
    stack = attached(server, "w", tmp_path / "stack", terraform_argv, sentinel.pid)
    stack.write(NETWORK, head="")
    stack.apply()
    assert stack.values()["google_compute_network.n"]["project"] == "from-environment"
    server.close()
    sentinel.close()
