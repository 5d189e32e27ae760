"""One kind of memory for image embeddings: the slots, and which embedding stands in which."""

from dataclasses import dataclass

from suresam.engine.arena import Arena, page_locked_slots_within, slots_within
from suresam.engine.slots import SlotTable
from suresam.segmentation.backbone import ImageEmbedding

DEVICE, HOST = "device", "host"

CacheKey = tuple[str, str]
"""Image key and model."""


@dataclass(frozen=True, slots=True, eq=False)
class Tier:
    """Slots in one kind of memory.

    Attributes:
        name: "device" or "host".
        arena: the memory.
        table: who stands where; the lock is its user's.
        slot_bytes: of one embedding.
    """

    name: str
    arena: Arena
    table: SlotTable[CacheKey]
    slot_bytes: int

    @property
    def size_bytes(self) -> int:
        """Memory of all embeddings in it."""
        return len(self.table) * self.slot_bytes


def device_tier(example: ImageEmbedding, budget_bytes: int, ttl_s: float) -> Tier:
    """Slots for embeddings like a given one, where it is."""
    num_slots = slots_within(example, budget_bytes)
    arena = Arena(example, num_slots)
    return Tier(DEVICE, arena, SlotTable(num_slots, ttl_s), example.size_bytes)


def host_tier(example: ImageEmbedding, budget_bytes: int, ttl_s: float) -> Tier:
    """Slots for embeddings like a given one, in host memory."""
    is_page_locked = example.image_embed.is_cuda
    slots = page_locked_slots_within if is_page_locked else slots_within
    num_slots = slots(example, budget_bytes)
    arena = Arena(example, num_slots, is_on_host=True)
    return Tier(HOST, arena, SlotTable(num_slots, ttl_s), example.size_bytes)
