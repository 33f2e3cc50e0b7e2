#!/usr/bin/env bash
# Makes what is released: an archive with the program, its pages and what deploys it, and a file of checksums.
#
# deploy/release.sh [DIRECTORY]; `sha256sum --check SHA256SUMS` in there compares.
set -euo pipefail
cd "$(dirname "$0")/.."
to=${1:-target/release-artefacts}
cargo build --profile dist --locked --package weir
version=$(target/dist/weir --version | cut -d' ' -f2)
name="weir-$version-$(rustc -vV | sed -n 's/^host: //p')"
rm -rf "$to" && mkdir -p "$to/$name"
cp target/dist/weir README.md CHANGELOG.md LICENSE "$to/$name/"
cp -r docs deploy "$to/$name/"
# The same files make the same archive, whenever it is made.
tar --sort=name --mtime="@$(git log -1 --format=%ct)" --owner=0 --group=0 --numeric-owner -C "$to" -cf - "$name" |
    gzip -n >"$to/$name.tar.gz"
rm -r "${to:?}/$name"
(cd "$to" && sha256sum "$name.tar.gz" >SHA256SUMS && cat SHA256SUMS)
