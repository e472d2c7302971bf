#!/usr/bin/env bash
# Builds the static binaries for all boards into dist/, with their checksums.
set -euo pipefail
cd "$(dirname "$0")/.."
for target in amd64: arm64: arm:7 arm:6; do
    arch=${target%:*} arm=${target#*:}
    name=dist/switchlet-linux-$arch${arm:+v$arm}
    packaging/build.sh "$name" "$arch" "$arm"
    echo "$name $(($(stat -c %s "$name") / 1024)) kB"
done
cd dist
sha256sum switchlet-linux-amd64 switchlet-linux-arm64 switchlet-linux-armv7 switchlet-linux-armv6 >SHA256SUMS
