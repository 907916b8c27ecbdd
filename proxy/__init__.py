"""Envoy configuration as pure functions over the mesh's values."""
