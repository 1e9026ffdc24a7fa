#!/bin/sh
# Installs grpcurl, at one version, into .cache/bin, which git ignores. Needs Go 1.25 or newer.
set -eu
VERSION=v1.9.4

cd "$(dirname "$0")/.."
if [ "$(.cache/bin/grpcurl -version 2>&1 || true)" = "grpcurl $VERSION" ]; then exit 0; fi
mkdir -p .cache/bin
GOBIN="$PWD/.cache/bin" go install -ldflags "-X main.version=$VERSION" \
  "github.com/fullstorydev/grpcurl/cmd/grpcurl@$VERSION"
