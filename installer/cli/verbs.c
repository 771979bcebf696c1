#include "cli/verbs.h"

const struct opt global_opts[] = {
    {.name = "config", .letter = 'c', .arg = "FILE", .word = WORD_FILE, .help = "the cluster's file (cluster.yaml)"},
    {.name = "output", .letter = 'o', .arg = "FORMAT", .word = WORD_FORMAT, .help = "text or json (text)"},
    {.name = "no-color", .help = "no colours on a terminal"},
    {.name = "help", .letter = 'h', .help = "print this"},
    {0},
};

static const struct opt init_opts[] = {
    {.name = "name", .arg = "NAME", .help = "the cluster's name in a new cluster.yaml (my-cluster)"},
    {0},
};

static const struct opt validate_opts[] = {
    {.name = "no-bundle", .help = "check cluster.yaml alone, without its release"},
    {0},
};

static const struct opt trust_opts[] = {
    {.name = "accept",
     .arg = "SHA256:...",
     .many = true,
     .help = "accept this key without asking, and no other; may be given again"},
    {0},
};

static const struct opt trust_bundle_opts[] = {
    {.name = "fingerprint",
     .arg = "sha256:...",
     .help = "accept this root document, and what follows from it, without asking"},
    {0},
};

static const struct opt kubeconfig_opts[] = {
    {.name = "out", .arg = "FILE", .word = WORD_FILE, .help = "write a file (0600) instead of standard output"},
    {.name = "via", .arg = "HOST", .word = WORD_HOST, .help = "the control-plane host it points at (the first)"},
    {.name = "hours", .arg = "N", .help = "how long its certificate is valid (24)"},
    {0},
};

static const struct opt reset_opts[] = {
    {.name = "yes", .letter = 'y', .help = "do not ask for the cluster's name"},
    {0},
};

#define PASSPHRASE_OPT                                                                                                 \
    {                                                                                                                  \
        .name = "passphrase-file", .arg = "FILE", .word = WORD_FILE,                                                   \
        .help = "file (0600) with the passphrase or PIN of one private key; else asked for at the terminal"            \
    }
/* Of verbs that use a private key, which may be in a token. */
#define KEY_ACCESS_OPTS                                                                                                \
    PASSPHRASE_OPT,                                                                                                    \
    {                                                                                                                  \
        .name = "provider", .arg = "NAME", .many = true,                                                               \
        .help = "for a key's URI: OpenSSL provider that knows it (those of openssl.cnf); may be given again"           \
    }
#define KEY_URI_NOTE                                                                                                   \
    "A key may also be a URI, of a token or whatever else a provider of OpenSSL reaches: pkcs11:token=T;object=O "     \
    "with\n"                                                                                                           \
    "--provider pkcs11, handle:0x81000001?pass with --provider tpm2. It signs there; a PIN never stands in the URI.\n"

/* Out of the net: mirrors, trust, proxy. */
#define MIRROR_OPT                                                                                                     \
    {                                                                                                                  \
        .name = "mirror", .arg = "FROM=TO", .many = true,                                                              \
        .help = "try addresses that begin with FROM at TO first; may be given again"                                   \
    }

#define NET_OPTS                                                                                                       \
    {.name = "ca",                                                                                                     \
     .arg = "HOST=FILE",                                                                                               \
     .many = true,                                                                                                     \
     .help = "trust the CAs in this PEM file, and no others, for that host; may be given again"},                      \
    {                                                                                                                  \
        .name = "proxy", .arg = "URL", .help = "proxy (https_proxy, http_proxy and no_proxy of the environment)"       \
    }

#define AUTH_OPT                                                                                                       \
    {                                                                                                                  \
        .name = "auth", .arg = "FILE", .word = WORD_FILE,                                                              \
        .help = "logins for registries (0600), as Docker's config.json"                                                \
    }

