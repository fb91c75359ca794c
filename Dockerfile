# syntax=docker/dockerfile:1
# The service in a container: `docker build -t tillroll .`, then see compose.yaml.
# Pin both FROM lines by digest when you build for production: `node:26-bookworm-slim@sha256:...`.

# Packs the workspace's packages: what is published comes compiled.
FROM node:26-bookworm-slim AS pack
WORKDIR /src
COPY package.json package-lock.json ./
COPY packages ./packages
COPY scripts ./scripts
COPY tsconfig.json ./
RUN npm ci --no-audit --no-fund && npm run tarballs

# Installs them without what only development needs. PostgreSQL's programs are left out: a container
# uses an outside PostgreSQL (DATABASE_URL).
FROM node:26-bookworm-slim AS install
WORKDIR /app
COPY --from=pack /src/tarballs/*.tgz /tmp/
RUN npm install --omit=dev --omit=optional --no-audit --no-fund \
      /tmp/tillroll-contract-*.tgz /tmp/tillroll-postgres-*.tgz /tmp/tillroll-sample-*.tgz /tmp/tillroll-server-*.tgz \
    && rm /tmp/*.tgz

FROM node:26-bookworm-slim
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080 \
    TILLROLL_DATA_DIR=/var/lib/tillroll
COPY --from=install /app /app
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin tillroll \
    && install -d -o tillroll -g tillroll -m 0700 /var/lib/tillroll
USER 10001:10001
VOLUME /var/lib/tillroll
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "/app/node_modules/.bin/tillroll-server", "health"]
ENTRYPOINT ["node", "/app/node_modules/.bin/tillroll-server"]
CMD ["serve"]
