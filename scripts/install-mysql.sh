#!/usr/bin/env bash
# Installs MySQL 9.7 (LTS) from Debian's unstable distribution into .cache/mysql, beside the machine's own packages: nothing of
# them changes. `.cache/mysql/bin` then has mysqld, mysql and mysqldump, which run by the loader and libraries that came along.
set -euo pipefail
cd "$(dirname "$0")/.."

SERIES=9.7
root="$PWD/.cache/mysql"
work="$PWD/.cache/mysql-packages"

version_of() { "$1" --no-defaults --version 2>/dev/null | sed -nE 's/.*Ver ([0-9.]+).*/\1/p'; }
is_current() { [ -x "$root/bin/mysqld" ] && [[ "$(version_of "$root/bin/mysqld")" == "$SERIES".* ]]; }
give_up() { echo "install-mysql: $1" >&2; exit 1; }

is_current && exit 0
command -v apt-get >/dev/null || give_up "needs Debian's apt-get"

# Source and key are those of the machine's own distribution; only the suite is another.
uri=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
  awk '$1 == "main" && $2 !~ /security/ { print $2; exit }')
[ -n "$uri" ] || give_up "apt names no source of Debian's packages"
key=$(sed -nE 's/^Signed-By: *(\/.*)/\1/p; s/.*signed-by=([^] ]+).*/\1/p' /etc/apt/sources.list.d/*.sources \
  /etc/apt/sources.list 2>/dev/null | head -n 1) || true
architecture=$(dpkg --print-architecture)

rm -rf "$root" "$work/archives"
mkdir -p "$work/lists/partial" "$work/archives/partial"
printf 'deb [arch=%s%s] %s unstable main\n' "$architecture" "${key:+ signed-by=$key}" "$uri" >"$work/sources.list"
# Nothing counts as installed, so that all the libraries that MySQL needs come along.
: >"$work/status"
apt() {
  apt-get -qq -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$work/status" \
    -o Dir::Cache="$work" -o Dir::Cache::Archives="$work/archives" \
    -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o APT::Architectures="$architecture" -o APT::Install-Recommends=false -o APT::Sandbox::User=root \
    -o Debug::NoLocking=1 "$@"
}
apt update || give_up "apt could not read Debian's unstable distribution"
apt --download-only --yes install mysql-server-core mysql-client-core ||
  give_up "apt could not resolve mysql-server-core and mysql-client-core"
for package in "$work"/archives/*.deb; do dpkg -x "$package" "$root"; done
rm -rf "$work/archives"

loader=$(find "$root/usr" -name 'ld-linux*.so.*' -path '*linux-gnu*' | head -n 1)
libraries=$(find "$root/usr/lib" -maxdepth 1 -type d -name '*linux-gnu*' | head -n 1)
[ -n "$loader" ] && [ -n "$libraries" ] || give_up "the packages brought no loader for programs"
mkdir -p "$root/bin"
# Options of places come last: what the caller gives may have to stand first.
wrap() {
  printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@" %s\n' "$loader" "$libraries" "$1" "$2" >"$root/bin/${1##*/}"
  chmod +x "$root/bin/${1##*/}"
}
wrap "$root/usr/sbin/mysqld" "--basedir='$root/usr' --lc-messages-dir='$root/usr/share/mysql' --plugin-dir='$root/usr/lib/mysql/plugin' --character-sets-dir='$root/usr/share/mysql/charsets' --secure-file-priv="
for program in mysql mysqldump; do wrap "$root/usr/bin/$program" ""; done

is_current || give_up "MySQL $(version_of "$root/bin/mysqld") came, and $SERIES is wanted"
