//! An evaluator: the function to be minimised, which the coordinator knows only by its values.

lp_guest::node!({ world: "evaluator-node", path: "../../wit", node: Evaluator });

const MINIMUM: [f64; 5] = [3.0, -1.0, 0.5, 2.0, -2.5];

struct Evaluator;

impl Guest for Evaluator {
    async fn evaluate(point: Vec<f64>) -> f64 {
        point.iter().zip(MINIMUM).map(|(x, minimum)| (x - minimum).powi(2)).sum()
    }
}
