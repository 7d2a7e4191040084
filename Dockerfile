# The image of Cooper: Node.js, its libraries, and one folder of bundled JavaScript. No shell, no package manager.
#
#   docker build --tag REPOSITORY/cooper:0.1.0 .
#
# Pin the base by digest where it matters: --build-arg NODE_IMAGE=node@sha256:…
# checkov:skip=CKV_DOCKER_7: the base is an argument, with a tag by default and a digest where it is pinned
# checkov:skip=CKV_DOCKER_2: kubelets probe by HTTP, see the chart; there is no shell to run a check with
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Nothing that a package brings is run: esbuild's program comes ready in a package of its own.
RUN npm ci --ignore-scripts --no-audit
COPY . .
RUN node image/bundle.ts /out/app \
  && node image/sbom.ts > /out/app/sbom.cdx.json \
  && node image/licences.ts > /out/app/LICENCES.txt
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Node.js, the libraries that it is linked with, certificate authorities, and a user that is not root.
RUN mkdir -p /out/bin /out/etc/ssl/certs /out/tmp \
  && cp "$(command -v node)" /out/bin/node \
  && ldd /out/bin/node | grep -o '/[^ ]*' | while read -r library; do \
    mkdir -p "/out$(dirname "$library")" && cp -L "$library" "/out$library"; done \
  && { [ ! -e /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/; } \
  && echo 'nonroot:x:65532:65532::/tmp:/sbin/nologin' > /out/etc/passwd \
  && echo 'nonroot:x:65532:' > /out/etc/group \
  && chmod 1777 /out/tmp

FROM scratch
LABEL org.opencontainers.image.title=cooper \
  org.opencontainers.image.description="Kubernetes node autoprovisioner for EKS" \
  org.opencontainers.image.licenses=Apache-2.0
COPY --from=build /out /
WORKDIR /app
# What is freed goes back to the machine: threads share one arena, large blocks are mapped, small ones are trimmed.
ENV NODE_ENV=production \
  MALLOC_ARENA_MAX=1 \
  MALLOC_MMAP_THRESHOLD_=131072 \
  MALLOC_TRIM_THRESHOLD_=131072
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/bin/node", "/app/dist/js/main.js"]
CMD ["run"]
