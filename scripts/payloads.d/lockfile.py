"""The lock: what a profile's payloads are, byte for byte. Schema in bundles/PUBLISHING.md."""

import json

from definitions import DefinitionError


def purl_at(component):
    """The component's package URL at its version; Go writes versions with a v."""
    mark = "v" if component.purl.startswith("pkg:golang/") else ""
    return f"{component.purl}@{mark}{component.version}"


def entry_of(component, arch, **rest):
    """A lock entry with the fields that are the same for files and images.

    Bytes made by a recipe can be had from no address, so urls is empty: an address whose bytes
    differ from sha256 would be a false statement.
    """
    return {"component": component.name, "version": component.version, "license": component.license,
            "purl": purl_at(component), "platform": f"linux/{arch}", "urls": [], **rest}


def lock_entries(components, results, arch):
    """Entries of all files and images of COMPONENTS, sorted by id."""
    images = {name: found for result in results.values() for name, found in result.get("images", {}).items()}
    entries = []
    for component in components:
        head = f"{component.name}/{component.version}"
        made = results.get(f"files:{component.name}", {})
        for name in component.files_locked():
            file = made[name]
            entries.append(entry_of(component, arch, id=f"{head}/{name}", kind="file", file=name,
                                    size=file["size"], sha256=file["sha256"],
                                    upstream={"type": "none", "ref": file["ref"]}))
        for image in component.images:
            manifest = images[image["name"]]
            entries.append(entry_of(component, arch, id=f"{head}/image/{image['name']}", kind="oci",
                                    name=image["name"], size=manifest["size"], sha256=manifest["sha256"],
                                    upstream={"type": "none", "ref": f"recipe:{component.path}"}))
    return sorted(entries, key=lambda entry: entry["id"])


def lock_find(cache, wanted):
    """Path of the blob of the file entry WANTED in any lock of CACHE."""
    for path in sorted(cache.locks.glob("*.lock.json")):
        for entry in json.loads(path.read_bytes())["entries"]:
            if entry["id"] == wanted and entry["kind"] == "file":
                return cache.blob(entry["sha256"])
    raise DefinitionError(f"no lock in {cache.locks} has a file '{wanted}'")
