#!/bin/sh
# The least that each program of stream-rec needs on the broker. Written by `stream-rec topics acls`; run it as a super
# user of the cluster:
#
#     BOOTSTRAP=broker:9093 COMMAND_CONFIG=super.properties sh acls.sh
#
# KAFKA_ACLS names Kafka's tool where it is not on the path. The broker needs
# authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer. Nothing is taken away from anybody.
set -eu

allow() {
    "${KAFKA_ACLS:-kafka-acls.sh}" --bootstrap-server "$BOOTSTRAP" --command-config "$COMMAND_CONFIG" --add "$@"
}

# stream-rec-admin: runs `stream-rec topics create` and `topics check`
allow --allow-principal User:stream-rec-admin --operation Create --operation Describe \
    --operation DescribeConfigs --topic clicks --topic forget --topic head-weights --topic impressions \
    --topic item-embeddings --topic item-knowledge --topic item-signals --topic items --topic profiles \
    --topic purchases --topic receipts --topic recommendations --topic rejected --topic rules --topic searches \
    --topic status --topic surfaces --topic views --topic stream-rec-user-state-changelog \
    --topic stream-rec-item-state-changelog

# stream-rec-worker: runs `stream-rec worker`
allow --allow-principal User:stream-rec-worker --operation Describe --operation DescribeConfigs --topic clicks \
    --topic forget --topic head-weights --topic impressions --topic item-embeddings --topic item-knowledge \
    --topic item-signals --topic items --topic profiles --topic purchases --topic receipts \
    --topic recommendations --topic rejected --topic rules --topic searches --topic status --topic surfaces \
    --topic views --topic stream-rec-user-state-changelog --topic stream-rec-item-state-changelog
allow --allow-principal User:stream-rec-worker --operation Read --topic clicks --topic forget \
    --topic head-weights --topic impressions --topic item-embeddings --topic item-knowledge \
    --topic item-signals --topic items --topic profiles --topic purchases --topic recommendations --topic rules \
    --topic searches --topic surfaces --topic views --topic stream-rec-user-state-changelog \
    --topic stream-rec-item-state-changelog
allow --allow-principal User:stream-rec-worker --operation Write --topic head-weights --topic item-knowledge \
    --topic item-signals --topic profiles --topic receipts --topic recommendations --topic rejected \
    --topic rules --topic status --topic surfaces --topic stream-rec-user-state-changelog \
    --topic stream-rec-item-state-changelog
allow --allow-principal User:stream-rec-worker --operation Read --group stream-rec

# stream-rec-embedder: runs `stream-rec embedder`
allow --allow-principal User:stream-rec-embedder --operation Describe --operation DescribeConfigs \
    --topic clicks --topic forget --topic head-weights --topic impressions --topic item-embeddings \
    --topic item-knowledge --topic item-signals --topic items --topic profiles --topic purchases \
    --topic receipts --topic recommendations --topic rejected --topic rules --topic searches --topic status \
    --topic surfaces --topic views --topic stream-rec-user-state-changelog \
    --topic stream-rec-item-state-changelog
allow --allow-principal User:stream-rec-embedder --operation Read --topic item-embeddings --topic items
allow --allow-principal User:stream-rec-embedder --operation Write --topic item-embeddings --topic rejected \
    --topic status
allow --allow-principal User:stream-rec-embedder --operation Read --resource-pattern-type prefixed \
    --group embedder-

# stream-rec-ingest: runs `stream-rec ingest`, which reads the topics of [ingest.topics], too
allow --allow-principal User:stream-rec-ingest --operation Describe --operation DescribeConfigs --topic clicks \
    --topic forget --topic head-weights --topic impressions --topic item-embeddings --topic item-knowledge \
    --topic item-signals --topic items --topic profiles --topic purchases --topic receipts \
    --topic recommendations --topic rejected --topic rules --topic searches --topic status --topic surfaces \
    --topic views --topic stream-rec-user-state-changelog --topic stream-rec-item-state-changelog
allow --allow-principal User:stream-rec-ingest --operation Write --topic clicks --topic forget \
    --topic impressions --topic items --topic profiles --topic purchases --topic rejected --topic searches \
    --topic status --topic views
allow --allow-principal User:stream-rec-ingest --operation Read --group ingest

# stream-rec-events: an app that says what users do
allow --allow-principal User:stream-rec-events --operation Write --topic clicks --topic forget \
    --topic impressions --topic profiles --topic purchases --topic searches --topic views

