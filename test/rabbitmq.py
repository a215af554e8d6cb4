# SPDX-License-Identifier: Apache-2.0
"""A real broker on loopback ports, with state that is thrown away, ended by its process ids."""
import os
import signal
import subprocess
import time

from peers import SLOW, free_port, listens


class RabbitMQ:
    """Debian's rabbitmq-server with its AMQP 1.0 plugin; a node, an epmd and a directory of its own."""

    def __init__(self, directory):
        self.port, self.dist, epmd = free_port(), free_port(), free_port()
        self.directory = directory
        plugins = os.path.join(directory, "enabled_plugins")
        with open(plugins, "w") as f:
            f.write("[rabbitmq_amqp1_0].\n")
        config = os.path.join(directory, "rabbitmq.conf")
        with open(config, "w") as f:
            f.write(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
                    "loopback_users.guest = true\n"
                    "default_user = guest\ndefault_pass = guest\n"
                    "disk_free_limit.absolute = 1MB\n")
        self.env = {
            **os.environ, "HOME": directory, "RABBITMQ_NODENAME": f"gofer{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": config, "RABBITMQ_ENABLED_PLUGINS_FILE": plugins,
            "RABBITMQ_MNESIA_BASE": os.path.join(directory, "mnesia"),
            "RABBITMQ_LOG_BASE": directory, "RABBITMQ_DIST_PORT": str(self.dist),
            "RABBITMQ_PID_FILE": os.path.join(directory, "pid"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
            "-kernel inet_dist_use_interface {127,0,0,1} -setcookie throwaway"}
        self.log = open(os.path.join(directory, "stdout"), "wb")
        # an epmd of its own, as a child that can be ended by its id
        self.epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(epmd)],
                                     stdout=self.log, stderr=self.log)
        self.server, self.starts = None, 0
        self.start()

    def start(self):
        self.starts += 1
        # the wrapper in the path would change the user; the server's own script does not
        self.server = subprocess.Popen(["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=self.env,
                                       stdout=self.log, stderr=self.log, start_new_session=True)
        end = time.monotonic() + 90 * SLOW
        while not (listens(self.port) and self.output().count("completed with") == self.starts):
            assert self.server.poll() is None and time.monotonic() < end, self.output()
            time.sleep(0.2)

    def output(self):
        with open(os.path.join(self.directory, "stdout"), errors="replace") as f:
            return f.read()

    def kill(self):
        """kill -9 of the whole node."""
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()
        while listens(self.port):  # the node is a child of the script: it goes a moment later
            time.sleep(0.02)

    def stop(self):
        if self.server.poll() is None:
            self.kill()
        self.epmd.kill()
        self.epmd.wait()
        self.log.close()
