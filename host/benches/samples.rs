//! A record to send, for every set of bindings that has its type: host and guests include this file.

use super::types::Reading;

/// A record of mixed fields.
pub fn reading() -> Reading {
    Reading {
        id: 4_711,
        name: "a name of some length".to_owned(),
        active: true,
        score: 0.5,
        tags: vec!["first".to_owned(), "second".to_owned()],
        weight: Some(2.5),
    }
}
