"""The service on a real Debian: installed with one command, fed by real clients, killed, reloaded and removed.

Only root can run this. The first run fetches a Debian, the next take minutes less; ``DEBIAN_SUITE=trixie`` asks for
another one.
The tests share one machine and stand in the order of its life. Each leaves the service running.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.rendering import render
from tests.system.acceptance.image import one_at_a_time, skip_where_impossible
from tests.system.acceptance.machine import SOURCE_INSIDE, TIMEOUT, Machine, restored
from tests.system.acceptance.office import (
    DATA,
    PASSWORD,
    UNIT,
    assert_all_read,
    drop,
    drop_many,
    exposure,
    scan_at_home,
    smb,
    text_of,
    texts_in,
    wait_active,
    wait_archived,
)
from tests.system.dropping import files
from tests.waiting import until

INSTALL = ("sh", f"{SOURCE_INSIDE}/deploy/install.sh")
MANUAL = "/usr/local/share/man/man1/ocrwatch.1"
SAMBA = "/etc/samba/smb.conf"
CONFIG = "/etc/ocrwatch/ocrwatch.toml"
# Quicker to notice and to start again than what is shipped, so that the tests are.
FAST = "[Service]\nWatchdogSec=5s\nRestartSec=200ms\n"


@pytest.fixture(scope="module")
def bare() -> Iterator[Machine]:
    """Return a Debian on which nothing is installed yet."""
    skip_where_impossible()
    with one_at_a_time(), Machine() as machine:
        yield machine


@pytest.fixture(scope="module")
def machine(bare: Machine) -> Iterator[Machine]:
    """Return a Debian with the service, its share, and people: anna and bob may, mallory may not."""
    drop_in = bare.path("/etc/systemd/system/ocrwatch.service.d/test.conf")
    drop_in.parent.mkdir()
    drop_in.write_text(FAST)
    shutil.copy(bare.path(SAMBA), bare.path(SAMBA).with_suffix(".before"))
    print(bare.run(*INSTALL, "--with-samba").stdout)  # noqa: T201
    bare.run("systemctl", "start", "smbd")
    for name, groups in (("anna", "ocrwatch"), ("bob", "ocrwatch"), ("mallory", "users")):
        bare.run("useradd", "--create-home", "--groups", groups, name)
        bare.run("smbpasswd", "-s", "-a", name, text=f"{PASSWORD}\n{PASSWORD}\n")
        bare.run("chpasswd", text=f"{name}:{PASSWORD}\n")
    yield bare
    print(bare.run("journalctl", "--unit", "ocrwatch*", "--output", "short-precise", "--no-pager").stdout)  # noqa: T201


@pytest.fixture(scope="module")
def newer(machine: Machine) -> str:
    """Return a folder of the machine with sources of a later release."""
    machine.run("cp", "-r", SOURCE_INSIDE, "/root/newer")
    code = machine.path("/root/newer/ocrwatch/__init__.py")
    code.write_text(re.sub('__version__ = "[^"]+"', '__version__ = "99.0"', code.read_text()))
    return "/root/newer"


def test_one_command_ends_with_a_running_service(machine: Machine) -> None:
    """After install.sh the service is active, comes back at every start of the machine, is well, and reads a scan."""
    assert machine.run("systemctl", "is-active", UNIT).stdout.strip() == "active"
    assert machine.run("systemctl", "is-enabled", UNIT).stdout.strip() == "enabled"
    machine.run("ocrwatch", "doctor", user="ocrwatch")
    machine.run("test", "-s", MANUAL, user="bob")
    drop(machine, "first.jpg", "The service reads this")
    assert "The service reads this" in text_of(machine, "first.txt")
    for user in (None, "bob"):

        def told(user: str | None = user) -> bool:
            return bool(json.loads(machine.run("ocrwatch", "status", "--json", user=user).stdout)["delivered"] == 1)

        until(told, TIMEOUT, f"{user or 'root'} is told of the scan")


def test_it_runs_under_its_hardening(machine: Machine) -> None:
    """systemd-analyze finds the units right and an exposure of at most 1.5, and the kernel enforces them."""
    units = [f"/usr/local/lib/systemd/system/{name}.service" for name in ("ocrwatch", "ocrwatch@")]
    verified = machine.run("systemd-analyze", "verify", units[0], units[1].replace("@", "@some"))
    assert verified.stdout + verified.stderr == ""
    for unit in (UNIT, "ocrwatch@some.service"):
        assert exposure(machine, unit) <= 1.5
    status = machine.run("cat", f"/proc/{machine.main_pid(UNIT)}/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"
    assert int(facts["CapBnd"], 16) == int(facts["CapEff"], 16) == 0
    assert "0" not in facts["Uid"].split()


def test_a_scan_written_over_the_share_comes_back_over_it(machine: Machine) -> None:
    """Samba's client writes a scan, also into a folder it makes, and its user reads the text over the same share."""
    scan_at_home(machine, "anna", "letter.jpg", "Written over the share")
    put = "lcd /home/anna; cd inbox; put letter.jpg; mkdir mail; cd mail; put letter.jpg deep.jpg"
    smb(machine, put)
    for name in ("letter", "mail/deep"):
        text_of(machine, f"{name}.txt")
        smb(machine, f"cd outbox; get {name.replace('/', chr(92))}.txt /home/anna/back.txt")
        assert "Written over the share" in machine.path("/home/anna/back.txt").read_text()
    # Everybody in the group may tidy up, whoever made it.
    wait_archived(machine, "letter.jpg")
    smb(machine, "cd archive; rm letter.jpg; cd ../outbox; rm letter.txt", user="bob")
    assert not machine.path(f"{DATA}/archive/letter.jpg").exists()
    assert "NT_STATUS_ACCESS_DENIED" in smb(machine, "ls", user="mallory", check=False)


