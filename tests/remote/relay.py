"""Joins network namespaces by links that take their time and lose packets, for kernels that have no netem.

relay.py DELAY_MS LOSS SWITCH END...

makes an interface `eth0` in each END, and for the first one `p0` in SWITCH, for the second one `p1`, and so on. What is sent by one is
received by the other after the delay, in order, unless it is lost. It says `ready` and ends with its stdin.
"""

import collections
import ctypes
import fcntl
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
CLONE_NEWNET = 0x40000000
FRAME_BYTES_MAX = 65536

libc = ctypes.CDLL(None, use_errno=True)


def interface(namespace, name):
    """Makes an interface there, and gives the file by which its packets come and go."""
    place = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(place, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(place)
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return file


def main():
    delay, loss = float(sys.argv[1]) / 1000, float(sys.argv[2])
    switch, ends = sys.argv[3], sys.argv[4:]
    other = {}
    for number, end in enumerate(ends):
        near, far = interface(end, "eth0"), interface(switch, f"p{number}")
        other[near], other[far] = far, near
    chance = random.Random(1)
    # The delay is one for all: what was received first is sent first.
    under_way = collections.deque()
    print("ready", flush=True)
    while True:
        wait = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        ready, _, _ = select.select([0, *other], [], [], wait)
        if 0 in ready and not os.read(0, 1):
            return
        now = time.monotonic()
        for file in ready:
            try:
                while file:
                    frame = os.read(file, FRAME_BYTES_MAX)
                    if chance.random() >= loss:
                        under_way.append((now + delay, other[file], frame))
            except OSError:
                pass  # There is no more, or the interface is down.
        while under_way and under_way[0][0] <= now:
            _, file, frame = under_way.popleft()
            try:
                os.write(file, frame)
            except OSError:
                pass  # The interface is down, or its queue is full.


main()
