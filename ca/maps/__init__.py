"""The door of ConfigMaps: the roots in each namespace that opted in, for whatever mounts no ClusterTrustBundle."""
