#!/usr/bin/env bash
# Makes stand-ins for debian:bookworm-slim and node:24-bookworm-slim from Debian's packages and from the packages `node`
# and `npm`, where no image registry can be reached. Kept between runs; needs root, buildah and debootstrap.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/storage.sh"

node="$root/node_modules/node/bin/node"
npm="$(npm root -g)/npm"
made_of="$("$node" --version) npm $(node -p "require('$npm/package.json').version")"
if [ "$(cat "$cache/base" 2>/dev/null)" = "$made_of" ] && buildah "${storage[@]}" inspect --type image "$base_node" >/dev/null 2>&1; then
  exit 0
fi

work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# From where this machine has its own packages.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 'Codename: bookworm' | head -n 1)
debootstrap --variant=minbase bookworm "$work/debian" ${mirror:+"$mirror"} >"$cache/debootstrap.log" 2>&1 ||
  { tail -n 20 "$cache/debootstrap.log" >&2; exit 1; }

# What Debian's slim images leave out; the place where the packages came from stays out too.
rm -rf "$work"/debian/usr/share/{doc,info,lintian,locale,man}/* "$work"/debian/var/cache/{apt,debconf}/* \
  "$work"/debian/var/lib/apt/lists/* "$work"/debian/var/log/* "$work"/debian/etc/apt/sources.list

container=$(buildah "${storage[@]}" from scratch)
buildah "${storage[@]}" add --quiet "$container" "$work/debian" / >/dev/null
buildah "${storage[@]}" config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd bash "$container"
buildah "${storage[@]}" commit --quiet "$container" "$base_debian" >/dev/null

mkdir -p "$work/local/bin" "$work/local/lib/node_modules"
cp "$node" "$work/local/bin/node"
cp -r "$npm" "$work/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/local/bin/npm"
buildah "${storage[@]}" add --quiet "$container" "$work/local" /usr/local >/dev/null
buildah "${storage[@]}" commit --quiet --rm "$container" "$base_node" >/dev/null
echo "$made_of" >"$cache/base"
