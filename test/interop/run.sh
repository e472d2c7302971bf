#!/usr/bin/env bash
# Runs the tests against programs that others wrote, after installing those that are
# missing: SIPp and baresip from Debian, modesl from npm. Arguments go to go test,
# such as -run SIPp or -v.
set -euo pipefail
cd "$(dirname "$0")"

missing=()
for pair in sipp:sip-tester baresip:baresip-core node:nodejs npm:npm; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    root=
    [ "$(id -u)" = 0 ] || root=sudo
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    $root apt-get update -q
    $root apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
if [ ! -d modesl/node_modules/modesl ]; then
    npm install --prefix modesl --no-audit --no-fund --no-package-lock
fi

# Thousands of connections have both ends in one process.
if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt 21000 ]; then
    ulimit -n 21000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
fi
# -mod=mod: a new dependency of the switch is one of ours too.
CGO_ENABLED=0 exec go test -mod=mod -count=1 -timeout 9m "$@" ./...
