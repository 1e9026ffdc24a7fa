#!/usr/bin/env bash
# Builds the image with buildah: scripts/container/build.sh [tag]. With QSCOPE_STAND_IN=1 on the bases that
# stand-in-base.sh made; else on those that the Dockerfile names. npm is set up as on this machine, by secrets.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tag="${1:-localhost/qscope:dev}"
. "$here/storage.sh"

secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT
for config in "$(npm config get globalconfig)" "$(npm config get userconfig)"; do
  [ ! -r "$config" ] || grep -vE '^ *(cafile|cache|prefix|nodedir) *=' "$config" >>"$secrets/npmrc" || true
done
echo "registry=$(npm config get registry --workspaces=false)" >>"$secrets/npmrc"
: >"$secrets/ca"
ca=$(npm config get cafile)
[ "$ca" != null ] || ca=${NODE_EXTRA_CA_CERTS:-}
if [ -n "$ca" ]; then
  cp "$ca" "$secrets/ca"
  echo 'cafile=/run/secrets/ca' >>"$secrets/npmrc"
fi

bases=()
if [ "${QSCOPE_STAND_IN:-0}" = 1 ]; then
  bases=(--build-arg "NODE_IMAGE=$base_node" --build-arg "RUNTIME_IMAGE=$base_debian" --pull-never)
fi
# HEALTHCHECK is known to Docker's format only. With the commit's time, the same commit gives the same layers.
buildah "${storage[@]}" bud --format docker --layers --network host --quiet "${bases[@]}" \
  --secret "id=npmrc,src=$secrets/npmrc" --secret "id=ca,src=$secrets/ca" \
  --timestamp "${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}" \
  --build-arg "VERSION=$(node -p "require('$root/package.json').version")" \
  --build-arg "REVISION=$(git -C "$root" rev-parse HEAD)" \
  --build-arg "SOURCE=${QSCOPE_SOURCE_URL:-}" \
  --tag "$tag" "$root"
