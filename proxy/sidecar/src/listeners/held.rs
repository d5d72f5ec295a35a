//! Sockets for successors: without `enable_reuse_port` an address can be bound once, so that who
//! takes a listener's place takes its sockets over.

use std::io;
use std::sync::{Arc, Weak};

use tandem_core::drain::{Phase, Watch};
use tandem_model::{Address, Listener};
use tandem_transport::listen::{self, Options};
use tokio::task::AbortHandle;

use super::OfWorker;

/// The sockets of a listener, open until it goes or drains: nobody is to be let in then.
#[derive(Debug)]
pub(super) struct Held {
    sockets: Weak<Vec<(Address, listen::Listening)>>,
    options: Options,
    holder: AbortHandle,
}

impl Held {
    /// `None` where there is nothing to hold: workers have sockets of their own, or none.
    pub(super) fn new(listener: &Listener, sockets: &[OfWorker], mut drain: Watch) -> Option<Self> {
        let options = Options::of(listener);
        let of_first = sockets.first().filter(|_| !options.reuse_port)?;
        let own = listener.addresses().cloned().zip(of_first);
        let tcp = own.filter(|(address, _)| address.socket().is_some());
        let clones = tcp.map(|(address, socket)| Ok((address, socket.try_clone()?)));
        let clones = clones.collect::<io::Result<Vec<_>>>().ok()?;
        if clones.is_empty() {
            return None;
        }
        let clones = Arc::new(clones);
        let sockets = Arc::downgrade(&clones);
        let holder = tokio::spawn(async move {
            drain.reached(Phase::Draining).await;
            drop(clones);
        });
        Some(Self {
            sockets,
            options,
            holder: holder.abort_handle(),
        })
    }

    /// The socket of an address, if a socket with these options would be the same but for its
    /// backlog.
    pub(super) fn at(&self, address: &Address, options: &Options) -> Option<listen::Listening> {
        let same = Options {
            backlog: options.backlog,
            ..self.options
        };
        let sockets = self.sockets.upgrade().filter(|_| same == *options)?;
        let (_, socket) = sockets.iter().find(|(own, _)| own == address)?;
        socket.try_clone().ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.holder.abort();
    }
}
