"""Build steps: what each kind needs, what identifies its inputs, and how it runs.

A step has key(results) -> digest of its inputs, and run(results) -> its result:
    {"blobs": {hex: size}, "files": {name: {"sha256", "size", "ref"}}, "images": {name: {...}}, "layer": {...}}
Results of earlier steps are handed over by step id, so a key changes when an input's bytes change.
"""

import hashlib
import os
import platform
import subprocess

import gopin
import ociimage
import rootfs
from cache import canonical
from definitions import DefinitionError

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
FORMAT = 1  # raise when the same inputs are to give other bytes


class PinMissing(DefinitionError):
    """go.mod and go.sum of a Go step are not there yet."""


def architecture():
    """This machine's architecture in Go's and OCI's words."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise DefinitionError(f"payloads cannot be built on {machine}: amd64 or arm64 is needed")
    return ARCHITECTURES[machine]


def output_of(*command):
    """Standard output of COMMAND, stripped; empty when it is not there or fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


class Tools:
    """Versions of the tools that shape the bytes; asked once, when first needed."""

    PROBES = {
        "go": ("go", "env", "GOVERSION"),
        "gcc": ("gcc", "-dumpfullversion"),
        "libseccomp": ("pkg-config", "--modversion", "libseccomp"),
    }

    def __init__(self):
        self.versions = {}

    def version(self, name):
        """Version text of tool NAME."""
        if name not in self.versions:
            self.versions[name] = output_of(*self.PROBES[name])
        return self.versions[name]


