"""The stacks and resource types of the demo's platform, and how to find its resources in the cloud."""

from __future__ import annotations

from typing import Any

from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.stage import Stage

SERVICE = "google_cloud_run_v2_service"
NETWORK = "google_compute_network"
SUBNETWORK = "google_compute_subnetwork"
FIREWALL = "google_compute_firewall"
ROUTER = "google_compute_router"
NAT = "google_compute_router_nat"
# Everything that a network stack is made of.
KINDS = (NETWORK, FIREWALL, SUBNETWORK, ROUTER, NAT)

SERVICES = [f"{environment}/service" for environment in ENVIRONMENTS]
STACKS = sorted([*SERVICES, *(f"{environment}/network" for environment in ENVIRONMENTS)])
# Consent, for who applies by hand.
YES = ("--auto-approve", "--confirm", "prod")
# What somebody opens by hand, and what the code says.
OPEN, CLOSED = "INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"


def state_of(stack: str) -> str:
    """The name of a stack's state in the bucket."""
    return f"{stack.replace('/', '/state/', 1)}/default.tfstate"


def network_resources(stage: Stage, environment: str) -> set[str]:
    """What exists of an environment's network, by id."""
    return {resource_id for kind in KINDS for resource_id in stage.world(kind, f"example-{environment}")}


def service_id(stage: Stage, environment: str) -> str:
    """The id of an environment's service."""
    return stage.world(SERVICE, f"example-{environment}")[0]


def container(stage: Stage, environment: str) -> dict[str, Any]:
    """What an environment's service runs."""
    template = stage.resource(SERVICE, service_id(stage, environment))["template"][0]
    container_spec: dict[str, Any] = template["containers"][0]
    return container_spec


def memory(stage: Stage, environment: str) -> str:
    """The memory that an environment's service has."""
    limit: str = container(stage, environment)["resources"][0]["limits"]["memory"]
    return limit


def ingress(stage: Stage, environment: str) -> str:
    """Where an environment's service may be called from."""
    ingress_setting: str = stage.resource(SERVICE, service_id(stage, environment))["ingress"]
    return ingress_setting
