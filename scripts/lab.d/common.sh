# shellcheck shell=bash
# Names, state and small helpers of the lab. Sourced by ../lab.
#
# State of one lab, below $LAB_STATE:
#   lab.conf           KEY=VALUE lines, read by lab_load; its presence marks the folder as ours to remove
#   nodes/NAME/made    exists when the machine is complete
#   nodes/NAME/root    the machine's root (a folder, or the mount point of its disk)
#   nodes/NAME/run     pid files, console output

LAB_STARTED=$(date +%s%N)

say() {
    local ms=$((($(date +%s%N) - LAB_STARTED) / 1000000))
    printf 'lab: %4d.%01d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}

die() {
    printf 'lab: error: %s\n' "$*" >&2
    exit 1
}

die_usage() {
    printf 'lab: %s (lab --help)\n' "$*" >&2
    exit 64
}

need_root() {
    ((EUID == 0)) || die "lab $1 needs root: sudo scripts/lab $1 ..."
}

# Program:Debian package, for everything the lab calls beyond coreutils.
need_programs() {
    local pair missing=()
    for pair in systemd-nspawn:systemd-container mmdebstrap:mmdebstrap ip:iproute2 tc:iproute2 nft:nftables \
        nsenter:util-linux flock:util-linux setsid:util-linux ssh:openssh-client ssh-keygen:openssh-client; do
        command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    ((${#missing[@]} == 0)) || die "missing programs; try: apt-get install ${missing[*]}"
}

# wait_until SECONDS COMMAND...: polls until the command succeeds; fails at the deadline.
wait_until() {
    local limit=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < limit)) || return 1
        sleep 0.05
    done
}

# in_parallel FUNCTION WORD...: runs FUNCTION once per word, all at the same time; fails if one failed.
in_parallel() {
    local function=$1 word pid failed=0
    local -a pids=()
    shift
    for word in "$@"; do
        "$function" "$word" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    ((failed == 0)) || die "not all machines did it; see the lines above"
}

# Names of everything this lab owns outside its folders are made from a digest of DIR's path: two labs never meet.
# shellcheck disable=SC2034 # what is set here is used by the other files
lab_select() {
    LAB_DIR=$(realpath -m -- "$1")
    [[ $LAB_DIR != *[[:cntrl:]]* ]] || die "the folder's name has control characters"
    local name
    name=$(basename -- "$LAB_DIR" | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9\n' '-' | sed 's/^-*//; s/-*$//' | cut -c1-30)
    LAB_NAME=${name:-lab}
    LAB_ID=$(printf %s "$LAB_DIR" | sha256sum | cut -c1-6)
    LAB_STATE=$(realpath -m -- "${CAISSON_LAB:-/var/lib/caisson-lab/$LAB_NAME-$LAB_ID}")
    LAB_NETNS=caisson-$LAB_ID
    LAB_LINK=csn-$LAB_ID
    LAB_CACHE=${CAISSON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/caisson}
    LAB_NODES=()
}

# Only one up or down of a lab at a time. The lock is not in the state folder, which `down` removes.
lab_lock() {
    mkdir -p /run/lock
    exec {LAB_LOCK_FD}>"/run/lock/caisson-lab-$LAB_ID"
    flock -w 600 "$LAB_LOCK_FD" || die "another up or down of this lab is running"
}

lab_load() {
    local key value
    [[ -f $LAB_STATE/lab.conf ]] || return 1
    while IFS='=' read -r key value; do
        case $key in
        LAB_SUBNET | LAB_CPS | LAB_WORKERS | LAB_SUITE | LAB_DISKS) printf -v "$key" %s "$value" ;;
        LAB_OF) [[ $value == "$LAB_DIR" ]] || die "$LAB_STATE belongs to the lab of $value" ;;
        esac
    done <"$LAB_STATE/lab.conf"
    lab_list_nodes
}

lab_require() {
    lab_load || die "there is no lab for $LAB_DIR: lab up --dir $LAB_DIR"
}

lab_list_nodes() {
    local i
    LAB_NODES=()
    for ((i = 1; i <= LAB_CPS; i++)); do LAB_NODES+=("cp-$i"); done
    for ((i = 1; i <= LAB_WORKERS; i++)); do LAB_NODES+=("w-$i"); done
}

# Decides what the lab is: what was asked for, else what it was before, else the defaults. Machines are only added.
lab_plan() {
    local cps=$1 workers=$2 suite=$3 disks=$4
    if lab_load; then
        [[ -z $disks || $disks == "$LAB_DISKS" ]] || die "this lab was made without --disk-images: lab down first"
        ((${cps:-$LAB_CPS} >= LAB_CPS && ${workers:-$LAB_WORKERS} >= LAB_WORKERS)) ||
            die "this lab has $LAB_CPS+$LAB_WORKERS machines; fewer: lab down first"
    else
        LAB_SUBNET=$(net_free_subnet) || exit 1
        LAB_CPS=3 LAB_WORKERS=1 LAB_SUITE=bookworm LAB_DISKS=0
    fi
    LAB_CPS=${cps:-$LAB_CPS} LAB_WORKERS=${workers:-$LAB_WORKERS}
    LAB_SUITE=${suite:-$LAB_SUITE} LAB_DISKS=${disks:-$LAB_DISKS}
    lab_list_nodes
    ((${#LAB_NODES[@]})) || die "a lab of no machines"
    mkdir -p "$LAB_DIR" "$LAB_STATE"
    chmod 0711 "$LAB_STATE"
    write_file "$LAB_STATE/lab.conf" 0644 <<END
LAB_OF=$LAB_DIR
LAB_SUBNET=$LAB_SUBNET
LAB_CPS=$LAB_CPS
LAB_WORKERS=$LAB_WORKERS
LAB_SUITE=$LAB_SUITE
LAB_DISKS=$LAB_DISKS
END
    mkdir -p "$LAB_STATE/nodes"
}

# write_file PATH MODE: standard input replaces the file at once, never in pieces.
write_file() {
    local temporary=$1.new
    rm -f -- "$temporary"
    (umask 077 && cat >"$temporary")
    chmod "$2" "$temporary"
    mv -f -- "$temporary" "$1"
}

# cp-1..: .11 up, w-1..: .21 up; .1 is the host, .254 the black hole that nodes use as default route.
node_address() {
    case $1 in
    cp-*) printf '%s.%d\n' "$LAB_SUBNET" $((10 + ${1#cp-})) ;;
    w-*) printf '%s.%d\n' "$LAB_SUBNET" $((20 + ${1#w-})) ;;
    esac
}

need_nodes() {
    local node
    for node in "$@"; do
        [[ " ${LAB_NODES[*]} " == *" $node "* ]] || die_usage "there is no machine $node, only ${LAB_NODES[*]}"
    done
}

# Removes the state folder, but never through a mount that could not be undone.
state_remove() {
    [[ -f $LAB_STATE/lab.conf ]] || return 0
    local mounts
    mounts=$(mounts_below "$LAB_STATE")
    [[ -z $mounts ]] || die "still mounted: $mounts"
    rm -rf --one-file-system -- "$LAB_STATE/nodes" "$LAB_STATE/disks" "$LAB_STATE/disks.img"
    rm -f -- "$LAB_STATE/lab.conf" "$LAB_STATE/lab.conf.new"
    rmdir --ignore-fail-on-non-empty -- "$LAB_STATE"
    [[ -n ${CAISSON_LAB-} ]] || rmdir --ignore-fail-on-non-empty -- "$(dirname "$LAB_STATE")"
}

# Mount points at or below a folder, deepest first.
mounts_below() {
    local path
    cut -d' ' -f5 /proc/self/mountinfo | while IFS= read -r path; do
        path=$(printf '%b' "$path")
        [[ $path/ != "$1"/* ]] || printf '%s\n' "$path"
    done | sort -r
}
