"""What was approved against what would be applied: each rule, and what each rule does not let through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plan.digest import Digest, empty_plan_digest
from orchestrator.plan.digest_comparison import Approval, DigestDifference, compare, volatile_values
from tests.unit.plan.test_digest import change, digest_of, plan_json

A, B = "x.a", "x.b"
NET = frozenset({"dev/net"})


def plan(*changes: dict[str, Any], provisional: Sequence[str] = (), **more: Any) -> Digest:
    outputs = more.pop("outputs", {})
    return digest_of(plan_json(*changes, output_changes=outputs), provisional=provisional, **more)


def update(address: str = A, **values: Any) -> dict[str, Any]:
    """`update(x=(1, 2))`: an update in place of x from 1 to 2."""
    before = {name: pair[0] for name, pair in values.items()}
    after = {name: pair[1] for name, pair in values.items()}
    return change(address, before, after)


def create(address: str = A, unknown: Sequence[str] = (), **values: Any) -> dict[str, Any]:
    return change(address, None, values, "create", after_unknown=dict.fromkeys(unknown, True))


def delete(address: str = A, **values: Any) -> dict[str, Any]:
    return change(address, values, None, "delete")


def replacing(address: str = A, **values: Any) -> dict[str, Any]:
    return {
        **update(address, **values),
        "change": {**update(address, **values)["change"], "actions": ["delete", "create"]},
    }


def still(address: str, **values: Any) -> dict[str, Any]:
    return change(address, values, values, "no-op")


def output(after: Any, *, unknown: bool = False, actions: str = "update") -> dict[str, Any]:
    return {"actions": [actions], "before": "was", "after": after, "after_unknown": unknown}


def reads_net(address: str, path: str) -> frozenset[str]:
    """A stack in which every attribute `r` (and every output `r`) is made from the network's outputs."""
    return NET if path.startswith("r") or (address, path) == ("output.r", "") else frozenset()


def differing_paths(
    approved: Digest | Sequence[Digest], now: Digest, approval: Approval = "upstream", **more: Any
) -> list[str]:
    differences = compare(approved, now, reaches=reads_net, approval=approval, **more)
    return [f"{difference.address} {difference.path}".strip() for difference in differences]


# Equality


def test_the_same_changes_are_equal_whatever_commit_serial_and_generation() -> None:
    digest = plan(update(a=(1, 2)), create(B, b=1), facts={"commit": "a", "serial": 1, "generation": "7"})
    other = plan(create(B, b=1), update(a=(1, 2)), facts={"commit": "b", "serial": 9, "generation": "8"})
    assert differing_paths(digest, other, "strict") == []
    assert digest == other


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"stack": "dev/other"}, "stack"),
        ({"lineage": "M"}, "lineage"),
        ({"lock_file": "f" * 64}, ".terraform.lock.hcl"),
    ],
)
@pytest.mark.parametrize("approval", ["strict", "upstream", "actions"])
def test_stack_lineage_and_lock_file_must_be_the_same(
    changed: dict[str, str], path: str, approval: Approval
) -> None:
    digest = plan(update(a=(1, 2)))
    assert differing_paths(digest, replace(digest, **changed), approval) == [path]  # type: ignore[arg-type]


def test_where_there_was_no_state_any_that_came_since_is_checked_by_its_changes() -> None:
    new = plan(create(a=1), lineage="")
    assert differing_paths(new, plan(create(a=1))) == []
    assert differing_paths(plan(create(a=1)), new) == ["lineage"]


@pytest.mark.parametrize(
    ("approved", "now", "where"),
    [
        (update(a=(1, 2)), update(a=(1, 3)), "x.a a"),
        (update(a=(1, 2)), update(a=(1, 2), b=(1, 2)), "x.a b"),
        (update(a=(1, 2), b=(1, 2)), update(a=(1, 2)), "x.a b"),
        (update(a=(1, 2)), update(a=(0, 2)), "x.a a"),
        (update(a=(1, 2)), replacing(a=(1, 2)), "x.a"),
        (update(a=(1, 2)), delete(a=1), "x.a"),
        (create(a=1), create(a=2), "x.a a"),
        (create(a=1), replacing(a=(0, 1)), "x.a"),
        (replacing(a=(1, 2)), create(a=2), "x.a"),
        (delete(id="1"), delete(id="2"), "x.a id"),
        (delete(id="1"), change(A, {"id": "1"}, None, "forget"), "x.a"),
        (create(unknown=["a"]), create(unknown=["b"], a=None), "x.a a"),
        (create(a=1), create(unknown=["a"]), "x.a a"),
        (
            change(A, {}, {}, "no-op", previous_address="x.p"),
            change(A, {}, {}, "no-op", previous_address="x.q"),
            "x.a",
        ),
        (
            change(A, {}, {}, "no-op", importing={"id": "1"}),
            change(A, {}, {}, "no-op", importing={"id": "2"}),
            "x.a",
        ),
    ],
)
def test_another_change_is_a_mismatch(approved: dict[str, Any], now: dict[str, Any], where: str) -> None:
    assert where in differing_paths(plan(approved), plan(now), "strict")
    assert where in differing_paths(plan(approved), plan(now), "upstream")


