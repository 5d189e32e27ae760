"""What a server's `/metrics` say about a phase: differences between its end and its beginning."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
"""Values by the sample's name and its labels, sorted."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Launches of one stage.

    Attributes:
        launches: how many.
        rows: in all of them.
        by_size: launches by the largest size that their bucket of the histogram holds; "+Inf" for
            those over the last bucket.
    """

    launches: int
    rows: int
    by_size: dict[str, int]

    @property
    def mean(self) -> float | None:
        """Rows of a launch; None without launches."""
        return self.rows / self.launches if self.launches else None


@dataclass(frozen=True, slots=True)
class ServerMetrics:
    """What a server did in a phase; other visitors' requests are in it, too.

    Attributes:
        batches: by stage ("encode", "decode").
        cache: look-ups of image embeddings by result ("hit", "miss", ...).
        rejected: requests refused before any work, by reason.
        cancelled: jobs whose caller left first, by stage.
    """

    batches: dict[str, Batches]
    cache: dict[str, int]
    rejected: dict[str, int]
    cancelled: dict[str, int]


def read_samples(text: str) -> Samples:
    """The samples of Prometheus' text format.

    Raises:
        ValueError: it is something else.
    """
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def difference(before: Samples, after: Samples) -> ServerMetrics:
    """What happened between two readings; a counter that began in between counts from 0."""
    grown = {key: value - before.get(key, 0.0) for key, value in after.items()}

    def by(name: str, label: str) -> dict[str, int]:
        sums: dict[str, int] = {}
        for (sample, labels), value in grown.items():
            if sample == name and value:
                group = dict(labels).get(label, "")
                sums[group] = sums.get(group, 0) + round(value)
        return sums

    launches, rows = (by(f"suresam_batch_size_{part}", "stage") for part in ("count", "sum"))
    return ServerMetrics(
        batches={
            stage: Batches(number, rows.get(stage, 0), _by_size(grown, stage))
            for stage, number in launches.items()
        },
        cache=by("suresam_cache_requests_total", "result"),
        rejected=by("suresam_rejected_total", "reason"),
        cancelled=by("suresam_cancelled_total", "stage"),
    )


def _by_size(grown: Samples, stage: str) -> dict[str, int]:
    up_to: dict[float, int] = {}
    for (sample, labels), value in grown.items():
        of = dict(labels)
        if sample == "suresam_batch_size_bucket" and of.get("stage") == stage:
            bound = float(of["le"])
            up_to[bound] = up_to.get(bound, 0) + round(value)
    sizes: dict[str, int] = {}
    below = 0
    for bound, number in sorted(up_to.items()):
        if number > below:
            sizes["+Inf" if bound == float("inf") else f"{bound:g}"] = number - below
        below = number
    return sizes
