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
    apt-get install --print-uris -y -qq --no-install-recommends $missing 2>/dev/null |
        awk '{ bytes += $3 } END { printf "   apt fetches %.0f MB\n", bytes / 1e6 }'
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# need_python PACKAGES...: Python with support for virtual environments; with other packages, because one call of apt-get
# takes seconds less than two.
need_python() {
    if ! command -v python3 >/dev/null 2>&1; then
        set -- python3 python3-venv "$@"
    else
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
            die "needs Python 3.11 or later, and python3 is $(python3 -V 2>&1) -- use Debian 12, Ubuntu 24.04 or later"
        # Debian splits this out of Python; other Pythons bring it along.
        python3 -c 'import ensurepip, venv' 2>/dev/null || set -- python3-venv "$@"
    fi
    need_packages "$@"
}

# The Pythons of Debian 12 and 13, for which deploy/constraints.txt has releases.
# shellcheck disable=SC2034
tested_pythons='3.11 3.13'

# find_python VERSION: prints a Python of this version, from the PATH or from pyenv; fails if there is none.
find_python() {
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        # A Python that cannot make virtual environments is of no use, and pyenv's own stand-ins may run nothing.
        ! "$candidate" -c 'import ensurepip, venv' 2>/dev/null || { printf '%s\n' "$candidate"; return 0; }
    done
    return 1
}

# make_environment FOLDER WHAT FINGERPRINT PIP-ARGUMENTS...: a virtual environment with what pip is told to install.
# Neither pip nor the network is asked if the same Python made it before, of what had the same fingerprint.
# The Python is $python, or python3.
make_environment() {
    environment=$1 what=$2
    made_of="$3 $environment $("${python:-python3}" -c 'import sys; print(sys.base_prefix, *sys.version.split())')"
    shift 3
    if ! "$environment/bin/python" -c '' 2>/dev/null; then
        say "Making the virtual environment $environment"
        "${python:-python3}" -m venv --clear "$environment"
    elif [ "$(cat "$environment/made-of" 2>/dev/null)" = "$made_of" ]; then
        return 0
    fi
    # Until pip has ended well, the environment is made of nothing.
    rm -f "$environment/made-of"
    say "Installing $what into $environment"
    echo '   pip fetches 93 MB of Python packages (151 MB with rapidocr), less if it has fetched them before'
    run_pip install "$@"
    printf '%s\n' "$made_of" >"$environment/made-of"
}

# run_pip ARGUMENTS...: pip of $environment. It tells the packages that take time, as it comes to them, and its errors.
run_pip() {
    outcome=$(mktemp)
    # Neither pip nor sed may keep what it has to say until it has more.
    { PYTHONUNBUFFERED=1 "$environment/bin/python" -m pip --disable-pip-version-check --no-color "$@" ||
        echo "$?" >"$outcome"; } |
        sed -un -e 's/^ *Downloading \([^-]*\)-[^ ]*\.whl \(([0-9.]* MB)\).*/   fetching \1 \2/p' \
            -e 's/^Installing collected.*/   unpacking/p'
    failed=$(cat "$outcome")
    rm -f "$outcome"
    [ -z "$failed" ] || die "pip could not install $what (above) -- see that it reaches its package index, and run this again"
}

# extras_of ENVIRONMENT EXTRA...: those extras, and all that the environment has already, as pip names them: [pdf,rapidocr]
extras_of() {
    installed_in=$1
    shift
    found=''
    for extra in codes:zxingcpp pdf:pikepdf rapidocr:rapidocr redis:redis remote:aiohttp xlsx:xlsxwriter; do
        is_wanted=''
        case " $* " in *" ${extra%:*} "*) is_wanted=yes ;; esac
        for folder in "$installed_in"/lib/python3*/site-packages/"${extra#*:}"; do
            [ ! -e "$folder" ] || is_wanted=yes
        done
        [ -z "$is_wanted" ] || found="$found,${extra%:*}"
    done
    [ -z "$found" ] || printf '[%s]\n' "${found#,}"
}

# contents_of FOLDER: names and checksums of the files in it.
contents_of() {
    (cd "$1" && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2)
}

# copy_sources FOLDER: what the program is built from, so that nothing is built in a tree that may be somebody else's.
copy_sources() {
    (cd "$source_folder" && tar cf - --exclude=__pycache__ ocrwatch pyproject.toml README.md LICENSE docs/ocrwatch.1) | tar xf - -C "$1"
}