static const struct opt lock_opts[] = {
    {.name = "profile", .arg = "NAME|FILE", .word = WORD_FILE, .help = "profiles/NAME.yaml, or a file (minimal)"},
    {.name = "bundles", .arg = "DIR", .word = WORD_FOLDER, .help = "folder of component definitions (bundles)"},
    {.name = "cache", .arg = "DIR", .word = WORD_FOLDER, .help = "folder for what is fetched ($CAISSON_CACHE)"},
    {.name = "out", .arg = "FILE", .word = WORD_FILE, .help = "the lock (CACHE/lock/PROFILE.lock.json)"},
    {.name = "update", .help = "look up again what is locked already; else it stays as it is"},
    AUTH_OPT,
    MIRROR_OPT,
    NET_OPTS,
    {0},
};

static const struct opt build_opts[] = {
    {.name = "profile", .arg = "NAME|FILE", .word = WORD_FILE, .help = "profiles/NAME.yaml, or a file (minimal)"},
    {.name = "key", .arg = "FILE|URI", .word = WORD_FILE, .help = "private key that signs the release (needed)"},
    {.name = "root", .arg = "DIR", .word = WORD_FOLDER, .help = "root documents that say who may sign (one for --key)"},
    {.name = "root-key",
     .arg = "FILE|URI",
     .word = WORD_FILE,
     .help = "without --root: key that signs the root document (--key)"},
    KEY_ACCESS_OPTS,
    {.name = "out", .arg = "FILE", .word = WORD_FILE, .help = "the bundle (PRODUCT-PROFILE-VERSION-PLATFORM.csn.tar)"},
    {.name = "bundles", .arg = "DIR", .word = WORD_FOLDER, .help = "folder of component definitions (bundles)"},
    {.name = "cache", .arg = "DIR", .word = WORD_FOLDER, .help = "folder of the locked bytes ($CAISSON_CACHE)"},
    {.name = "lock", .arg = "FILE", .word = WORD_FILE, .help = "the lock (CACHE/lock/PROFILE.lock.json)"},
    {.name = "product", .arg = "NAME", .help = "product (caisson, or that of --root)"},
    {.name = "channel", .arg = "NAME", .help = "channel (stable)"},
    {.name = "version", .arg = "VERSION", .help = "version of the release (the profile's)"},
    {.name = "epoch", .arg = "N", .help = "without --root: epoch of the rollback protection (0)"},
    {.name = "sequence", .arg = "N", .help = "number of the release, growing (1)"},
    {.name = "rollback-to",
     .arg = "EPOCH.SEQUENCE",
     .many = true,
     .help = "older release to which this one allows a return; may be given again"},
    {.name = "expires", .arg = "DATE", .help = "2027-12-31: readers warn from then on"},
    {.name = "source-date-epoch", .arg = "SECONDS", .help = "every time in the bundle ($SOURCE_DATE_EPOCH, else 0)"},
    {.name = "requires", .arg = "FILE", .word = WORD_FILE, .help = "for an add-on: the bundle it needs"},
    {.name = "trust",
     .arg = "PUB",
     .word = WORD_FILE,
     .many = true,
     .help = "public key or root.json for --requires (that of --key); may be given again"},
    {0},
};

#define READ_OPT                                                                                                       \
    {                                                                                                                  \
        .name = "trust", .arg = "PUB", .word = WORD_FILE, .many = true,                                                \
        .help = "public key or root.json to check it against (cluster.yaml's, else the pinned); may be given again"    \
    }

/* How the outside is reached. */
static const struct opt read_opts[] = {READ_OPT, NET_OPTS, {0}};

static const struct opt sbom_opts[] = {
    {.name = "format", .arg = "FORMAT", .word = WORD_SBOM, .help = "cyclonedx or spdx (cyclonedx)"},
    READ_OPT,
    NET_OPTS,
    {0},
};

static const struct opt verify_opts[] = {
    READ_OPT,
    {.name = "enforce-dates", .help = "refuse what has expired or comes from the future, instead of a warning"},
    NET_OPTS,
    {0},
};

