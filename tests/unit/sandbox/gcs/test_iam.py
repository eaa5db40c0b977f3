"""Accounts: what each role allows, where managed folders reach, and what is said to who may not."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.gcs.iam import Access
from orchestrator.sandbox.gcs.server import GcsServer
from tests.unit.sandbox.gcs.conftest import BUCKET, Call

ME = "serviceAccount:me@acme.example"
O = f"/storage/v1/b/{BUCKET}/o"  # noqa: E741
UPLOAD = f"/upload/storage/v1/b/{BUCKET}/o"


def grant(server: GcsServer, *roles: str, member: str = ME, folder: str = "") -> None:
    """Give roles on the bucket or on a managed folder, and take all others away."""
    bindings = [{"role": f"roles/storage.{role}", "members": [member]} for role in roles]
    if folder:
        server.store.set_managed_folder_policy(BUCKET, folder, {"bindings": bindings})
    else:
        server.store.set_bucket_policy(BUCKET, {"bindings": bindings})


def allowed(call: Call, member: str = ME, name: str = "dev%2Fa") -> set[str]:
    """What the account can do to an object that exists, and to its bucket."""
    requests = {
        "get": ("GET", f"{O}/{name}", None, {}),
        "read": ("GET", f"/{BUCKET}/{name}", None, {}),
        "list": ("GET", O, None, {}),
        "patch": ("PATCH", f"{O}/{name}", {"metadata": {"k": "v"}}, {}),
        "create": ("POST", UPLOAD, b"x", {"uploadType": "media", "name": "dev/new"}),
        "overwrite": ("POST", UPLOAD, b"x", {"uploadType": "media", "name": "dev/a"}),
        "delete": ("DELETE", f"{O}/{name}", None, {}),
        "bucket": ("GET", f"/storage/v1/b/{BUCKET}", None, {}),
        "patch bucket": ("PATCH", f"/storage/v1/b/{BUCKET}", {}, {}),
        "policy": ("GET", f"/storage/v1/b/{BUCKET}/iam", None, {}),
    }
    done = set()
    for what, (method, path, body, query) in requests.items():
        answer = call(method, path, body, member=member, **query)
        assert answer.status in (200, 204, 403), (what, answer)
        if answer.status != 403:
            done.add(what)
    return done


READ = {"get", "read"}
VIEW = READ | {"list"}
EDIT = VIEW | {"patch", "create", "overwrite", "delete"}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("objectViewer", VIEW),
        ("objectCreator", {"create"}),
        ("objectUser", EDIT),
        ("objectAdmin", EDIT),
        ("admin", EDIT | {"bucket", "patch bucket", "policy"}),
        ("bucketViewer", {"bucket"}),
        ("folderAdmin", set()),
        ("legacyObjectReader", READ),
        ("legacyObjectOwner", READ | {"patch"}),
        ("legacyBucketReader", {"list", "bucket"}),
        ("legacyBucketWriter", {"list", "bucket", "create", "overwrite", "delete"}),
        ("legacyBucketOwner", {"list", "bucket", "create", "overwrite", "delete", "patch bucket", "policy"}),
    ],
)
def test_what_a_role_on_the_bucket_allows(
    server: GcsServer, call: Call, role: str, expected: set[str]
) -> None:
    server.store.insert_object(BUCKET, "dev/a", b"1")
    grant(server, role)
    assert allowed(call) == expected


@pytest.mark.parametrize("member", ["allUsers", "allAuthenticatedUsers"])
def test_public_access(server: GcsServer, call: Call, member: str) -> None:
    server.store.insert_object(BUCKET, "dev/a", b"1")
    grant(server, "objectViewer", member=member)
    assert allowed(call) == VIEW
    assert allowed(call, member="allUsers") == (VIEW if member == "allUsers" else set())


def test_basic_roles_of_the_project_reach_a_new_bucket_until_its_policy_is_set(
    server: GcsServer, call: Call
) -> None:
    viewer = "serviceAccount:viewer@acme.example"
    server.store.insert_object(BUCKET, "dev/a", b"1")
    assert allowed(call, member=viewer) == VIEW | {"bucket"}
    assert call("GET", "/storage/v1/b", project="acme", member=viewer).status == 200
    assert call("GET", "/storage/v1/b", project="other", member=viewer).status == 403
    assert call("POST", "/storage/v1/b", {"name": "mine"}, project="acme", member=viewer).status == 403
    server.store.set_bucket_policy(BUCKET, {"bindings": []})
    assert allowed(call, member=viewer) == set()


def test_a_managed_folder_gives_rights_below_it_only(server: GcsServer, call: Call) -> None:
    grant(server)
    for name in ("dev", "dev/plans", "prod"):
        server.store.insert_managed_folder(BUCKET, name)
        server.store.insert_object(BUCKET, f"{name}/a", b"1")
    grant(server, "objectViewer", folder="dev")
    grant(server, "objectCreator", folder="dev/plans")
    assert allowed(call) == READ
    assert call("GET", f"/{BUCKET}/dev/plans/a", member=ME).status == 200
    assert call("GET", f"/{BUCKET}/prod/a", member=ME).status == 403
    for name, status in (("dev/plans/new", 200), ("dev/plans/a", 403), ("dev/new", 403), ("devil", 403)):
        answer = call("POST", UPLOAD, b"x", uploadType="media", name=name, member=ME)
        assert answer.status == status, name
    for prefix, status in (("dev/", 200), ("dev/plans/", 200), ("dev", 403), ("prod/", 403), ("", 403)):
        assert call("GET", O, prefix=prefix, member=ME).status == status, prefix


def test_a_creator_sees_a_failed_precondition_before_the_missing_right(server: GcsServer, call: Call) -> None:
    server.store.insert_object(BUCKET, "a", b"1")
    grant(server, "objectCreator")
    where = {"uploadType": "media", "name": "a"}
    assert call("POST", UPLOAD, b"x", member=ME, ifGenerationMatch=0, **where).status == 412
    refused = call("POST", UPLOAD, b"x", member=ME, **where)
    assert "storage.objects.delete" in refused.json["error"]["message"]


def test_a_refusal_is_worded_as_google_words_it(server: GcsServer, call: Call) -> None:
    grant(server)
    answer = call("POST", UPLOAD, b"x", member=ME, uploadType="media", name="a")
    assert answer.json == {
        "error": {
            "code": 403,
            "message": (
                "me@acme.example does not have storage.objects.create access to the Google Cloud Storage "
                "object. Permission 'storage.objects.create' denied on resource (or it may not exist)."
            ),
            "errors": [
                {
                    "message": answer.json["error"]["message"],
                    "domain": "global",
                    "reason": "forbidden",
                }
            ],
        }
    }
    xml = call("GET", f"/{BUCKET}/a", member=ME).body.decode()
    assert "<Code>AccessDenied</Code><Message>Access denied.</Message>" in xml
    assert "<Details>me@acme.example does not have storage.objects.get access" in xml


def test_without_the_right_to_list_a_missing_object_is_not_reported_as_missing(
    server: GcsServer, call: Call
) -> None:
    grant(server, "legacyObjectReader")
    assert call("GET", f"{O}/none", member=ME).status == 403
    grant(server, "objectViewer")
    assert call("GET", f"{O}/none", member=ME).status == 404
    assert call("GET", "/storage/v1/b/nowhere/o/none", member=ME).status == 404


def test_copies_need_both_ends(server: GcsServer, call: Call) -> None:
    server.store.create_bucket("acme", {"name": "other"})
    server.store.insert_object("other", "a", b"1")
    grant(server, "objectAdmin")
    assert call("POST", f"/storage/v1/b/other/o/a/copyTo/b/{BUCKET}/o/a", {}, member=ME).status == 403
    assert call("POST", f"/storage/v1/b/other/o/a/rewriteTo/b/{BUCKET}/o/a", {}).status == 200
    assert call("POST", f"{O}/a/copyTo/b/other/o/b", {}, member=ME).status == 403


def test_permissions_can_be_requested(server: GcsServer, call: Call) -> None:
    server.store.insert_managed_folder(BUCKET, "dev")
    grant(server, "objectViewer")
    grant(server, "objectUser", folder="dev")
    query = "permissions=storage.objects.get&permissions=storage.objects.create"
    on_bucket = call("GET", f"/storage/v1/b/{BUCKET}/iam/testPermissions?{query}", member=ME).json
    path = f"/storage/v1/b/{BUCKET}/managedFolders/dev%2F/iam/testPermissions?{query}"
    assert on_bucket["permissions"] == ["storage.objects.get"]
    assert call("GET", path, member=ME).json["permissions"] == [
        "storage.objects.get",
        "storage.objects.create",
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"resource.name.startsWith('projects/_/buckets/{BUCKET}/objects/dev/')", READ),
        (f'resource.name.startsWith("projects/_/buckets/{BUCKET}/objects/prod/")', set()),
        (f'resource.name == "projects/_/buckets/{BUCKET}/objects/dev/b"', set()),
        ("request.time < timestamp('2030-01-01T00:00:00Z')", set()),
    ],
)
def test_a_condition_on_the_name_holds_and_any_other_grants_nothing(
    server: GcsServer, call: Call, expression: str, expected: set[str]
) -> None:
    server.store.insert_object(BUCKET, "dev/a", b"1")
    binding = {"role": "roles/storage.objectViewer", "members": [ME], "condition": {"expression": expression}}
    server.store.set_bucket_policy(BUCKET, {"version": 3, "bindings": [binding]})
    assert allowed(call) == expected


def test_a_condition_on_one_object_holds_for_that_object_alone(server: GcsServer) -> None:
    expression = f'resource.name == "projects/_/buckets/{BUCKET}/objects/repository.json"'
    binding = {"role": "roles/storage.objectViewer", "members": [ME], "condition": {"expression": expression}}
    server.store.set_bucket_policy(BUCKET, {"version": 3, "bindings": [binding]})
    access = Access(server.store, ME)

    names = ("repository.json", "repository.json2", "dev/repository.json", "")
    assert [access.allows("storage.objects.get", BUCKET, name) for name in names] == [
        True,
        False,
        False,
        False,
    ]


def test_an_account_has_one_port_and_only_the_owners_has_the_sandboxs_own_endpoints(
    server: GcsServer, call: Call
) -> None:
    assert server.open_port(ME) == server.open_port(ME) != server.open_port()
    assert server.ports == {None: server.open_port(), ME: server.open_port(ME)}
    for path in ("faults", "requests"):
        assert call("GET", f"/_sandbox/{path}").status == 200
        assert call("GET", f"/_sandbox/{path}", member=ME).status == 403