def test_whoever_is_in_the_group_can_feed_it(machine: Machine) -> None:
    """A member's own umask does not matter: what they copy, and the folders they make, can be read and moved."""
    scan_at_home(machine, "bob", "note.jpg", "From a colleague")
    machine.run(
        "sh", "-c", f"umask 077; mkdir -p {DATA}/inbox/bob/new; cp ~bob/note.jpg {DATA}/inbox/bob/new", user="bob"
    )
    assert "From a colleague" in text_of(machine, "bob/new/note.txt")
    wait_archived(machine, "bob/new/note.jpg")
    machine.run("rm", f"{DATA}/outbox/bob/new/note.txt", user="anna")
    assert machine.run("cat", f"{DATA}/archive/bob/new/note.jpg", user="mallory", check=False).returncode != 0
    for command in (["status"], ["why", "note.jpg"], ["review"]):
        told = machine.run("ocrwatch", *command, user="mallory", check=False)
        assert "sudo usermod -aG ocrwatch mallory" in told.stderr


def test_a_batch_from_a_scanner_driver_is_read(machine: Machine) -> None:
    """What scanimage saves page after page is delivered, page for page."""
    batch = [f"--batch={DATA}/inbox/page%d.jpg", "--batch-count=3"]
    machine.run("scanimage", "-d", "test", "--format=jpeg", "--resolution=100", *batch, user="bob")
    for page in ("page1", "page2", "page3"):
        text_of(machine, f"{page}.txt")
        wait_archived(machine, f"{page}.jpg")