static const struct opt fetch_opts[] = {
    {.name = "profile", .arg = "NAME", .help = "whose lock it is: CACHE/lock/NAME.lock.json (minimal)"},
    {.name = "lock", .arg = "FILE", .word = WORD_FILE, .help = "the lock itself"},
    {.name = "cache", .arg = "DIR", .word = WORD_FOLDER, .help = "folder to fill ($CAISSON_CACHE)"},
    AUTH_OPT,
    MIRROR_OPT,
    NET_OPTS,
    {0},
};

#define STORE_OPT                                                                                                      \
    {                                                                                                                  \
        .name = "store", .arg = "DIR", .word = WORD_FOLDER, .help = "the store ($XDG_DATA_HOME/caisson/store)"         \
    }

static const struct opt list_opts[] = {STORE_OPT, READ_OPT, NET_OPTS, {0}};

static const struct opt ingest_opts[] = {
    STORE_OPT,
    READ_OPT,
    {.name = "enforce-dates", .help = "refuse what has expired or comes from the future, instead of a warning"},
    NET_OPTS,
    {0},
};

static const struct opt remove_opts[] = {
    STORE_OPT,
    {.name = "unused", .help = "remove the blobs that no release has: of an ingest that did not end"},
    {0},
};

static const struct opt split_opts[] = {
    {.name = "size", .arg = "SIZE", .help = "most bytes of a part: 700MB, 4GB, 4GiB (4GB, which every FAT holds)"},
    {.name = "out", .arg = "DIR", .word = WORD_FOLDER, .help = "folder for the parts (the current one)"},
    {0},
};

static const struct opt delta_opts[] = {
    {.name = "base",
     .arg = "FILE",
     .word = WORD_FILE,
     .many = true,
     .help = "older bundle; for a delta also a list of bundle held (needed); may be given again"},
    {.name = "out", .arg = "FILE", .word = WORD_FILE, .help = "file to write (needed)"},
    READ_OPT,
    {0},
};

static const struct opt key_opts[] = {
    {.name = "scheme", .arg = "p256|ed25519", .word = WORD_SCHEME, .help = "kind of key (p256)"},
    PASSPHRASE_OPT,
    {0},
};

#define KEYS_OPT(text)                                                                                                 \
    {                                                                                                                  \
        .name = "key", .arg = "FILE|URI", .word = WORD_FILE, .many = true, .help = text                                \
    }

/* What a root document says. */
#define ROOT_OPTS                                                                                                      \
    {.name = "root-key",                                                                                               \
     .arg = "PUB",                                                                                                     \
     .word = WORD_FILE,                                                                                                \
     .many = true,                                                                                                     \
     .help = "public key of a root officer; may be given again"},                                                      \
        {.name = "root-threshold", .arg = "N", .help = "how many root officers must sign (as before, else 1 of 1)"},   \
        {.name = "release-key",                                                                                        \
         .arg = "PUB",                                                                                                 \
         .word = WORD_FILE,                                                                                            \
         .many = true,                                                                                                 \
         .help = "public key of who signs releases; may be given again"},                                              \
        {.name = "release-threshold",                                                                                  \
         .arg = "N",                                                                                                   \
         .help = "how many of them must sign a release (as before, else 1 of 1)"},                                     \
        {.name = "epoch", .arg = "N", .help = "epoch of the rollback protection (as before, else 0)"},                 \
        {.name = "expires", .arg = "DATE", .help = "2027-12-31: readers warn from then on"},                           \
        {.name = "deny",                                                                                               \
         .arg = "sha256:...",                                                                                          \
         .many = true,                                                                                                 \
         .help = "a release that nobody may install any more; may be given again"},                                    \
        KEYS_OPT("private key that signs at once; may be given again"), KEY_ACCESS_OPTS

static const struct opt key_show_opts[] = {
    {.name = "out", .arg = "FILE", .word = WORD_FILE, .help = "write the public half into a new file"},
    KEY_ACCESS_OPTS,
    {0},
};

