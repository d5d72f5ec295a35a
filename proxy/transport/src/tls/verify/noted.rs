//! What a verifier saw, told to whoever drives the handshake.
//!
//! A verifier is shared by all handshakes of a context and can only say yes or no. It runs
//! inside a poll of the handshake that it belongs to: what it leaves in this thread's place
//! before that poll returns is of that handshake and of no other.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use tandem_core::ext::Certificate;

use super::Failed;

thread_local! {
    static NOTED: RefCell<Noted> = RefCell::default();
}

/// What was seen.
#[derive(Debug, Default)]
pub(in crate::tls) struct Noted {
    /// The peer's certificate.
    pub(in crate::tls) peer: Option<Arc<Certificate>>,
    /// Whether it was checked, and passed.
    pub(in crate::tls) validated: bool,
    /// Which check it failed, and Envoy's words for that.
    pub(in crate::tls) failed: Option<(Failed, String)>,
    /// This side's certificate.
    pub(in crate::tls) local: Option<Arc<Certificate>>,
}

/// Notes something about the handshake that is being polled.
pub(in crate::tls) fn note(write: impl FnOnce(&mut Noted)) {
    NOTED.with_borrow_mut(write);
}

/// What has been noted.
pub(super) fn take() -> Noted {
    NOTED.take()
}

/// Runs a handshake and keeps what is noted of it.
pub(in crate::tls) async fn noting<F: Future>(handshake: F) -> (F::Output, Noted) {
    let mut handshake = pin!(handshake);
    let mut own = Noted::default();
    let output = poll_fn(|cx| {
        NOTED.set(std::mem::take(&mut own));
        let polled = handshake.as_mut().poll(cx);
        own = take();
        polled
    })
    .await;
    (output, own)
}
