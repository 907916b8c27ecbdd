"""cert-manager as the upstream: it signs the authority's issuers, whose keys stay with the authority."""
