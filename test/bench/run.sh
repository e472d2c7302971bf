#!/usr/bin/env bash
# Runs the rig's suite against a switch built from this checkout, on loopback at the
# standard ports (the event socket moved to 18021), and writes bench.md and bench.json
# into the current directory. Arguments go to the suite:
#
#   test/bench/run.sh -limits
#   test/bench/run.sh -baseline test/bench/baseline.json -only relay
#
# SWITCHLET_FS_CONF  FreeSWITCH's stock configuration directory; default what is built in
# SWITCHLET_BIN      a binary to use instead of building one
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

mkdir -p "$tmp/conf" "$tmp/data"
tree="--overlay $tmp/conf"
if [ -n "${SWITCHLET_FS_CONF:-}" ]; then
    cp -R "$SWITCHLET_FS_CONF/." "$tmp/conf/"
    chmod -R u+w "$tmp/conf"
    tree="--conf $tmp/conf"
fi
cp -R "$here/fixtures/conf/." "$tmp/conf/"

export CGO_ENABLED=0
bin=${SWITCHLET_BIN:-$tmp/switchlet}
[ -n "${SWITCHLET_BIN:-}" ] || (cd "$top" && packaging/build.sh "$bin")
(cd "$here" && go build -o "$tmp/bench" .)

# The suite starts the switch by this command and stops it when it is done.
cmd="$bin run --data $tmp/data $tree --log warning \
--set local_ip_v4=127.0.0.1 --set local_ip_v6=::1 --set default_password=1234 \
--set sip_requests_per_address=1000000 --set sip_calls_per_address=1000000 \
--param event_socket.conf/listen-ip=127.0.0.1 --param event_socket.conf/listen-port=18021 \
--param event_socket.conf/password=ClueCon"
"$tmp/bench" suite -cmd "$cmd" -sip 127.0.0.1:5060 -esl 127.0.0.1:18021 -password ClueCon \
    -url ws://127.0.0.1:8081 -user 1000 -secret 1234 -out bench.md "$@"
