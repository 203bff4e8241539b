"""Which Kafka to use: the one that is named, else the one that we started for development."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from stream_rec.addresses import AddressError, addresses
from stream_rec.broker.data_dir import is_running, read_state
from stream_rec.client.reachable import REMEDY, require_answering
from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable, SettingsError


def external_bootstrap(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the address of a broker that is not ours, as settings or $KAFKA_BOOTSTRAP name it, or an empty string.

    Raises:
        SettingsError: the variable holds no addresses.
    """
    if settings.kafka.bootstrap:
        return settings.kafka.bootstrap
    named = environ.get("KAFKA_BOOTSTRAP", "")
    try:
        addresses(named)
    except AddressError as error:
        raise SettingsError(f"variable KAFKA_BOOTSTRAP: {error}") from error
    return named


def resolve_bootstrap(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return host:port,... of the brokers to use: the settings', else $KAFKA_BOOTSTRAP, else the one we started.

    Raises:
        BrokerUnavailable: nothing is named and ours does not run. Whether a named one answers is not asked here.
    """
    if external := external_bootstrap(settings, environ):
        return external
    data_dir = Path(settings.broker.data_dir).absolute()
    state = read_state(data_dir)
    if state is None or not is_running(state):
        raise BrokerUnavailable(f"no Kafka broker is named and none that was started in {data_dir} runs: {REMEDY}")
    return state.bootstrap


def find_broker(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with ``kafka.bootstrap`` filled in; raises what ``resolve_bootstrap`` raises."""
    kafka = msgspec.structs.replace(settings.kafka, bootstrap=resolve_bootstrap(settings, environ))
    return msgspec.structs.replace(settings, kafka=kafka)


def reach_broker(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return what ``find_broker`` returns, once it has answered; raises what ``require_answering`` raises, too."""
    settings = find_broker(settings, environ)
    require_answering(settings.kafka)
    return settings
