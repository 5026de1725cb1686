//! The echo node: gives back what it was given.

use bench::calls::types::{Point, Reading, Shape};

lp_guest::node!({ world: "echo-node", path: "../../wit", node: Echo });

struct Echo;

impl Guest for Echo {
    async fn empty() {}

    async fn bytes(value: Vec<u8>) -> Vec<u8> {
        value
    }

    async fn floats(value: Vec<f32>) -> Vec<f32> {
        value
    }

    async fn mixed(value: Reading) -> Reading {
        value
    }

    async fn strings(value: Vec<String>) -> Vec<String> {
        value
    }

    async fn points(value: Vec<Point>) -> Vec<Point> {
        value
    }

    async fn options(value: Vec<Option<Option<u32>>>) -> Vec<Option<Option<u32>>> {
        value
    }

    async fn shapes(value: Vec<Shape>) -> Vec<Shape> {
        value
    }
}
