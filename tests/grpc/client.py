"""Calls a probe node at the address of the first argument with stock grpcio, and says so if everything fits."""

import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from test.probe import probe_pb2, probe_pb2_grpc

LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def status_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    raise AssertionError("the call should have failed")


def by_stubs(address):
    with grpc.insecure_channel(address, options=LIMIT) as channel:
        probe = probe_pb2_grpc.ProbeStub(channel)
        assert probe.Echo(probe_pb2.EchoRequest(data=b"abc")).result == b"abc"
        block = bytes(range(256)) * (32 << 12)
        assert len(block) == 32 << 20
        assert probe.Echo(probe_pb2.EchoRequest(data=block)).result == block
        assert probe.Relay(probe_pb2.RelayRequest(hops=3)).result == 3
        # More than the program's limit.
        too_large = status_of(lambda: probe.Echo(probe_pb2.EchoRequest(data=block + block)))
        assert too_large == grpc.StatusCode.OUT_OF_RANGE, too_large
        # A deadline, which leaves the node working.
        late = status_of(lambda: probe.Sleep(probe_pb2.SleepRequest(ms=60000), timeout=0.2))
        assert late == grpc.StatusCode.DEADLINE_EXCEEDED, late
        # A cancellation.
        sleeping = probe.Sleep.future(probe_pb2.SleepRequest(ms=60000))
        threading.Timer(0.1, sleeping.cancel).start()
        try:
            sleeping.result()
            raise AssertionError("the call should have been cancelled")
        except grpc.FutureCancelledError:
            pass
        # A replica of one's choice, and one that there is none of.
        for replica in ["0", "1", "a/1"]:
            echo = probe.Echo(probe_pb2.EchoRequest(data=b"x"), metadata=[("lp-replica", replica)])
            assert echo.result == b"x"
        missing = status_of(lambda: probe.Count(probe_pb2.CountRequest(), metadata=[("lp-replica", "7")]))
        assert missing == grpc.StatusCode.NOT_FOUND, missing
        # A request that is not protobuf harms nobody.
        raw = channel.unary_unary("/test.probe.Probe/Relay")
        wrong = status_of(lambda: raw(b"\xff\xff\xff"))
        assert wrong == grpc.StatusCode.INVALID_ARGUMENT, wrong
        unknown = status_of(lambda: channel.unary_unary("/test.probe.Probe/Nothing")(b""))
        assert unknown == grpc.StatusCode.UNIMPLEMENTED, unknown
        assert probe.Echo(probe_pb2.EchoRequest(data=b"still there")).result == b"still there"


def by_reflection(address):
    with grpc.insecure_channel(address, options=LIMIT) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        services = set(database.get_services())
        assert {"test.probe.Probe", "grpc.health.v1.Health", "lp.host.v1.Types"} <= services, services
        pool = descriptor_pool.DescriptorPool(database)
        method = pool.FindServiceByName("test.probe.Probe").FindMethodByName("Check")
        request = message_factory.GetMessageClass(method.input_type)
        response = message_factory.GetMessageClass(method.output_type)
        check = channel.unary_unary(
            "/test.probe.Probe/Check", request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        answer = check(request(ms=5))
        assert "5" in str(answer), answer
        types = pool.FindServiceByName("lp.host.v1.Types").FindMethodByName("GetWit")
        response = message_factory.GetMessageClass(types.output_type)
        wit = response.FromString(channel.unary_unary("/lp.host.v1.Types/GetWit")(b"")).wit
        assert "check: async func(ms: u64) -> result<u64, call-error>;" in wit, wit
        health = pool.FindServiceByName("grpc.health.v1.Health").FindMethodByName("Check")
        request = message_factory.GetMessageClass(health.input_type)
        response = message_factory.GetMessageClass(health.output_type)
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        for service in ["", "test.probe.Probe"]:
            assert check(request(service=service)).status == 1, service


by_stubs(sys.argv[1])
by_reflection(sys.argv[1])
print("all calls came out as they should")
