# shellcheck shell=bash disable=SC2154 # names set by ../bench
# Set-up, machines, clocks, waiting for a cluster, clearing up. Sourced by ../bench.

say() {
    printf 'bench: %4d s  %s\n' "$SECONDS" "$*" >&2
}

die() {
    printf 'bench: error: %s\n' "$*" >&2
    exit 1
}

die_usage() {
    printf 'bench: %s (scripts/bench --help)\n' "$*" >&2
    exit 64
}

# --- set-up -------------------------------------------------------------------------------------------------------

set_up() {
    local keep=$DIR
    DIR=$(realpath -m -- "${DIR:-$(mktemp -d)}")
    KEPT=${keep:+1}
    mkdir -p "$DIR/log"
    LAB_DIR=$DIR/cluster
    mkdir -p "$LAB_DIR"
    export CAISSON_LAB=/var/lib/caisson-lab/bench-$$
    PARKED=$CAISSON_LAB.parked
    export XDG_CONFIG_HOME=$DIR/config
    trap clear_up EXIT
    trap 'exit 130' INT TERM HUP
    say "packages, programs, components, bundle"
    "$TOP/ci/setup"
    programs_find
    "$TOP/scripts/payloads" >"$DIR/log/payloads" 2>&1 || die "payloads failed: $(tail -n 3 "$DIR/log/payloads")"
    [[ $PARTS != *c* ]] || "$TOP/scripts/payloads" --profile bench >>"$DIR/log/payloads" 2>&1 ||
        die "payloads failed: $(tail -n 3 "$DIR/log/payloads")"
    KUBECTL=$LAB_DIR/kubectl
    install -m 755 "$(payload kubernetes kubectl)" "$KUBECTL"
    bundle_make
    lab up --control-planes "$PLANES" --workers "$WORKERS" --release ./minimal.csn.tar
    mapfile -t NODES < <(lab status | awk '{ print $1 }')
    ssh_config
}

programs_find() {
    if [[ -z $BIN ]]; then
        BIN=$TOP/build/release/bin
        local deps
        deps=$("$TOP/ci/deps")
        (cd "$TOP" && cmake --preset release -DCAISSON_DEPS="$deps" -DCAISSON_TESTS=OFF &&
            cmake --build build/release) >"$DIR/log/build" 2>&1 || die "the build failed: $DIR/log/build"
    fi
    BIN=$(realpath -- "$BIN")
    [[ -x $BIN/caisson && -x $BIN/caisson-node ]] || die "$BIN has no caisson and caisson-node"
}

# The file FILE of component NAME, at the version that the minimal or bench profile has.
payload() {
    local version
    version=$(sed -n "s/.*{name: $1, version: \([0-9.]*\)}.*/\1/p" "$TOP"/profiles/{minimal,bench}.yaml | head -n 1)
    "$TOP/scripts/payloads" --path "$1/$version/$2"
}

bundle_make() {
    (cd "$LAB_DIR" && "$BIN/caisson" key generate release && "$BIN/caisson" bundle build \
        --profile "$TOP/profiles/minimal.yaml" --bundles "$TOP/bundles" --key release.key --out minimal.csn.tar) \
        >"$DIR/log/bundle" 2>&1 || die "the bundle could not be built: $(tail -n 3 "$DIR/log/bundle")"
}

clear_up() {
    trap '' INT TERM HUP
    lab down || say "the machines in $CAISSON_LAB could not be taken away"
    rm -rf --one-file-system -- "$PARKED"
    [[ -n $KEPT ]] || rm -rf --one-file-system -- "$DIR"
}

# --- machines -----------------------------------------------------------------------------------------------------

lab() {
    "$TOP/scripts/lab" "$1" --dir "$LAB_DIR" "${@:2}" 2>>"$DIR/log/lab" || die "lab $1 failed: $(tail -n 2 "$DIR/log/lab")"
}

is_control_plane() {
    [[ $1 == cp-* ]]
}

