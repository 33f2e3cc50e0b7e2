#!/usr/bin/env bash
# Sets up what the tests need and runs all tests and checks.
#
#     ./test.sh [--yes]       --yes installs missing system packages without asking
#
# Needs Rust, a C compiler and Python 3. Schemathesis and the OpenFeature SDK come from PyPI into target/test-tools, ONNX
# Runtime, model servers and clients of their protocols into target/model-tools. The page
# is tested in a real browser: Chromium is taken from the system, or installed where you agree;
# WEIR_TEST_BROWSER names another one, and WEIR_TEST_BROWSER=none leaves that one test out.
set -euo pipefail
cd "$(dirname "$0")"

step() { echo "== $*"; }
fail() { echo "error: $1" >&2; echo "hint: $2" >&2; exit 1; }

yes=
[ "${1:-}" = --yes ] && yes=1

# Installs a system package where somebody agrees to it.
install() {
    command -v apt-get >/dev/null || return 1
    if [ -z "$yes" ]; then
        [ -t 0 ] || return 1
        read -r -p "$1 is missing, which $2 needs. Install it with apt-get? [y/N] " answer
        case "$answer" in [yY]*) ;; *) return 1 ;; esac
    fi
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y --no-install-recommends "$1" >/dev/null
}

step "what the tests need"
command -v python3 >/dev/null || fail "python3 is missing" "install Python 3.9 or later"
tools=target/test-tools
if ! "$tools/bin/python" -c 'import schemathesis, openfeature.contrib.provider.ofrep, playwright, axe_core_python, polars, duckdb, scipy, sklearn, fastapi, uvicorn' 2>/dev/null; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check 'schemathesis==4.32.5' \
        'openfeature-sdk==0.10.0' 'openfeature-provider-ofrep==0.3.0' 'playwright==1.65.2' 'axe-core-python==0.1.0' \
        'pandas==3.1.1' 'pyarrow==26.0.1' 'polars==2.1.0' 'duckdb==2.0.1' 'scipy==1.17.1' \
        'scikit-learn==1.9.1' 'fastapi==0.115.14' 'uvicorn==0.54.0'
fi
models=target/model-tools
if ! "$models/bin/python" -c 'import onnxruntime, openai, skl2onnx, tritonclient.http' 2>/dev/null; then
    python3 -m venv "$models"
    "$models/bin/pip" install --quiet --disable-pip-version-check 'onnxruntime==1.32.0' 'onnx==1.18.0' \
        'scikit-learn==1.9.1' 'skl2onnx==1.20.0' 'tritonclient[http]==2.73.0' 'openai==3.57.0' 'fastapi==0.115.14' \
        'uvicorn==0.54.0' 'protobuf==5.29.6'
    # They are not there for every release of Python; what needs them is left out then.
    "$models/bin/pip" install --quiet --disable-pip-version-check 'kserve==0.16.0' 'mlserver==1.7.1' \
        'mlserver-sklearn==1.7.1' 'onnx==1.18.0' 'protobuf==5.29.6' ||
        echo "kserve and mlserver are left out"
fi
if [ -z "${WEIR_TEST_BROWSER:-}" ]; then
    browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
    if [ -z "$browser" ] && install chromium "the test of the pages"; then
        browser=$(command -v chromium || true)
    fi
    [ -n "$browser" ] || fail "no browser for the test of the pages" \
        "run ./test.sh --yes to have Chromium installed, name a browser in WEIR_TEST_BROWSER, or leave the test out with WEIR_TEST_BROWSER=none"
    export WEIR_TEST_BROWSER=$browser
fi

step "format and lints"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- --deny warnings
RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked --quiet

step "the arrows of ARCHITECTURE.md, licences and sources"
python3 .ci/arrows.py
python3 .ci/licences.py
# The fuzz targets have a lock file of their own, which must follow.
cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

step "alerts"
command -v promtool >/dev/null || install prometheus "the check of the alerts" || true
if command -v promtool >/dev/null; then
    promtool check rules deploy/alerts.yml
    promtool test rules deploy/alerts_test.yml
else
    echo "promtool is not there: the alerts are left out"
fi

step "tests"
cargo test --workspace --locked --no-run
# What was built reaches the disk first: a test that syncs a file of its own would wait for gigabytes of it.
sync
cargo test --workspace --locked

step "outcomes by unit against a recount"
python3 .ci/outcomes.py target/debug/weir

step "a shop against an analysis of the same users"
python3 .ci/shop.py target/debug/weir

step "a platform engineer's first day"
if command -v prometheus >/dev/null && command -v openssl >/dev/null; then
    python3 .ci/operations.py target/debug/weir
else
    echo "prometheus or openssl is not there: it is left out"
fi

step "exports as pandas, Polars and DuckDB read them"
"$tools/bin/python" .ci/exports.py target/debug/weir

step "a person's first hour in a browser"
if [ "$WEIR_TEST_BROWSER" = none ]; then
    echo "there is no browser: it is left out"
else
    "$tools/bin/python" .ci/browser.py target/debug/weir "$WEIR_TEST_BROWSER"
fi

step "the tutorial and the guides"
"$tools/bin/python" .ci/tutorial.py target/debug/weir

step "the documentation site"
target/debug/weir reference | diff -q - docs/cli.md >/dev/null || fail "docs/cli.md is not what the commands say" \
    "run: target/debug/weir reference > docs/cli.md"
book=$(command -v mdbook || echo target/doc-tools/bin/mdbook)
[ -x "$book" ] || cargo install --quiet --locked --no-default-features --root target/doc-tools mdbook@0.5.4
"$book" build docs

step "flags by a real OpenFeature SDK"
"$tools/bin/python" .ci/flags.py target/debug/weir 2000

step "the examples of the pages on models and protocols"
"$models/bin/python" .ci/pages.py target/debug/weir

step "real clients and real models"
"$models/bin/python" .ci/clients.py target/debug/weir

step "the API against its own description"
python3 .ci/schemathesis.py "$PWD/$tools/bin/st" target/debug/weir
