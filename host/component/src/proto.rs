//! Derives the protobuf schema of courier interfaces, as `docs/encoding.md` lays it down: descriptors, and .proto text.
//!
//! It says nothing of the bytes of a value: those are written and read by `value` and by the runtime.

mod messages;
mod names;
mod print;
mod schema;
mod types_service;

pub use lp_base::protobuf::FormatError;
pub use names::{EMPTY_PATH, method_name, service_name};
pub use print::print;
pub use schema::schema;
pub use types_service::{get_wit_response, types_schema, wit_of_response};

/// Why interfaces have no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A method passes something that no call can carry.
    #[error("calls can't carry `{method}` of `{interface}`: {reason}")]
    Refused {
        /// The full name of the interface.
        interface: String,
        /// The name of the method.
        method: String,
        /// The reason, such as "it passes a `stream`".
        reason: String,
    },
    /// Two names of an interface become one in protobuf, such as those of the methods `add-1` and `add1`.
    #[error("two methods of `{interface}` are named `{method}` in protobuf")]
    SameMethod {
        /// The full name of the interface.
        interface: String,
        /// The name that both get.
        method: String,
    },
    /// Two components define one service or message in two ways, such as two versions of an interface.
    #[error("`{name}` of `{interface}` is defined in another way by another component")]
    Differs {
        /// The full name of the interface, as the component that comes second has it.
        interface: String,
        /// The full protobuf name of the service, message or enum.
        name: String,
    },
}
