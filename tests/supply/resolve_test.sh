#!/usr/bin/env bash
# `caisson bundle lock` against a real registry (with and without logins), a server of files, and one that lies.
# usage: resolve_test.sh CAISSON SOURCE-FOLDER
# shellcheck disable=SC2016,SC2119,SC2120 # check and expect call functions with arguments; what the shell must not expand is a definition's placeholder
set -uo pipefail
caisson=$(readlink -f "$1") source=$2
work=$(mktemp -d -t caisson-lock.XXXXXX)
readonly caisson source work
pids=()
finish() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    wait
    rm -rf -- "$work"
}
trap finish EXIT
for tool in docker-registry skopeo gpg gpgv; do
    command -v "$tool" >/dev/null || { echo "skip: no $tool here; ci/setup installs it" && exit 77; }
done
unset "${!https_@}" "${!http_@}" "${!all_@}" "${!HTTP@}"
export HOME=$work/home CAISSON_CACHE=$work/cache GNUPGHOME=$work/gpg NO_COLOR=1
mkdir -p "$HOME" "$work"/{files,bundles/keys} && mkdir -m 0700 "$GNUPGHOME"
cd "$work" || exit 1
bad=0 good=0
readonly blobs=$CAISSON_CACHE/blobs/sha256 lock=$CAISSON_CACHE/lock/tiny.lock.json

# check WHAT COMMAND...: what it said stays in out and err for the checks of just that.
check() {
    local name=said
    case $2 in says | fails | grep | test) name=seen ;; esac
    if "${@:2}" >"$work/$name.out" 2>"$work/$name.err" </dev/null; then
        good=$((good + 1)) && echo "ok   $1"
    else
        bad=$((bad + 1)) && echo "FAIL $1"
        sed 's/^/     /' "$work/$name.err" "$work/$name.out"
    fi
}
# expect WHAT STATUS TEXT COMMAND...: TEXT stands in what it says on standard error.
expect() {
    local what=$1 want=$2 text=$3 status=0
    "${@:4}" >"$work/said.out" 2>"$work/said.err" </dev/null || status=$?
    if [ "$status" = "$want" ] && grep -qF -- "$text" "$work/said.err"; then
        good=$((good + 1)) && echo "ok   $what"
    else
        bad=$((bad + 1)) && echo "FAIL $what: exit status $status, not $want, or it does not say: $text"
        sed 's/^/     /' "$work/said.err" "$work/said.out"
    fi
}
fails() { ! "$@"; }
# within COMMAND...: true as soon as it succeeds, false when it has not for half a minute.
within() {
    for _ in $(seq 300); do
        "$@" 2>/dev/null && return
        sleep 0.1
    done
    return 1
}

# ---- authorities, servers, images ----

