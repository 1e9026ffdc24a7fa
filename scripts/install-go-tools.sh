#!/bin/sh
# Builds the programs in Go that the tests call the server with into .cache/bin, which git ignores. Needs Go 1.26 or newer.
# scripts/go-tools/go.mod and go.sum pin the versions of all that they are made of.
set -eu
cd "$(dirname "$0")/.."
bin="$PWD/.cache/bin"
mkdir -p "$bin"

build() { GOFLAGS=-mod=readonly go build -C scripts/go-tools -buildvcs=false -o "$bin/$1" "$2"; }
build grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl
build h2spec github.com/summerwind/h2spec/cmd/h2spec
build ghz github.com/bojand/ghz/cmd/ghz
build grpc-go-interop-client google.golang.org/grpc/interop/client
build grpc-go-caller ./caller
