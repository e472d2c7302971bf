module github.com/switchlet/switchlet/test/conformance

go 1.22
