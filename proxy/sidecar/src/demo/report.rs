//! What the terminal shows: a line for each step, with the time it took.

use std::fmt;
use std::future::Future;
use std::time::Instant;

/// What a step found that it should not have.
#[derive(Debug)]
pub(super) struct Unexpected(pub(super) String);

impl<E: std::error::Error> From<E> for Unexpected {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Counts and prints steps.
#[derive(Debug, Default)]
pub(super) struct Report {
    taken: u32,
    failed: u32,
}

impl Report {
    /// Takes a step and prints what came of it.
    pub(super) async fn step<T: fmt::Display>(
        &mut self,
        what: &str,
        step: impl Future<Output = Result<T, Unexpected>>,
    ) {
        let begun = Instant::now();
        let result = step.await;
        let ms = begun.elapsed().as_secs_f64() * 1000.0;
        self.taken += 1;
        match result {
            Ok(found) => println!("  ok   {ms:7.2} ms  {what}\n                    {found}"),
            Err(Unexpected(reason)) => {
                self.failed += 1;
                println!("  FAIL {ms:7.2} ms  {what}\n                    {reason}");
            }
        }
    }

    /// Prints the sum; whether every step did what it should.
    pub(super) fn end(&self) -> bool {
        println!(
            "\n{} of {} steps did what they should",
            self.taken - self.failed,
            self.taken
        );
        self.failed == 0
    }
}

/// `Ok` if the condition holds.
pub(super) fn expect(holds: bool, otherwise: impl fmt::Display) -> Result<(), Unexpected> {
    if holds {
        Ok(())
    } else {
        Err(Unexpected(otherwise.to_string()))
    }
}
