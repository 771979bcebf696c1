#!/usr/bin/env bash
# Keys that sign outside: in a PKCS#11 token (SoftHSM2) and a TPM (swtpm) through OpenSSL's providers, and at file: URIs.
# usage: token_test.sh CAISSON SOURCE-FOLDER [sanitized]
set -uo pipefail
caisson=$(readlink -f "$1") source=$(readlink -f "$2") sanitized=${3-}
work=$(mktemp -d -t caisson-token.XXXXXX)
readonly caisson source work sanitized
finish() {
    [ ! -e "$work/tpm/pid" ] || kill "$(cat "$work/tpm/pid")" 2>/dev/null
    rm -rf -- "$work"
}
trap finish EXIT
export CAISSON_CACHE=${CAISSON_CACHE-${XDG_CACHE_HOME:-$HOME/.cache}/caisson} HOME=$work/home NO_COLOR=1
unset OPENSSL_CONF OPENSSL_MODULES PKCS11_PROVIDER_MODULE SOURCE_DATE_EPOCH
mkdir "$HOME" && cd "$work" || exit 1
bad=0 good=0

pass() { good=$((good + 1)) && echo "ok   $1"; }
fail() {
    bad=$((bad + 1))
    echo "FAIL $1: $2"
    sed 's/^/     /' err out
}
run() {
    timeout 120 setsid -w "$@" >out 2>err </dev/null # no terminal to ask at
    status=$?
}
# works WHAT COMMAND...
works() {
    run "${@:2}"
    if [ "$status" = 0 ]; then pass "$1"; else fail "$1" "exit status $status"; fi
}
# refused WHAT STATUS TEXT FIX COMMAND...
refused() {
    local what=$1 want=$2 text=$3 fix=$4
    run "${@:5}"
    if [ "$status" != "$want" ]; then
        fail "$what" "exit status $status, not $want"
    elif ! grep -qF -- "$text" err; then
        fail "$what" "does not say: $text"
    elif ! grep -F -- '  fix: ' err | grep -qF -- "$fix"; then
        fail "$what" "does not name the way out: $fix"
    else
        pass "$what"
    fi
}
says() {
    if grep -qF -- "$2" out; then pass "$1"; else fail "$1" "does not say: $2"; fi
}

# small_profile: something to be released
small_profile() {
    local digest
    mkdir -p cache/blobs/sha256 bundles
    echo tool >tool && digest=$(sha256sum tool | cut -c 1-64) && mv tool "cache/blobs/sha256/$digest"
    cat >tiny.yaml <<'Y'
apiVersion: caisson.dev/v1
kind: Profile
metadata: {name: tiny}
spec: {version: 1.0.0, components: [{name: tool, version: 1.2.3}]}
Y
    cat >bundles/tool.yaml <<'Y'
apiVersion: caisson.dev/v1
kind: Component
metadata: {name: tool, license: MIT, supplier: example, purl: "pkg:generic/tool"}
versions: [{version: 1.2.3}]
packages: [{name: tool, roles: [all], files: [{path: bin/tool, from: tool, mode: "0755"}]}]
Y
    cat >lock.json <<J
{"schema":1,"profile":"tiny","platform":"linux/amd64","entries":[{"component":"tool","file":"tool","id":"tool/1.2.3/tool",
"kind":"file","purl":"pkg:generic/tool@1.2.3","sha256":"$digest","size":5,"version":"1.2.3","license":"MIT",
"platform":"linux/amd64","upstream":{"type":"none","ref":"x"},"urls":[]}]}
J
}
build=("$caisson" bundle build --profile ./tiny.yaml --lock lock.json --cache cache)

