#!/usr/bin/env bash
# Tries the packages: the build repeats, the Debian package unpacks and runs, the
# image (where buildah is) holds what it should and runs.
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
dpkg -x "$work/a/$deb" "$work/root"
dpkg-deb --control "$work/a/$deb" "$work/control"
sh -n "$work/control/postinst" && sh -n "$work/control/prerm"
grep -q '^ExecStart=/usr/bin/switchlet run$' "$work/root/usr/lib/systemd/system/switchlet.service" || die "the unit starts another program"

echo "what was unpacked runs"
offset=$((1000 + RANDOM % 200 * 40))
STATE_DIRECTORY=$work/state "$work/root/usr/bin/switchlet" run --port-offset "$offset" --set local_ip_v4=127.0.0.1 >"$work/out" 2>&1 &
box=$!
for _ in $(seq 100); do
    if STATE_DIRECTORY=$work/state "$work/root/usr/bin/switchlet" health 2>/dev/null; then break; fi
    kill -0 "$box" 2>/dev/null || { cat "$work/out"; die "it ended by itself"; }
    sleep 0.2
done
STATE_DIRECTORY=$work/state "$work/root/usr/bin/switchlet" health || { cat "$work/out"; die "it is not well"; }
STATE_DIRECTORY=$work/state "$work/root/usr/bin/switchlet" cli -x 'status' | grep -q 'is ready' || die "the console does not find it"
kill -TERM "$box"
wait "$box" || die "it did not stop well"
box=

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
