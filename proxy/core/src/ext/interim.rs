//! The way of an interim (1xx) answer from the upstream to the client.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::headers::own_values;

/// Where the upstream's side leaves an interim answer and the client's side finds it. Both run
/// in the task that serves the request, so nobody has to be woken. Set by the connection's
/// server where `proxy_100_continue` is on; without it interim answers are dropped.
#[derive(Debug, Default)]
pub struct Interim(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    None,
    Waiting(Box<(StatusCode, HeaderMap)>),
    Passed,
}

impl Interim {
    /// Leaves one; as in Envoy only the first is passed on, and only 100, 102 and 103.
    pub fn leave(&self, status: StatusCode, headers: &HeaderMap) {
        let mut state = self.state();
        if matches!(*state, State::None) && matches!(status.as_u16(), 100 | 102 | 103) {
            let mut headers = headers.clone();
            for name in NOT_PASSED {
                headers.remove(name);
            }
            own_values(&mut headers);
            *state = State::Waiting(Box::new((status, headers)));
        }
    }

    /// Takes what was left; it is on its way to the client then.
    pub fn take(&self) -> Option<(StatusCode, HeaderMap)> {
        let mut state = self.state();
        if !matches!(*state, State::Waiting(_)) {
            return None;
        }
        match std::mem::replace(&mut *state, State::Passed) {
            State::Waiting(answer) => Some(*answer),
            State::None | State::Passed => None,
        }
    }

    /// Whether the client has been told something, and so another try is out of the question.
    pub fn has_come(&self) -> bool {
        !matches!(*self.state(), State::None)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What belongs to a connection, or to a body, which an interim answer has not.
const NOT_PASSED: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The first interim answer of those that mean something is passed on, once.
    #[test]
    fn one_is_passed_on() {
        let interim = Interim::default();
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert("x-a", HeaderValue::from_static("1"));
        interim.leave(StatusCode::from_u16(199).unwrap(), &headers);
        assert!(!interim.has_come());
        assert!(interim.take().is_none());
        interim.leave(StatusCode::EARLY_HINTS, &headers);
        interim.leave(StatusCode::CONTINUE, &headers);
        let (status, headers) = interim.take().unwrap();
        assert_eq!((status.as_u16(), headers.len()), (103, 1));
        assert!(interim.has_come());
        interim.leave(StatusCode::CONTINUE, &headers);
        assert!(interim.take().is_none());
    }

    /// It may go to a connection that keeps it: not what it was read with.
    #[test]
    fn it_leaves_its_buffer_behind() {
        let read = bytes::Bytes::from(b"x-a: 1".to_vec());
        let mut headers = HeaderMap::new();
        let part = HeaderValue::from_maybe_shared(read.slice(5..)).unwrap();
        headers.insert("x-a", part);
        let interim = Interim::default();
        interim.leave(StatusCode::EARLY_HINTS, &headers);
        drop(headers);
        assert!(read.is_unique());
        assert_eq!(interim.take().unwrap().1["x-a"], "1");
    }
}
