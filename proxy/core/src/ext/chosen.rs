//! Decisions that one layer leaves for a later one.

use crate::error::LocalReply;

/// A request that the codec refused: it is answered with this, logged and counted like any
/// other, and goes no further. Set by the connection's server.
#[derive(Clone, Debug)]
pub struct Rejected(pub LocalReply);

/// A response that the mesh made in place of the application; set by the rescue.
#[derive(Clone, Copy, Debug)]
pub struct LocalAnswer;
