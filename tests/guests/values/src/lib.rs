//! A node that gives back what it gets, of every type: by plain functions and by `async` ones.

use exports::lp_test::examples::examples::{Access, Color, Point, Shape};
use exports::lp_test::values::values::{Month, Payload, Row, Wide};

lp_guest::node!({ world: "values-node", node: Values });

struct Values;

macro_rules! echo {
    ($($name:ident: $type:ty),* $(,)?) => { $(fn $name(value: $type) -> $type { value })* };
}

macro_rules! echo_async {
    ($($name:ident: $type:ty),* $(,)?) => { $(async fn $name(value: $type) -> $type { value })* };
}

impl ExamplesGuest for Values {
    echo! {
        a_bool: bool,
        a_u8: u8,
        an_s8: i8,
        an_s32: i32,
        a_u64: u64,
        an_f32: f32,
        an_f64: f64,
        a_char: char,
        a_string: String,
        a_color: Color,
        an_access: Access,
        bytes: Vec<u8>,
        floats: Vec<f32>,
        words: Vec<u32>,
        longs: Vec<i64>,
        shorts: Vec<i16>,
        bools: Vec<bool>,
        strings: Vec<String>,
        blobs: Vec<Vec<u8>>,
        lists: Vec<Vec<u32>>,
        points: Vec<Point>,
        a_point: Point,
        pair: (u32, String),
        a_shape: Shape,
        outcome: Result<u32, String>,
        empty_outcome: Result<(), ()>,
        maybe: Option<u32>,
        maybe_string: Option<String>,
        maybe_point: Option<Point>,
        maybe_list: Option<Vec<u32>>,
        maybe_maybe: Option<Option<u32>>,
        maybes: Vec<Option<u32>>,
        nested_outcome: Result<Option<u32>, Vec<String>>,
    }
}

impl ValuesGuest for Values {
    echo_async! {
        a_u16: u16,
        a_u32: u32,
        an_s16: i16,
        an_s64: i64,
        a_month: Month,
        a_wide: Wide,
        signed_bytes: Vec<i8>,
        unsigned_shorts: Vec<u16>,
        integers: Vec<i32>,
        unsigned_longs: Vec<u64>,
        doubles: Vec<f64>,
        chars: Vec<char>,
        months: Vec<Month>,
        wides: Vec<Wide>,
        tuples: Vec<(bool, char, f32)>,
        outcomes: Vec<Result<u8, i8>>,
        rows: Vec<Row>,
        a_payload: Payload,
        payloads: Vec<Payload>,
        deep: Option<Result<Option<String>, Vec<Payload>>>,
        half: Result<(), String>,
    }

    async fn nothing() {}

    async fn several(first: u8, second: String, third: Option<Vec<f32>>) -> (u8, String, Option<Vec<f32>>) {
        (first, second, third)
    }
}
