"""Example: halo from Python, through ctypes. Usage: ctypes_list.py [path of libhalo.so.0]"""
import ctypes
import json
import sys

halo = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else "libhalo.so.0")
host_p = run_p = ctypes.c_void_p
halo.halo_open.argtypes = [ctypes.POINTER(host_p), ctypes.c_void_p]
halo.halo_close.argtypes = [host_p]
halo.halo_start_string.argtypes = [host_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(run_p)]
halo.halo_limit.argtypes = [run_p, ctypes.c_int]
halo.halo_wait.argtypes = [run_p]
for name in "halo_result", "halo_error":
    getattr(halo, name).argtypes = [run_p, ctypes.POINTER(ctypes.c_char_p), ctypes.POINTER(ctypes.c_size_t)]
halo.halo_release.argtypes = [run_p]
halo.halo_strerror.argtypes = [ctypes.c_int]
halo.halo_strerror.restype = ctypes.c_char_p
HALO_READ = 1


class HaloError(Exception):
    """kind, message, hint, ... as fields"""

    def __init__(self, fields):
        super().__init__(fields["message"])
        self.__dict__.update(fields)


def check(err):
    if err < 0:
        raise HaloError({"kind": "", "message": halo.halo_strerror(err).decode()})


def call(host, script, **args):
    """Runs a bundled script, which may only read, and returns its result."""
    run, text = run_p(), ctypes.c_char_p()
    check(halo.halo_start_string(host, script.encode(), None, json.dumps(args).encode(), run))
    try:
        halo.halo_limit(run, HALO_READ)
        if halo.halo_wait(run) == 0:
            halo.halo_result(run, text, None)
            return json.loads(text.value)
        halo.halo_error(run, text, None)
        raise HaloError(json.loads(text.value))
    finally:
        halo.halo_release(run)


host = host_p()
check(halo.halo_open(host, None))
try:
    for instance in call(host, "list", status=True):
        print(instance["id"], instance["name"], instance["status"])
    call(host, "delete", instance="3fa29c1e")
except HaloError as error:
    print(error.kind + ":", error)
finally:
    halo.halo_close(host)
