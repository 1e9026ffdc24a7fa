#!/bin/sh
# Fetches grpc-java, with the client of its interoperability tests, at one version, into .cache/grpc-java, which git ignores.
# Needs a JDK 17 or newer and Maven.
set -eu
cd "$(dirname "$0")/.."
target="$PWD/.cache/grpc-java"
pom=scripts/grpc-java/pom.xml

cmp -s "$pom" "$target/fetched.xml" && exit 0
rm -rf "$target"
mvn --quiet --batch-mode --no-transfer-progress --file "$pom" "-Dtarget=$target/target" \
  "-DoutputDirectory=$target/lib" dependency:copy-dependencies
cp "$pom" "$target/fetched.xml"
