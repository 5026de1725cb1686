//! Answers to clients that take them slowly, and requests that become more than they look.

use rustix::process::Signal;

use super::{block_on, call, connect, echo, ended, peak_kib, request, server, taken};
use crate::grpc::address;
use crate::hostile::component;
use crate::run::Program;
use crate::runs::{Machine, eventually};

/// Whether every replica of every run has ended.
fn all_ended(machine: &Machine) -> bool {
    let states = machine.ps().into_iter().flat_map(|run| run["replicas"].as_array().cloned().unwrap_or_default());
    states.into_iter().all(|replica| replica["state"] == "ended")
}

#[test]
fn an_answer_is_taken_to_its_end_after_the_nodes_have_ended() {
    const BYTES: usize = 12 << 20;
    for &launch_type in crate::host::ALL_LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(&format!("grace = '60s'\n{}", server(""))));
        let mut going = machine.launch(&program, launch_type);
        going.expect_line("b/0 │ up");
        let address = address(&mut going);
        let answer = block_on(async {
            let mut sender = connect(&address).await;
            let response = call(&mut sender, &[], echo(BYTES, BYTES), true).await.expect("it is answered");
            // The client has no room for most of it.
            going.signal(Signal::TERM);
            eventually("the end of all nodes", || all_ended(&machine));
            taken(response).await
        });
        assert_eq!((answer.0, answer.1.as_str()), (200, "0"), "{launch_type}");
        assert!(answer.2 > BYTES, "{launch_type}: {} bytes", answer.2);
        assert_eq!(going.child.wait().expect("it can be waited for").code(), Some(143), "{launch_type}");
    }
}

#[test]
fn a_client_that_takes_nothing_is_not_waited_for_after_the_grace_period_or_another_signal() {
    for &launch_type in crate::host::ALL_LAUNCH_TYPES {
        for (grace, signals) in [("300ms", 1), ("1h", 2)] {
            let (machine, program) = (Machine::new(), Program::new(&format!("grace = '{grace}'\n{}", server(""))));
            let mut going = machine.launch(&program, launch_type);
            going.expect_line("b/0 │ up");
            let address = address(&mut going);
            block_on(async {
                let mut sender = connect(&address).await;
                let response = call(&mut sender, &[], echo(12 << 20, 12 << 20), true).await;
                going.signal(Signal::TERM);
                eventually("the end of all nodes", || all_ended(&machine));
                (1..signals).for_each(|_| going.signal(Signal::TERM));
                eventually("the end of the run", || going.child.try_wait().expect("it can be asked").is_some());
                drop(response);
            });
            assert_eq!(going.child.wait().expect("it has ended").code(), Some(143), "{launch_type}");
        }
    }
}

#[test]
fn a_request_is_judged_by_what_it_becomes() {
    // An element takes two bytes of the message and 16 KiB of the callee's memory.
    let elements = |count: usize| {
        let message = [0x0a, 0].repeat(count);
        [&[0][..], &u32::try_from(message.len()).expect("it is short").to_be_bytes(), &message].concat().into()
    };
    let program = Program::new(&format!(
        "[nodes.a]\ncomponent = '{}'\nlisten = '127.0.0.1:0'\n\
         [nodes.b]\nASYNC\nhandles = {{ probe = 'b' }}\nargs = ['print:up', 'wait-for-stop']\n",
        component("wide").display()
    ));
    for &launch_type in crate::host::ALL_LAUNCH_TYPES {
        let machine = Machine::new();
        let mut going = machine.launch(&program, launch_type);
        going.expect_line("b/0 │ up");
        let address = address(&mut going);
        let before = peak_kib(&machine, &going);
        block_on(async {
            let mut sender = connect(&address).await;
            let mut take = async |message| {
                let path = request("/test.hostile.Wide/Take", &[]);
                let (response, mut stream) = sender.send_request(path, false).expect("the connection is open");
                stream.send_data(message, true).expect("the connection is open");
                ended(response).await.1
            };
            assert_eq!(take(elements(3)).await, "0", "{launch_type}");
            // 200 KB that would become 1.6 GiB.
            assert_eq!(take(elements(100_000)).await, "11", "{launch_type}");
            assert_eq!(take(elements(3)).await, "0", "{launch_type}");
        });
        let grown = peak_kib(&machine, &going).saturating_sub(before);
        assert!(grown < 64 * 1024, "{launch_type}: it took {grown} KiB more");
        going.signal(Signal::TERM);
        assert_eq!(going.child.wait().expect("it can be waited for").code(), Some(143), "{launch_type}");
    }
}
