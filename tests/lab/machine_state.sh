#!/usr/bin/env bash
# Runs on a machine (fed to its bash): prints what it is like, one sorted fact a line, without what changes by itself.
# xtables.lock is iptables' own: it makes it at its first call and keeps it.
set -u # an empty part is no failure
export LC_ALL=C
readonly volatile='^(/var/log|/var/lib/systemd|/var/tmp/systemd-private-[^/]*|/tmp/systemd-private-[^/]*|/var/cache/ldconfig|/root/\.(ssh|cache)|/run/log|/run/user|/run/utmp|/run/systemd/(units|journal|sessions|users|seats|inhibit|propagate|incoming|unit-root|transient|resolve|io\.[^/]*)|/run/(xtables\.lock|udev|sshd\.pid|motd\.dynamic[^/]*|credentials))(/|[[:space:]]|$)'

files() {
    find / /run -xdev ! -path '/proc/*' ! -path '/sys/*' ! -path '/dev/*' -printf '%p\t%y\t%m\t%U:%G\t%l\n' | grep -vE "$volatile"
    find / -xdev -type f ! -path '/proc/*' ! -path '/sys/*' -print0 | grep -zvE "$volatile" | xargs -0 sha256sum
}

# Sessions, the users' managers and what timers do come and go.
units() {
    systemctl list-unit-files --no-legend --no-pager --plain | awk '{ print $1, $2 }'
    systemctl list-units --all --no-legend --no-pager --plain | awk '$3 != "inactive" { print $1, $2, $3, $4 }' |
        grep -vE '^(session-|user|run-|systemd-|sys-|dev-|ssh@|e2scrub|apt-|dpkg-|fstrim|logrotate|man-db|emergency|rescue|modprobe@|-\.)'
}

mounts() { findmnt -rno TARGET,FSTYPE,OPTIONS | grep -vE '^/run/user/'; }

network() {
    ip -o link | sed -E 's/^[0-9]+: //; s/ (state|mode|qlen) [^ ]+//g'
    ip -o addr | sed -E 's/^[0-9]+: //; s/valid_lft.*//'
    ip route show table all
    ip rule
    ip netns
    nft list ruleset 2>/dev/null
    iptables-save 2>/dev/null | grep -v '^#'
    ip6tables-save 2>/dev/null | grep -v '^#'
}

settings() {
    find /proc/sys/net /proc/sys/vm/overcommit_memory /proc/sys/vm/panic_on_oom /proc/sys/kernel/panic /proc/sys/kernel/panic_on_oops -type f -perm -u=r \
        ! -name nf_conntrack_count ! -name 'tcp_fastopen_key' ! -path '*/stable_secret' -exec grep -H . {} + 2>/dev/null
}

processes() { readlink /proc/[0-9]*/exe | grep -vE '^/usr/|^/bin/' ; find /sys/fs/cgroup -name '*kube*' -o -name 'cri-*' -o -name '*containerd*'; }

for part in files units mounts network settings processes; do
    "$part" | grep . | sed "s/^/$part: /"
done | sort -u
