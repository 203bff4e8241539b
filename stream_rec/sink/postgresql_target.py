"""PostgreSQL as a target: one row a list, by topic and user; the bookmark in a table of its own, beside it.

Every change is one transaction that first turns the bookmark, which holds the bookmark's row until the end: who comes
later waits, finds another bookmark than expected, and changes nothing. Limits are those of each transaction and names
are not prepared, so that a PgBouncer may stand between.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from stream_rec.errors import SettingsError, TargetUnavailable
from stream_rec.events.slate import Slate
from stream_rec.sink.target import BookmarkChanged, Change, Turn
from stream_rec.sink_settings import SinkSettings

APPLICATION_NAME = "stream-rec-sink"
SWEPT_ROWS = 10_000
"""Looked at in one transaction."""
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")

_TABLE = """
CREATE TABLE IF NOT EXISTS {table} (
    topic text NOT NULL,
    user_id text NOT NULL,
    list_id text,
    generated_at timestamptz NOT NULL,
    items jsonb NOT NULL,
    value text NOT NULL,
    generation integer NOT NULL,
    PRIMARY KEY (topic, user_id)
)"""
_BOOKMARK = "CREATE TABLE IF NOT EXISTS {table} (id integer PRIMARY KEY CHECK (id = 1), bookmark text NOT NULL)"
_PUT = """
INSERT INTO {table} (topic, user_id, list_id, generated_at, items, value, generation)
VALUES (%s, %s, %s, %s, %s::jsonb, %s, %s)
ON CONFLICT (topic, user_id) DO UPDATE SET list_id = excluded.list_id, generated_at = excluded.generated_at,
    items = excluded.items, value = excluded.value, generation = excluded.generation"""
_DELETE = "DELETE FROM {table} WHERE topic = %s AND user_id = ANY(%s)"
_SWEEP = """
WITH part AS (
    SELECT user_id, generation FROM {table} WHERE topic = %(topic)s AND user_id > %(after)s
    ORDER BY user_id LIMIT %(rows)s
), gone AS (
    DELETE FROM {table} USING part
    WHERE {table}.topic = %(topic)s AND {table}.user_id = part.user_id AND part.generation < %(generation)s
)
SELECT max(user_id) FROM part"""


class PostgresqlTarget:
    """One table of one database, with its bookmark."""

    _connection: psycopg.Connection[tuple[Any, ...]] | None = None
    _wire: socket.socket | None = None
    """The same connection, for who cuts it."""

    def __init__(self, settings: SinkSettings) -> None:
        """Describe it; nothing connects yet."""
        self._settings = settings
        *schema, name = settings.table.split(".")
        self._tables = {"table": (*schema, name), "bookmark": (*schema, f"{name}_bookmark")}

    def open(self) -> None:
        """Connect, and make both tables where they are missing.

        Raises:
            SettingsError: the URL cannot be read, or the database is not in UTF-8.
        """
        self.close()
        settings = self._settings
        patience_s = max(2, int(settings.timeout_s))
        options: dict[str, Any] = {
            "connect_timeout": patience_s,
            "tcp_user_timeout": patience_s * 1000,
            "application_name": APPLICATION_NAME,
        }
        if settings.password:
            options["password"] = settings.password
        with _asking():
            try:
                self._connection = psycopg.connect(settings.url, autocommit=True, prepare_threshold=None, **options)
            except psycopg.ProgrammingError as error:
                raise SettingsError(f"sink.url cannot be used: {error}") from error
            self._wire = socket.socket(fileno=os.dup(self._connection.fileno()))
            with self._in_time() as connection:
                encoding = connection.info.parameter_status("server_encoding")
                if encoding != "UTF8":
                    raise SettingsError(f"the database of sink.url is in {encoding}: ids of users need one in UTF8")
                for kind, statement in (("table", _TABLE), ("bookmark", _BOOKMARK)):
                    # Who may not make tables may still write to those that somebody else has made.
                    [made] = (
                        connection.execute("SELECT to_regclass(%s)", (self._name(kind).as_string(),)).fetchone() or ()
                    )
                    if made is None:
                        connection.execute(sql.SQL(statement).format(table=self._name(kind)))

    def read_bookmark(self) -> bytes | None:
        """Return the bookmark; None where there is none yet."""
        with _asking(), self._in_time() as connection:
            row = connection.execute(self._sql("SELECT bookmark FROM {bookmark}")).fetchone()
        return None if row is None else row[0].encode()

    def begin(self, topic: str, turn: Turn) -> None:
        """Turn the bookmark: each row says of which generation it is."""
        with self._turning(turn):
            pass

    def write(self, changes: Sequence[Change], turn: Turn) -> None:
        """Put and delete rows with the bookmark."""
        rows = [_row_of(change) for change in changes if change.value is not None]
        gone = sorted((change for change in changes if change.value is None), key=attrgetter("topic"))
        with self._turning(turn) as connection:
            if rows:
                connection.cursor().executemany(self._sql(_PUT), rows)
            for topic, deletions in groupby(gone, key=attrgetter("topic")):
                connection.execute(self._sql(_DELETE), (topic, [change.user_id for change in deletions]))

    def sweep(self, topic: str, generation: int, turn: Turn) -> None:
        """Delete the rows of earlier generations, a part of the table at a time."""
        assert turn.before is not None  # that of the generation
        after: str | None = ""
        while after is not None:
            values = {"topic": topic, "after": after, "rows": SWEPT_ROWS, "generation": generation}
            with self._turning(Turn(turn.before, turn.before)) as connection:
                [after] = connection.execute(self._sql(_SWEEP), values).fetchone() or (None,)
        with self._turning(turn):
            pass

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        connection, self._connection = self._connection, None
        wire, self._wire = self._wire, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
        if wire is not None:
            wire.close()

    @contextmanager
    def _turning(self, turn: Turn) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Turn the bookmark, and do with it what is done in the context; neither where it is another by now."""
        with _asking(), self._in_time() as connection, connection.transaction():
            limit = str(int(self._settings.timeout_s * 1000))
            connection.execute(
                "SELECT set_config('statement_timeout', %(ms)s, true), set_config('lock_timeout', %(ms)s, true), "
                "set_config('idle_in_transaction_session_timeout', %(ms)s, true)",
                {"ms": limit},
            )
            if turn.before is None:
                statement = "INSERT INTO {bookmark} VALUES (1, %(after)s) ON CONFLICT DO NOTHING"
            else:
                statement = "UPDATE {bookmark} SET bookmark = %(after)s WHERE bookmark = %(before)s"
            values = {"after": turn.after.decode(), "before": (turn.before or b"").decode()}
            if connection.execute(self._sql(statement), values).rowcount != 1:
                raise BookmarkChanged
            yield connection

    @contextmanager
    def _in_time(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Give the connection, and cut it where the server, or what lies between, says nothing any more."""
        connection, wire = self._connection, self._wire
        if connection is None or wire is None or connection.closed:
            raise TargetUnavailable("there is no connection to PostgreSQL")
        cut = threading.Timer(2 * self._settings.timeout_s, _cut, (wire,))
        cut.daemon = True
        cut.start()
        try:
            yield connection
        finally:
            cut.cancel()

    def _name(self, kind: str) -> sql.Identifier:
        return sql.Identifier(*self._tables[kind])

    def _sql(self, statement: str) -> sql.Composed:
        return sql.SQL(statement).format(table=self._name("table"), bookmark=self._name("bookmark"))


def _row_of(change: Change) -> tuple[Any, ...]:
    """Return the row of a list; the items of pushed surfaces stand by the surfaces' names."""
    made, value = change.made, change.value
    assert made is not None and value is not None
    items = made.items if isinstance(made, Slate) else {each.surface: each.items for each in made.surfaces}
    return (
        change.topic,
        change.user_id,
        made.list_id if isinstance(made, Slate) else None,
        datetime.fromtimestamp(made.generated_at_ms / 1000, UTC),
        _without_nul(msgspec.json.encode(items)).decode(),
        value.decode(),
        change.generation,
    )


def _without_nul(items: bytes) -> bytes:
    """Return JSON without NUL, which may stand in words that a user has given, and which jsonb does not have."""
    # Looked for first: the pattern takes half a millisecond for a list.
    return _NUL.sub(rb"\1\\ufffd", items) if b"\\u0000" in items else items


def _cut(wire: socket.socket) -> None:
    """End a connection from outside: whoever waits for an answer on it has an error now."""
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)


@contextmanager
def _asking() -> Iterator[None]:
    """Have what goes wrong say so in our words."""
    try:
        yield
    except (psycopg.Error, OSError) as error:
        why = " ".join(str(error).split())
        raise TargetUnavailable(f"PostgreSQL does not do it: {type(error).__name__}: {why}") from error
