#!/bin/sh
# Write stream-rec.yaml, what the chart makes of its own values, for clusters without Helm. HELM names the program.
#
#     deploy/kubernetes/generate.sh [--set ... or --values FILE] > mine.yaml
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# Without a cluster Helm takes its own version for that of the cluster
made=$("${HELM:-helm}" template stream-rec "$here/../helm/stream-rec" --kube-version 1.31.0 --namespace stream-rec "$@")
cat <<'HEAD'
# Written by deploy/kubernetes/generate.sh from the chart deploy/helm/stream-rec: change that.
#
#     kubectl create namespace stream-rec
#     deploy/new-key.sh keys.toml shop read write
#     kubectl --namespace stream-rec create secret generic stream-rec-keys --from-file keys.toml
#     kubectl --namespace stream-rec apply --filename deploy/kubernetes/stream-rec.yaml
HEAD
printf '%s\n' "$made" | sed -e '/app.kubernetes.io\/managed-by: Helm/d' -e '/helm.sh\/chart:/d'
