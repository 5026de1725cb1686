//! Implements every function of `values`, and calls every one of the node that it has a handle of.

const std = @import("std");
const lp = @import("lp");

const imported = "test_matrix_values_";
const exported = "exports_" ++ imported;

/// Functions whose value is passed by itself, and such whose value is passed by a pointer.
const scalars = .{ "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char", "colour", "few", "many" };
const moved = .{ "string", "bytes", "u32s", "s64s", "f64s", "strings", "lists", "point", "sample", "batch", "options", "shape", "shapes", "tuple", "pairs", "results" };

fn Scalar(comptime T: type) type {
    return struct {
        fn echo(v: T) callconv(.c) T {
            return v;
        }
    };
}

/// What an exported function is given is its own; what it returns is freed after.
fn Moved(comptime Pointer: type) type {
    return struct {
        fn echo(v: Pointer, ret: Pointer) callconv(.c) void {
            ret.* = v.*;
        }
    };
}

fn Function(comptime name: []const u8) std.builtin.Type.Fn {
    return @typeInfo(@TypeOf(@field(lp, name))).@"fn";
}

comptime {
    for (scalars) |name| {
        const symbol = exported ++ "echo_" ++ name;
        @export(&Scalar(Function(symbol).return_type.?).echo, .{ .name = symbol });
    }
    for (moved) |name| {
        const symbol = exported ++ "echo_" ++ name;
        @export(&Moved(Function(symbol).param_types[0].?).echo, .{ .name = symbol });
    }
}

export fn exports_test_matrix_values_echo_option(v: ?*u32, ret: *u32) bool {
    ret.* = (v orelse return false).*;
    return true;
}

export fn exports_test_matrix_values_echo_nested_option(v: ?*lp.lp_node_option_string_t, ret: *lp.lp_node_option_string_t) bool {
    ret.* = (v orelse return false).*;
    return true;
}

export fn exports_test_matrix_values_echo_result(ok: bool, v: *lp.lp_node_string_t, ret: *lp.lp_node_string_t, err: *u8) bool {
    if (ok) ret.* = v.* else err.* = lp.EXPORTS_TEST_MATRIX_VALUES_COLOUR_BLUE;
    return ok;
}

const Mixed = lp.lp_node_tuple5_u8_string_f64_option_u64_list_u8_t;

export fn exports_test_matrix_values_echo_mixed(a: u8, b: *lp.lp_node_string_t, c: f64, d: ?*u64, e: *lp.lp_node_list_u8_t, ret: *Mixed) void {
    ret.* = .{ .f0 = a, .f1 = b.*, .f2 = c, .f3 = .{ .is_some = d != null, .val = if (d) |some| some.* else 0 }, .f4 = e.* };
}

export fn exports_test_matrix_values_count(v: *lp.lp_node_list_u8_t, of: u8) u32 {
    return @intCast(std.mem.count(u8, v.ptr[0..v.len], &.{of}));
}

export fn exports_test_matrix_values_nothing() void {}

/// Whether two values are the same, where a NaN is the same as another one and zeros have a sign.
fn same(a: anytype, b: @TypeOf(a)) bool {
    const T = @TypeOf(a);
    switch (@typeInfo(T)) {
        .float => {
            return if (std.math.isNan(a)) std.math.isNan(b) else a == b and std.math.signbit(a) == std.math.signbit(b);
        },
        .@"struct" => |info| {
            if (T == lp.test_matrix_values_shape_t) return sameShape(a, b);
            if (@hasField(T, "is_err")) {
                return a.is_err == b.is_err and if (a.is_err) same(a.val.err, b.val.err) else same(a.val.ok, b.val.ok);
            }
            if (@hasField(T, "is_some")) return a.is_some == b.is_some and (!a.is_some or same(a.val, b.val));
            if (@hasField(T, "len")) {
                if (a.len != b.len) return false;
                for (0..a.len) |i| if (!same(a.ptr[i], b.ptr[i])) return false;
                return true;
            }
            inline for (info.field_names) |name| if (!same(@field(a, name), @field(b, name))) return false;
            return true;
        },
        else => return a == b,
    }
}

fn sameShape(a: lp.test_matrix_values_shape_t, b: lp.test_matrix_values_shape_t) bool {
    if (a.tag != b.tag) return false;
    return switch (a.tag) {
        lp.TEST_MATRIX_VALUES_SHAPE_CIRCLE => same(a.val.circle, b.val.circle),
        lp.TEST_MATRIX_VALUES_SHAPE_POLYGON => same(a.val.polygon, b.val.polygon),
        lp.TEST_MATRIX_VALUES_SHAPE_NAMED => same(a.val.named, b.val.named),
        else => true,
    };
}

