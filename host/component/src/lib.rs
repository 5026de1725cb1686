//! Components as files: what they import and export, the protobuf schema of their interfaces, and values of their types.
//!
//! Nothing here compiles or runs a component. Each module uses those above it in this list and none below:
//!
//! * [`component`]: what a component file imports and exports, with its types as text
//! * [`proto`]: the protobuf schema of courier interfaces
//! * [`value`]: values as JSON and WAVE to the bytes of a message and back
//! * [`script`]: calls as lines of text, with what is expected of them

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

pub mod component;
pub mod proto;
pub mod script;
pub mod value;
