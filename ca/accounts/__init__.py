"""Citadel's door: a Secret with a key and a certificate for each service account, for pods that mount one."""
