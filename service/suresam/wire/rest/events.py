"""Server-sent events: the results of a request, one after the other, as lines of text."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from suresam.domain import PromptAnswer
from suresam.wire.rest.model import AnswerModel
from suresam.wire.rest.response import SegmentResponseBody

EVENT_STREAM = "text/event-stream"
"""Their media type."""


class DoneBody(AnswerModel):
    """The last event's data: every result has been told."""

    results: int = Field(description="How many there were.")


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it was read.

    Attributes:
        name: "result" or "done".
        id: of a result the prompt's index, else empty.
        data: JSON.
    """

    name: str
    id: str
    data: bytes

    def answer(self) -> PromptAnswer:
        """The answer that a result tells.

        Raises:
            ValueError: it does not have the documented form.
        """
        response = SegmentResponseBody.model_validate_json(self.data).to_domain()
        if len(response.results) != 1:
            raise ValueError(f"event {self.id!r} has {len(response.results)} results, not 1")
        return PromptAnswer(int(self.id), response)


def result_event(answer: PromptAnswer) -> bytes:
    """Write the answer to one prompt."""
    data = SegmentResponseBody.from_domain(answer.response).model_dump_json()
    return f"event: result\nid: {answer.index}\ndata: {data}\n\n".encode()


def done_event(num_results: int) -> bytes:
    """Write the end of the results."""
    return f"event: done\ndata: {DoneBody(results=num_results).model_dump_json()}\n\n".encode()


class EventReader:
    """Reads events from a body that arrives in pieces.

    Lines end where the bytes say so, not where `str.splitlines` does: JSON may hold line separators
    of Unicode unescaped. Comments and fields of other servers are passed over.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._fields: dict[str, bytes] = {}

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that this piece completes."""
        *ends, rest = piece.split(b"\n")
        for end in ends:
            line = bytes(self._line + end).removesuffix(b"\r")
            self._line.clear()
            if line:
                name, _, value = line.partition(b":")
                self._fields[name.decode(errors="replace")] = value.removeprefix(b" ")
            elif event := self._take():
                yield event
        self._line += rest

    def _take(self) -> Event | None:
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        name, event_id = (fields.get(key, b"").decode(errors="replace") for key in ("event", "id"))
        return Event(name, event_id, fields["data"])
