# `okite up` in a container: see docs/INSTALL.md. compose.yaml runs it.
FROM rust:1.95-slim-trixie AS build
# For scripts/licences.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /okite
COPY . .
# `release` is optimised as a whole and takes long; `dev` is there in a few minutes.
ARG PROFILE=release
RUN cargo install --locked --path cli --root /out --profile "$PROFILE" \
 && scripts/licences > /out/THIRD-PARTY.txt \
 && cp "$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html" /out/rust-standard-library.html

FROM debian:trixie-slim
# The roots of TLS, for commands that call AWS and for webhooks.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 okite \
 && useradd --uid 10001 --gid okite --no-create-home --home-dir /data --shell /usr/sbin/nologin okite \
 && install --directory --owner okite --group okite --mode 0700 /data
COPY --from=build /out/bin/okite /usr/local/bin/
COPY --from=build /out/THIRD-PARTY.txt /out/rust-standard-library.html /usr/share/doc/okite/
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/okite/
USER 10001:10001
# The data is in .okite of this folder, where the other commands look for it too.
WORKDIR /data
VOLUME /data
EXPOSE 3000 1025
# A command that asks the local database, so it fails unless `okite up` runs.
HEALTHCHECK --start-period=15s --interval=30s --timeout=10s CMD ["okite", "keys", "list"]
ENTRYPOINT ["okite"]
# The name is that of the service in compose.yaml, by which other containers call it.
CMD ["up", "--listen", "0.0.0.0", "--allow-host", "okite"]
