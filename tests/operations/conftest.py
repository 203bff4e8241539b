"""What tests of operations share with those of the SDK."""

from tests.client.conftest import kafka  # noqa: F401