static const struct opt root_create_opts[] = {
    {.name = "product", .arg = "NAME", .help = "product (caisson)"},
    ROOT_OPTS,
    {0},
};

static const struct opt root_rotate_opts[] = {ROOT_OPTS, {0}};

static const struct opt root_sign_opts[] = {
    KEYS_OPT("private key that signs (needed); may be given again"),
    KEY_ACCESS_OPTS,
    {0},
};

static const struct opt bundle_sign_opts[] = {
    {.name = "key", .arg = "FILE|URI", .word = WORD_FILE, .help = "private key that signs (needed)"},
    KEY_ACCESS_OPTS,
    {.name = "trust",
     .arg = "PUB",
     .word = WORD_FILE,
     .many = true,
     .help = "root key or document to check the bundle against (the public half of --key); may be given again"},
    {0},
};

#define ALLOW_OPTS                                                                                                     \
    {.name = "allow-rollback",                                                                                         \
     .arg = "EPOCH.SEQUENCE",                                                                                          \
     .many = true,                                                                                                     \
     .help = "take this older release, to which the installed one allows a return"},                                   \
    {                                                                                                                  \
        .name = "enforce-dates", .help = "refuse what has expired or comes from the future, instead of a warning"      \
    }

static const struct opt plan_opts[] = {ALLOW_OPTS, {0}};

