#!/usr/bin/env bash
# Runs on a node (fed to its bash): calls the Kubernetes API through the local balancer for $1 seconds, as its kubelet would.
# Prints "call BEGIN END ok|failed" for each call, "watch BEGIN END" for each of nine long requests once it has ended, and
# "links MS N" for the number of connections from here to the API server at $2; times are milliseconds.
set -u
readonly seconds=$1 dead=$2 keys=/var/lib/caisson/pki/kubelet-client name=$HOSTNAME

ms() { date +%s%3N; }

request() {
    printf 'GET %s HTTP/1.1\r\nHost: kubernetes\r\nConnection: close\r\n\r\n' "$2" | timeout "$1" openssl s_client -quiet -ign_eof \
        -verify_return_error -CAfile /var/lib/caisson/current/files/kubernetes/ca.crt -cert "$keys/tls.crt" -key "$keys/tls.key" \
        -connect 127.0.0.1:7443 -servername kubernetes 2>/dev/null
}

watch_once() {
    local begin
    begin=$(ms)
    request "$seconds" "/api/v1/nodes?watch=1&fieldSelector=metadata.name%3D$name&timeoutSeconds=$seconds" >/dev/null
    echo "watch $begin $(ms)"
}

for _ in 1 2 3 4 5 6 7 8 9; do
    watch_once &
done
end=$((SECONDS + seconds))
while [ "$SECONDS" -lt "$end" ]; do
    begin=$(ms)
    # grep reads to the end: leaving early would look like a failed call
    if request 15 "/api/v1/nodes/$name" | grep -F '"kind":"Node"' >/dev/null; then result=ok; else result=failed; fi
    echo "call $begin $(ms) $result"
    echo "links $(ms) $(ss -Htn state established "dst $dead and dport = :6443" | wc -l)"
    sleep 0.2
done
wait
