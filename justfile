# Each recipe is one line that works as well when typed by hand.

# start a switch with its data in ./switchlet-data
run *ARGS:
    go run . {{ARGS}}

# what a change must pass first
test:
    go test ./...

# the binary for this machine
build:
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o switchlet .

# static binaries for all boards, into dist/
cross:
    for t in amd64: arm64: arm:7 arm:6; do v=${t#*:}; CGO_ENABLED=0 GOOS=linux GOARCH=${t%:*} GOARM=$v go build -trimpath -ldflags "-s -w" -o dist/switchlet-linux-${t%:*}${v:+v$v} . || exit 1; done

# format, vet, staticcheck
lint:
    test -z "$(gofmt -l $(git ls-files '*.go'))" && go vet ./... && go run honnef.co/go/tools/cmd/staticcheck@v0.7.0 ./...

# calls from a browser, a SIP phone and an event socket client
interop:
    SWITCHLET_E2E=1 go test -tags e2e -count=1 -timeout 10m ./test/e2e/...

# the recorded cases; run.sh tells its arguments
conformance *ARGS:
    test/conformance/run.sh {{ARGS}}

# the load rig; writes bench.md and bench.json
bench *ARGS:
    test/bench/run.sh {{ARGS}}
