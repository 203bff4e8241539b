"""Ask pip-audit for known vulnerabilities of pinned packages, and say how many it could look up at all.

pip-audit itself ends with 0 and "No known vulnerabilities found" where its service answers 404 for every package, as an
index that mirrors files alone does. Here that is no all-clear: it is said, and fails no build, which could not help it.
Exit code 1 where a vulnerability is known, else 0.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from typing import Any

NOT_AUDITED = "NOT AUDITED"


def main() -> None:
    """Run pip-audit and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("constraints", help="File of pinned packages.")
    parser.add_argument("--pip-audit", default="pip-audit", help="How pip-audit is called.")
    arguments = parser.parse_args()
    command = [*shlex.split(arguments.pip_audit), "-r", arguments.constraints, "--no-deps", "--disable-pip"]
    ended = subprocess.run([*command, "-f", "json", "--progress-spinner", "off"], capture_output=True, text=True)
    text, code = verdict(ended.stdout, ended.stderr)
    print(text)
    sys.exit(code)


def verdict(output: str, errors: str = "") -> tuple[str, int]:
    """Return what to say of pip-audit's JSON, and the exit code."""
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = errors.strip().splitlines()[-1:] or ["it said nothing"]
        return f"{NOT_AUDITED}: pip-audit did not come to an end: {last[0]}", 0
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    found = [(package, vulnerability) for package in packages for vulnerability in package.get("vulns", [])]
    if len(skipped) == len(packages):
        return f"{NOT_AUDITED}: the vulnerability service knows none of {len(packages)} packages: not reachable?", 0
    lines = [
        f"{package['name']} {package['version']}: {v['id']}, fixed in {', '.join(v['fix_versions']) or 'no version'}"
        for package, v in found
    ]
    if skipped:
        lines.append(f"not looked up: {', '.join(skipped)}")
    lines.append(f"{len(packages) - len(skipped)} of {len(packages)} packages looked up, {len(found)} vulnerabilities")
    return "\n".join(lines), int(bool(found))


if __name__ == "__main__":
    main()