def test_feeders_make_documents(machine: Machine) -> None:
    """A scanner driver's batch and two feeders that write over the share at the same time become a document each."""
    profile = '\n[[profiles]]\nmatch = "feeder/**"\n[profiles.group]\nby = "name"\nquiet = "4s"\n'
    config, users = machine.path(CONFIG), ("anna", "bob")
    for user in users:
        for page in (1, 2, 3):
            scan_at_home(machine, user, f"sheet{page}.jpg", f"Sheet {page} of {user}")
    with restored(config):
        config.write_text(config.read_text() + profile)
        try:
            machine.run("systemctl", "restart", UNIT)
            wait_active(machine)
            machine.run("mkdir", f"{DATA}/inbox/feeder", user="anna")

            def feed(user: str) -> None:
                puts = "; ".join(f"put sheet{page}.jpg {user}_{page}.jpg" for page in (2, 1, 3))
                smb(machine, f"lcd /home/{user}; cd inbox; cd feeder; {puts}", user=user)

            batch = [f"--batch={DATA}/inbox/feeder/driver%d.jpg", "--batch-count=3"]
            with ThreadPoolExecutor() as feeders:
                fed = [feeders.submit(feed, user) for user in users]
                machine.run("scanimage", "-d", "test", "--format=jpeg", "--resolution=100", *batch, user="bob")
                for each in fed:
                    each.result()
            for user in users:
                pages = text_of(machine, f"feeder/{user}.txt").split("\f")
                assert [f"Sheet {page} of {user}" in text for page, text in enumerate(pages, 1)] == [True] * 3
            assert text_of(machine, "feeder/driver.txt").count("\f") == 2
            until(lambda: len(machine.events(UNIT, "document.delivered")) >= 3, TIMEOUT, "all are told of")
            documents = machine.events(UNIT, "document.delivered")
            assert sorted((each["document"], each["pages"]) for each in documents) == [
                ("anna", 3), ("bob", 3), ("driver", 3),
            ]  # fmt: skip
            why = machine.run("ocrwatch", "why", f"{DATA}/outbox/feeder/anna.txt", user="anna").stdout
            assert "anna_2.jpg" in why
        finally:
            machine.run("systemctl", "restart", UNIT)
            wait_active(machine)


def test_scanners_that_know_ftp_or_sftp(machine: Machine) -> None:
    """The FTP and SFTP settings shut a scanner's user, who has no shell, into the folders, and its scans are read."""
    ftp = f"{SOURCE_INSIDE}/deploy/ftp"
    machine.run("sh", "-ec", f"""
        cp {ftp}/vsftpd.conf /etc/vsftpd.conf
        cp {ftp}/vsftpd.pam /etc/pam.d/vsftpd-ocrwatch
        cp {ftp}/sshd_sftp.conf /etc/ssh/sshd_config.d/ocrwatch.conf
        groupadd --system scanners
        useradd --system --no-user-group --no-create-home --home-dir {DATA} --shell /usr/sbin/nologin \\
            --groups ocrwatch,scanners scanner
        echo scanner >>/etc/vsftpd.ocrwatch-users
        mkdir /etc/ssh/scanners
        ssh-keygen -q -t ed25519 -N '' -f /root/key
        cp /root/key.pub /etc/ssh/scanners/scanner
        systemctl start vsftpd ssh
    """)  # fmt: skip
    machine.run("chpasswd", text=f"scanner:{PASSWORD}\n")
    for name in ("by-ftp", "by-sftp"):
        machine.path(f"/root/{name}.jpg").write_bytes(render(f"Sent {name}"))
    url = "ftp://localhost/inbox/by-ftp.jpg"
    machine.run("curl", "-sS", "--user", f"scanner:{PASSWORD}", "--upload-file", "/root/by-ftp.jpg", url)
    options = ["-i", "/root/key", "-o", "StrictHostKeyChecking=accept-new", "-b", "-"]
    machine.run("sftp", *options, "scanner@localhost", text="put /root/by-sftp.jpg /inbox/by-sftp.jpg\n")
    for name in ("by-ftp", "by-sftp"):
        assert f"Sent {name}" in text_of(machine, f"{name}.txt")
        wait_archived(machine, f"{name}.jpg")
    shell = machine.run("ssh", "-i", "/root/key", "scanner@localhost", "id", check=False)
    assert "uid=" not in shell.stdout
    machine.run("systemctl", "stop", "vsftpd", "ssh")