@pytest.mark.parametrize(
    "extra",
    [
        create(B, a=1),
        update(B, a=(1, 2)),
        delete(B, a=1),
        replacing(B, a=(1, 2)),
        change(B, {"a": 1}, None, "forget"),
    ],
)
@pytest.mark.parametrize("approval", ["strict", "upstream", "actions"])
def test_a_change_that_nobody_approved_is_a_mismatch(extra: dict[str, Any], approval: Approval) -> None:
    (where,) = differing_paths(plan(update(a=(1, 2))), plan(update(a=(1, 2)), extra), approval)
    assert where.startswith(B)


def test_what_goes_may_have_changed_by_itself() -> None:
    """A counter in an object that is deleted is no other deletion; another object is."""
    assert differing_paths(plan(delete(id="1", runs=3)), plan(delete(id="1", runs=4)), "strict") == []


def test_an_old_value_that_is_computed_anew_may_have_changed_by_itself() -> None:
    def stamped(etag: str) -> Digest:
        return plan(change(A, {"a": 1, "etag": etag}, {"a": 2}, after_unknown={"etag": True}))

    assert differing_paths(stamped("v1"), stamped("v2"), "strict") == []


def test_a_difference_reports_both_values_masked_and_why() -> None:
    digest = plan(update(a=(1, "to this"), password=("p", "open-sesame-1")))
    other = plan(update(a=(1, "to that"), password=("p", "open-sesame-2")))
    assert compare(digest, other) == (
        DigestDifference(A, "a", '"to this"', '"to that"', "this is not the value that was approved"),
        DigestDifference(
            A,
            "password",
            "(sensitive value)",
            "another (sensitive value)",
            "this is not the value that was approved",
        ),
    )
    (start,) = compare(plan(update(a=(1, 2))), plan(update(a=(0, 2))))
    assert (start.approved, start.now) == ("1 → 2", "0 → 2")
    (difference,) = compare(plan(update(a=(1, 2))), plan())
    assert (difference.approved, difference.now) == ("update", "no change")


# A change that is not there any more


def test_an_approved_change_may_be_missing_once_it_is_done() -> None:
    """The second half of an apply that failed in the middle."""
    approved = plan(create(A, unknown=["id"], a=1), create(B, b=2))
    half = plan(still(A, id="made", a=1), create(B, b=2))
    assert differing_paths(approved, half, "strict") == []
    otherwise = plan(still(A, id="made", a=7), create(B, b=2))
    assert differing_paths(approved, otherwise, "strict") == [A]
    assert differing_paths(approved, plan(create(B, b=2)), "strict") == [A]


def test_an_approved_deletion_may_be_missing_once_it_is_gone() -> None:
    approved = plan(delete(A, id="1"), update(B, a=(1, 2)))
    assert differing_paths(approved, plan(update(B, a=(1, 2))), "strict") == []
    assert differing_paths(approved, plan(still(A, id="1"), update(B, a=(1, 2))), "strict") == [A]


def test_what_was_not_known_at_the_approval_may_be_known_after_the_first_half() -> None:
    approved = plan(create(A, unknown=["id"]), create(B, unknown=["a"]))
    half = plan(still(A, id="made"), create(B, a="made"))
    assert differing_paths(approved, half) == []
    assert differing_paths(approved, half, "strict") == ["x.b a"]
    assert differing_paths(approved, half, reviewed=False) == ["x.b a"]


# Several pull requests


