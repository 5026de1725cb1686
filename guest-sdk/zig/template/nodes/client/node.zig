//! The client: has every counter count, and stops the program.

const std = @import("std");
const lp = @import("lp");

export fn exports_wasi_cli_run_run() bool {
    var name = lp.lp_text("counters");
    var counters: lp.app_nodes_counter_handles_list_own_counter_t = undefined;
    lp.app_nodes_counter_handles_all(&name, &counters);
    for (1..4) |n| {
        count(counters.ptr[0..counters.len], n) catch return false;
    }
    lp.lp_node_program_stop();
    return true;
}

/// Adds `n` to every counter and prints what each then has.
fn count(counters: []const lp.app_nodes_counter_handles_own_counter_t, n: u64) !void {
    var buffer: [256]u8 = undefined;
    var line = std.Io.Writer.fixed(&buffer);
    try line.print("after adding {d}: [", .{n});
    for (counters, 0..) |counter, index| {
        var sum: u64 = undefined;
        var failure: lp.app_nodes_counter_handles_call_error_t = undefined;
        const borrowed = lp.app_nodes_counter_handles_borrow_counter(counter);
        if (!lp.app_nodes_counter_handles_method_counter_add(borrowed, n, &sum, &failure)) {
            lp.lp_print(lp.lp_call_error(&failure));
            return error.CallFailed;
        }
        try line.print("{s}{d}", .{ if (index > 0) ", " else "", sum });
    }
    try line.print("]\x00", .{});
    lp.lp_print(@ptrCast(line.buffered().ptr));
}
