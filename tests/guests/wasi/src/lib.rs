//! A node that checks one behaviour of WASI 0.3: its first argument is the name of the check, which is that of the test of
//! <https://github.com/WebAssembly/wasi-testsuite> with the same claims. A check that fails panics, with its place.

/// Fails with what the value is, unless the pattern fits it.
macro_rules! is {
    ($value:expr, $($pattern:tt)+) => {
        match $value {
            $($pattern)+ => {}
            other => panic!("`{}` is {other:?}", stringify!($value)),
        }
    };
}

mod command;
mod files;
mod http;
mod sockets;

wasip3::cli::command::export!(Checks);

struct Checks;

impl wasip3::exports::cli::run::Guest for Checks {
    async fn run() -> Result<(), ()> {
        let name = std::env::args().nth(1).expect("the test names a check");
        let (group, rest) = name.split_once('-').unwrap_or((&name, ""));
        match group {
            "filesystem" => files::check(rest).await,
            "sockets" => sockets::check(rest).await,
            "http" => http::check(rest),
            "run" => return Err(()),
            _ => command::check(&name).await,
        }
        println!("passed");
        Ok(())
    }
}
