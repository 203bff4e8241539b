#!/bin/sh
# Build the image and bring the whole product up with podman, as deploy/compose.yaml has it: see test_compose.py.
# Needs root, podman and debootstrap, no registry of images. PROGRAM_IMAGE names an image to test in place of the one
# that is built, whose kernels are for this machine's CPU alone, which is quicker.
#
#     PYTHON=.venv/bin/python tests/deploy/run.sh [pytest arguments]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
export PYTHON="${PYTHON:-python3}"
deploy/tools.sh
KAFKA_IMAGE=${KAFKA_IMAGE:-$(deploy/kafka/build.sh)}
if [ -z "${PROGRAM_IMAGE:-}" ]; then
    cpu=$("$PYTHON" -c 'from stream_rec.cpu import name_cpu; found = {}; name_cpu(found); print(found.get("NUMBA_CPU_NAME", ""))')
    PROGRAM_IMAGE=$(deploy/build.sh localhost/stream-rec:test --build-arg "CPUS=$cpu")
fi
export KAFKA_IMAGE PROGRAM_IMAGE
exec "$PYTHON" -m pytest -m container tests/deploy "$@"