def test_commands_by_hand_beside_the_service(machine: Machine) -> None:
    """While it runs, and after it was stopped, root and a member of the group are told what is so.

    The service sees its folders through mounts of its own sandbox; by hand there are none.
    """
    scan_at_home(machine, "bob", "page.jpg", "Read by hand")

    def ask(*command: str, user: str | None = None) -> tuple[int, str]:
        done = machine.run("ocrwatch", *command, user=user, check=False)
        said = done.stdout + done.stderr
        assert "Traceback" not in said
        assert "nothing is mounted" not in said
        return done.returncode, said

    def by_hand(*, runs: bool) -> None:
        for user in (None, "bob"):
            assert ask("read", "/home/bob/page.jpg", user=user)[1].strip().endswith("Read by hand")
        code, said = ask("doctor")
        if runs:
            assert code == 0, said
        else:
            assert "is not running" in said
        assert "ok      mounts: no disk or share is missing" in said
        code, said = ask("doctor", user="bob")
        assert "ok      mounts" in said
        code, said = ask("once", user="bob")
        # The records are for the service's own user.
        assert code == 3, said
        assert "cannot write to the state" in said

    wait_active(machine)
    by_hand(runs=True)
    assert "has the inbox" in ask("once")[1]
    machine.run("systemctl", "stop", UNIT)
    by_hand(runs=False)
    drop(machine, "by-hand.jpg", "Read once by root")
    code, said = ask("once")
    assert code == 0, said
    assert "Read once by root" in text_of(machine, "by-hand.txt")
    # What root has written must not be in the service's way.
    machine.run("systemctl", "start", UNIT)
    drop(machine, "by-service.jpg", "Read by the service again")
    assert "Read by the service again" in text_of(machine, "by-service.txt")
    machine.run("ocrwatch", "doctor")


def test_other_writable_paths_are_no_other_disk(machine: Machine) -> None:
    """The service starts again with wider and with narrower ``ReadWritePaths=``, and what it noted is true by hand."""
    drop_in = machine.path("/etc/systemd/system/ocrwatch.service.d/paths.conf")
    narrow = " ".join(f"{DATA}/{name}" for name in ("inbox", "outbox", "archive", "quarantine"))
    with restored(drop_in):
        for number, paths in enumerate(("/srv", narrow, "/srv /var/lib", DATA)):
            drop_in.write_text(f"[Service]\nReadWritePaths=\nReadWritePaths={paths}\n")
            machine.run("systemctl", "daemon-reload")
            machine.run("systemctl", "restart", UNIT)
            drop(machine, f"paths{number}.jpg", f"Written below {number}")
            assert f"Written below {number}" in text_of(machine, f"paths{number}.txt")
            machine.run("ocrwatch", "doctor")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT)


def test_a_disk_that_is_not_mounted_is_still_missed(machine: Machine) -> None:
    """If the folders were on a disk of their own, the service does not start without it, and nothing is written."""
    unmount = f"umount {DATA}"
    machine.run("systemctl", "stop", UNIT)
    machine.run("sh", "-ec", f"""
        mount -t tmpfs -o mode=0750 disk {DATA}
        chgrp ocrwatch {DATA}
        systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/ocrwatch.conf
    """)  # fmt: skip
    try:
        machine.run("systemctl", "start", UNIT)
        machine.run("systemctl", "stop", UNIT)
        machine.run("sh", "-c", unmount)
        unmount = "true"
        before = files(machine.path(f"{DATA}/outbox"))
        once = machine.run("ocrwatch", "once", check=False)
        assert once.returncode == 3
        assert f"nothing is mounted on {DATA}" in once.stderr
        assert f"nothing is mounted on {DATA}" in machine.run("ocrwatch", "doctor", check=False).stdout
        assert machine.run("systemctl", "start", UNIT, check=False).returncode != 0
        assert files(machine.path(f"{DATA}/outbox")) == before
    finally:
        machine.run("sh", "-c", unmount)
        machine.path("/var/lib/ocrwatch/mounts.json").unlink()
        machine.run("systemctl", "reset-failed", UNIT, check=False)
        machine.run("systemctl", "restart", UNIT)


