//! How many files and sockets a guest has open, counted in the table where WASI keeps them, and listings of directories.

use lp_base::plan::LimitsPlan;
use lp_base::words::Limit;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{p2, p3, sockets};

use super::{Aside, Breach, LimitHit};

/// Counts what is open, no more often than the limits need.
pub struct Open {
    files_max: u64,
    sockets_max: u64,
    /// The directories that the guest is granted, which one function opens all at once.
    granted: u64,
    /// The functions that can be called until a limit may have been gone beyond.
    unseen: u64,
    aside: Aside,
    breach: Breach,
}

impl Open {
    pub fn new(limits: &LimitsPlan, granted: usize, aside: Aside, breach: Breach) -> Self {
        let granted = granted as u64;
        Self { files_max: limits.open_files, sockets_max: limits.sockets, granted, unseen: 0, aside, breach }
    }

    /// Looks at the `table` if it may have too many in it by now. Called before each function of WASI, which adds one
    /// file or socket at most, or all granted directories.
    pub fn look(&mut self, table: &mut ResourceTable) {
        if let Some(unseen) = self.unseen.checked_sub(1) {
            self.unseen = unseen;
            return;
        }
        let (mut files, mut sockets) = (self.aside.files(), 0);
        for entry in table.iter_mut() {
            files += u64::from(
                entry.is::<p2::bindings::filesystem::types::Descriptor>()
                    || entry.is::<p3::bindings::filesystem::types::Descriptor>(),
            );
            sockets += u64::from(
                entry.is::<p2::TcpSocket>()
                    || entry.is::<p2::UdpSocket>()
                    || entry.is::<sockets::TcpSocket>()
                    || entry.is::<sockets::UdpSocket>(),
            );
        }
        let files_left = (self.files_max + self.granted).checked_sub(files);
        let sockets_left = self.sockets_max.checked_sub(sockets);
        match (files_left, sockets_left) {
            (Some(files), Some(sockets)) => self.unseen = files.min(sockets) / (1 + self.granted),
            (None, _) => self.exceed(LimitHit::new(Limit::OpenFiles, self.files_max), table),
            (_, None) => self.exceed(LimitHit::new(Limit::Sockets, self.sockets_max), table),
        }
    }

    /// Has the replica fail, and nothing more be opened until it does.
    fn exceed(&self, hit: LimitHit, table: &mut ResourceTable) {
        self.breach.note(hit);
        table.set_max_capacity(0);
    }
}
