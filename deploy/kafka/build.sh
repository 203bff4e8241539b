#!/bin/sh
# Build localhost/stream-rec-kafka:VERSION without any image registry: a Debian base by debootstrap, Kafka's jars by
# the same function as `stream-rec broker start`. Needs root, podman and debootstrap, and a Python with the extra
# `broker` (PYTHON). About 2 minutes; the base is kept, so a second build takes seconds.
#
#     deploy/kafka/build.sh [VERSION]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
version=${1:-$("$python" -c 'from stream_rec.config import BrokerSettings; print(BrokerSettings().kafka_version)')}
base=localhost/stream-rec-jre:bookworm
for tool in podman debootstrap; do
    command -v "$tool" >/dev/null || { echo "error: $tool is not installed; on Debian: apt-get install podman runc crun iptables iproute2 netavark aardvark-dns debootstrap" >&2; exit 2; }
done
"$here/configure-podman.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! podman image exists "$base"; then
    echo "making $base with debootstrap" >&2
    debootstrap --variant=minbase --include=openjdk-17-jre-headless,ca-certificates bookworm "$work/root" \
        > "$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
    rm -rf "$work/root/var/cache/apt/archives"/*.deb "$work/root/var/lib/apt/lists"/*
    tar -C "$work/root" -c . | podman import --quiet - "$base" >&2
fi

mkdir "$work/context" "$work/context/libs"
cp "$here/Containerfile" "$here/entrypoint.sh" "$work/context/"
"$python" - "$version" "$work/context/libs" <<'PYTHON'
import shutil, sys

from stream_rec.broker.jars import kafka_jars

for jar in kafka_jars(sys.argv[1]):
    shutil.copy(jar, sys.argv[2])
PYTHON
podman build --quiet --format docker --tag "localhost/stream-rec-kafka:$version" "$work/context" >&2
echo "localhost/stream-rec-kafka:$version"
