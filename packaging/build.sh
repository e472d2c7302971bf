#!/usr/bin/env bash
# Builds one static binary; the same commit gives the same bytes, in any directory
# and on any machine with the same Go.
#
#   packaging/build.sh OUT [ARCH [ARM]]     packaging/build.sh dist/switchlet arm 7
set -euo pipefail
out=$(realpath -m "${1:?usage: packaging/build.sh OUT [ARCH [ARM]]}")
cd "$(dirname "$0")/.."
mkdir -p "$(dirname "$out")"

# What keeps it small, over a megabyte together. HTTP/2 is left out: the web
# listeners offer HTTP/1.1 alone (WebSockets need it), and so does then what fetches
# sounds, scripts' pages and certificates. Functions of packages that no packet
# passes through are not copied into their callers (-l): handshakes, databases that
# are servers, the console.
flags=(-tags nethttpomithttp2)
for package in crypto/tls crypto/x509 database/sql encoding/gob net/http \
    github.com/chzyer/readline github.com/go-sql-driver/mysql github.com/jackc/pgx/v5/... \
    github.com/microsoft/go-mssqldb/... github.com/pion/dtls/v3/... github.com/pion/webrtc/v4 \
    golang.org/x/crypto/acme/...; do
    flags+=("-gcflags=$package=-l")
done

CGO_ENABLED=0 GOOS=linux GOARCH=${2:-$(go env GOARCH)} GOARM=${3:-} \
    go build -trimpath -buildvcs=auto "${flags[@]}" -ldflags '-s -w -buildid=' -o "$out" .
