module proa.dev/tests/cluster/verify

go 1.26.0
