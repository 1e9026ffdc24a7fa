#!/usr/bin/env bash
# podman, on the images that build.sh made.
set -euo pipefail
. "$(dirname "$0")/storage.sh"
exec podman "${storage[@]}" --cgroup-manager cgroupfs "$@"
