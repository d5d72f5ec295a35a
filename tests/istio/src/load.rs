//! Calls that go on while something else happens.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::calls::{Connection, Request};
use crate::network::Machine;
use crate::rules;

const CALLERS: usize = 4;

/// What came of the calls so far.
#[derive(Default)]
pub struct Load {
    over: Cell<bool>,
    answered: Cell<usize>,
    failed: RefCell<Vec<String>>,
}

impl Load {
    /// Calls echo until `script` is done; each caller keeps its connection.
    pub async fn during<T>(from: &Machine, script: impl AsyncFnOnce(&Self) -> T) -> (T, Self) {
        let load = Self::default();
        let callers = futures_util::future::join_all((0..CALLERS).map(|_| load.call(from)));
        let script = async {
            let result = script(&load).await;
            load.over.set(true);
            result
        };
        let (result, _) = tokio::join!(script, callers);
        (result, load)
    }

    async fn call(&self, from: &Machine) {
        let request = Request::to(rules::HOST, "/load");
        let mut connection = None;
        while !self.over.get() {
            let open = match connection.take() {
                Some(open) => Ok(open),
                None => Connection::open(from, rules::ECHO),
            };
            let answer = match open {
                Ok(mut open) => {
                    let answer = open.call(&request).await;
                    connection = Some(open);
                    answer
                }
                Err(error) => Err(error),
            };
            match answer {
                Ok(answer) if answer.status == 200 => self.answered.set(self.answered.get() + 1),
                Ok(answer) => self.fail(format!(
                    "{} {}",
                    answer.status,
                    String::from_utf8_lossy(&answer.body)
                )),
                Err(error) => {
                    connection = None;
                    self.fail(error.to_string());
                }
            }
            // As often as a busy application calls, and no more: others use the machine as well.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn fail(&self, why: String) {
        self.failed.borrow_mut().push(why);
    }

    /// How many calls were answered with 200.
    pub fn answered(&self) -> usize {
        self.answered.get()
    }

    /// Waits until so many more were.
    pub async fn more(&self, count: usize) {
        let enough = self.answered() + count;
        tandem_harness::wait::until(Duration::from_secs(10), || self.answered() >= enough).await;
    }

    /// The first failures, and how many there were.
    pub fn failures(&self) -> String {
        let failed = self.failed.borrow();
        let first: Vec<&str> = failed.iter().take(3).map(String::as_str).collect();
        format!(
            "{} failed of {}: {first:?}",
            failed.len(),
            failed.len() + self.answered()
        )
    }

    /// Whether those that failed all failed with this.
    pub fn failed_only(&self, with: &str) -> bool {
        self.failed.borrow().iter().all(|why| why.starts_with(with))
    }

    /// Whether none failed.
    pub fn is_clean(&self) -> bool {
        self.failed.borrow().is_empty() && self.answered() > 0
    }
}
