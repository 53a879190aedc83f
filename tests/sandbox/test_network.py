import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from standins.sandboxes import own_addresses, sandbox_of

from vdo.sandbox import interpreter
from vdo.sandbox.contract import Access
from vdo.sandbox.network import _PRIVATE, Network, _addresses, _find, _works

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="network namespaces are Linux's")


@pytest.mark.parametrize("kind", ["pasta", "slirp4netns"])
def test_a_network_of_its_own_reaches_neither_this_machine_nor_private_addresses(folder, kind, monkeypatch):
    network = Network(kind, f"by {kind}", (*_PRIVATE, *_addresses()))
    if not _works(network):
        pytest.skip(f"{kind} does not work here")
    monkeypatch.setattr(Network, "find", classmethod(lambda cls: network))
    (folder / "reach.py").write_text(
        "import socket, sys\n"
        "for address in sys.argv[1:]:\n"
        "    host, port = address.split(':')\n"
        "    try:\n        socket.create_connection((host, int(port)), 3)\n"
        "    except OSError as error: print('refused', error)\n"
        "    else: print('reached', address)\n"
    )
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        hosts = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", *own_addresses()]
        addresses = [f"{host}:{port}" for host in hosts]
        done = sandbox_of("bubblewrap").run(
            f"{interpreter.python()} -I -S reach.py {' '.join(addresses)}; cat /etc/resolv.conf",
            folder,
            access=Access(read_only=interpreter.bare().read_only, network=True),
        )

    # Refused at once, with an error's number, rather than lost.
    assert "reached" not in done.output and done.output.count("refused [") == len(hosts), done.output


def test_one_of_them_works_where_checks_are_run_for_everybody():
    network = Network.find()
    if network.kind == "host" and not os.environ.get("CI"):
        pytest.skip(network.note)

    assert network.kind in ("pasta", "slirp4netns")
    assert network.kind in network.note


def test_a_device_that_may_not_be_opened_is_not_waited_for(monkeypatch, tmp_path):
    monkeypatch.setattr("vdo.sandbox.network._TUN", tmp_path / "tun")

    found = _find.__wrapped__()

    assert found.kind == "host" and f"{tmp_path}/tun cannot be opened" in found.note


def test_one_that_does_not_work_leaves_nothing_behind(monkeypatch):
    """pasta leaves its child waiting where it cannot make the network."""
    with tempfile.TemporaryDirectory() as programs:  # all folders above it are open to nobody
        os.chmod(programs, 0o755)
        pasta = Path(programs, "pasta")
        pasta.write_text("#!/bin/sh\nsleep 71.375 &\nexit 1\n")
        pasta.chmod(0o755)
        monkeypatch.setattr("vdo.sandbox.network._SBIN", f"{programs}:/usr/bin:/bin:/usr/sbin:/sbin")

        began = time.monotonic()
        assert not _works(Network("pasta", "", ("10.0.0.0/8",)))

    assert time.monotonic() - began < 5
    assert "71.375" not in subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout


def test_the_exit_code_of_a_command_with_a_network_comes_back(folder):
    done = sandbox_of("bubblewrap").run("cat; echo here; exit 7", folder, access=Access(network=True))

    assert (done.exit_code, done.output) == (7, "here\n")


def test_the_network_ends_with_the_command(folder):
    before = programs()

    sandbox_of("bubblewrap").run("sleep 0.1", folder, access=Access(network=True))

    # Tests beside this one have networks, too, for a moment.
    deadline = time.monotonic() + 30
    while programs() > before:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def programs() -> int:
    """How many of the programs that make networks run here."""
    names = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as file:
                names.append(file.read().strip())
        except OSError:
            continue
    return sum(name in ("pasta", "pasta.avx2", "slirp4netns") for name in names)
