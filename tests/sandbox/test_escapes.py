"""What a hostile command tries, each tried for real: every one of these has to be refused."""

import ctypes
import dataclasses
import os
import platform
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from standins import rights
from standins.sandboxes import SMALL, own_addresses, sandbox_of

from vdo.sandbox import interpreter
from vdo.sandbox.contract import MIB, NOBODY, Access

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="these sandboxes are Linux's")


@pytest.fixture
def outside(folder) -> Path:
    """Another job's folder, readable and writable for everybody as far as modes go."""
    other = folder.parent / "other"
    other.mkdir()
    other.chmod(0o777)
    (other / "secret").write_text("a secret of somebody else")
    return other


@pytest.fixture
def bystander():
    """A process of the host's, of the same user as the commands."""
    them = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    process = subprocess.Popen(["sleep", "300"], **them)
    yield process
    process.kill()
    process.wait()


def running(argument: str) -> list[str]:
    """The host's processes with `argument` in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_the_passwords_cannot_be_read(sh):
    done = sh("cat /etc/shadow; cat /proc/1/root/etc/shadow; cat /proc/self/root/etc/shadow")

    assert done.exit_code != 0 and "root:" not in done.output


def test_the_home_cannot_be_read(sh, outside):
    done = sh(f"echo $HOME; ls -a {Path.home()}; cat {outside}/secret; cat ~/.bashrc")

    assert str(Path.home()) != done.output.splitlines()[0]
    assert done.exit_code != 0 and "a secret" not in done.output and ".profile" not in done.output


@pytest.mark.parametrize("way", ["cat {0}/secret", "cat ../other/secret", "ln -s {0}/secret s; cat s", "ls {0}"])
def test_another_jobs_folder_cannot_be_read(sh, outside, way):
    done = sh(way.format(outside))

    assert done.exit_code != 0 and "a secret" not in done.output and "secret\n" not in done.output


def test_nothing_outside_can_be_written(sh, outside):
    targets = [
        outside / "new",
        outside / "secret",
        Path("/vdo-escape"),
        Path("/usr/vdo-escape"),
        Path("/etc/vdo-escape"),
    ]
    done = sh("".join(f"echo x > {target} && echo WROTE;" for target in targets) + f"rm -rf {outside}; mv . {outside}/")

    assert "WROTE" not in done.output
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "a secret of somebody else"
    assert not any(target.exists() for target in targets[2:])


def test_the_environment_does_not_come_along(sh, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-very-secret")
    monkeypatch.setenv("GIT_DIR", "/somewhere")

    done = sh("env; cat /proc/*/environ /proc/*/cmdline", env={"GIVEN": "yes"})

    assert "very-secret" not in done.output and "GIT_DIR" not in done.output
    assert "GIVEN=yes" in done.output and "LANG=C.UTF-8" in done.output and "CI=1" in done.output


@pytest.mark.parametrize("network", [False, True])
def test_the_keys_of_the_session_cannot_be_read(python, network):
    libc = ctypes.CDLL(None, use_errno=True)
    add_key, keyctl = KEY_CALLS.get(platform.machine()) or pytest.skip("no numbers of these calls")
    assert libc.syscall(keyctl, 1, None) > 0, "no session of its own"
    assert libc.syscall(add_key, b"user", b"vdo-test", b"a secret", 8, -3) > 0

    done = python(
        "import ctypes, sys\n"
        "libc, keyctl, found = ctypes.CDLL(None), int(sys.argv[1]), ctypes.create_string_buffer(9)\n"
        "key = libc.syscall(keyctl, 10, -3, b'user', b'vdo-test', 0)\n"
        "print(libc.syscall(keyctl, 11, key, found, 9), found.value)",
        keyctl,
        access=dataclasses.replace(interpreter.bare(), network=network),
    )

    assert done.output == "-1 b''\n"


def test_programs_of_32_bits_run_under_the_same_rules(folder):
    """Such as `gcc -m32` makes: one takes its number, one asks for keys, two for shared memory, large and small."""
    if platform.machine() != "x86_64":
        pytest.skip("these programs are for another processor")
    calls = {
        "number": (20,),
        "key": (288, 0, -3),
        "large": (117, 23, 0, 100 << 20, 0o1600),
        "small": (395, 0, 56, 0o1600),
    }
    for name, call in calls.items():
        (folder / name).write_bytes(program_of_32_bits(*call))
        (folder / name).chmod(0o755)
    if subprocess.run([folder / "number"], check=False).returncode < 0:
        pytest.skip("this kernel runs no programs of 32 bits")

    done = sandbox_of("bubblewrap").run("./number; ./key; echo $?; ./large; echo $?; ./small; echo $?", folder)

    assert done.output == "1\n1\n0\n"


def program_of_32_bits(number: int, *arguments: int) -> bytes:
    """An ELF file that makes one system call and ends with the error that comes of it: 1 is EPERM."""
    registers = (0xBB, 0xB9, 0xBA, 0xBE)  # mov into ebx, ecx, edx, esi
    code = b"".join(struct.pack("<Bi", *pair) for pair in zip(registers, arguments, strict=False))
    code += struct.pack("<Bi", 0xB8, number) + b"\xcd\x80"  # mov eax; int 0x80
    code += b"\xf7\xd8\x89\xc3" + struct.pack("<Bi", 0xB8, 1) + b"\xcd\x80"  # exit(-eax)
    base, size = 0x08048000, 84 + len(code)
    header = struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return b"\x7fELF\1\1\1".ljust(16, b"\0") + header + struct.pack("<8I", 1, 0, base, base, size, size, 5, 4096) + code


def test_no_tcp_to_the_host(python):
    addresses = ["127.0.0.1", *own_addresses()]
    for address in addresses:
        with socket.create_server((address, 0)) as server:
            server.settimeout(0.2)
            done = python(CONNECT, "SOCK_STREAM", address, server.getsockname()[1])
            assert done.output.startswith("refused"), f"{address}: {done.output}"
            with pytest.raises(TimeoutError):
                server.accept()


def test_no_udp_to_the_host(python):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", 0))
        server.settimeout(0.2)
        for address in ["127.0.0.1", *own_addresses()]:
            python(CONNECT, "SOCK_DGRAM", address, server.getsockname()[1])
        with pytest.raises(TimeoutError):
            server.recv(10)


@pytest.mark.parametrize("abstract", [False, True])
def test_no_unix_socket_of_the_host(python, outside, abstract):
    name = f"\0{uuid.uuid4().hex}" if abstract else f"{outside}/socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        server.settimeout(0.2)
        if not abstract:
            os.chmod(name, 0o777)

        done = python(
            "import socket, sys\n"
            "try:\n    socket.socket(socket.AF_UNIX).connect(sys.argv[1].replace('@', chr(0)))\n"
            "except OSError as error: print('refused', error)",
            name.replace("\0", "@"),
        )

        assert done.output.startswith("refused"), done.output
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_RAW"])
def test_no_unix_datagram_reaches_the_host(python, outside, kind):
    """One of a pair needs no `socket` and can send to everybody: to the system's log, to its first process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"{outside}/socket")
        os.chmod(f"{outside}/socket", 0o777)
        server.settimeout(0.2)

        done = python(
            "import socket, sys\n"
            "kind, target = getattr(socket, sys.argv[1]), sys.argv[2]\n"
            "for send in (lambda it: it.sendto(b'x', target), lambda it: it.connect(target) or it.send(b'x')):\n"
            "    try:\n        send(socket.socketpair(socket.AF_UNIX, kind)[0])\n"
            "    except OSError as error: print('refused', error)",
            kind,
            f"{outside}/socket",
        )

        assert done.output.count("refused") == 2, done.output
        with pytest.raises(TimeoutError):
            server.recv(10)


