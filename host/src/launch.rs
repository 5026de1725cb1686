//! Starts a plan's workers, one file per launch type, and keeps the directory of a run, where their sockets are.

mod run_dir;
mod threads;

pub use run_dir::{RunDir, RunId, SOCKET_NAME_BYTES_MAX, has_room_for_sockets, socket_path};
pub use threads::launch_threads;