make_certificates() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=test-ca -days 2 &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=localhost &&
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 \
            -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') &&
        openssl req -x509 -newkey rsa:2048 -nodes -keyout token.key -out token.pem -subj /CN=tokens -days 2 &&
        mkdir -p certs && cp ca.pem certs/ca.crt
}
# start_registry NAME AUTH: its port in $registry.
start_registry() {
    cat >"$1.yml" <<Y
version: 0.1
log: {level: info, formatter: json}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:0", tls: {certificate: $work/server.pem, key: $work/server.key}}
$2
Y
    docker-registry serve "$1.yml" >"$1.log" 2>&1 &
    pids+=($!)
    within grep -q 'listening on' "$1.log" || return 1
    registry=$(sed -nE 's/.*listening on 127.0.0.1:([0-9]+).*/\1/p' "$1.log" | head -n 1)
}
# An image for two architectures, with an index over both, as an OCI layout.
put() {
    local hex
    hex=$(sha256sum "$1" | cut -c 1-64)
    cp "$1" "layout/blobs/sha256/$hex"
    printf '"digest":"sha256:%s","size":%s' "$hex" "$(stat -c %s "$1")"
}
make_image() { # TEXT
    local arch d manifests=()
    rm -rf layout && mkdir -p layout/blobs/sha256 root
    for arch in amd64 arm64; do
        echo "$1 $arch" >root/app && tar -C root -czf layer.tgz app
        printf '{"architecture":"%s","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$arch" \
            "$(gzip -dc layer.tgz | sha256sum | cut -c 1-64)" >config
        printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",%s}]}' \
            "$(put config)" "$(put layer.tgz)" >manifest
        d=$(put manifest)
        manifests+=("{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",$d,\"platform\":{\"os\":\"linux\",\"architecture\":\"$arch\"}}")
    done
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s,%s]}' "${manifests[@]}" >index
    echo '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json",%s,"annotations":{"org.opencontainers.image.ref.name":"v"}}]}' \
        "$(put index)" >layout/index.json
}
push() { # NAME
    skopeo --insecure-policy copy --all --preserve-digests --dest-cert-dir certs oci:layout:v "docker://localhost:$open/$1"
}
make_files() {
    mkdir -p tool-1.2.3 && echo '#!/bin/sh' >tool-1.2.3/tool && echo 'echo "tool 1.2.3"' >>tool-1.2.3/tool &&
        echo words >tool-1.2.3/README && tar -czf files/tool-1.2.3.tgz tool-1.2.3 && echo 'a program' >files/single &&
        (cd files && sha256sum tool-1.2.3.tgz >SHA256SUMS && sha256sum single | cut -c 1-64 >single.sha256) &&
        gpg --batch --quiet --passphrase '' --quick-generate-key tester@example.invalid default default never &&
        gpg --batch --quiet --passphrase '' --quick-generate-key other@example.invalid default default never &&
        gpg --batch --quiet -u tester@example.invalid -o files/single.sig --detach-sign files/single &&
        gpg --batch --quiet -u other@example.invalid -o files/single.other --detach-sign files/single &&
        gpg --batch --quiet -u tester@example.invalid -o files/SHA256SUMS.sig --detach-sign files/SHA256SUMS &&
        gpg --batch --export tester@example.invalid >bundles/keys/tester.gpg
}
start_stub() {
    python3 "$source/tests/supply/registry.py" "$work" >stub.port 2>stub.log &
    pids+=($!)
    within test -s stub.port
}
check "certificates" make_certificates
check "files and their signatures" make_files
check "a server of files and tokens" start_stub
{ read -r stub && read -r plain; } <stub.port
start_registry open '' && open=$registry
check "a registry with tokens" start_registry closed "auth: {token: {realm: \"https://localhost:$stub/token\", service: lab, issuer: tokens, rootcertbundle: $work/token.pem}}"
closed=$registry
check "an image for two architectures" make_image first
check "it is pushed" push app:1
check "it is pushed where a login is needed" push private/app:1

# ---- definitions ----

cat >tiny.yaml <<'Y'
apiVersion: caisson.dev/v1
kind: Profile
metadata: {name: tiny}
spec: {version: 1.0.0, components: [{name: tool, version: 1.2.3}, app]}
Y
# tool UPSTREAM...: the definition of the component, with these elements of `upstream`.
tool() {
    {
        cat <<'Y'
apiVersion: caisson.dev/v1
kind: Component
metadata: {name: tool, license: MIT, supplier: example, purl: "pkg:generic/tool"}
packages: [{name: tool, roles: [all], files: [{path: bin/tool, from: tool, mode: "0755"}, {path: bin/single, from: single, mode: "0755"}]}]
versions:
  - version: 1.2.3
    upstream:
Y
        printf '      - %s\n' "$@"
    } >bundles/tool.yaml
}
# app ADDRESS: the definition of the image.
app() {
    cat >bundles/app.yaml <<Y
apiVersion: caisson.dev/v1
kind: Component
metadata: {name: app, license: MIT, supplier: example, purl: "pkg:golang/example.invalid/app"}
versions: [{version: 1.0.0, upstream: [{file: "registry.example/app:1.0.0", url: "$1"}]}]
images: [{name: "registry.example/app:\${version}", roles: [all], usedBy: this test}]
Y
}
readonly files=https://localhost:$stub/files
readonly archive="{file: tool-1.2.3.tgz, url: \"$files/tool-1.2.3.tgz\", members: [{file: tool, member: tool-1.2.3/tool}], evidence: {type: sha256sums, url: \"$files/SHA256SUMS\"}}"
readonly single="{file: single, url: \"$files/single\", evidence: {type: sha256sums, url: \"$files/single.sha256\"}}"
tool "$archive" "$single"
app "oci://localhost:$open/app:1"

lock() { "$caisson" bundle lock --profile ./tiny.yaml --ca localhost=ca.pem --ca 127.0.0.1=ca.pem "$@"; }
entry() { jq -e ".entries[] | select(.id == \"$1\") | $2" "$lock"; }
says() { grep -qF -- "$1" "$work/said.out"; }
raw() { skopeo inspect --raw --cert-dir certs "docker://localhost:$open/app:1"; }

