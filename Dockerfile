# The image holds one file. Build the binaries first (packaging/cross.sh), then:
#
#   docker buildx build --platform linux/amd64,linux/arm64,linux/arm/v7 -t switchlet .
#   docker run -v switchlet:/data -p 8080:8080 -p 5060:5060/udp -p 10000:10000/udp switchlet
#
# Phones that are not browsers also need the RTP ports (16384-32768/udp, fewer with
# SWITCHLET_SET_rtp_end_port), and everybody outside the container an address to send
# to (SWITCHLET_SET_external_rtp_ip, SWITCHLET_SET_external_sip_ip); docs/network.md
# has the whole.
FROM scratch
ARG TARGETARCH
ARG TARGETVARIANT
COPY dist/switchlet-linux-${TARGETARCH}${TARGETVARIANT} /switchlet
# a first file makes the directory, and with it the volume, belong to the user
COPY --chown=65532:65532 LICENSE /data/
ENV SWITCHLET_DATA=/data TMPDIR=/data/cache
VOLUME /data
USER 65532:65532
EXPOSE 5060/udp 5060/tcp 5080/udp 5080/tcp 8080/tcp 8443/tcp 10000/udp 10000/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s CMD ["/switchlet", "health"]
ENTRYPOINT ["/switchlet"]
