"""A small network laboratory: hosts as network namespaces, links as veth pairs, programs with logs.

The lab lives in mount, PID and network namespaces of its own (tools/lab-shell makes them), so that the end of the first process,
however it comes, ends every program and removes every namespace and file of it.
"""
import json
import os
import signal
import subprocess
import sys
import time


class LabError(Exception):
    """A step that did not do what it must; the text says which and shows the end of its log."""


class Program:
    """A program running in the background with its output in a log file."""

    def __init__(self, name, process, log_path):
        self.name = name
        self.process = process
        self.log_path = log_path

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def running(self):
        return self.process.poll() is None

    def wait_for(self, text, seconds=30):
        """Returns once the log holds `text`; LabError if the program ends or time runs out before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in self.log():
                return
            if not self.running():
                raise LabError(f"{self.name} ended with code {self.process.returncode} before '{text}':\n{self.log()[-2000:]}")
            time.sleep(0.02)
        raise LabError(f"{self.name}: no '{text}' within {seconds} s:\n{self.log()[-2000:]}")

    def stop(self, sig=signal.SIGTERM, seconds=15):
        """Sends `sig` and waits; returns the exit code."""
        if self.running():
            self.process.send_signal(sig)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise LabError(f"{self.name} did not stop within {seconds} s after signal {int(sig)}") from None


class Lab:
    """Hosts, links and programs. `folder` takes all files."""

    def __init__(self, folder):
        self.folder = folder
        self.hosts = set()
        self.programs = []
        os.makedirs(folder, exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o600):
        """Writes a file of the lab with its final mode from the start; returns its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        return path

    def host(self, name):
        """A new host with its loop-back up."""
        self.run(None, "ip", "netns", "add", name)
        self.hosts.add(name)
        self.run(name, "ip", "link", "set", "lo", "up")

    def link(self, host_a, netdev_a, host_b, netdev_b, mtu=1500):
        """A cable between two hosts."""
        self.run(None, "ip", "link", "add", netdev_a, "netns", host_a, "mtu", str(mtu), "type", "veth",
                 "peer", "name", netdev_b, "netns", host_b, "mtu", str(mtu))
        for host, netdev in ((host_a, netdev_a), (host_b, netdev_b)):
            # No address may come up by itself before the host gives it one.
            self.run(host, "sysctl", "-qw", f"net.ipv6.conf.{netdev}.accept_dad=0", f"net.ipv6.conf.{netdev}.accept_ra=0")

    @staticmethod
    def command(host, arguments):
        return (["ip", "netns", "exec", host] if host else []) + list(arguments)

    def run(self, host, *arguments, check=True, timeout=120, stdin=None):
        """Runs to the end; returns standard output. With check=False returns (code, output with errors)."""
        done = subprocess.run(self.command(host, arguments), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE if check else subprocess.STDOUT,
                              input=stdin, text=True, timeout=timeout)
        if not check:
            return done.returncode, done.stdout
        if done.returncode != 0:
            raise LabError(f"{host or 'lab'}: {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done.stdout

    def json(self, host, *arguments, **keywords):
        return json.loads(self.run(host, *arguments, **keywords))

    def start(self, host, name, *arguments, env=None):
        """Starts a program in the background."""
        log_path = self.path(name + ".log")
        with open(log_path, "w") as log:
            process = subprocess.Popen(self.command(host, arguments), stdout=log, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, env=None if env is None else {**os.environ, **env})
        program = Program(name, process, log_path)
        self.programs.append(program)
        return program

    def close(self):
        """Ends what still runs and removes the hosts."""
        for program in reversed(self.programs):
            if program.running():
                program.process.kill()
                program.process.wait()
        for host in sorted(self.hosts):
            subprocess.run(["ip", "netns", "del", host], check=False, capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_until(condition, seconds, what):
    """Polls `condition` until it is true; LabError names `what` when time runs out."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def progress(text):
    print(text, file=sys.stderr, flush=True)
