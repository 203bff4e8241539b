#!/bin/sh
# Writes server.properties from the KAFKA_* variables as the official image does (KAFKA_LOG_DIRS is log.dirs, __ stands
# for _ and ___ for -), formats the data directory once and becomes Kafka.
set -eu
cd /opt/kafka
env | sed -n '
    /^KAFKA_HEAP_OPTS=/d
    /^KAFKA_OPTS=/d
    s/^KAFKA_\([A-Z0-9_]*\)=\(.*\)/\1\
\2/p
' | while read -r name && IFS= read -r value; do
    key=$(echo "$name" | sed 's/___/-/g; s/__/%/g; s/_/./g; s/%/_/g' | tr '[:upper:]' '[:lower:]')
    echo "$key=$value"
done > server.properties

java=${JAVA:-java}
"$java" -cp 'libs/*' kafka.tools.StorageTool format --ignore-formatted --cluster-id="$CLUSTER_ID" -c server.properties
# shellcheck disable=SC2086  # options are words
exec "$java" ${KAFKA_HEAP_OPTS:-} ${KAFKA_OPTS:-} -Dorg.slf4j.simpleLogger.defaultLogLevel=info \
    -cp 'libs/*' kafka.Kafka server.properties
