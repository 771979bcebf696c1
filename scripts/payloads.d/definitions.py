"""Reading bundles/<component>.yaml, profiles/<name>.yaml and images/<base>.yaml.

Only the source half of a component is checked here (versions, build, packages, images, and what
identifies it); the runtime half belongs to the installer.
"""

import re

import yaml

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # files and pin folders: one path element
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.]+)?")
PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")

# keys of each kind of build step: required, optional
STEP_KEYS = {
    "go": ({"pin", "modules", "programs"}, {"tags", "stamp", "cgo", "replaces"}),
    "cc": ({"file", "source"}, set()),
    "debian": ({"file", "suite", "package", "member"}, set()),
    "images": ({"names"}, {"base", "files", "entrypoint", "cmd", "env"}),
}
PROGRAM_KEYS = ({"file", "package"}, {"tags", "test"})
BASE_KEYS = ({"suite", "packages"}, {"exclude", "links", "files", "directories", "concat", "busybox"})


class DefinitionError(Exception):
    """A definition file says something that cannot be built; the text names file and place."""


class StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML loader that refuses a key given twice."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                mark = key_node.start_mark
                raise DefinitionError(f"{mark.name}:{mark.line + 1}:{mark.column + 1}: "
                                      f"key '{key_node.value}' is given twice")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def yaml_read(path):
    """The document in PATH; DefinitionError with the place if it is not there or not YAML."""
    try:
        with open(path, encoding="utf-8") as stream:
            return yaml.load(stream, StrictLoader)  # a SafeLoader: plain values only
    except FileNotFoundError:
        raise DefinitionError(f"{path}: no such file") from None
    except yaml.YAMLError as why:
        raise DefinitionError(f"{path}: {why}") from None


def keys_check(where, mapping, rule):
    """Refuse missing and unknown keys of MAPPING; RULE is (required, optional)."""
    required, optional = rule
    if not isinstance(mapping, dict):
        raise DefinitionError(f"{where}: expected a mapping")
    for key in sorted(required - mapping.keys()):
        raise DefinitionError(f"{where}: key '{key}' is missing")
    for key in sorted(mapping.keys() - required - optional):
        raise DefinitionError(f"{where}: unknown key '{key}'")


def expand(value, names, where):
    """VALUE with every ${name} replaced, through lists and mappings."""
    if isinstance(value, str):
        def fill(match):
            if match[1] not in names:
                raise DefinitionError(f"{where}: unknown placeholder {match[0]}")
            return names[match[1]]
        return PLACEHOLDER.sub(fill, value)
    if isinstance(value, list):
        return [expand(item, names, where) for item in value]
    if isinstance(value, dict):
        return {key: expand(item, names, where) for key, item in value.items()}
    return value


class Component:
    """One component at one version, its recipe expanded."""

    def __init__(self, path, definition, version):
        self.path = path
        self.name = definition["metadata"]["name"]
        self.version = version
        self.license = definition["metadata"]["license"]
        self.purl = definition["metadata"]["purl"]
        where = f"{path}: {version}"
        entry = next((v for v in definition["versions"] if v["version"] == version), None)
        if entry is None:
            known = ", ".join(v["version"] for v in definition["versions"])
            raise DefinitionError(f"{path}: version {version} is not defined (there is {known})")
        match = VERSION.fullmatch(version)
        if not match:
            raise DefinitionError(f"{where}: not a version of the form 1.2.3")
        names = {"version": version, "major": match[1], "minor": match[2], "patch": match[3]}
        recipe = dict(definition.get("build") or {})
        recipe.update(entry.get("build") or {})
        self.build = expand(recipe, names, where)
        self.packages = expand(definition.get("packages") or [], names, where)
        self.images = expand(definition.get("images") or [], names, where)
        self.check(where)

    def check(self, where):
        """Refuse a recipe with unknown steps, or one that lacks what packages and images name."""
        for kind, steps in self.build.items():
            if kind not in STEP_KEYS:
                raise DefinitionError(f"{where}: unknown kind of build step '{kind}'")
            for step in steps:
                keys_check(f"{where}: build.{kind}", step, STEP_KEYS[kind])
                for program in step.get("programs", []):
                    keys_check(f"{where}: build.{kind}.programs", program, PROGRAM_KEYS)
        made = self.files_made()
        for name in made | {step["pin"] for step in self.build.get("go", [])}:
            if not FILE.fullmatch(name):
                raise DefinitionError(f"{where}: '{name}' is not a file name")
        for wanted in self.files_of_packages() | self.files_of_images():
            if wanted not in made:
                raise DefinitionError(f"{where}: no build step makes the file '{wanted}'")
        named = {name for step in self.build.get("images", []) for name in step["names"]}
        for image in self.images:
            if image["name"] not in named:
                raise DefinitionError(f"{where}: no build step makes the image '{image['name']}'")

    def files_made(self):
        """Names of the files that the build steps make."""
        names = {p["file"] for step in self.build.get("go", []) for p in step["programs"]}
        names |= {step["file"] for kind in ("cc", "debian") for step in self.build.get(kind, [])}
        return names

    def files_of_packages(self):
        """Names of the files that go into node packages."""
        return {entry["from"] for package in self.packages for entry in package["files"]}

    def files_of_images(self):
        """Names of the files that go into images."""
        return {entry["from"] for step in self.build.get("images", []) for entry in step.get("files", [])}

    def files_locked(self):
        """Files with an entry of their own in the lock; the rest is covered by an image's entry."""
        return self.files_made() - (self.files_of_images() - self.files_of_packages())


class Definitions:
    """The definition files of one source tree."""

    def __init__(self, root):
        self.root = root
        self.loaded = {}

    def definition(self, name):
        """The whole document of component NAME."""
        if name not in self.loaded:
            if not NAME.fullmatch(name):
                raise DefinitionError(f"'{name}' is not a component name")
            path = self.root / "bundles" / f"{name}.yaml"
            document = yaml_read(path)
            for key in ("metadata", "versions"):
                if not isinstance(document, dict) or key not in document:
                    raise DefinitionError(f"{path}: key '{key}' is missing")
            keys_check(f"{path}: metadata", document["metadata"],
                       ({"name", "license", "supplier", "purl"}, {"description"}))
            if document["metadata"]["name"] != name:
                raise DefinitionError(f"{path}: metadata.name must be '{name}', as the file is called")
            self.loaded[name] = document
        return self.loaded[name]

    def component(self, name, version):
        """Component NAME at VERSION, checked."""
        definition = self.definition(name)
        return Component(f"bundles/{name}.yaml", definition, version)

    def component_names(self):
        """Names of all defined components."""
        return sorted(path.stem for path in (self.root / "bundles").glob("*.yaml"))

    def profile(self, name):
        """The list of components of profile NAME."""
        if not NAME.fullmatch(name):
            raise DefinitionError(f"'{name}' is not a profile name")
        path = self.root / "profiles" / f"{name}.yaml"
        document = yaml_read(path)
        try:
            entries = [(entry["name"], entry["version"]) for entry in document["spec"]["components"]]
        except (KeyError, TypeError):
            raise DefinitionError(f"{path}: expected spec.components: [{{name, version}}]") from None
        return [self.component(*entry) for entry in entries]

    def base(self, name):
        """The root file tree definition images/NAME.yaml."""
        path = self.root / "images" / f"{name}.yaml"
        document = yaml_read(path)
        keys_check(path, document, BASE_KEYS)
        return document
