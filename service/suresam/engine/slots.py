"""Which cached embedding stands in which slot, and who has to go. Pure: no tensors, no threads."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_PROTECTED_SHARE = 0.8
"""Of all slots, at most so many for images that were used again; the others are for newcomers."""


@dataclass(frozen=True, slots=True)
class SlotRef:
    """A slot as it is now: when it holds something else, its generation is another."""

    slot: int
    generation: int


@dataclass(slots=True, eq=False)
class _Entry:
    ref: SlotRef
    used_at: float
    user: object = None
    pins: int = 0


class SlotTable(Generic[K]):
    """A segmented LRU over a fixed number of slots.

    Newcomers are on probation; an entry that a second caller asks for is protected, so that
    uploads that are used once do not drive out images that somebody works on. The least recently
    used on probation goes first, and nobody goes while pinned.

    Source: Karedla, Love and Wherry (1994), "Caching strategies to improve disk system
    performance" (SLRU).

    Args:
        num_slots: how many there are.
        ttl_s: seconds without use after which an entry goes.
    """

    def __init__(self, num_slots: int, ttl_s: float) -> None:
        self.num_slots = num_slots
        self._ttl_s = ttl_s
        self._free: list[int] = []
        self._generations: list[int] = []
        self._probation: OrderedDict[K, _Entry] = OrderedDict()
        self._protected: OrderedDict[K, _Entry] = OrderedDict()

    def has(self, key: K, now: float) -> bool:
        """Whether an entry is here and has not expired."""
        return self._find(key, now) is not None

    def __len__(self) -> int:
        return len(self._probation) + len(self._protected)

    @property
    def has_free_slot(self) -> bool:
        """Whether a newcomer would drive nobody out."""
        return bool(self._free) or len(self._generations) < self.num_slots

    @property
    def num_pins(self) -> int:
        """Pins that are held."""
        return sum(e.pins for entries in self._segments for e in entries.values())

    def put(self, key: K, now: float) -> SlotRef | None:
        """A slot for a new entry; None where all are pinned.

        Args:
            key: of the entry, which is not here yet.
            now: monotonic seconds.
        """
        assert self._find(key, now) is None, "an entry is put once"
        if not self._free and not self._begin_slot() and not self._evict_one():
            return None
        slot = self._free.pop()
        ref = SlotRef(slot, self._generations[slot])
        self._probation[key] = _Entry(ref, now)
        return ref

    def pin(self, key: K, user: object, now: float) -> SlotRef | None:
        """Where an entry is, which stays there until `unpin`; None where it is not here.

        Args:
            key: of the entry.
            user: who asks; several pins of one user are one use.
            now: monotonic seconds.
        """
        entry = self._find(key, now)
        if entry is None:
            return None
        entry.pins += 1
        entry.used_at = now
        is_another = entry.user is not None and entry.user is not user
        entry.user = user
        if key in self._protected:
            self._protected.move_to_end(key)
        elif is_another:
            self._protect(key)
        else:
            self._probation.move_to_end(key)
        return entry.ref

    def next_out(self) -> tuple[K, float] | None:
        """Who goes for the next newcomer, and when it was last used; its slot is the newcomer's.

        None while a slot is free, and where all are pinned.
        """
        if self.has_free_slot:
            return None
        entries = (item for entries in self._segments for item in entries.items())
        return next(((key, entry.used_at) for key, entry in entries if not entry.pins), None)

    def unpin(self, key: K, ref: SlotRef) -> None:
        """Give a pin back; of an entry that was discarded in the meantime nothing is left to do."""
        entry = self._probation.get(key) or self._protected.get(key)
        if entry is None or entry.ref != ref:
            assert not self.is_current(ref), "pins and unpins are balanced"
            return
        assert entry.pins > 0, "pins and unpins are balanced"
        entry.pins -= 1

    def discard(self, key: K) -> None:
        """Take out an entry that could not be written, even if it is pinned."""
        if key in self._probation or key in self._protected:
            self._remove(key)

    def drop(self, key: K) -> None:
        """Take out an entry if it is here and nobody pins it."""
        entry = self._probation.get(key) or self._protected.get(key)
        if entry is not None and not entry.pins:
            self._remove(key)

    def is_current(self, ref: SlotRef) -> bool:
        """Whether a slot still holds what it held when the reference was made."""
        return self._generations[ref.slot] == ref.generation

    def expire(self, now: float) -> int:
        """Let go who expired; how many went. Who was protected for long may go a little later."""
        num_gone = 0
        for entries in self._segments:
            while entries:
                key, entry = next(iter(entries.items()))
                if entry.pins or not self._has_expired(entry, now):
                    break
                self._remove(key)
                num_gone += 1
        return num_gone

    @property
    def _segments(self) -> tuple["OrderedDict[K, _Entry]", "OrderedDict[K, _Entry]"]:
        """In the order in which they are evicted from."""
        return self._probation, self._protected

    def _find(self, key: K, now: float) -> _Entry | None:
        entry = self._probation.get(key) or self._protected.get(key)
        if entry is None or entry.pins or not self._has_expired(entry, now):
            return entry
        self._remove(key)
        return None

    def _has_expired(self, entry: _Entry, now: float) -> bool:
        return now - entry.used_at >= self._ttl_s

    def _protect(self, key: K) -> None:
        self._protected[key] = self._probation.pop(key)
        while len(self._protected) > max(1, int(_PROTECTED_SHARE * self.num_slots)):
            old, entry = self._protected.popitem(last=False)
            self._probation[old] = entry

    def _begin_slot(self) -> bool:
        """One that was never used, as long as there is one: memory is touched when it is needed."""
        slot = len(self._generations)
        if slot == self.num_slots:
            return False
        self._generations.append(0)
        self._free.append(slot)
        return True

    def _evict_one(self) -> bool:
        victim = self.next_out()
        if victim is not None:
            self._remove(victim[0])
        return victim is not None

    def _remove(self, key: K) -> None:
        entries = self._probation if key in self._probation else self._protected
        slot = entries.pop(key).ref.slot
        self._generations[slot] += 1
        self._free.append(slot)
