"""Settings: which value wins, and what an error says."""

from pathlib import Path

import pytest

from stream_rec.config import RENAMED, Settings, as_toml, load, override, redact, secret_sources
from stream_rec.errors import SettingsError
from stream_rec.kafka_settings import SECRETS, KafkaSettings
from stream_rec.runtime.sessions import AiokafkaTokens
from stream_rec.sink_settings import SinkSettings


def toml(folder: Path, text: str) -> Path:
    file = folder / "stream-rec.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_anything_the_defaults_hold():
    """Which work on a laptop."""
    assert load(environ={}) == Settings()


def test_the_later_source_wins(tmp_path):
    """Defaults, then the file, then variables, then flags."""
    file = toml(tmp_path, "[kafka]\npartitions = 2\ntopic_prefix = 'file.'\n[ranking]\nn = 5\n")
    environ = {"STREAM_REC_KAFKA_PARTITIONS": "3", "STREAM_REC_KAFKA_TOPIC_PREFIX": "variable."}

    settings = load(file, environ=environ, flags={"kafka.partitions": 4, "kafka.bootstrap": None})

    assert (settings.kafka.partitions, settings.kafka.topic_prefix, settings.ranking.n) == (4, "variable.", 5)
    assert settings.kafka.bootstrap == ""
    assert settings.kafka.topic("views") == "variable.views"


def test_a_variable_is_read_as_its_settings_type():
    """A shell knows only strings."""
    settings = load(
        environ={
            "STREAM_REC_WORKER_BATCH_WAIT_S": "0.5",
            "STREAM_REC_KAFKA_SSL_CHECK_HOSTNAME": "false",
            "STREAM_REC_KAFKA_SASL_PASSWORD": "123",
            "STREAM_REC_CONFIG": "names the file, is no setting",
            "PATH": "/bin",
        }
    )

    assert settings.worker.batch_wait_s == 0.5
    assert settings.kafka.ssl_check_hostname is False
    assert settings.kafka.sasl_password == "123"


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_renamed_setting_says_its_new_name(tmp_path: Path, old: str, new: str):
    """In a file and in a variable; the name that it gives is a setting, and the old one is none."""
    section, _, key = old.partition(".")
    names = redact(Settings())[section]
    assert new in names and key not in names
    with pytest.raises(SettingsError, match=rf"\[{section}\] {key} in .*toml: .* it is called {new} now"):
        load(toml(tmp_path, f"[{section}]\n{key} = 1\n"), environ={})
    with pytest.raises(SettingsError, match=f"it is called {new} now"):
        load(environ={f"STREAM_REC_{section}_{key}".upper(): "1"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[kafka]\npartition = 2\n", r"\[kafka\] partition in .*toml: there is no such setting; .*partitions"),
        ("[kafkaa]\npartitions = 2\n", r"there is no section 'kafkaa'; sections: kafka, broker"),
        ("partitions = 2\n", r"'partitions' in .*toml stands outside a \[section\]"),
        ("[kafka]\npartitions = 0\n", r"\[kafka\] partitions in .*toml: came 0: Expected `int` >= 1"),
        ("[kafka]\npartitions = '2'\n", r"\[kafka\] partitions in .*toml: came '2': Expected `int`, got `str`"),
        ("[user]\nrecent_events = 15\n", r"\[user\] recent_events in .*toml: came 15: Expected `int` >= 16"),
        ("[ranking]\ndiversity = 1.5\n", r"\[ranking\] diversity in .*: came 1.5: Expected `float` <= 1"),
        ("[kafka\n", "is not TOML"),
    ],
)
def test_an_error_in_a_file_says_where_and_what(tmp_path, text, complaint):
    """The key, the file, what came and what was expected."""
    with pytest.raises(SettingsError, match=complaint):
        load(toml(tmp_path, text), environ={})


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("STREAM_REC_KAFKA_PARTITIONS", "many", "variable STREAM_REC_KAFKA_PARTITIONS: came 'many'"),
        ("STREAM_REC_KAFKA_COLOUR", "red", "variable STREAM_REC_KAFKA_COLOUR: there is no such setting"),
        ("STREAM_REC_LIMITS_PAST_MS", "-5", "variable STREAM_REC_LIMITS_PAST_MS: came '-5'"),
        ("STREAM_REC_LIMITS_ID_BYTES", "0", "variable STREAM_REC_LIMITS_ID_BYTES: came '0'"),
        ("STREAM_REC_COLOUR", "red", "variable STREAM_REC_COLOUR: there is no section 'colour'"),
    ],
)
def test_an_error_in_a_variable_names_it(name, value, complaint):
    """A misspelt variable would otherwise be passed over in silence."""
    with pytest.raises(SettingsError, match=complaint):
        load(environ={name: value})


def test_an_error_in_a_flag_names_it():
    """As it was typed."""
    with pytest.raises(SettingsError, match="flag --batch-events: came 0"):
        override(Settings(), {"worker.batch_events": 0})


