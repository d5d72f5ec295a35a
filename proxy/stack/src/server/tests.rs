mod http1;
mod http2;
pub(crate) mod support;
