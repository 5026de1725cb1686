//! Whether bytes from outside are a request at all, without making anything of them.

use super::decode::{self, Decoded};
use super::error::DecodeError;
use crate::component::{Field, MethodTypes, Type, TypeKind};

/// Checks that the bytes are a request of the method: what the runtime would put into the memory of a guest.
///
/// For every request from a client that is not another host, before it becomes a message: a message that is none traps the
/// guest that gets it, so that any client could stop a node. Takes one pass over strings and lists of varints, and none
/// over lists of bytes and of numbers with a fixed width; nothing is copied but fields of messages that come in parts.
pub fn check(types: &MethodTypes, request: &[u8]) -> Result<(), DecodeError> {
    decode::request::<Checked>(&types.params, request).map(|_| ())
}

/// A value that is one of its type; a list of them takes no memory.
#[derive(Clone)]
struct Checked;

impl Decoded for Checked {
    const BYTES: usize = 0;

    fn number(_: &TypeKind, _: u64) -> Checked {
        Checked
    }

    fn numbers(_: &TypeKind, size: usize, block: &[u8], list: &mut Vec<Checked>) {
        list.extend(std::iter::repeat_n(Checked, block.len() / size));
    }

    fn text(_: &str) -> Checked {
        Checked
    }

    fn bytes(_: &[u8]) -> Checked {
        Checked
    }

    fn list(_: Vec<Checked>) -> Checked {
        Checked
    }

    fn record(_: &[Field], _: Vec<Checked>) -> Checked {
        Checked
    }

    fn case(_: &str, _: Option<Checked>) -> Checked {
        Checked
    }

    fn none() -> Checked {
        Checked
    }

    fn some(_: &Type, _: Checked) -> Checked {
        Checked
    }
}
