//! REST: a request for all that there is, again and again.

use std::pin::pin;
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::http::{HeaderValue, Request, StatusCode, header};
use tonic::codegen::{Body as HttpBody, Bytes, StdError};

use super::Decode;
use super::subscription::{Did, Subscription};
use crate::node::Node;
use crate::wire::DiscoveryRequest;
use crate::{Backoff, Connection, Consumer, NoService, method};

/// One type that is fetched by POST with JSON, as Envoy's `api_type: REST` is.
pub struct Rest {
    path: &'static str,
    node: serde_json::Value,
    timing: Timing,
    decode: Decode,
    subscription: Subscription,
    connection: watch::Sender<Connection>,
}

/// When REST asks, and how long it waits.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Between two requests (Envoy's `refresh_delay`).
    pub refresh: Duration,
    /// Up to this much is drawn and added to `refresh`, so that proxies do not ask in step.
    pub jitter: Duration,
    /// For one request with its response (Envoy's `request_timeout`).
    pub request: Duration,
    /// After errors, where it waits longer than `refresh`.
    pub backoff: Backoff,
}

impl Timing {
    /// Envoy's: a jitter and a time limit of 1 s.
    pub fn new(refresh: Duration) -> Self {
        Self {
            refresh,
            jitter: Duration::from_secs(1),
            request: Duration::from_secs(1),
            backoff: Backoff::default(),
        }
    }
}

impl Rest {
    /// A type that asks for everything (`wildcard`) or, so far, for nothing, and its consumer.
    /// `decode` reads the JSON of a response.
    pub fn new(
        type_url: impl Into<String>,
        wildcard: bool,
        fetch_timeout: Option<Duration>,
        node: &Node,
        timing: Timing,
        decode: Decode,
    ) -> Result<(Self, Consumer), NoService> {
        let url = type_url.into();
        let Some(path) = method::rest(&url) else {
            return Err(NoService::Type(url));
        };
        let (subscription, consumer) = Subscription::new(url, wildcard, fetch_timeout);
        let rest = Self {
            path,
            node: node.to_json(),
            timing,
            decode,
            subscription,
            connection: watch::Sender::default(),
        };
        Ok((rest, consumer))
    }

    /// Whether the last request was answered, as it changes.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.connection.subscribe()
    }

    /// Runs until the consumer and its offers are dropped. A request that fails is made of the
    /// next of the services, and after the last of the first.
    pub async fn run<T>(mut self, first: T, backups: impl IntoIterator<Item = T>)
    where
        T: GrpcService<Body> + Send,
        T::Future: Send,
        T::ResponseBody: HttpBody + Send,
        <T::ResponseBody as HttpBody>::Error: Into<StdError>,
    {
        let mut services: Vec<T> = std::iter::once(first).chain(backups).collect();
        let mut server = 0;
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            let request = match next <= now {
                true => self.subscription.request(),
                false => None,
            };
            let Some(request) = request else {
                let waits = next > now;
                tokio::select! {
                    did = self.subscription.next() => match did {
                        Did::Left => return,
                        Did::Subscribed => next = now,
                        Did::Other => {}
                    },
                    () = sleep_until(next), if waits => {}
                }
                continue;
            };
            let request = self.http(&request);
            let mut again = false;
            let fetched = {
                let fetch = fetch(&mut services[server], request);
                let mut fetch = pin!(timeout(self.timing.request, fetch));
                loop {
                    tokio::select! {
                        fetched = &mut fetch => break fetched,
                        did = self.subscription.next() => match did {
                            Did::Left => return,
                            Did::Subscribed => again = true,
                            Did::Other => {}
                        },
                    }
                }
            };
            let fetched = fetched.unwrap_or_else(|_| Err("timed out".to_owned()));
            let wait = match self.outcome(fetched, server) {
                Ok(()) => self.refresh(),
                Err(()) => {
                    if services.len() > 1 {
                        server = (server + 1) % services.len();
                        self.subscription.server(server);
                    }
                    self.refresh().max(self.timing.backoff.next_wait())
                }
            };
            next = match again {
                true => Instant::now(),
                false => Instant::now() + wait,
            };
        }
    }

    fn refresh(&self) -> Duration {
        self.timing.refresh + self.timing.jitter.mul_f64(rand::random::<f64>())
    }

    fn outcome(&mut self, fetched: Result<Option<Bytes>, String>, server: usize) -> Result<(), ()> {
        let read = fetched.and_then(|body| match body {
            Some(body) => self.subscription.fetched(&body, &self.decode),
            None => {
                self.subscription.unchanged();
                Ok(())
            }
        });
        let connected = read.is_ok();
        let failure = read.err();
        if connected {
            self.timing.backoff.reset();
        } else {
            self.subscription.failed();
        }
        self.connection.send_if_modified(|state| {
            let old = state.clone();
            state.connected = connected;
            state.server = server;
            if failure.is_some() {
                state.failure = failure;
            }
            old != *state
        });
        if connected { Ok(()) } else { Err(()) }
    }

    fn http(&self, request: &DiscoveryRequest) -> Request<Body> {
        let mut json = serde_json::json!({
            "node": self.node,
            "type_url": request.type_url,
        });
        let texts = [
            ("version_info", &request.version_info),
            ("response_nonce", &request.response_nonce),
        ];
        for (name, text) in texts {
            if !text.is_empty() {
                json[name] = text.as_str().into();
            }
        }
        if !request.resource_names.is_empty() {
            json["resource_names"] = request.resource_names.as_slice().into();
        }
        if let Some(error) = &request.error_detail {
            json["error_detail"] = serde_json::json!({
                "code": error.code,
                "message": error.message,
            });
        }
        let json = Bytes::from(json.to_string());
        let length = HeaderValue::from(json.len());
        let mut request = Request::new(Body::new(http_body_util::Full::new(json)));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::from_static(self.path);
        let kind = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        // A transport that streams would send chunks, which simple servers do not read.
        request.headers_mut().insert(header::CONTENT_LENGTH, length);
        request
    }
}

/// One request; `None` where nothing has changed.
async fn fetch<T>(service: &mut T, request: Request<Body>) -> Result<Option<Bytes>, String>
where
    T: GrpcService<Body>,
    <T::ResponseBody as HttpBody>::Error: Into<StdError>,
{
    std::future::poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(|error| error.into().to_string())?;
    let response = service.call(request).await;
    let response = response.map_err(|error| error.into().to_string())?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED => return Ok(None),
        status => return Err(format!("status {status}, expected 200 or 304")),
    }
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| error.into().to_string())?;
    Ok(Some(body.to_bytes()))
}
