"""The package runs no code that it reads, and no id becomes part of a path."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from stream_rec.config import Settings, load, override
from stream_rec.errors import SettingsError
from stream_rec.events import validate
from stream_rec.events.validate import Rejection
from stream_rec.runtime.instance import held_directory

PACKAGE = Path(__file__).parents[2] / "stream_rec"
MODULES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "telnetlib"}
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__", "input"),
    *("os.system", "os.popen", "tempfile.mktemp", "yaml.load", "yaml.unsafe_load", "torch.load"),
    *("ssl._create_unverified_context", "pd.read_pickle"),
}
IMPORTS_BY_NAME = {
    *("cli/group.py", "ranking/river_head.py", "evaluation/baselines/__init__.py"),
    *("compiled_kernels.py", "testing/pytest_plugin.py"),
}
"""From tables of our own, and the River model that a setting names."""


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` for such an expression, an empty string for any other."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def dangers(source: str) -> list[str]:
    """Return what in a source could run what it reads, reach a shell, or trust a stranger."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [name for name in names if name.partition(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.Call):
            called = dotted(node.func)
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            on = {name for name, value in given.items() if not isinstance(value, ast.Constant) or value.value}
            if called in FORBIDDEN_CALLS or on & {"shell", "allow_pickle", "trust_remote_code"}:
                found.append(called)
            if called.endswith("import_module"):
                found.append("import_module")
        elif isinstance(node, ast.Attribute) and node.attr in {"CERT_NONE", "CERT_OPTIONAL"}:
            found.append(node.attr)
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_runs_what_it_reads(path: Path):
    """No pickle, eval, exec, marshal, unsafe YAML or shell; certificates are always checked."""
    allowed = ["import_module"] if name_of(path) in IMPORTS_BY_NAME else []

    assert dangers(path.read_text(encoding="utf-8")) == allowed


@pytest.mark.parametrize(
    "source",
    [
        *("import pickle", "from marshal import loads", "eval('1')", "exec(text)", "import yaml; yaml.load(text)"),
        *(
            "np.load(file, allow_pickle=True)",
            "np.load(file, allow_pickle=yes)",
            "subprocess.run(line, shell=True)",
            "os.system(line)",
        ),
        *("AutoModel.from_pretrained(name, trust_remote_code=True)", "context.verify_mode = ssl.CERT_NONE"),
    ],
)
def test_the_scan_finds_what_it_looks_for(source: str):
    """Otherwise it would prove nothing."""
    assert dangers(source)


ELSEWHERE = ["..", ".", "../evil", "a/b", "/etc", "a\\b", "a\0b", "", "a b", "worker\n", "é", "x" * 101]


@pytest.mark.parametrize("setting", ["worker.instance_id", "worker.app_id", "embedder.instance_id"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_name_that_leads_elsewhere_is_refused(setting: str, name: str):
    """They become names of folders, topics and groups; the message says which setting, and what came."""
    with pytest.raises(SettingsError, match=setting.partition(".")[2].replace("_", "-")):
        override(Settings(), {setting: name})


@pytest.mark.parametrize("prefix", [name for name in ELSEWHERE if name and name.strip(".")])
def test_a_prefix_that_is_no_part_of_a_topic_is_refused(prefix: str):
    """Kafka would refuse it later, and less clearly."""
    with pytest.raises(SettingsError, match="STREAM_REC_KAFKA_TOPIC_PREFIX"):
        load(environ={"STREAM_REC_KAFKA_TOPIC_PREFIX": prefix})


@pytest.mark.parametrize("name", ["worker-1", "a.b_c-9", "...", "x" * 100])
def test_a_plain_name_stays_below_its_folder(tmp_path: Path, name: str):
    """What the setting lets through makes a folder in the data directory and nowhere else."""
    settings = override(Settings(), {"worker.instance_id": name})

    with held_directory(str(tmp_path / "data"), settings.worker.instance_id) as directory:
        assert directory.resolve().parent == (tmp_path / "data").resolve()


def test_an_id_with_a_nul_is_rejected_and_any_other_text_is_an_id():
    """Ids are keys of tables and of topics, never names of files: `../` is as good as any."""
    limits = Settings().limits

    assert isinstance(validate.check_id("item_id", "a\0b", limits), Rejection)
    assert validate.check_id("item_id", "../../etc/passwd", limits) is None