fn check(comptime name: []const u8, is_same: bool) void {
    if (is_same) return;
    lp.lp_print("error: " ++ name ++ " came back changed");
    @panic(name);
}

/// Sends each value and compares what comes back.
fn checkScalars(comptime name: []const u8, comptime T: type, values: []const T) void {
    const echo = @field(lp, imported ++ "echo_" ++ name);
    for (values) |value| check(name, same(value, echo(value)));
}

fn checkMoved(comptime name: []const u8, value: anytype) void {
    const echo = @field(lp, imported ++ "echo_" ++ name);
    var given = value;
    var found: @TypeOf(value) = undefined;
    echo(&given, &found);
    check(name, same(given, found));
}

fn list(comptime T: type, items: anytype) T {
    return .{ .ptr = @constCast(items.ptr), .len = items.len };
}

const inf = std.math.inf(f64);

fn largest(comptime T: type) T {
    return std.math.maxInt(T);
}

fn smallest(comptime T: type) T {
    return std.math.minInt(T);
}

fn checkNumbers() void {
    checkScalars("bool", bool, &.{ false, true });
    inline for (.{ .{ "u8", u8 }, .{ "s8", i8 }, .{ "u16", u16 }, .{ "s16", i16 }, .{ "u32", u32 }, .{ "s32", i32 }, .{ "u64", u64 }, .{ "s64", i64 } }) |integer| {
        const T = integer[1];
        checkScalars(integer[0], T, &.{ smallest(T), 0, largest(T) });
    }
    checkScalars("f32", f32, &.{ 0.0, -0.0, 1.5, @floatCast(inf), @floatCast(-inf), std.math.nan(f32) });
    checkScalars("f64", f64, &.{ 5e-324, -1.7976931348623157e308, inf, -inf, std.math.nan(f64) });
    checkScalars("char", u32, &.{ 'a', 0, 'ß', '🦀', 0x10ffff });
    checkScalars("colour", u8, &.{ 0, 1, 2 });
    checkScalars("few", u8, &.{ 0, 2, 5 });
    checkScalars("many", u32, &.{ 0, 1 << 31, std.math.maxInt(u32) });
    var found: u32 = undefined;
    for ([_]u32{ 0, 7 }) |value| {
        var given = value;
        check("option", lp.test_matrix_values_echo_option(&given, &found) and found == value);
    }
    check("option", !lp.test_matrix_values_echo_option(null, &found));
}

var large: [1 << 20]u8 align(8) = undefined;

fn checkLists() void {
    for (&large, 0..) |*byte, i| byte.* = @intCast(i % 128);
    checkMoved("bytes", list(lp.lp_node_list_u8_t, large[0..0]));
    checkMoved("bytes", list(lp.lp_node_list_u8_t, large[0..]));
    checkMoved("u32s", list(lp.lp_node_list_u32_t, std.mem.bytesAsSlice(u32, large[0..])));
    checkMoved("s64s", list(lp.lp_node_list_s64_t, @as([]const i64, &.{ smallest(i64), largest(i64) })));
    checkMoved("f64s", list(lp.lp_node_list_f64_t, @as([]const f64, &.{ 0.0, std.math.nan(f64), -inf })));
    checkMoved("string", lp.lp_text(""));
    checkMoved("string", lp.lp_text("grüße 🦀"));
    @memset(&large, 'x');
    checkMoved("string", list(lp.lp_node_string_t, large[0..]));
    const strings = [_]lp.lp_node_string_t{ lp.lp_text(""), lp.lp_text("a"), lp.lp_text("🦀") };
    checkMoved("strings", list(lp.lp_node_list_string_t, strings[0..]));
    const inner = list(lp.lp_node_list_u16_t, @as([]const u16, &.{ 1, 65535 }));
    const none = list(lp.lp_node_list_u16_t, @as([]const u16, &.{}));
    checkMoved("lists", list(lp.lp_node_list_list_u16_t, @as([]const lp.lp_node_list_u16_t, &.{ none, inner, none })));
    const options = [_]lp.lp_node_option_bool_t{ .{ .is_some = false }, .{ .is_some = true, .val = true }, .{ .is_some = true, .val = false } };
    checkMoved("options", list(lp.lp_node_list_option_bool_t, options[0..]));
    const pairs = [_]lp.lp_node_tuple2_string_u32_t{ .{ .f0 = lp.lp_text("a"), .f1 = 1 }, .{ .f0 = lp.lp_text(""), .f1 = largest(u32) } };
    checkMoved("pairs", list(lp.lp_node_list_tuple2_string_u32_t, pairs[0..]));
    const results = [_]lp.test_matrix_values_result_u32_string_t{
        .{ .is_err = false, .val = .{ .ok = 7 } },
        .{ .is_err = true, .val = .{ .err = lp.lp_text("why") } },
    };
    checkMoved("results", list(lp.test_matrix_values_list_result_u32_string_t, results[0..]));
}

