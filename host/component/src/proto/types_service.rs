//! The service beside a node's own ones that tells its exact types, which its protobuf schema can't.

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};

/// The response of the method: the world of the node's component as WIT.
pub fn get_wit_response(wit: String) -> Vec<u8> {
    // A string alone is the message with a string in its first field.
    wit.encode_to_vec()
}

/// The text in such a response.
pub fn wit_of_response(response: &[u8]) -> Option<String> {
    String::decode(response).ok()
}

/// The schema of the service.
pub fn types_schema() -> FileDescriptorSet {
    let name = |name: &str| Some(name.to_owned());
    let message = |text: &str, field| DescriptorProto { name: name(text), field, ..DescriptorProto::default() };
    let wit = FieldDescriptorProto {
        name: name("wit"),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..FieldDescriptorProto::default()
    };
    let method = MethodDescriptorProto {
        name: name("GetWit"),
        input_type: name(".lp.host.v1.GetWitRequest"),
        output_type: name(".lp.host.v1.GetWitResponse"),
        ..MethodDescriptorProto::default()
    };
    let service =
        ServiceDescriptorProto { name: name("Types"), method: vec![method], ..ServiceDescriptorProto::default() };
    let file = FileDescriptorProto {
        name: name("lp/host/v1/types.proto"),
        package: name("lp.host.v1"),
        message_type: vec![message("GetWitRequest", Vec::new()), message("GetWitResponse", vec![wit])],
        service: vec![service],
        syntax: name("proto3"),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }
}
