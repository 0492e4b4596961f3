#!/bin/sh
# Installs ocrwatch as a system service on Debian or Ubuntu. Safe to run again: that is also the upgrade, and changes
# nothing where there is nothing to change.
set -eu
. "$(dirname -- "$0")/common.sh"

usage() {
    cat <<'END'
usage: sudo sh deploy/install.sh [OPTION…]

  --languages fra,deu  languages on the scans, the most frequent first (English if not said)
  --instance NAME      one more inbox, in /srv/ocrwatch/NAME, with settings in /etc/ocrwatch/NAME.toml
  --with-codes         also installs what reads bar codes, QR codes and separator sheets (1 MB to fetch)
  --with-pdf           also installs what writes searchable PDFs (8 MB to fetch)
  --with-rapidocr      also installs a second reader, which reads receipts, forms and photos better (60 MB to fetch)
  --with-redis         also installs what a cache in Redis needs, which several machines share (0.6 MB to fetch)
  --with-xlsx          also installs what writes tables as Excel workbooks (0.2 MB to fetch)
  --with-remote        also installs what asks remote OCR services (3 MB to fetch), and allows the network
  --with-samba         also exports the folders as the share "ocrwatch"
  --with-network       allows metrics, webhooks, remote OCR services, and Redis elsewhere
  --no-start           installs everything, but neither enables nor starts the service
  --uninstall          removes the program and the service; leaves scans, texts, settings and the user
END
}

program=/opt/ocrwatch
data=/srv/ocrwatch
settings=/etc/ocrwatch
command=/usr/local/bin/ocrwatch
manual=/usr/local/share/man/man1/ocrwatch.1
# For what an admin adds to the distribution; /etc stays free for their own changes.
library=/usr/local/lib
units=$library/systemd/system
samba=/etc/samba/smb.conf
samba_share=/etc/samba/ocrwatch.conf

languages='' instance='' wanted='' with_samba='' with_network='' start=yes uninstall=''
while [ $# -gt 0 ]; do
    case $1 in
        --languages=* | --instance=*)
            option=${1%%=*} value=${1#*=}
            shift
            set -- "$option" "$value" "$@"
            continue ;;
        --languages | --instance)
            if [ -z "${2:-}" ]; then usage >&2; exit 2; fi
            if [ "$1" = --languages ]; then languages=$2; else instance=$2; fi
            shift ;;
        --with-codes | --with-pdf | --with-rapidocr | --with-redis | --with-xlsx) wanted="$wanted ${1#--with-}" ;;
        --with-remote) wanted="$wanted remote" with_network=yes ;;
        --with-samba) with_samba=yes ;;
        --with-network) with_network=yes ;;
        --no-start) start='' ;;
        --uninstall) uninstall=yes ;;
        -h | --help) usage; exit 0 ;;
        *) printf 'ocrwatch: there is no option %s\n' "$1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

case $instance in
    inbox | outbox | archive | quarantine | ocrwatch) die "an instance cannot be called $instance: choose another name" ;;
    [!a-z0-9]* | *[!a-z0-9_-]*) die "an instance's name is made of a-z, 0-9, - and _, and $instance is not" ;;
esac
case $languages in
    *[!A-Za-z0-9_/,]*) die "languages are named like eng,fra,chi_sim, and $languages is not" ;;
esac

if [ -n "$uninstall" ] && [ -n "$instance" ]; then
    die "--uninstall removes all instances -- to stop this one: sudo systemctl disable --now ocrwatch@$instance"
fi

[ "$(id -u)" -eq 0 ] || die "needs root: run  sudo sh deploy/install.sh"
# Whatever root's own umask, the service's user must be able to read the program.
umask 022

# There from the writing of a unit until all services run with it: this run may end in between, or start nothing.
units_changed=$program/units-changed

# put SOURCE TARGET: installs a file where it is missing or differs.
put() {
    if cmp -s "$1" "$2"; then return 0; fi
    say "Writing $2"
    mkdir -p "$(dirname -- "$2")"
    install -m 644 "$1" "$2"
}

# The same for what a running service must be restarted for.
put_unit() {
    if cmp -s "$1" "$2"; then return 0; fi
    if systemd_runs; then
        mkdir -p "$program"
        touch "$units_changed"
    fi
    put "$1" "$2"
}