fn checkRecords() void {
    const point: lp.test_matrix_values_point_t = .{ .x = 0.5, .y = -1e300 };
    const tags = [_]lp.lp_node_string_t{ lp.lp_text(""), lp.lp_text("b") };
    const full: lp.test_matrix_values_sample_t = .{
        .name = lp.lp_text("näme"),
        .id = largest(u64),
        .at = point,
        .tags = list(lp.lp_node_list_string_t, tags[0..]),
        .note = .{ .is_some = true, .val = lp.lp_text("note") },
    };
    var bare = full;
    bare.note.is_some = false;
    bare.tags.len = 0;
    bare.at = .{ .x = 0.0, .y = -0.0 };
    checkMoved("point", point);
    checkMoved("sample", full);
    checkMoved("sample", bare);
    checkMoved("batch", lp.test_matrix_values_batch_t{
        .samples = list(lp.test_matrix_values_list_sample_t, @as([]const lp.test_matrix_values_sample_t, &.{ full, bare })),
        .weights = list(lp.lp_node_list_f32_t, @as([]const f32, &.{ 1.5, -0.0 })),
    });
    checkMoved("tuple", lp.lp_node_tuple3_u8_string_f32_t{ .f0 = 255, .f1 = lp.lp_text("é"), .f2 = 0.25 });
    var text = lp.lp_text("b");
    var some: u64 = largest(u64);
    var bytes = list(lp.lp_node_list_u8_t, large[0..1000]);
    var mixed: Mixed = undefined;
    lp.test_matrix_values_echo_mixed(255, &text, -0.0, &some, &bytes, &mixed);
    const expected: Mixed = .{ .f0 = 255, .f1 = text, .f2 = -0.0, .f3 = .{ .is_some = true, .val = some }, .f4 = bytes };
    check("mixed", same(expected, mixed));
}

fn checkCases() void {
    const points = [_]lp.test_matrix_values_point_t{.{ .x = 0.5, .y = -1e300 }};
    var shapes: [4]lp.test_matrix_values_shape_t = undefined;
    for (&shapes, 0..) |*shape, tag| shape.tag = @intCast(tag);
    shapes[lp.TEST_MATRIX_VALUES_SHAPE_CIRCLE].val = .{ .circle = 2.5 };
    shapes[lp.TEST_MATRIX_VALUES_SHAPE_POLYGON].val = .{ .polygon = list(lp.test_matrix_values_list_point_t, points[0..]) };
    shapes[lp.TEST_MATRIX_VALUES_SHAPE_NAMED].val = .{ .named = lp.lp_text("é") };
    for (shapes) |shape| checkMoved("shape", shape);
    checkMoved("shapes", list(lp.test_matrix_values_list_shape_t, shapes[0..]));
    var text: lp.lp_node_option_string_t = undefined;
    check("nested-option", !lp.test_matrix_values_echo_nested_option(null, &text));
    for ([_]lp.lp_node_option_string_t{ .{ .is_some = false }, .{ .is_some = true, .val = lp.lp_text("x") } }) |value| {
        var given = value;
        check("nested-option", lp.test_matrix_values_echo_nested_option(&given, &text) and same(given, text));
    }
    var fine = lp.lp_text("fine");
    var ok: lp.lp_node_string_t = undefined;
    var err: lp.test_matrix_values_colour_t = undefined;
    check("result", lp.test_matrix_values_echo_result(true, &fine, &ok, &err) and same(fine, ok));
    check("result", !lp.test_matrix_values_echo_result(false, &fine, &ok, &err));
    check("result", err == lp.TEST_MATRIX_VALUES_COLOUR_BLUE);
}

export fn exports_wasi_cli_run_run() bool {
    checkNumbers();
    checkLists();
    checkRecords();
    checkCases();
    var bytes = list(lp.lp_node_list_u8_t, @as([]const u8, "abca"));
    check("count", lp.test_matrix_values_count(&bytes, 'a') == 2);
    lp.test_matrix_values_nothing();
    lp.lp_print("every value came back");
    lp.lp_node_program_stop();
    return true;
}
