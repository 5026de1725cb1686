//! Passes calls on to the meeting, and makes many such calls at once.

const std = @import("std");
const lp = @import("lp");

const allocator = std.heap.c_allocator;
const Relay = lp.test_meeting_relay_handles_borrow_relay_t;
const Result = lp.test_meeting_relay_handles_result_u32_call_error_t;

export fn exports_test_meeting_relay_pass(of: u32) lp.lp_node_callback_code_t {
    const met = allocator.create(u32) catch unreachable;
    var calls: lp.lp_calls_t = .{};
    lp.lp_add(&calls, lp.test_meeting_meeting_meet(of, met));
    return lp.lp_then(&calls, passOn, met);
}

fn passOn(state: ?*anyopaque) callconv(.c) lp.lp_node_callback_code_t {
    const met: *u32 = @ptrCast(@alignCast(state));
    lp.exports_test_meeting_relay_pass_return(met.*);
    allocator.destroy(met);
    return lp.LP_NODE_CALLBACK_CODE_EXIT;
}

export fn exports_test_meeting_relay_echo(bytes: *lp.lp_node_list_u8_t) lp.lp_node_callback_code_t {
    lp.exports_test_meeting_relay_echo_return(bytes.*);
    lp.lp_node_list_u8_free(bytes);
    return lp.LP_NODE_CALLBACK_CODE_EXIT;
}

export fn exports_wasi_cli_run_run() bool {
    var name = lp.lp_text("relay");
    var relays: lp.test_meeting_relay_handles_list_own_relay_t = undefined;
    lp.test_meeting_relay_handles_all(&name, &relays);
    const relay = lp.test_meeting_relay_handles_borrow_relay(relays.ptr[0]);
    meet(relay) catch return false;
    if (lp.lp_config("calls")) |calls| {
        send(relay, std.fmt.parseInt(usize, std.mem.span(calls), 10) catch return false) catch return false;
        std.c.free(calls);
    }
    lp.lp_node_program_stop();
    return true;
}

fn meet(relay: Relay) !void {
    var results: [100]Result = undefined;
    var calls: lp.lp_calls_t = .{};
    for (&results) |*result| {
        lp.lp_add(&calls, lp.test_meeting_relay_handles_method_relay_pass(relay, 100, result));
    }
    lp.lp_wait(&calls);
    var most: u32 = 0;
    for (&results) |*result| most = @max(most, try value(result));
    var buffer: [64]u8 = undefined;
    lp.lp_print(try std.fmt.bufPrintSentinel(&buffer, "{d} calls met {d}", .{ results.len, most }, 0));
}

fn send(relay: Relay, calls: usize) !void {
    var payload: [1024]u8 = @splat(0);
    for (0..calls) |_| {
        var result: lp.test_meeting_relay_handles_result_list_u8_call_error_t = undefined;
        lp.lp_wait_for(lp.test_meeting_relay_handles_method_relay_echo(relay, .{ .ptr = &payload, .len = payload.len }, &result));
        if (result.is_err or result.val.ok.len != payload.len) return error.BytesWereLost;
        lp.test_meeting_relay_handles_result_list_u8_call_error_free(&result);
    }
}

fn value(result: *const Result) !u32 {
    return if (result.is_err) error.CallFailed else result.val.ok;
}
