"""Whether the addresses of --target are in the code or the state of a stack."""

from __future__ import annotations

import json

import pytest

from orchestrator.engine.session import Session
from orchestrator.engine.targets import require_targets
from orchestrator.errors import StateError, UsageError
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

CODE = """
terraform {
  backend "gcs" {}
}
resource "x_y" "many" { count = 2 }
data "x_z" "read" {}
module "net" { source = "../../../modules/net" }
module "far" { source = "acme/far/x" }
"""
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/a/main.tf": CODE,
    "infra/envs/dev/b/main.tf": 'terraform {\n  backend "gcs" {}\n}\nresource "x_y" "b" {}\n',
    "infra/modules/net/main.tf": 'resource "x_y" "inner" {}\n',
}
STATE = {
    "version": 4,
    "resources": [
        {
            "mode": "managed",
            "type": "x_y",
            "name": "gone",
            "instances": [{"index_key": "k"}, {"index_key": 0}],
        },
        {"module": "module.old", "mode": "data", "type": "x_z", "name": "d", "instances": [{}]},
    ],
}


@pytest.fixture
def bucket() -> MemoryStorage:
    bucket = MemoryStorage()
    bucket.write("dev/state/a/default.tfstate", json.dumps(STATE).encode())
    return bucket


@pytest.fixture
def session(make_repo: MakeRepo, bucket: MemoryStorage) -> Session:
    return session_in_memory(load(make_repo(FILES).root), bucket)


@pytest.mark.parametrize(
    "address",
    [
        *("x_y.many", "x_y.many[0]", "data.x_z.read", "module.net", "module.net.x_y.inner"),
        *('module.far.x_y.who["k"]', "x_y.gone", 'x_y.gone["k"]', "x_y.gone[0]"),
        *("module.old", "module.old.data.x_z.d"),
    ],
)
def test_what_code_or_state_has_is_a_target(session: Session, address: str) -> None:
    require_targets(session, ["dev/a"], [address])


@pytest.mark.parametrize(
    "address",
    [
        *("x_y.may", "x_y", "x_z.read", "data.x_y.many", "module.nets", "module.net.x_y.other", "module"),
        *("x_y.gon", 'x_y.gone["l"]', "module.ol", "module.old.data", "x_y.b", ""),
    ],
)
def test_what_neither_has_is_refused(session: Session, address: str) -> None:
    with pytest.raises(UsageError, match="Neither the code nor the state of dev/a has") as caught:
        require_targets(session, ["dev/a"], ["x_y.many", address])
    assert "infra run dev/a -- state list" in caught.value.advice


def test_one_of_several_stacks_is_enough(session: Session) -> None:
    require_targets(session, ["dev/a", "dev/b"], ["x_y.b", "x_y.gone"])
    with pytest.raises(UsageError, match=r"of any of these stacks has x_y\.c"):
        require_targets(session, ["dev/a", "dev/b"], ["x_y.b", "x_y.c"])
    require_targets(session, [], ["x_y.c"])


@pytest.mark.parametrize("how", ["no right", "no JSON", "odd"])
def test_a_state_that_cannot_be_read_may_have_anything(
    session: Session, bucket: MemoryStorage, how: str
) -> None:
    if how == "no right":
        bucket.fails = lambda call, name: call == "read"
        with pytest.raises(StateError):
            session.memory.states.raw(session.context.project.stacks["dev/a"])
    else:
        text = b"{" if how == "no JSON" else b'{"resources": [{"instances": [{}]}]}'
        bucket.write("dev/state/a/default.tfstate", text)
    require_targets(session, ["dev/a"], ["x_y.typo"])
