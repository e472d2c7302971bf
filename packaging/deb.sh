#!/usr/bin/env bash
# Makes a Debian package of a binary: the program, its systemd unit, its documents.
#
#   packaging/deb.sh BINARY ARCH VERSION OUTDIR     ARCH is Debian's: amd64, arm64, armhf
#
# SOURCE_DATE_EPOCH is the time of everything in it; else the last commit's.
set -euo pipefail
binary=$(realpath "${1:?usage: packaging/deb.sh BINARY ARCH VERSION OUTDIR}") arch=$2 version=${3#v} out=$(realpath -m "$4")
cd "$(dirname "$0")/.."
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022
install -D -m 755 "$binary" "$root/usr/bin/switchlet"
install -D -m 644 packaging/switchlet.service "$root/usr/lib/systemd/system/switchlet.service"
install -D -m 644 LICENSE "$root/usr/share/doc/switchlet/copyright"
install -m 644 README.md CHANGELOG.md "$root/usr/share/doc/switchlet/"
install -d "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<END
Package: switchlet
Version: $version
Architecture: $arch
Maintainer: Switchlet maintainers <https://github.com/switchlet/switchlet>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Section: comm
Priority: optional
Homepage: https://github.com/switchlet/switchlet
Description: telephone switch in one static file
 It answers SIP phones, browsers and carriers, mixes and records their sound,
 runs Lua scripts on SQLite, and obeys the event socket. It reads FreeSWITCH's
 configuration and speaks its event socket, its Verto and its command texts.
END
cat >"$root/DEBIAN/postinst" <<'END'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ "$1" = configure ] && [ -n "$2" ]; then
        systemctl try-restart switchlet.service
    else
        echo "switchlet: start it with \"systemctl enable --now switchlet\"; the first passwords are in \"journalctl -u switchlet\""
    fi
fi
END
cat >"$root/DEBIAN/prerm" <<'END'
#!/bin/sh
set -e
if [ -d /run/systemd/system ] && [ "$1" = remove ]; then
    systemctl disable --now switchlet.service || true
fi
END
chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/switchlet_${version}_$arch.deb"
