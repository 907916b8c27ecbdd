"""The xDS control plane: workloads to Envoy resources, and the doors by which Envoy gets them."""
