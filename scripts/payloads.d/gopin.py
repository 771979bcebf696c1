"""Pins of Go programs: a module without code that only requires the upstream module.

The pair go.mod/go.sum is committed under bundles/go/ and is what reviewers read. A later build
uses -mod=readonly, so it either gets exactly these versions and checksums or it fails.
"""

import json
import pathlib
import subprocess

WRAPPER_MODULE = "caisson.invalid/payload"


def go_json(env, cwd, *args):
    """Run a go command in CWD and return its JSON output."""
    done = subprocess.run(["go", *args], cwd=cwd, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        detail = done.stderr.strip()
        try:
            detail = json.loads(done.stdout).get("Error", detail)
        except ValueError:
            pass
        raise RuntimeError(f"go {' '.join(args)}: {detail}")
    return json.loads(done.stdout)


def staged_replaces(module, version, upstream):
    """Replaces for requirements at v0.0.0, which exist only beside the upstream source.

    Kubernetes publishes each of them as module of its own, v0.MINOR.PATCH for v1.MINOR.PATCH.
    """
    if module != "k8s.io/kubernetes":
        return []
    published = "v0." + version.removeprefix("v1.")
    return [f"{need['Path']}={need['Path']}@{published}"
            for need in upstream.get("Require") or [] if need["Version"] == "v0.0.0"]


def kept_replaces(upstream):
    """The upstream replaces that point at a version; those that point at a folder are dropped."""
    out = []
    for entry in upstream.get("Replace") or []:
        old, new = entry["Old"], entry["New"]
        if new.get("Version"):
            left = old["Path"] + ("@" + old["Version"] if old.get("Version") else "")
            out.append(f"{left}={new['Path']}@{new['Version']}")
    return out


def go_mod_write(env, folder, modules, replaces):
    """Write FOLDER/go.mod from the go.mod files of MODULES ("path@version")."""
    edits = []
    head = None
    for wanted in modules:
        # outside of any module, so that nothing here influences the answer
        got = go_json(env, "/", "mod", "download", "-json", wanted)
        upstream = go_json(env, "/", "mod", "edit", "-json", got["GoMod"])
        if head is None:
            head = upstream
            edits += [f"-godebug={g['Key']}={g['Value']}" for g in upstream.get("GoDebug") or []]
        edits.append(f"-require={got['Path']}@{got['Version']}")
        edits += [f"-replace={r}" for r in staged_replaces(got["Path"], got["Version"], upstream)]
        edits += [f"-replace={r}" for r in kept_replaces(upstream)]
        edits += [f"-exclude={e['Path']}@{e['Version']}" for e in upstream.get("Exclude") or []]
    edits += [f"-replace={r}" for r in replaces]
    (folder / "go.mod").write_text(f"module {WRAPPER_MODULE}\n\ngo {head['Go']}\n")
    subprocess.run(["go", "mod", "edit", *edits], cwd=folder, env=env, check=True)


def pin(env, folder, modules, replaces, targets):
    """Make FOLDER/go.mod and go.sum for MODULES, resolving what TARGETS need.

    TARGETS is a list of (packages, tags, test) as built later; only their imports get checksums.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.sum").unlink(missing_ok=True)
    go_mod_write(env, folder, modules, replaces)
    for packages, tags, test in targets:
        args = ["go", "list", "-mod=mod", "-deps"]
        if tags:
            args.append("-tags=" + tags)
        if test:
            args.append("-test")
        subprocess.run([*args, *packages], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