address() {
    sed -n "/name: $1\$/,/address/s/.*address: \([0-9.]*\),.*/\1/p" "$LAB_DIR/cluster.yaml"
}

root_of() {
    printf '%s/nodes/%s/root\n' "$CAISSON_LAB" "$1"
}

# What ssh and scp need to reach the machines by name, with nothing of the caller's own configuration.
ssh_config() {
    local node
    for node in "${NODES[@]}"; do
        printf 'Host %s\n  HostName %s\n' "$node" "$(address "$node")"
    done >"$DIR/ssh_config"
    cat >>"$DIR/ssh_config" <<END
Host *
  User root
  IdentityFile $LAB_DIR/id_ed25519
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile $LAB_DIR/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  LogLevel ERROR
END
}

on() {
    ssh -F "$DIR/ssh_config" "$@"
}

# each FUNCTION: on all machines at the same time; what is written goes to log/FUNCTION-NODE.
each() {
    local node pid
    local -a pids=()
    for node in "${NODES[@]}"; do
        "$1" "$node" </dev/null >"$DIR/log/$1-$node" 2>&1 &
        pids+=("$node:$!")
    done
    for pid in "${pids[@]}"; do
        wait "${pid#*:}" || die "$1 failed on ${pid%:*}: $(tail -n 3 "$DIR/log/$1-${pid%:*}")"
    done
}

# --- clocks -------------------------------------------------------------------------------------------------------

clock_start() {
    CLOCK=$(date +%s%N)
    CPU=$(machines_cpu_us)
}

# Puts the time since clock_start into the results, and the processor time that the machines had; in seconds.
clock_stop() {
    local now cpu
    now=$(date +%s%N) cpu=$(machines_cpu_us)
    put "$1" "$(awk -v d=$((now - CLOCK)) 'BEGIN { printf "%.2f", d / 1e9 }')"
    put "$1_cpu" "$(awk -v d=$((cpu - CPU)) 'BEGIN { printf "%.1f", d / 1e6 }')"
    say "$1: $(get "$1") s"
}

# Processor time of all machines: cgroup v1 of the lab, or its systemd scopes; 0 where neither is.
machines_cpu_us() {
    local id
    id=$(printf %s "$LAB_DIR" | sha256sum | cut -c1-6)
    if [[ -r /sys/fs/cgroup/cpuacct/caisson-lab/$id/cpuacct.usage ]]; then
        awk '{ printf "%.0f\n", $1 / 1000 }' "/sys/fs/cgroup/cpuacct/caisson-lab/$id/cpuacct.usage"
        return
    fi
    find /sys/fs/cgroup -path "*caisson-lab-$id-*.scope/cpu.stat" -exec cat {} + 2>/dev/null |
        awk '$1 == "usage_usec" { n += $2 } END { printf "%.0f\n", n }'
}

put() {
    jq --arg key "$1" --argjson value "$2" '.[$key] = $value' "$RESULT" >"$RESULT.new"
    mv -f -- "$RESULT.new" "$RESULT"
}

get() {
    jq -r --arg key "$1" '.[$key] // empty' "$RESULT"
}

# --- a cluster ----------------------------------------------------------------------------------------------------

k() {
    "$KUBECTL" "$@"
}

# until_true SECONDS COMMAND...: polls; a bench never hangs.
until_true() {
    local limit=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < limit)) || die "not in time: $*"
        sleep 0.1
    done
}

api_serves() {
    [[ $(k get --raw /readyz --request-timeout=5s) == ok ]]
}

nodes_registered() {
    (($(k get nodes --no-headers | wc -l) == ${#NODES[@]}))
}

# The end of every clock: all nodes Ready, flannel and CoreDNS rolled out.
cluster_wait() {
    {
        k wait --for=condition=Ready nodes --all --timeout=240s &&
            k -n kube-flannel rollout status daemonset/flannel --timeout=240s &&
            k -n kube-system rollout status deployment/coredns --timeout=240s
    } >>"$DIR/log/wait" 2>&1 || die "the cluster does not become ready: $(tail -n 2 "$DIR/log/wait")"
}
