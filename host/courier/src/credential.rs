//! What a caller shows a callee in another process to prove which node it is of, and how the callee knows it.
//!
//! The launcher makes a credential for every edge of a run. The caller's host sends it with each call; guests never see
//! one.

use std::collections::HashMap;
use std::ops::Range;
use std::{fmt, io};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderValue;
use lp_base::calls::ReplicaIndex;
use lp_base::scheduler::Scheduler;
use serde::{Deserialize, Serialize};

/// A secret that stands for one edge of a run, as base64url.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Credential(String);

impl Credential {
    /// A new one.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn random(scheduler: &Scheduler) -> io::Result<Self> {
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(scheduler.entropy("credentials")?)))
    }
}

impl fmt::Debug for Credential {
    /// Says nothing: whatever is printed ends up in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// Whom a credential stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// The replicas of one node, by their indices.
    Node(Range<u32>),
    /// A client outside of the program.
    Outside,
}

impl Bearer {
    /// Whether a call that claims to come from `caller` can come from this bearer.
    pub fn is(&self, caller: Option<ReplicaIndex>) -> bool {
        match self {
            Self::Node(replicas) => caller.is_some_and(|caller| replicas.contains(&caller.0)),
            Self::Outside => caller.is_none(),
        }
    }
}

/// The credentials that one node accepts.
///
/// Looking one up takes a time that depends on its bytes only through a hash with a random key, so that a credential
/// can't be guessed piece by piece.
#[derive(Debug, Default)]
pub struct Permits(HashMap<Credential, Bearer>);

impl Permits {
    /// The bearer of the credential that a caller has `shown`, if it is accepted.
    pub(crate) fn bearer(&self, shown: &str) -> Option<&Bearer> {
        self.0.get(shown)
    }
}

impl FromIterator<(Credential, Bearer)> for Permits {
    fn from_iter<I: IntoIterator<Item = (Credential, Bearer)>>(permits: I) -> Self {
        Self(permits.into_iter().collect())
    }
}

impl std::borrow::Borrow<str> for Credential {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The credentials that callers of this process show to one node: each replica its own, and clients outside theirs.
#[derive(Debug, Default)]
pub struct Passes(HashMap<Option<ReplicaIndex>, HeaderValue>);

impl Passes {
    /// The credential that `caller` shows. A call of one that has none goes out without, and the callee judges it.
    pub(crate) fn shown_by(&self, caller: Option<ReplicaIndex>) -> Option<&HeaderValue> {
        self.0.get(&caller)
    }
}

impl FromIterator<(Option<ReplicaIndex>, Credential)> for Passes {
    /// Leaves out what is no metadata, which no credential of a launcher is.
    fn from_iter<I: IntoIterator<Item = (Option<ReplicaIndex>, Credential)>>(passes: I) -> Self {
        let pass = |(caller, credential): (_, Credential)| Some((caller, credential.0.parse().ok()?));
        Self(passes.into_iter().filter_map(pass).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_known_to_those_who_accept_it_and_to_nobody_else() {
        let [edge, other] = [0, 1].map(|_| Credential::random(&Scheduler::default()).expect("there is randomness"));
        let permits: Permits = [(edge.clone(), Bearer::Node(3..5))].into_iter().collect();
        let shown = |caller: Option<u32>| {
            let passes = [(Some(ReplicaIndex(3)), edge.clone()), (Some(ReplicaIndex(7)), other.clone())];
            let passes: Passes = passes.into_iter().collect();
            let shown = passes.shown_by(caller.map(ReplicaIndex))?.to_str().ok()?;
            permits.bearer(shown).cloned()
        };
        assert_eq!(shown(Some(3)), Some(Bearer::Node(3..5)));
        assert_eq!(shown(Some(7)), None);
        assert_eq!(shown(None), None);
        assert_eq!(format!("{edge:?}"), "Credential(…)");
    }

    #[test]
    fn a_bearer_can_claim_to_be_nobody_else() {
        let node = Bearer::Node(3..5);
        let claims = [None, Some(2), Some(3), Some(4), Some(5)].map(|index| index.map(ReplicaIndex));
        assert_eq!(claims.map(|caller| node.is(caller)), [false, false, true, true, false]);
        assert_eq!(claims.map(|caller| Bearer::Outside.is(caller)), [true, false, false, false, false]);
    }
}
