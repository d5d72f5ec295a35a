//! What each endpoint answers, as Envoy's administration interface documents it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use ::http::{Method, StatusCode};
use tandem_core::discovered::Extensions;
use tandem_core::drain::Phase;
use tandem_core::routes::RouteTables;
use tandem_core::stats::Registry;
use tandem_upstream::ClusterManager;
use tandem_xds_translate::Source;
use tandem_xds_translate::cascade::Dump;

use super::config_dump::{self, Ask};
use super::parameters::{self, Format, Refused};
use super::query::{decode, has};
use super::server::in_use;
use super::{certs, clusters, logging, stats};
use crate::drain::Drains;
use crate::explain;
use crate::layers::{NoAdminLayer, RuntimeLayers};
use crate::listeners::Addresses;
use crate::logging::LevelHandle;
use crate::mesh;
use crate::shutdown::Quit;

/// Everything the endpoints look at or change.
pub(crate) struct Admin {
    pub(crate) stats: Registry,
    pub(crate) clusters: Arc<ClusterManager>,
    pub(crate) routes: RouteTables,
    /// The filters' settings that came by themselves.
    pub(crate) extensions: Extensions,
    /// Each listener's name and the address it got.
    pub(crate) listeners: Addresses,
    /// What came from control planes.
    pub(crate) mesh: mesh::Handle,
    /// What the bootstrap was read from, for `/config_dump`: made into JSON only when asked, so
    /// that no tree is kept in memory.
    pub(crate) sources: Vec<Source>,
    /// When it was read.
    pub(crate) read: SystemTime,
    pub(crate) levels: LevelHandle,
    pub(crate) layers: Arc<RuntimeLayers>,
    pub(crate) quit: Quit,
    pub(crate) drains: Arc<Drains>,
    /// How long clients have to leave after `/drain_listeners?graceful`.
    pub(crate) drain_time: Duration,
    pub(crate) state: State,
    pub(crate) started: Instant,
    pub(crate) concurrency: usize,
    /// Held by whoever makes a large answer.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

/// Where the process is in its life; shared by reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct State(Arc<AtomicU8>);

const NAMES: [&str; 3] = ["INITIALIZING", "LIVE", "DRAINING"];

impl State {
    /// Serving.
    pub(crate) fn live(&self) {
        // Who drains already is not live again.
        let _ = self.0.compare_exchange(0, 1, Relaxed, Relaxed);
    }

    /// Ending.
    pub(crate) fn draining(&self) {
        self.0.store(2, Relaxed);
    }

    /// As Envoy numbers it (`admin.v3.ServerInfo.State`).
    pub(crate) fn number(&self) -> u8 {
        match self.0.load(Relaxed) {
            0 => 3,
            1 => 0,
            _ => 1,
        }
    }

    fn name(&self) -> &'static str {
        NAMES[usize::from(self.0.load(Relaxed))]
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Answer {
    pub(super) fn text(body: impl Into<String>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: "text/plain; charset=UTF-8",
            body: body.into(),
        }
    }

    pub(super) fn json(body: &serde_json::Value) -> Self {
        let mut text = format!("{body:#}");
        text.push('\n');
        Self {
            status: StatusCode::OK,
            content_type: "application/json",
            body: text,
        }
    }

