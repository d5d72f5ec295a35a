//! From a read bootstrap to a process that serves, and back to nothing.
//!
//! The order matters: components and clusters first, then the sockets (a name in use is an
//! error before anything is promised), then the workers, and `/ready` says LIVE last.

use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tandem_core::discovered::Extensions;
use tandem_core::drain::Phase;
use tandem_core::routes::RouteTables;
use tandem_core::stats;
use tandem_model::Address;
use tandem_upstream::ClusterManager;
use tokio::net::TcpListener;
use tokio::time::Sleep;

use super::Error;
use crate::admin::{self, Admin, Begun, Server, State};
use crate::child::{self, App};
use crate::cli::run::RunOptions;
use crate::config::{self, Loaded};
use crate::drain::Drains;
use crate::layers::RuntimeLayers;
use crate::listeners::{self, Addresses, Listening};
use crate::logging::LevelHandle;
use crate::mesh::{self, Applier, Fitness, Landing, Mesh};
use crate::rotate;
use crate::runtime::Runtimes;
use crate::shutdown::{self, Heard, Quit, Signals};
use crate::tls;
use crate::worker::{self, Drain, Worker};

/// When what start-up ran is done with.
const SETTLED: Duration = Duration::from_secs(1);

/// How long workers may take to cut off what outlasted the drain.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How to serve.
pub(crate) struct Settings {
    /// Worker threads.
    pub(crate) concurrency: usize,
    /// Longest drain.
    pub(crate) drain_time: Duration,
    /// How often access logs are flushed …
    pub(crate) log_flush_interval: Duration,
    /// … or when so many bytes wait.
    pub(crate) log_flush_bytes: usize,
    /// Where to write the admin server's address.
    pub(crate) admin_address_path: Option<PathBuf>,
    /// The embedded store's folder, where the runtime filter names none.
    pub(crate) default_data_dir: Option<PathBuf>,
    /// `tandem run`: nobody else may serve its ports.
    pub(crate) alone: bool,
    /// `tandem proxy`: SIGHUP and SIGUSR2 do not end it.
    pub(crate) outlives_hangups: bool,
    /// The listener of the application's runtime APIs.
    pub(crate) runtime_listener: Option<Arc<str>>,
    /// `tandem run` with a command: start it when everything is ready.
    pub(crate) app: Option<RunOptions>,
}

/// Serves until told to end, or until the application ends.
pub(super) fn serve(
    loaded: Loaded,
    settings: Settings,
    levels: LevelHandle,
) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("cannot start the control thread's runtime"))?;
    runtime.block_on(async move {
        let (started, signals) = Started::start(loaded, &settings, levels).await?;
        started.until_end(settings, signals).await
    })
}

/// Gives back the memory of the code that only start-up ran: three quarters of it.
async fn release_start_up() {
    tokio::time::sleep(SETTLED).await;
    if let Err(error) = tandem_transport::code::release() {
        tracing::debug!(%error, "the code of start-up stays in memory");
    }
}

/// A process that serves.
struct Started {
    workers: Vec<Worker>,
    runtimes: Runtimes,
    drains: Arc<Drains>,
    logs: tandem_stack::access_log::Sinks,
    state: State,
    server: Arc<Server>,
    quit: Quit,
    addresses: Addresses,
    mesh: mesh::Handle,
    landing: Landing,
    begun: Instant,
}

