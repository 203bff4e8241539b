#!/bin/sh
# The unit tests of what is committed here, on the Python of another Debian, in a folder that is gone afterwards: trixie
# has Python 3.13. Needs root and debootstrap, and takes some 6 minutes; what pip is told here counts there.
#
#     tests/python.sh [SUITE]
set -eu
suite=${1:-trixie}
root=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo "error: debootstrap needs root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "error: debootstrap is not installed (Debian: apt-get install debootstrap)" >&2; exit 2; }

debian=$(mktemp -d)
trap 'rm -rf --one-file-system "$debian"' EXIT
echo "making a Debian $suite" >&2
packages=python3,python3-venv,make,git,ca-certificates,openssl,libgomp1
debootstrap --variant=minbase --include=$packages "$suite" "$debian" >"$debian.log" 2>&1 ||
    { tail -n 20 "$debian.log" >&2; exit 1; }
rm "$debian.log"
for file in /etc/resolv.conf /etc/pip.conf "${SSL_CERT_FILE:-}" "${PIP_CERT:-}"; do
    [ -f "$file" ] || continue
    mkdir -p "$debian$(dirname "$file")"
    cp -L "$file" "$debian$file"
done
git clone --quiet "$root" "$debian/stream-rec"

# Mounts of a namespace of their own are gone with it, whatever happens
unshare --mount --fork sh -eu -c '
    mount -t proc proc "$0/proc"
    mount -t tmpfs tmpfs "$0/dev"
    mkdir "$0/dev/shm"
    for device in null zero random urandom; do touch "$0/dev/$device"; mount --bind "/dev/$device" "$0/dev/$device"; done
    ln -s /proc/self/fd "$0/dev/fd"
    exec chroot "$0" sh -eu -c "cd /stream-rec; python3 --version; make .venv/ready-full unit"
' "$debian"