# stream-rec-catalog: an app that says what items there are
allow --allow-principal User:stream-rec-catalog --operation Write --topic items

# stream-rec-lists: an app that shows lists
allow --allow-principal User:stream-rec-lists --operation Read --topic recommendations --topic surfaces \
    --topic items
allow --allow-principal User:stream-rec-lists --operation Describe --group stream-rec

# stream-rec-http: runs `stream-rec serve` that reads lists out
allow --allow-principal User:stream-rec-http --operation Read --topic recommendations --topic items
allow --allow-principal User:stream-rec-http --operation Write --topic views --topic clicks --topic purchases \
    --topic searches --topic impressions --topic profiles --topic items --topic forget --topic rules \
    --topic status

# stream-rec-http-ranking: runs `stream-rec serve` with `serve.ranks`: it reads what is known of every user, too
allow --allow-principal User:stream-rec-http-ranking --operation Read --topic recommendations --topic items \
    --topic item-embeddings --topic item-knowledge --topic head-weights --topic rules \
    --topic stream-rec-user-state-changelog
allow --allow-principal User:stream-rec-http-ranking --operation Write --topic views --topic clicks \
    --topic purchases --topic searches --topic impressions --topic profiles --topic items --topic forget \
    --topic rules --topic status

# stream-rec-dashboard: runs `stream-rec dashboard`: it reads what is known of every user, and writes rules and its status
allow --allow-principal User:stream-rec-dashboard --operation Read --topic recommendations --topic status \
    --topic rejected --topic items --topic item-embeddings --topic item-knowledge --topic head-weights \
    --topic rules --topic stream-rec-user-state-changelog
allow --allow-principal User:stream-rec-dashboard --operation Write --topic rules --topic status

# stream-rec-sink: runs `stream-rec sink`: it reads lists, and writes its status
allow --allow-principal User:stream-rec-sink --operation Read --topic recommendations --topic surfaces
allow --allow-principal User:stream-rec-sink --operation Write --topic status

# stream-rec-operator: a person who runs `stream-rec rejected`, `watch`, `rules`, `backfill` and `user forget`
allow --allow-principal User:stream-rec-operator --operation Read --topic views --topic clicks \
    --topic purchases --topic searches --topic impressions --topic profiles --topic items --topic rejected \
    --topic forget --topic recommendations --topic receipts --topic status
allow --allow-principal User:stream-rec-operator --operation Write --topic views --topic clicks \
    --topic purchases --topic searches --topic impressions --topic profiles --topic items --topic rejected \
    --topic forget
allow --allow-principal User:stream-rec-operator --operation Read --operation Write --topic rules
allow --allow-principal User:stream-rec-operator --operation Describe --topic item-signals
allow --allow-principal User:stream-rec-operator --operation Describe --group stream-rec

# stream-rec-export: runs `stream-rec snapshot export`, every night perhaps; it can write nothing
allow --allow-principal User:stream-rec-export --operation Read --topic items --topic rules \
    --topic item-embeddings --topic head-weights --topic recommendations --topic surfaces \
    --topic stream-rec-user-state-changelog --topic stream-rec-item-state-changelog
allow --allow-principal User:stream-rec-export --operation Describe --topic views --topic clicks \
    --topic purchases --topic searches --topic impressions --topic profiles --topic forget --topic item-signals
allow --allow-principal User:stream-rec-export --operation Describe --group stream-rec

# stream-rec-import: runs `stream-rec snapshot import`, once, before the first worker; it can read no record
allow --allow-principal User:stream-rec-import --operation Describe --operation DescribeConfigs --topic clicks \
    --topic forget --topic head-weights --topic impressions --topic item-embeddings --topic item-knowledge \
    --topic item-signals --topic items --topic profiles --topic purchases --topic receipts \
    --topic recommendations --topic rejected --topic rules --topic searches --topic status --topic surfaces \
    --topic views --topic stream-rec-user-state-changelog --topic stream-rec-item-state-changelog
allow --allow-principal User:stream-rec-import --operation Write --topic items --topic rules \
    --topic item-embeddings --topic head-weights --topic recommendations --topic surfaces \
    --topic stream-rec-user-state-changelog --topic stream-rec-item-state-changelog --topic item-knowledge
allow --allow-principal User:stream-rec-import --operation Describe --group stream-rec
