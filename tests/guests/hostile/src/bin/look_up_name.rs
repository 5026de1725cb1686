//! Looks up a name, by which a guest could also tell something to whoever runs the server of that name.

use std::net::ToSocketAddrs;

fn main() {
    let name = hostile::argument(0);
    hostile::end((name.as_str(), 0).to_socket_addrs().map(|addresses| addresses.collect::<Vec<_>>()));
}
