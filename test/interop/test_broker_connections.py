# SPDX-License-Identifier: Apache-2.0
"""How `gofer broker` takes connections: passwords, TLS, silence, nonsense, and its own end."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from proton import ConnectionException, SSLDomain
from proton.utils import BlockingConnection

from broker_peer import Frames, bodies, connect, encoded, relay, send
from peers import SLOW, free_port, gofer, wait_for


pytestmark = pytest.mark.filterwarnings("ignore:'crypt' is deprecated")


@pytest.fixture
def users(tmp_path):
    path = tmp_path / "users"
    path.write_text("# who may\nann:secret\nbob:p:w d\n")
    path.chmod(0o600)
    return str(path)


def login(broker, user, password, mechanisms="PLAIN"):
    c = BlockingConnection(f"amqp://127.0.0.1:{broker.port}", user=user, password=password,
                           timeout=10 * SLOW, allowed_mechs=mechanisms)
    send(c, "q", "x")
    assert bodies(c.create_receiver("q"), 1) == ["x"]
    c.close()


def refused(broker, *args):
    with pytest.raises(ConnectionException):
        login(broker, *args)


# --- passwords ---


def test_passwords(start, users):
    broker = start.broker("--users", users)
    login(broker, "ann", "secret")
    login(broker, "bob", "p:w d")
    refused(broker, "ann", "wrong")
    refused(broker, "ann", "")
    refused(broker, "eve", "secret")
    refused(broker, None, None, "ANONYMOUS")
    login(broker, "ann", "secret")
    log = broker.process.output()
    assert "user eve: wrong name or password" in log
    assert "secret" not in log and "p:w d" not in log


def test_hashed_passwords(start, tmp_path):
    import crypt
    path = tmp_path / "users"
    path.write_text(f"ann:{crypt.crypt('secret', crypt.METHOD_SHA512)}\n")
    path.chmod(0o640)
    broker = start.broker("--users", str(path))
    login(broker, "ann", "secret")
    refused(broker, "ann", "Secret")


def test_many_logins_at_once(start, tmp_path):
    import crypt
    path = tmp_path / "users"
    salt = crypt.mksalt(crypt.METHOD_SHA512, rounds=50000)
    path.write_text(f"ann:{crypt.crypt('secret', salt)}\n")
    path.chmod(0o640)
    broker = start.broker("--users", str(path))
    failures = []

    def one():
        try:
            login(broker, "ann", "secret")
        except Exception as e:
            failures.append(e)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_anonymous_beside_passwords(start, users):
    broker = start.broker("--users", users, "--allow-anonymous")
    login(broker, "ann", "secret")
    login(broker, None, None, "ANONYMOUS")
    refused(broker, "ann", "wrong")


def test_no_sasl_at_all(start, users):
    for options, taken in (((), True), (("--users", users), False)):
        broker = start.broker(*options)
        frames = Frames(broker.port)
        frames.send(b"AMQP\0\1\0\0")
        frames.frame(0x10, "bare")
        answer = frames.read(b"product")
        assert (b"product" in answer) == taken
        frames.close()


# --- TLS ---


@pytest.fixture
def certificate(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, capture_output=True)
    return cert, key


def start_tls(start, certificate, *more):
    port = free_port()
    p = start.process("broker", "-l", f"amqps://127.0.0.1:{port}", "--cert", certificate[0],
                      "--key", certificate[1], *more)
    wait_for(lambda: "listening" in p.output() or not p.alive(), "the broker to listen")
    assert f"listening on amqps://127.0.0.1:{port}" in p.output()
    return port


def tls_connection(port, cert, **options):
    domain = SSLDomain(SSLDomain.MODE_CLIENT)
    domain.set_trusted_ca_db(cert)
    domain.set_peer_authentication(SSLDomain.VERIFY_PEER)
    return BlockingConnection(f"amqps://127.0.0.1:{port}", ssl_domain=domain, timeout=10 * SLOW,
                              **options)


def test_tls(start, certificate, users):
    port = start_tls(start, certificate, "--users", users)
    c = tls_connection(port, certificate[0], user="ann", password="secret", allowed_mechs="PLAIN")
    send(c, "q", "x" * 100000)
    assert bodies(c.create_receiver("q"), 1) == ["x" * 100000]
    c.close()


def test_no_tls_where_it_is_wanted(start, certificate):
    port = start_tls(start, certificate)
    with pytest.raises(ConnectionException):
        BlockingConnection(f"amqp://127.0.0.1:{port}", timeout=5 * SLOW)
    tls_connection(port, certificate[0]).close()


# --- silence ---


def test_a_silent_client_is_let_go(start):
    broker = start.broker("--idle-timeout", "1")
    frames = Frames(broker.port)
    begin = time.monotonic()
    frames.open()
    assert b"resource-limit-exceeded" in frames.read() or b"timeout" in frames.read()
    assert 0.7 < time.monotonic() - begin < 4 * SLOW
    frames.close()


def test_a_quiet_client_that_beats_stays(start):
    broker = start.broker("--idle-timeout", "1")
    connection = connect(broker)
    receiver = connection.create_receiver("q", credit=1)
    other = connect(broker)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        connection.container.do_work(0.1)
        other.container.do_work(0.1)
    send(other, "q", "x")
    assert bodies(receiver, 1) == ["x"]


def test_silence_from_the_start(broker):
    """Ten seconds to say what it wants."""
    silent = [socket.create_connection(("127.0.0.1", broker.port)) for _ in range(3)]
    silent[1].sendall(b"AMQP\3\1\0\0")
    silent[2].sendall(b"AM")
    begin = time.monotonic()
    for s in silent:
        s.settimeout(20 * SLOW)
        while s.recv(4096):
            pass
    assert 8 < time.monotonic() - begin < 15 * SLOW
    connect(broker).close()


# --- nonsense ---


@pytest.mark.parametrize("bytes_", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100, b"AMQP\0\0\x09\1",
    b"AMQP\3\1\0\0" + b"\xff" * 64,
    b"AMQP\0\1\0\0\xff\xff\xff\xff\2\0\0\0", b"\x16\3\1\2\0\1\0\1\xfc\3\3"])
def test_garbage_closes_its_connection_only(broker, bytes_):
    well = connect(broker)
    frames = Frames(broker.port)
    frames.send(bytes_)
    frames.read()
    frames.close()
    send(well, "q", "x")
    well.close()


def test_half_a_frame_and_away(broker):
    for cut in (1, 9, 30, 50):
        frames = Frames(broker.port)
        frames.send((b"AMQP\0\1\0\0" + b"\0\0\0\x11\2\0\0\0\0S\x10\xc0\4\1\xa1\1x" +
                     b"\0\0\0\x14\2\0\0\0\0S\x11\xc0\7\4@CCC@@@")[:cut])
        frames.close()
    connect(broker).close()


def test_more_messages_than_credit(start):
    broker = start.broker("--queue-messages", "2")
    frames = Frames(broker.port)
    frames.open()
    frames.attach_sender("greedy", "q")
    frames.read(b"greedy")
    for i in range(6):
        frames.transfer(i, encoded(i))
    assert b"amqp:link:transfer-limit-exceeded" in frames.read(b"transfer-limit-exceeded")
    connection = connect(broker)
    assert relay(connection)("q", "one too many") == "released"
    assert bodies(connection.create_receiver("q", credit=10), 2) == [0, 1]
    frames.close()


def test_a_message_that_never_ends(start):
    broker = start.broker("--message-bytes", "100000")
    frames = Frames(broker.port)
    frames.open()
    frames.attach_sender("endless", "q")
    frames.read(b"endless")
    for i in range(4):
        frames.transfer(0, b"x" * 30000, more=True)
    assert b"amqp:link:message-size-exceeded" in frames.read(b"message-size-exceeded")
    frames.close()
    connect(broker).close()


def test_what_is_no_message(broker):
    frames = Frames(broker.port)
    frames.open()
    frames.attach_sender("wrong", "q")
    frames.read(b"wrong")
    frames.transfer(0, b"\0\x53\x70nonsense")
    assert b"amqp:decode-error" in frames.read(b"decode-error")
    frames.close()


def test_only_so_many_connections(start):
    broker = start.broker("--connections", "2")
    a, b = connect(broker), connect(broker)
    with pytest.raises(ConnectionException):
        connect(broker, limit=2)
    b.close()
    wait_for(lambda: can_connect(broker), "a place that became free")
    a.close()


def can_connect(broker):
    try:
        connect(broker, limit=2).close()
        return True
    except ConnectionException:
        return False


# --- life ---


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it(start, signum):
    broker = start.broker()
    connection = connect(broker)
    broker.process.child.send_signal(signum)
    with pytest.raises(ConnectionException) as e:
        connection.wait(lambda: False, timeout=5 * SLOW)
    assert "amqp:connection:forced" in str(e.value)
    assert broker.process.child.wait(5 * SLOW) == 0


def test_a_client_that_does_not_listen_does_not_hold_it_up(start):
    broker = start.broker()
    frames = Frames(broker.port)
    frames.open()
    frames.read(b"product")
    begin = time.monotonic()
    assert broker.process.stop() == 0
    assert time.monotonic() - begin < 4 * SLOW
    frames.close()


def test_any_free_port(start):
    p = start.process("broker", "-l", "amqp://127.0.0.1:0", "-l", "amqp://localhost:0")
    wait_for(lambda: p.output().count("listening") == 2 or not p.alive(), "two ports")
    for line in p.output().splitlines():
        port = line.rsplit(":", 1)[1]
        BlockingConnection(f"amqp://127.0.0.1:{port}", timeout=5 * SLOW).close()


def test_ipv6(start):
    port = free_port()
    p = start.process("broker", "-l", f"amqp://[::1]:{port}")
    wait_for(lambda: "listening" in p.output() or not p.alive(), "the broker to listen")
    if not p.alive():
        pytest.skip("no IPv6 here")
    assert f"listening on amqp://[::1]:{port}" in p.output()
    BlockingConnection(f"amqp://[::1]:{port}", timeout=5 * SLOW).close()


def test_not_to_everybody_without_protection(users):
    for host in ("0.0.0.0", "[::]"):
        p = gofer("broker", "-l", f"amqp://{host}:0")
        assert p.returncode == 77
        assert "where others can reach it, needs a users file or TLS" in p.stderr


def test_to_everybody_with_passwords(start, users):
    p = start.process("broker", "-l", "amqp://0.0.0.0:0", "--users", users)
    wait_for(lambda: "listening" in p.output() or not p.alive(), "the broker to listen")
    assert "can be read on the way: no TLS" in p.output()


@pytest.mark.parametrize("argv, code, text", [
    (["-l", "amqps://127.0.0.1:0"], 2, "needs a certificate"),
    (["--cert", "/nonexistent"], 2, "only the certificate"),
    (["--cert", "/nonexistent", "--key", "/nonexistent"], 2, "can't be used"),
    (["--users", "/nonexistent"], 74, "No such file"),
    (["-l", "amqp://127.0.0.1:99999"], 2, "port"),
    (["-l", "http://127.0.0.1"], 2, "http"),
    (["--queue-messages", "0"], 2, "queue-messages"),
    (["--idle-timeout", "soon"], 2, "idle-timeout"),
    (["stray"], 2, "takes no arguments"),
    (["--nonsense"], 2, "nonsense")])
def test_wrong_options(argv, code, text):
    p = gofer("broker", *argv)
    assert (p.returncode, p.stdout) == (code, "")
    assert text in p.stderr


def test_a_host_that_does_not_resolve(users):
    p = gofer("broker", "-l", "amqp://host.invalid:0", "--users", users)
    assert p.returncode == 69 and "host.invalid" in p.stderr


def test_readable_users_file(tmp_path):
    path = tmp_path / "users"
    path.write_text("ann:secret\n")
    path.chmod(0o644)
    p = gofer("broker", "--users", str(path))
    assert p.returncode == 77 and "mode 0644" in p.stderr
    path.write_text("ann:secret\nbroken\n")
    path.chmod(0o600)
    p = gofer("broker", "--users", str(path))
    assert p.returncode == 2 and f"{path}:2: not of the form name:password" in p.stderr


def test_a_port_that_is_taken(broker):
    p = gofer("broker", "-l", broker.url)
    assert p.returncode == 74 and "Address already in use" in p.stderr


def test_without_descriptors(start):
    """It says so, and goes on when there are some again."""
    port = free_port()
    p = start.process("broker", "-l", f"amqp://127.0.0.1:{port}")
    wait_for(lambda: "listening" in p.output(), "the broker to listen")
    fds = len(os.listdir(f"/proc/{p.pid}/fd"))
    resource.prlimit(p.pid, resource.RLIMIT_NOFILE, (fds + 2, fds + 2))
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    wait_for(lambda: "can't take a connection" in p.output(), "a warning")
    for s in held:
        s.close()
    wait_for(lambda: works(port), "a connection")


def works(port):
    try:
        c = BlockingConnection(f"amqp://127.0.0.1:{port}", timeout=2)
        c.close()
        return True
    except Exception:
        return False
