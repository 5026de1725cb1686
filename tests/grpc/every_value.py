"""Sends every value of `values` to a node that gives it back, with stock grpcio, and says how many came back the same.

Usage: every_value.py ADDRESS stubs|reflection. What comes back is compared as the bytes of the message and as the value.
"""

import importlib
import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import values

ADDRESS, SOURCE = sys.argv[1:]
LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Stubs:
    """The services as modules that protoc made."""

    def __init__(self, channel):
        self.channel = channel

    def of(self, service, method):
        module = f"lp_test.{service.lower()}.v1.{service.lower()}_pb2"
        messages, services = importlib.import_module(module), importlib.import_module(module + "_grpc")
        call = getattr(getattr(services, service + "Stub")(self.channel), method)
        return getattr(messages, method + "Request"), getattr(messages, method + "Response"), call


class Reflection:
    """The services as the server describes them."""

    def __init__(self, channel):
        self.channel = channel
        self.pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

    def of(self, service, method):
        name = f"lp_test.{service.lower()}.v1.{service}"
        descriptor = self.pool.FindServiceByName(name).FindMethodByName(method)
        request = message_factory.GetMessageClass(descriptor.input_type)
        response = message_factory.GetMessageClass(descriptor.output_type)
        call = self.channel.unary_unary(
            f"/{name}/{method}", request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        return request, response, call


def check(source, channel, service, method, value):
    request_type, response_type, call = source.of(service, method)
    request = request_type()
    values.put(request, "value", value)
    wanted = response_type()
    values.put(wanted, "result", value)
    shown = f"{service}.{method}: {str(value)[:200]}"
    assert values.holds(request, "value", value), f"{shown} is not kept by Python"
    answer = call(request)
    assert values.holds(answer, "result", value), f"{shown} came back as {str(answer)[:200]}"
    raw = channel.unary_unary(f"/lp_test.{service.lower()}.v1.{service}/{method}")
    sent = request.SerializeToString(deterministic=True)
    received = raw(sent)
    assert received == sent == wanted.SerializeToString(deterministic=True), f"{shown}: {received[:99].hex(' ')}"


def check_wrong(channel, service, method, sent, message):
    try:
        channel.unary_unary(f"/lp_test.{service.lower()}.v1.{service}/{method}")(bytes.fromhex(sent))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        assert message in error.details(), error
        return
    raise AssertionError(f"{service}.{method} took {sent}")


def main():
    with grpc.insecure_channel(ADDRESS, options=LIMIT) as channel:
        source = {"stubs": Stubs, "reflection": Reflection}[SOURCE](channel)
        count = 0
        for service, method, value in values.cases():
            check(source, channel, service, method, value)
            count += 1
        request, response, call = source.of("Values", "Nothing")
        assert call(request()) == response()
        request, _, call = source.of("Values", "Several")
        answer = call(request(first=255, third={"value": [0.5]}))
        assert values.holds(answer, "result", {"f0": 255, "f2": {"value": [0.5]}}), answer
        for wrong in values.WRONG:
            check_wrong(channel, *wrong)
    print(f"{count} values came back")


main()
