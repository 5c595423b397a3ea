# One target per pipe: docker build --target ami-bake .   (`make image` does it, and tries the result.)
#
# BuildKit only, which is what docker build has been since version 23 (before: DOCKER_BUILDKIT=1). There is no
# `# syntax=` line, since it would fetch a front end from a registry at every build; the built-in one is enough.
ARG GO_IMAGE=golang:1.26-bookworm

# What lint-gate stands on: golangci-lint needs the go command, the module cache and the sources of the standard library
# where it runs, and the gate needs git. Alpine's Go image with git is much smaller than Debian's, which counts: a pipe's
# image is pulled in every step. A C compiler comes with it, or packages that use cgo could not be checked at all.
ARG GATE_IMAGE=golang:1.26-alpine
# What the PostgreSQL of migration-check is taken from.
ARG DEBIAN_IMAGE=debian:bookworm-slim

# Compiled on the builder's own architecture for the target's: Go does that by itself, emulation would take ten times
# as long. The module cache and the build cache outlive the build; the first build compiles the AWS SDK (a minute or two).
# Modules come from GOPROXY when it is given, else from Go's default. Where a build has no network, run `go mod vendor`
# before it: Go takes modules from a vendor directory without being told to.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOOS=linux GOMODCACHE=/cache/mod GOCACHE=/cache/build
ARG GOPROXY
COPY . .

# Beside each program its stage puts the licences of all that is linked into it: who hands on a program has to hand on those,
# too, and some of them want it said where the source is.

# The agent that bakes put into images, for servers of either architecture. It carries no version: its digest is one of
# the inputs of a bake, and a release of the pipes that leaves the agent as it is must not cause a bake of everything.
FROM build AS boot
RUN --mount=type=cache,target=/cache \
    for arch in amd64 arm64; do \
      GOARCH=$arch go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/boot-linux-$arch ./boot && \
      go run ./tools/licences /out/boot-linux-$arch . /out/licences/boot || exit 1; \
    done

FROM build AS build-lint-gate
ARG TARGETARCH
ARG VERSION
RUN --mount=type=cache,target=/cache \
    GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X bitbucket.org/fearless/pipes/shared/pipe.version=$VERSION" \
      -o /out/lint-gate ./pipes/lint-gate && \
    go run ./tools/licences /out/lint-gate . /out/licences

# A program of its own under the GPL: unchanged, from pinned sources, with the licences of all that is in it and the
# offer of their source.
FROM build AS golangci-lint
ARG TARGETARCH
RUN --mount=type=cache,target=/cache \
    GOARCH=$TARGETARCH go build -C tools/lint -trimpath -ldflags "-s -w" -o /out/bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint && \
    go run ./tools/licences /out/bin/golangci-lint tools/lint /out/licences

FROM build AS build-ami-bake
ARG TARGETARCH
ARG VERSION
RUN --mount=type=cache,target=/cache \
    GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X bitbucket.org/fearless/pipes/shared/pipe.version=$VERSION" \
      -o /out/ami-bake ./pipes/ami-bake && \
    go run ./tools/licences /out/ami-bake . /out/licences

FROM build AS build-deploy-env
ARG TARGETARCH
ARG VERSION
RUN --mount=type=cache,target=/cache \
    GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X bitbucket.org/fearless/pipes/shared/pipe.version=$VERSION" \
      -o /out/deploy-env ./pipes/deploy-env && \
    go run ./tools/licences /out/deploy-env . /out/licences

FROM build AS build-rollback
ARG TARGETARCH
ARG VERSION
RUN --mount=type=cache,target=/cache \
    GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X bitbucket.org/fearless/pipes/shared/pipe.version=$VERSION" \
      -o /out/rollback ./pipes/rollback && \
    go run ./tools/licences /out/rollback . /out/licences

FROM build AS build-test-env
ARG TARGETARCH
ARG VERSION
RUN --mount=type=cache,target=/cache \
    GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X bitbucket.org/fearless/pipes/shared/pipe.version=$VERSION" \
      -o /out/test-env ./pipes/test-env && \
    go run ./tools/licences /out/test-env . /out/licences

FROM build AS build-pipes
ARG TARGETARCH
ARG VERSION
RUN --mount=type=cache,target=/cache \
    GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X bitbucket.org/fearless/pipes/shared/pipe.version=$VERSION" \
      -o /out/pipes ./pipes && \
    go run ./tools/licences /out/pipes . /out/licences

FROM build AS build-migration-check
ARG TARGETARCH
ARG VERSION
RUN --mount=type=cache,target=/cache \
    GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X bitbucket.org/fearless/pipes/shared/pipe.version=$VERSION" \
      -o /out/migration-check ./pipes/migration-check && \
    go run ./tools/licences /out/migration-check . /out/licences && \
    GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w" -o /out/cluster ./tools/cluster