def test_pairs_of_sockets_work(python):
    done = python("import socket; a, b = socket.socketpair(); a.send(b'x'); print(b.recv(9))")

    assert done.output == "b'x'\n"


KEY_CALLS = {"x86_64": (248, 250), "aarch64": (217, 219)}
CONNECT = """
import socket, sys
try:
    it = socket.socket(socket.AF_INET, getattr(socket, sys.argv[1]))
    it.settimeout(2)
    it.connect((sys.argv[2], int(sys.argv[3])))
    it.send(b"hello")
    print("sent")
except OSError as error:
    print("refused", error)
"""


def test_host_processes_are_neither_seen_nor_signalled(sh, bystander):
    done = sh(f"cat /proc/{bystander.pid}/cmdline; kill -9 {bystander.pid}; kill -9 -1; cat /proc/[0-9]*/cmdline")

    assert "sleep\x00300" not in done.output
    assert bystander.poll() is None


def test_host_processes_cannot_be_traced(python, bystander):
    done = python(
        "import ctypes, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print('attached' if libc.ptrace(16, int(sys.argv[1]), 0, 0) == 0 else 'refused')",
        bystander.pid,
    )

    assert done.output == "refused\n"


def test_the_limits_of_host_processes_cannot_be_changed(python, bystander):
    limits = Path(f"/proc/{bystander.pid}/limits")
    before = limits.read_text()

    python("import resource, sys; resource.prlimit(int(sys.argv[1]), resource.RLIMIT_CPU, (0, 0))", bystander.pid)
    done = python("import resource; resource.setrlimit(resource.RLIMIT_CPU, (20, 20)); print('its own')")

    assert limits.read_text() == before
    assert done.output == "its own\n"


