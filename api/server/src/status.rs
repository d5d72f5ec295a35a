//! The one place where a failure of the runtime API becomes a gRPC status: code, text, origin.
//!
//! Codes and texts are Layotto's, since its clients compare them. Where Layotto answers
//! `UNKNOWN` only because nobody chose a code (a key with `||`, a lock store that is down),
//! the code here follows from the kind of the failure.

use http::HeaderMap;
use tandem_api_contract as contract;
use tandem_core::directory::NotFound;
use tonic::{Code, Status, metadata::MetadataValue};

/// The response metadata that names who failed: `api`, `component`, `mesh` or `app`.
pub(crate) const ORIGIN: &str = "x-tandem-origin";

/// Why a call of the runtime API failed. Its text is the status message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No greeter has that name.
    #[error("no instance found")]
    HelloNotFound,

    /// There is no state store at all.
    #[error("state store is not configured")]
    StateNotConfigured,
    /// No state store has that name.
    #[error("state store {0} is not found")]
    StateNotFound(String),
    /// Reading failed.
    #[error("fail to get {key} from state store {store}: {cause}")]
    StateGet {
        /// What was read.
        key: String,
        /// Of which store.
        store: String,
        /// Why.
        cause: contract::Error,
    },
    /// Reading several keys failed as a whole.
    #[error("fail to get bulk state from state store {store}: {cause}")]
    StateBulkGet {
        /// Of which store.
        store: String,
        /// Why.
        cause: contract::Error,
    },
    /// Writing failed.
    #[error("failed saving state in state store {store}: {cause}")]
    StateSave {
        /// In which store.
        store: String,
        /// Why.
        cause: contract::Error,
    },
    /// Removing one key failed.
    #[error("failed deleting state with key {key}: {cause}")]
    StateDelete {
        /// Which key.
        key: String,
        /// Why.
        cause: contract::Error,
    },
    /// Removing many keys failed; the component's text alone, as Layotto has it.
    #[error("{0}")]
    StateBulkDelete(contract::Error),
    /// The store has no transactions.
    #[error("state store {0} doesn't support transaction")]
    TransactionUnsupported(String),
    /// An operation is neither `upsert` nor `delete`.
    #[error("operation type {0} not supported")]
    OperationUnsupported(String),
    /// A transaction failed; nothing of it took effect.
    #[error("error while executing state transaction: {0}")]
    Transaction(contract::Error),

    /// There is no lock store at all.
    #[error("lock store is not configured")]
    LockNotConfigured,
    /// No lock store has that name.
    #[error("lock store {0} not found")]
    LockNotFound(String),
    /// The request names no resource.
    #[error("ResourceId is empty in lock store {0}")]
    LockResourceEmpty(String),
    /// The request names no owner.
    #[error("LockOwner is empty in lock store {0}")]
    LockOwnerEmpty(String),
    /// The expiry is zero or less.
    #[error("Expire is not positive in lock store {0}")]
    LockExpireNotPositive(String),
    /// The lock store failed.
    #[error("{0}")]
    Lock(contract::Error),

    /// There is no sequencer at all.
    #[error("Sequencer store is not configured")]
    SequencerNotConfigured,
    /// No sequencer has that name.
    #[error("Sequencer store {0} not found")]
    SequencerNotFound(String),
    /// The request names no sequence.
    #[error("Key is empty in sequencer store {0}")]
    SequencerKeyEmpty(String),
    /// The increment is neither weak nor strong.
    #[error("Options.Increment is illegal.")]
    SequencerIncrement,
    /// The sequencer failed.
    #[error("{0}")]
    Sequencer(contract::Error),

    /// The request names no pub/sub component.
    #[error("pubsub name is empty")]
    PubsubEmpty,
    /// No pub/sub component has that name.
    #[error("pubsub {0} not found")]
    PubsubNotFound(String),
    /// The request names no topic.
    #[error("topic is empty in pubsub {0}")]
    TopicEmpty(String),
    /// The data says that it is a CloudEvent, and is none.
    #[error("cannot create cloudevent: {0}")]
    Envelope(String),
    /// Publishing failed.
    #[error("error when publish to topic {topic} in pubsub {pubsub}: {cause}")]
    Publish {
        /// To which topic.
        topic: String,
        /// Of which component.
        pubsub: String,
        /// Why.
        cause: contract::Error,
    },

    /// The first message of a subscription stream does not say what to subscribe to.
    #[error("initial request is required")]
    InitialRequired,
    /// A later message does.
    #[error("duplicate initial request received")]
    InitialDuplicate,
    /// The first message names no pub/sub component.
    #[error("pubsubName is required")]
    SubscribePubsubEmpty,
    /// The first message names no topic.
    #[error("topic is required")]
    SubscribeTopicEmpty,
    /// No pub/sub component has that name.
    #[error("pubsub {0} is not initialized.")]
    SubscribePubsubNotFound(String),
    /// Another stream of this process has the subscription.
    #[error("already subscribed to pubsub {pubsub:?} topic {topic:?}")]
    AlreadySubscribed {
        /// The component.
        pubsub: String,
        /// Its topic.
        topic: String,
    },
    /// The component refused the subscription.
    #[error("failed to subscribe to topic {topic} in pubsub {pubsub}: {cause}")]
    Subscribe {
        /// To which topic.
        topic: String,
        /// Of which component.
        pubsub: String,
        /// Why.
        cause: contract::Error,
    },
    /// The process ends.
    #[error("the runtime is shutting down")]
    Closing,

    /// There is no outbound listener whose routes a call could take.
    #[error("invoker not init: {0}")]
    InvokerMissing(NotFound),
    /// No outbound listener takes what the id names.
    #[error("{0}")]
    NoWay(NotFound),
    /// The call cannot be made into an HTTP request.
    #[error("{0}")]
    InvokeArgument(String),
    /// The call took longer than `rpc_request_timeout`, or than the client's deadline: so many
    /// milliseconds.
    #[error("request timeout: no answer within {0} ms (rpc_request_timeout, or the deadline)")]
    InvokeTimeout(u128),
    /// The answer was not 200.
    #[error("http response code {status}, body: {body}")]
    InvokeResponse {
        /// What it was.
        status: u16,
        /// Its body, as text.
        body: String,
        /// Who answered.
        origin: Origin,
    },
    /// The answer was 200, but its body broke off.
    #[error("http response body broke off: {0}")]
    InvokeBody(String),
    /// A gRPC application answered with a status of its own.
    #[error("{message}")]
    InvokeStatus {
        /// Its code.
        code: Code,
        /// Its message.
        message: String,
        /// What it said with it, `grpc-status-details-bin` too.
        metadata: Box<HeaderMap>,
        /// Who answered.
        origin: Origin,
    },

    /// The rpc exists, but this version does not serve it.
    #[error("{0} is not served by this version of the runtime")]
    NotServed(&'static str),
    /// The service has no such rpc.
    #[error("unknown method {0}")]
    UnknownMethod(String),
    /// The message is larger than the limit.
    #[error("message of {size} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Its size, as far as it was read.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The message is compressed, and no compression was agreed on.
    #[error("message is compressed: expected grpc-encoding identity")]
    Compressed,
    /// The message is not what the rpc takes.
    #[error("malformed request: {0}")]
    Malformed(String),
    /// The client went away while it was sending.
    #[error("request broke off: {0}")]
    BrokenOff(String),
    /// The deadline of the caller passed.
    #[error("deadline exceeded")]
    DeadlineExceeded,
}

