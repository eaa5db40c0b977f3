"""The plugin protocol's calls, answered for one provider in one world."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from tf.gen import tfplugin_pb2 as pb

from orchestrator.errors import InfraError
from orchestrator.sandbox.provider.datasources import DataSource
from orchestrator.sandbox.provider.functions import FUNCTIONS
from orchestrator.sandbox.provider.planning import Path
from orchestrator.sandbox.provider.resources import ResourceType
from orchestrator.sandbox.provider.rules import rule_for
from orchestrator.sandbox.provider.schema import ProviderSchema, SchemaBlock
from orchestrator.sandbox.provider.session import ProviderError, ProviderInstance
from orchestrator.sandbox.provider.values import Type, Value, decode, encode, from_json, parse_json
from orchestrator.sandbox.world.world import World

_SERVICE = "tfplugin6.Provider"
_CALLS = (
    "GetMetadata",
    "ValidateProviderConfig",
    "ValidateResourceConfig",
    "ValidateDataResourceConfig",
    "UpgradeResourceState",
    "ConfigureProvider",
    "ReadResource",
    "PlanResourceChange",
    "ApplyResourceChange",
    "ImportResourceState",
    "MoveResourceState",
    "ReadDataSource",
    "GetFunctions",
    "CallFunction",
    "StopProvider",
)
_MOST_SESSIONS = 4096


class Service:
    """One provider's answers. `types` gives the answer to GetProviderSchema as bytes, and may grow."""

    def __init__(
        self, schema: ProviderSchema, world: World, types: Callable[[], bytes], defaults: Mapping[str, str]
    ) -> None:
        self._schema = schema
        self._world = world
        self._types = types
        self._defaults = defaults
        self._sessions: OrderedDict[str, ProviderInstance] = OrderedDict()
        self._resources: dict[str, ResourceType] = {}
        self._lock = threading.Lock()

    def handler(self) -> grpc.GenericRpcHandler:
        """The handler to register with a gRPC server."""
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                self._guarded(name),
                request_deserializer=getattr(pb, name).Request.FromString,
                response_serializer=getattr(pb, name).Response.SerializeToString,
            )
            for name in _CALLS
        }
        # The schema is kept as bytes: to build it takes longer than a whole plan.
        handlers["GetProviderSchema"] = grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._types(),
            request_deserializer=pb.GetProviderSchema.Request.FromString,
            response_serializer=lambda data: data,
        )
        return grpc.method_handlers_generic_handler(_SERVICE, handlers)

    def _guarded(self, name: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        """The call as Terraform needs it: whatever goes wrong is a diagnostic, never a broken connection."""
        call = getattr(self, f"_{_snake(name)}")
        response_type = getattr(pb, name).Response

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            response = response_type()
            try:
                call(request, response, self._session(context.peer()), context)
            except ProviderError as error:
                _diagnose(response, error.summary, error.detail, error.path)
            except InfraError as error:
                _diagnose(response, f"The sandbox cannot do this: {error.message}", error.advice)
            except Exception as error:
                _diagnose(
                    response, f"The sandbox's provider failed in {name}: {type(error).__name__}: {error}"
                )
            return response

        return answer

    def _session(self, peer: str) -> ProviderInstance:
        """The provider instance behind a connection: Terraform opens one for each that it configures."""
        with self._lock:
            return self._sessions.get(peer) or ProviderInstance.configured({}, self._defaults)

    def _resource(self, name: str) -> ResourceType:
        with self._lock:
            resource_type = self._resources.get(name)
            if resource_type is None:
                block = self._schema.resource(name)
                provider = self._schema.short_name
                rule = rule_for(provider, name, block)
                resource_type = ResourceType(provider.removesuffix("-beta"), name, block, rule, self._world)
                self._resources[name] = resource_type
            return resource_type

    # The calls. Each fills `response`.

    def _get_metadata(self, request: Any, response: Any, *_: Any) -> None:
        served = pb.GetProviderSchema.Response.FromString(self._types())
        response.server_capabilities.CopyFrom(served.server_capabilities)
        for name in sorted(served.resource_schemas):
            response.resources.add(type_name=name)
        for name in sorted(served.data_source_schemas):
            response.data_sources.add(type_name=name)
        for name in sorted(served.functions):
            response.functions.add(name=name)

    def _get_functions(self, request: Any, response: Any, *_: Any) -> None:
        served = pb.GetProviderSchema.Response.FromString(self._types())
        for name, function in served.functions.items():
            response.functions[name].CopyFrom(function)

    def _validate_provider_config(self, request: Any, response: Any, *_: Any) -> None:
        _refuse_write_only(
            self._schema.config, _value(request.config, self._schema.config.type), "the provider"
        )

    def _validate_resource_config(self, request: Any, response: Any, *_: Any) -> None:
        block = self._schema.resource(request.type_name)
        _refuse_write_only(block, _value(request.config, block.type), request.type_name)

    def _validate_data_resource_config(self, request: Any, response: Any, *_: Any) -> None:
        block = self._schema.data_source(request.type_name)
        _refuse_write_only(block, _value(request.config, block.type), request.type_name)

    def _configure_provider(
        self, request: Any, response: Any, session: ProviderInstance, context: Any
    ) -> None:
        config = _value(request.config, self._schema.config.type) or {}
        with self._lock:
            self._sessions[context.peer()] = ProviderInstance.configured(config, self._defaults)
            while len(self._sessions) > _MOST_SESSIONS:
                self._sessions.popitem(last=False)

    def _stop_provider(self, request: Any, response: Any, session: ProviderInstance, *_: Any) -> None:
        session.stopped.set()

    def _upgrade_resource_state(self, request: Any, response: Any, *_: Any) -> None:
        type_ = self._schema.resource(request.type_name).type
        state = from_json(parse_json(request.raw_state.json), type_)
        _put(response.upgraded_state, state, type_)

    def _read_resource(self, request: Any, response: Any, *_: Any) -> None:
        resource = self._resource(request.type_name)
        type_ = resource.block.type
        _put(response.new_state, resource.read(_value(request.current_state, type_)), type_)
        response.private = request.private

    def _plan_resource_change(self, request: Any, response: Any, session: ProviderInstance, *_: Any) -> None:
        resource = self._resource(request.type_name)
        type_ = resource.block.type
        response.planned_private = request.prior_private
        response.legacy_type_system = True
        proposed = _value(request.proposed_new_state, type_)
        if proposed is None:
            _put(response.planned_state, None, type_)
            return
        prior, config = _value(request.prior_state, type_), _value(request.config, type_)
        planned, replaced = resource.plan(prior, config, proposed, session)
        _put(response.planned_state, planned, type_)
        response.requires_replace.extend(_path_message(path) for path in replaced)

    def _apply_resource_change(self, request: Any, response: Any, session: ProviderInstance, *_: Any) -> None:
        resource = self._resource(request.type_name)
        type_ = resource.block.type
        prior, planned = _value(request.prior_state, type_), _value(request.planned_state, type_)
        response.private = request.planned_private
        response.legacy_type_system = True
        # What a failed apply leaves is what was there before.
        response.new_state.msgpack = encode(prior, type_)
        state: Value = None
        if planned is None:
            resource.delete(prior, session)
        elif prior is None:
            state = resource.create(planned, session)
        else:
            state = resource.update(prior, planned, session)
        _put(response.new_state, state, type_)

    def _import_resource_state(self, request: Any, response: Any, session: ProviderInstance, *_: Any) -> None:
        resource = self._resource(request.type_name)
        state = resource.import_(request.id, session)
        imported = response.imported_resources.add(type_name=request.type_name)
        _put(imported.state, state, resource.block.type)

    def _move_resource_state(self, request: Any, response: Any, *_: Any) -> None:
        raise ProviderError(
            f"Moving {request.source_type_name} to {request.target_type_name} is not supported",
            "The provider does not turn one resource type into another.",
        )

    def _read_data_source(self, request: Any, response: Any, session: ProviderInstance, *_: Any) -> None:
        name = request.type_name
        block = self._schema.data_source(name)
        fault = self._world.faults.strike(f"data.{name}", "", "read")
        if fault is not None:
            raise ProviderError(f"Error reading {name}: {fault.message}")
        resource = self._resource(name) if name in self._schema.resource_types else None
        config = _value(request.config, block.type)
        _put(response.state, DataSource(name, block, self._world, resource).read(config, session), block.type)

    def _call_function(self, request: Any, response: Any, *_: Any) -> None:
        function = FUNCTIONS.get(request.name)
        if function is None or self._schema.short_name not in ("google", "google-beta"):
            response.error.text = f"The sandbox does not simulate the function {request.name}."
            return
        try:
            result = function(_value(request.arguments[0], "string"))
        except ValueError as error:
            response.error.text = str(error)
            return
        _put(response.result, result, "string")


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _value(message: Any, type_: Type) -> Value:
    """The value in a DynamicValue; one that was not sent is null."""
    if message.msgpack:
        return decode(message.msgpack, type_)
    return from_json(parse_json(message.json), type_) if message.json else None


def _put(message: Any, value: Value, type_: Type) -> None:
    message.msgpack = encode(value, type_)


def _diagnose(response: Any, summary: str, detail: str = "", path: Path = ()) -> None:
    if not hasattr(response, "diagnostics"):
        if hasattr(response, "error"):
            response.error.text = summary
        return
    diagnostic = response.diagnostics.add(severity=pb.Diagnostic.ERROR, summary=summary, detail=detail)
    if path:
        diagnostic.attribute.CopyFrom(_path_message(path))


def _path_message(path: Path) -> Any:
    message = pb.AttributePath()
    for step in path:
        if isinstance(step, int):
            message.steps.add(element_key_int=step)
        else:
            message.steps.add(attribute_name=step)
    return message


def _refuse_write_only(block: SchemaBlock, config: Value, name: str) -> None:
    """A value that must not be stored cannot be told apart here from one that may: refuse it by its name."""
    for path in block.write_only_paths():
        if _is_set(config, path.split(".")):
            raise ProviderError(
                f"The sandbox cannot simulate the write-only argument {path} of {name}",
                "The plugin protocol that it speaks has none. Leave the argument out here.",
                (path.split(".")[0],),
            )


def _is_set(value: Value, names: list[str]) -> bool:
    if isinstance(value, list):
        return any(_is_set(item, names) for item in value)
    if not names:
        return value is not None
    return isinstance(value, dict) and _is_set(value.get(names[0]), names[1:])
