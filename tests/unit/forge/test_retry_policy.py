"""How long is waited before a request is made again, and when nobody asks any more."""

from __future__ import annotations

import pytest

from orchestrator.forge.retry_policy import RequestFailure, RetryPolicy

NOW = 1_800_000_000.0
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"  # NOW


def retry_policy(total: float = 120.0, chance: float = 0.0) -> RetryPolicy:
    return RetryPolicy(
        total=total, clock=lambda: 0.0, now=lambda: NOW, sleep=lambda _: None, chance=lambda: chance
    )


@pytest.mark.parametrize("status", [400, 401, 404, 409, 410, 422, 451])
def test_what_will_not_change_is_not_requested_again(status: int) -> None:
    assert retry_policy().pause(RequestFailure(status, "no"), 0, 0.0) is None


def test_a_403_is_final_unless_it_is_a_limit() -> None:
    final = RequestFailure(403, "Resource not accessible by integration", {"x-ratelimit-remaining": "4999"})
    assert not final.is_passing
    limits = (
        RequestFailure(403, "You have exceeded a secondary rate limit. Please wait a few minutes."),
        RequestFailure(403, "API rate limit exceeded for installation ID 1."),
        RequestFailure(403, "whatever", {"retry-after": "3"}),
        RequestFailure(403, "whatever", {"x-ratelimit-remaining": "0"}),
        RequestFailure(429, "Too many requests"),
    )
    assert all(limit.is_limit and limit.is_passing and not limit.is_lost for limit in limits)


@pytest.mark.parametrize("status", [0, 408, 500, 502, 503, 504])
def test_a_lost_answer_is_requested_again_with_growing_delays(status: int) -> None:
    failure = RequestFailure(status, "")
    assert failure.is_lost
    pauses = [retry_policy(chance=1.0).pause(failure, attempt, 0.0) for attempt in range(7)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_pauses_are_spread() -> None:
    assert retry_policy(chance=0.0).pause(RequestFailure(502, ""), 2, 0.0) == 2.0
    assert retry_policy(chance=0.5).pause(RequestFailure(502, ""), 2, 0.0) == 3.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:09 GMT"}, 9.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 20)}, 21.0),
        # The host's own clock counts: ours may be an hour off.
        (
            {
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str(int(NOW) - 3600 + 20),
                "date": "Fri, 15 Jan 2027 07:00:00 GMT",
            },
            21.0,
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) - 5), "date": DATE}, 1.0),
        # A reset is nothing to wait for while there is something left.
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(int(NOW) + 20)}, 60.0),
        ({}, 60.0),
        ({"retry-after": "soon"}, 60.0),
    ],
)
def test_a_rate_limit_is_obeyed_to_the_second(headers: dict[str, str], seconds: float) -> None:
    assert retry_policy().pause(RequestFailure(429, "", headers), 0, 0.0) == seconds


def test_a_limit_that_ends_later_than_our_retry_limit_is_not_waited_for() -> None:
    late = RequestFailure(403, "", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 3000)})
    assert retry_policy().pause(late, 0, 0.0) is None
    assert retry_policy(total=4000).pause(late, 0, 0.0) == 3001.0
    assert retry_policy().pause(RequestFailure(429, "", {"retry-after": "30"}), 0, 100.0) is None


def test_retries_end() -> None:
    assert retry_policy(total=10, chance=1.0).pause(RequestFailure(502, ""), 3, 2.0) == 8.0
    assert retry_policy(total=10, chance=1.0).pause(RequestFailure(502, ""), 3, 2.5) is None
