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
# For the cache that several daemons share, and the certificate of its encrypted connection.
tools="$tools redis-server openssl"
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

# The unit tests on the other Pythons for which there are constraints, if this machine has them. What recognition makes
# of an image depends on its libraries, and what survives a kill on the order of system calls: the tests of these, nearly
# half of the time of all, run on one Python.
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
        "$PWD/.venv-$version/bin/python" -m pytest -q -m 'not slow' --ignore tests/unit/recognise \
            --ignore tests/unit/delivery --ignore tests/unit/documents tests/unit
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

# run_lane FOLDER GROUP...: runs the groups of tests that no other lane has begun, and fails if one of them failed. A
# group is arguments for pytest; its output is printed when it ends. The lanes share the folder.
run_lane() {
    lanes=$1 number=0 lane_outcome=0
    shift
    for group in "$@"; do
        number=$((number + 1))
        # Only one lane can make the folder.
        mkdir "$lanes/$number" 2>/dev/null || continue
        # shellcheck disable=SC2086
        python -m pytest -p no:cacheprovider $group >"$lanes/$number/output" 2>&1 || lane_outcome=1
        cat "$lanes/$number/output"
    done
    return "$lane_outcome"
}

# run_in_lanes COUNT GROUP...: runs groups of tests, so many at the same time, all of them even if one fails. Those that
# take longest come first.
run_in_lanes() {
    more=$(($1 - 1)) lane_processes='' lanes_passed=yes
    shift
    folder=$temporary/lanes
    mkdir "$folder" || return 1
    while [ "$more" -gt 0 ]; do
        run_lane "$folder" "$@" &
        lane_processes="$lane_processes $!"
        more=$((more - 1))
    done
    run_lane "$folder" "$@" || lanes_passed=no
    for process in $lane_processes; do
        wait "$process" || lanes_passed=no
    done
    # A lane takes any failure of mkdir, such as a full disk, for the work of another lane.
    number=0
    for group in "$@"; do
        number=$((number + 1))
        [ -e "$folder/$number/output" ] || { say "Not run: $group"; lanes_passed=no; }
    done
    [ "$lanes_passed" = yes ]
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
temporary=$(mktemp -d)
# end_tests: if a check has failed, what still runs is waited for, so that it keeps no later run busy, and is printed.
end_tests() {
    for name in $in_background; do
        say "Waiting for the tests in the background"
        wait
        cat "$temporary/$name"
    done
    rm -rf "$temporary"
}
in_background='others slow'
trap end_tests EXIT
# At the same time, since all of them but pip use one core. The slow tests share what is left: whichever of the other two
# ends first leaves them a core.
test_other_pythons >"$temporary/others" 2>&1 &
others=$!
# shellcheck disable=SC2046
python -m pytest -q -p no:cacheprovider -m slow $(grep -rl --include='*.py' 'pytest\.mark\.slow' tests/unit) \
    >"$temporary/slow" 2>&1 &
slow=$!
say "Checking the code"
sh deploy/check.sh
say "Running the unit tests"
python -m pytest -q -m 'not slow' tests/unit
say "The slow ones among them"
in_background=others
show_when_done $slow "$temporary/slow"
in_background=''
show_when_done $others "$temporary/others"

# files_of NAMES...: their files among the system tests.
files_of() { printf 'tests/system/test_%s.py ' "$@"; }

# Most of these wait most of the time, so four lanes run at the same time. Those that measure time or memory run alone
# afterwards.
alone=$(files_of event_loop latency lifecycle memory_short metrics remote_rate soak)
# Only one Debian can be booted at a time: in two lanes, one would wait for the other.
debian=$(files_of service_on_debian quickstart_on_debian image)
# Extended tests are further cases of what unit tests cover.
# The sweep keeps two cores busy. Beside it run those that need least of them, or have most time.
sweep=tests/crash/test_sweep.py
rest=''
for file in $alone $debian; do
    rest="$rest --deselect $file"
done
rest="$rest tests/system/test"
passed=yes
say "Running the crash, fuzz, contract and system tests, in four lanes"
run_in_lanes 4 "$sweep" "$debian" "${rest}_h*.py" "-m not(extended) --ignore $sweep tests/crash" tests/fuzz \
    tests/contract "-m not(extended) tests/system/documents" "${rest}_[a-d]*.py" "${rest}_[e-g]*.py" \
    "${rest}_rem*.py" "${rest}_re[!m]*.py" "${rest}_s*.py" "${rest}_[i-q]*.py" "${rest}_[t-z]*.py" ||
    passed=no
say "Running the system tests that run alone"
# shellcheck disable=SC2086
python -m pytest $alone || passed=no
[ "$passed" = yes ]
