//! Reads what the system tells of processes, in which the environment and the arguments of the host are.

use hostile::files::{dir, read};

fn main() {
    let data = dir("/data");
    for path in ["/proc/self/environ", "/proc/self/cmdline", "/dev/stdin"] {
        assert!(read(&data, path).is_err(), "loot: {path}");
    }
    hostile::end(read(&data, "../../../../../proc/self/environ"));
}
