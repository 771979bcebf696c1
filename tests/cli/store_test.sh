#!/usr/bin/env bash
# The store from the command line: every way in, what a release in it is good for, and disks that are full, read-only or FAT.
# usage: store_test.sh CAISSON SOURCE-FOLDER
set -uo pipefail
caisson=$(readlink -f "$1") source=$2
# Mounts of its own: nobody else sees them, and they end with it.
user=()
[ "$(id -u)" = 0 ] || user=(--map-root-user)
[ "${STORE_TEST_INSIDE-}" ] || exec env STORE_TEST_INSIDE=1 unshare "${user[@]}" --mount --propagation private "$0" "$caisson" "$source"
work=$(mktemp -d -t caisson-store.XXXXXX)
readonly caisson source work
trap 'umount "$work"/disk* 2>/dev/null; rm -rf -- "$work"' EXIT
unset SOURCE_DATE_EPOCH
export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data CAISSON_CACHE=$work/cache NO_COLOR=1
mkdir -p "$HOME" "$work/c"
cd "$work/c" || exit 1
bad=0 good=0
default=$work/data/caisson/store

pass() { good=$((good + 1)) && echo "ok   $1"; }
fail() {
    bad=$((bad + 1))
    echo "FAIL $1: $2"
    sed 's/^/     /' "$work/err" "$work/out"
}
# check WHAT COMMAND...
check() {
    if "${@:2}"; then pass "$1"; else fail "$1" "is not so"; fi
}
says() { grep -F -- "$1" "$work/out" "$work/err" >/dev/null; }
run() {
    timeout 120 "$@" >"$work/out" 2>"$work/err"
    status=$?
}
# works WHAT COMMAND...
works() {
    run "${@:2}"
    [ "$status" = 0 ] && pass "$1" && return
    fail "$1" "exit status $status"
}
# expect WHAT STATUS TEXT FIX COMMAND...
expect() {
    local what=$1 want=$2 text=$3 fix=$4
    run "${@:5}"
    if [ "$status" != "$want" ]; then
        fail "$what" "exit status $status, not $want"
    elif ! grep -qF -- "$text" "$work/err"; then
        fail "$what" "does not say: $text"
    elif ! grep -F -- '  fix: ' "$work/err" | grep -cF -- "$fix" >/dev/null; then
        fail "$what" "does not name the way out: $fix"
    else
        pass "$what"
    fi
}
# clean WHAT STORE: nothing listed, nothing begun.
clean() {
    [ -z "$(ls -A "$2/tmp" 2>/dev/null)$(ls -A "$2/releases" 2>/dev/null)" ] && pass "$1: nothing is listed or left in tmp" && return
    fail "$1" "left $(ls "$2/tmp" "$2/releases")"
}

# ---- two releases ----

bundles() {
    local blob=$work/cache/blobs/sha256 digest n
    mkdir -p "$blob" "$work/cache/lock" "$work/bundles"
    printf '{"schema":1,"profile":"tiny","platform":"linux/amd64","entries":[' >"$work/lock"
    for n in 1 2 3 4; do
        head -c 300000 /dev/urandom >"$work/tool"
        digest=$(sha256sum "$work/tool" | cut -c 1-64)
        mv "$work/tool" "$blob/$digest"
        cat >>"$work/lock" <<J
{"component":"tool","file":"tool$n","id":"tool/1.2.3/tool$n","kind":"file","purl":"pkg:generic/tool@1.2.3","sha256":"$digest",
"size":300000,"version":"1.2.3","license":"MIT","platform":"linux/amd64","upstream":{"type":"none","ref":"x"},"urls":[]}$([ $n = 4 ] || echo ,)
J
    done
    echo ']}' >>"$work/lock"
    mv "$work/lock" "$work/cache/lock/tiny.lock.json"
    cat >"$work/tiny.yaml" <<'Y'
apiVersion: caisson.dev/v1
kind: Profile
metadata: {name: tiny}
spec: {version: 1.0.0, components: [{name: tool, version: 1.2.3}]}
Y
    cat >"$work/bundles/tool.yaml" <<'Y'
apiVersion: caisson.dev/v1
kind: Component
metadata: {name: tool, license: MIT, supplier: example, purl: "pkg:generic/tool"}
versions: [{version: 1.2.3}]
packages:
  - {name: one, roles: [all], files: [{path: bin/one, from: tool1, mode: "0755"}]}
  - {name: two, roles: [all], files: [{path: bin/two, from: tool2, mode: "0755"}]}
  - {name: three, roles: [all], files: [{path: bin/three, from: tool3, mode: "0755"}]}
Y
    "$caisson" key generate release </dev/null && "$caisson" key generate other </dev/null &&
        "$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key release.key --out one.tar &&
        sed -i 's/three, from: tool3/three, from: tool4/' "$work/bundles/tool.yaml" &&
        "$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key release.key --version 1.0.1 --sequence 2 --out two.tar &&
        "$caisson" bundle delta two.tar --base one.tar --out two.delta --trust release.pub
}
if ! bundles >"$work/out" 2>"$work/err"; then
    fail "bundles to try it with" "could not be built"
    exit 1
