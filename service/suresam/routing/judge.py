"""The whole decision about one answer: what the policy wants, and whether the budget allows it."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from suresam.domain import RouteRequest
from suresam.routing.budget import Budget, BudgetTerms, Claim
from suresam.routing.decision_log import Decided, Event, Observer, Spent, Started
from suresam.routing.policy import BUDGET, KEY_BUDGET, Bounds, Decision, Evidence, decide


class Cap(Protocol):
    """One tenant's share, as a `Budget` keeps it."""

    def admits(self, claim: Claim, /) -> bool: ...  # noqa: D102  (as Budget)

    def count(self, claim: Claim, /, is_escalated: bool) -> None: ...  # noqa: D102


class Judge:
    """Decides about one answer after the other. Knows neither clock nor engine: the same evidence
    in the same order gives the same decisions.

    Args:
        members: names, cheapest first.
        bounds: of a decision.
        terms: of the budget for all decisions.
        observer: is told every event, or None.
    """

    def __init__(
        self,
        members: Sequence[str],
        bounds: Bounds,
        terms: BudgetTerms,
        observer: Observer | None = None,
    ) -> None:
        self._bounds = bounds
        self._budget = Budget(terms)
        self._observer = observer
        self._numbers = itertools.count()
        self._tell(Started(tuple(members), bounds, terms))

    def judge(self, evidence: Evidence, route: RouteRequest, cap: Cap | None = None) -> Decided:
        """Whether a larger member is asked. To be called once about every answer.

        Args:
            evidence: about the answer at hand.
            route: what the caller wants; its mode is auto.
            cap: on what the caller's tenant is granted, or None.
        """
        wish = decide(evidence, route, self._bounds)
        decision = self._within_budget(evidence, wish, cap) if evidence.gains else wish
        decided = Decided(next(self._numbers), evidence, route, wish.model, decision)
        self._tell(decided)
        return decided

    def settle(self, decided: Decided, spent_ms: float, error: str | None = None) -> None:
        """What became of a decision to ask a larger member.

        Args:
            decided: the decision.
            spent_ms: device milliseconds that it took; 0 if it did not answer.
            error: code of the error that it answered with; None if its answer is given.
        """
        model = decided.decision.model
        assert model is not None, "only who was asked can have spent anything"
        self._budget.settle(_price_ms(decided.evidence, model), spent_ms)
        self._tell(Spent(decided.number, spent_ms, error))

    def _within_budget(self, evidence: Evidence, wish: Decision, cap: Cap | None) -> Decision:
        gain = math.inf if wish.expected_gain is None else wish.expected_gain
        # Of somebody who stays the budget takes note as well: with the member that gains most.
        model = wish.model or max(evidence.gains, key=lambda name: evidence.gains[name])
        claim = Claim(gain, _price_ms(evidence, model), evidence.spent_ms)
        is_granted = cap is None or cap.admits(claim)
        is_escalated = wish.model is not None and is_granted and self._budget.admits(claim)
        self._budget.count(claim, is_escalated)
        if cap is not None:
            cap.count(claim, is_escalated)
        if wish.model is None or is_escalated:
            return wish
        return Decision(None, BUDGET if is_granted else KEY_BUDGET, wish.expected_gain)

    def _tell(self, event: Event) -> None:
        if self._observer is not None:
            self._observer(event)


class _AsLogged:
    """A cap of which the log tells only what it said, since no tenants stand in it."""

    def __init__(self, decided: Decided) -> None:
        self._is_granted = decided.decision.reason != KEY_BUDGET

    def admits(self, _: Claim) -> bool:
        return self._is_granted

    def count(self, _: Claim, is_escalated: bool) -> None:
        pass


def replay(log: Iterable[Event]) -> Iterator[tuple[Decided, Decided]]:
    """Judge the evidence of a log again.

    Args:
        log: from a `Started` on, in the order in which it was written.

    Yields:
        Each decision as it was logged, and as it is made now.

    Raises:
        ValueError: the log begins in the middle, or lacks a decision that something was spent on.
    """
    judge: Judge | None = None
    asked: dict[int, Decided] = {}
    for event in log:
        if isinstance(event, Started):
            judge, asked = Judge(event.members, event.bounds, event.budget), {}
        elif judge is None:
            raise ValueError(f"the log begins with an event {event.event!r}, not with 'started'")
        elif isinstance(event, Decided):
            if event.decision.model is not None:
                asked[event.number] = event
            yield event, judge.judge(event.evidence, event.route, _AsLogged(event))
        elif event.number in asked:
            judge.settle(asked.pop(event.number), event.spent_ms)
        else:
            raise ValueError(
                f"decision {event.number} has spent something, but the log has none of that number "
                "that asks a larger member"
            )


def _price_ms(evidence: Evidence, model: str) -> float:
    return evidence.costs_ms.get(model) or 0.0
