"""JWT-SVIDs: tokens that say who a workload is, where it can show no certificate (docs/decisions/0045)."""
