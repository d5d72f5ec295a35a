//! The head of an HTTP/1 message, kept as it was written.

/// Header fields in their order, names in the case in which they came.
pub type Headers = Vec<(String, String)>;

/// A start line and its header fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The request line or the status line.
    pub line: String,
    /// The fields.
    pub headers: Headers,
}

impl Head {
    /// Reads a head that ends with an empty line. Strict: CRLF only, no folding, no space before
    /// the colon; what a proxy passes on must be clean.
    ///
    /// # Errors
    /// Which line is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        let text = text
            .strip_suffix("\r\n\r\n")
            .ok_or("expected an empty line at the end")?;
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let mut headers = Headers::new();
        for field in lines {
            let (name, value) = field
                .split_once(':')
                .ok_or(format!("no colon in {field:?}"))?;
            let bad = |byte: u8| byte <= b' ' || byte == 0x7f;
            if name.is_empty() || name.bytes().any(bad) {
                return Err(format!("malformed field name in {field:?}"));
            }
            if value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                return Err(format!("malformed value in {field:?}"));
            }
            headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
        Ok(Self { line, headers })
    }

    /// The first value of a field, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        get(&self.headers, name)
    }

    /// Whether the comma-separated list in a field has this token.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        let fields = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        fields
            .flat_map(|(_, value)| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(token))
    }
}

/// The first value of a field, whatever its case.
pub fn get<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// The fields of a header map; what is not UTF-8 is read as Latin-1.
pub fn from_map(map: &http::HeaderMap) -> Headers {
    let latin =
        |value: &http::HeaderValue| value.as_bytes().iter().map(|&b| char::from(b)).collect();
    map.iter()
        .map(|(name, value)| (name.as_str().to_owned(), latin(value)))
        .collect()
}

/// A header map of these fields.
///
/// # Panics
/// When a name or a value is not allowed in HTTP.
pub fn to_map(headers: &Headers) -> http::HeaderMap {
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        let latin: Vec<u8> = value
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect();
        map.append(name, http::HeaderValue::from_bytes(&latin).unwrap());
    }
    map
}
