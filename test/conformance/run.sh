#!/usr/bin/env bash
# Plays the recorded cases against a switch of its own, built from this checkout,
# and holds the result against passing.txt: a listed case that does not pass is a
# failure. Usage:
#
#   test/conformance/run.sh            all cases
#   test/conformance/run.sh listed     only those of passing.txt
#   test/conformance/run.sh update     all, three times, and add what always passed
#
# Further arguments go to the runner: run.sh all -area lua -jobs 1
#
# SWITCHLET_FS_CONF  FreeSWITCH's stock configuration directory; default
#                    ../shared/vanilla beside the checkout, else what is built in
# SWITCHLET_BIN      a binary to use instead of building one
# SWITCHLET_LOG      where to leave the switch's log
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
list=$here/passing.txt
mode=${1:-all}
[ $# -gt 0 ] && shift
case $mode in all|listed|update) ;; *) sed -n '2,15p' "$0" >&2; exit 2 ;; esac

tmp=$(mktemp -d)
pid=
stop() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        pid=
    fi
    [ -n "${SWITCHLET_LOG:-}" ] && [ -f "$tmp/log" ] && cp "$tmp/log" "$SWITCHLET_LOG"
    rm -rf "$tmp"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The configuration: FreeSWITCH's stock tree with the suite's files over it, or the
# built-in one with an overlay. Either way the runner may write into it.
conf=${SWITCHLET_FS_CONF:-}
if [ -z "$conf" ] && [ -d "$top/../shared/vanilla" ]; then conf=$top/../shared/vanilla; fi
mkdir -p "$tmp/conf" "$tmp/data/scripts/conformance"
if [ -n "$conf" ]; then
    [ -f "$conf/freeswitch.xml" ] || { echo "conformance: $conf has no freeswitch.xml" >&2; exit 2; }
    cp -R "$conf/." "$tmp/conf/"
    chmod -R u+w "$tmp/conf"
    stock=yes tree=(--conf "$tmp/conf")
else
    stock=no tree=(--overlay "$tmp/conf")
