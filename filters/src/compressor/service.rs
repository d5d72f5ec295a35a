//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::Body as _;
use tandem_core::{Body, BoxFuture, Error, HttpService, Request, Response};
use tandem_model::filter::compressor::Compressor as Config;
use tower::Service;

use super::body::{Compressed, Totals};
use super::encoder::Encoder;
use super::layer::Stats;
use super::message;
use super::negotiate::{self, Choice, Offer, Offers};

/// Compresses what it may.
#[derive(Clone, Debug)]
pub struct Compressor {
    pub(super) inner: HttpService,
    pub(super) config: Arc<Config>,
    pub(super) stats: Arc<Stats>,
}

/// What a response is held against.
struct Asked {
    /// `accept-encoding`, as it came here.
    accepted: Option<HeaderValue>,
    /// The compressors up to here.
    offers: Option<Offers>,
}

impl Service<Request> for Compressor {
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<Result<Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // A tunnel has no body to compress.
        if request.method() == Method::CONNECT {
            return self.inner.dispatch(request);
        }
        let (request, asked) = self.ask(request);
        let request = self.compress_request(request);
        let this = self.clone();
        Box::pin(async move {
            let response = this.inner.dispatch(request).await?;
            Ok(this.compress_response(response, asked))
        })
    }
}

impl Compressor {
    /// Offers this compressor, where the client accepts any.
    fn ask(&self, mut request: Request) -> (Request, Asked) {
        let accepted = whole(request.headers());
        let before = request.extensions_mut().remove::<Offers>();
        let mut offers = None;
        if accepted.is_some() || before.is_some() {
            let offer = Arc::new(Offer {
                config: Arc::clone(&self.config),
                before,
            });
            request.extensions_mut().insert(Arc::clone(&offer));
            offers = Some(offer);
        }
        let response = &self.config.response;
        if response.remove_accept_encoding && response.common.enabled.now() {
            request.headers_mut().remove(ACCEPT_ENCODING);
        }
        (request, Asked { accepted, offers })
    }

    fn compress_request(&self, request: Request) -> Request {
        let Some(direction) = &self.config.request else {
            self.stats.request.not_compressed.inc();
            return request;
        };
        let headers = request.headers();
        let stats = &self.stats.request;
        let wanted = !request.body().is_end_stream() && direction.enabled.now() && {
            let long = message::is_long_enough(direction, headers);
            if !long {
                stats.content_length_too_small.inc();
            }
            long && message::is_type_allowed(direction, headers)
                && !headers.contains_key(CONTENT_ENCODING)
                && !headers.contains_key(UPGRADE)
                && message::is_plain_transfer(headers)
        };
        let Some(encoder) = wanted
            .then(|| Encoder::new(&self.config.library).ok())
            .flatten()
        else {
            stats.not_compressed.inc();
            return request;
        };
        stats.compressed.inc();
        let (mut head, body) = request.into_parts();
        self.mark(&mut head.headers);
        Request::from_parts(head, compressed(body, encoder, &stats.totals))
    }

    fn compress_response(&self, mut response: Response, asked: Asked) -> Response {
        let stats = &self.stats.response;
        if let (None, Some(offers)) = (response.extensions().get::<Offers>(), asked.offers) {
            // Of all that the request met, the innermost knows the most.
            response.extensions_mut().insert(offers);
        }
        let long = self.is_enabled_and_long_enough(response.headers());
        let accepted = long && !response.body().is_end_stream();
        let accepted = accepted && self.is_chosen(&mut response, asked.accepted);
        let may = long && self.may_compress(response.status(), response.headers());
        let wanted = accepted && may && message::is_plain_transfer(response.headers());
        let encoder = wanted
            .then(|| Encoder::new(&self.config.library).ok())
            .flatten();
        if may {
            // Caches have to know even if this client gets it as it is.
            message::add_vary(response.headers_mut());
        }
        let Some(encoder) = encoder else {
            stats.not_compressed.inc();
            return response;
        };
        stats.compressed.inc();
        let (mut head, body) = response.into_parts();
        message::loosen_etag(&mut head.headers, self.config.response.weaken_etag);
        self.mark(&mut head.headers);
        Response::from_parts(head, compressed(body, encoder, &stats.totals))
    }

    fn is_enabled_and_long_enough(&self, headers: &HeaderMap) -> bool {
        let direction = &self.config.response.common;
        if !direction.enabled.now() {
            return false;
        }
        let long = message::is_long_enough(direction, headers);
        if !long {
            self.stats.response.content_length_too_small.inc();
        }
        long
    }

    /// Whether clients could get this response compressed, whatever this one accepts.
    fn may_compress(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let response = &self.config.response;
        let tagged = || {
            let refused =
                response.disable_on_etag && !response.weaken_etag && headers.contains_key(ETAG);
            if refused {
                self.stats.not_compressed_etag.inc();
            }
            refused
        };
        status != StatusCode::SWITCHING_PROTOCOLS
            && message::is_type_allowed(&response.common, headers)
            && !message::forbids_transforms(headers)
            && !tagged()
            && !headers.contains_key(CONTENT_ENCODING)
            && !response.uncompressible.contains(&status)
    }

    /// Whether this is the compressor that the client gets; the first one that asks decides for
    /// all.
    fn is_chosen(&self, response: &mut Response, accepted: Option<HeaderValue>) -> bool {
        let Some(accepted) = accepted else {
            self.stats.no_accept_header.inc();
            return false;
        };
        let known = response.extensions().get::<Choice>().copied();
        let choice = known.unwrap_or_else(|| {
            let offers = response.extensions().get::<Offers>();
            let codings = offers.map(|offers| negotiate::codings(offers, response.headers()));
            let accepted = accepted.to_str().unwrap_or_default();
            negotiate::choose(accepted, codings.unwrap_or_default())
        });
        response.extensions_mut().insert(choice);
        let chosen = choice.coding() == Some(self.config.library.coding());
        match choice {
            Choice::Named(_) if chosen => self.stats.header_compressor_used.inc(),
            Choice::Named(_) => self.stats.header_compressor_overshadowed.inc(),
            Choice::Wildcard(_) => self.stats.header_wildcard.inc(),
            Choice::Identity => self.stats.header_identity.inc(),
            Choice::Nothing => self.stats.header_not_valid.inc(),
        }
        chosen
    }

    fn mark(&self, headers: &mut HeaderMap) {
        headers.remove(CONTENT_LENGTH);
        let coding = HeaderValue::from_static(self.config.library.coding());
        headers.insert(CONTENT_ENCODING, coding);
    }
}

fn compressed(body: Body, encoder: Encoder, totals: &Totals) -> Body {
    Body::new(Compressed::new(body, encoder, totals.clone()))
}

/// All of `accept-encoding`, as if it stood in one field.
fn whole(headers: &HeaderMap) -> Option<HeaderValue> {
    let values = || headers.get_all(ACCEPT_ENCODING).iter();
    if values().nth(1).is_none() {
        return values().next().cloned();
    }
    let all: Vec<&[u8]> = values().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&all.join(&b","[..])).ok()
}
