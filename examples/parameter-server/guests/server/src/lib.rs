//! The server: holds the parameters, and knows neither the data nor the workers.

use std::sync::{Mutex, MutexGuard};

use lp_guest::CallError;

lp_guest::node!({ world: "server-node", path: "../../wit", node: Server });

const LEARNING_RATE: f32 = 0.1;

static PARAMETERS: Mutex<[f32; 4]> = Mutex::new([0.0; 4]);

struct Server;

impl Guest for Server {
    fn fetch() -> Result<Vec<f32>, CallError> {
        Ok(parameters().to_vec())
    }

    fn push(gradient: Vec<f32>) -> Result<(), CallError> {
        for (parameter, slope) in parameters().iter_mut().zip(gradient) {
            *parameter -= LEARNING_RATE * slope;
        }
        Ok(())
    }
}

fn parameters() -> MutexGuard<'static, [f32; 4]> {
    PARAMETERS.lock().expect("a node that panics takes no more calls")
}