fi
ingest=("$caisson" bundle ingest --trust release.pub)
sum() { sha256sum | cut -c 1-64; }

# ---- in, by every way ----

expect "a delta into an empty store" 4 "E_MISSING" "ingest a release that has them" "${ingest[@]}" two.delta
works "a bundle goes into the store" "${ingest[@]}" one.tar
check "which is where XDG says" test -d "$default/blobs/sha256"
one=$(echo "$default"/releases/*)
check "and says where the release is" says "$one"
check "once" test "$("$caisson" bundle list -o json | jq '.releases | length')" = 1
works "the same again takes nothing" "${ingest[@]}" one.tar -o json
check "nothing at all" test "$(jq .takenBytes "$work/out")" = 0
works "a delta finds the rest in the store" "${ingest[@]}" two.delta
two=$("$caisson" bundle list -o json | jq -r '.releases[] | select(.version == "1.0.1").path')
works "standard input" "${ingest[@]}" - --store s1 <two.tar
works "a pipe" "${ingest[@]}" - --store s2 < <(cat two.tar)
works "a key through a pipe" "$caisson" bundle ingest two.tar --store s4 --trust <(cat release.pub)
mkfifo -m 600 fifo.pub && { cat release.pub >fifo.pub & }
works "a key through a FIFO" "$caisson" bundle ingest two.tar --store s4 --trust fifo.pub
works "a key through a pipe for two bundles" "$caisson" bundle diff two.tar two.tar --trust <(cat release.pub)
expect "another key through a pipe" 4 "E_ROOT_PIN" "" "$caisson" bundle ingest two.tar --store s5 --trust <(cat other.pub)
expect "no key through a pipe" 4 "E_KEY_SCHEME" "NAME.pub" "$caisson" bundle ingest two.tar --store s5 --trust <(true)
check "makes no store" test ! -e s5
cp two.tar signed.tar
works "keys through pipes to sign with" "$caisson" bundle sign signed.tar --key <(cat release.key) --trust <(cat release.pub)
rm signed.tar
works "a delta through a pipe" "${ingest[@]}" /dev/fd/3 --store "$default" 3< <(cat two.delta)
"$caisson" bundle split two.tar --size 100000 --out . >"$work/out" 2>&1
works "parts" "${ingest[@]}" two.tar.parts.json --store s3
rm two.tar.*
for store in s1 s2 s3; do
    check "$store has what the first way took" diff -r --exclude receipt.json "$store/releases/${two##*/}" "$two"
done
check "a receipt names the source" test "$(jq -r .source s1/releases/*/receipt.json)" = "standard input"
check "or says where it lies" test "$(jq -r '.source + " " + .store' s3/releases/*/receipt.json)" = "$(pwd -P)/two.tar.parts.json $(pwd -P)/s3"

# ---- verified in one pass, and stored nowhere ----

