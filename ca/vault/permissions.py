"""What `proa-ca` may do beside the rest while Vault signs its issuers: of the API server it wants no more. Pure."""

from typing import Final

from ca.permissions import WAITING

PERMISSIONS: Final = (WAITING,)