def test_reload_takes_a_new_profile(machine: Machine) -> None:
    """``systemctl reload`` puts a new profile into force in the same process."""
    before = machine.main_pid(UNIT)
    profile = '\n[[profiles]]\nmatch = "numbers/**"\n[profiles.ocr]\nwhitelist = "0123456789"\n'
    config = machine.path(CONFIG)
    with restored(config):
        config.write_text(config.read_text() + profile)
        try:
            machine.run("systemctl", "reload", UNIT)
            machine.run("mkdir", f"{DATA}/inbox/numbers", user="anna")

            names = (f"mixed{number}" for number in itertools.count())

            def in_force() -> str:
                # A reload takes a moment, and what came before it is read by the rules before it.
                name = next(names)
                drop(machine, f"{name}.jpg", "Order 4711", f"{DATA}/inbox/numbers")
                text = text_of(machine, f"numbers/{name}.txt")
                return "" if "Order" in text else text

            assert machine.main_pid(UNIT) == before
            assert "4711" in until(in_force, TIMEOUT, "the profile is in force")
            assert machine.main_pid(UNIT) == before
        finally:
            machine.run("systemctl", "restart", UNIT)


def test_reload_with_wrong_settings_fails(machine: Machine) -> None:
    """``systemctl reload`` fails and says why, the service goes on, and its status tells it until a reload succeeds."""
    before = machine.main_pid(UNIT)
    config = machine.path(CONFIG)

    def refused() -> object:
        return json.loads(machine.run("ocrwatch", "status", "--json").stdout)["refused_settings"]

    with restored(config):
        config.write_text(config.read_text() + "\n[settle]\nstable_fro = '1s'\n")
        assert machine.run("systemctl", "reload", UNIT, check=False).returncode != 0
        assert "did you mean settle.stable_for?" in machine.run("journalctl", "--unit", UNIT, "--no-pager").stdout
    # `status` reads the same file, and could not while it is wrong.
    assert "stable_fro" in str(until(refused, TIMEOUT, "the refusal is in the status"))
    assert "new settings refused" in machine.property(UNIT, "StatusText")
    assert machine.main_pid(UNIT) == before
    machine.run("systemctl", "reload", UNIT)
    until(lambda: refused() is None, TIMEOUT, "the refusal is gone from the status")
    assert machine.main_pid(UNIT) == before


def test_killing_it_under_load_loses_nothing(machine: Machine) -> None:
    """Killed again and again with SIGKILL, it is started again each time, and every scan is read once."""
    names = drop_many(machine, "killed", 24)
    for share in (0.1, 0.4, 0.7):
        wanted = round(share * len(names))
        until(lambda wanted=wanted: len(texts_in(machine, "killed")) >= wanted, TIMEOUT, f"{wanted} texts")  # type: ignore[misc]
        before = machine.main_pid(UNIT)
        machine.run("kill", "-KILL", str(before))
        until(lambda before=before: machine.main_pid(UNIT) not in {0, before}, TIMEOUT, "it is being restarted")  # type: ignore[misc]
    assert_all_read(machine, "killed", names)
    assert int(machine.property(UNIT, "NRestarts")) >= 3


def test_a_loop_that_hangs_is_restarted(machine: Machine) -> None:
    """A daemon that gives no sign of life is killed by systemd's watchdog and started again."""
    before, restarts = machine.main_pid(UNIT), int(machine.property(UNIT, "NRestarts"))
    machine.run("kill", "-STOP", str(before))
    drop(machine, "after.jpg", "Read after the restart")
    until(lambda: int(machine.property(UNIT, "NRestarts")) > restarts, TIMEOUT, "the watchdog has bitten")
    assert "Read after the restart" in text_of(machine, "after.txt")
    journal = machine.run("journalctl", "--unit", UNIT, "--no-pager").stdout
    assert "Watchdog timeout" in journal
    assert not machine.run("sh", "-c", f"ls -d /proc/{before}", check=False).stdout