def test_shared_memory_of_the_host_cannot_be_read_and_none_stays(python):
    libc = ctypes.CDLL(None, use_errno=True)
    key = 0x76646F00 | os.getpid() & 0xFF
    segment = libc.shmget(key, 4096, 0o1666)
    try:
        done = python(
            "import ctypes, sys\nlibc = ctypes.CDLL(None)\nkey = int(sys.argv[1])\n"
            "libc.shmget(key + 0x100, 4096, 0o1666)\n"
            "print('found' if libc.shmget(key, 4096, 0o666) >= 0 else 'refused')",
            key,
        )
        assert segment >= 0 and done.output == "refused\n"
        assert libc.shmget(key + 0x100, 4096, 0o666) == -1
    finally:
        libc.shmctl(segment, 0, None)  # IPC_RMID


def test_a_fork_bomb_stays_small(python):
    done = python(
        "import os, time\n"
        "count = 0\n"
        "try:\n"
        "    while count < 500:\n"
        "        if not os.fork():\n"
        "            time.sleep(60)\n"
        "        count += 1\n"
        "except BlockingIOError:\n"
        "    print(count, flush=True)\n"
        "    os._exit(7)"
    )

    # Without a namespace of its own, the count starts at what else its user runs just then.
    assert done.exit_code == 7 and int(done.output) < 3 * SMALL.processes


def test_a_fork_bomb_leaves_nothing_behind(sandbox, folder):
    tag = f"{time.time():.6f}"
    done = sandbox.run(
        f"bomb() {{ sleep 7{tag} & bomb & bomb & }}; bomb; sleep 60",
        folder,
        limits=dataclasses.replace(SMALL, seconds=1.5),
    )

    assert not done.ok
    assert running(f"7{tag}") == []


def test_another_sandbox_starts_beside_a_fork_bomb(sandbox, folder, outside):
    bomb = "import os, time\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        time.sleep(0.05)"
    (folder / "bomb.py").write_text(bomb)
    run = threading.Thread(
        target=lambda: sandbox.run(
            f"{interpreter.python()} bomb.py",
            folder,
            limits=dataclasses.replace(SMALL, seconds=3),
            access=interpreter.bare(),
        )
    )
    run.start()
    time.sleep(1)

    done = sandbox.run("for i in 1 2 3 4 5; do sh -c 'echo fine' & done; wait", outside, limits=SMALL)

    assert done.ok and done.output == "fine\n" * 5
    run.join()


def test_one_process_cannot_fill_the_memory(python):
    done = python(f"bytearray({SMALL.memory + MIB})")

    assert "MemoryError" in done.output


@pytest.mark.parametrize(
    "taking",
    [
        "import os\nfor _ in range(8): os.fork() or (bytearray(b'x' * (50 << 20)), __import__('time').sleep(30))",
        "import mmap\nkeep = mmap.mmap(-1, 500 << 20)\nfor at in range(0, 500 << 20, 4096): keep[at] = 1",
        "import os\nfor n in range(20): os.write(os.memfd_create(str(n)), bytes(30 << 20))",
    ],
    ids=["many-processes", "shared-memory", "files-in-memory"],
)
def test_many_cannot_fill_the_memory_together(python, taking):
    done = python(f"{taking}\nimport time; time.sleep(30)")

    assert done.exit_code is None and "256 MiB of memory" in done.stopped


