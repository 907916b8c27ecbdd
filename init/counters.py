"""What the table counts, by name. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

INBOUND_CAPTURED: Final = "inbound_captured"
OUTBOUND_CAPTURED: Final = "outbound_captured"
DNS_CAPTURED: Final = "dns_captured"
INBOUND_EXCLUDED: Final = "inbound_excluded"
OUTBOUND_EXCLUDED: Final = "outbound_excluded"
INVALID_DROPPED: Final = "invalid_dropped"
UDP_DROPPED: Final = "udp_dropped"
FAMILY_DROPPED: Final = "family_dropped"
