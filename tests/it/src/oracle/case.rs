//! One request and what may differ.

use std::ops::RangeInclusive;
use std::time::Duration;

use tandem_harness::client::Request;
use tandem_harness::script;

/// Over which protocols a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1 and HTTP/2, one after the other.
    Both,
    /// HTTP/1.1.
    H1,
    /// HTTP/2.
    H2,
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Send {
    /// A proper request.
    Built(Request),
    /// These bytes, each part after a pause.
    Raw(Vec<(Duration, Vec<u8>)>),
}

/// A difference from Envoy that is meant.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The beginning of the names of the fields that may differ.
    pub field: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// One line of a table.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The listener it goes to.
    pub listener: &'static str,
    /// Over what.
    pub wire: Wire,
    /// What is sent.
    pub send: Send,
    /// How many answers are awaited.
    pub responses: usize,
    /// The method, for how an answer's body ends.
    pub method: String,
    /// Milliseconds that it must take.
    pub took: Option<RangeInclusive<u64>>,
    /// The client goes away after so long.
    pub cancel: Option<Duration>,
    /// How often the request is sent, one after the other, on new connections.
    pub times: usize,
    /// Whether an upstream sees the beginning of the request is a matter of luck.
    pub racy: bool,
    /// What may differ.
    pub differs: Vec<Difference>,
}

/// A request with this method to `host` and `path`.
pub fn send(name: &str, method: &str, host: &str, path: &str) -> Case {
    let request = Request {
        method: method.into(),
        path: path.into(),
        authority: host.into(),
        ..Request::default()
    };
    Case {
        name: name.into(),
        listener: "main",
        wire: Wire::Both,
        send: Send::Built(request),
        responses: 1,
        method: method.into(),
        took: None,
        cancel: None,
        times: 1,
        racy: false,
        differs: Vec::new(),
    }
}

/// A GET.
pub fn get(name: &str, host: &str, path: &str) -> Case {
    send(name, "GET", host, path)
}

/// A POST with this body.
pub fn post(name: &str, host: &str, path: &str, body: &[u8]) -> Case {
    send(name, "POST", host, path).body(body)
}

/// A gRPC call with one message of five bytes.
pub fn grpc(name: &str, host: &str, path: &str) -> Case {
    post(name, host, path, b"\0\0\0\0\x05hello")
        .h("content-type", "application/grpc")
        .h("te", "trailers")
        .chunked()
        .h2()
}

/// Bytes on a connection.
pub fn raw(name: &str, bytes: impl AsRef<[u8]>) -> Case {
    let bytes = bytes.as_ref().to_vec();
    let method = bytes.split(|&byte| byte == b' ').next().unwrap_or_default();
    let method = String::from_utf8_lossy(method).into_owned();
    Case {
        wire: Wire::H1,
        send: Send::Raw(vec![(Duration::ZERO, bytes)]),
        ..send(name, &method, "", "")
    }
}

impl Case {
    fn request(mut self, change: impl FnOnce(&mut Request)) -> Self {
        match &mut self.send {
            Send::Built(request) => change(request),
            Send::Raw(_) => panic!("{}: bytes have no fields to add to", self.name),
        }
        self
    }

    /// Another field.
    pub fn h(self, name: &str, value: &str) -> Self {
        self.request(|request| request.headers.push((name.into(), value.into())))
    }

    /// What the upstream does: see [`script`].
    pub fn script(self, text: &str) -> Self {
        // Typing errors show here, not as an upstream that hangs up.
        text.split('|')
            .enumerate()
            .for_each(|(attempt, _)| drop(script::Script::parse(text, attempt)));
        self.h("x-script", text)
    }

    /// A body with a content-length.
    pub fn body(self, body: &[u8]) -> Self {
        self.request(|request| request.body = Some(body.to_vec()))
    }

    /// A body without a content-length.
    pub fn chunked(self) -> Self {
        self.request(|request| request.chunked = true)
    }

    /// A trailer.
    pub fn trailer(self, name: &str, value: &str) -> Self {
        self.request(|request| request.trailers.push((name.into(), value.into())))
    }

    /// The listener, `main` if this is not called.
    pub fn on(mut self, listener: &'static str) -> Self {
        self.listener = listener;
        self
    }

    /// Over HTTP/1.1 only.
    pub fn h1(mut self) -> Self {
        self.wire = Wire::H1;
        self
    }

    /// Over HTTP/2 only.
    pub fn h2(mut self) -> Self {
        self.wire = Wire::H2;
        self
    }

    /// Sends more bytes after a pause.
    pub fn then(mut self, milliseconds: u64, bytes: impl AsRef<[u8]>) -> Self {
        match &mut self.send {
            Send::Raw(parts) => {
                parts.push((Duration::from_millis(milliseconds), bytes.as_ref().to_vec()));
            }
            Send::Built(_) => panic!("{}: only bytes come in parts", self.name),
        }
        self
    }

    /// Awaits so many answers.
    pub fn responses(mut self, count: usize) -> Self {
        self.responses = count;
        self
    }

    /// The whole exchange must take so many milliseconds, with both proxies.
    pub fn took(mut self, range: RangeInclusive<u64>) -> Self {
        self.took = Some(range);
        self
    }

    /// The client goes away without waiting longer.
    pub fn cancel(mut self, milliseconds: u64) -> Self {
        self.cancel = Some(Duration::from_millis(milliseconds));
        self
    }

    /// The request breaks off or is refused while it is being passed on: what an upstream sees of
    /// it before that is a matter of luck, and only whole requests are compared.
    pub fn racy(mut self) -> Self {
        self.racy = true;
        self
    }

    /// Repeats the request; the answers of all are compared.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Tandem may refuse what Envoy passes on: then everything differs, but it must be a refusal.
    pub fn stricter(self, reason: &'static str) -> Self {
        self.differs("", reason)
    }

    /// Fields that begin with `field` may differ from Envoy's.
    pub fn differs(mut self, field: &'static str, reason: &'static str) -> Self {
        self.differs.push(Difference { field, reason });
        self
    }
}
