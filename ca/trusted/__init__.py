"""Whom the mesh believes beside its own roots, told to the nodes' agents: other names, other trust domains, CRLs."""