def test_shared_memory_that_is_no_processs_cannot_fill_the_memory(python):
    done = python(
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "print('made' if libc.shmget(0, 100 << 20, 0o1600) >= 0 else 'refused')"
    )

    assert done.output == "refused\n"


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm", "/var/tmp", "/run", "/dev", "/"])
def test_no_other_place_can_be_filled(sh, place):
    limits = dataclasses.replace(SMALL, scratch=8 * MIB)

    done = sh(f"head -c 20000000 /dev/zero > {place}/big && echo FILLED", limits=limits)

    assert "FILLED" not in done.output
    assert not Path(place, "big").exists()


def test_a_file_has_a_largest_size(sh, folder):
    done = sh("head -c 100000000 /dev/zero > big")

    assert not done.ok
    assert (folder / "big").stat().st_size <= SMALL.file_size


@pytest.mark.parametrize(
    "writing",
    [
        "open(str(n), 'wb').write(bytes(10 << 20))",
        "keep = open('x', 'wb'); os.unlink('x'); keep.write(bytes(10 << 20)); keep.flush(); all_of_them.append(keep)",
        "os.mkdir('d' * 200); os.chdir('d' * 200); open('x', 'wb').write(bytes(10 << 20))",
    ],
    ids=["many-files", "files-without-names", "out-of-reach"],
)
def test_many_files_cannot_fill_the_disk(python, writing):
    code = (
        "import os, time\nall_of_them = []\nfor n in range(60):\n    "
        + writing
        + "\n    time.sleep(0.05)\ntime.sleep(30)"
    )

    done = python(code)

    assert done.exit_code is None and done.stopped


def test_files_that_no_measure_finds_cannot_fill_the_disk(sandbox, folder):
    with rights.small_disk(folder, "64m"):
        (folder / "job").mkdir()
        (folder / "job/fill.py").write_text(
            "import array, os, socket, time\n"
            "one, _other = socket.socketpair()\n"
            "for n in range(30):\n"
            "    file = open('x', 'wb')\n"
            "    os.posix_fallocate(file.fileno(), 0, 2 << 20)\n"
            "    fds = array.array('i', [file.fileno()])\n"
            "    one.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])\n"
            "    os.unlink('x')\n    file.close()\n    time.sleep(0.05)\n"
            "print('FILLED', flush=True)\ntime.sleep(30)"
        )
        done = sandbox.run(f"{interpreter.python()} fill.py", folder / "job", access=interpreter.bare())

    assert "FILLED" not in done.output and done.stopped == "hardly any space was left on its disk"


def test_a_folder_that_is_closed_hides_nothing_from_the_limit(tmp_path):
    with rights.small_disk(tmp_path / "disk", "64m") as disk:
        done = rights.python(
            "import dataclasses, os, sys\nfrom pathlib import Path\n"
            "from standins.sandboxes import SMALL\nfrom vdo.sandbox.watch import Watch\n"
            "folder = Path(sys.argv[1])\n"
            "watch = Watch(dataclasses.replace(SMALL, disk=8 << 20), [folder])\nwatch.started(os.getpid())\n"
            "(folder / 'closed').mkdir()\n(folder / 'closed').chmod(0o300)\n"
            "watch.check()\nprint('nothing in it')\n"
            "(folder / 'closed/big').write_bytes(bytes(20 << 20))\n"
            "watch._next_measure = 0.0\nwatch.check()",
            disk,
        )

    assert done.stdout == "nothing in it\n"
    assert "its files take more than 8 MiB" in done.stderr


def test_a_gigabyte_of_output_is_cut(sh):
    done = sh("head -c 1000000000 /dev/zero")

    assert done.ok and len(done.output) < 2 * MIB and "bytes left out" in done.output


def test_endless_output_is_ended(sh):
    done = sh("yes", limits=dataclasses.replace(SMALL, output=50 * MIB))

    assert done.exit_code is None and done.stopped == "it printed more than 50 MiB"


