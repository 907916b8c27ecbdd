"""The files of `manifests/`: the objects of an installation as YAML for kustomize, and as a Helm chart."""
