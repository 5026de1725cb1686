#!/usr/bin/env bash
# The bash completions that clap_complete 4.6.11 generates know no options of subcommands if the name of the program has a hyphen.
# The script names each command after the path to it; one half writes the program's hyphen as `__`, the other half as
# `__subcmd__`, so the two never meet. The verbs themselves are completed, and so is everything in zsh and fish, so one would take
# the script for a good one. lp-host rewrites it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "seen"
version = "0.0.0"
edition = "2024"

[dependencies]
clap = "=4.6.9"
clap_complete = "=4.6.11"
TOML
cat > src/main.rs <<'RS'
use clap::{Arg, Command};
use clap_complete::{Shell, generate};

fn main() {
    let hyphen = std::env::args().any(|word| word == "two-words");
    let name = if hyphen { "two-words" } else { "twowords" };
    let run = Command::new("run").arg(Arg::new("speed").long("speed"));
    let mut program = Command::new(name).subcommand(run);
    generate(Shell::Bash, &mut program, name, &mut std::io::stdout());
}
RS
cargo build --quiet
# What bash offers after `NAME run --sp`.
offered() {
    ./target/debug/seen "$1" > completions.bash
    bash -c 'source ./completions.bash
        function=$(complete -p "$1" | sed "s/.* -F \([^ ]*\) .*/\1/")
        COMP_WORDS=("$1" run --sp) COMP_CWORD=2
        "$function" "$1" --sp run
        echo "${COMPREPLY[*]}"' bash "$1"
}
plain=$(offered twowords)
hyphen=$(offered two-words)
echo "clap 4.6.9, clap_complete 4.6.11, $(bash --version | sed 1q)"
echo "twowords run --sp<TAB>:  '$plain'"
echo "two-words run --sp<TAB>: '$hyphen'"
[ "$plain" = --speed ] && [ -z "$hyphen" ]
