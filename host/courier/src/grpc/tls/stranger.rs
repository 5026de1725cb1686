//! Who knocks at a worker and is none of the run's.

use std::fmt;
use std::io;

use rustls::{CertificateError, Error};
use serde::{Deserialize, Serialize};

/// Somebody who connected and is no worker of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stranger {
    /// Says something that is no TLS of the version that workers speak.
    NotTls,
    /// Says nothing, or too little for the time that there is.
    Silent,
    /// Shows no certificate.
    NoCertificate,
    /// Shows a certificate that the run's authority did not make.
    Unknown,
    /// Shows a certificate that is not valid at this time.
    Expired,
    /// Speaks another protocol than workers do.
    OtherProtocol,
}

impl Stranger {
    /// Who ended a handshake with `error`; `None` if it may have been a worker whose connection was lost, or who did not
    /// believe this one, which is for that worker to say.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        match error {
            Error::NoCertificatesPresented => Some(Self::NoCertificate),
            Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Some(Self::Expired),
            Error::InvalidCertificate(_) => Some(Self::Unknown),
            Error::NoApplicationProtocol => Some(Self::OtherProtocol),
            Error::AlertReceived(_) => None,
            _ => Some(Self::NotTls),
        }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTls => "does not speak TLS 1.3",
            Self::Silent => "says nothing",
            Self::NoCertificate => "has no certificate",
            Self::Unknown => "has a certificate of another authority",
            Self::Expired => "has a certificate that is not valid at this time",
            Self::OtherProtocol => "speaks another protocol",
        })
    }
}