# ---- from nothing to a bundle ----

check "a profile is locked" lock
check "the lock is canonical" test "$(jq -cS . "$lock")" = "$(cat "$lock")"
check "archive, file out of it, file, image" test "$(jq -r '.entries[] | .kind + " " + .id' "$lock")" = \
    "oci app/1.0.0/image/registry.example/app:1.0.0
file tool/1.2.3/single
file tool/1.2.3/tool
archive tool/1.2.3/tool-1.2.3.tgz"
check "sizes and digests are those of the bytes" test "$(jq -r '.entries[] | .sha256 + "  " + .sha256' "$lock" | (cd "$blobs" && sha256sum -c --quiet) && echo yes)" = yes
check "the file is the archive's member" cmp tool-1.2.3/tool "$blobs/$(entry tool/1.2.3/tool .sha256 | tr -d '"')"
check "where from, and what proved it" entry tool/1.2.3/tool \
    ".from == {archive: \"tool/1.2.3/tool-1.2.3.tgz\", member: \"tool-1.2.3/tool\"} and .urls == [] and .upstream.type == \"sha256sums\" and .upstream.ref == \"$files/SHA256SUMS\""
check "the evidence is kept" cmp files/SHA256SUMS "$blobs/$(entry tool/1.2.3/tool .upstream.sha256 | tr -d '"')"
image=app/1.0.0/image/registry.example/app:1.0.0
check "the image's index is kept whole" cmp <(raw) "$blobs/$(entry $image .index.sha256 | tr -d '"')"
check "the image's address, purl, evidence" entry $image ".urls == [\"oci://localhost:$open/app:1\"] and .purl == \"pkg:golang/example.invalid/app@v1.0.0\" and .upstream.type == \"none\""
check "its manifest is that of the platform" test "$(raw | jq -r '.manifests[] | select(.platform.architecture == "amd64").digest')" = "sha256:$(entry $image .sha256 | tr -d '"')"
for arch in $(raw | jq -r '.manifests[] | select(.platform.architecture == "arm64").digest[7:]'); do
    check "other platforms are not fetched" test ! -e "$blobs/$arch"
done
check "nothing is left over" test -z "$(find "$CAISSON_CACHE/tmp" "$CAISSON_CACHE/lock" "$blobs" -type f ! -name '*.lock.json' ! -regex '.*/[0-9a-f]*')$(ls -A "$CAISSON_CACHE/tmp")"
build() { "$caisson" key generate release && "$caisson" bundle build --profile ./tiny.yaml --key release.key --out tiny.tar && "$caisson" bundle verify tiny.tar --trust release.pub; }
check "a bundle is built of it, without a net, and verified" unshare -rn bash -c "cd '$work' && $(declare -f build) && caisson='$caisson' && build"
check "the index is in it, and says so" test "$(tar -xOf tiny.tar caisson/release.json | jq -r '.predicate.components[] | .images[] | .indexDigest, .manifestDigest')" = "$(entry $image '"sha256:" + .index.sha256, "sha256:" + .sha256' | tr -d '"')"
check "skopeo reads the image out of the bundle" skopeo --insecure-policy copy oci-archive:tiny.tar:registry.example/app:1.0.0 dir:copied

# ---- what a lock names comes back by its digests ----

check "the tag moves on" eval "make_image moved && push app:1"
cp -r "$blobs" kept && rm -rf "$blobs"
fetch() { "$caisson" bundle fetch --lock "$lock" --ca localhost=ca.pem "$@"; }
check "an empty cache is filled" fetch
check "with the same bytes" test "$(jq -r '.entries[] | .sha256, .index.sha256 // empty' "$lock" | sort | xargs -I{} cmp "kept/{}" "$blobs/{}" 2>&1)" = ""
check "a bundle is built of that too" "$caisson" bundle build --profile ./tiny.yaml --key release.key --out again.tar
check "of the same release" test "$("$caisson" bundle inspect again.tar --trust release.pub -o json | jq .digest)" = "$("$caisson" bundle inspect tiny.tar --trust release.pub -o json | jq .digest)"
rm "$blobs/$(entry $image .index.sha256 | tr -d '"')"
check "an image without its index is fetched again" fetch
check "as it says" says "fetched 1"
rm "$blobs/$(entry $image .sha256 | tr -d '"')" && jq -c "(.entries[] | select(.kind == \"oci\") | .index.sha256) = \"$(printf '%064d' 0)\"" "$lock" >other.json
expect "an index that is not there any more" 1 "E_REG_NOTFOUND" fetch --lock other.json
jq -c "(.entries[] | select(.kind == \"oci\") | .sha256) = \"$(printf '%064d' 0)\"" "$lock" >other.json
expect "another image than the index has" 4 "E_LOCK" fetch --lock other.json
check "the image again" fetch
make_image first && push app:1 >/dev/null 2>&1

