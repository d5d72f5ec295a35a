//! The thread that configuration lands on.
//!
//! It is one of its own because an update is one step, however large it is: a response is decoded
//! at once, and what is ready together is published together. A hundred thousand resources take
//! seconds, and admin must answer its probes meanwhile, names be looked up and signals be heard.
//! Turns between resources would not do: they divide neither the decoding nor the publishing.
//!
//! Nothing waits for this thread on a request's path. What it changes is published to workers
//! through atomics and their inboxes, and what runs for a cluster (DNS, ejections) runs on the
//! control thread.

use std::io;
use std::thread;

use tokio::sync::oneshot;

use super::{Handle, Mesh};

/// The thread, as the control thread sees it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Landing {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Landing {
    /// Follows control planes on a thread of its own. `start` is called there, within its
    /// runtime, so that streams, their connections and their decoding stay there too.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(crate) async fn start(
        start: impl FnOnce() -> (Mesh, Handle) + Send + 'static,
    ) -> io::Result<(Handle, Self)> {
        let (started, handle) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        thread::Builder::new()
            .name("configuration".to_owned())
            .spawn(move || {
                let _witness = Witness;
                let runtime = match tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(started.send(Err(error))),
                };
                runtime.block_on(async {
                    let (mesh, handle) = start();
                    let _ = started.send(Ok(handle));
                    tokio::select! {
                        _ = stopped => {}
                        () = mesh.run() => {}
                    }
                });
                // Its streams are tasks of the runtime: they end with it.
                drop(runtime);
                let _ = done.send(());
            })?;
        let gone = |_| io::Error::other("it ended while it started");
        let handle = handle.await.map_err(gone)??;
        Ok((handle, Self { stop, ended }))
    }

    /// Ends it. An update that it is at is carried out first.
    pub(crate) async fn end(self) {
        drop(self.stop);
        let _ = self.ended.await;
    }
}

/// Tells what a panic means here: the process goes on, and nothing else would say.
struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        if thread::panicking() {
            tracing::error!(
                "the configuration's thread panicked: what is served stays as it is, and control \
                 planes are heard no more"
            );
        }
    }
}
