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
"$here/../debian-base.sh" "$base" openjdk-17-jre-headless,ca-certificates
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

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