const struct verb verbs[] = {
    {.name = "init",
     .operands = "",
     .summary = "make cluster.yaml, your key and the cluster's secrets, where they are missing",
     .opts = init_opts,
     .notes = "Nothing that exists is changed. Keep a copy of the keys' folder and of secrets.vault: without both, "
              "nobody can\n"
              "change the cluster any more.\n",
     .run = run_init,
     .show = show_init},
    {.name = "validate",
     .operands = "",
     .summary = "check cluster.yaml and its release; contacts no machine",
     .opts = validate_opts,
     .notes = "With --no-bundle neither the bundle nor secrets.vault is needed. Faults are said as FILE:LINE:COLUMN.\n",
     .run = run_validate,
     .show = show_validate},
    {.name = "trust host",
     .operands = "[HOST]",
     .most = 1,
     .word = WORD_HOST,
     .summary = "pin hosts' SSH keys in known_hosts, after asking",
     .opts = trust_opts,
     .notes = "Compare each fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine itself. "
              "Keys that\n"
              "are pinned already are never replaced: remove the old line from known_hosts first.\n",
     .run = run_trust,
     .show = show_trust},
    {.name = "trust bundle",
     .operands = "FILE",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "pin a publisher's root document from a bundle or root.json, after asking",
     .opts = trust_bundle_opts,
     .notes =
         "Its fingerprint is the SHA-256 of the root document, as the publisher's `caisson root show` prints it. What "
         "is\n"
         "pinned is kept in $XDG_CONFIG_HOME/caisson/trust/PRODUCT; it follows the publisher's later documents and is "
         "never\n"
         "replaced otherwise. It counts wherever no `trust` in cluster.yaml and no --trust says something else.\n",
     .run = run_trust_bundle,
     .show = show_trust_bundle},
    {.name = "preflight",
     .operands = "",
     .summary = "check that the machines can carry the cluster; changes nothing",
     .notes =
         "A failed check names the way out. Exit status: 6 a check failed, 3 a host cannot be reached, 4 a host shows\n"
         "another key than the known one; 0 also with warnings. `caisson apply` makes the same checks on the hosts "
         "that\n"
         "have nothing yet.\n",
     .run = run_preflight,
     .show = show_preflight},
    {.name = "plan",
     .operands = "",
     .summary = "print what apply would do; exit status 2 when there is something",
     .opts = plan_opts,
     .notes = "An older release than the cluster had is refused (exit status 4), unless the installed one allows the "
              "return and\n"
              "--allow-rollback names it.\n",
     .run = run_plan,
     .show = show_plan},
    {.name = "apply",
     .operands = "",
     .summary = "make the machines what cluster.yaml says",
     .opts = plan_opts,
     .keep = true,
     .notes = "Ctrl-C once stops after the running step, twice at once; run it again to go on. Exit status: 5 when "
              "some hosts\n"
              "are done and some are not, 6 when preflight refused; `caisson help` lists the others.\n",
     .run = run_apply,
     .show = show_apply},
    {.name = "status",
     .operands = "",
     .summary = "show nodes, units, certificates, etcd and the API",
     .notes = "Exit status: 0 the cluster is ready, 3 a host cannot be reached, 1 something else is not well.\n",
     .run = run_status,
     .show = show_status},
    {.name = "kubeconfig",
     .operands = "",
     .summary = "make a kubeconfig with a short-lived certificate",
     .opts = kubeconfig_opts,
     .notes =
         "No machine is asked. Whoever has the file is an administrator of the cluster until the certificate ends.\n",
     .run = run_kubeconfig,
     .show = show_kubeconfig},
    {.name = "reset",
     .operands = "[HOST]",
     .most = 1,
     .word = WORD_HOST,
     .summary = "take everything of caisson off all hosts, or one; the cluster's data is lost",
     .opts = reset_opts,
     .keep = true,
     .notes = "Only what caisson put there is removed, by the helper on the machine. cluster.yaml and secrets.vault "
              "stay here.\n",
     .run = run_reset,
     .show = show_reset},
    {.name = "bundle lock",
     .operands = "",
     .summary = "find, fetch and pin what a profile is made of; writes the lock",
     .opts = lock_opts,
     .notes = "The only verb that looks anything up: each file and image gets its size and SHA-256, tags become "
              "digests, and what\n"
              "upstream publishes as evidence is checked. Review what it prints, and the lock: later verbs take just "
              "that. Exit\n"
              "status: 3 when a source cannot be reached, 4 when bytes or evidence are not as they must be.\n",
     .run = run_bundle_lock,
     .show = show_bundle_lock},
    {.name = "bundle build",
     .operands = "",
     .summary = "build and sign a release from a profile, a lock and a cache; offline",
     .opts = build_opts,
     .notes = KEY_URI_NOTE,
     .run = run_bundle_build,
     .show = show_bundle_build},
    {.name = "bundle fetch",
     .operands = "",
     .summary = "download what a lock names and the cache lacks",
     .opts = fetch_opts,
     .notes = "Each file has its name only when size and digest are those of the lock. Run it again after a cut: what "
              "came is kept.\n"
              "Mirrors may be plain http: the digest decides. Exit status: 1 entries have no address (scripts/payloads "
              "makes\n"
              "them), 3 no source gives a file, 4 a source gives other bytes than locked.\n",
     .run = run_bundle_fetch,
     .show = show_bundle_fetch},
    {.name = "bundle verify",
     .operands = "FILE|URL|-",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "check a bundle's signatures and every byte",
     .opts = verify_opts,
     .notes =
         "A URL of http or https is read by ranges, never stored, as inspect, list, licenses, sbom and diff do it too. "
         "- "
         "is\n"
         "standard input, which is read once, in one pass, and not stored either; so is a pipe. Exit status: 3 when it "
         "cannot\n"
         "be had, 4 when one signature or byte is not as it was signed.\n",
     .run = run_bundle_verify,
     .show = show_bundle_verify},
    {.name = "bundle inspect",
     .operands = "FILE|URL",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "show what a bundle is and holds",
     .opts = read_opts,
     .notes = "It also shows a bundle that has one signature and needs more: read it before `caisson bundle sign`.\n",
     .run = run_bundle_inspect,
     .show = show_bundle_inspect},
    {.name = "bundle list",
     .operands = "[FILE|URL]",
     .most = 1,
     .word = WORD_FILE,
     .summary = "list a bundle's members and what each is for; without FILE the store's releases",
     .opts = list_opts,
     .run = run_bundle_list,
     .show = show_bundle_list},
    {.name = "bundle licenses",
     .operands = "FILE|URL",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "list the licences in a bundle and what is under each",
     .opts = read_opts,
     .notes = "These are what the components' definitions state: SPDX expressions, for all bytes of a component.\n",
     .run = run_bundle_licenses,
     .show = show_bundle_licenses},
    {.name = "bundle sbom",
     .operands = "FILE|URL",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "print a bundle's bill of materials as JSON",
     .opts = sbom_opts,
     .notes =
         "cyclonedx (1.6) is what the bundle carries, signed with the release: its very bytes, and a newline. spdx "
         "(2.3) is\n"
         "the same, translated.\n",
     .run = run_bundle_sbom,
     .show = show_json},
    {.name = "bundle diff",
     .operands = "OLD NEW",
     .least = 2,
     .most = 2,
     .word = WORD_FILE,
     .summary = "show what is different between two releases; exit status 2 when something is",
     .opts = read_opts,
     .notes = "Compared is what both releases say of themselves, down to the digest of each package, image and file;\n"
              "`bundle verify` checks that the bytes are those. Exit status: 0 the same release, 2 another one.\n",
     .run = run_bundle_diff,
     .show = show_bundle_diff},
    {.name = "bundle ingest",
     .operands = "SOURCE",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "take a release into the store: checked, complete, or not at all",
     .opts = ingest_opts,
     .notes =
         "SOURCE is a bundle, a list of parts, a delta whose other blobs are in the store, - for standard input, or "
         "a URL of\n"
         "http or https: of that only what the store lacks is fetched, several ranges at once. It is read once; what "
         "was\n"
         "interrupted goes on where it was. The folder that it ends in, STORE/releases/DIGEST, is taken wherever a "
         "bundle is\n"
         "wanted. Exit status: 3 when a server fails, 4 when one signature or byte is not as it was signed, 6 when "
         "another\n"
         "caisson writes into the store.\n",
     .run = run_bundle_ingest,
     .show = show_bundle_ingest},
    {.name = "bundle remove",
     .operands = "[DIGEST]",
     .most = 1,
     .summary = "remove a release from the store, and the blobs that only it has",
     .opts = remove_opts,
     .run = run_bundle_remove,
     .show = show_bundle_remove},
    {.name = "bundle split",
     .operands = "FILE",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "cut a bundle into parts, for sticks and media that hold no file of its size",
     .opts = split_opts,
     .notes =
         "Makes NAME.000, NAME.001, ... and their list NAME.parts.json. Give the list wherever a bundle is wanted: "
         "the parts,\n"
         "all beside it, are read as one file and never joined. What an earlier split of NAME left in DIR goes away.\n",
     .run = run_bundle_split,
     .show = show_bundle_split},
    {.name = "bundle held",
     .operands = "",
     .summary = "list what all machines of the cluster hold, as a base for bundle delta",
     .notes = "One line of JSON: caisson bundle held >held.json. It goes to who has the new release, and names "
              "packages and images\n"
              "of the release in cluster.yaml, no host and no address. A machine that cannot be asked is an error.\n",
     .run = run_bundle_held,
     .show = show_json},
    {.name = "bundle delta",
     .operands = "NEW",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "make a small bundle of what a release has and older ones lack",
     .opts = delta_opts,
     .notes =
         "It goes to who has the older bundles; `caisson bundle join` makes the full bundle there. No chain: any "
         "bundles can\n"
         "be bases, of any release. Made against lists of `caisson bundle held` alone, it can be installed as it is: "
         "it has\n"
         "all but packages and layers of images that the machines hold. Of several lists, all must have a thing.\n",
     .run = run_bundle_delta,
     .show = show_bundle_delta},
    {.name = "bundle join",
     .operands = "DELTA",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "make the full bundle again, byte for byte, from a delta and its bases",
     .opts = delta_opts,
     .notes = "Exit status: 4 when a blob is in no base, or is not as it was signed.\n",
     .run = run_bundle_join,
     .show = show_bundle_join},
    {.name = "bundle sign",
     .operands = "FILE",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "add a signature to a bundle that was built, when two must sign",
     .opts = bundle_sign_opts,
     .notes = "Every byte is verified before. Only the signature is added; the file is replaced when it is whole. Exit "
              "status: 4\n"
              "when the bundle is not as it was signed, 6 when the key is not one that signs releases.\n" KEY_URI_NOTE,
     .run = run_bundle_sign,
     .show = show_bundle_sign},
    {.name = "root create",
     .operands = "DIR",
     .least = 1,
     .most = 1,
     .word = WORD_FOLDER,
     .summary = "make the first root document: whose keys count, and how many must sign",
     .opts = root_create_opts,
     .notes = "DIR/0001/root.json goes from officer to officer; each adds DIR/0001/KEYID.sig with `caisson root sign`. "
              "It is as\n"
              "valid as its threshold says. `bundle build --root DIR` puts the folder into bundles.\n",
     .run = run_root_create,
     .show = show_root},
    {.name = "root rotate",
     .operands = "DIR",
     .least = 1,
     .most = 1,
     .word = WORD_FOLDER,
     .summary = "make the next root document: other keys, epoch, withdrawn releases",
     .opts = root_rotate_opts,
     .notes =
         "Keys that are given replace all keys of that role; --deny adds; what is not given stays, but for --expires. "
         "It\n"
         "needs signatures of enough old and of enough new root officers.\n",
     .run = run_root_rotate,
     .show = show_root},
    {.name = "root sign",
     .operands = "DIR",
     .least = 1,
     .most = 1,
     .word = WORD_FOLDER,
     .summary = "sign the last root document",
     .opts = root_sign_opts,
     .notes = "Read it first: `caisson root show DIR`. Exit status: 6 when no signature of this key is asked "
              "for.\n" KEY_URI_NOTE,
     .run = run_root_sign,
     .show = show_root},
    {.name = "root show",
     .operands = "DIR",
     .least = 1,
     .most = 1,
     .word = WORD_FOLDER,
     .summary = "show root documents, who signed them and who has to",
     .notes = "Whoever trusts a root document compares its sha256 with the publisher first.\n",
     .run = run_root_show,
     .show = show_root},
    {.name = "key generate",
     .operands = "NAME",
     .least = 1,
     .most = 1,
     .summary = "make a key pair for signing releases: NAME.key and NAME.pub",
     .opts = key_opts,
     .notes = "NAME.key signs: keep it secret, away from the machines. NAME.pub goes to everybody who installs what it "
              "signed.\n"
              "At a terminal it asks for a passphrase; without one and without --passphrase-file the key is not "
              "encrypted.\n",
     .run = run_key_generate,
     .show = show_key_generate},
    {.name = "key show",
     .operands = "KEY",
     .least = 1,
     .most = 1,
     .word = WORD_FILE,
     .summary = "show a key's id and scheme, and write its public half: of a file or a token",
     .opts = key_show_opts,
     .notes =
         "KEY is a private key (a file or a URI) or a public one (a file). Officers give each other the public half, "
         "and\n"
         "compare ids. " KEY_URI_NOTE,
     .run = run_key_show,
     .show = show_key_show},
    {.name = "completion",
     .operands = "bash|zsh|fish",
     .least = 1,
     .most = 1,
     .word = WORD_SHELL,
     .summary = "print a completion script for a shell",
     .notes = "bash: caisson completion bash >/etc/bash_completion.d/caisson\n"
              "zsh:  caisson completion zsh >/usr/local/share/zsh/site-functions/_caisson\n"
              "fish: caisson completion fish >~/.config/fish/completions/caisson.fish\n",
     .run = run_completion,
     .show = show_whole},
    {.name = "version", .operands = "", .summary = "print the version", .run = run_version, .show = show_version},
    {.name = "help",
     .operands = "[VERB]",
     .most = 2,
     .word = WORD_VERB,
     .summary = "list the verbs, or explain one",
     .run = run_help,
     .show = show_whole},
    {0},
};
