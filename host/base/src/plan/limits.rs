//! What a replica may use at most, as a worker enforces it: a field for each row of `words/limits/rows.rs`.

use serde::{Deserialize, Serialize};

use crate::words::{Limit, limit_rows};

/// Makes [`LimitsPlan`] from the rows.
macro_rules! define {
    ($($limit:ident {
        key: $key:literal,
        plan: $field:ident: $type:ty,
        unit: $unit:ident,
        default: $default:expr,
        range: $range:expr,
        example: $example:expr,
        keeper: $keeper:literal,
        bounds: $($bounds:literal)+,
        $($rest:tt)*
    })*) => {
        /// What a replica may use at most; what may be missing has no limit then.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct LimitsPlan {
            $(
                #[doc = concat!($($bounds,)+ ". Enforced by `", $keeper, "`.")]
                pub $field: $type,
            )*
        }

        impl LimitsPlan {
            /// The limits that `given` gives, each in its unit; those that have a default must be given.
            ///
            /// # Panics
            /// If one that has a default is not given, or a count of 32 bits is larger than that.
            pub fn of(given: impl Fn(Limit) -> Option<u64>) -> Self {
                Self { $($field: Field::of(given(Limit::$limit)),)* }
            }

            /// The value of `limit`, in its unit; `None` if there is none.
            pub fn get(&self, limit: Limit) -> Option<u64> {
                match limit {
                    $(Limit::$limit => self.$field.value(),)*
                }
            }
        }
    };
}

limit_rows!(define);

impl Default for LimitsPlan {
    fn default() -> Self {
        Self::of(Limit::default)
    }
}

/// A type that a row may give its field: optional where there is no default.
trait Field {
    fn of(given: Option<u64>) -> Self;
    fn value(&self) -> Option<u64>;
}

impl Field for Option<u64> {
    fn of(given: Option<u64>) -> Self {
        given
    }

    fn value(&self) -> Option<u64> {
        *self
    }
}

impl Field for u64 {
    fn of(given: Option<u64>) -> Self {
        given.expect("this limit has a default")
    }

    fn value(&self) -> Option<u64> {
        Some(*self)
    }
}

impl Field for u32 {
    fn of(given: Option<u64>) -> Self {
        u32::try_from(u64::of(given)).expect("a program is checked to have no more than a million")
    }

    fn value(&self) -> Option<u64> {
        Some(u64::from(*self))
    }
}
