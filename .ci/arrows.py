"""Checks that crates depend only on what ARCHITECTURE.md allows, and that the core stays pure."""
import json
import subprocess
import sys

ALLOWED = {
    "types": set(),
    "route": {"types"},
    "judge": {"evidence", "types"},
    "catalog": {"types"},
    "evidence": {"types"},
    "journal": set(),
    "allocator": set(),
    "store": {"evidence", "types"},
    "runtime": {"types"},
    "api": {"types"},
    "server": {"api", "catalog", "journal", "judge", "route", "runtime", "store", "types"},
    "weir": {"allocator", "api", "catalog", "journal", "judge", "route", "runtime", "server", "simulate", "store", "types"},
    "simulate": {"evidence", "judge", "types"},
    "xtask": {"api", "catalog", "journal", "store", "types"},
}
# Crates that bring IO, async, clocks or randomness.
IMPURE = {"tokio", "rusqlite", "reqwest", "hyper", "axum", "fastrand", "rand", "getrandom"}
PURE = {"types", "route", "judge", "catalog", "evidence"}

metadata = json.loads(
    subprocess.check_output(["cargo", "metadata", "--format-version=1", "--locked", "--no-deps"])
)
ours = {package["name"]: package for package in metadata["packages"] if package["source"] is None}
wrong = []
if set(ours) != set(ALLOWED):
    wrong.append(f"crates are {sorted(ours)}, ARCHITECTURE.md has {sorted(ALLOWED)}")
for name, package in ours.items():
    needed = {d["name"] for d in package["dependencies"] if d["kind"] is None}
    for other in sorted((needed & set(ours)) - ALLOWED.get(name, set())):
        wrong.append(f"{name} must not depend on {other}")
for name in sorted(PURE):
    command = ["cargo", "tree", "--locked", "--package", name, "--edges", "normal", "--prefix", "none"]
    tree = subprocess.check_output(command, text=True)
    used = {line.split()[0] for line in tree.splitlines() if line.strip()}
    for other in sorted(used & IMPURE):
        wrong.append(f"{name} must stay pure, but needs {other}")
print("\n".join(wrong) or "the arrows point down")
sys.exit(bool(wrong))
