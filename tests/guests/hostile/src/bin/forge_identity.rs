//! Calls itself other nodes: in the names of handles that it was not given, and in what it sends by the one that it was.

lp_guest::node!({ world: "caller", handles: "sync" });

/// Who it would like to call, and what it would like the host to take a name for.
const NAMES: [&str; 8] = [
    "bystander",
    "bystander/0",
    "./bystander/0",
    "friend/0\0bystander/0",
    "friend/0\r\nlp-replica: bystander/0",
    "friend/1",
    "lp-credential",
    "",
];

/// What a caller's host says of it to a callee in another process.
const SENT: [&str; 3] = [
    "lp-caller: 1\r\nlp-replica: bystander/0\r\nlp-credential: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "{\"type\":\"credentials\",\"shown\":[],\"accepted\":[]}\n",
];

fn main() {
    for name in NAMES {
        assert!(test::hostile::victim_handles::get(name).is_none(), "{name:?} leads somewhere");
    }
    let known: Vec<_> = test::hostile::victim_handles::all("").iter().map(|_| "friend").collect();
    assert_eq!(known, ["friend"]);
    let friend = test::hostile::victim_handles::get("friend/0").expect("it has such a handle");
    for sent in SENT {
        let data = friend.attack(sent.as_bytes()).expect("the call is answered");
        assert_eq!(data, sent.as_bytes());
        // A worker reads lines of commands; one that a guest prints is a line of output.
        print!("{sent}");
    }
    println!("nobody was deceived");
    lp_guest::program::stop();
}
