# shellcheck shell=bash disable=SC2154 # names set by ../bench and common.sh
# Part a: `caisson apply`. Sourced by ../bench.

# The first round's machines are new already.
part_caisson() {
    [[ ! -e $DIR/a-done ]] || lab renew
    : >"$DIR/a-done"
    say "a: caisson apply"
    rm -f -- "$LAB_DIR/secrets.vault"
    caisson init >/dev/null
    put load "$(cut -d' ' -f1 /proc/loadavg)"
    apply first
    local since
    since=$(jq -rs 'map(select(.event == "step" and .text == "connect").ms) | min / 1000' "$DIR/log/apply-first")
    put apply "$(jq --argjson since "$since" '.seconds - $since' "$DIR/first.json")"
    say "apply: $(get apply) s from the first connection"
    caisson kubeconfig --out kubeconfig >/dev/null
    export KUBECONFIG=$LAB_DIR/kubeconfig
    # The end is the cluster's word, not ours: it must hold at once.
    clock_start
    nodes_registered || die "not all nodes are there after apply"
    cluster_wait
    clock_stop apply_wait
    put apply_memory "$(jq '.memory' "$DIR/first.json")"
    put helper_memory "$(jq '.helper_memory' "$DIR/first.json")"
    sent_against_lacked
    apply second
    [[ $(jq .changes "$DIR/second-result.json") == 0 ]] || die "the second apply found changes"
    put second_apply "$(jq .seconds "$DIR/second.json")"
    put helper_start "$(python3 -B "$BENCH_LIB/helper.py" "$TOP/tests/node" "$BIN/caisson-node")"
    objects_keep
    administrator_make
    lab cut "${NODES[@]}"
    each generation_keep
}

caisson() {
    (cd "$LAB_DIR" && "$BIN/caisson" "$@")
}

# Leaves NAME.json (seconds, memory, bytes) and NAME-result.json; the events stay in log/.
apply() {
    local cpu
    cpu=$(machines_cpu_us)
    (cd "$LAB_DIR" && python3 -B "$BENCH_LIB/watch.py" "$DIR/$1.json" "${LAB_DIR}" -- "$BIN/caisson" apply -o json) \
        >"$DIR/$1-result.json" 2>"$DIR/log/apply-$1" || die "apply failed: $(tail -n 1 "$DIR/log/apply-$1")"
    [[ $1 != first ]] || put apply_cpu "$(awk -v d=$(($(machines_cpu_us) - cpu)) 'BEGIN { printf "%.1f", d / 1e6 }')"
    [[ $1 != first ]] || put apply_own_cpu "$(jq .cpu "$DIR/$1.json")"
}

# The worst of all machines.
sent_against_lacked() {
    local node worst=0 ratio
    for node in "${NODES[@]}"; do
        bytes_lay "$node"
        ratio=$(jq --arg address "$(address "$node")" --argjson lacked "$(bytes_lacked "$node")" \
            '.sent[$address] / $lacked' "$DIR/first.json")
        worst=$(jq -n --argjson a "$worst" --argjson b "$ratio" '[$a, $b] | max')
    done
    put sent_ratio "$worst"
}

bytes_of() {
    printf '%s/bytes/%s\n' "$DIR" "$1"
}

# Its packages, its images, the helper.
bytes_lacked() {
    find "$(bytes_of "$1")" "$BIN/caisson-node" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%.0f\n", n }'
}

# Lays out, once, the files that NODE gets in part b: those that caisson sends it.
bytes_lay() {
    local folder role=worker digest
    folder=$(bytes_of "$1")
    [[ ! -d $folder ]] || return 0
    mkdir -p "$folder"
    ! is_control_plane "$1" || role=control-plane
    [[ -d $DIR/bundle ]] || bundle_unpack
    jq -r --arg role "$role" '.predicate.components[].artifacts[]? | select(.role | index($role) or index("all")) |
        .digest | ltrimstr("sha256:")' "$DIR/bundle/caisson/release.json" | while read -r digest; do
        ln -f -- "$DIR/bundle/blobs/sha256/$digest" "$folder/$digest"
    done
    ln -f -- "$DIR/images.tar" "$folder/images.tar"
}

bundle_unpack() {
    mkdir -p "$DIR/bundle"
    tar -xf "$LAB_DIR/minimal.csn.tar" -C "$DIR/bundle"
    python3 -B "$BENCH_LIB/images.py" layout "$DIR/bundle" >"$DIR/images.tar"
}

# The cluster's objects as they were applied, without what the API server added.
objects_keep() {
    local kind name
    jq -r '.cluster.apply[]' "$DIR/first-result.json" | while read -r kind name; do
        if [[ $name == */* ]]; then
            k -n "${name%/*}" get "$kind" "${name#*/}" -o json
        else
            k get "$kind" "$name" -o json
        fi
    done | jq -s '{apiVersion: "v1", kind: "List", items: map(del(.status, .metadata.uid, .metadata.resourceVersion,
        .metadata.creationTimestamp, .metadata.generation, .metadata.managedFields,
        .metadata.annotations["deployment.kubernetes.io/revision"],
        .metadata.annotations["deprecated.daemonset.template.generation"], .spec.clusterIPs?))}' >"$DIR/objects.json"
    # kubeadm has a CoreDNS of its own, and nobody on 127.0.0.1:7443
    jq '.items |= map(select((.metadata.namespace // .metadata.name) | test("flannel"))) |
        del(.items[].spec?.template?.spec?.initContainers[]?.env[]? | select(.name | startswith("KUBERNETES_SERVICE")))' \
        "$DIR/objects.json" >"$DIR/peer-objects.json"
}

# A kubeconfig for part b's script: caisson's own asks for the rights that part b has yet to give it.
administrator_make() {
    local vault=$DIR/vault.json
    (
        umask 077
        openssl cms -decrypt -inform PEM -in "$LAB_DIR/secrets.vault" -inkey "$DIR/config/caisson/keys/operator.key" -out "$vault"
        jq -r .authorities.kubernetes.key "$vault" >"$DIR/ca.key"
        jq -r .authorities.kubernetes.certificate "$vault" >"$DIR/ca.crt"
        rm -f -- "$vault"
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=system:masters/CN=bench \
            -keyout "$DIR/administrator.key" -out "$DIR/administrator.csr"
        openssl x509 -req -in "$DIR/administrator.csr" -CA "$DIR/ca.crt" -CAkey "$DIR/ca.key" -CAcreateserial -days 1 \
            -extfile <(printf 'extendedKeyUsage=clientAuth\n') -out "$DIR/administrator.crt"
    ) >>"$DIR/log/administrator" 2>&1
    sed -e "s|certificate-authority-data:.*|certificate-authority: $DIR/ca.crt|" \
        -e "s|client-certificate-data:.*|client-certificate: $DIR/administrator.crt|" \
        -e "s|client-key-data:.*|client-key: $DIR/administrator.key|" "$LAB_DIR/kubeconfig" >"$DIR/administrator"
}

# What part a put on the machines survives them: a rename within one file system.
generation_keep() {
    mkdir -p "$PARKED"
    rm -rf --one-file-system -- "${PARKED:?}/$1"
    mv -- "$(root_of "$1")/var/lib/caisson" "$PARKED/$1"
}

# And onto the machine that took its place.
generation_put() {
    mv -- "$PARKED/$1" "$(root_of "$1")/var/lib/caisson"
}
