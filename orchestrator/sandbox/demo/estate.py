"""What the demo's platform is made of: stacks, types, and where to find things in the cloud."""

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


def parts_of(stage: Stage, environment: str) -> set[str]:
    """What exists of an environment's network, by id."""
    return {one for kind in KINDS for one in stage.world(kind, f"example-{environment}")}


def service(stage: Stage, environment: str) -> str:
    """The id of an environment's service."""
    return stage.world(SERVICE, f"example-{environment}")[0]


def container(stage: Stage, environment: str) -> dict[str, Any]:
    """What an environment's service runs."""
    template = stage.resource(SERVICE, service(stage, environment))["template"][0]
    found: dict[str, Any] = template["containers"][0]
    return found


def memory(stage: Stage, environment: str) -> str:
    """The memory that an environment's service has."""
    limit: str = container(stage, environment)["resources"][0]["limits"]["memory"]
    return limit


def ingress(stage: Stage, environment: str) -> str:
    """Where an environment's service may be called from."""
    found: str = stage.resource(SERVICE, service(stage, environment))["ingress"]
    return found
