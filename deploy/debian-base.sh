#!/bin/sh
# Make a base image of Debian by debootstrap, where no registry of images is reached; one that is there is kept.
# Needs root, podman and debootstrap.
#
#     deploy/debian-base.sh IMAGE PACKAGE,PACKAGE,...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
image=$1
for tool in podman debootstrap; do
    command -v "$tool" >/dev/null || { echo "error: $tool is not installed; on Debian: apt-get install podman runc crun iptables iproute2 netavark aardvark-dns debootstrap" >&2; exit 2; }
done
"$here/kafka/configure-podman.sh"
podman image exists "$image" && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "making $image with debootstrap" >&2
debootstrap --variant=minbase --include="$2" bookworm "$work/root" \
    > "$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
cd "$work/root"
rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* usr/share/doc/* usr/share/man/* usr/share/locale/* usr/share/info/*
tar -c . | podman import --quiet - "$image" >&2
