#!/bin/sh
# From a Debian or Ubuntu with only python3 to a running ocrwatch, in the folder you are in:
#   sh deploy/quickstart.sh
# Installs Tesseract's data and venv support where they are missing (root or sudo), makes .venv, puts a sample
# scan into ./inbox and watches it in the foreground. Safe to run again: it then just starts, without the network.
# With --with-pdf it also installs what writes searchable PDFs (8 MB to fetch), and with --with-rapidocr a second reader,
# which reads receipts, forms and photos better (60 MB), with --with-redis what a cache in Redis needs (0.6 MB), with
# --with-xlsx what writes tables as Excel workbooks (0.2 MB), and with --with-codes what reads bar codes, QR codes and
# separator sheets (1 MB). These come first; other arguments go to ocrwatch run.
set -eu
wanted=''
while :; do
    case ${1:-} in
        --with-codes | --with-pdf | --with-rapidocr | --with-redis | --with-xlsx) wanted="$wanted ${1#--with-}" ;;
        *) break ;;
    esac
    shift
done
. "$(dirname -- "$0")/common.sh"

# Tesseract itself comes with the Python package tesserocr, where that has wheels; with its program come 30 MB more.
tesseract='tesseract-ocr-eng tesseract-ocr-osd'
case $(uname -m) in x86_64 | aarch64) ;; *) tesseract="$tesseract tesseract-ocr" ;; esac
# shellcheck disable=SC2086
need_python $tesseract
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
copy_sources "$staging"
# Python compiles what it uses when it first uses it, which takes less time than all of it.
# What was installed before stays.
# shellcheck disable=SC2086
extras=$(extras_of "$PWD/.venv" $wanted)
fingerprint=$(contents_of "$staging" | sha256sum)$extras
make_environment "$PWD/.venv" "ocrwatch$extras" "$fingerprint" --no-compile "$staging$extras"
rm -rf "$staging"

mkdir -p inbox outbox
if [ ! -e outbox/sample.txt ]; then
    "$PWD/.venv/bin/python" "$source_folder/deploy/make_sample.py" inbox/sample.jpg
fi

cat <<EOF

== Watching $PWD/inbox
   Drop scans into  $PWD/inbox
   their text is in $PWD/outbox
   the originals go to archive, what cannot be read to quarantine, with the reason. Ctrl-C stops.

EOF
exec "$PWD/.venv/bin/ocrwatch" run "$@"