# signature_holds BUNDLE PUB: of the bundle's release, as stock openssl sees it
signature_holds() {
    local type=application/vnd.in-toto+json id
    rm -rf x && mkdir x && tar -xf "$1" -C x
    id=$(openssl pkey -pubin -in "$2" -outform DER | sha256sum | cut -d' ' -f1)
    (printf 'DSSEv1 %d %s %d ' ${#type} "$type" "$(stat -c %s x/caisson/release.json)" && cat x/caisson/release.json) >pae
    if openssl pkey -pubin -in "$2" -noout -text | grep -q ED25519; then
        openssl pkeyutl -verify -pubin -inkey "$2" -rawin -in pae -sigfile "x/caisson/sig/$id.sig"
    else
        openssl dgst -sha256 -verify "$2" -signature "x/caisson/sig/$id.sig" pae
    fi
}

openssl_agrees() {
    if signature_holds "$@" >out 2>err; then pass "openssl verifies $1"; else fail "openssl verifies $1" "it does not"; fi
}

# ---- file: needs no provider but OpenSSL's own ----

small_profile
(umask 077 && echo sesame >phrase && echo 1234 >pin && echo 9999 >badpin)
works "key generate" "$caisson" key generate plain
works "key generate, with a passphrase" "$caisson" key generate locked --passphrase-file phrase
works "key show of a file" "$caisson" key show plain.key --out again.pub
works "its public half is the one that was made" cmp plain.pub again.pub
works "key show of a public key" "$caisson" key show plain.pub -o json
says "which says what it is" '"private":false'
refused "a public half that is there already" 6 "again.pub exists" "choose another name" "$caisson" key show plain.key --out again.pub
works "bundle build with a file: URI" "${build[@]}" --key "file:$work/plain.key" --out file.tar
works "bundle verify of that" "$caisson" bundle verify file.tar --trust plain.pub
openssl_agrees file.tar plain.pub
works "a file: URI with a passphrase" "$caisson" key show "file:$work/locked.key" --passphrase-file phrase
refused "the wrong passphrase" 64 "wrong passphrase" "file:/absolute/path" "$caisson" key show "file:$work/locked.key" --passphrase-file pin
refused "a passphrase and nobody to ask" 64 "no terminal to ask for its passphrase" "--passphrase-file FILE" "$caisson" key show "file:$work/locked.key"
refused "a file: URI of no file" 64 "No such file" "file:/absolute/path" "$caisson" key show file:/none.key
refused "a file: URI that is not absolute" 64 "path must be absolute" "file:/absolute/path" "$caisson" key show file:plain.key
chmod 644 plain.key
refused "a file: URI that others may read" 6 "may be read by others" "chmod 600" "$caisson" key show "file://localhost$work/plain.key"
chmod 600 plain.key
refused "a URI that nobody knows" 64 "no provider here opens such a URI" "--provider NAME" "$caisson" key show xyz:1
refused "a token without its provider" 64 "no provider here opens such a URI" "--provider pkcs11" "$caisson" key show "pkcs11:token=a;object=b"
refused "a provider that is not there" 64 "provider nowhere cannot be loaded" "nowhere.so" "$caisson" key show "pkcs11:token=a" --provider nowhere
refused "a PIN in the URI" 64 "no PIN in a URI" "--passphrase-file" "$caisson" key show "pkcs11:token=a;object=b?pin-value=1234"
refused "a PIN's file in the URI" 64 "no PIN in a URI" "--passphrase-file" "$caisson" key show "pkcs11:token=a?pin-source=file:/x"
refused "a URI without a token" 64 "it names no token" "pkcs11:token=LABEL" "$caisson" key show "pkcs11:object=b"
refused "key generate into a token" 64 "keys are made as files here" "pkcs11-tool" "$caisson" key generate "pkcs11:token=a"
echo "openssl_conf = nowhere" >broken.cnf
refused "an openssl.cnf that does not hold" 64 "openssl.cnf" "OPENSSL_CONF" env OPENSSL_CONF="$work/broken.cnf" "$caisson" key show "file:$work/plain.key"

# ---- a token ----

token_tests() {
    softhsm=$(find /usr/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
    if [ -z "$softhsm" ] || ! command -v pkcs11-tool >/dev/null; then
        echo "skip the token: no softhsm2 or opensc here (ci/setup)"
        return
    elif ! provider=$("$source/ci/pkcs11" 2>err); then
        echo "skip the token: OpenSSL's provider for PKCS#11 cannot be had:"
        tail -n 3 err
        return
    fi
    export SOFTHSM2_CONF=$work/softhsm2.conf
    mkdir tokens && echo "directories.tokendir = $work/tokens" >"$SOFTHSM2_CONF"
    hsm() { softhsm2-util "$@" >/dev/null; }
    hsm --init-token --free --label officer --so-pin 12345678 --pin 1234
    hsm --init-token --free --label empty --so-pin 12345678 --pin 4321
    openssl genpkey -algorithm ED25519 -out ed.pem
    openssl genpkey -quiet -algorithm RSA -out rsa.pem 2>/dev/null || openssl genpkey -algorithm RSA -out rsa.pem 2>/dev/null
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem
    hsm --import ed.pem --token officer --label ed --id 02 --pin 1234
    hsm --import rsa.pem --token officer --label rsa --id 03 --pin 1234
    hsm --import p384.pem --token officer --label p384 --id 04 --pin 1234
    in_token() { pkcs11-tool --module "$softhsm" --token-label officer --pin 1234 "$@" >out 2>err; }
    in_token --keypairgen --key-type EC:prime256v1 --label made --id 05
    in_token --keypairgen --key-type EC:prime256v1 --label each --id 06 --always-auth
    in_token --keypairgen --key-type EC:prime256v1 --label half --id 07 && in_token --delete-object --type pubkey --id 07

    export OPENSSL_MODULES=$provider PKCS11_PROVIDER_MODULE=$softhsm
    token="pkcs11:token=officer;object"
    as=(--provider pkcs11 --passphrase-file pin)
    for object in made ed each; do
        works "key show, $object in the token" "$caisson" key show "$token=$object" "${as[@]}" --out $object.pub
        says "its id is that of the file" "id $(openssl pkey -pubin -in $object.pub -outform DER | sha256sum | cut -d' ' -f1)"
        works "bundle build, $object in the token signs" "${build[@]}" --key "$token=$object" "${as[@]}" --out $object.tar
        works "bundle verify of that" "$caisson" bundle verify $object.tar --trust $object.pub
        openssl_agrees $object.tar $object.pub
    done
    works "openssl has the same public half" cmp ed.pub <(openssl pkey -in ed.pem -pubout)

    # two officers, each with a token's key, in two places
    works "root create" "$caisson" root create chain --root-key made.pub --root-key ed.pub --root-threshold 2 --release-key made.pub \
        --release-key ed.pub --release-threshold 2 --key "$token=made" "${as[@]}"
    works "root sign" "$caisson" root sign chain --key "$token=ed" "${as[@]}"
    says "the root document is complete" "is complete"
    works "root rotate" "$caisson" root rotate chain --epoch 1 --key "$token=made" --key "$token=ed" "${as[@]}"
    works "bundle build by the first" "${build[@]}" --root chain --key "$token=made" "${as[@]}" --out two.tar
    works "bundle sign by the second" "$caisson" bundle sign two.tar --key "$token=ed" --trust made.pub --trust ed.pub "${as[@]}"
    works "bundle verify of both" "$caisson" bundle verify two.tar --trust made.pub --trust ed.pub
    works "--root-key in the token" "${build[@]}" --key plain.key --root-key "$token=made" "${as[@]}" --out apart.tar
    works "bundle verify of that" "$caisson" bundle verify apart.tar --trust made.pub

    # openssl.cnf instead of --provider
    cat >token.cnf <<C
openssl_conf = init
[init]
providers = list
[list]
pkcs11 = token
[token]
module = $provider/pkcs11.so
pkcs11-module-path = $softhsm
activate = 1
C
    works "the provider of openssl.cnf" env -u OPENSSL_MODULES -u PKCS11_PROVIDER_MODULE OPENSSL_CONF="$work/token.cnf" \
        "$caisson" key show "$token=made" --passphrase-file pin
    says "is the same key" "id $(openssl pkey -pubin -in made.pub -outform DER | sha256sum | cut -d' ' -f1)"

    show=("$caisson" key show --provider pkcs11)
    refused "the wrong PIN" 64 "the PIN is wrong" "given once" "${show[@]}" "$token=made" --passphrase-file badpin
    works "a wrong PIN is given once: the token still counts few" "${show[@]}" "$token=made" --passphrase-file pin
    refused "a PIN and nobody to ask" 64 "no terminal to ask" "--passphrase-file FILE" "${show[@]}" "$token=made"
    refused "no such token" 64 "there is no such token" "plugged in" "${show[@]}" "pkcs11:token=none;object=made" --passphrase-file pin
    refused "no such object" 64 "the token has no such private key" "pkcs11-tool" "${show[@]}" "$token=none" --passphrase-file pin
    refused "more than one object" 64 "private keys are there" "object=LABEL" "${show[@]}" "pkcs11:token=officer" --passphrase-file pin
    refused "an RSA key in the token" 64 "this one cannot" "P-256 or Ed25519" "${show[@]}" "$token=rsa" --passphrase-file pin
    refused "a P-384 key in the token" 4 "instead of P-256" "P-256 or Ed25519" "${show[@]}" "$token=p384" --passphrase-file pin
    refused "a key without its public half" 64 "its public half is not there" "same id" "${show[@]}" "$token=half" --passphrase-file pin
    refused "a module that is not there" 64 "no provider here opens such a URI" "PKCS11_PROVIDER_MODULE" env PKCS11_PROVIDER_MODULE=/none.so "${show[@]}" "$token=made" --passphrase-file pin
    refused "a build with the wrong PIN" 64 "the PIN is wrong" "given once" "${build[@]}" --key "$token=made" --provider pkcs11 \
        --passphrase-file badpin --out none.tar
    works "which leaves nothing" test ! -e none.tar
}

# ---- a TPM ----

tpm_tests() {
    local tool
    for tool in swtpm tpm2_createprimary /usr/lib/*/ossl-modules/tpm2.so; do
    command -v "$tool" >/dev/null || [ -e "$tool" ] || { echo "skip the TPM: no $tool here (ci/setup)" && return; }
    done
    unset OPENSSL_MODULES
    mkdir tpm && swtpm socket --tpm2 --tpmstate dir="$work/tpm" --ctrl type=unixio,path="$work/tpm/socket.ctrl" --server type=unixio,path="$work/tpm/socket" \
        --flags not-need-init,startup-clear --daemon --pid file="$work/tpm/pid" || return
    export TPM2TOOLS_TCTI=swtpm:path=$work/tpm/socket TPM2OPENSSL_TCTI=swtpm:path=$work/tpm/socket
    tpm2_createprimary -Q -C o -c first &&
        tpm2_create -Q -C first -G ecc256:ecdsa-sha256 -u half -r other -p 1234 -a 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth' &&
        tpm2_flushcontext -t && tpm2_load -Q -C first -u half -r other -c key && tpm2_evictcontrol -Q -c key -C o 0x81000001 && tpm2_flushcontext -t
    local key="handle:0x81000001?pass"
    works "key show, a TPM's" "$caisson" key show "$key" --provider tpm2 --passphrase-file pin --out tpm.pub
    works "bundle build, the TPM signs" "${build[@]}" --key "$key" --provider tpm2 --passphrase-file pin --out tpm.tar
    works "bundle verify of that" "$caisson" bundle verify tpm.tar --trust tpm.pub
    openssl_agrees tpm.tar tpm.pub
    refused "the wrong passphrase of a TPM's key" 1 "it does not sign" "is the PIN right?" "${build[@]}" --key "$key" --provider tpm2 --passphrase-file badpin --out none.tar
    refused "a handle of nothing" 64 "no private key is there" "--provider" "$caisson" key show handle:0x81000009 --provider tpm2 --passphrase-file pin
}

if [ -n "$sanitized" ]; then
    echo "skip tokens: their modules and the sanitizers cannot be loaded together"
else
    token_tests
    tpm_tests
fi
echo "$good good, $bad bad"
[ "$bad" = 0 ]