def test_each_change_must_equal_the_newest_approval_that_names_its_address() -> None:
    first, second = plan(update(a=(1, 2)), create(B, b=1)), plan(update(a=(1, 3)))
    assert differing_paths([first, second], plan(update(a=(1, 3)), create(B, b=1))) == []
    assert differing_paths([first, second], plan(update(a=(1, 2)), create(B, b=1))) == ["x.a a"]
    assert differing_paths([second, first], plan(update(a=(1, 2)), create(B, b=1))) == []
    both = plan(update(a=(1, 2), b=(1, 2)))
    assert differing_paths([plan(update(a=(1, 2))), plan(update(b=(1, 2)))], both) == ["x.a a"]


def test_each_approved_change_must_appear_or_have_become_empty() -> None:
    first, second = plan(update(a=(1, 2))), plan(create(B, b=1))
    assert differing_paths([first, second], plan(still(A, a=1), create(B, b=1))) == []
    assert differing_paths([first, second], plan(update(a=(1, 5)), create(B, b=1))) == ["x.a a"]
    assert differing_paths(
        [first, second], plan(update(a=(1, 2)), create(B, b=1), delete("x.c", id="1"))
    ) == ["x.c"]


def test_any_approved_lock_file_will_do_and_no_other() -> None:
    digest, two = plan(update(a=(1, 2)), lock_file="1"), plan(create(B, b=1), lock_file="2")
    now = plan(update(a=(1, 2)), create(B, b=1), lock_file="1")
    assert differing_paths([digest, two], now) == []
    assert differing_paths([digest, two], replace(now, lock_file="3")) == [".terraform.lock.hcl"]


def test_without_any_approval_everything_differs() -> None:
    assert differing_paths([], plan(update(a=(1, 2)), create(B, b=1))) == ["x.a a", "x.b"]


# Provisional


def provisional(*changes: dict[str, Any], **more: Any) -> Digest:
    return plan(*changes, provisional=["dev/net"], **more)


TOLERATED = [
    ("no-op becomes an update", [], [update(r=(1, 2))]),
    ("an update vanishes", [update(r=(1, 2))], [still(A, r=1)]),
    ("an update gains an attribute", [update(a=(1, 2))], [update(a=(1, 2), r=(1, 2))]),
    ("an update loses an attribute", [update(a=(1, 2), r=(1, 2))], [update(a=(1, 2))]),
    ("another value", [update(r=(1, 2))], [update(r=(1, 3))]),
    ("another value of what is made", [create(r=1, a=1)], [create(r=2, a=1)]),
    ("another value of what is made anew", [replacing(r=(1, 2))], [replacing(r=(1, 3))]),
    ("not known yet", [update(r=(1, 2))], [change(A, {"r": 1}, {}, after_unknown={"r": True})]),
]


@pytest.mark.parametrize(("name", "approved", "now"), TOLERATED, ids=[item[0] for item in TOLERATED])
def test_what_an_upstream_of_the_same_change_moves_may_differ(
    name: str, approved: list[dict[str, Any]], now: list[dict[str, Any]]
) -> None:
    was, digest = provisional(*approved), plan(*now)
    assert differing_paths(was, digest) == []
    # Not without a provisional approval, not when asked to be strict, not past code that nobody reviewed,
    # not when the attribute is made from something else.
    assert differing_paths(plan(*approved), digest)
    assert differing_paths(was, digest, "strict")
    assert differing_paths(was, digest, reviewed=False)
    assert compare(was, digest, reaches=lambda address, path: frozenset({"dev/db"}))
    assert compare(was, digest, reaches=None)


REFUSED = [
    ("create", [], [create(r=1)], "x.a"),
    ("delete", [], [delete(r=1)], "x.a"),
    ("replace", [], [replacing(r=(1, 2))], "x.a"),
    ("forget", [], [change(A, {"r": 1}, None, "forget")], "x.a"),
    ("move", [], [change(A, {"r": 1}, {"r": 2}, previous_address="x.p")], "x.a"),
    ("import", [], [change(A, {"r": 1}, {"r": 2}, importing={"id": "1"})], "x.a"),
    ("update that becomes a replace", [update(r=(1, 2))], [replacing(r=(1, 2))], "x.a"),
    ("update that becomes a delete", [update(r=(1, 2))], [delete(r=1)], "x.a"),
    ("create that vanishes", [create(r=1)], [], "x.a"),
    ("replace that becomes an update", [replacing(r=(1, 2))], [update(r=(1, 2))], "x.a"),
    ("one attribute that does not come from there", [], [update(r=(1, 2), a=(1, 2))], "x.a a"),
    ("an update that vanishes elsewhere", [update(r=(1, 2), a=(1, 2))], [still(A, r=1, a=1)], "x.a"),
    ("another object deleted", [delete(id="1", r=1)], [delete(id="2", r=1)], "x.a id"),
    ("another object", [update(A, r=(1, 2))], [still(A, r=1), create(B, r=2)], "x.b"),
]


