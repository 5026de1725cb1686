//! Implements every function of `values`, and calls every one of the node that it has a handle of.

use std::fmt::Debug;

use exports::test::matrix::values as own;
use test::matrix::values::{self, Batch, Colour, Few, Many, Point, Sample, Shape};

lp_guest::node!({ path: "../../matrix/wit", node: Node });

struct Node;

macro_rules! echoes {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(fn $name(v: $type) -> $type {
            v
        })*
    };
}

impl ValuesGuest for Node {
    echoes! {
        echo_bool: bool,
        echo_u8: u8,
        echo_s8: i8,
        echo_u16: u16,
        echo_s16: i16,
        echo_u32: u32,
        echo_s32: i32,
        echo_u64: u64,
        echo_s64: i64,
        echo_f32: f32,
        echo_f64: f64,
        echo_char: char,
        echo_string: String,
        echo_bytes: Vec<u8>,
        echo_u32s: Vec<u32>,
        echo_s64s: Vec<i64>,
        echo_f64s: Vec<f64>,
        echo_strings: Vec<String>,
        echo_lists: Vec<Vec<u16>>,
        echo_point: own::Point,
        echo_sample: own::Sample,
        echo_batch: own::Batch,
        echo_option: Option<u32>,
        echo_nested_option: Option<Option<String>>,
        echo_options: Vec<Option<bool>>,
        echo_shape: own::Shape,
        echo_shapes: Vec<own::Shape>,
        echo_colour: own::Colour,
        echo_few: own::Few,
        echo_many: own::Many,
        echo_tuple: (u8, String, f32),
        echo_pairs: Vec<(String, u32)>,
        echo_results: Vec<Result<u32, String>>,
    }

    fn echo_result(ok: bool, v: String) -> Result<String, own::Colour> {
        if ok { Ok(v) } else { Err(own::Colour::Blue) }
    }

    fn echo_mixed(a: u8, b: String, c: f64, d: Option<u64>, e: Vec<u8>) -> (u8, String, f64, Option<u64>, Vec<u8>) {
        (a, b, c, d, e)
    }

    fn count(v: Vec<u8>, of: u8) -> u32 {
        v.iter().map(|byte| u32::from(*byte == of)).sum()
    }

    fn nothing() {}
}

impl RunGuest for Node {
    fn run() -> Result<(), ()> {
        check_numbers();
        check_lists();
        check_records();
        check_cases();
        assert_eq!(values::count(b"abca", b'a'), 2);
        values::nothing();
        println!("every value came back");
        lp_guest::program::stop();
        Ok(())
    }
}

/// Compares by what `Debug` writes: a NaN is the same as another one, and zeros have a sign.
fn check<T: Debug>(name: &str, given: &T, found: &T) {
    let same = format!("{given:?}") == format!("{found:?}");
    assert!(same, "{name}: {given:.80?} became {found:.80?}");
}

macro_rules! check_each {
    ($($function:ident: [$($value:expr),* $(,)?]),* $(,)?) => {
        $($(check(stringify!($function), &$value, &values::$function($value));)*)*
    };
}

macro_rules! check_each_ref {
    ($($function:ident: [$($value:expr),* $(,)?]),* $(,)?) => {
        $(for given in [$($value),*] {
            check(stringify!($function), &given, &values::$function(&given));
        })*
    };
}

fn check_numbers() {
    check_each! {
        echo_bool: [false, true],
        echo_u8: [0, u8::MAX],
        echo_s8: [i8::MIN, i8::MAX],
        echo_u16: [0, u16::MAX],
        echo_s16: [i16::MIN, i16::MAX],
        echo_u32: [0, u32::MAX],
        echo_s32: [i32::MIN, i32::MAX],
        echo_u64: [0, u64::MAX],
        echo_s64: [i64::MIN, i64::MAX],
        echo_f32: [0.0, -0.0, 1.5, f32::INFINITY, f32::NEG_INFINITY, f32::NAN],
        echo_f64: [5e-324, f64::MIN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN],
        echo_char: ['a', '\0', 'ß', '🦀', char::MAX],
        echo_option: [None, Some(0), Some(7)],
        echo_colour: [Colour::Red, Colour::Green, Colour::Blue],
        echo_few: [Few::empty(), Few::B, Few::A | Few::C],
        echo_many: [Many::empty(), Many::F31, Many::all()],
    }
}

fn check_lists() {
    let large = vec![b'y'; 1 << 20];
    check_each_ref! {
        echo_bytes: [vec![], (0..=255).collect(), large],
        echo_u32s: [vec![], vec![0, u32::MAX], (0..1 << 18).collect()],
        echo_s64s: [vec![], vec![i64::MIN, i64::MAX]],
        echo_f64s: [vec![], vec![0.0, f64::NAN, f64::NEG_INFINITY]],
        echo_strings: [vec![], vec![String::new(), "a".to_owned(), "🦀".to_owned()]],
        echo_lists: [vec![], vec![vec![], vec![1, u16::MAX], vec![]]],
        echo_options: [vec![], vec![None, Some(true), Some(false)]],
        echo_pairs: [vec![], vec![("a".to_owned(), 1), (String::new(), u32::MAX)]],
        echo_results: [vec![], vec![Ok(7), Err("why".to_owned()), Ok(0), Err(String::new())]],
    }
    for given in ["", "grüße 🦀", &"x".repeat(1 << 20)] {
        check("echo_string", &given, &values::echo_string(given).as_str());
    }
}

fn check_records() {
    let point = Point { x: 0.5, y: -1e300 };
    let tags = vec![String::new(), "b".to_owned()];
    let full = Sample { name: "näme".to_owned(), id: u64::MAX, at: point, tags, note: Some("note".to_owned()) };
    let bare = Sample { name: String::new(), id: 0, at: Point { x: 0.0, y: -0.0 }, tags: Vec::new(), note: None };
    let empty = Batch { samples: Vec::new(), weights: Vec::new() };
    let batch = Batch { samples: vec![full.clone(), bare.clone()], weights: vec![1.5, -0.0] };
    check("echo_point", &point, &values::echo_point(point));
    check_each_ref! {
        echo_sample: [full, bare],
        echo_batch: [empty, batch],
    }
    let tuple = (255, "é".to_owned(), 0.25);
    check("echo_tuple", &tuple, &values::echo_tuple((tuple.0, &tuple.1, tuple.2)));
    let mixed = (255, "b".to_owned(), -0.0, Some(u64::MAX), vec![b'e'; 1000]);
    check("echo_mixed", &mixed, &values::echo_mixed(mixed.0, &mixed.1, mixed.2, mixed.3, &mixed.4));
}

fn check_cases() {
    let point = Point { x: 0.5, y: -1e300 };
    let shapes = [Shape::Empty, Shape::Circle(2.5), Shape::Polygon(vec![point]), Shape::Named("é".to_owned())];
    for shape in &shapes {
        check("echo_shape", shape, &values::echo_shape(shape));
    }
    check("echo_shapes", &shapes.to_vec(), &values::echo_shapes(&shapes));
    for given in [None, Some(None), Some(Some("")), Some(Some("x"))] {
        let owned = given.map(|given| given.map(str::to_owned));
        check("echo_nested_option", &owned, &values::echo_nested_option(given));
    }
    check("echo_result", &Ok("fine".to_owned()), &values::echo_result(true, "fine"));
    check("echo_result", &Err(Colour::Blue), &values::echo_result(false, ""));
}
