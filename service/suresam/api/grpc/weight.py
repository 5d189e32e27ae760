"""How many values a protobuf message holds, found without making them."""

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from suresam.errors import InvalidRequest

MOST_VALUES = 200_000
"""Of one message. Read, an empty prompt takes 40 times the two bytes that it is sent in."""

_LIGHT_BYTES = 2 * MOST_VALUES
"""No message of this size can hold more: a value has two bytes at least, or takes little."""

_WHOLE = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5


def check_weight(data: bytes, kind: Descriptor) -> None:
    """Refuse a message that would take many times its size in memory.

    Args:
        data: of the message, perhaps damaged: what cannot be followed is left to the decoder,
            which stops there as well.
        kind: of the message.

    Raises:
        InvalidRequest: it holds too many values, or a group, which no message of ours has.
    """
    if len(data) <= _LIGHT_BYTES:
        return
    num_values = 0
    open_parts = [(kind, 0, len(data))]
    while open_parts:
        part, at, end = open_parts.pop()
        while at < end:
            tag, at = _varint(data, at, end)
            wire = tag & 7
            if wire == _VARINT:
                _, at = _varint(data, at, end)
            elif wire == _DELIMITED:
                length, at = _varint(data, at, end)
                field = part.fields_by_number.get(tag >> 3)
                if field is not None and field.message_type is not None:
                    open_parts.append((field.message_type, at, min(at + length, end)))
                elif field is not None and field.is_repeated and field.type not in _WHOLE:
                    num_values += length
                at += length
            elif wire in (_FIXED64, _FIXED32):
                at += 8 if wire == _FIXED64 else 4
            else:
                raise InvalidRequest(f"the message cannot be read: wire type {wire}")
            num_values += 1
            if num_values > MOST_VALUES:
                raise InvalidRequest(f"the message has over {MOST_VALUES} values")


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            break
    raise InvalidRequest("the message cannot be read: a number does not end")
