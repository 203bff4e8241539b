#!/bin/sh
# Build the image and bring the whole product up with podman, as deploy/compose.yaml has it: see test_compose.py.
# Needs root, podman and debootstrap, no registry of images. Images that are there are kept; STREAM_REC_IMAGE names one
# to test in place of the one that is built.
#
#     PYTHON=.venv/bin/python tests/deploy/run.sh [pytest arguments]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
export PYTHON="${PYTHON:-python3}"
deploy/tools.sh
KAFKA_IMAGE=${KAFKA_IMAGE:-$(deploy/kafka/build.sh)}
STREAM_REC_IMAGE=${STREAM_REC_IMAGE:-$(deploy/build.sh)}
export KAFKA_IMAGE STREAM_REC_IMAGE
exec "$PYTHON" -m pytest -m container tests/deploy "$@"
