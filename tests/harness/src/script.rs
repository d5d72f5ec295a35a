//! What the recording upstream does, as the request's `x-script` header says.
//!
//! `503|200 body=10 delay=50`: alternatives for successive attempts of one request are separated
//! by `|` (the last one repeats), the words of one by spaces. Without a script the answer is
//! `200` with the body `ok`.

use std::time::Duration;

/// Where an answer breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// When the request's head was read.
    AtOnce,
    /// When the request was read, before any byte of the answer.
    BeforeHead,
    /// After the answer's head.
    AfterHead,
    /// In the middle of the answer's body.
    MidBody,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// `NNN`: the status.
    pub status: u16,
    /// `header=name:value`, as often as wished; `+` stands for a space.
    pub headers: Vec<(String, String)>,
    /// `text=…` or `body=SIZE`.
    pub body: Vec<u8>,
    /// `trailer=name:value`; makes the body chunked.
    pub trailers: Vec<(String, String)>,
    /// `chunked`: chunks instead of a content-length.
    pub chunked: bool,
    /// `eof`: the connection's end ends the body (HTTP/1).
    pub eof: bool,
    /// `nobody`: neither a body nor a content-length.
    pub bare: bool,
    /// `delay=MS`, before the answer.
    pub delay: Duration,
    /// `pause=MS`, in the middle of the body.
    pub pause: Duration,
    /// `close`: announces and does the close of the connection.
    pub close: bool,
    /// `hangup`: closes after the answer without a word.
    pub hangup: bool,
    /// `early`: answers before the request's body was read.
    pub early: bool,
    /// `echo`: the body is the request's.
    pub echo: bool,
    /// `interim=NNN`: informational answers first.
    pub interim: Vec<u16>,
    /// `break=at-once|before|head|mid`.
    pub broken: Option<Break>,
    /// `upgrade`: 101, then every byte comes back.
    pub upgrade: bool,
    /// `raw=…`: these bytes instead of an answer (`\r`, `\n`, `\0` and `+` for a space).
    pub raw: Option<Vec<u8>>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: b"ok".to_vec(),
            trailers: Vec::new(),
            chunked: false,
            eof: false,
            bare: false,
            delay: Duration::ZERO,
            pause: Duration::ZERO,
            close: false,
            hangup: false,
            early: false,
            echo: false,
            interim: Vec::new(),
            broken: None,
            upgrade: false,
            raw: None,
        }
    }
}

impl Script {
    /// The answer for attempt number `attempt`, counted from 0.
    ///
    /// # Panics
    /// When a word is not one of those above: a test with a typing error must not pass.
    pub fn parse(text: &str, attempt: usize) -> Self {
        let all: Vec<&str> = text.split('|').collect();
        let words = all.get(attempt).or(all.last()).copied().unwrap_or_default();
        let mut script = Self::default();
        for word in words.split_whitespace() {
            script.word(word);
        }
        script
    }

    fn word(&mut self, word: &str) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let milliseconds = || Duration::from_millis(value.parse().unwrap());
        match key {
            "header" => self.headers.push(field(value)),
            "trailer" => self.trailers.push(field(value)),
            "text" => self.body = value.replace('+', " ").into_bytes(),
            "body" => self.body = pattern(value.parse().unwrap()),
            "chunked" => self.chunked = true,
            "eof" => self.eof = true,
            "nobody" => (self.bare, self.body) = (true, Vec::new()),
            "delay" => self.delay = milliseconds(),
            "pause" => self.pause = milliseconds(),
            "close" => self.close = true,
            "hangup" => self.hangup = true,
            "early" => self.early = true,
            "echo" => self.echo = true,
            "interim" => self.interim.push(value.parse().unwrap()),
            "upgrade" => self.upgrade = true,
            "raw" => self.raw = Some(unescape(value)),
            "break" => {
                self.broken = Some(match value {
                    "at-once" => Break::AtOnce,
                    "before" => Break::BeforeHead,
                    "head" => Break::AfterHead,
                    "mid" => Break::MidBody,
                    other => panic!("x-script: expected where to break, got {other:?}"),
                });
            }
            status => match status.parse() {
                Ok(status) => self.status = status,
                Err(_) => panic!("x-script: unknown word {word:?}"),
            },
        }
    }

    /// Whether the body is sent in chunks.
    pub fn in_chunks(&self) -> bool {
        self.chunked || !self.trailers.is_empty()
    }

    /// Whether the answer to `method` has a body.
    pub fn has_body(&self, method: &str) -> bool {
        method != "HEAD" && !matches!(self.status, 204 | 304)
    }
}

/// A body of `size` bytes in which a lost or doubled part shows.
pub fn pattern(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| b'a' + u8::try_from((at / 7 + at) % 26).unwrap_or(0))
        .collect()
}

fn field(text: &str) -> (String, String) {
    let (name, value) = text.split_once(':').unwrap();
    (name.to_owned(), value.replace('+', " "))
}

fn unescape(text: &str) -> Vec<u8> {
    let text = text
        .replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\0", "\0");
    text.replace('+', " ").into_bytes()
}
