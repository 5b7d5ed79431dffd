# A static binary in an empty image, run by nobody.
#   docker build --build-arg GIT_HASH="$(git rev-parse --short HEAD)" --tag nexus .
#   docker run --read-only --volume nexus:/var/lib/nexus --volume ./production.toml:/etc/nexus/nexus.toml:ro nexus

FROM rust:1.95-alpine AS build
RUN apk add --no-cache build-base ca-certificates
WORKDIR /src
COPY . .
ARG GIT_HASH=unknown
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    NEXUS_GIT_HASH="$GIT_HASH" cargo build --profile dist --locked --bin nexus \
    && install -D target/dist/nexus /image/usr/bin/nexus \
    && install -D /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && install -d -o 65532 -g 65532 /image/var/lib/nexus /image/tmp \
    && install -d /image/etc/nexus

FROM scratch
COPY --from=build /image /
USER 65532:65532
# Ports below 1024 need `net.ipv4.ip_unprivileged_port_start=0` in the container, which Docker sets.
EXPOSE 443 80 4004
VOLUME /var/lib/nexus
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/nexus"]
CMD ["--config", "/etc/nexus/nexus.toml", "serve"]
