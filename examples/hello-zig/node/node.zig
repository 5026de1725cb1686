//! Prints a line.

const std = @import("std");
const lp = @import("lp");

export fn exports_wasi_cli_run_run() bool {
    const name = lp.lp_config("name") orelse return false;
    const place = lp.lp_node_program_replica_index() + 1;
    var line: [256]u8 = undefined;
    const text = std.fmt.bufPrintSentinel(&line, "hello, {s}, from Zig: {d} of {d}", .{
        std.mem.span(name), place, lp.lp_node_program_replica_count(),
    }, 0) catch return false;
    lp.lp_print(text.ptr);
    return true;
}
