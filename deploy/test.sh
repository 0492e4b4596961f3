#!/bin/sh
# Sets up what the tests need, as quickstart.sh does, then runs every check and all tests:
#   sh deploy/test.sh [pytest arguments]
set -eu
. "$(dirname -- "$0")/common.sh"

cd "$source_folder"
need_python
need_packages tesseract-ocr tesseract-ocr-eng
# For the tests of other languages, which render text in proper fonts.
need_packages tesseract-ocr-deu tesseract-ocr-ell tesseract-ocr-fra tesseract-ocr-spa tesseract-ocr-chi-sim
need_packages fonts-dejavu-core fonts-wqy-microhei
# For the crash tests, a shim that kills at the k-th system call and a look at the order of system calls; for the scripts
# a linter.
need_packages gcc libc6-dev strace shellcheck
# For the service on a real system, which only root can make and boot.
[ "$(id -u)" -ne 0 ] || need_packages debootstrap debian-archive-keyring systemd-container
# For folders on FUSE mounts, which only root can be relied on to make, and only where the kernel has FUSE.
if [ "$(id -u)" -eq 0 ] && [ -e /dev/fuse ]; then need_packages rclone fuse3; fi
make_environment "$PWD/.venv" --editable '.[dev]'
PATH="$PWD/.venv/bin:$PATH"
export PATH

say "Checking the code"
sh deploy/check.sh
say "Running the tests"
exec python -m pytest "$@"
