# shellcheck shell=sh
# Shared by quickstart.sh, install.sh and test.sh: what the system must have, and the virtual environment.

say() { printf '\n== %s\n' "$*"; }
die() { printf 'ocrwatch: %s\n' "$*" >&2; exit 3; }

# shellcheck disable=SC2034
source_folder=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else die "needs root to run: $* -- run it as root, or install sudo"
    fi
}

# Installs Debian packages, and only those that are missing.
need_packages() {
    missing=''
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 || die "this is no Debian or Ubuntu: install$missing with your package manager"
    say "Installing$missing"
    # A source that is out of reach is no reason to stop: what is missing may be known, or come from another.
    as_root apt-get update -qq || say "apt-get update complained (above); trying with what is known"
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

need_python() {
    command -v python3 >/dev/null 2>&1 || need_packages python3
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "needs Python 3.11 or later, and python3 is $(python3 -V 2>&1) -- use Debian 12, Ubuntu 24.04 or later"
    # Debian splits this out of Python; other Pythons bring it along.
    python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
}

# make_environment FOLDER WHAT...: a virtual environment with what pip is told to install.
make_environment() {
    environment=$1
    shift
    if ! "$environment/bin/python" -c '' 2>/dev/null; then
        say "Making the virtual environment $environment"
        python3 -m venv --clear "$environment"
    fi
    say "Installing ocrwatch into $environment"
    "$environment/bin/python" -m pip install --quiet --quiet --disable-pip-version-check "$@"
}

# copy_sources FOLDER: what the program is built from, so that nothing is built in a tree that may be somebody else's.
copy_sources() {
    (cd "$source_folder" && tar cf - --exclude=__pycache__ ocrwatch pyproject.toml README.md LICENSE) | tar xf - -C "$1"
}
