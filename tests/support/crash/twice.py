"""Two applies of one stack at the same moment: one at a time, and none is lost."""

from __future__ import annotations

from tests.support.crash.lab import YES, CrashLab, finished
from tests.support.crash.verdict import RoundVerdict

STACK = "dev/jobs"
# Done, or somebody else is at it.
CODES = (0, 6)


def two_at_once(lab: CrashLab, skew: float = 0.0) -> RoundVerdict:
    """One round; `outcome` is the two exit codes. The bucket's clock is `skew` seconds ahead."""
    verdict = RoundVerdict()
    with lab.round(skew=skew) as round_:
        both = [round_.start("apply", STACK, *YES, "--json") for _ in range(2)]
        done = [finished(child) for child in both]
        codes = sorted(each.code for each in done)
        output = "\n".join(each.out + each.err for each in done)
        verdict.outcome = " and ".join(map(str, codes))
        verdict.insist(codes[0] == 0 and codes[1] in CODES, f"exit codes {codes}\n{output}")
        results = sorted(each.document["stacks"][0]["result"] for each in done)
        verdict.insist(results.count("applied") == 1, f"not exactly one applied: {results}\n{output}")
        topics = {f"google_pubsub_topic/projects/lab/topics/{name}" for name in ("job", "nightly")}
        verdict.insist(
            topics <= round_.exists() & round_.known(), f"something is lost: {round_.known()}\n{output}"
        )
        verdict.insist(max(round_.effects.created.values()) == 1, f"made twice: {round_.effects}")
        verdict.insist(max(round_.effects.changed.values()) == 1, f"changed twice: {round_.effects}")
        verdict.insist(not round_.effects.idle and not round_.effects.refused, f"twice: {round_.effects}")
        verdict.insist(not round_.locks(), "still locked")
        entry = round_.entries()[STACK]
        verdict.insist(
            entry["operation"] is None and entry["result"] in ("applied", "unchanged"), f"recorded: {entry}"
        )
        generation = round_.objects("dev/state/")["dev/state/jobs/default.tfstate"]
        verdict.insist(entry["state_generation"] == generation, f"recorded another state: {entry}")
    return verdict