# ---- what is pinned stays ----

cp "$lock" before
: >requests
check "again: nothing is looked up" lock
check "nobody was asked" test ! -s requests
check "the lock is the same" cmp "$lock" before
echo 'another program' >files/single && (cd files && sha256sum single | cut -c 1-64 >single.sha256)
make_image second && push app:1 >/dev/null 2>&1
check "upstream changed: what is pinned stays" lock
check "the lock is the same, still" cmp "$lock" before
check "--update takes what is there now" lock --update
check "it says what changed" says "2 changed"
check "and from what" says "- tool/1.2.3/single  sha256:$(jq -r '.entries[] | select(.id == "tool/1.2.3/single").sha256' before)"
check "the rest is the same" test "$(jq -cS '[.entries[] | select(.kind == "archive")]' "$lock")" = "$(jq -cS '[.entries[] | select(.kind == "archive")]' before)"
check "-o json" lock --update -o json
check "as JSON" jq -e '.entries == 4 and .kept == 4 and .changed == [] and .added == [] and .profile == "tiny"' "$work/said.out"
made='{component: "tool", file: "made", id: "tool/1.2.3/made", kind: "file", license: "MIT", platform: "linux/amd64", purl: "", sha256: .entries[0].sha256, size: 1, upstream: {ref: "source:x", type: "none"}, urls: [], version: "1.2.3"}'
jq -c ".entries = (.entries + [$made] | sort_by(.id))" "$lock" >new && mv new "$lock"
sed -i 's/, app\]/]/' tiny.yaml
check "what the profile no longer names goes" lock
check "it is said" says "- $image"
check "what a recipe made stays, whoever wants it" entry tool/1.2.3/made .size
sed -i 's/}\]}/}, app]}/' tiny.yaml
rm "$blobs/$(entry tool/1.2.3/tool-1.2.3.tgz .sha256 | tr -d '"')"
tool "${archive/members: \[/members: [{file: single, member: tool-1.2.3/README\}, }" && jq -c 'del(.entries[] | select(.file == "single"))' "$lock" >new && mv new "$lock"
check "a new file out of an archive that is pinned" lock
check "the archive was fetched again, by its digest" cmp files/tool-1.2.3.tgz "$blobs/$(entry tool/1.2.3/tool-1.2.3.tgz .sha256 | tr -d '"')"
rm "$blobs/$(entry tool/1.2.3/tool-1.2.3.tgz .sha256 | tr -d '"')" && jq -c 'del(.entries[] | select(.file == "single"))' "$lock" >new && mv new "$lock"
cp files/tool-1.2.3.tgz archive.good && echo more >>files/tool-1.2.3.tgz && cp "$lock" before
expect "unless it is another one now" 4 "E_LOCK: $files/tool-1.2.3.tgz has sha256" lock
check "the lock stays as it was" cmp "$lock" before
cp archive.good files/tool-1.2.3.tgz

# ---- a registry with logins ----

login() { printf '{"auths":{"localhost:%s":{"auth":"%s"}}}' "$closed" "$(printf '%s' "$1" | base64)" >auth.json && chmod 0600 auth.json; }
anew() { rm -f "$lock" && lock "$@"; }
tool "$archive" "$single"
app "oci://localhost:$closed/app:1"
check "a token without a login" anew
app "oci://localhost:$closed/private/app:1"
expect "no login where one is needed" 1 "E_REG_AUTH" anew
check "it says what to do" grep -qF -- '--auth FILE' "$work/said.err"
login 'officer:secret word'
check "a token for a login" anew --auth auth.json
printf '{"auths":{"https://localhost:%s/v2/":{"username":"officer","password":"secret word"}}}' "$closed" >auth.json
check "as name and password" anew --auth auth.json
login 'officer:wrong'
expect "a wrong login" 1 "E_REG_AUTH" anew --auth auth.json
check "the password is not shown" fails grep -rqE 'wrong|b2ZmaWNlcj' "$work/said.err" "$work/said.out"
chmod 0644 auth.json
expect "logins that others may read" 6 "others may read it" anew --auth auth.json
echo '{}' >auth.json && chmod 0600 auth.json
expect "no logins in the file" 64 '`auths` is missing' anew --auth auth.json
rm auth.json
expect "no such file" 64 "auth.json" anew --auth auth.json
rm -rf "$blobs"
app "oci://registry.example/app:1"
check "a mirror with another path" anew --mirror "https://registry.example/v2/=https://localhost:$open/v2/"
expect "nor is the mirror of a file that nobody knows yet" 64 "must be https" anew --mirror "$files/=http://localhost:$stub/files/"
expect "nor is the mirror of a tag" 64 "must be https" anew --mirror "https://registry.example/v2/=http://localhost:$open/v2/"

