"""How Kubernetes spells names that end up in DNS, as regular expressions for a whole match. Pure."""

from typing import Final

LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
"""A namespace, for instance (RFC 1123 §2.1)."""
SUBDOMAIN: Final = r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
"""Most other objects' names; Kubernetes bounds the whole and not its labels (apimachinery's IsDNS1123Subdomain)."""
