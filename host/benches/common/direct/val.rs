//! The values of the benchmarks as wasmtime's dynamic values.

use wasmtime::Store;
use wasmtime::component::{Func, Instance, Val};

use super::types::{Point, Reading, Shape};
use super::{classes, samples};
use crate::common::{Case, Kind};

/// The function of `case` in `interface`.
pub fn find(store: &mut Store<()>, instance: &Instance, interface: &str, case: Case) -> Func {
    let interface = instance.get_export_index(&mut *store, None, interface);
    let interface = interface.expect("the echo node exports the interface");
    let index = instance.get_export_index(&mut *store, Some(&interface), case.kind.method());
    let func = index.and_then(|index| instance.get_func(&mut *store, index));
    func.expect("the interface has the method")
}

/// The parameters of a call, and room for its results.
pub fn values(case: Case) -> (Vec<Val>, Vec<Val>) {
    let length = case.size as usize;
    let value = match case.kind {
        Kind::Empty => return (Vec::new(), Vec::new()),
        Kind::Bytes => list(vec![7; length], Val::U8),
        Kind::Floats => list(vec![0.5; length], Val::Float32),
        Kind::Mixed => reading(samples::reading()),
        Kind::Strings => list(classes::strings(case.size), Val::String),
        Kind::Points => list(classes::points(case.size), point),
        Kind::Options => list(classes::options(case.size), |outer| option(outer, |inner| option(inner, Val::U32))),
        Kind::Shapes => list(classes::shapes(case.size), shape),
    };
    (vec![value], vec![Val::Bool(false)])
}

fn list<T>(values: Vec<T>, val: impl Fn(T) -> Val) -> Val {
    Val::List(values.into_iter().map(val).collect())
}

fn option<T>(value: Option<T>, val: impl Fn(T) -> Val) -> Val {
    Val::Option(value.map(|value| Box::new(val(value))))
}

fn record<const N: usize>(fields: [(&str, Val); N]) -> Val {
    Val::Record(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn reading(reading: Reading) -> Val {
    record([
        ("id", Val::U64(reading.id)),
        ("name", Val::String(reading.name)),
        ("active", Val::Bool(reading.active)),
        ("score", Val::Float64(reading.score)),
        ("tags", list(reading.tags, Val::String)),
        ("weight", option(reading.weight, Val::Float32)),
    ])
}

fn point(point: Point) -> Val {
    record([("label", Val::U32(point.label)), ("x", Val::Float64(point.x)), ("y", Val::Float64(point.y))])
}

fn shape(shape: Shape) -> Val {
    let (case, payload) = match shape {
        Shape::Empty => ("empty", None),
        Shape::Circle(radius) => ("circle", Some(Val::Float64(radius))),
        Shape::Polygon(points) => ("polygon", Some(list(points, point))),
        Shape::Named(name) => ("named", Some(Val::String(name))),
    };
    Val::Variant(case.to_owned(), payload.map(Box::new))
}
