//! One line a check, and what they come to.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What was checked.
#[derive(Default)]
pub struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    /// Says whether something is as it should be.
    pub fn equal<T: PartialEq + Debug>(&mut self, what: &str, found: T, expected: T) {
        let good = found == expected;
        self.say(
            what,
            good,
            &format!("found {found:?}, expected {expected:?}"),
        );
    }

    /// Says whether something succeeded.
    pub fn succeeded<T, E: std::fmt::Display>(
        &mut self,
        what: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.say(what, true, "");
                Some(value)
            }
            Err(error) => {
                self.say(what, false, &error.to_string());
                None
            }
        }
    }

    /// Says whether something becomes as it should be, and how long that took.
    pub async fn becomes<T: PartialEq + Debug, F: Future<Output = T>>(
        &mut self,
        what: &str,
        limit: Duration,
        mut ask: impl FnMut() -> F,
        expected: T,
    ) {
        let began = Instant::now();
        loop {
            let found = ask().await;
            let took = began.elapsed();
            if found == expected {
                self.say(&format!("{what} ({} ms)", took.as_millis()), true, "");
                return;
            }
            if took >= limit {
                let why = format!("found {found:?}, expected {expected:?} within {limit:?}");
                self.say(what, false, &why);
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Says how it went.
    pub fn say(&mut self, what: &str, good: bool, why: &str) {
        if good {
            self.passed += 1;
            println!("ok   {what}");
        } else {
            self.failed += 1;
            println!("FAIL {what}: {why}");
        }
    }

    /// How many passed, how many failed.
    pub fn counts(&self) -> (usize, usize) {
        (self.passed, self.failed)
    }

    /// Takes another's counts.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}
