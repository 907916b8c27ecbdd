"""DER, as far as a leaf needs it: to frame a value, and to cut what is framed without reading it (X.690). Pure.

Reading a certificate is the library's work. This is for comparing its parts byte for byte, which costs a tenth of that
(docs/decisions/0033).
"""

from typing import Final

from proa.errors import Invalid

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
_LONG: Final = 0x80
"""Of a length's first octet: the rest of it counts the octets of the length (§8.1.3.5)."""
_MOST: Final = 3
"""Octets of a length: 16 MiB."""


def framed(tag: int, value: bytes) -> bytes:
    """The element of *tag* with this *value*."""
    length = len(value)
    if length < _LONG:
        return bytes((tag, length)) + value
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG | len(octets))) + octets + value


def value(element: bytes, tag: int) -> bytes:
    """What *element*, as `elements` cut it, frames. Raises Invalid if it is of another tag."""
    if not element or element[0] != tag:
        raise Invalid("DER", f"tag {element[0] if element else 'of nothing'}", f"tag {tag}")
    return element[2:] if element[1] < _LONG else element[2 + (element[1] & ~_LONG) :]


def elements(data: bytes) -> list[bytes]:
    """The elements that *data* is made of, each with its frame. Raises Invalid if anything is left over, or a length is
    written longer than it must be: DER has one way to write a value."""
    found, at, end = list[bytes](), 0, len(data)
    while at < end:
        after = at + 2 + data[at + 1] if end - at > 1 and data[at + 1] < _LONG else _after(data, at)
        if after > end:
            raise Invalid("DER", f"{end - at} octets", f"{after - at}, as their frame says")
        found.append(data[at:after])
        at = after
    return found


def only(data: bytes, tag: int) -> bytes:
    """The value of the one element of *tag* that *data* is. Raises Invalid."""
    match elements(data):
        case [element]:
            return value(element, tag)
        case several:
            raise Invalid("DER", f"{len(several)} elements", "one")


def _after(data: bytes, at: int) -> int:
    """Where the element that begins at *at*, which has a long length, ends."""
    start = at + 2 + (data[at + 1] & ~_LONG if at + 1 < len(data) else 0)
    octets = data[at + 2 : start]
    found = int.from_bytes(octets, "big")
    if not 1 <= len(octets) <= _MOST or octets[0] == 0 or found < _LONG or start > len(data):
        raise Invalid("DER", f"a length of the octets {octets.hex() or 'none'}", "the shortest that says it")
    return start + found
