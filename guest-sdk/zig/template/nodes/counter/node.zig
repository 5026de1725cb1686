//! A counter: keeps a sum.

var total: u64 = 0;

export fn exports_app_nodes_counter_add(n: u64) u64 {
    total += n;
    return total;
}