/// Who failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This runtime: the request was refused, or something is not configured.
    Runtime,
    /// A component's back-end.
    Component,
    /// The mesh between this application and the other one.
    Mesh,
    /// The other application.
    App,
}

impl Origin {
    /// As clients see it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "api",
            Self::Component => "component",
            Self::Mesh => "mesh",
            Self::App => "app",
        }
    }
}

impl Error {
    /// The gRPC status code.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::StateNotConfigured | Self::LockNotConfigured | Self::SequencerNotConfigured => {
                Code::FailedPrecondition
            }
            Self::StateNotFound(_)
            | Self::LockNotFound(_)
            | Self::LockResourceEmpty(_)
            | Self::LockOwnerEmpty(_)
            | Self::LockExpireNotPositive(_)
            | Self::SequencerNotFound(_)
            | Self::SequencerKeyEmpty(_)
            | Self::PubsubEmpty
            | Self::PubsubNotFound(_)
            | Self::TopicEmpty(_)
            | Self::Envelope(_)
            | Self::InvokeArgument(_) => Code::InvalidArgument,
            Self::HelloNotFound
            | Self::SequencerIncrement
            | Self::InitialRequired
            | Self::InitialDuplicate
            | Self::SubscribePubsubEmpty
            | Self::SubscribeTopicEmpty
            | Self::SubscribePubsubNotFound(_)
            | Self::AlreadySubscribed { .. }
            | Self::InvokerMissing(_) => Code::Unknown,
            Self::StateGet { cause, .. }
            | Self::StateBulkGet { cause, .. }
            | Self::StateSave { cause, .. }
            | Self::StateDelete { cause, .. }
            | Self::StateBulkDelete(cause)
            | Self::Lock(cause)
            | Self::Sequencer(cause)
            | Self::Publish { cause, .. }
            | Self::Subscribe { cause, .. } => component(cause.kind()),
            Self::Transaction(cause) => transaction(cause.kind()),
            Self::InvokeTimeout(_) | Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::InvokeResponse { .. } | Self::InvokeBody(_) | Self::NoWay(_) | Self::Closing => {
                Code::Unavailable
            }
            Self::InvokeStatus { code, .. } => *code,
            Self::TransactionUnsupported(_)
            | Self::OperationUnsupported(_)
            | Self::NotServed(_)
            | Self::UnknownMethod(_)
            | Self::Compressed => Code::Unimplemented,
            Self::TooLarge { .. } => Code::ResourceExhausted,
            Self::Malformed(_) => Code::Internal,
            Self::BrokenOff(_) => Code::Cancelled,
        }
    }

    /// Who failed.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::StateGet { cause, .. }
            | Self::StateBulkGet { cause, .. }
            | Self::StateSave { cause, .. }
            | Self::StateDelete { cause, .. }
            | Self::StateBulkDelete(cause)
            | Self::Transaction(cause)
            | Self::Lock(cause)
            | Self::Sequencer(cause)
            | Self::Publish { cause, .. }
            | Self::Subscribe { cause, .. } => match cause.kind() {
                contract::Kind::InvalidArgument | contract::Kind::TooLarge => Origin::Runtime,
                contract::Kind::NotFound
                | contract::Kind::EtagMismatch
                | contract::Kind::EtagInvalid
                | contract::Kind::Unsupported
                | contract::Kind::Unavailable
                | contract::Kind::Internal => Origin::Component,
            },
            Self::TransactionUnsupported(_) => Origin::Component,
            Self::InvokeResponse { origin, .. } | Self::InvokeStatus { origin, .. } => *origin,
            Self::InvokeTimeout(_) | Self::InvokeBody(_) | Self::NoWay(_) => Origin::Mesh,
            Self::HelloNotFound
            | Self::StateNotConfigured
            | Self::StateNotFound(_)
            | Self::OperationUnsupported(_)
            | Self::LockNotConfigured
            | Self::LockNotFound(_)
            | Self::LockResourceEmpty(_)
            | Self::LockOwnerEmpty(_)
            | Self::LockExpireNotPositive(_)
            | Self::SequencerNotConfigured
            | Self::SequencerNotFound(_)
            | Self::SequencerKeyEmpty(_)
            | Self::SequencerIncrement
            | Self::PubsubEmpty
            | Self::PubsubNotFound(_)
            | Self::TopicEmpty(_)
            | Self::Envelope(_)
            | Self::InitialRequired
            | Self::InitialDuplicate
            | Self::SubscribePubsubEmpty
            | Self::SubscribeTopicEmpty
            | Self::SubscribePubsubNotFound(_)
            | Self::AlreadySubscribed { .. }
            | Self::Closing
            | Self::InvokerMissing(_)
            | Self::InvokeArgument(_)
            | Self::NotServed(_)
            | Self::UnknownMethod(_)
            | Self::TooLarge { .. }
            | Self::Compressed
            | Self::Malformed(_)
            | Self::BrokenOff(_)
            | Self::DeadlineExceeded => Origin::Runtime,
        }
    }
}