def test_a_quiet_service_is_not_restarted(machine: Machine) -> None:
    """With nothing to do it still gives signs of life: no restart within three times what the watchdog allows."""
    wait_active(machine)
    before = machine.main_pid(UNIT)
    machine.run("sleep", "15")  # the absence of something can only be waited out
    assert machine.main_pid(UNIT) == before


def test_stopping_finishes_what_is_being_read(machine: Machine) -> None:
    """``systemctl stop`` lets scans in work be delivered, leaves the rest in the inbox, and the next start reads it."""
    names = drop_many(machine, "stopped", 24)
    until(lambda: texts_in(machine, "stopped"), TIMEOUT, "the first text")
    machine.run("systemctl", "stop", UNIT)
    assert machine.property(UNIT, "Result") == "success"
    log = [(event["event"], event) for event in machine.events(UNIT)]
    began = max(place for place, (name, _) in enumerate(log) if name == "daemon.stopping")
    after = [name for name, _ in log[began:]]
    assert after[-1] == "daemon.stopped"
    assert after.count("scan.delivered") >= log[began][1]["in_work"] > 0
    texts = {path.stem for path in texts_in(machine, "stopped")}
    waiting = {path.stem for path in machine.path(f"{DATA}/inbox/stopped").glob("*.jpg")}
    archived = {path.stem for path in machine.path(f"{DATA}/archive/stopped").glob("*.jpg")}
    assert texts == archived
    assert texts | waiting == {Path(name).name for name in names}
    assert not texts & waiting
    machine.run("systemctl", "start", UNIT)
    assert_all_read(machine, "stopped", names)


def test_wrong_settings_are_said_once(machine: Machine) -> None:
    """A service with wrong settings stays down with a sentence, rather than starting again and again."""
    config = machine.path(CONFIG)
    with restored(config):
        config.write_text(config.read_text() + "\n[settle]\nstable_fro = '1s'\n")
        assert machine.run("systemctl", "restart", UNIT, check=False).returncode != 0
        assert machine.property(UNIT, "ActiveState") == "failed"
        assert machine.property(UNIT, "ExecMainStatus") == "2"
        assert "stable_fro" in machine.run("journalctl", "--unit", UNIT, "--lines", "5", "--no-pager").stdout
        upgrade = machine.run(*INSTALL, check=False)
        assert upgrade.returncode != 0
        assert "does not fit" in upgrade.stderr
    machine.run("systemctl", "start", UNIT)


def test_the_alerts_are_raised_when_they_should_be(machine: Machine) -> None:
    """Prometheus takes the rules, and raises them for the series that deserve it and no others."""
    machine.run("promtool", "check", "rules", f"{SOURCE_INSIDE}/deploy/prometheus/alerts.yml")
    machine.run("promtool", "test", "rules", f"{SOURCE_INSIDE}/tests/system/acceptance/alerts_test.yml")


def test_metrics_can_be_fetched_once_the_network_is_allowed(machine: Machine) -> None:
    """With ``--with-network`` Prometheus gets the metrics, those of the process among them; still well hardened."""
    config = machine.path(CONFIG)
    with restored(config):
        config.write_text(config.read_text() + '\n[status]\nlisten = ":9464"\n')
        try:
            machine.run(*INSTALL, "--with-network")
            machine.run("systemctl", "restart", UNIT)
            assert machine.run("curl", "-sSf", "http://127.0.0.1:9464/readyz")
            metrics = machine.run("curl", "-sSf", "http://127.0.0.1:9464/metrics").stdout
            machine.run("promtool", "check", "metrics", text=metrics)
            for name in ('ocrwatch_scans_total{result="delivered"}', "process_start_time_seconds "):
                assert f"\n{name}" in metrics
            assert exposure(machine, UNIT) <= 1.5
        finally:
            config.write_text(config.read_text().replace("[status]", "").replace('listen = ":9464"', ""))
            machine.run("systemctl", "restart", UNIT)


