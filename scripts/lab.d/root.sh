# shellcheck shell=bash disable=SC2154,SC2153 # names set in common.sh
# The cached root that all machines are copied from, and what makes a copy a machine of its own. Sourced by ../lab.

# What a plain Debian server has, and nothing of Kubernetes: that comes from the installer.
LAB_PACKAGES=(systemd systemd-sysv dbus openssh-server sudo iproute2 iptables nftables kmod procps ca-certificates
    conntrack ebtables socat ethtool util-linux e2fsprogs ipset)
LAB_DPKG_OPTIONS=('path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' 'path-exclude=/usr/share/doc/*'
    'path-include=/usr/share/doc/*/copyright')

# Sets LAB_ROOT to the cached root of this suite; makes it when its inputs have never been seen.
root_prepare() {
    local key lock
    key=$(root_inputs | sha256sum | cut -c1-16)
    LAB_ROOT=$LAB_CACHE/roots/$LAB_SUITE-$key
    mkdir -p "$LAB_CACHE/roots"
    exec {lock}>"$LAB_CACHE/roots/.lock"
    flock -w 900 "$lock" || die "another lab is making a root and does not finish"
    if [[ ! -d $LAB_ROOT ]]; then
        root_make
    fi
    exec {lock}>&-
}

root_inputs() {
    printf '%s\n' "$LAB_SUITE" "$(dpkg --print-architecture)" "${CAISSON_MIRROR-}" \
        "${LAB_PACKAGES[@]}" "${LAB_DPKG_OPTIONS[@]}"
    cat "$LAB_LIB/root-customize"
}

root_make() {
    local partial=$LAB_ROOT.partial option
    local -a options=()
    for option in "${LAB_DPKG_OPTIONS[@]}"; do options+=("--dpkgopt=$option"); done
    say "making the $LAB_SUITE root (about a minute, once)"
    rm -rf --one-file-system -- "$partial"
    if ! (IFS=,; exec {LAB_LOCK_FD}>&-
        exec nice mmdebstrap --quiet --mode=root --format=directory --variant=minbase --include="${LAB_PACKAGES[*]}" \
            "${options[@]}" --customize-hook="$LAB_LIB/root-customize" \
            "$LAB_SUITE" "$partial" ${CAISSON_MIRROR:+"$CAISSON_MIRROR"}) >"$LAB_ROOT.log" 2>&1; then
        tail -n 15 -- "$LAB_ROOT.log" >&2
        die "mmdebstrap failed; all of it: $LAB_ROOT.log"
    fi
    mv -T -- "$partial" "$LAB_ROOT"
    rm -f -- "$LAB_ROOT.log"
    say "root made"
}

# inotify instances are counted for root of all machines together; a machine of its own has 128. Never lowered.
root_inotify() {
    local limit=/proc/sys/fs/inotify/max_user_instances
    (($(<"$limit") >= 8192)) || printf 8192 >"$limit"
}

# node_make NODE: a machine's root is complete or not there; a half-made one has another name.
node_make() {
    local node=$1 folder=$LAB_STATE/nodes/$1
    [[ ! -e $folder/made ]] || return 0
    mkdir -p "$folder/run"
    if [[ $LAB_DISKS == 1 ]]; then
        disk_make "$node"
        disk_mount "$node"
    else
        rm -rf --one-file-system -- "$folder/root"
        cp -a --reflink=auto -- "$LAB_ROOT" "$folder/root"
    fi
    root_personalise "$node" "$folder/root"
    [[ $LAB_DISKS == 0 ]] || sync -f "$folder/root"
    : >"$folder/made"
}

root_personalise() {
    local node=$1 root=$2 kind
    printf '%s\n' "$node" >"$root/etc/hostname"
    tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
    for kind in ed25519 ecdsa; do
        rm -f -- "$root/etc/ssh/ssh_host_${kind}_key"
        ssh-keygen -q -t "$kind" -N '' -C "root@$node" -f "$root/etc/ssh/ssh_host_${kind}_key"
    done
    cat "$root"/etc/ssh/ssh_host_*_key.pub >"$LAB_STATE/nodes/$node/host_keys"
    root_authorize "$root/root" 0:0
    root_authorize "$root/home/ops" "$(stat -c %u:%g "$root/home/ops")"
    root_network_unit "$node" >"$root/etc/systemd/system/lab-network.service"
    ln -sf ../lab-network.service "$root/etc/systemd/system/multi-user.target.wants/lab-network.service"
    if cgroup_is_v1; then
        root_cgroup_unit >"$root/etc/systemd/system/lab-cgroup.service"
        ln -sf ../lab-cgroup.service "$root/etc/systemd/system/sysinit.target.wants/lab-cgroup.service"
    fi
}

# root_hosts NODE: all machines by name, also those that came later. A disk that is not mounted keeps what it has.
root_hosts() {
    local etc=$LAB_STATE/nodes/$1/root/etc other
    [[ -d $etc ]] || return 0
    {
        printf '127.0.0.1 localhost\n'
        for other in "${LAB_NODES[@]}"; do printf '%s %s\n' "$(node_address "$other")" "$other"; done
    } | write_file "$etc/hosts" 0644
}

root_authorize() {
    install -d -m 0700 -- "$1/.ssh"
    install -m 0600 -- "$LAB_DIR/id_ed25519.pub" "$1/.ssh/authorized_keys"
    chown -R "$2" -- "$1/.ssh"
}

# No udev runs inside, so networkd would wait for ever: the address is set by hand, at each boot.
root_network_unit() {
    cat <<END
[Unit]
Description=Address of this lab machine
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target network.target ssh.service
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip address replace $(node_address "$1")/24 dev host0
ExecStart=/usr/sbin/ip link set host0 up
ExecStart=/usr/sbin/ip route replace default via $LAB_SUBNET.254 dev host0

[Install]
WantedBy=multi-user.target
END
}

# nspawn mounts the v1 controllers read-only; container runtimes and kubelet must write to them.
root_cgroup_unit() {
    cat <<'END'
[Unit]
Description=Writable cgroup v1 controllers
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'for d in /sys/fs/cgroup/*; do test -L $$d || test $$d = /sys/fs/cgroup/systemd || test $$d = /sys/fs/cgroup/unified || mount -o remount,bind,rw $$d; done'
ExecStart=/bin/mount --make-rshared /

[Install]
WantedBy=sysinit.target
END
}
