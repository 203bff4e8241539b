"""A stream runtime on Faust that knows no recommender: lift it out, and it serves another job.

It takes records in batches, keeps states in tables, and sends what they cause exactly once in effect, whoever is
killed, paused or cut off meanwhile. ``examples/count_words.py`` counts words on it. Besides this folder it needs
``errors``, ``kafka_settings`` with ``addresses``, ``oauth``, ``certificates`` and ``login_logs``, ``stop_signals``,
``private_folder`` and, of ``events``, ``codec``, ``partition`` and ``rejected``; ``tests/test_architecture.py`` holds
it to that.

    batch               the recipe: states, then sends, then the ack
    stage_buffer        what waits for a stage
    consumer            Faust's consumer, made lossless: no record is skipped when partitions move
    table               states by key: read, commit, sweep
    table_replica       a table's states for who only reads them
    takeover            a partition's changelog is read and claimed
    changelog_writer    what the owner writes; late writes of others are overwritten
    changelog_topic     the changelog as one process sees it
    changelog           whose records in it count: claims
    database, rocks     a partition's RocksDB, and what all databases have in common
    misplaced           keys in a partition where they do not belong
    topic_follower      whole topics into memory, and on
    mirror              their newest records on disk, for the next start
    assignment          tables follow the consumer group
    offsets             where a moment lies in a topic
    process             one process: start, ready, stop
    clients             apps, producers and readers from settings
    plain_producer      a producer of what may be lost
    sessions            their logins: tokens, and a new connection before one ends
    instance            one live process for each name and directory
    lease               nothing is sent by who may have been given up
    twin                two processes of one name
    watchdog            ends a process that hangs
    running_time        its clock: time with a CPU
    ending              last words, exit code
    clock               this machine's clock against the broker's
    newer_version       what a newer program wrote is refused
"""