def test_installing_again_changes_nothing(machine: Machine) -> None:
    """A second run finds everything as it should be: the same process goes on, and no file is touched."""
    places = ["/etc/ocrwatch", "/etc/samba", "/opt/ocrwatch", "/usr/local/bin", "/usr/local/lib", DATA]
    # A daemon at work may rewrite what it says of itself.
    still = ["-type", "f", "!", "-name", "STATUS.txt"]

    def state() -> list[str]:
        return machine.run("find", *places, *still, "-printf", r"%p %T@ %m %u %g\n").stdout.splitlines()

    wait_active(machine)
    before, files_before = machine.main_pid(UNIT), state()
    again = machine.run(*INSTALL, "--with-samba")
    assert "installed already" in again.stdout
    # Where the share is, and how to get in.
    host = machine.run("hostname").stdout.strip()
    assert rf"\\{host}\ocrwatch" in again.stdout
    assert "smbpasswd -a" in again.stdout
    assert machine.main_pid(UNIT) == before
    assert state() == files_before


def test_an_upgrade_takes_over_where_the_old_release_was(machine: Machine, newer: str) -> None:
    """Newer sources are installed beside, while scans come in; none is lost, and the old release is gone.

    A run that starts nothing leaves the old release to the service, and the restart to the next run.
    """
    before = machine.main_pid(UNIT)
    names = drop_many(machine, "upgraded", 24)
    machine.run("sh", f"{newer}/deploy/install.sh", "--no-start")
    assert machine.main_pid(UNIT) == before
    assert len(list(machine.path("/opt/ocrwatch/releases").iterdir())) > 1
    machine.run("sh", f"{newer}/deploy/install.sh")
    assert machine.run("ocrwatch", "--version").stdout == "ocrwatch 99.0\n"
    assert machine.events(UNIT, "daemon.started")[-1]["version"] == "99.0"
    assert [path.name.partition("-")[0] for path in machine.path("/opt/ocrwatch/releases").iterdir()] == ["99.0"]
    assert_all_read(machine, "upgraded", names)


def test_an_upgrade_that_fails_changes_nothing(machine: Machine, newer: str) -> None:
    """Sources that cannot be installed leave the service as it is."""
    before, version = machine.main_pid(UNIT), machine.run("ocrwatch", "--version").stdout
    project = machine.path(f"{newer}/pyproject.toml")
    with restored(project):
        project.write_text("[project]\n")
        assert machine.run("sh", f"{newer}/deploy/install.sh", check=False).returncode != 0
    assert machine.main_pid(UNIT) == before
    assert machine.run("ocrwatch", "--version").stdout == version


def test_an_instance_has_an_inbox_of_its_own(machine: Machine, newer: str) -> None:
    """A second inbox is read by a service of its own, with settings and an engine of its own, beside the first."""
    install = ("sh", f"{newer}/deploy/install.sh")
    machine.run(*install)
    before = machine.main_pid(UNIT)
    machine.run(*install, "--instance", "invoices", "--languages", "fra,eng", "--no-start")
    config = machine.path("/etc/ocrwatch/invoices.toml")
    assert 'languages = ["fra", "eng"]' in config.read_text()
    # The other engine starts programs, and the group is given: both must be allowed to the service.
    config.write_text(config.read_text() + 'engine = "pytesseract"\n[output]\nmode = "0640"\ngroup = "ocrwatch"\n')
    machine.run(*install, "--instance", "invoices")
    drop(machine, "bill.jpg", "Une facture", f"{DATA}/invoices/inbox")
    assert "Une facture" in text_of(machine, "bill.txt", f"{DATA}/invoices/outbox")
    delivered = until(lambda: machine.events("ocrwatch@invoices.service", "scan.delivered"), TIMEOUT, "it is logged")
    assert delivered[0]["engine"].startswith("pytesseract")
    drop(machine, "beside.jpg", "Beside the instance")
    assert "Beside the instance" in text_of(machine, "beside.txt")
    assert machine.main_pid(UNIT) == before


