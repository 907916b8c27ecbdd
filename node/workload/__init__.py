"""SPIFFE's Workload API: pods of the node are given certificates of their own by a socket (docs/decisions/0038)."""
