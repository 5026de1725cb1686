//! Reads the certificates of the authorities that nodes trust beside Mozilla's.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use lp_base::words::{Authorities, BadAuthorities};

use crate::program::problem::{Problem, Problems};
use crate::program::source::NodePlace;
use crate::program::{Node, Program};

/// The most of a file that is read, and goes into the plan: the certificates of all authorities that a system trusts have
/// a quarter of it.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// The authorities of each node that names a file of some, where it can be read.
pub(super) fn read(program: &Program, problems: &mut Problems) -> Vec<Option<Authorities>> {
    program.nodes.iter().map(|node| of_node(program, node, problems)).collect()
}

fn of_node(program: &Program, node: &Node, problems: &mut Problems) -> Option<Authorities> {
    // One that is no file was reported with the other files.
    let path = node.sandbox.http_ca.as_deref().filter(|path| path.is_file())?;
    let (what, help) = match read_pem(path).map(|pem| Authorities::from_pem(&pem)) {
        Ok(Ok(authorities)) => return Some(authorities),
        Ok(Err(error)) => {
            let help = match error {
                BadAuthorities::PrivateKey => {
                    "keep only the certificates in it: a program needs the key of no authority"
                }
                _ => "it is a PEM file, whose certificates begin with `-----BEGIN CERTIFICATE-----`",
            };
            (error.to_string(), Some(help))
        }
        Err(error) => (format!("can't be read: {error}"), None),
    };
    let problem = Problem::error("bad-ca", format!("`{}` {what}", program.shown(path)));
    let span = program.source.node_span(&node.name, NodePlace::HttpCa);
    let problem = problem.at(span, "the authorities that the node trusts");
    problems.push_node(&node.name, Problem { help: help.map(str::to_owned), ..problem });
    None
}

pub(super) fn read_pem(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(path)?.take(PEM_BYTES_MAX + 1).read_to_end(&mut pem)?;
    match pem.len() as u64 > PEM_BYTES_MAX {
        true => Err(io::Error::other("it has more than 1 MiB")),
        false => Ok(pem),
    }
}
