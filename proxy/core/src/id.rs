//! Random ids of requests and connections.

use http::HeaderValue;

/// A random UUID (version 4) as text.
pub fn random() -> HeaderValue {
    HeaderValue::from_bytes(&text()).unwrap_or(HeaderValue::from_static(""))
}

pub(crate) fn text() -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut random: [u8; 16] = rand::random();
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in random.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    text
}
