# Sourced: where images lie, apart from the machine's own, and how buildah and podman are told.
# Both work as root on a machine that is a container or a small VM itself: no bridge, no cgroups, no user namespaces.

cache="${QSCOPE_CONTAINER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/qscope-container}"
mkdir -p "$cache"

storage=(--root "$cache/storage" --runroot "/run/qscope-container")
# The fast way, where the file system below can bear it.
if [ -e "$cache/driver" ]; then
  driver=$(cat "$cache/driver")
else
  driver=overlay
  buildah "${storage[@]}" --storage-driver overlay from --name probe scratch >/dev/null 2>&1 &&
    buildah "${storage[@]}" --storage-driver overlay mount probe >/dev/null 2>&1 || driver=vfs
  buildah "${storage[@]}" --storage-driver overlay rm probe >/dev/null 2>&1 || true
  echo "$driver" >"$cache/driver"
fi
storage+=(--storage-driver "$driver")
export BUILDAH_ISOLATION=chroot

base_node=localhost/qscope-base/node:24-bookworm-slim
base_debian=localhost/qscope-base/debian:bookworm-slim
