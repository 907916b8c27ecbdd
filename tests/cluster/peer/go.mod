module proa.dev/tests/cluster/peer

go 1.26.0
