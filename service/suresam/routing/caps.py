"""What single tenants are granted of larger members, beside the budget of all."""

from collections.abc import Callable

from suresam.routing.budget import Budget, BudgetTerms

ShareOf = Callable[[str], float | None]
"""Part of a tenant's requests that may go to larger members, 0 to 1; None is no cap."""


class Caps:
    """A budget for each tenant that has one. Used by the event loop alone.

    Args:
        share_of: may say something else at any time.
    """

    def __init__(self, share_of: ShareOf) -> None:
        self._share_of = share_of
        self._budgets: dict[str, tuple[float, Budget]] = {}

    def of(self, tenant: str) -> Budget | None:
        """The tenant's budget; one whose share changed begins anew."""
        share = self._share_of(tenant)
        if share is None:
            self._budgets.pop(tenant, None)
            return None
        granted, budget = self._budgets.get(tenant, (None, None))
        if budget is None or granted != share:
            budget = Budget(BudgetTerms(share))
            self._budgets[tenant] = (share, budget)
        return budget