@pytest.mark.parametrize(("name", "approved", "now", "where"), REFUSED, ids=[item[0] for item in REFUSED])
def test_an_upstream_excuses_no_more_than_updates_in_place(
    name: str, approved: list[dict[str, Any]], now: list[dict[str, Any]], where: str
) -> None:
    assert differing_paths(provisional(*approved), plan(*now)) == [where]


def test_a_provisional_approval_excuses_only_its_own_upstream() -> None:
    now = plan(update(r=(1, 2)))
    assert differing_paths(plan(provisional=["dev/db"]), now) == ["x.a r"]
    assert differing_paths([plan(provisional=["dev/net"]), plan(create(B, b=1))], now) == []


# Outputs


def test_outputs_are_part_of_what_is_approved() -> None:
    approved = plan(outputs={"o": output(1)})
    assert differing_paths(approved, plan(outputs={"o": output(1)}), "strict") == []
    assert differing_paths(approved, plan(outputs={"o": output(2)})) == ["output.o"]
    assert differing_paths(approved, plan(outputs={"o": output("1")})) == ["output.o"]
    assert differing_paths(approved, plan(outputs={"o": output([1])})) == ["output.o"]
    assert differing_paths(approved, plan(outputs={"o": output(1), "p": output(1)})) == ["output.p"]
    assert differing_paths(approved, plan()) == ["output.o"]
    assert (
        differing_paths(approved, plan(outputs={"o": {"actions": ["no-op"], "before": 1, "after": 1}})) == []
    )


def test_an_output_that_is_made_from_a_moved_one_may_differ_even_by_its_type() -> None:
    approved = provisional(outputs={"r": output("x")})
    assert differing_paths(approved, plan(outputs={"r": output(["x", "y"])})) == []
    assert differing_paths(provisional(), plan(outputs={"r": output(["x"])})) == []
    assert differing_paths(provisional(), plan(outputs={"o": output(["x"])})) == ["output.o"]


# Actions alone


def test_actions_ask_for_the_same_addresses_and_actions_only() -> None:
    approved = plan(update(a=(1, 2)), create(B, b=1), outputs={"o": output(1)})
    assert differing_paths(approved, plan(update(a=(5, 6), c=(1, 2)), create(B, b=9)), "actions") == []
    assert differing_paths(approved, plan(update(a=(1, 2)), replacing(B, b=(0, 1))), "actions") == [B]
    assert differing_paths(approved, plan(update(a=(1, 2)), delete("x.c", id="1")), "actions") == ["x.c"]


# Any plans


KINDS = st.sampled_from(["update", "create", "delete", "replace", "forget"])
CHANGES = st.dictionaries(
    st.sampled_from(["x.a", "x.b", "x.c"]),
    st.tuples(KINDS, st.integers(0, 2), st.integers(0, 2), st.booleans()),
    max_size=3,
)


def built(changes: dict[str, tuple[str, int, int, bool]], **more: Any) -> Digest:
    result = []
    for address, (kind, r, a, unknown) in changes.items():
        match kind:
            case "create":
                result.append(create(address, unknown=["u"] if unknown else [], r=r, a=a))
            case "update":
                result.append(update(address, r=(9, r), a=(9, a)))
            case "replace":
                result.append(replacing(address, r=(9, r), a=(9, a)))
            case _:
                result.append(change(address, {"id": str(a)}, None, kind))
    return plan(*result, **more)


@given(CHANGES, CHANGES)
def test_whatever_passes_holds_no_action_that_nobody_approved(
    approved: dict[str, tuple[str, int, int, bool]], now: dict[str, tuple[str, int, int, bool]]
) -> None:
    was, digest = built(approved, provisional=["dev/net"]), built(now)
    if compare(was, digest, reaches=reads_net):
        return
    for address, (kind, _, a, _) in now.items():
        assert (kind == "update" and address not in approved) or approved[address][0] == kind
        if address in approved:
            assert approved[address][2] == a, "only `r` is made from the upstream"
        else:
            raise AssertionError("an update of `a` that nobody approved")