impl Started {
    async fn start(
        loaded: Loaded,
        settings: &Settings,
        levels: LevelHandle,
    ) -> Result<(Self, Signals), Error> {
        let (begun, read) = (Instant::now(), SystemTime::now());
        let Loaded {
            mut bootstrap,
            sources,
        } = loaded;
        let control = tokio::runtime::Handle::current();
        let (state, quit, drains) = (State::default(), Quit::default(), Arc::new(Drains::new()));
        let stats = stats::Registry::new(&bootstrap.metrics);
        // Before anything is built that asks for a value.
        let layers = Arc::new(RuntimeLayers::new(bootstrap.runtime.clone(), &stats));
        let clusters = ClusterManager::new(&bootstrap.clusters, &stats, &control);
        tls::start(&bootstrap, clusters.tls());
        let logs = tandem_stack::access_log::Sinks::new(
            settings.log_flush_interval,
            settings.log_flush_bytes,
        );
        if settings.outlives_hangups {
            shutdown::outlive_hangups()
                .map_err(Error::system("cannot take over SIGHUP and SIGUSR2"))?;
        }
        rotate::on_signal(logs.clone()).map_err(Error::system("cannot take over SIGUSR1"))?;
        let runtimes = Runtimes::start(&bootstrap, settings.default_data_dir.as_deref()).await?;
        let (routes, extensions) = (RouteTables::default(), Extensions::default());
        let mut workers = Vec::with_capacity(settings.concurrency);
        for index in 0..settings.concurrency {
            let (clusters, stats) = (Arc::clone(&clusters), stats.clone());
            let (logs, runtimes) = (logs.clone(), runtimes.clone());
            let live = (routes.clone(), extensions.clone());
            let node = bootstrap.node.clone();
            let deps = move |directory| {
                runtimes.deps(clusters.worker(), stats, directory, live, logs, node)
            };
            let drain = Drain {
                sides: drains.sides(),
                time: settings.drain_time,
            };
            workers.push(
                worker::spawn(index, drain, deps)
                    .map_err(Error::system("cannot start a worker thread"))?,
            );
        }
        let senders = workers.iter().map(|worker| worker.commands.clone());
        let mut listening = Listening::new(senders.collect(), &drains, &stats);
        for listener in &bootstrap.listeners {
            if settings.alone {
                listeners::alone(listener)?;
            }
            listening.reserve(listener)?;
        }
        let addresses = listening.addresses();
        let node = config::node(&bootstrap, &sources)?;
        let admin = bootstrap.admin.take();
        let applier = Applier::new(&clusters, &routes, &extensions, &layers, listening);
        let fitness = Fitness::new(clusters.tls().secrets(), &runtimes);
        // Before the workers serve: who has been answered may ask the process to end.
        let signals = match &settings.app {
            None => Signals::new(),
            // What the sidecar hears is for the application, which would outlive it otherwise.
            Some(_) => Signals::with_application(),
        };
        let signals = signals.map_err(Error::system("cannot take over signals"))?;
        let (streams, counters) = (clusters.worker(), stats.clone());
        let (handle, landing) = Landing::start(move || {
            Mesh::start(&bootstrap, node, streams, &counters, applier, fitness)
        })
        .await
        .map_err(Error::system("cannot start the configuration's thread"))?;
        let server = Arc::new(Server {
            state: state.clone(),
            started: begun,
            concurrency: settings.concurrency,
            clusters: Arc::clone(&clusters),
            listeners: addresses.clone(),
            registry: stats.clone(),
            begun: Begun::not_yet(&stats),
        });
        stats.add(&server);
        if let Some(admin) = &admin {
            let socket = bind_admin(&admin.address, settings).await?;
            let endpoints = Admin {
                layers,
                stats: stats.clone(),
                clusters: Arc::clone(&clusters),
                routes: routes.clone(),
                extensions: extensions.clone(),
                listeners: addresses.clone(),
                mesh: handle.clone(),
                sources,
                read,
                levels,
                quit: quit.clone(),
                drains: Arc::clone(&drains),
                drain_time: settings.drain_time,
                state: state.clone(),
                started: begun,
                concurrency: settings.concurrency,
                turn: tokio::sync::Mutex::default(),
            };
            tokio::spawn(admin::serve(socket, Arc::new(endpoints)));
        }
        let started = Self {
            workers,
            runtimes,
            drains,
            logs,
            state,
            server,
            quit,
            addresses,
            mesh: handle,
            landing,
            begun,
        };
        Ok((started, signals))
    }

    /// Says that it serves, once what was asked for at start has come, and every worker serves it.
    async fn live(&mut self) {
        self.mesh.initialized().await;
        for worker in &self.workers {
            worker.caught_up().await;
        }
        self.server.live(self.begun.elapsed());
        let addresses = self.addresses.all();
        tracing::info!(
            workers = self.workers.len(),
            listeners = addresses.len(),
            elapsed_ms = self.begun.elapsed().as_millis(),
            "serving"
        );
        for (name, address) in &addresses {
            tracing::info!(listener = %name, %address, "listening");
        }
        tokio::spawn(release_start_up());
    }

    async fn until_end(
        mut self,
        settings: Settings,
        mut signals: Signals,
    ) -> Result<ExitCode, Error> {
        let quit = self.quit.clone();
        let ended_early = tokio::select! {
            () = self.live() => None,
            heard = ending(&mut signals) => Some(early(heard, &settings)),
            () = quit.requested() => Some(0),
        };
        if let Some(code) = ended_early {
            return self.drain(None, code, settings, signals).await;
        }
        let mut app = match &settings.app {
            None => None,
            Some(options) => Some(App::start(
                &options.command,
                &self.app_environment(options, settings.runtime_listener.as_deref()),
            )?),
        };
        let mut code = 0;
        loop {
            tokio::select! {
                heard = signals.next() => {
                    if let Some(app) = &app {
                        app.pass_on(heard);
                    }
                    if !heard.ends() {
                        continue;
                    }
                    tracing::info!(signal = %heard, "ending");
                }
                () = self.quit.requested() => {
                    tracing::info!("ending, as the admin server was asked");
                    if let Some(app) = &app {
                        app.terminate();
                    }
                }
                status = ended(&mut app) => {
                    code = child::exit_code(status);
                    app = None;
                }
            }
            break;
        }
        self.drain(app, code, settings, signals).await
    }

