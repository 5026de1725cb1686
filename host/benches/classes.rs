//! Values of the type classes, for every set of bindings that has these types: host and guests include this file.

use super::types::{Point, Shape};

/// Strings of some length.
pub fn strings(size: u32) -> Vec<String> {
    (0..size).map(|index| format!("string number {index}")).collect()
}

/// Records of numbers.
pub fn points(size: u32) -> Vec<Point> {
    (0..size).map(|label| Point { label, x: f64::from(label), y: 0.5 }).collect()
}

/// Nested options: absent, present and absent inside, present.
pub fn options(size: u32) -> Vec<Option<Option<u32>>> {
    (0..size)
        .map(|index| match index % 3 {
            0 => None,
            1 => Some(None),
            _ => Some(Some(index)),
        })
        .collect()
}

/// Variants, each case as often as the others.
pub fn shapes(size: u32) -> Vec<Shape> {
    (0..size)
        .map(|index| match index % 4 {
            0 => Shape::Empty,
            1 => Shape::Circle(f64::from(index)),
            2 => Shape::Polygon(points(3)),
            _ => Shape::Named(format!("shape number {index}")),
        })
        .collect()
}
