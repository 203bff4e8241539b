#!/bin/sh
# Run `pytest -m container`, but for what brings deploy/ up: tests/deploy/run.sh. A Docker engine that answers is used with the official image; where there is none,
# podman serves Docker's API on a socket of its own, with an image that is built here (root, no registry needed).
#
#     PYTHON=.venv/bin/python tests/containers/run.sh [pytest arguments]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
python=${PYTHON:-python3}

engine_answers() {
    "$python" -c "from testcontainers.core.docker_client import DockerClient; DockerClient().client.ping()" >/dev/null 2>&1
}

if engine_answers; then
    exec "$python" -m pytest -m container --ignore tests/deploy "$@"
fi

image=$(PYTHON=$python deploy/kafka/build.sh)
work=$(mktemp -d)
podman system service --time=0 "unix://$work/podman.sock" > "$work/service.log" 2>&1 &
service=$!
trap 'kill $service 2>/dev/null; wait $service 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export DOCKER_HOST="unix://$work/podman.sock"
export TESTCONTAINERS_RYUK_DISABLED=true
export TESTCONTAINERS_CONNECTION_MODE=docker_host
export STREAM_REC_BROKER_IMAGE="${STREAM_REC_BROKER_IMAGE:-${image%:*}}"

tries=0
until engine_answers; do
    tries=$((tries + 1))
    kill -0 $service 2>/dev/null && [ $tries -lt 50 ] || { echo "error: podman's service does not answer:" >&2; cat "$work/service.log" >&2; exit 2; }
    sleep 0.2
done
"$python" -m pytest -m container --ignore tests/deploy "$@"
