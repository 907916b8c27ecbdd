"""Certificates that count no more before their end: who is on the list, and the CRLs that say so to Envoy."""
