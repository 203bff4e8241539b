#!/bin/sh
# Write the settings with which podman runs on a small root-only machine; files that are there are left as they are.
set -eu
mkdir -p /etc/containers
[ -e /etc/containers/containers.conf ] || cat > /etc/containers/containers.conf <<'CONF'
[containers]
# the defaults ask for more than is allowed
default_ulimits = ["nofile=10000:10000", "nproc=30000:30000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
[ -e /etc/containers/storage.conf ] || cat > /etc/containers/storage.conf <<'CONF'
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
CONF
