//! Following a request's body: how many bytes, when it ended, when something last moved.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame, SizeHint};
use tandem_core::ext::StreamInfo;
use tandem_core::{Body, BodyError, Request};

/// When something last moved on a stream, in milliseconds since it began.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    start: Instant,
    last: Option<Arc<AtomicU64>>,
}

impl Activity {
    /// Notes that something moved.
    pub(crate) fn touch(&self) {
        if let Some(last) = &self.last {
            let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
            last.store(elapsed, Relaxed);
        }
    }

    /// When something last moved.
    pub(crate) fn last(&self) -> Instant {
        let millis = self.last.as_ref().map_or(0, |last| last.load(Relaxed));
        self.start + Duration::from_millis(millis)
    }
}

/// Wraps the body; one that has ended already is only noted.
pub(crate) fn follow(request: Request, info: &Arc<StreamInfo>) -> (Request, Activity) {
    let mut activity = Activity {
        start: info.start,
        last: None,
    };
    if request.body().is_end_stream() {
        info.mark_request_end_at_start();
        return (request, activity);
    }
    activity.last = Some(Arc::default());
    let follower = activity.clone();
    let info = Arc::clone(info);
    let length = request.headers().get(CONTENT_LENGTH);
    let left = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let request = request.map(|body| {
        Body::new(Followed {
            body,
            info,
            activity: follower,
            left,
        })
    });
    (request, activity)
}

struct Followed {
    body: Body,
    info: Arc<StreamInfo>,
    activity: Activity,
    /// What is to come of a length that was said.
    left: Option<u64>,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(task);
        if let Poll::Ready(frame) = &polled {
            self.activity.touch();
            if let Some(Ok(frame)) = frame {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.info.bytes_received.fetch_add(bytes as u64, Relaxed);
                self.left = self.left.map(|left| left.saturating_sub(bytes as u64));
            }
            // Nobody may read on behind the last byte of a length that was said.
            let is_over = self.body.is_end_stream() || self.left == Some(0);
            if frame.is_none() || is_over {
                self.info.mark_request_end();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