class Context:
    """What all steps share."""

    def __init__(self, root, definitions, cache):
        self.root = root
        self.definitions = definitions
        self.cache = cache
        self.tools = Tools()
        self.arch = architecture()
        self.built = False  # whether any step had to run

    def go_env(self):
        """Environment for go commands: own caches, no version control, nothing downloaded unpinned."""
        proxy = output_of("go", "env", "GOPROXY").replace("|", ",").split(",")[0]
        tmp = self.cache.work / "gotmp"
        tmp.mkdir(exist_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("GO", "CGO_"))}
        for name in ("GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GONOPROXY", "GOINSECURE", "GOROOT"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update({
            "GOPROXY": proxy, "GOTOOLCHAIN": "local", "GOVCS": "*:off", "GOWORK": "off",
            "GOFLAGS": "-trimpath -buildvcs=false -modcacherw", "CGO_ENABLED": "0",
            "GOOS": "linux", "GOARCH": self.arch, "GOMODCACHE": str(self.cache.gomod),
            "GOCACHE": str(self.cache.gocache), "GOTMPDIR": str(tmp),
        })
        return env


class Step:
    """Common part of all kinds."""

    needs_tools = ()
    is_go = False

    def __init__(self, context, component, spec):
        self.context = context
        self.component = component
        self.spec = spec

    def title(self):
        """What the progress line says."""
        return f"{self.component.name} {self.component.version}"

    def inputs(self, _results):
        """Everything that identifies the bytes, as JSON values."""
        raise NotImplementedError

    def key(self, results):
        """Digest of the inputs, or None while an earlier step has no result."""
        inputs = self.inputs(results)
        if inputs is None:
            return None
        head = {"format": FORMAT, "kind": type(self).__name__, "arch": self.context.arch, "spec": self.spec}
        return hashlib.sha256(canonical([head, inputs])).hexdigest()

    def file_results(self, made):
        """Result for files: MADE is {name: (path, ref)}; the files move into the store."""
        files = {}
        for name, (path, ref) in made.items():
            digest, size = self.context.cache.blob_move(path)
            files[name] = {"sha256": digest, "size": size, "ref": ref}
        return {"files": files, "blobs": {f["sha256"]: f["size"] for f in files.values()}}


class GoStep(Step):
    """Programs from Go modules, by a committed pin."""

    is_go = True

    def __init__(self, context, component, spec):
        super().__init__(context, component, spec)
        self.pin = context.root / "bundles" / "go" / spec["pin"]

    @property
    def id(self):
        return f"go:{self.spec['pin']}"

    @property
    def needs_tools(self):
        return ("go", "gcc", "pkg-config", "libseccomp") if self.spec.get("cgo") else ("go",)

    def title(self):
        pin = self.spec["pin"]
        own = f"{self.component.name}-{self.component.version}"
        return super().title() + ("" if pin == own else f": {pin}")

    def targets(self):
        """[(packages, tags, is a test)] with programs of equal tags in one go command."""
        groups = {}
        for program in self.spec["programs"]:
            tags = ",".join(program.get("tags", self.spec.get("tags", [])))
            groups.setdefault((tags, bool(program.get("test"))), []).append(program)
        return [(programs, tags, test) for (tags, test), programs in groups.items()]

    def make_pin(self):
        """Write the wrapper's go.mod and go.sum anew (the result is for committing)."""
        targets = [([p["package"] for p in programs], tags, test) for programs, tags, test in self.targets()]
        env = self.context.go_env() | {"CGO_ENABLED": "1" if self.spec.get("cgo") else "0"}
        gopin.pin(env, self.pin, self.spec["modules"], self.spec.get("replaces", []), targets)

    def inputs(self, _results):
        try:
            pin = [(self.pin / name).read_text(encoding="utf-8") for name in ("go.mod", "go.sum")]
        except FileNotFoundError as why:
            raise PinMissing(f"{why.filename}: no such file; make it with: scripts/payloads --pin "
                             f"{self.component.name}@{self.component.version}") from None
        tools = [self.context.tools.version(name) for name in ("gcc", "libseccomp")] if self.spec.get("cgo") else []
        return [pin, self.context.tools.version("go"), tools]

    def go_needed(self):
        """The Go version that the pin asks for, as numbers."""
        for line in (self.pin / "go.mod").read_text(encoding="utf-8").splitlines():
            if line.startswith("go "):
                return tuple(int(part) for part in line.split()[1].split("."))
        return (0,)

    def module_of(self, package):
        """The "module@version" of the recipe that holds PACKAGE."""
        holders = [m for m in self.spec["modules"] if (package + "/").startswith(m.split("@")[0] + "/")]
        return max(holders, key=len)

    def run(self, _results, progress, log):
        env = self.context.go_env() | {"CGO_ENABLED": "1" if self.spec.get("cgo") else "0"}
        flags = ["-s", "-w"] + [f"-X {name}={value}" for name, value in self.spec.get("stamp", {}).items()]
        if self.spec.get("cgo"):
            flags.append("-extldflags -static")
        out = self.context.cache.work / "out"
        out.mkdir(exist_ok=True)
        made = {}
        for programs, tags, test in self.targets():
            options = ["-mod=readonly", "-ldflags", " ".join(flags)] + (["-tags", tags] if tags else [])
            packages = [p["package"] for p in programs]
            if test:
                for program in programs:
                    progress.run(["go", "test", "-c", *options, "-o", str(out / program["file"]),
                                  program["package"]], log, self.pin, env)
                    made[program["file"]] = (out / program["file"], "go:" + self.module_of(program["package"]))
                continue
            progress.run(["go", "build", *options, "-o", str(out) + "/", *packages], log, self.pin, env)
            for program in programs:
                built = out / program_name(program["package"])
                made[program["file"]] = (built, "go:" + self.module_of(program["package"]))
        return self.file_results(made)


def program_name(package):
    """The file name that `go build` gives a main package: a trailing /v2 does not count."""
    parts = package.split("/")
    last = parts.pop()
    if parts and last[0] == "v" and last[1:].isdigit():
        last = parts.pop()
    return last


class CcStep(Step):
    """A static program from one C file of this source tree."""

    needs_tools = ("musl-gcc",)

    @property
    def id(self):
        return f"cc:{self.component.name}:{self.spec['file']}"

    def inputs(self, _results):
        source = self.context.root / self.spec["source"]
        return [source.read_text(encoding="utf-8"), self.context.tools.version("gcc")]

    def run(self, _results, progress, log):
        out = self.context.cache.work / self.spec["file"]
        progress.run(["musl-gcc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-Os", "-static", "-s",
                      "-Wl,--build-id=none", "-o", str(out), self.spec["source"]], log, self.context.root)
        return self.file_results({self.spec["file"]: (out, "source:" + self.spec["source"])})


class DebianStep(Step):
    """One file out of a Debian package."""

    needs_tools = ("mmdebstrap",)

    @property
    def id(self):
        return f"debian:{self.spec['package']}:{self.spec['member']}"

    def title(self):
        return f"{super().title()}: Debian's {self.spec['package']}"

    def inputs(self, _results):
        return []

    def run(self, _results, progress, log):
        tar = self.context.cache.work / "package.tar"
        suite = self.spec["suite"]
        rootfs.extract(progress, log, tar, suite, [self.spec["package"]], self.context.arch)
        out = self.context.cache.work / self.spec["file"]
        version = rootfs.member_take(tar, self.spec["member"], self.spec["package"], out)
        tar.unlink()
        ref = f"debian:{suite}/{self.spec['package']}@{version}"
        return self.file_results({self.spec["file"]: (out, ref)})


class BaseStep(Step):
    """A root file tree from Debian packages, as one image layer; SPEC is the name in images/."""

    needs_tools = ("mmdebstrap",)

    @property
    def id(self):
        return f"base:{self.spec}"

    def title(self):
        return f"{super().title()}: image base {self.spec}"

    def inputs(self, _results):
        return [self.context.definitions.base(self.spec)]

    def run(self, _results, progress, log):
        layer = rootfs.layer_make(progress, log, self.context.cache, self.context.definitions.base(self.spec),
                                  self.context.arch)
        return {"layer": layer, "blobs": {layer["sha256"]: layer["size"]}}


class ImageStep(Step):
    """An OCI image from a base layer and files of the same component."""

    @property
    def id(self):
        return f"image:{self.spec['names'][0]}"

    def title(self):
        return f"{super().title()}: image {self.spec['names'][0]}"

    def inputs(self, results):
        base = results.get(f"base:{self.spec['base']}") if self.spec.get("base") else {}
        files = self.files(results)
        if base is None or files is None:
            return None
        return [base.get("layer"), sorted((path, f["sha256"], mode) for path, f, mode in files)]

    def files(self, results):
        """[(path in the image, file result, mode)], or None while one is not made."""
        made = results.get(f"files:{self.component.name}", {})
        wanted = self.spec.get("files", [])
        if any(entry["from"] not in made for entry in wanted):
            return None
        return [(entry["path"], made[entry["from"]], int(entry.get("mode", "0755"), 8)) for entry in wanted]

    def run(self, results, _progress, _log):
        layers = []
        if self.spec.get("base"):
            layers.append(results[f"base:{self.spec['base']}"]["layer"])
        files = [(path, self.context.cache.blob(f["sha256"]), mode) for path, f, mode in self.files(results)]
        if files:
            layers.append(ociimage.layer_put(self.context.cache, ociimage.tar_of_files(files)))
        image = ociimage.image_put(self.context.cache, self.context.arch, layers, self.spec)
        return {"images": {name: image["manifest"] for name in self.spec["names"]}, "blobs": image["blobs"]}


def steps_of(context, components):
    """The steps of COMPONENTS in building order; each input comes before what uses it."""
    steps, seen = [], set()

    def add(step):
        if step.id not in seen:
            seen.add(step.id)
            steps.append(step)
        return step

    for component in components:
        for spec in component.build.get("go", []):
            add(GoStep(context, component, spec))
        for spec in component.build.get("cc", []):
            add(CcStep(context, component, spec))
        for spec in component.build.get("debian", []):
            add(DebianStep(context, component, spec))
        for spec in component.build.get("images", []):
            if spec.get("base"):
                add(BaseStep(context, component, spec["base"]))
            add(ImageStep(context, component, spec))
    return steps


def results_add(results, step, result):
    """Make RESULT of STEP visible to later steps."""
    results[step.id] = result
    if "files" in result:
        results.setdefault(f"files:{step.component.name}", {}).update(result["files"])
