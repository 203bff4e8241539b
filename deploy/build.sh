#!/bin/sh
# Build the image of deploy/Containerfile where no registry of images is reached, on a base by debootstrap. Needs root,
# podman and debootstrap; some 5 minutes at first, of which the kernels take most. More arguments go to `podman build`.
#
#     deploy/build.sh [IMAGE] [--build-arg ...]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
image=${1:-localhost/stream-rec:latest}
[ $# -eq 0 ] || shift
base=localhost/stream-rec-python:bookworm
"$root/deploy/debian-base.sh" "$base" python3,python3-venv,ca-certificates
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/pyproject.toml")
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
# The network and the authorities are this machine's, for the build alone: nothing of them is in the image.
podman build --quiet --format docker --layers --network host --volume /etc/ssl/certs:/etc/ssl/certs:ro \
    --file "$root/deploy/Containerfile" --build-arg "BASE=$base" --build-arg "VERSION=$version" \
    --build-arg "REVISION=$revision" --tag "$image" "$@" "$root" >&2
echo "$image"