# ---- evidence ----

app "oci://localhost:$open/app:1"
signed() { echo "{file: single, url: \"$files/single\", evidence: {type: gpg, url: \"$files/$1\", keyring: ${2:-keys/tester.gpg}$3}}"; }
tool "$archive" "$(signed single.sig "" "")"
printf 'a program\n' >files/single
check "a signature" anew
check "its key is noted" entry tool/1.2.3/single ".upstream.type == \"gpg\" and .upstream.key == \"$(gpg --batch --quiet -k tester@example.invalid | grep -oE '[0-9A-F]{40}' | head -n 1)\""
tool "${archive/type: sha256sums, url: \"$files\/SHA256SUMS\"/type: gpg, url: \"$files\/SHA256SUMS.sig\", sums: \"$files\/SHA256SUMS\", keyring: keys\/tester.gpg}" "$(signed single.sig "" "")"
check "a signed list" anew
tool "$archive" "$(signed single.other "" "")"
expect "a signature of somebody else" 4 "E_LOCK" anew
tool "$archive" "$(signed SHA256SUMS.sig "" "")"
expect "a signature of something else" 4 "E_LOCK" anew
tool "$archive" "$(signed none.sig "" "")"
expect "no signature" 3 "E_SRC_HTTP" anew
tool "$archive" "$(signed single.sig keys/none.gpg "")"
expect "no keyring" 64 "bundles/tool.yaml:9:" anew
echo "$(printf '%064d' 0)  tool-1.2.3.tgz" >files/SHA256SUMS
tool "$archive" "$single"
expect "another digest in the list" 4 "E_LOCK: the list says sha256 0000" anew
echo "$(printf '%064d' 0)  tool-1.2.4.tgz" >files/SHA256SUMS
expect "not in the list" 4 "tool-1.2.3.tgz is not in the list" anew
check "no lock was made" test ! -e "$lock"
(cd files && sha256sum tool-1.2.3.tgz >SHA256SUMS && sha256sum single | cut -c 1-64 >single.sha256)
check "good again" anew

# ---- definitions with faults ----

while IFS='|' read -r what text item; do
    tool "$archive" "$item"
    expect "$what" 64 "$text" anew
done <<X
evidence of an unknown type|bundles/tool.yaml:9:|{file: single, url: "$files/single", evidence: {type: magic, url: "$files/x"}}
http|must begin with https://|{file: single, url: "http://localhost:$stub/files/single"}
a login in the address|without a user|{file: single, url: "https://a:b@localhost:$stub/files/single"}
an unknown key|unknown key "file2"|{file2: single, url: "$files/single"}
a member that leads out|E_PATH|{file: s.tgz, url: "$files/s.tgz", members: [{file: single, member: ../single}]}
a signature without a keyring|keyring|{file: single, url: "$files/single", evidence: {type: gpg, url: "$files/x"}}
an image with members|neither|{file: single, url: "oci://localhost/x:1", members: []}
nobody says where from|bundles/tool.yaml:4:|{file: double, url: "$files/single"}
X
tool "${archive/tool-1.2.3\/tool/tool-1.2.3\/none}" "$single"
expect "no such member" 4 'E_ARCHIVE: there is no member "tool-1.2.3/none"' anew
: >files/empty
tool "$archive" "{file: single, url: \"$files/empty\"}"
expect "an empty file" 4 "is empty" anew
tool "$archive" "{file: single, url: \"$files/none\"}"
expect "no such file" 3 "E_SRC_HTTP" anew
tool "$archive" "$single"
expect "another CA" 3 "E_SRC_TLS" "$caisson" bundle lock --profile ./tiny.yaml
expect "a CA's file that is none" 64 "--ca localhost=" "$caisson" bundle lock --profile ./tiny.yaml --ca localhost=tiny.yaml
expect "a profile that is not there" 64 "none.yaml" "$caisson" bundle lock --profile ./none.yaml

