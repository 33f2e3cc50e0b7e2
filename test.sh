#!/usr/bin/env bash
# Runs all tests and checks. Needs Rust, a C compiler and Python 3; sets up nothing else.
set -euo pipefail
cd "$(dirname "$0")"
command -v python3 >/dev/null || { echo "python3 is needed: it plays the model service" >&2; exit 1; }

echo "== format and lints"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- --deny warnings
RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked --quiet

echo "== the arrows of ARCHITECTURE.md"
python3 .ci/arrows.py

echo "== tests"
cargo test --workspace --locked
