#!/bin/sh
# Builds the programs in Go that the tests use into .cache/bin, which git ignores. Needs Go 1.26 or newer.
# scripts/go-tools/go.mod and kubernetes/go.mod, with their go.sum, pin the versions of all that they are made of.
set -eu
cd "$(dirname "$0")/.."
bin="$PWD/.cache/bin"
mkdir -p "$bin"

build() { GOFLAGS=-mod=readonly go build -C "scripts/go-tools/$1" -buildvcs=false -ldflags='-s -w' -o "$bin/$2" "$3"; }
build . grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl
build . h2spec github.com/summerwind/h2spec/cmd/h2spec
build . ghz github.com/bojand/ghz/cmd/ghz
build . grpc-go-interop-client google.golang.org/grpc/interop/client
build . grpc-go-caller ./caller
build kubernetes helm helm.sh/helm/v4/cmd/helm
build kubernetes kustomize sigs.k8s.io/kustomize/kustomize/v5
build kubernetes decode-manifests ./decode-manifests
