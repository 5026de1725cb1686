//! Greets in Zig.

const std = @import("std");
const lp = @import("lp");

export fn exports_example_greeting_greeter_greet(name: *lp.lp_node_string_t, ret: *lp.lp_node_string_t) void {
    var buffer: [256]u8 = undefined;
    const text = std.fmt.bufPrint(&buffer, "hello, {s}, from Zig", .{name.ptr[0..name.len]}) catch "hello from Zig";
    lp.lp_node_string_dup_n(ret, text.ptr, text.len);
    lp.lp_node_string_free(name);
}
