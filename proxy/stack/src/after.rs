//! The future of a layer that has something to do only when the response is there.
//!
//! It holds the inner future in place: a chain of such layers is one allocation, where a box in
//! each would be as many as there are layers, for every request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tandem_core::{Error, Response};

/// What a layer does with the outcome.
pub trait Finally {
    /// Done once, when the inner service has answered or failed.
    fn finally(self, outcome: Result<Response, Error>) -> Result<Response, Error>;
}

impl<T: Finally> Finally for Option<T> {
    fn finally(self, outcome: Result<Response, Error>) -> Result<Response, Error> {
        match self {
            Some(step) => step.finally(outcome),
            None => outcome,
        }
    }
}

pin_project! {
    /// The inner future, then the last step.
    #[derive(Debug)]
    pub struct After<F, T> {
        #[pin]
        response: F,
        step: Option<T>,
    }
}

impl<F, T> After<F, T> {
    /// `step` follows `response`.
    pub fn new(response: F, step: T) -> Self {
        Self {
            response,
            step: Some(step),
        }
    }
}

impl<F, T> Future for After<F, T>
where
    F: Future<Output = Result<Response, Error>>,
    T: Finally,
{
    type Output = Result<Response, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.response.poll(cx));
        Poll::Ready(this.step.take().finally(outcome))
    }
}
