"""Kubernetes' CertificateSigningRequests: a door for pods that ask for their certificate by that API."""
