# Each recipe is one line that works as well when typed by hand.

# start a switch with its data in ./switchlet-data
run *ARGS:
    go run . {{ARGS}}

# what a change must pass first
test:
    go test ./...

# the binary for this machine
build:
    packaging/build.sh switchlet

# static binaries for all boards and their checksums, into dist/
cross:
    packaging/cross.sh

# Debian packages of what cross built, into dist/
deb VERSION="0.0.0":
    for t in amd64:amd64 arm64:arm64 armv7:armhf; do packaging/deb.sh dist/switchlet-linux-${t%:*} ${t#*:} {{VERSION}} dist || exit 1; done

# the page of what there is of FreeSWITCH, after a change of a table
compat:
    go run ./docs/compat

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