fi
cp -R "$here/conf/." "$tmp/conf/"
cp "$here"/scripts/*.lua "$tmp/data/scripts/conformance/"

# The programs.
export CGO_ENABLED=0
bin=${SWITCHLET_BIN:-$tmp/switchlet}
[ -n "${SWITCHLET_BIN:-}" ] || (cd "$top" && go build -o "$bin" .)
(cd "$here" && go build -o "$tmp/conformance" .)

# Names of passing.txt: those marked "stock" need FreeSWITCH's own configuration.
awk -v stock=$stock '!/^#/ && NF && (stock == "yes" || $2 != "stock") { print $1 }' "$list" | sort -u >"$tmp/listed"
"$tmp/conformance" -list "$here/cases" | awk '/^P[0-9]/ { print $3 }' | sort -u >"$tmp/known"
awk '!/^#/ && NF { print $1 }' "$list" | sort | uniq -d >"$tmp/twice"
awk '!/^#/ && NF { print $1 }' "$list" | sort -u | comm -23 - "$tmp/known" >"$tmp/unknown"
if [ -s "$tmp/twice" ]; then echo "conformance: twice in passing.txt:" $(cat "$tmp/twice") >&2; exit 1; fi
if [ -s "$tmp/unknown" ]; then echo "conformance: in passing.txt but no such case:" $(cat "$tmp/unknown") >&2; exit 1; fi

# Every other case stands in missing.txt with the reason; that list may only shrink.
awk '!/^#/ && NF { print $1 }' "$here/missing.txt" | sort -u >"$tmp/missing"
if [ $stock = yes ]; then
    sort -u "$tmp/listed" "$tmp/missing" | comm -23 "$tmp/known" - >"$tmp/unnamed"
    if [ -s "$tmp/unnamed" ]; then echo "conformance: neither in passing.txt nor in missing.txt:" $(cat "$tmp/unnamed") >&2; exit 1; fi
fi

# The switch. Everything is on loopback, at ports that are free by chance: a taken
# one makes the start fail, and another is tried.
start() {
    local offset=$((1000 + RANDOM % 200 * 100))
    esl=$((8021 + offset)) sip=$((5060 + offset))
    "$bin" run --data "$tmp/data" "${tree[@]}" --port-offset "$offset" \
        --set local_ip_v4=127.0.0.1 --set local_ip_v6=::1 --set default_password=1234 --set allow_shell=true \
        --param event_socket.conf/listen-ip=127.0.0.1 \
        --param event_socket.conf/password=ClueCon --param event_socket.conf/stop-on-bind-error=true \
        </dev/null >"$tmp/log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 1
        if timeout 2 bash -c "exec 3<>/dev/tcp/127.0.0.1/$esl && head -c 12 <&3 >/dev/null" 2>/dev/null; then return 0; fi
        sleep 0.2
    done
    return 1
}
ready=no
for _ in 1 2 3; do
    if start; then ready=yes; break; fi
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
done
if [ $ready = no ]; then
    echo "conformance: the switch did not start; the end of its log:" >&2
    tail -n 40 "$tmp/log" >&2
    exit 1
fi

limits=()
if [ "$mode" = update ]; then limits=(-count 3); fi
if [ "$mode" = listed ]; then
    comm -23 "$tmp/known" "$tmp/listed" >"$tmp/skip"
    # One at a time: some cases read every event of the switch, those of other cases too.
    limits=(-skip "$tmp/skip" -jobs 1)
    echo "conformance: $(wc -l <"$tmp/listed") listed cases"
fi
status=0
timeout -k 10 "${CONFORMANCE_TIMEOUT:-900}" "$tmp/conformance" -json -esl "127.0.0.1:$esl" -sip "127.0.0.1:$sip" -password ClueCon \
    -conf "$tmp/conf" -scripts "$tmp/data/scripts" -log "$tmp/log" "${limits[@]}" "$@" "$here/cases" >"$tmp/result" || status=$?

sed -n 's/^{"name":"\([^"]*\)".*"status":"ok".*/\1/p' "$tmp/result" | sort -u >"$tmp/passed"
sed -n 's/^{"name":"\([^"]*\)".*"status":"FAIL".*/\1/p' "$tmp/result" | sort -u >"$tmp/failed"
comm -12 "$tmp/listed" "$tmp/failed" >"$tmp/broken"
comm -23 "$tmp/passed" "$tmp/failed" >"$tmp/always"
awk '!/^#/ && NF { print $1 }' "$list" | sort -u | comm -13 - "$tmp/always" >"$tmp/new"

# What failed, with the lines that the switch logged meanwhile.
if [ "$mode" = listed ]; then shown=$tmp/broken; else shown=$tmp/failed; fi
while read -r name; do
    grep -F "\"name\":\"$name\"," "$tmp/result" |
        sed -e 's/.*"detail":"\(.*\)"}$/\1/' -e 's/\\n/\n/g' -e 's/\\"/"/g' -e 's/\\u003c/</g' -e 's/\\u003e/>/g' -e 's/\\u0026/\&/g' -e 's/\\t/\t/g' -e 's/\\\\/\\/g' |
        sed -e "1s/^/FAIL $name: /" -e '2,$s/^/      /' || true
done <"$shown"

tail -n 1 "$tmp/result"
if ! tail -n 1 "$tmp/result" | grep -q '^{"failed":'; then
    echo "conformance: the run did not come to its end (status $status); the end of the switch's log:" >&2
    tail -n 40 "$tmp/log" >&2
    exit 1
fi
if ! kill -0 "$pid" 2>/dev/null; then
    echo "conformance: the switch ended during the run; the end of its log:" >&2
    tail -n 40 "$tmp/log" >&2
    exit 1
fi
if [ -s "$tmp/new" ]; then
    echo "conformance: $(wc -l <"$tmp/new") cases pass and are not in passing.txt"
    if [ "$mode" = update ]; then
        grep '^#' "$list" >"$tmp/update" || true
        { awk '!/^#/ && NF' "$list"; cat "$tmp/new"; } | sort >>"$tmp/update"
        cp "$tmp/update" "$list"
        echo "conformance: added"
    fi
fi
if [ -s "$tmp/broken" ]; then
    echo "conformance: $(wc -l <"$tmp/broken") listed cases fail:" $(cat "$tmp/broken") >&2
    exit 1
fi
echo "conformance: $(wc -l <"$tmp/always") pass, $(wc -l <"$tmp/failed") fail, none that is listed"
