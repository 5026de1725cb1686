"""Calls `relay` of a node within a trace, and stands in for the last node that the call gets to.

Usage: trace.py ADDRESS SERVICE SOCKET. The call passes two nodes before it comes to SOCKET, where this listens. Says so if
it came with the trace that it was made in.
"""

import sys
from concurrent import futures

import grpc

ADDRESS, SERVICE, SOCKET = sys.argv[1:]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
METHOD = f"/{SERVICE}/Relay"

received = []


class Last(grpc.GenericRpcHandler):
    """Answers `relay(0)` as a node does."""

    def service(self, details):
        received.append((details.method, dict(details.invocation_metadata)))
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")


server = grpc.server(futures.ThreadPoolExecutor(), handlers=[Last()])
server.add_insecure_port(f"unix:{SOCKET}")
server.start()
with grpc.insecure_channel(ADDRESS) as channel:
    relay = channel.unary_unary(METHOD)
    # `relay(2)`, which is 2.
    assert relay(b"\x08\x02", metadata=[("traceparent", TRACE)], timeout=30) == b"\x08\x02"
    assert relay(b"\x08\x02", timeout=30) == b"\x08\x02"
server.stop(None)
(first, traced), (second, untraced) = received
assert first == second == METHOD, received
assert traced["traceparent"] == TRACE and traced["lp-replica"] == "c/0", traced
assert "traceparent" not in untraced, untraced
print("the trace went along")
