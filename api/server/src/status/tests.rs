use tandem_api_contract::{Error as Cause, Kind};
use tandem_core::directory::NotFound;
use tonic::{Code, Status};

use super::{Error, Origin};

fn cause(kind: Kind) -> Cause {
    Cause::new(kind, "why")
}

fn get(kind: Kind) -> Error {
    Error::StateGet {
        key: "k".into(),
        store: "s".into(),
        cause: cause(kind),
    }
}

fn save(kind: Kind) -> Error {
    Error::StateSave {
        store: "s".into(),
        cause: cause(kind),
    }
}

fn delete(kind: Kind) -> Error {
    Error::StateDelete {
        key: "k".into(),
        cause: cause(kind),
    }
}

/// Codes and texts are those that Layotto's clients compare.
#[test]
fn codes_and_texts_are_layottos() {
    use Code as C;
    let s = || "s".to_owned();
    let publish = Error::Publish {
        topic: "t".into(),
        pubsub: "p".into(),
        cause: cause(Kind::Internal),
    };
    let twice = Error::AlreadySubscribed {
        pubsub: "p".into(),
        topic: "t".into(),
    };
    let refused = Error::InvokeResponse {
        status: 503,
        body: "b".into(),
        origin: Origin::App,
    };
    let no_mesh = "invoker not init: no HTTP listener has traffic_direction OUTBOUND";
    let cases = [
        (Error::HelloNotFound, C::Unknown, "no instance found"),
        (
            Error::StateNotConfigured,
            C::FailedPrecondition,
            "state store is not configured",
        ),
        (
            Error::StateNotFound(s()),
            C::InvalidArgument,
            "state store s is not found",
        ),
        (
            get(Kind::Internal),
            C::Internal,
            "fail to get k from state store s: why",
        ),
        (
            save(Kind::EtagMismatch),
            C::Aborted,
            "failed saving state in state store s: why",
        ),
        (
            save(Kind::EtagInvalid),
            C::InvalidArgument,
            "failed saving state in state store s: why",
        ),
        (
            save(Kind::Internal),
            C::Internal,
            "failed saving state in state store s: why",
        ),
        (
            save(Kind::Unavailable),
            C::Unavailable,
            "failed saving state in state store s: why",
        ),
        (
            delete(Kind::EtagMismatch),
            C::Aborted,
            "failed deleting state with key k: why",
        ),
        (
            delete(Kind::EtagInvalid),
            C::InvalidArgument,
            "failed deleting state with key k: why",
        ),
        (
            Error::TransactionUnsupported(s()),
            C::Unimplemented,
            "state store s doesn't support transaction",
        ),
        (
            Error::OperationUnsupported("x".into()),
            C::Unimplemented,
            "operation type x not supported",
        ),
        (
            Error::Transaction(cause(Kind::EtagMismatch)),
            C::Internal,
            "error while executing state transaction: why",
        ),
        (
            Error::LockNotConfigured,
            C::FailedPrecondition,
            "lock store is not configured",
        ),
        (
            Error::LockResourceEmpty(s()),
            C::InvalidArgument,
            "ResourceId is empty in lock store s",
        ),
        (
            Error::LockOwnerEmpty(s()),
            C::InvalidArgument,
            "LockOwner is empty in lock store s",
        ),
        (
            Error::LockExpireNotPositive(s()),
            C::InvalidArgument,
            "Expire is not positive in lock store s",
        ),
        (
            Error::LockNotFound(s()),
            C::InvalidArgument,
            "lock store s not found",
        ),
        (
            Error::SequencerNotConfigured,
            C::FailedPrecondition,
            "Sequencer store is not configured",
        ),
        (
            Error::SequencerKeyEmpty(s()),
            C::InvalidArgument,
            "Key is empty in sequencer store s",
        ),
        (
            Error::SequencerNotFound(s()),
            C::InvalidArgument,
            "Sequencer store s not found",
        ),
        (
            Error::PubsubEmpty,
            C::InvalidArgument,
            "pubsub name is empty",
        ),
        (
            Error::TopicEmpty(s()),
            C::InvalidArgument,
            "topic is empty in pubsub s",
        ),
        (
            Error::PubsubNotFound(s()),
            C::InvalidArgument,
            "pubsub s not found",
        ),
        (
            publish,
            C::Internal,
            "error when publish to topic t in pubsub p: why",
        ),
        (
            Error::InitialRequired,
            C::Unknown,
            "initial request is required",
        ),
        (
            Error::SubscribePubsubEmpty,
            C::Unknown,
            "pubsubName is required",
        ),
        (Error::SubscribeTopicEmpty, C::Unknown, "topic is required"),
        (
            Error::SubscribePubsubNotFound(s()),
            C::Unknown,
            "pubsub s is not initialized.",
        ),
        (
            Error::InitialDuplicate,
            C::Unknown,
            "duplicate initial request received",
        ),
        (
            twice,
            C::Unknown,
            "already subscribed to pubsub \"p\" topic \"t\"",
        ),
        (refused, C::Unavailable, "http response code 503, body: b"),
        (
            Error::InvokeTimeout(200),
            C::DeadlineExceeded,
            "request timeout: no answer within 200 ms (rpc_request_timeout, or the deadline)",
        ),
        (
            Error::InvokerMissing(NotFound::NoOutbound),
            C::Unknown,
            no_mesh,
        ),
        (
            Error::NotServed("GetFile"),
            C::Unimplemented,
            "GetFile is not served by this version of the runtime",
        ),
    ];
    for (error, code, text) in cases {
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
    }
}

/// A status says who failed.
#[test]
fn the_origin_is_told() {
    for (error, origin) in [
        (get(Kind::Unavailable), "component"),
        (get(Kind::InvalidArgument), "api"),
        (Error::PubsubEmpty, "api"),
        (Error::InvokeTimeout(1), "mesh"),
    ] {
        let status = Status::from(error);
        assert_eq!(status.metadata().get("x-tandem-origin").unwrap(), origin);
    }
}
