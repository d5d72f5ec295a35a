//! Worker threads: each with its own runtime, listening sockets, pools and services.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use futures_util::future::join_all;
use tandem_core::directory::{Directory, Entry};
use tandem_core::drain::Watch;
use tandem_model::listener::{Listener, NetworkFilter};
use tandem_stack::access_log::Sinks;
use tandem_stack::{Deps, hcm, listener};
use tokio::sync::oneshot;

/// A listening socket of one worker, with what it listens for.
pub(crate) struct Bound {
    pub(crate) listener: Arc<Listener>,
    pub(crate) socket: TcpListener,
    pub(crate) drain: Watch,
}

/// Starts a worker. `deps` is called on the new thread, within its runtime, so that whatever
/// is per worker is made there. The receiver resolves when the worker has drained,
/// or has cut off what it still served.
pub(crate) fn spawn(
    index: usize,
    bound: Vec<Bound>,
    deps: impl FnOnce(Directory) -> Deps + Send + 'static,
) -> io::Result<oneshot::Receiver<()>> {
    let (done, ended) = oneshot::channel();
    thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime,
                Err(error) => {
                    tracing::error!(%error, index, "cannot start a worker's runtime");
                    return;
                }
            };
            let logs = runtime.block_on(serve(bound, deps));
            // Connections that outlasted the drain are tasks of the runtime: they end with it.
            logs.end_worker(runtime);
            let _ = done.send(());
        })?;
    Ok(ended)
}

async fn serve(bound: Vec<Bound>, deps: impl FnOnce(Directory) -> Deps) -> Sinks {
    let directory = Directory::default();
    let deps = deps(directory.clone());
    let mut entries = Vec::new();
    let mut running = Vec::with_capacity(bound.len());
    for Bound {
        listener,
        socket,
        drain,
    } in bound
    {
        let service = match listener.chains().next().map(|chain| &chain.filter) {
            Some(NetworkFilter::Http(manager)) => {
                let service = hcm::build(manager, &listener, &deps);
                entries.push(Entry {
                    listener: Arc::clone(&listener.name),
                    direction: listener.traffic_direction,
                    service: service.clone(),
                });
                Some(service)
            }
            Some(NetworkFilter::Tcp(_)) | None => None,
        };
        running.push(listener::run(
            socket,
            listener,
            service,
            deps.clone(),
            drain,
        ));
    }
    directory.publish(entries);
    let logs = deps.logs.clone();
    tokio::select! {
        _ = join_all(running) => {}
        () = logs.keep_flushing() => {}
    }
    logs
}
