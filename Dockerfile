# How to build and run it: docs/container.md.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim
ARG RUNTIME_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${NODE_IMAGE} AS node

# Only what runs. The npmrc and the CA that a build may need to reach its registry are secrets: they enter no layer.
FROM node AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca \
  --mount=type=cache,target=/root/.npm \
  npm ci --omit=dev --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund
# better-sqlite3 brings a binary for every platform, and the sources of SQLite; libsql a second one for another C library;
# many packages bring declarations and source maps that nothing reads here.
RUN arch="$(node -p process.arch)" \
  && find node_modules/better-sqlite3/prebuilds -type f ! -name "linux-$arch.node" -delete \
  && rm -r node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
  && rm -rf node_modules/@libsql/linux-*-musl \
  && find node_modules -type f -regex '.*\.\([cm]?ts\|map\)' -delete \
  && node -e 'require("better-sqlite3")(":memory:").close(); new (require("libsql"))(":memory:").close()'

FROM node AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without its script, the package `node` would stand in the way of the Node.js that the base brings.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca \
  --mount=type=cache,target=/root/.npm \
  npm ci --ignore-scripts --no-audit --no-fund && rm -f node_modules/.bin/node
COPY scripts/build.ts scripts/
COPY src src
COPY tsconfig.json ./
COPY console console
RUN npm run build

# The Debian that node:24-bookworm-slim is made of, with Node.js and without npm, yarn and headers.
FROM ${RUNTIME_IMAGE}
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=dependencies /app/node_modules /app/node_modules
COPY package.json LICENSE /app/
COPY --from=build /app/dist /app/dist
RUN ln -s /app/dist/main.js /usr/local/bin/qscope && install -d -o 65532 -g 65532 -m 0700 /data

# /data is the one place that can be written: SQLite, which sorts in files what is large, does so there. The default
# database, ./data/qscope.db, is /data/qscope.db; unset, it gives way to QSCOPE_DATABASE_URL and _FILE alike.
ENV NODE_ENV=production \
  SQLITE_TMPDIR=/data \
  QSCOPE_KEYRING_FILE=/data/qscope.keyring.json \
  QSCOPE_GRPC_LISTEN=0.0.0.0:50051

# A number, so that an orchestrator sees that it is not root's.
USER 65532:65532
WORKDIR /
VOLUME /data
EXPOSE 50051
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --start-period=30s --retries=3 CMD ["qscope", "health"]
ENTRYPOINT ["qscope"]
CMD ["serve"]

# Last: what differs from build to build, and costs no layer that could be kept.
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title="QScope" \
  org.opencontainers.image.description="Internal OAuth 2.0 token service that speaks gRPC" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.source="${SOURCE}" \
  org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
