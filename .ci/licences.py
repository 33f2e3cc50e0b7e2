"""Checks what deny.toml says of licences and sources, with nothing but cargo and Python.

`cargo deny check bans licenses sources` checks the same and more, where it is installed.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def allowed_licences():
    text = Path("deny.toml").read_text()
    block = re.search(r"^allow = \[(.*?)\]", text, re.S | re.M).group(1)
    return set(re.findall(r'"([^"]+)"', block))


def allows(expression, allowed):
    """Whether an SPDX expression can be met with allowed licences alone."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def alternatives():
        met = together()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            met = together() or met
        return met

    def together():
        met = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            met = one() and met
        return met

    def one():
        token = tokens.pop(0)
        if token == "(":
            met = alternatives()
            tokens.pop(0)
            return met
        if tokens[:1] == ["WITH"]:
            token = " ".join([token, tokens.pop(0), tokens.pop(0)])
        return token in allowed

    return alternatives()


def main():
    command = ["cargo", "metadata", "--format-version=1", "--locked"]
    packages = json.loads(subprocess.check_output(command))["packages"]
    allowed = allowed_licences()
    wrong = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if package["source"] not in (None, REGISTRY):
            wrong.append(f"{name} comes from {package['source']}, not from the registry")
        if not allows(package["license"] or "none", allowed):
            wrong.append(f"{name} has the licence {package['license']}")
    print("\n".join(wrong) or f"{len(packages)} packages: licences and sources are allowed")
    return bool(wrong)


sys.exit(main())