def test_a_missing_file_is_an_error(tmp_path):
    """A file that was asked for must be there."""
    with pytest.raises(SettingsError, match=r"none\.toml cannot be read: No such file"):
        load(tmp_path / "none.toml", environ={})


def test_a_file_that_is_not_text_is_an_error(tmp_path):
    """And not a stack trace."""
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SettingsError, match="is not TOML"):
        load(tmp_path / "bad.toml", environ={})


def test_secrets_are_not_shown():
    """Neither in what is printed nor in an error."""
    settings = load(environ={"STREAM_REC_KAFKA_SASL_PASSWORD": "hunter2"})
    assert redact(settings)["kafka"]["sasl_password"] == "(hidden)"
    assert redact(Settings())["kafka"]["sasl_password"] == ""
    assert "hunter2" not in as_toml(redact(settings))


def test_what_is_shown_of_secrets_can_be_read_again(tmp_path):
    """As a comment, which says where the secret comes from: `(hidden)` would be sent to the broker as a password."""
    settings = load(environ={"STREAM_REC_KAFKA_SASL_PASSWORD": "hunter2", "STREAM_REC_KAFKA_SASL_USERNAME": "ann"})
    sources = secret_sources(settings, None, {"STREAM_REC_KAFKA_SASL_PASSWORD": "hunter2"})
    file = toml(tmp_path, as_toml(redact(settings), sources))

    assert load(file, environ={}).kafka.sasl_username == "ann"
    assert load(file, environ={}).kafka.sasl_password == ""
    assert "# sasl_password = (hidden): set by variable STREAM_REC_KAFKA_SASL_PASSWORD" in file.read_text()


def test_a_secret_of_a_file_is_said_to_come_from_it(tmp_path):
    """Whoever copies the output knows where to look."""
    file = toml(tmp_path, "[kafka]\nssl_key_password = 'hunter2'\n")

    assert secret_sources(load(file, environ={}), file, {}) == {"kafka.ssl_key_password": str(file)}


def test_secrets_of_one_name_come_from_their_own_places(tmp_path):
    """Two sections have a `password` each."""
    file, environ = toml(tmp_path, "[registry]\npassword = 'hunter2'\n"), {"STREAM_REC_SINK_PASSWORD": "hunter3"}
    settings = load(file, environ=environ)
    shown = as_toml(redact(settings), secret_sources(settings, file, environ))

    assert f'[registry]\nurl = ""\nusername = ""\n# password = (hidden): set by {file}, ' in shown
    assert '[sink]\nurl = ""\n# password = (hidden): set by variable STREAM_REC_SINK_PASSWORD, ' in shown


@pytest.mark.parametrize("secret", sorted(SECRETS & set(KafkaSettings.__struct_fields__)))
def test_hidden_is_no_password(tmp_path, secret):
    """What an older `config show` printed is refused, with what to do."""
    with pytest.raises(SettingsError, match=rf"\[kafka\] {secret} in .*STREAM_REC_KAFKA_{secret.upper()}"):
        load(toml(tmp_path, f"[kafka]\n{secret} = '(hidden)'\n"), environ={})


@pytest.mark.parametrize(
    ("where", "named"),
    [("file", r"\[kafka\] bootstrap in"), ("flag", "flag --bootstrap"), ("variable", "STREAM_REC_KAFKA_BOOTSTRAP")],
)
def test_an_address_that_is_none_is_named_with_where_it_was_set(tmp_path, where, named):
    """Before anything is asked of it."""
    file = toml(tmp_path, "[kafka]\nbootstrap = 'host:99999'\n") if where == "file" else None
    environ = {"STREAM_REC_KAFKA_BOOTSTRAP": "host:99999"} if where == "variable" else {}

    with pytest.raises(SettingsError, match=rf"{named}.*'99999' is no port"):
        load(file, environ=environ, flags={"kafka.bootstrap": "host:99999"} if where == "flag" else {})


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("redis://:hunter2@cache:6379/0", "the URL holds a password.*STREAM_REC_SINK_PASSWORD"),
        ("postgresql://ann:hunter2@db,other:5433/shop", "the URL holds a password"),
        ("postgresql://db/shop?sslmode=require&password=hunter2", "the URL holds a password"),
        ("rediss://cache?ssl_password=hunter2", "the URL holds a password"),
        ("mysql://db/hunter2", r"expected redis://.*postgresql://.*begins with 'mysql'"),
        ("hunter2", "expected redis://"),
        ("redis://[hunter2", "expected redis://"),
    ],
)
def test_a_url_of_a_target_holds_no_password(tmp_path, url: str, complaint: str):
    """What is shown of settings, logged and said of errors holds none; this error repeats nothing of it."""
    for load_it, where in (
        (lambda: load(toml(tmp_path, f"[sink]\nurl = '{url}'\n"), environ={}), r"\[sink\] url in .*toml"),
        (lambda: load(environ={"STREAM_REC_SINK_URL": url}), "variable STREAM_REC_SINK_URL"),
        (lambda: override(Settings(), {"sink.url": url}), "flag --url"),
    ):
        with pytest.raises(SettingsError, match=rf"{where}: {complaint}") as raised:
            load_it()
        assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://cache",
        "rediss://ann@cache:6380/1?ssl_ca_certs=/ca.pem",
        "unix:///run/redis.sock",
        "postgres://db/x",
    ],
)
def test_a_url_of_a_target_is_taken_as_it_is(url: str):
    """The rest is for its library."""
    settings = load(environ={"STREAM_REC_SINK_URL": url, "STREAM_REC_SINK_PASSWORD": "hunter2"})

    assert (settings.sink.url, settings.sink.password) == (url, "hunter2")
    assert "hunter2" not in as_toml(redact(settings)) + repr(settings)