def test_extras_work_in_the_sandbox_and_stay(machine: Machine, newer: str) -> None:
    """With all extras the service reads with PP-OCR and writes PDFs and workbooks, and an upgrade keeps them."""
    install = ("sh", f"{newer}/deploy/install.sh")
    machine.run(*install, "--with-rapidocr", "--with-pdf", "--with-xlsx", "--with-remote", "--with-codes")
    config = machine.path(CONFIG)
    with restored(config):
        formats = '[output]\nformats = ["txt", "pdf", "xlsx"]\n[tables]\nenabled = true\n[codes]\nenabled = true\n'
        config.write_text(f'{config.read_text()}engine = "rapidocr"\n{formats}')
        machine.run("systemctl", "restart", UNIT)
        wait_active(machine)
        drop(machine, "twice.jpg", "Read by a network")
        assert "Read by a network" in text_of(machine, "twice.txt")
        assert machine.events(UNIT, "scan.delivered")[-1]["engine"].startswith("rapidocr")
        assert machine.path(f"{DATA}/outbox/twice.pdf").read_bytes().startswith(b"%PDF-")
        assert machine.path(f"{DATA}/outbox/twice.tables.xlsx").read_bytes().startswith(b"PK")
        machine.run("ocrwatch", "doctor", user="ocrwatch")
    machine.run("systemctl", "restart", UNIT)
    wait_active(machine)
    assert "installed already" in machine.run(*install).stdout
    for package in ("rapidocr", "pikepdf", "xlsxwriter", "aiohttp", "zxingcpp"):
        assert list(machine.path("/opt/ocrwatch/releases").glob(f"*/lib/python3*/site-packages/{package}"))


def test_uninstalling_leaves_the_data(machine: Machine) -> None:
    """Program and services go; scans, texts, settings, memory and the group stay."""
    kept = ("/srv/ocrwatch", "/etc/ocrwatch", "/var/lib/ocrwatch")
    inboxes = [machine.path(f"{data}/inbox") for data in (DATA, f"{DATA}/invoices")]
    # Hidden ones too: an original is, while it is delivered.
    until(lambda: not any(map(files, inboxes)), TIMEOUT, "everything is read")
    # What only a running daemon has: its status, and the ledger's helpers.
    passing = [
        part for name in ("status*", "STATUS.txt", "*-wal", "*-shm", ".ocrwatch*") for part in ("!", "-name", name)
    ]

    def files_left() -> list[str]:
        return machine.run("find", *kept, "-type", "f", *passing, "-printf", r"%p %s\n").stdout.splitlines()

    before = [line for line in files_left() if not line.startswith("/var/lib")]
    ledgers = machine.run("find", "/var/lib", "-name", "ledger.db").stdout
    done = machine.run(*INSTALL, "--uninstall")
    assert [line for line in files_left() if not line.startswith("/var/lib")] == before
    assert machine.run("find", "/var/lib", "-name", "ledger.db").stdout == ledgers != ""
    for folder in kept:
        assert folder in done.stdout
    machine.run("getent", "group", "ocrwatch")
    for gone in ("/opt/ocrwatch", "/usr/local/bin/ocrwatch", MANUAL, "/etc/samba/ocrwatch.conf"):
        assert not os.path.lexists(machine.path(gone))
    samba = machine.path(SAMBA)
    assert samba.read_text() == samba.with_suffix(".before").read_text()
    for unit in (UNIT, "ocrwatch@invoices.service"):
        assert machine.property(unit, "LoadState") == "not-found"
        assert machine.property(unit, "ActiveState") == "inactive"
    left = machine.run("find", "/usr/local/lib", "/etc/systemd", "-name", "*ocrwatch*", "!", "-name", "*.d").stdout
    assert left == ""
    # Removing what is not there is no error.
    machine.run(*INSTALL, "--uninstall")