# The PostgreSQL that migrations are tried on, 15, which is Debian 12's: old enough that what works there works on what
# people run, and its packages get security fixes. git finds the base. Only what runs is taken out of the
# packages: the image has 48 MB compressed. 4 MB of it are a cluster as initdb leaves it, which saves every run a second.
FROM ${DEBIAN_IMAGE} AS postgres
RUN apt-get update && apt-get install -y --no-install-recommends binutils git postgresql-15 tzdata
COPY tools/image/postgres /usr/local/bin/collect
COPY --from=build-migration-check /out/cluster /usr/local/bin/cluster
RUN collect /root-of-image && cluster /root-of-image/usr/lib/postgresql/15/cluster.tar

# What every pipe stands on: no shell, no packages, nothing to patch but the pipe itself.
# It runs as root, the only user that may write to the clone: the build container's root owns it, and a pipe's outputs
# go there. The container is the boundary; the pipe gets no capability that it needs root for.
FROM scratch AS pipe
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /usr/share/zoneinfo.zip
ENV ZONEINFO=/usr/share/zoneinfo.zip
# Makes the directory for temporary files, which nothing else would.
WORKDIR /tmp
WORKDIR /
ARG VERSION
LABEL org.opencontainers.image.source="https://bitbucket.org/fearless/pipes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"

FROM pipe AS ami-bake
LABEL org.opencontainers.image.title="ami-bake" \
      org.opencontainers.image.description="Bakes a commit into a machine image"
COPY --from=boot /out/ /
COPY LICENSE pipes/ami-bake/pipe.yml pipes/ami-bake/README.md /
COPY --from=build-ami-bake /out/licences/ /licences/ami-bake/
COPY --from=build-ami-bake /out/ami-bake /ami-bake
ENTRYPOINT ["/ami-bake"]

FROM ${GATE_IMAGE} AS lint-gate
# A base that has them is left as it is.
RUN command -v git >/dev/null || apk add --no-cache git gcc musl-dev
ARG VERSION
LABEL org.opencontainers.image.source="https://bitbucket.org/fearless/pipes" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-only" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.title="lint-gate" \
      org.opencontainers.image.description="Does a change meet the standards? Counts the findings that it causes"
COPY LICENSE pipes/lint-gate/pipe.yml pipes/lint-gate/README.md /
COPY --from=golangci-lint /out/licences/ /licences/golangci-lint/
COPY --from=golangci-lint /out/bin/ /usr/local/bin/
COPY --from=build-lint-gate /out/licences/ /licences/lint-gate/
COPY --from=build-lint-gate /out/lint-gate /usr/local/bin/lint-gate
ENTRYPOINT ["/usr/local/bin/lint-gate"]

FROM pipe AS deploy-env
LABEL org.opencontainers.image.title="deploy-env" \
      org.opencontainers.image.description="Brings an environment to its file with the image of a commit"
COPY LICENSE pipes/deploy-env/pipe.yml pipes/deploy-env/README.md /
COPY --from=build-deploy-env /out/licences/ /licences/deploy-env/
COPY --from=build-deploy-env /out/deploy-env /deploy-env
ENTRYPOINT ["/deploy-env"]

FROM pipe AS rollback
LABEL org.opencontainers.image.title="rollback" \
      org.opencontainers.image.description="Brings back a commit that was live before"
COPY LICENSE pipes/rollback/pipe.yml pipes/rollback/README.md /
COPY --from=build-rollback /out/licences/ /licences/rollback/
COPY --from=build-rollback /out/rollback /rollback
ENTRYPOINT ["/rollback"]

FROM pipe AS test-env
LABEL org.opencontainers.image.title="test-env" \
      org.opencontainers.image.description="Shows a commit under an address of its own, for a day"
COPY LICENSE pipes/test-env/pipe.yml pipes/test-env/README.md /
COPY --from=build-test-env /out/licences/ /licences/test-env/
COPY --from=build-test-env /out/test-env /test-env
ENTRYPOINT ["/test-env"]

# The collection: all pipes that work in AWS in one program, a third of the size of several. PIPE says which one runs.
FROM pipe AS pipes
LABEL org.opencontainers.image.title="pipes" \
      org.opencontainers.image.description="Bakes images and deploys them without downtime: the pipes for AWS in one image"
COPY --from=boot /out/ /
COPY LICENSE pipe.yml README.md /
COPY --from=build-pipes /out/licences/ /licences/pipes/
COPY --from=build-pipes /out/pipes /pipes
ENTRYPOINT ["/pipes"]

FROM pipe AS migration-check
LABEL org.opencontainers.image.title="migration-check" \
      org.opencontainers.image.description="Tells whether a change needs a migration, and whether those it brings work"
COPY --from=postgres /root-of-image/ /
ENV PATH=/usr/bin:/bin
COPY LICENSE pipes/migration-check/pipe.yml pipes/migration-check/README.md /
COPY --from=build-migration-check /out/licences/ /licences/migration-check/
COPY --from=build-migration-check /out/migration-check /migration-check
ENTRYPOINT ["/migration-check"]
