"""Proa without a cluster: injected pods run on one machine, each in a network namespace."""