verify=("$caisson" bundle verify --trust release.pub)
"${verify[@]}" two.tar -o json 2>"$work/err" | jq 'del(.path)' >"$work/want"
works "bundle verify of standard input" "${verify[@]}" - -o json <two.tar
check "names it" test "$(jq -r .path "$work/out")" = "standard input"
check "and says what it says of the file" cmp "$work/want" <(jq 'del(.path)' "$work/out")
works "bundle verify of a pipe" "${verify[@]}" - < <(cat two.tar)
check "which people read" says "standard input is intact: "
works "bundle verify of a FIFO" "${verify[@]}" /dev/fd/3 3< <(cat two.tar)
"${verify[@]}" two.delta -o json 2>"$work/err" | jq 'del(.path)' >"$work/want"
works "bundle verify of a delta through a pipe" "${verify[@]}" - -o json < <(cat two.delta)
check "says what it says of its file" cmp "$work/want" <(jq 'del(.path)' "$work/out")
expect "verify: a pipe that ends early" 4 "standard input: " "" "${verify[@]}" - < <(head -c 500000 two.tar)
check "which is E_TRUNCATED" says "E_TRUNCATED"
expect "verify: more behind the end" 4 "E_TRAILING" "" "${verify[@]}" - < <(cat two.tar two.tar)
expect "verify: another byte" 4 "E_DIGEST" "" "${verify[@]}" - < <(head -c 400000 two.tar; printf '\377\376\375'; tail -c +400004 two.tar)
expect "verify: an empty pipe" 4 "E_TRUNCATED" "" "${verify[@]}" - </dev/null
expect "verify: no bundle" 4 "E_FORMAT" "" "${verify[@]}" - <"$caisson"
expect "verify: another key" 4 "E_ROOT_PIN" "" "$caisson" bundle verify --trust other.pub - <two.tar
run "${verify[@]}" - <&-
check "verify: closed standard input" test $status = 1
check "is said at once" says "read: Bad file descriptor"
run bash -c 'exec "$@" >&-' - "${verify[@]}" two.tar
check "closed standard output is said, too" test $status = 1
# In the foreground: else timeout(1) sends the signal twice, and the second stops at once.
timeout --foreground -s INT 2 "${verify[@]}" - < <(head -c 400000 two.tar && sleep 4) >"$work/out" 2>"$work/err"
check "Ctrl-C ends the wait for more" test $? = 124
check "and says so" says "cancelled"
check "nothing is stored" test "$(ls -A "$default/tmp")" = ""

# ---- out: the release's folder is the bundle ----

works "bundle verify of the folder" "$caisson" bundle verify "$two" --trust release.pub
check "it is the same release" says "$("$caisson" bundle verify two.tar --trust release.pub -o json 2>"$work/err" | jq -r .digest)"
works "bundle diff sees no difference" "$caisson" bundle diff two.tar "$two" --trust release.pub
for verb in inspect list licenses sbom; do
    "$caisson" bundle $verb two.tar --trust release.pub | sed "s,two\.tar\( \|$\),$two\1," >"$work/want" 2>"$work/err"
    works "bundle $verb of the folder" "$caisson" bundle $verb "$two" --trust release.pub
    check "bundle $verb says the same" cmp "$work/want" "$work/out"
done
works "bundle delta with folders" "$caisson" bundle delta "$two" --base "$one" --out again.delta --trust release.pub
check "is the same delta" cmp two.delta again.delta
works "bundle join with a folder" "$caisson" bundle join two.delta --base "$one" --out again.tar --trust release.pub
check "is the published file" cmp two.tar again.tar
works "bundle split of the folder" "$caisson" bundle split "$two" --size 100000 --out .
check "are parts of the published file" cmp two.tar <(cat "${two##*/}".[0-9][0-9][0-9])
rm "${two##*/}".*
awk '/^## Store/ { on = 1 } /^## Reading/ { on = 0 } on && sub(/^    /, "")' "$source/bundles/README.md" >"$work/by-hand"
check "the README's commands give the published file" test "$(cd "$two" && bash "$work/by-hand" | sum)" = "$(sum <two.tar)"
cat >cluster.yaml <<Y
apiVersion: caisson.dev/v1
kind: Cluster
metadata: {name: plant}
spec:
  release: $two
  trust: [release.pub]
  profile: tiny
  network: {pods: 10.244.0.0/16, services: 10.96.0.0/16, dns: {upstream: [10.0.0.53]}}
  defaults: {ssh: {user: admin, port: 22, key: id}}
  hosts:
    - {name: cp-1, roles: [control-plane], ssh: {address: 127.0.0.1}}
  acknowledge: [single-control-plane]
