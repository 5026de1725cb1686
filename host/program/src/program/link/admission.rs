//! Reads the certificates of the nodes that listen for clients.

use std::path::Path;

use lp_base::words::{AdmissionPlan, Authorities, BadAuthorities, BadCertificates, Certificates};

use super::authorities::read_pem;
use crate::program::problem::{Problem, Problems};
use crate::program::source::NodePlace;
use crate::program::{Node, Program};

const PEM_HELP: &str = "it is a PEM file, whose certificates begin with `-----BEGIN CERTIFICATE-----`";

/// Who is let in where each node listens, as far as its files can be read.
pub(super) fn read(program: &Program, problems: &mut Problems) -> Vec<AdmissionPlan> {
    program.nodes.iter().map(|node| of_node(program, node, problems)).collect()
}

fn of_node(program: &Program, node: &Node, problems: &mut Problems) -> AdmissionPlan {
    let mut read = Read { program, node, problems };
    let certificates = read.file(node.admission.certificate.as_deref(), NodePlace::ListenCertificate, |pem| {
        Certificates::from_pem(pem).map_err(|error| {
            let help = match error {
                BadCertificates::PrivateKey => "put the key into a file of its own, and name that as `key`",
                _ => PEM_HELP,
            };
            (error.to_string(), help)
        })
    });
    let client_ca = read.file(node.admission.client_ca.as_deref(), NodePlace::ListenClientCa, |pem| {
        Authorities::from_pem(pem).map_err(|error| {
            let help = match error {
                BadAuthorities::PrivateKey => "keep only the certificates in it: a node needs the key of no authority",
                _ => PEM_HELP,
            };
            (error.to_string(), help)
        })
    });
    AdmissionPlan { certificates, key: node.admission.key.clone(), client_ca, token: node.admission.token.clone() }
}

/// Reads the files of a node.
struct Read<'a> {
    program: &'a Program,
    node: &'a Node,
    problems: &'a mut Problems,
}

impl Read<'_> {
    fn file<T>(
        &mut self,
        path: Option<&Path>,
        place: NodePlace,
        parse: impl Fn(&[u8]) -> Result<T, (String, &'static str)>,
    ) -> Option<T> {
        // One that is no file was reported with the other files.
        let path = path.filter(|path| path.is_file())?;
        let (what, help) = match read_pem(path).map(|pem| parse(&pem)) {
            Ok(Ok(parsed)) => return Some(parsed),
            Ok(Err((what, help))) => (what, Some(help.to_owned())),
            Err(error) => (format!("can't be read: {error}"), None),
        };
        let problem = Problem::error("bad-certificate", format!("`{}` {what}", self.program.shown(path)));
        let problem = problem.at(self.program.source.node_span(&self.node.name, place), "no certificates");
        self.problems.push_node(&self.node.name, Problem { help, ..problem });
        None
    }
}