impl From<NotFound> for Error {
    fn from(cause: NotFound) -> Self {
        match cause {
            NotFound::Name(_) | NotFound::NoOutbound | NotFound::SeveralOutbound(_) => {
                Self::InvokerMissing(cause)
            }
            NotFound::NoDestination(_) | NotFound::Ambiguous { .. } => {
                Self::InvokeArgument(format!("id {cause}"))
            }
            NotFound::Unknown { .. } | NotFound::Bytes { .. } => Self::NoWay(cause),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let mut status = Self::new(error.code(), error.to_string());
        let origin = MetadataValue::from_static(error.origin().as_str());
        status.metadata_mut().insert(ORIGIN, origin);
        status
    }
}

/// The code for a component's failure.
fn component(kind: contract::Kind) -> Code {
    match kind {
        contract::Kind::InvalidArgument | contract::Kind::EtagInvalid => Code::InvalidArgument,
        contract::Kind::NotFound => Code::NotFound,
        contract::Kind::EtagMismatch => Code::Aborted,
        contract::Kind::Unsupported => Code::Unimplemented,
        contract::Kind::Unavailable => Code::Unavailable,
        contract::Kind::TooLarge => Code::ResourceExhausted,
        contract::Kind::Internal => Code::Internal,
    }
}

/// The code for a failed transaction: Layotto makes no difference for etags there.
fn transaction(kind: contract::Kind) -> Code {
    match kind {
        contract::Kind::EtagMismatch | contract::Kind::EtagInvalid => Code::Internal,
        contract::Kind::InvalidArgument
        | contract::Kind::NotFound
        | contract::Kind::Unsupported
        | contract::Kind::Unavailable
        | contract::Kind::TooLarge
        | contract::Kind::Internal => component(kind),
    }
}

#[cfg(test)]
mod tests;