@given(CHANGES, CHANGES)
def test_strict_is_the_strictest(
    approved: dict[str, tuple[str, int, int, bool]], now: dict[str, tuple[str, int, int, bool]]
) -> None:
    was, digest = built(approved, provisional=["dev/net"]), built(now)
    if not compare(was, digest, reaches=reads_net, approval="strict"):
        assert not compare(was, digest, reaches=reads_net, approval="upstream")
        assert not compare(was, digest, reaches=reads_net, approval="actions")
    assert compare(was, was, approval="strict") == ()
    assert (
        compare([empty_plan_digest("dev/app", lineage="L", lock_file=""), was], was, approval="strict") == ()
    )


# What may differ, and what a reader sees of a difference


def test_two_sides_of_a_difference_never_look_the_same() -> None:
    unknown = plan(outputs={"o": output(None, unknown=True)})
    long, longer = "x" * 300 + "a", "x" * 300 + "b"
    secret = update(password=("p1", "p2")), update(password=("p1", "p3"))
    cases = [
        (plan(update(input=(1, long))), plan(update(input=(1, longer))), True),
        (plan(secret[0]), plan(secret[1]), True),
        (plan(create(B, ["id"])), plan(create(B, ["id"])), False),
        (unknown, unknown, False),
    ]
    for approved, now, reviewed in cases:
        (difference,) = compare(approved, now, reviewed=reviewed)
        assert difference.approved != difference.now
        assert difference.why


def test_what_differs_between_two_plans_of_one_commit_is_volatile() -> None:
    first = plan(update(at=(1, 2), v=(1, 2)), create(B, x=1), outputs={"o": output("1")})
    second = plan(update(at=(1, 3), v=(1, 2)), delete(B, x=1), outputs={"o": output("2")})
    assert volatile_values(first, second) == (("output.o", ""), (A, "at"))
    assert volatile_values(first, first) == ()


def test_any_value_is_approved_of_what_the_approved_plan_calls_volatile_and_of_nothing_else() -> None:
    approved = replace(plan(update(at=(1, 2), v=(1, 2)), outputs={"o": output("1")}), volatile=((A, "at"),))
    assert not differing_paths(approved, plan(update(at=(1, 9), v=(1, 2)), outputs={"o": output("1")}))
    assert differing_paths(approved, plan(update(at=(1, 9), v=(1, 9)), outputs={"o": output("1")})) == [
        "x.a v"
    ]
    assert differing_paths(approved, plan(update(at=(1, 2), v=(1, 2)), outputs={"o": output("9")})) == [
        "output.o"
    ]
    assert differing_paths(approved, plan(replacing(at=(1, 9), v=(1, 2)), outputs={"o": output("1")})) == [
        "x.a"
    ]
    # A newer approval that names the address and calls nothing volatile is the one that counts.
    newer = plan(update(at=(1, 2), v=(1, 2)))
    assert differing_paths([approved, newer], plan(update(at=(1, 9), v=(1, 2)))) == ["x.a at"]
    whole = replace(approved, volatile=((A, "at"), ("output.o", "")))
    assert not differing_paths(whole, plan(update(at=(1, 9), v=(1, 2)), outputs={"o": output("9")}))


def test_what_trunk_s_rules_ignore_may_differ_but_no_removal() -> None:
    approved = plan(update(at=(1, 2)), delete(B, id="1"))
    now = plan(update(at=(1, 9)), delete(B, id="2"))
    assert differing_paths(approved, now, ignores=lambda address, path: True) == ["x.b id"]
    assert differing_paths(approved, now, ignores=lambda address, path: address == B) == ["x.a at", "x.b id"]


def test_repairs_must_be_among_those_that_were_approved() -> None:
    was, now = plan(create(a=1)), plan(create(a=1))
    repaired = replace(now, repairs=("its lock 7 is released", "a state is pushed"))
    (lock, state) = compare(was, repaired)
    assert (lock.now, state.now) == ("its lock 7 is released", "a state is pushed")
    assert compare(repaired, repaired) == ()
    # A lock that somebody released meanwhile need not be released.
    assert compare(repaired, replace(now, repairs=("a state is pushed",))) == ()
