//! What a replica may use at most. A limit is one row of `rows.rs`, from which the program file, the plan, the schema
//! and the reference follow. This file defines the columns of a row and reads the rows.

mod rows;

use std::fmt;
use std::ops::RangeInclusive;

pub(crate) use rows::limit_rows;
use serde::{Deserialize, Serialize};

use super::units::{format_bytes, format_millis};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The largest message of a program whose file says nothing of it.
pub const MESSAGE_BYTES_MAX: u64 = 64 * MIB;

/// The columns of a row except `plan`, which is the field of [`LimitsPlan`](crate::plan::LimitsPlan) with its type.
struct Row {
    /// The key in `[limits]`.
    key: &'static str,
    /// The key with its table, as messages give it: `limits.` and the key. Follows from the key.
    name: &'static str,
    unit: Unit,
    /// The value for a node that says nothing; without one, the field of the plan is an `Option`.
    default: Option<u64>,
    /// The values that the keeper can enforce.
    range: RangeInclusive<u64>,
    /// A value to show how it is written.
    example: u64,
    /// The module that enforces it.
    keeper: &'static str,
    /// What it bounds, for users: begins a sentence and has no full stop.
    bounds: &'static str,
    /// What happens beyond it, for users: completes a sentence and has no full stop.
    beyond: &'static str,
    /// Whole sentences for the reader of the schema, or nothing.
    note: &'static str,
}

/// Makes [`Limit`] and its table from the rows.
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
        beyond: $($beyond:literal)+,
        $(note: $($note:literal)+,)?
    })*) => {
        /// A limit that every node has, under the name that it has in `[limits]`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Limit {
            $(
                #[doc = concat!($($bounds,)+ ". Enforced by `", $keeper, "`.")]
                #[serde(rename = $key)]
                $limit,
            )*
        }

        const ROWS: &[Row] = &[
            $(Row {
                key: $key,
                name: concat!("limits.", $key),
                unit: Unit::$unit,
                default: $default,
                range: $range,
                example: $example,
                keeper: $keeper,
                bounds: concat!($($bounds),+),
                beyond: concat!($($beyond),+),
                note: concat!($($($note),+)?),
            },)*
        ];

        impl Limit {
            /// Every limit, in the order of the reference.
            pub const ALL: [Limit; ROWS.len()] = [$(Limit::$limit),*];
        }
    };
}

limit_rows!(define);

/// How the values of a limit are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `"64MiB"`
    Bytes,
    /// `"5s"`
    Millis,
    /// `100`
    Count,
}

impl Limit {
    const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The key in `[limits]`, such as `call-cpu`.
    pub fn key(self) -> &'static str {
        self.row().key
    }

    /// The name as messages give it, such as `limits.call-cpu`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The unit of its values.
    pub fn unit(self) -> Unit {
        self.row().unit
    }

    /// The value for a node that says nothing; `None` is no limit.
    pub const fn default(self) -> Option<u64> {
        self.row().default
    }

    /// The values that can be enforced.
    pub fn range(self) -> RangeInclusive<u64> {
        self.row().range.clone()
    }

    /// A value that shows how to write it.
    pub fn example(self) -> u64 {
        self.row().example
    }

    /// The path of the module that enforces it, such as `lp_sandbox::meter`.
    pub fn keeper(self) -> &'static str {
        self.row().keeper
    }

    /// What it bounds: the beginning of a sentence, such as `The stack of the guest`.
    pub fn bounds(self) -> &'static str {
        self.row().bounds
    }

    /// What happens beyond it: the rest of a sentence, such as `the replica fails`.
    pub fn beyond(self) -> &'static str {
        self.row().beyond
    }

    /// What else a reader of the schema should know, as sentences; often nothing.
    pub fn note(self) -> &'static str {
        self.row().note
    }

    /// A value of this limit as program.toml writes it.
    pub fn literal(self, value: u64) -> String {
        match self.unit() {
            Unit::Count => value.to_string(),
            Unit::Bytes | Unit::Millis => format!("\"{}\"", self.show(value)),
        }
    }

    /// A value of this limit as people write it.
    pub fn show(self, value: u64) -> String {
        match self.unit() {
            Unit::Bytes => format_bytes(value),
            Unit::Millis => format_millis(value),
            Unit::Count => value.to_string(),
        }
    }

    /// The range as people write it: `from 1 to 1000000`, or `at least 1KiB` where nothing but the type ends it.
    pub fn show_range(self) -> String {
        let range = self.range();
        let min = self.show(*range.start());
        match *range.end() {
            u64::MAX => format!("at least {min}"),
            max => format!("from {min} to {}", self.show(max)),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Values of some limits: what a node asks for, or the ceilings that no node may exceed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits([Option<u64>; Limit::ALL.len()]);

impl Limits {
    /// The value of `limit`, in its unit, where one is given.
    pub fn get(&self, limit: Limit) -> Option<u64> {
        self.0[limit as usize]
    }

    /// Gives `limit` a value.
    pub fn set(&mut self, limit: Limit, value: u64) {
        self.0[limit as usize] = Some(value);
    }

    /// Those with a value.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().filter_map(|limit| Some((limit, self.get(limit)?)))
    }

    /// The smaller value of each limit that either of both gives.
    pub fn lower_of(&self, other: &Limits) -> Limits {
        let mut lower = *self;
        for (limit, value) in other.iter() {
            lower.set(limit, lower.get(limit).map_or(value, |own| own.min(value)));
        }
        lower
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;

    #[test]
    fn defaults_and_examples_are_in_their_ranges() {
        for limit in Limit::ALL {
            assert!(limit.default().is_none_or(|default| limit.range().contains(&default)), "{limit}");
            assert!(limit.range().contains(&limit.example()), "{limit}");
        }
    }

    #[test]
    fn the_table_in_the_docs_has_the_rows() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/limits.md");
        let docs = std::fs::read_to_string(path).expect("the docs stand beside the host");
        let right = docs_table();
        assert!(docs.contains(&format!("\n\n{right}\n")), "the table in docs/limits.md should be\n\n{right}");
    }

    fn docs_table() -> String {
        let mut table =
            "| name | bounds, for each replica | default | range | beyond it |\n|---|---|---|---|---|\n".to_owned();
        for limit in Limit::ALL {
            let default = limit.default().map_or("none".to_owned(), |default| limit.show(default));
            let (first, rest) = limit.bounds().split_at(1);
            let cells = [
                format!("`{}`", limit.key()),
                first.to_lowercase() + rest,
                default,
                limit.show_range(),
                limit.beyond().to_owned(),
            ];
            table.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        table
    }
}
