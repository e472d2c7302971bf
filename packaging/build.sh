#!/usr/bin/env bash
# Builds one static binary; the same commit gives the same bytes, in any directory
# and on any machine with the same Go.
#
#   packaging/build.sh OUT [ARCH [ARM]]     packaging/build.sh dist/switchlet arm 7
set -euo pipefail
out=$(realpath -m "${1:?usage: packaging/build.sh OUT [ARCH [ARM]]}")
cd "$(dirname "$0")/.."
mkdir -p "$(dirname "$out")"
CGO_ENABLED=0 GOOS=linux GOARCH=${2:-$(go env GOARCH)} GOARM=${3:-} \
    go build -trimpath -buildvcs=auto -ldflags '-s -w -buildid=' -o "$out" .
