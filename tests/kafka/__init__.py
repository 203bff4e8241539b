"""The pipeline as it runs: real Kafka, real processes."""

import pytest

pytest.register_assert_rewrite("tests.kafka.outcome")