    pub(super) fn with(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

fn refuse(refused: &Refused) -> Answer {
    Answer::text(format!("{refused}\n")).with(StatusCode::BAD_REQUEST)
}

fn or_refuse(answer: Result<Answer, Refused>) -> Answer {
    answer.unwrap_or_else(|refused| refuse(&refused))
}

const HELP: &str = "admin commands are:
  /: this list
  /certs: the certificates of all TLS contexts (JSON)
  /clusters: upstream cluster status; ?format=text|json, ?filter=REGEX
  /config_dump: the configuration in force (JSON); ?include_eds, ?resource=LIST, ?mask=FIELDS,
    ?name_regex=REGEX
  /drain_listeners (POST): stop accepting, after the drain time if ?graceful asks clients to
    leave first, never with ?skip_exit; only inbound listeners with ?inboundonly
  /explain: where a request would go, for `tandem explain --admin` (JSON)
  /help: this list
  /listeners: listener addresses; ?format=text|json
  /logging (POST): levels; ?level=LEVEL for all, ?NAME=LEVEL for one logger,
    ?paths=NAME:LEVEL,...
  /quitquitquit (POST): end the process
  /ready: 200 LIVE when serving, else 503 with the state
  /runtime: runtime values, by layer (JSON)
  /runtime_modify (POST): ?NAME=VALUE&... in the admin layer; an empty value takes it back
  /server_info: version, state, uptime (JSON)
  /stats: metrics; ?filter=REGEX, ?invert_filter, ?usedonly, ?format=text|json|prometheus,
    ?type=All|Counters|Gauges|Histograms|TextReadouts, ?pretty
  /stats/prometheus: metrics for Prometheus; ?filter=, ?invert_filter, ?usedonly, ?type=
";

impl Admin {
    /// Answers one request.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        method: &Method,
        path: &str,
        query: &str,
    ) -> Answer {
        let changes = matches!(
            path,
            "/drain_listeners" | "/logging" | "/quitquitquit" | "/runtime_modify"
        );
        if changes && method != Method::POST {
            return Answer::text(format!("method {method} not allowed, POST required"))
                .with(StatusCode::METHOD_NOT_ALLOWED);
        }
        if let Err(refused) = parameters::check(path, query) {
            return refuse(&refused);
        }
        match path {
            "/" | "/help" => Answer::text(HELP),
            "/ready" => self.ready(),
            "/stats" | "/stats/prometheus" => {
                let path = path.to_owned();
                let stats = move |admin: &Self, query: &str| {
                    or_refuse(stats::answer(&admin.stats, &path, query))
                };
                self.apart(query, stats).await
            }
            "/clusters" => {
                let clusters = |admin: &Self, query: &str| or_refuse(admin.clusters(query));
                self.apart(query, clusters).await
            }
            "/certs" => {
                self.apart(query, |admin, _| Answer::json(&admin.certificates()))
                    .await
            }
            "/listeners" => or_refuse(self.listeners(query)),
            "/runtime" => Answer::json(&self.layers.to_json()),
            "/runtime_modify" => self.runtime_modify(query),
            "/server_info" => self.server_info(),
            "/config_dump" => self.config_dump(query).await,
            "/explain" => self.apart(query, Self::explain).await,
            "/logging" => logging::answer(&self.levels, query),
            "/drain_listeners" => self.drain_listeners(query),
            "/quitquitquit" => {
                self.quit.request();
                Answer::text("OK\n")
            }
            _ => Answer::text(format!("invalid path. {HELP}")).with(StatusCode::NOT_FOUND),
        }
    }

    /// Answers off the control thread: of a hundred thousand endpoints it takes a while, and
    /// probes and health checks do not wait for it. One at a time, since such answers are large.
    async fn apart(
        self: &Arc<Self>,
        query: &str,
        answer: impl FnOnce(&Self, &str) -> Answer + Send + 'static,
    ) -> Answer {
        let _turn = self.turn.lock().await;
        self.off_the_thread(query, answer).await
    }

    async fn off_the_thread(
        self: &Arc<Self>,
        query: &str,
        answer: impl FnOnce(&Self, &str) -> Answer + Send + 'static,
    ) -> Answer {
        let (admin, query) = (Arc::clone(self), query.to_owned());
        let answered = tokio::task::spawn_blocking(move || answer(&admin, &query)).await;
        answered.unwrap_or_else(|error| {
            Answer::text(format!("{error}\n")).with(StatusCode::INTERNAL_SERVER_ERROR)
        })
    }

    fn ready(&self) -> Answer {
        let name = self.state.name();
        let status = if name == "LIVE" {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        Answer::text(format!("{name}\n")).with(status)
    }

    fn clusters(&self, query: &str) -> Result<Answer, Refused> {
        let format = Format::of_list(query)?;
        let regex = parameters::regex(query, "filter")?;
        let named = |name: &str| regex.as_ref().is_none_or(|regex| regex.is_full_match(name));
        Ok(match format {
            Format::Json => Answer::json(&clusters::clusters(&self.clusters.statuses(named))),
            _ => Answer::text(self.clusters.admin_text_of(named)),
        })
    }

    fn listeners(&self, query: &str) -> Result<Answer, Refused> {
        let all = self.listeners.all();
        let named = all.iter().map(|(name, address)| (&**name, address));
        Ok(match Format::of_list(query)? {
            Format::Json => Answer::json(&clusters::listeners(named)),
            _ => Answer::text(named.fold(String::new(), |text, (name, address)| {
                text + &format!("{name}::{address}\n")
            })),
        })
    }

    /// Without `graceful` no new connections are taken, and what runs is finished: nobody wants
    /// the requests dropped that Envoy drops then. With it, clients are asked to leave first.
    fn drain_listeners(&self, query: &str) -> Answer {
        let inbound_only = has(query, "inboundonly");
        let (graceful, stay) = (has(query, "graceful"), has(query, "skip_exit"));
        if graceful || stay {
            self.drains.listeners(inbound_only, Phase::Leaving);
        }
        if !stay {
            let (drains, time) = (Arc::clone(&self.drains), self.drain_time);
            let time = if graceful { time } else { Duration::ZERO };
            if time.is_zero() {
                drains.listeners(inbound_only, Phase::Draining);
            } else {
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    drains.listeners(inbound_only, Phase::Draining);
                });
            }
        }
        Answer::text("OK\n")
    }

