//! What a run looks like from outside: its output line by line, its control socket, and the tables of its replicas.

mod control;
mod end;
mod kept;
mod lines;
mod log_line;
mod printer;
mod recent;
mod registry;
mod table;

pub use control::{Client, ClientError, Control, Reply, Request, RunStatus, serve};
pub use end::RunEnd;
pub use kept::{KeptLines, keep};
pub use lines::{LineFormat, LineOutputs, LineStyle, LogDirError};
pub use log_line::LogLine;
pub use printer::{Printer, StandardStream};
pub use recent::{Batch, LineReader, RECENT_BYTES_MAX, RecentLines, Recorded};
pub use registry::{CONTROL_SOCKET, Finished, Registry, RegistryError};
pub use table::{report_json, report_table, status_table};
