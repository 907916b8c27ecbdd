module proa.dev/benchmarks/bad_tokens

go 1.26
