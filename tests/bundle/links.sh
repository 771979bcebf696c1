#!/bin/sh
# links.sh PROGRAM: fails when the reader of bundles links a network library, or asks the C library for a network.
set -eu
if ldd "$1" | grep -E 'libcurl|libssh|libnghttp|libgnutls'; then
    echo "links.sh: the bundle reader links a network library" >&2
    exit 1
fi
# libcrypto brings its own sockets; what counts is what our objects ask for: those of the whole program, and of these rooms
asks='(socket|connect|getaddrinfo|bind|listen|accept4?|curl_.*|libssh2_.*)'
if nm -D --undefined-only "$1" | grep -E " U $asks(@|$)" ||
    nm -A --undefined-only "$2"/libroom_bundle.a "$2"/libroom_pack.a 2>/dev/null | grep -E " U $asks$"; then
    echo "links.sh: the bundle reader uses the network" >&2
    exit 1
fi
"$1" 2>/dev/null && exit 1
[ $? -eq 64 ]
