"""The interception installer: one value, rules as data, one table in the pod's network namespace."""
