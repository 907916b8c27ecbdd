"""The PKI engine of Vault as the upstream: it signs the authority's issuers, whose keys stay here."""