Y
"$caisson" init >"$work/out" 2>&1
works "cluster.yaml takes the folder as its release" "$caisson" validate
hex=$(grep -aoFf <(find "$default/blobs" -type f -size +100k -printf '%f\n') "$two/headers" | head -n 1)
printf "other bytes" | dd of="$default/blobs/sha256/$hex" bs=1 seek=5000 conv=notrunc status=none
expect "and a blob that went bad is seen" 4 "E_DIGEST" "caisson bundle ingest" "$caisson" validate
works "ingest mends it" "${ingest[@]}" two.tar
works "also what the other release has" "${ingest[@]}" one.tar
check "one of them said so" test "$(jq -s 'map(.replaced | length) | add' "$default"/releases/*/receipt.json)" = 1
works "and it is good again" "$caisson" validate
rm cluster.yaml

# ---- list and remove ----

works "bundle list" "$caisson" bundle list
check "shows both" test "$(grep -c 'sha256:' "$work/out")" = 2
works "bundle remove" "$caisson" bundle remove "sha256:${one##*/}"
works "the other stays whole" "$caisson" bundle verify "$two" --trust release.pub
works "bundle remove of the last" "$caisson" bundle remove "${two##*/}"
check "leaves no blob" test -z "$(find "$default/blobs" -type f)"
works "bundle list of an empty store" "$caisson" bundle list --store "$work/none"
expect "bundle remove of what is not there" 64 "no release sha256:" "caisson bundle list" "$caisson" bundle remove "${two##*/}"
expect "bundle remove of what is no digest" 64 '"two" is no digest' "64 digits" "$caisson" bundle remove two
expect "bundle remove of nothing" 64 "DIGEST or --unused" "caisson bundle list" "$caisson" bundle remove
expect "bundle remove where no store is" 64 "no store is there" "caisson bundle ingest" "$caisson" bundle remove "${two##*/}" --store none

# ---- what does not come in ----

expect "another key" 4 "E_ROOT_PIN" "" "$caisson" bundle ingest one.tar --trust other.pub --store new
expect "no file" 64 "none.tar: No such file" "is the path right?" "${ingest[@]}" none.tar --store new
expect "a folder that is none" 64 "no release of a store" "caisson bundle list" "${ingest[@]}" "$work" --store new
expect "an empty pipe" 4 "standard input" "" "${ingest[@]}" - --store new < <(true)
expect "no bundle" 4 "E_FORMAT" "" "${ingest[@]}" - --store new <"$caisson"
check "none of them makes a store" test ! -e new
expect "half a bundle" 4 "E_TRUNCATED" "" "${ingest[@]}" - --store new < <(head -c 500000 one.tar)
clean "half a bundle" new
works "its blobs are unused ones" "$caisson" bundle list --store new
check "which are said" says "of no release"
works "the whole goes on with them" "${ingest[@]}" one.tar --store new -o json
check "and reads only the rest" test "$(jq .kept "$work/out")" -gt 0
head -c 500000 two.tar | "${ingest[@]}" - --store new >"$work/out" 2>&1
works "bundle remove --unused" "$caisson" bundle remove --unused --store new
check "leaves none" test "$("$caisson" bundle list --store new -o json | jq .unused.blobs)" = 0
expect "a folder with other things in it" 64 "and no store" "--store DIR" "${ingest[@]}" one.tar --store "$work/c"
expect "a store that is a file" 1 "E_STORE" "--store DIR" "${ingest[@]}" one.tar --store one.tar
mkfifo slow
"${ingest[@]}" slow --store new >"$work/slow.out" 2>&1 &
slow=$!
exec 4>slow
head -c 400000 two.tar >&4
for _ in $(seq 100); do [ -z "$(ls new/tmp)" ] || break; sleep 0.1; done
expect "two at once" 6 "another caisson writes into it" "wait" "${ingest[@]}" one.tar --store new
tail -c +400001 two.tar >&4
exec 4>&-
wait $slow
check "the first one ends well" test $? = 0

