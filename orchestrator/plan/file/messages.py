"""The protobuf messages of a saved plan, as far as they are read here.

Fields that Terraform describes and that are missing here belong to features that are not read, such as
deferred changes and invoked actions: a plan that has one of them is left to Terraform, as is one with a field
that nobody knew when this was written.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from orchestrator.errors import UnprovenPlanError

# Terraform's own number of the format.
FORMAT = 3
_PACKAGE = "tfplan"
# Message → field → (number, type); `*` marks a repeated field. Enumerations are numbers.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Value": {"msgpack": (1, "bytes")},
    "Step": {"attribute_name": (1, "string"), "element_key": (2, "Value")},
    "Path": {"steps": (1, "*Step")},
    "Importing": {"id": (1, "string"), "unknown": (2, "bool")},
    "Change": {
        "action": (1, "int32"),
        "values": (2, "*Value"),
        "before_sensitive_paths": (3, "*Path"),
        "after_sensitive_paths": (4, "*Path"),
        "importing": (5, "Importing"),
        "generated_config": (6, "string"),
        "before_identity": (7, "Value"),
        "after_identity": (8, "Value"),
    },
    "ResourceChange": {
        "deposed_key": (7, "string"),
        "provider": (8, "string"),
        "change": (9, "Change"),
        "private": (10, "bytes"),
        "required_replace": (11, "*Path"),
        "action_reason": (12, "int32"),
        "addr": (13, "string"),
        "prev_run_addr": (14, "string"),
    },
    "OutputChange": {"name": (1, "string"), "change": (2, "Change"), "sensitive": (3, "bool")},
    "CheckedObject": {
        "object_addr": (1, "string"),
        "status": (2, "int32"),
        "failure_messages": (3, "*string"),
    },
    "CheckResults": {
        "kind": (1, "int32"),
        "config_addr": (2, "string"),
        "status": (3, "int32"),
        "objects": (4, "*CheckedObject"),
    },
    "Variable": {"key": (1, "string"), "value": (2, "Value")},
    "Backend": {"type": (1, "string"), "config": (2, "Value"), "workspace": (3, "string")},
    "RelevantAttribute": {"resource": (1, "string"), "attr": (2, "Path")},
    "FunctionResult": {"key": (1, "bytes"), "result": (2, "bytes")},
    "Plan": {
        "version": (1, "uint64"),
        "variables": (2, "*Variable"),
        "resource_changes": (3, "*ResourceChange"),
        "output_changes": (4, "*OutputChange"),
        "target_addrs": (5, "*string"),
        "backend": (13, "Backend"),
        "terraform_version": (14, "string"),
        "relevant_attributes": (15, "*RelevantAttribute"),
        "force_replace_addrs": (16, "*string"),
        "ui_mode": (17, "int32"),
        "resource_drift": (18, "*ResourceChange"),
        "check_results": (19, "*CheckResults"),
        "errored": (20, "bool"),
        "timestamp": (21, "string"),
        "function_results": (22, "*FunctionResult"),
        "applyable": (25, "bool"),
        "complete": (26, "bool"),
        "apply_time_variables": (28, "*string"),
    },
}


def parse_plan(data: bytes) -> Any:
    """The message in the file's `tfplan`.

    Raises UnprovenPlanError when it is damaged, of another format, or has a field that is not read here.
    """
    from google.protobuf.message import DecodeError

    plan = _plan_class()()
    try:
        plan.ParseFromString(data)
    except DecodeError as error:
        raise UnprovenPlanError("it is no plan of Terraform's") from error
    if plan.version != FORMAT:
        raise UnprovenPlanError(f"its format is {plan.version}")
    size = plan.ByteSize()
    plan.DiscardUnknownFields()
    if plan.ByteSize() != size:
        raise UnprovenPlanError("it has fields that are not known here")
    return plan


@cache
def _plan_class() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="tfplan.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in fields.items():
            field = message.field.add(name=field_name, number=number)
            repeated = kind.startswith("*")
            field.label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
            kind = kind.removeprefix("*")
            if kind in _MESSAGES:
                field.type, field.type_name = field_type.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = getattr(field_type, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Plan"))
