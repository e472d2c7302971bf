#!/usr/bin/env bash
# Tries the packages: the build repeats, the Debian package is installed, runs, is
# upgraded and removed, its unit is confined; the image (where buildah is) holds what
# it should and runs. A call is made to its container by test/e2e.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
box=
cleanup() {
    if [ -n "$box" ]; then kill "$box" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap cleanup EXIT
die() { echo "packages: $*" >&2; exit 1; }

echo "the build repeats"
packaging/build.sh "$work/one"
packaging/build.sh "$work/two"
cmp "$work/one" "$work/two" || die "two builds of one commit differ"
"$work/one" version

echo "the Debian package"
arch=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=1700000000 packaging/deb.sh "$work/one" "$arch" 0.0.1 "$work/a"
SOURCE_DATE_EPOCH=1700000000 packaging/deb.sh "$work/one" "$arch" 0.0.1 "$work/b"
deb=switchlet_0.0.1_$arch.deb
cmp "$work/a/$deb" "$work/b/$deb" || die "two packages of one binary differ"
dpkg-deb --field "$work/a/$deb" Package Version Architecture
dpkg-deb --control "$work/a/$deb" "$work/control"
sh -n "$work/control/postinst" && sh -n "$work/control/prerm"

# try PROGRAM... starts the program, asks it how it is, and ends it.
try() {
    "$@" run --port-offset "$offset" --set local_ip_v4=127.0.0.1 >"$work/out" 2>&1 &
    box=$!
    for _ in $(seq 100); do
        if "$@" health 2>/dev/null; then break; fi
        kill -0 "$box" 2>/dev/null || { cat "$work/out"; die "it ended by itself"; }
        sleep 0.2
    done
    "$@" health || { cat "$work/out"; die "it is not well"; }
    "$@" cli -x 'status' | grep -q 'is ready' || die "the console does not find it"
    kill -TERM "$box"
    wait "$box" || die "it did not stop well"
    box=
}
offset=$((1000 + RANDOM % 200 * 40))
export STATE_DIRECTORY

if [ "$(id -u)" = 0 ]; then
    echo "it is installed, runs as nobody, is upgraded and removed"
    system=$work/system
    mkdir -p "$system/var/lib/dpkg/info" "$system/var/lib/dpkg/updates" "$system/etc" "$system/tmp" "$system/state"
    touch "$system/var/lib/dpkg/status"
    # what the package's scripts need of a system: a shell
    for file in /bin/sh $(ldd "$(readlink -f /bin/sh)" | grep -o '/[^ ]*'); do
        install -D "$(readlink -f "$file")" "$system$file"
    done
    chown 65534:65534 "$system/state"
    chmod 1777 "$system/tmp"
    chmod 755 "$work"
    dpkg --root="$system" --log="$work/dpkg.log" --install "$work/a/$deb"
    dpkg-query --admindir="$system/var/lib/dpkg" --show --showformat='${db:Status-Status}' switchlet | grep -qx installed || die "dpkg does not say installed"
    cmp "$system/usr/bin/switchlet" "$work/one" || die "another program is installed"
    STATE_DIRECTORY=/state
    try chroot --userspec=65534:65534 "$system" /usr/bin/switchlet
    [ "$(stat -c %u "$system/state/secrets.json")" = 65534 ] || die "the secrets belong to somebody else"
    SOURCE_DATE_EPOCH=1700000000 packaging/deb.sh "$work/one" "$arch" 0.0.2 "$work/a"
    dpkg --root="$system" --log="$work/dpkg.log" --install "$work/a/switchlet_0.0.2_$arch.deb"
    unit=$system/usr/lib/systemd/system/switchlet.service
else
    echo "it is unpacked and runs; installing it in a test wants root"
    dpkg -x "$work/a/$deb" "$work/root"
    STATE_DIRECTORY=$work/state
    try "$work/root/usr/bin/switchlet"
    unit=$work/root/usr/lib/systemd/system/switchlet.service
fi
grep -q '^ExecStart=/usr/bin/switchlet run$' "$unit" || die "the unit starts another program"
if command -v systemd-analyze >/dev/null; then
    # tenths: 20 is an exposure of 2.0, of 10
    systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" | tail -1 || die "the unit is not confined enough"
fi
if [ "$(id -u)" = 0 ]; then
    dpkg --root="$system" --log="$work/dpkg.log" --remove switchlet
    [ ! -e "$system/usr/bin/switchlet" ] || die "removing leaves the program"
    [ -e "$system/state/secrets.json" ] || die "removing takes the data"
fi

if ! command -v buildah >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "the image is left out: it wants buildah, and root"
    exit 0
fi
echo "the image"
mkdir -p "$work/context/dist"
cp Dockerfile LICENSE "$work/context/"
cp "$work/one" "$work/context/dist/switchlet-linux-$arch"
store=(--root "$work/store" --runroot "$work/run" --storage-driver vfs)
buildah "${store[@]}" bud --isolation chroot --format docker --build-arg TARGETARCH="$arch" --build-arg TARGETVARIANT= -q -t switchlet "$work/context"
made=$(buildah "${store[@]}" from switchlet)
mounted=$(buildah "${store[@]}" mount "$made")
cmp "$mounted/switchlet" "$work/one" || die "the image holds another file"
chroot "$mounted" /switchlet version
buildah "${store[@]}" inspect --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}}' "$made" | grep -qF '65532:65532 [/switchlet]' || die "user or entry point differ"
buildah "${store[@]}" umount "$made" >/dev/null
buildah "${store[@]}" rm "$made" >/dev/null
