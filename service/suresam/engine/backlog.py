"""Work of requests in progress, and how long a newcomer would wait behind it."""

from collections import Counter
from collections.abc import Callable, Mapping

from suresam.engine.scheduler import DECODE, ENCODE

Rows = Mapping[tuple[str, str], int]
"""How many rows, by stage and model."""


class Backlog:
    """Counts rows from the moment their request is let in. Used by the event loop alone.

    Args:
        work_ms: device milliseconds of so many rows, by the cost table.
        encode_share: of the device's time that encodes get while decodes wait as well.
    """

    def __init__(self, work_ms: Callable[[Rows], float], encode_share: float) -> None:
        self._work_ms = work_ms
        self._encode_share = encode_share
        self._tenants: dict[str, Counter[tuple[str, str]]] = {}

    def add(self, tenant: str, rows: Rows) -> None:
        """Work of a tenant comes in."""
        self._tenants.setdefault(tenant, Counter()).update(rows)

    def remove(self, tenant: str, rows: Rows) -> None:
        """Work is done or given up."""
        left = self._tenants[tenant]
        left.subtract(rows)
        if not any(left.values()):
            del self._tenants[tenant]

    def total_ms(self) -> float:
        """Device milliseconds of everything."""
        return self._work_ms(self._all())

    def wait_ms(self, tenant: str, rows: Rows) -> float:
        """Milliseconds until the device would come to these rows of a tenant.

        Of another tenant's rows only as many go first as the tenant has itself: they take turns.
        Decodes wait for decodes, for the share of encodes that goes between, and for the encode
        that runs. Encodes wait for encodes, until their share of the device is enough for those
        before: decodes that come later pass them, and more than that share is not theirs. Of the
        decodes that are here no more pass them than that share lets by.
        """
        share = self._encode_share
        waits_ms = [0.0]
        if any(stage == ENCODE for stage, _ in rows):
            encodes_ms = self._work_ms(self._ahead(ENCODE, tenant, rows))
            own_ms = self._work_ms({key: n for key, n in rows.items() if key[0] == ENCODE})
            passing_ms = (encodes_ms + own_ms) * (1 - share) / share
            decodes_ms = min(self._work_ms(self._of(DECODE)), passing_ms)
            waits_ms.append(max(encodes_ms / share, encodes_ms + decodes_ms))
        if any(stage == DECODE for stage, _ in rows):
            decodes_ms = self._work_ms(self._ahead(DECODE, tenant, rows))
            encodes = self._of(ENCODE)
            running_ms = max((self._work_ms({key: 1}) for key in encodes), default=0.0)
            between_ms = decodes_ms * share / (1 - share) + running_ms
            waits_ms.append(decodes_ms + min(self._work_ms(encodes), between_ms))
        return max(waits_ms)

    def is_next(self, rows: Rows) -> bool:
        """Whether these rows wait for nobody but the launch that runs."""
        stages = {stage for stage, _ in rows}
        return not self._tenants if ENCODE in stages else not self._of(DECODE)

    def own_ms(self, rows: Rows) -> float:
        """Milliseconds that these rows take themselves."""
        return self._work_ms(rows)

    def _all(self) -> Rows:
        return sum(self._tenants.values(), Counter())

    def _of(self, stage: str) -> Rows:
        return {key: n for key, n in self._all().items() if key[0] == stage}

    def _ahead(self, stage: str, tenant: str, rows: Rows) -> Rows:
        """Rows of a stage that go before a tenant's new ones."""
        own = self._tenants.get(tenant, Counter())
        num_own = sum(n for counted in (own, rows) for key, n in counted.items() if key[0] == stage)
        ahead: Counter[tuple[str, str]] = Counter()
        for name, its in self._tenants.items():
            left = its.total() if name == tenant else num_own
            for key, n in its.items():
                if key[0] == stage:
                    ahead[key] += min(n, left)
                    left -= min(n, left)
        return ahead
