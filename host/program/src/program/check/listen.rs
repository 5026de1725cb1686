//! The rules of who is let in where a node listens.

use super::{NodeCheck, Problem};
use crate::program::source::NodePlace;
use crate::program::{Admission, SecretSource};

impl NodeCheck<'_> {
    /// Whether everything that lets clients in is there, and encrypted where others could read it.
    pub(super) fn admission(&mut self) {
        let Admission { certificate, key, client_ca, token } = &self.node.admission;
        let files = [
            (certificate.as_deref(), NodePlace::ListenCertificate),
            (key.as_deref(), NodePlace::ListenKey),
            (client_ca.as_deref(), NodePlace::ListenClientCa),
        ];
        for (path, place) in files {
            if let Some(path) = path {
                self.is_file(path, place);
            }
        }
        if let Some(SecretSource::File(path)) = token {
            self.is_file(path, NodePlace::ListenToken);
        }
        let certificate_alone = "a certificate needs its private key: add `key = \"server.key\"`";
        let needs_certificate = |what| format!("{what} needs an encrypted connection: add `certificate` and `key`");
        match (certificate, key) {
            (Some(_), None) => {
                self.incomplete(NodePlace::ListenCertificate, "has no `key`", certificate_alone.to_owned())
            }
            (None, Some(_)) => self.incomplete(
                NodePlace::ListenKey,
                "has no `certificate`",
                "a key belongs to a certificate: add `certificate = \"server.pem\"`".to_owned(),
            ),
            _ => {}
        }
        if certificate.is_some() {
            return;
        }
        if client_ca.is_some() {
            let help = needs_certificate("a client's certificate");
            self.incomplete(NodePlace::ListenClientCa, "clients can't show one", help);
        }
        let is_of_machine = self.node.listen.is_none_or(|address| address.ip().is_loopback());
        if token.is_some() && !is_of_machine {
            let help = format!("{}, or listen at `127.0.0.1`", needs_certificate("a token"));
            self.incomplete(NodePlace::ListenToken, "anybody on the way could read it", help);
        }
    }

    fn incomplete(&mut self, place: NodePlace, label: &str, help: String) {
        let message = format!("`listen` of `{}` is incomplete", self.node.name);
        let problem = Problem::error("bad-listen", message).at(self.span(place), label);
        self.report([problem.help(help)]);
    }
}