    fn server_info(&self) -> Answer {
        let uptime = format!("{}s", self.started.elapsed().as_secs());
        Answer::json(&serde_json::json!({
            "version": format!("tandem/{}", env!("CARGO_PKG_VERSION")),
            "state": self.state.name(),
            "uptime_current_epoch": uptime,
            "uptime_all_epochs": uptime,
            "hot_restart_version": "disabled",
            "command_line_options": { "concurrency": self.concurrency },
        }))
    }

    async fn config_dump(self: &Arc<Self>, query: &str) -> Answer {
        let ask = match Ask::of(query) {
            Ok(ask) => ask,
            Err(wrong) => return Answer::text(wrong.to_string()).with(wrong.status()),
        };
        // As in `apart`; what was received is large as well.
        let _turn = self.turn.lock().await;
        let dynamic = self.mesh.dump().await;
        self.off_the_thread(query, move |admin, _| admin.shown(dynamic, &ask))
            .await
    }

    fn shown(&self, dynamic: Dump, ask: &Ask) -> Answer {
        let bootstrap = tandem_xds_translate::to_json(&self.sources).map_err(|e| e.to_string());
        match bootstrap
            .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))
        {
            Ok(bootstrap) => match config_dump::dump((&bootstrap, self.read), dynamic, ask) {
                Ok(dump) => Answer::json(&dump),
                Err(wrong) => Answer::text(wrong.to_string()).with(wrong.status()),
            },
            Err(error) => Answer::text(format!("cannot show the configuration: {error}\n"))
                .with(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn explain(&self, query: &str) -> Answer {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let pairs: Vec<_> = pairs
            .map(|(name, value)| (name.to_owned(), decode(value)))
            .collect();
        let ask = match explain::ask(&pairs) {
            Ok(ask) => ask,
            Err(wrong) => {
                return Answer::text(format!("{wrong}\n")).with(StatusCode::BAD_REQUEST);
            }
        };
        let listeners = self.listeners.served();
        let live = (&self.routes, &self.extensions);
        let answer = explain::answer(&ask, &listeners, live, &self.clusters, true);
        match serde_json::to_value(&answer) {
            Ok(json) => Answer::json(&json),
            Err(error) => {
                Answer::text(format!("{error}\n")).with(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// Of the listeners and clusters that are served, each context on its own.
    fn certificates(&self) -> serde_json::Value {
        let all = in_use(&self.listeners, &self.clusters);
        certs::certificates(&all, SystemTime::now())
    }

    fn runtime_modify(&self, query: &str) -> Answer {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let changes: Vec<_> = pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        if changes.is_empty() {
            let usage = "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n\
                         use an empty value to remove a previously added override";
            return Answer::text(usage).with(StatusCode::BAD_REQUEST);
        }
        match self.layers.modify(&changes) {
            Ok(()) => Answer::text("OK\n"),
            Err(NoAdminLayer) => {
                Answer::text("No admin layer specified").with(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }
}
