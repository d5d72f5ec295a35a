//! Rpcs of Layotto's runtime that exist on the wire and are not served yet: they answer
//! `UNIMPLEMENTED` and say which one it is.

/// All of them, by name.
const NAMES: [&str; 12] = [
    "GetConfiguration",
    "SaveConfiguration",
    "DeleteConfiguration",
    "SubscribeConfiguration",
    "GetFile",
    "PutFile",
    "ListFile",
    "DelFile",
    "GetFileMeta",
    "InvokeBinding",
    "GetSecret",
    "GetBulkSecret",
];

/// The rpc of that name, if it is one of them.
pub(crate) fn name(method: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|name| *name == method)
}