@pytest.mark.parametrize("table", ["lists; DROP", "a.b.c", "Lists", "", '"x"'])
def test_a_table_is_a_plain_name(table: str):
    """Perhaps with its schema."""
    assert override(Settings(), {"sink.table": "shop.lists"}).sink == SinkSettings(table="shop.lists")
    with pytest.raises(SettingsError, match="flag --table"):
        override(Settings(), {"sink.table": table})


def test_a_secret_of_the_wrong_type_is_not_shown(tmp_path):
    """The message says what was expected only."""
    with pytest.raises(SettingsError) as caught:
        load(toml(tmp_path, "[kafka]\nsasl_password = 4711\n"), environ={})
    assert "4711" not in str(caught.value)


def test_shown_settings_set_the_same_settings(tmp_path):
    """What `config show` prints can be saved and used."""
    settings = load(environ={"STREAM_REC_RANKING_N": "7", "STREAM_REC_KAFKA_SASL_USERNAME": 'a"b\\'})
    file = toml(tmp_path, as_toml(redact(settings)))

    assert load(file, environ={}) == settings


def test_client_options_hold_only_what_the_protocol_needs():
    """Without TLS there is no TLS context, without SASL no user."""
    plain = load(environ={"STREAM_REC_KAFKA_BOOTSTRAP": "a:1,b:2"}).kafka.client_options(AiokafkaTokens)
    assert plain == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}

    secured = override(
        Settings(),
        {"kafka.security_protocol": "SASL_SSL", "kafka.sasl_username": "u", "kafka.ssl_check_hostname": False},
    ).kafka.client_options(AiokafkaTokens)
    assert secured["sasl_plain_username"] == "u"
    assert secured["ssl_context"].check_hostname is False

    sasl_only = override(Settings(), {"kafka.security_protocol": "SASL_PLAINTEXT"}).kafka.client_options(AiokafkaTokens)
    assert "ssl_context" not in sasl_only
    assert "sasl_mechanism" in sasl_only


def test_a_certificate_that_cannot_be_read_is_an_error():
    """It names the settings to look at."""
    settings = override(Settings(), {"kafka.security_protocol": "SSL", "kafka.ssl_cafile": "/nowhere.pem"})

    with pytest.raises(SettingsError, match="ssl_cafile"):
        settings.kafka.ssl_context()


def test_surfaces_are_tables_and_are_written_as_they_are_read(tmp_path: Path):
    """What `config show` prints sets the same again; a wrong one is named, and where it stands."""
    text = """[surfaces.declared.garden]
base = "discover"
n = 12
categories = ["garden"]
attributes = {brand = "Acme"}
[surfaces.declared."new"]
base = "new"
n = 6
"""
    settings = load(toml(tmp_path, text), environ={})
    garden = settings.surfaces.declared["garden"]
    assert (garden.base, garden.n, garden.categories, garden.attributes) == (
        *("discover", 12, ("garden",)),
        {"brand": "Acme"},
    )
    assert load(toml(tmp_path, as_toml(redact(settings))), environ={}).surfaces == settings.surfaces

    for wrong, words in (
        ("[surfaces.declared.x]\nbase = 'nope'", "x.base: came 'nope': expected one of home, discover"),
        ("[surfaces.declared.'a b']\nbase = 'new'", "matching regex"),
        ("[surfaces.declared.x]\nbase = 'new'\nlength = 3", "x has no 'length'; it has "),
        ("[surfaces.declared.x]\nbase = 'new'\nprice_min = 3\nprice_max = 2", "price_min=3 is above price_max=2"),
        (
            "[surfaces.declared.x]\nbase = 'new'\nattribute_min = {size = 3}\nattribute_max = {size = 2}",
            "attribute_min of size=3 is above attribute_max=2",
        ),
        ("[surfaces.declared.x]\nbase = 'new'\nwithin_days = 2", "say which"),
        ("[surfaces.declared.x]\nbase = 'new'\nhad = ['like']", "x.had.0.: came 'like': expected one of view"),
        ("\n".join(f"[surfaces.declared.x{n}]\nbase = 'new'" for n in range(51)), "length <= 50"),
    ):
        with pytest.raises(SettingsError, match=words):
            load(toml(tmp_path, wrong), environ={})
