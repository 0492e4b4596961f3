#!/bin/sh
# Sets up what the tests need, as quickstart.sh does, then runs every check and all tests:
#   sh deploy/test.sh
# With arguments for pytest, only these tests, and no checks:
#   sh deploy/test.sh -x tests/unit/deploy
set -eu
. "$(dirname -- "$0")/common.sh"

cd "$source_folder"
# For the tests of other languages, which render text in proper fonts.
languages='tesseract-ocr-deu tesseract-ocr-ell tesseract-ocr-fra tesseract-ocr-spa tesseract-ocr-chi-sim'
fonts='fonts-dejavu-core fonts-wqy-microhei'
# For the crash tests, a shim that kills at the k-th system call and a look at the order of system calls; for the scripts
# a linter.
tools='gcc libc6-dev strace shellcheck'
# For the service on a real system, which only root can make and boot, and for files that only root can mark immutable.
[ "$(id -u)" -ne 0 ] || tools="$tools debootstrap debian-archive-keyring systemd-container e2fsprogs"
# For folders on FUSE mounts, which only root can be relied on to make, and only if the kernel has FUSE.
[ "$(id -u)" -ne 0 ] || [ ! -e /dev/fuse ] || tools="$tools rclone fuse3"
# shellcheck disable=SC2086
need_python tesseract-ocr tesseract-ocr-eng $languages $fonts $tools

# make_test_environment FOLDER EXTRA: an environment that runs the sources as they stand.
make_test_environment() {
    wanted=$(cat pyproject.toml deploy/constraints.txt | sha256sum)
    make_environment "$1" "ocrwatch and its $2 tools" "$wanted" --constraint deploy/constraints.txt --editable ".[$2]"
}

# The unit tests on the other Pythons for which there are constraints, if this machine has them.
test_other_pythons() {
    own=$("$PWD/.venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    for version in $tested_pythons; do
        [ "$version" != "$own" ] || continue
        if ! python=$(find_python "$version"); then
            say "Skipping the unit tests on Python $version, which is neither on the PATH nor among pyenv's"
            continue
        fi
        make_test_environment "$PWD/.venv-$version" test
        say "Running the unit tests on Python $version"
        # The sweep over all steps of a scan takes a minute: once, on the own Python, is enough.
        "$PWD/.venv-$version/bin/python" -m pytest -q tests/unit --ignore tests/unit/daemon/test_pipeline_sweep.py
    done
}

# show_when_done PROCESS FILE: waits for what runs in the background, and prints what it has written to the file. Fails if
# it failed.
show_when_done() {
    outcome=0
    wait "$1" || outcome=$?
    cat "$2"
    return "$outcome"
}

make_test_environment "$PWD/.venv" dev
# If Python is told to write no bytecode, each program that a test starts would compile ocrwatch again: a quarter of
# the time of its start.
"$PWD/.venv/bin/python" -m compileall -q ocrwatch
PATH="$PWD/.venv/bin:$PATH"
export PATH

if [ $# -gt 0 ]; then
    say "Running the tests that were asked for"
    exec python -m pytest "$@"
fi
background=$(mktemp)
trap 'rm -f "$background" "$background.2"' EXIT
# At the same time, since either leaves a core free.
test_other_pythons >"$background" 2>&1 &
say "Checking the code"
sh deploy/check.sh
say "Running the unit tests"
python -m pytest -q tests/unit
show_when_done $! "$background"

say "Running the fuzz and crash tests"
python -m pytest tests/fuzz tests/crash

# Most of the others wait most of the time, so three parts run at the same time. Those that measure time or memory run
# alone afterwards.
alone='event_loop latency lifecycle memory_short metrics soak'
elsewhere=''
files=''
for name in $alone; do
    elsewhere="$elsewhere --deselect tests/system/test_$name.py"
    files="$files tests/system/test_$name.py"
done
say "Running the contract and system tests, in three parts"
# shellcheck disable=SC2086
python -m pytest -p no:cacheprovider $elsewhere tests/contract tests/system/test_[a-f]*.py >"$background" 2>&1 &
first=$!
# shellcheck disable=SC2086
python -m pytest -p no:cacheprovider $elsewhere tests/system/test_[g-r]*.py >"$background.2" 2>&1 &
second=$!
passed=yes
# shellcheck disable=SC2086
python -m pytest $elsewhere tests/system/test_[s-z]*.py || passed=no
show_when_done $first "$background" || passed=no
show_when_done $second "$background.2" || passed=no
say "Running the system tests that run alone"
# shellcheck disable=SC2086
python -m pytest $files || passed=no
[ "$passed" = yes ]