# ---- registries with faults ----

stubbed() { app "oci://localhost:$stub/$1" && anew; }
check "the server with faults can do it right" stubbed good:1
check "429 twice, with Retry-After" stubbed busy:1
check "a redirect to another host" stubbed moved:1
: >requests
check "layers that lie elsewhere" stubbed elsewhere:1
check "asked for with the login" grep -qE '^localhost /v2/elsewhere/blobs/.* login tls' requests
check "which the other host never sees" fails grep -qE '^127.* login' requests
check "an index: the platform's image alone" stubbed index:1
check "an index with variants: that of every such machine" stubbed variants:1
check "a bundle is built of it" "$caisson" bundle build --profile ./tiny.yaml --key release.key --out variants.tar
check "logins that run out in the middle of a layer, again and again" stubbed expires:1
check "more than five were needed" test "$(grep -c 'token.*expires' requests)" -ge 7
check "a lock" stubbed good:1
rm -rf "$blobs"
readonly https=https://localhost:$stub/v2/ http=http://localhost:$plain/v2/
check "what it names comes over http, too" fetch --mirror "$https=$http"
check "it came from there" grep -q '/v2/good/blobs/.* plain' requests
printf '{"auths":{"localhost:%s":{"username":"officer","password":"secret word"},"localhost:%s":{"username":"officer","password":"secret word"}}}' "$stub" "$plain" >auth.json && chmod 0600 auth.json
app "oci://localhost:$stub/basic:1"
check "a lock of what wants a login" anew --auth auth.json
rm -rf "$blobs"
check "logins go over https alone" fetch --auth auth.json --mirror "$https=$http"
check "the mirror was asked" grep -q '/v2/basic/.* - plain' requests
check "and got none" fails grep -q 'login plain' requests
app "oci://localhost:$stub/arm:1"
expect "of several failures the worst is told" 4 "E_PLATFORM" anew --mirror "${https}arm=${https}none"
printf '{"auths":{"localhost:%s":{"username":"officer","password":"secret word"}}}' "$stub" >auth.json && chmod 0600 auth.json
app "oci://localhost:$stub/basic:1"
check "a name and a password, without tokens" anew --auth auth.json
while IFS='|' read -r what status image text; do
    expect "$what" "$status" "$text" stubbed "$image"
    check "$what: no lock" test ! -e "$lock"
done <<'X'
a tag that is not there|1|good:2|E_REG_NOTFOUND
an image that is not there|1|none:1|E_REG_NOTFOUND
401 twice|1|twice:1|401 twice
a login without tokens|1|basic:1|E_REG_AUTH: localhost
403|1|forbidden:1|E_REG_AUTH
tokens over http|1|http-realm:1|not https
a token server without a token|1|no-token:1|has no token
429 for ever|3|overloaded:1|E_REG_BUSY
redirects in a circle|3|circle:1|more than 5 redirects
a redirect to http|3|downgrade:1|elsewhere than to https
another digest than the registry says|4|lies:1|E_DIGEST
another byte in a layer|4|flipped:1|E_DIGEST
a layer that is not there|3|gone-layer:1|E_SRC_HTTP
no image for the platform|4|arm:1|E_PLATFORM: it has no image for linux/amd64, only for: linux/arm64, linux/s390x
an image for another machine than its config|4|config-arm:1|E_PLATFORM: its config is for linux/arm64
an index in an index|4|nested:1|E_OCI
a manifest of 5 MiB|4|huge:1|E_LIMIT
a layer elsewhere|4|foreign:1|`urls`
a layer of an unknown type|4|unknown:1|E_OCI
another size of the config|4|config-size:1|E_SIZE
another size of a layer|3|layer-size:1|E_SRC_SIZE
a manifest of the first kind|4|schema1:1|E_OCI
a manifest that is no JSON|4|text:1|E_OCI
a name in capitals|64|Good:1|E_REF
X
check "what a registry says cannot move the cursor" fails grep -rq $'\x1b' "$work/said.err"
app oci://localhost:1/x:1
expect "nobody there" 3 "E_SRC_CONNECT" anew
check "images without a manifest in the cache are none: nothing is left over" test -z "$(ls -A "$CAISSON_CACHE/tmp")"
echo "$good passed, $bad failed"
[ "$bad" = 0 ]
