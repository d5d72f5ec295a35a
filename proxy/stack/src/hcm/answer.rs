//! The connection manager's rules for answers, whoever made them.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{CONNECTION, DATE, SERVER, TRANSFER_ENCODING, UPGRADE, VIA};
use http::{HeaderValue, StatusCode};
use tandem_core::ext::StreamInfo;
use tandem_core::{Error, Request, Response, headers::has_connection_fields};
use tandem_model::hcm::ServerHeader;
use tower::{Layer, Service};

use super::Settings;
use super::request::{KEEP_ALIVE, PROXY_CONNECTION, append_to_list};
use crate::after::{After, Finally};
use tandem_core::headers::X_REQUEST_ID;

/// Wraps services in [`Answer`].
#[derive(Clone, Debug)]
pub struct AnswerLayer {
    settings: Arc<Settings>,
}

impl AnswerLayer {
    /// Applies a connection manager's rules.
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl<S> Layer<S> for AnswerLayer {
    type Service = Answer<S>;

    fn layer(&self, inner: S) -> Answer<S> {
        Answer {
            inner,
            settings: Arc::clone(&self.settings),
        }
    }
}

/// Cleans and completes responses.
#[derive(Clone, Debug)]
pub struct Answer<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Service<Request> for Answer<S>
where
    S: Service<Request, Response = Response, Error = Error>,
{
    type Response = Response;
    type Error = Error;
    type Future = After<S::Future, Complete>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let settings = Arc::clone(&self.settings);
        let info = settings
            .manager
            .always_set_request_id_in_response
            .then(|| request.extensions().get::<Arc<StreamInfo>>().cloned())
            .flatten();
        After::new(self.inner.call(request), Complete { settings, info })
    }
}

/// What is left to do when the response is there.
#[derive(Debug)]
pub struct Complete {
    settings: Arc<Settings>,
    /// Where the response is to have the request's id.
    info: Option<Arc<StreamInfo>>,
}

impl Finally for Complete {
    fn finally(self, outcome: Result<Response, Error>) -> Result<Response, Error> {
        let mut response = outcome?;
        let id = self.info.and_then(|info| info.request_id.get().cloned());
        complete(&mut response, &self.settings, id);
        Ok(response)
    }
}

fn complete(response: &mut Response, settings: &Settings, id: Option<HeaderValue>) {
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    if has_connection_fields(headers) {
        if !switching {
            // `connection: close` of a local reply is this side's own; an upstream's was
            // removed where it was received.
            headers.remove(UPGRADE);
            if headers
                .get(CONNECTION)
                .is_some_and(|value| value != "close")
            {
                headers.remove(CONNECTION);
            }
        }
        headers.remove(TRANSFER_ENCODING);
        headers.remove(KEEP_ALIVE);
        headers.remove(PROXY_CONNECTION);
    }
    let manager = &settings.manager;
    match manager.server_header {
        ServerHeader::Overwrite => {
            headers.insert(SERVER, manager.server_name.clone());
        }
        ServerHeader::AppendIfAbsent => {
            headers
                .entry(SERVER)
                .or_insert_with(|| manager.server_name.clone());
        }
        ServerHeader::PassThrough => {}
    }
    if !headers.contains_key(DATE) {
        headers.insert(DATE, now());
    }
    if let Some(via) = &manager.via {
        append_to_list(headers, VIA, via);
    }
    if let Some(id) = id {
        headers.insert(X_REQUEST_ID, id);
    }
}

/// The `date` header's value; made once a second by each worker.
fn now() -> HeaderValue {
    thread_local! {
        static LAST: RefCell<(u64, HeaderValue)> =
            const { RefCell::new((u64::MAX, HeaderValue::from_static(""))) };
    }
    let now = SystemTime::now();
    let second = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(last, value)| {
        if *last != second {
            let text = httpdate::fmt_http_date(now);
            *value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
            *last = second;
        }
        value.clone()
    })
}
