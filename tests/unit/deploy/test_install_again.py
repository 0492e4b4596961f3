"""What install.sh does about running services, and what it removes; its functions are run one by one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[3] / "deploy"

_FAKE_SYSTEMCTL = """#!/bin/sh
# Knows the units in $UNITS, a file each: the state, and the process.
set -eu
printf '%s\\n' "$*" >>"$CALLS"
for unit; do :; done
case " $* " in
    *" list-units "*)
        states=$(printf '%s\\n' "$@" | sed -n 's/^--state=//p' | tr , '|')
        for file in "$UNITS"/*; do
            [ -e "$file" ] || continue
            read -r state _ <"$file"
            ! printf '%s\\n' "$state" | grep -qxE "$states" || printf '%s loaded %s\\n' "${file##*/}" "$state"
        done ;;
    *" show "*) read -r _ pid <"$UNITS/$unit" && printf '%s\\n' "$pid" ;;
    *" is-active "*) grep -q ^active "$UNITS/$unit.service" ;;
    *" restart "*) [ "$unit" != "${FAILS:-}" ] ;;
esac
"""

_DAEMON = """#!{python}
import mmap, sys
library = open({library!r}, "rb")
mapped = mmap.mmap(library.fileno(), 0, access=mmap.ACCESS_READ)
print("runs", flush=True)
sys.stdin.read()
"""


@dataclass
class Machine:
    """Folders like those of an installed service, and processes that run from them."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def program(self) -> Path:
        """The folder of all releases."""
        return self.folder / "opt"

    def release(self, name: str) -> Path:
        """Make a release."""
        release = self.program / "releases" / name
        (release / "bin").mkdir(parents=True)
        (release / "bin" / "python").symlink_to(sys.executable)
        (release / "library.so").write_bytes(b"code")
        script = release / "bin" / "ocrwatch"
        script.write_text(_DAEMON.format(python=release / "bin" / "python", library=str(release / "library.so")))
        script.chmod(0o755)
        return release

    def switch(self, release: Path) -> None:
        """Make it the current one."""
        current = self.program / "current"
        current.unlink(missing_ok=True)
        current.symlink_to(release)

    def start(self, *command: str) -> int:
        """Start a program of the current release, by default the daemon as its unit does, and return its process."""
        daemon = str(self.program / "current" / "bin" / "ocrwatch")
        process = subprocess.Popen(command or [daemon], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"runs\n"
        self.processes.append(process)
        return process.pid

    def stop(self) -> None:
        """End all processes."""
        for process in self.processes:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.wait(20)
        self.processes.clear()

    def unit(self, name: str, state: str, pid: int) -> None:
        """Let systemd know a unit."""
        (self.folder / "units" / f"{name}.service").write_text(f"{state} {pid}\n")

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``script`` with the functions of install.sh."""
        functions = re.findall(
            r"^\w+\(\) (?:\{ .* \}|\{\n.*?^\})$", (DEPLOY / "install.sh").read_text(), re.MULTILINE | re.DOTALL
        )
        prelude = (
            f'. "{DEPLOY}/common.sh"; program="{self.program}"; settings="{self.folder}/etc"; with_network=""\n'
            f'units="{self.folder}/lib"; command="{self.folder}/bin/ocrwatch"; manual="{self.folder}/man/ocrwatch.1"\n'
            f'samba="{self.folder}/smb.conf"; samba_share=/etc/samba/ocrwatch.conf; library="{self.folder}/lib"\n'
            "units_changed=$program/units-changed; changed=''; unit=ocrwatch; version=9\n"
        )
        text = "\n".join([prelude, *functions, "systemd_runs() { true; }", script])
        environment = {
            **os.environ,
            "PATH": f"{self.folder}/tools:{os.environ['PATH']}",
            "UNITS": str(self.folder / "units"),
            "CALLS": str(self.folder / "calls"),
            **variables,
        }
        command = ["sh", "-euc", text, str(DEPLOY / "install.sh")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def restarted(self) -> list[str]:
        """Return the units that were restarted."""
        calls = (self.folder / "calls").read_text().splitlines()
        return [call.split()[-1].removesuffix(".service") for call in calls if call.startswith("restart ")]

    def tool(self, name: str, content: str) -> None:
        """Put a program first on the PATH."""
        (self.folder / "tools" / name).write_text(content)
        (self.folder / "tools" / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Return a machine on which nothing is installed."""
    for name in ("tools", "units", "etc", "opt", "bin", "lib"):
        (tmp_path / name).mkdir()
    (tmp_path / "calls").touch()
    machine = Machine(tmp_path)
    machine.tool("systemctl", _FAKE_SYSTEMCTL)
    yield machine
    machine.stop()


_AGAIN = 'release="{}"; switch_program; start_service; remove_old_releases'


@pytest.mark.parametrize("state", ["active", "activating", "reloading"])
def test_a_service_of_an_older_release_is_restarted_by_a_later_run(machine: Machine, state: str) -> None:
    """A run that switched the program and restarted nothing is made up for; what still uses a release keeps it."""
    old = machine.release("1")
    machine.switch(old)
    machine.unit("ocrwatch", state, machine.start())
    machine.unit("ocrwatch@other", "inactive", 0)
    new = machine.release("2")
    machine.switch(new)
    machine.unit("ocrwatch@bills", state, machine.start())
    done = machine.run(_AGAIN.format(new))
    assert done.returncode == 0, done.stderr
    assert "installed already" in done.stdout
    assert machine.restarted() == ["ocrwatch"]
    # The false systemctl has left the old process.
    assert old.exists()
    machine.stop()
    for unit in ("ocrwatch", "ocrwatch@bills"):
        machine.unit(unit, "active", machine.start())
    done = machine.run(_AGAIN.format(new))
    assert (done.returncode, machine.restarted()) == (0, ["ocrwatch"]), done.stderr
    assert (old.exists(), new.exists()) == (False, True)


def test_a_release_is_known_by_its_libraries_too(machine: Machine) -> None:
    """A service that is started by another command line is recognised by the files it has loaded."""
    release = machine.release("1")
    machine.switch(release)
    machine.unit("ocrwatch", "active", machine.start(sys.executable, str(machine.program / "current/bin/ocrwatch")))
    done = machine.run(_AGAIN.format(release))
    assert (done.returncode, machine.restarted()) == (0, []), done.stderr
    new = machine.release("2")
    done = machine.run(_AGAIN.format(new))
    assert (done.returncode, machine.restarted()) == (0, ["ocrwatch"]), done.stderr
    assert release.exists()


def test_a_service_that_waits_for_its_next_start_is_left_to_it(machine: Machine) -> None:
    """Without a process there is nothing to restart: systemd starts the current release next."""
    release = machine.release("1")
    machine.unit("ocrwatch@bills", "activating", 0)
    machine.unit("ocrwatch", "active", 0)
    done = machine.run(_AGAIN.format(release))
    assert (done.returncode, machine.restarted()) == (0, []), done.stderr


def test_units_that_an_earlier_run_wrote_are_put_to_use(machine: Machine) -> None:
    """A run that wrote units and ended before the restart leaves the restart to the next run, once."""
    release = machine.release("1")
    machine.switch(release)
    machine.unit("ocrwatch", "active", machine.start())
    source, target = machine.folder / "new.service", machine.folder / "lib" / "ocrwatch.service"
    source.write_text("[Service]\n")
    machine.run(f'put_unit "{source}" "{target}"')
    assert target.read_text() == "[Service]\n"
    for _ in range(2):
        done = machine.run(_AGAIN.format(release))
        assert (done.returncode, machine.restarted()) == (0, ["ocrwatch"]), done.stderr


def test_doctor_looks_at_the_instance_that_failed(machine: Machine) -> None:
    """If another instance does not start again, its settings are examined, not those of the instance installed."""
    machine.switch(machine.release("1"))
    for unit in ("ocrwatch@bills", "ocrwatch"):
        machine.unit(unit, "active", machine.start())
    machine.tool("journalctl", "#!/bin/sh\n")
    machine.tool("runuser", '#!/bin/sh\necho "$*" >&2\n')
    new = machine.release("2")
    script = f"config={machine.folder}/etc/ocrwatch.toml; {_AGAIN.format(new)}"
    for unit, name in (("ocrwatch@bills", "bills"), ("ocrwatch", "ocrwatch")):
        done = machine.run(script, FAILS=f"{unit}.service")
        assert done.returncode == 3
        assert f"doctor --config {machine.folder}/etc/{name}.toml\n" in done.stderr


_OURS = "# The share of ocrwatch.\n[global]\ninclude = /etc/samba/ocrwatch.conf\n"
_BEFORE = "[global]\n   workgroup = OFFICE\n\n[homes]\n   browseable = no\n"
_AFTER = "\n[archive]\n   path = /srv/archive\n"


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (_OURS, ""),
        (_OURS.replace("include", "# include"), "[global]\n# include = /etc/samba/ocrwatch.conf\n"),
        (_OURS.replace("include", "   include"), "[global]\n   include = /etc/samba/ocrwatch.conf\n"),
        (_OURS.replace("include", "   map to guest = never\ninclude"), "[global]\n   map to guest = never\n"),
        (_OURS + "   map to guest = never\n", "[global]\n   map to guest = never\n"),
        (_OURS.partition("[")[0], ""),
        (
            _OURS + "[global]\ninclude = /etc/samba/more-ocrwatch.conf\n",
            "[global]\ninclude = /etc/samba/more-ocrwatch.conf\n",
        ),
    ],
)
@pytest.mark.parametrize("before", [_BEFORE, ""])
@pytest.mark.parametrize("after", [_AFTER, ""])
def test_only_the_lines_of_the_installer_leave_the_settings_of_samba(
    machine: Machine, before: str, written: str, left: str, after: str
) -> None:
    """What an admin wrote stays, also if they changed the lines of the share; a link stays a link."""
    file = machine.folder / "elsewhere"
    file.write_text(before + written + after)
    link = machine.folder / "smb.conf"
    link.symlink_to(file)
    done = machine.run("exclude_samba")
    assert done.returncode == 0, done.stderr
    assert (file.read_text(), link.is_symlink()) == (before + left + after, True)
    assert ("take the line" in done.stdout) == ("   include" in left)
