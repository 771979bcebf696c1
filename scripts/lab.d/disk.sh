# shellcheck shell=bash disable=SC2154,SC2153 # names set in common.sh
# Machines with a disk of their own (up --disk-images), for power cuts that lose what was not synced. Sourced by ../lab.
#
# Killing a machine keeps the host's page cache, so a missing fsync would never show. Here a machine's root is ext4 on
# a file on an XFS with reflink: at the cut the file is cloned, which is an atomic picture of what had reached the disk
# at that moment, and the machine's next boot is from the picture.

LAB_DISK_SIZE=16G
LAB_STORE_SIZE=100G

disk_file() {
    printf '%s/disks/%s.img\n' "$LAB_STATE" "$1"
}

# The XFS that holds the disks, itself a sparse file; and in it the disk that all others are clones of.
disk_store_up() {
    local base
    base=$(disk_file base)
    command -v mkfs.xfs >/dev/null || die "missing program; try: apt-get install xfsprogs"
    mkdir -p "$LAB_STATE/disks"
    if ! mountpoint -q "$LAB_STATE/disks"; then
        if [[ ! -e $LAB_STATE/disks.img ]]; then
            truncate -s "$LAB_STORE_SIZE" "$LAB_STATE/disks.img.new"
            mkfs.xfs -q -m reflink=1 "$LAB_STATE/disks.img.new"
            mv -- "$LAB_STATE/disks.img.new" "$LAB_STATE/disks.img"
        fi
        mount -o loop,discard "$LAB_STATE/disks.img" "$LAB_STATE/disks"
    fi
    if [[ ! -e $base ]]; then
        truncate -s "$LAB_DISK_SIZE" "$base.new"
        mkfs.ext4 -q -d "$LAB_ROOT" "$base.new"
        mv -- "$base.new" "$base"
    fi
}

disk_make() {
    disk_unmount "$1"
    cp --reflink=always -- "$(disk_file base)" "$(disk_file "$1")"
}

disk_mount() {
    local root=$LAB_STATE/nodes/$1/root
    mountpoint -q "$LAB_STATE/disks" || mount -o loop,discard "$LAB_STATE/disks.img" "$LAB_STATE/disks"
    mkdir -p "$root"
    mountpoint -q "$root" || mount -o loop "$(disk_file "$1")" "$root"
}

disk_unmount() {
    local path
    while IFS= read -r path; do
        wait_until 10 umount -- "$path" 2>/dev/null || die "cannot unmount $path"
    done < <(mounts_below "$LAB_STATE/nodes/$1")
}

# Of a cut that was itself interrupted.
disk_drop_picture() {
    rm -f -- "$(disk_file "$1").cut"
}

disk_picture() {
    cp --reflink=always -- "$(disk_file "$1")" "$(disk_file "$1").cut"
}

# Without a picture the machine was off already, and its disk is what it is.
disk_lose_cache() {
    disk_unmount "$1"
    [[ ! -e $(disk_file "$1").cut ]] || mv -f -- "$(disk_file "$1").cut" "$(disk_file "$1")"
}

disk_store_down() {
    local path
    while IFS= read -r path; do
        wait_until 10 umount -- "$path" 2>/dev/null || die "cannot unmount $path"
    done < <(mounts_below "$LAB_STATE")
    rm -f -- "$LAB_STATE/disks.img.new"
}