systemd_runs() { [ -d /run/systemd/system ]; }
systemd_at_least() { [ "$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')" -ge "$1" ]; }

# The program: one folder a release, and `current`, which is switched when the new one is whole. What runs meanwhile is
# not touched, and a release that does not come about leaves everything as it was.
install_program() {
    staging=$(mktemp -d)
    trap 'rm -rf "$staging"' EXIT
    copy_sources "$staging"
    python=$(readlink -f "$(command -v python3)")
    case $python in
        /home/* | /root/*) die "python3 is $python, which the service may not see -- run this with PATH=/usr/bin:/bin" ;;
    esac
    # What an upgrade finds installed, it installs as well.
    # shellcheck disable=SC2086
    extras=$(extras_of "$program/current" $wanted)
    # The same sources, extras and Python are the same release.
    digest=$(printf '%s\n' "$(contents_of "$staging")" "$python" "$("$python" -V)" ${extras:+"$extras"} |
        sha256sum | cut -c 1-12)
    version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$staging/ocrwatch/__init__.py")
    release=$program/releases/$version-$digest
    if [ ! -e "$release/complete" ]; then
        mkdir -p "$program/releases"
        rm -rf "$release"
        make_environment "$release" "ocrwatch$extras" "$digest" "$staging$extras"
        "$release/bin/ocrwatch" --version >/dev/null
        touch "$release/complete"
    fi
}

switch_program() {
    if [ "$(readlink "$program/current" 2>/dev/null)" = "$release" ]; then
        say "ocrwatch $version is installed already"
    else
        say "Switching to ocrwatch $version"
        ln -sfn "$release" "$program/current.new"
        mv -T "$program/current.new" "$program/current"
    fi
    if [ ! -e "$command" ]; then
        ln -sf "$program/current/bin/ocrwatch" "$command"
    elif [ "$(readlink "$command")" != "$program/current/bin/ocrwatch" ]; then
        say "Leaving $command, which is something else; the service's is $program/current/bin/ocrwatch"
    fi
    if [ ! -e "$manual" ]; then
        mkdir -p "$(dirname "$manual")"
        ln -sf "$program/current/share/man/man1/ocrwatch.1" "$manual"
    fi
}

# uses_release RELEASE PROCESS…: whether one of the processes (numbers, or * for all) runs from the release. Its Python is
# in the command line by the first line of bin/ocrwatch, and its libraries are among the mapped files.
uses_release() {
    used=$1
    shift
    for process in "$@"; do
        # Standard input has the pattern: in the command line of grep it would find itself.
        # shellcheck disable=SC2086
        ! printf '%s/\n' "$used" | grep -qsaF -f - /proc/$process/cmdline /proc/$process/maps || return 0
    done
    return 1
}

# What a process still runs from stays.
remove_old_releases() {
    for old in "$program"/releases/*; do
        [ "$old" = "$release" ] || uses_release "$old" '[0-9]*' || rm -rf "$old"
    done
}

install_languages() {
    # shellcheck disable=SC2046
    need_packages tesseract-ocr $("$release/bin/python" -c '
import sys
from ocrwatch.recognise.tessdata import debian_package
print(*map(debian_package, sys.argv[1].split(",")))' "${languages:-eng}")
}

# The group in every line of sysusers.d and tmpfiles.d is ocrwatch; an instance has its folders one level deeper.
install_user_and_folders() {
    put "$source_folder/deploy/systemd/ocrwatch.sysusers" "$library/sysusers.d/ocrwatch.conf"
    put "$source_folder/deploy/systemd/ocrwatch.tmpfiles" "$library/tmpfiles.d/ocrwatch.conf"
    systemd-sysusers "$library/sysusers.d/ocrwatch.conf"
    systemd-tmpfiles --create "$library/tmpfiles.d/ocrwatch.conf"
    [ -n "$instance" ] || return 0
    sed "s#/srv/ocrwatch#$folder#" "$source_folder/deploy/systemd/ocrwatch.tmpfiles" >"$staging/tmpfiles"
    put "$staging/tmpfiles" "$library/tmpfiles.d/ocrwatch-$instance.conf"
    systemd-tmpfiles --create "$library/tmpfiles.d/ocrwatch-$instance.conf"
}

install_settings() {
    # Asked before the new release takes over, so that an upgrade cannot stop a service that works.
    for each in "$settings"/*.toml; do
        [ ! -e "$each" ] || "$release/bin/ocrwatch" config show --config "$each" >/dev/null ||
            die "$each does not fit ocrwatch $version (above): mend it and run this again; nothing was switched"
    done
    if [ -e "$config" ]; then
        [ -z "$languages" ] || say "Leaving $config as it is: set languages there, in [ocr]"
        return 0
    fi
    say "Writing $config"
    mkdir -p "$settings"
    list=$(printf '%s' "${languages:-eng}" | sed 's/,/", "/g')
    sed -e "s#^languages = .*#languages = [\"$list\"]#" -e "s#/srv/ocrwatch#$folder#" \
        -e "s#/var/lib/ocrwatch#/var/lib/ocrwatch${instance:+-$instance}#" -e "s#\(reload\|edit\) ocrwatch#\1 $unit#" \
        "$source_folder/deploy/ocrwatch.toml" >"$staging/config"
    # Readable to the group alone: settings can hold addresses and passwords.
    install -m 640 -g ocrwatch "$staging/config" "$config"
}

install_units() {
    for name in ocrwatch ocrwatch@; do
        put_unit "$source_folder/deploy/systemd/$name.service" "$units/$name.service"
        [ -z "$with_network" ] ||
            put_unit "$source_folder/deploy/systemd/drop-ins/network.conf" "$units/$name.service.d/network.conf"
        ! systemd_at_least 253 ||
            put_unit "$source_folder/deploy/systemd/drop-ins/notify-reload.conf" "$units/$name.service.d/notify-reload.conf"
    done
    if systemd_runs; then systemctl daemon-reload; fi
}

install_samba() {
    need_packages samba
    put "$source_folder/deploy/samba/ocrwatch.conf" "$samba_share"
    if ! grep -qxF "include = $samba_share" "$samba"; then
        say "Including it in $samba"
        # By its own section: what follows the last one of the file would belong to that.
        printf '# The share of ocrwatch.\n[global]\ninclude = %s\n' "$samba_share" >>"$samba"
    fi
    testparm -s "$samba" >/dev/null 2>&1 || die "Samba does not like $samba: run testparm to see why"
    if systemctl --quiet is-active smbd; then smbcontrol smbd reload-config; fi
}

# Removes the lines that install_samba has added, and no other. The section's line stays if it has other options now: they
# would belong to the section before.
exclude_samba() {
    [ -e "$samba" ] || return 0
    included="include = $(printf '%s' "$samba_share" | sed 's/\./\\./g')"
    sed -i -z --follow-symlinks "s#\(^\|\n\)\[global\]\n$included\n\(\n*\[\|\n*\$\)#\1\2#g" "$samba"
    sed -i --follow-symlinks -e '/^# The share of ocrwatch\.$/d' -e "\#^$included\$#d" "$samba"
    ! grep -q "^[[:space:]]*include.*${included#include = }" "$samba" ||
        say "$samba includes $samba_share in a line that was changed: take the line out of it"
}

# Samba has passwords of its own: without one a member does not get in.
explain_share() {
    host=$(uname -n | cut -d . -f 1)
    members=$(getent group ocrwatch | cut -d : -f 4 | sed 's/,/, /g')
    cat <<END

== The share
   address           \\\\$host\\ocrwatch${instance:+\\$instance}    (Linux, Mac: smb://$host/ocrwatch${instance:+/$instance})
   let people in     sudo adduser NAME ocrwatch && sudo smbpasswd -a NAME
   in the group      ${members:-none yet}
   with a password   $(pdbedit --list 2>/dev/null | cut -d : -f 1 | paste -s -d , | sed 's/,/, /g; s/^$/none yet/')
END
}

# A running service goes on with what it has begun, and leaves the rest to the new one. What is restarted does not depend
# on what this run has changed: an earlier one may have changed it, and restarted nothing.
start_service() {
    systemctl enable --quiet "$unit"
    running=$(systemctl list-units --plain --no-legend --state=active,activating,reloading \
        'ocrwatch.service' 'ocrwatch@*.service' | cut -d ' ' -f 1)
    for each in $running; do
        is_outdated "$each" || continue
        say "Restarting $each, which first finishes what it reads"
        systemctl restart "$each" || explain_failure "$each"
    done
    rm -f "$units_changed"
    if ! systemctl --quiet is-active "$unit"; then
        say "Starting $unit"
        systemctl start "$unit" || explain_failure "$unit"
    fi
}

# is_outdated UNIT: whether its process runs from another release, or with another unit. Without a process it waits for
# its next start, which is of the current release.
is_outdated() {
    main=$(systemctl show --property=MainPID --value "$1")
    [ "$main" != 0 ] || return 1
    [ ! -e "$units_changed" ] || return 0
    ! uses_release "$release" "$main"
}

explain_failure() {
    name=${1%.service}
    name=${name#ocrwatch@}
    journalctl --unit "$1" --lines 8 --no-pager --output cat >&2 || true
    runuser -u ocrwatch -- "$command" doctor --config "$settings/$name.toml" >&2 || true
    die "$1 did not start: see above, and  journalctl -u $1"
}

uninstall() {
    say "Stopping and removing the service"
    if systemd_runs; then
        systemctl list-units --plain --no-legend --all 'ocrwatch.service' 'ocrwatch@*.service' | cut -d ' ' -f 1 |
            xargs -r systemctl stop
    fi
    for link in /etc/systemd/system/*.wants/ocrwatch.service /etc/systemd/system/*.wants/ocrwatch@*.service; do
        if [ -L "$link" ]; then rm "$link"; fi
    done
    for name in ocrwatch ocrwatch@; do
        rm -f "$units/$name.service" "$units/$name.service.d/network.conf" "$units/$name.service.d/notify-reload.conf"
        if [ -d "$units/$name.service.d" ]; then rmdir --ignore-fail-on-non-empty "$units/$name.service.d"; fi
    done
    rm -f "$library"/sysusers.d/ocrwatch.conf "$library"/tmpfiles.d/ocrwatch.conf "$library"/tmpfiles.d/ocrwatch-*.conf
    if systemd_runs; then
        systemctl daemon-reload
        systemctl reset-failed 'ocrwatch*' 2>/dev/null || true
    fi
    if [ -e "$samba_share" ]; then
        say "Removing the share from $samba"
        exclude_samba
        rm -f "$samba_share"
        if systemd_runs && systemctl --quiet is-active smbd; then smbcontrol smbd reload-config; fi
    fi
    say "Removing the program"
    if [ "$(readlink "$command" 2>/dev/null)" = "$program/current/bin/ocrwatch" ]; then rm "$command"; fi
    if [ "$(readlink "$manual" 2>/dev/null)" = "$program/current/share/man/man1/ocrwatch.1" ]; then rm "$manual"; fi
    rm -rf "$program"
    cat <<END

== ocrwatch is removed. Left, because they are yours:
   $data                scans and their text
   $settings                the settings
   /var/lib/ocrwatch*           what it remembers of each scan
   the user and group ocrwatch, and the Debian packages (Tesseract, Samba)
END
}

if [ -n "$uninstall" ]; then
    uninstall
    exit 0
fi

[ -z "$start" ] || systemd_runs || die "systemd does not run here -- use --no-start to prepare an image, or deploy/docker"

unit=ocrwatch${instance:+@$instance}
folder=$data${instance:+/$instance}
config=$settings/${instance:-ocrwatch}.toml

# Its certificates are for services and webhooks with https.
need_python ${with_network:+ca-certificates}
install_program
install_languages
install_user_and_folders
install_settings
install_units
switch_program
[ -z "$with_samba" ] || install_samba
if [ -n "$start" ]; then
    start_service
    remove_old_releases
fi

cat <<END

== ocrwatch $version is installed${start:+ and runs as $unit}
   drop scans into   $folder/inbox
   find the text in  $folder/outbox   (originals: archive; what cannot be read, with the reason: quarantine)
   let people in     sudo adduser NAME ocrwatch   (and have them log in again)
   settings          $config, then: sudo systemctl reload $unit
   what it does      sudo ocrwatch status --config $config
   what happened     journalctl -u $unit
   what is wrong     sudo -u ocrwatch ocrwatch doctor --config $config
END
[ -z "$with_samba" ] || explain_share