@pytest.mark.parametrize(
    "leaving",
    [
        "setsid sleep {0} &",
        "env -i setsid -f sleep {0}",
        "(trap '' TERM HUP; setsid sh -c 'trap \"\" TERM HUP; sleep {0}' &) &",
        "nohup sleep {0} >/dev/null 2>&1 &",
    ],
)
@pytest.mark.parametrize("ending", ["exit 0", "sleep 60"], ids=["ends", "is-ended"])
def test_nothing_survives(sh, leaving, ending):
    argument = f"3{time.time():.6f}"

    sh(f"{leaving.format(argument)}\nsleep 0.1; {ending}", limits=dataclasses.replace(SMALL, seconds=1.0))

    assert running(argument) == []


def test_nothing_survives_a_request_to_stop(sh):
    argument = f"4{time.time():.6f}"

    class Stop(Exception):
        pass

    def check_stop() -> None:
        if running(argument):
            raise Stop

    with pytest.raises(Stop):
        sh(f"env -i setsid -f sleep {argument}; sleep 60", check_stop=check_stop)
    assert running(argument) == []


@pytest.mark.parametrize("network", [False, True])
def test_nothing_survives_when_vdo_is_killed(sandbox, folder, network):
    argument = f"5{time.time():.6f}"
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from vdo.sandbox.choice import choose\nfrom vdo.sandbox.contract import Access\n"
        "sandbox = choose(without=frozenset(['bubblewrap', 'landlock']) - {sys.argv[1]})\n"
        "command = 'env -i PATH=$PATH setsid sleep {0} & sleep {0}'.format(sys.argv[3])\n"
        "sandbox.run(command, Path(sys.argv[2]), access=Access(network=sys.argv[4] == 'True'))"
    )
    line = [sys.executable, "-c", code, sandbox.name, str(folder), argument, str(network)]
    with subprocess.Popen(line) as vdo:
        wait_for(lambda: len(running(argument)) > 1 + 1)  # vdo's own command line has it, too
        vdo.kill()

    wait_for(lambda: not running(argument))


def wait_for(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    "command",
    [
        "mount -t tmpfs none /project",
        "mount --bind /usr .",
        "mount -o remount,rw /usr",
        "umount /usr",
        "unshare --user --map-root-user true",
        "unshare --mount true",
        "mknod device b 254 0",
        "chroot . true",
        "nsenter --target 1 --mount true",
        "echo 1 > /proc/sys/kernel/core_pattern",
        "echo b > /proc/sysrq-trigger",
    ],
)
def test_no_power_over_the_machine(sh, command):
    assert not sh(command).ok


@pytest.mark.parametrize("target", ["/usr/bin/env", "/etc/passwd"])
def test_no_hard_link_to_what_is_outside(sh, folder, target):
    done = sh(f"ln {target} link")

    assert not done.ok and not (folder / "link").exists()


def test_no_hard_link_to_what_may_only_be_read(sandbox, folder, outside):
    done = sandbox.run(f"cat {outside}/secret; ln {outside}/secret link", folder, access=Access(read_only=(outside,)))

    assert "a secret" in done.output and not done.ok and not (folder / "link").exists()


def test_what_may_only_be_read_cannot_be_written(sandbox, folder, outside):
    command = f"echo x > {outside}/secret || rm {outside}/secret || touch {outside}/new"

    assert not sandbox.run(command, folder, access=Access(read_only=(outside,))).ok
    assert (outside / "secret").read_text() == "a secret of somebody else"


def test_links_that_a_command_leaves_are_never_followed(sandbox, folder, outside):
    """The next command's folder belongs to who runs it, and that changes nothing behind a link."""
    owner = (outside / "secret").stat().st_uid
    first = sandbox.run(f"ln -s {outside} folder; ln -s {outside}/secret file; ln -s / root", folder, limits=SMALL)

    second = sandbox.run("cat file folder/secret; echo x > file", folder, limits=SMALL)

    assert first.ok and not second.ok and "a secret" not in second.output
    assert (outside / "secret").stat().st_uid == owner
    assert (outside / "secret").read_text() == "a secret of somebody else"
    assert second.stopped == ""
