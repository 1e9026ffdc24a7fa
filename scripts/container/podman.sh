#!/usr/bin/env bash
# podman, on the images that build.sh made.
set -euo pipefail
. "$(dirname "$0")/storage.sh"
# Without systemd nothing asks for the health in intervals, which podman would call an error; `podman healthcheck run` asks.
exec podman "${storage[@]}" --cgroup-manager cgroupfs --log-level fatal "$@"
