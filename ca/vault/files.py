"""What the authority's pods have for Vault, in files that the kubelet keeps. Pure."""

from typing import Final

DIRECTORY: Final = "/var/run/secrets/proa.dev/vault"
TOKEN: Final = "token"  # noqa: S105 - a file's name
"""Of the ServiceAccount, for Vault alone."""
CA: Final = "ca.crt"
"""By which its certificate is verified; absent where that is the image's matter."""
