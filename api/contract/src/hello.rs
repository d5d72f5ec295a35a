//! Greeting: the smallest building block, for checking that the runtime answers.

/// Greets.
pub trait Hello: Send + Sync + 'static {
    /// The greeting for `name`, which may be empty.
    fn greet(&self, name: &str) -> String;
}