# ---- disks ----

# disk NAME OPTIONS: a small file system of its own.
disk() { mkdir -p "$work/$1" && mount -t tmpfs -o "$2" none "$work/$1" 2>"$work/err"; }

if disk disk1 size=600k; then
    expect "a disk that is too small" 1 "E_SPACE: 1.0 MB are needed, 6" "--store DIR" "${ingest[@]}" one.tar --store "$work/disk1/s"
    clean "a disk that is too small" "$work/disk1/s"
    check "and no byte of a blob" test -z "$(find "$work/disk1" -size +1k -type f)"
    disk disk2 size=8m,nr_inodes=14
    expect "a disk without room for files" 1 "E_SPACE: " "--store DIR" "${ingest[@]}" one.tar --store "$work/disk2/s"
    clean "a disk without room for files" "$work/disk2/s"
    disk disk3 size=2m
    (sleep 1000 >slow) & # keeps the pipe open
    holder=$!
    "${ingest[@]}" slow --store "$work/disk3/s" >"$work/out" 2>"$work/err" &
    slow=$!
    head -c 400000 one.tar >slow
    for _ in $(seq 100); do [ -z "$(ls "$work/disk3/s/tmp" 2>/dev/null)" ] || break; sleep 0.1; done
    head -c 2000000 /dev/zero >"$work/disk3/foreign" 2>/dev/null
    tail -c +400001 one.tar >slow 2>/dev/null
    kill $holder
    wait $slow
    status=$?
    check "a disk that fills up meanwhile" test $status = 1
    check "is said" grep -qF 'E_SPACE: blobs/sha256/' "$work/err"
    clean "a disk that fills up meanwhile" "$work/disk3/s"
    rm "$work/disk3/foreign"
    works "with room again it goes on" "${ingest[@]}" one.tar --store "$work/disk3/s"
    works "and is whole" "$caisson" bundle verify "$work"/disk3/s/releases/* --trust release.pub
    mount -o remount,ro "$work/disk3" 2>"$work/err"
    expect "a read-only store" 1 "E_STORE" "may you write there?" "${ingest[@]}" two.tar --store "$work/disk3/s"
    works "which can be read" "$caisson" bundle list --store "$work/disk3/s"
    works "and verified" "$caisson" bundle verify "$work"/disk3/s/releases/* --trust release.pub
else
    echo "skip disks: nothing can be mounted here"
fi

# loop TYPE: a file system in a file; false when this machine has none of it.
loop() {
    head -c 20000000 /dev/zero >"$work/$1.img"
    mkdir -p "$work/disk-$1"
    "mkfs.$1" "$work/$1.img" >"$work/out" 2>&1 && mount -o loop "$work/$1.img" "$work/disk-$1" 2>"$work/err"
}
for type in ext4 vfat; do
    loop $type || { echo "skip a store on $type: cannot be mounted here"; continue; }
    works "a store on $type" "${ingest[@]}" one.tar --store "$work/disk-$type"
    works "again on $type" "${ingest[@]}" one.tar --store "$work/disk-$type"
    works "whole on $type" "$caisson" bundle verify "$work/disk-$type"/releases/* --trust release.pub
    head -c 30000000 /dev/zero >"$work/disk-$type/foreign" 2>/dev/null
    expect "a full $type" 1 "E_SPACE" "--store DIR" "${ingest[@]}" two.tar --store "$work/disk-$type"
    check "a full $type: tmp is empty" test -z "$(ls "$work/disk-$type/tmp")"
    rm "$work/disk-$type/foreign"
    works "a delta on $type" "${ingest[@]}" two.delta --store "$work/disk-$type"
done

echo "$good passed, $bad failed"
[ "$bad" = 0 ]
