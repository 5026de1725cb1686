//! Lowers what a program file says of where a node listens, and of who is let in.

use std::net::SocketAddr;

use lp_base::words::{Admission, SecretSource};
use toml::Spanned;

use super::NodeLowering;
use crate::program::file::{ListenFile, SecretFile};
use crate::program::problem::Problem;
use crate::program::source::NodePlace;

impl NodeLowering<'_, '_> {
    pub(super) fn listen(&mut self, listen: Spanned<ListenFile>) -> (Option<SocketAddr>, Admission) {
        let span = listen.span();
        self.place(NodePlace::Listen, span.clone());
        let table = match listen.into_inner() {
            ListenFile::Address(address) => return (self.address(&address), Admission::default()),
            ListenFile::Table(table) => table,
        };
        let address = match table.address {
            Some(address) => {
                let address = self.take(NodePlace::Listen, address);
                self.address(&address)
            }
            None => {
                let problem = Problem::error("bad-address", format!("`listen` of `{}` has no address", self.node));
                let help = "write it as `address = \"127.0.0.1:7001\"`; port 0 lets the system pick one".to_owned();
                let problem = problem.at(Some(span), "needs an `address`").help(help);
                self.lowering.problems.push_node(self.node, problem);
                None
            }
        };
        let admission = Admission {
            certificate: table.certificate.map(|path| self.take(NodePlace::ListenCertificate, path).into()),
            key: table.key.map(|path| self.take(NodePlace::ListenKey, path).into()),
            client_ca: table.client_ca.map(|path| self.take(NodePlace::ListenClientCa, path).into()),
            token: table.token.and_then(|token| self.token(token)),
        };
        (address, admission)
    }

    fn address(&mut self, listen: &str) -> Option<SocketAddr> {
        let address = listen.parse().ok();
        if address.is_none() {
            let problem = Problem::error("bad-address", format!("`{listen}` is not an address"));
            let problem =
                problem.at(self.lowering.source.span(&self.at(NodePlace::Listen)), "an IP address and a port");
            let help = "write it as `127.0.0.1:7001`, or `[::1]:7001`; port 0 lets the system pick one".to_owned();
            self.lowering.problems.push_node(self.node, problem.help(help));
        }
        address
    }

    fn token(&mut self, token: Spanned<SecretFile>) -> Option<SecretSource> {
        let span = token.span();
        self.place(NodePlace::ListenToken, span.clone());
        match token.into_inner() {
            SecretFile { file: Some(file), env: None } => Some(SecretSource::File(file.into())),
            SecretFile { file: None, env: Some(name) } => Some(SecretSource::Env(name)),
            _ => {
                let message = format!("the token of `{}` needs either `file` or `env`", self.node);
                let problem = Problem::error("bad-secret", message).at(Some(span), "where it is");
                let help = "write `{ file = \"…\" }` or `{ env = \"…\" }`; a token does not belong here".to_owned();
                self.lowering.problems.push_node(self.node, problem.help(help));
                None
            }
        }
    }
}
