"""The door for Istio's own clients: its gRPC protocol, by which a pod shows its token or its certificate."""
