"""Runs DPDK programs with our drivers as plug-ins, without hugepages, without PCI, apart from other DPDK processes."""
import os
import shutil
import subprocess
import sys
import tempfile

# EAL's own words; what our driver says stands on standard error.
EAL = ["--no-huge", "-m", "512", "--no-pci", "--no-telemetry"]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def program(name):
    """The installed third-party program, or the test is skipped."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin")
    if path is None:
        skip(f"{name} is not installed (packages dpdk and dpdk-dev)")
    return path


def eal_arguments(plugins, vdevs, lcores="0", eal=EAL):
    arguments = ["-l", lcores, *eal, "--file-prefix", f"linecrypt-test-{os.getpid()}"]
    for plugin in plugins:
        # EAL takes no plug-in out of a folder that others may write, or below one. By its bare name the dynamic linker finds
        # it, in the folders that the test names.
        arguments += ["-d", os.path.basename(plugin)]
    for vdev in vdevs:
        arguments += ["--vdev", vdev]
    return arguments


def environment(folders, more=None):
    found = dict(os.environ)
    found["LD_LIBRARY_PATH"] = ":".join(list(folders) + [p for p in [found.get("LD_LIBRARY_PATH")] if p])
    # A sanitizer build: its runtime goes under programs that know nothing of it.
    if preload := found.get("LINECRYPT_TEST_PRELOAD"):
        found["LD_PRELOAD"] = preload
        # What DPDK leaves behind at its end is not ours.
        found["ASAN_OPTIONS"] = "detect_leaks=0"
    found.update(more or {})
    return found


def run(command, folders, more_environment=None, timeout=240, input=None):
    """(code, standard output, standard error). In a folder of its own, which holds no plug-in by accident."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, env=environment(folders, more_environment), text=True, errors="replace",
                              capture_output=True, timeout=timeout, input=input)
    return done.returncode, done.stdout, done.stderr