    /// Lets what runs finish, the application first: its calls still need the mesh.
    async fn drain(
        mut self,
        app: Option<App>,
        mut code: u8,
        settings: Settings,
        mut signals: Signals,
    ) -> Result<ExitCode, Error> {
        self.state.draining();
        let over = tokio::time::sleep(settings.drain_time);
        tokio::pin!(over);
        let mut in_time = true;
        if let Some(mut app) = app {
            in_time = end_app(&mut app, &mut signals, over.as_mut(), &mut code).await;
        }
        self.drains.all(Phase::Draining);
        // A subscription's stream ends only when it is told to: nothing else would end it.
        self.runtimes.close();
        if in_time {
            let ended = async {
                all_ended(&mut self.workers).await;
                self.runtimes.finished().await;
            };
            tokio::select! {
                () = ended => tracing::info!("drained"),
                () = over => in_time = false,
                _ = ending(&mut signals) => tracing::warn!("ending at once on a second signal"),
            }
        }
        if !in_time {
            tracing::warn!(
                seconds = settings.drain_time.as_secs(),
                "drain time is over"
            );
        }
        self.drains.all(Phase::Closing);
        // What they cut off is logged; a worker that is stuck keeps nobody from ending.
        let _ = tokio::time::timeout(LAST_WORDS, all_ended(&mut self.workers)).await;
        // Nor does a large update that lands right now.
        let _ = tokio::time::timeout(LAST_WORDS, self.landing.end()).await;
        drop(self.runtimes);
        self.logs.flush();
        Ok(ExitCode::from(code))
    }

    fn app_environment(
        &self,
        options: &RunOptions,
        runtime: Option<&str>,
    ) -> Vec<(&'static str, String)> {
        let addresses = self.addresses.all();
        let port = |name: &str| {
            addresses
                .iter()
                .find(|(listener, _)| &**listener == name)
                .and_then(|(_, address)| address.socket())
                .map(|address| address.port().to_string())
        };
        let mut env = vec![("APP_ID", options.app_id.clone())];
        if let Some(app) = options.app_port {
            env.push(("APP_PORT", app.to_string()));
        }
        if let Some(runtime) = runtime.and_then(port) {
            env.push(("runtime_GRPC_PORT", runtime.clone()));
            env.push(("TANDEM_RUNTIME_PORT", runtime));
        }
        if let Some(outbound) = port(crate::defaults::OUTBOUND_LISTENER) {
            env.push(("TANDEM_OUTBOUND_PORT", outbound));
        }
        env
    }
}

/// The exit code of a process that is asked to end before its application runs.
fn early(heard: Heard, settings: &Settings) -> u8 {
    tracing::info!(signal = %heard, "ending");
    // The application has no code that could be told.
    settings
        .app
        .as_ref()
        .map_or(0, |_| child::code_of(heard.signal))
}

/// Resolves when every worker is gone. Dropped before, it can be asked again.
async fn all_ended(workers: &mut Vec<Worker>) {
    while let Some(worker) = workers.last_mut() {
        let _ = (&mut worker.ended).await;
        workers.pop();
    }
}

/// The next signal that asks to end.
async fn ending(signals: &mut Signals) -> Heard {
    loop {
        let heard = signals.next().await;
        if heard.ends() {
            return heard;
        }
    }
}

/// Waits for the application, which goes on hearing what comes, and kills it when `over`
/// resolves before; whether it ended by itself.
async fn end_app(
    app: &mut App,
    signals: &mut Signals,
    mut over: Pin<&mut Sleep>,
    code: &mut u8,
) -> bool {
    let mut in_time = true;
    loop {
        let heard = tokio::select! {
            status = app.ended() => {
                *code = child::exit_code(status);
                return in_time;
            }
            heard = signals.next() => Some(heard),
            () = over.as_mut(), if in_time => None,
        };
        match heard {
            Some(heard) => app.pass_on(heard),
            None => {
                in_time = false;
                app.kill();
            }
        }
    }
}

async fn ended(app: &mut Option<App>) -> std::process::ExitStatus {
    match app {
        Some(app) => app.ended().await,
        None => std::future::pending().await,
    }
}

async fn bind_admin(address: &Address, settings: &Settings) -> Result<TcpListener, Error> {
    let failed = |source| Error::Admin {
        address: address.to_string(),
        source,
    };
    let Some(socket) = address.socket() else {
        return Err(failed(std::io::Error::other(
            "expected an IP address and a port",
        )));
    };
    let listener = TcpListener::bind(socket).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tracing::info!(address = %bound, "admin");
    if let Some(path) = &settings.admin_address_path {
        std::fs::write(path, bound.to_string()).map_err(|error| Error::write(path, error))?;
    }
    Ok(listener)
}
