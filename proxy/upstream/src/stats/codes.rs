//! Answers counted by status and by class, as they come.

use std::sync::OnceLock;

use http::StatusCode;
use tandem_core::stats::{Sample, Tally, Value};

/// Answers by status; room is made for a class when its first answer comes.
#[derive(Debug, Default)]
pub(crate) struct Codes([OnceLock<Box<Class>>; 5]);

#[derive(Debug)]
struct Class {
    all: Tally,
    each: [Tally; 100],
}

impl Default for Class {
    fn default() -> Self {
        Self {
            all: Tally::default(),
            each: std::array::from_fn(|_| Tally::default()),
        }
    }
}

impl Codes {
    /// Counts one answer.
    pub(crate) fn record(&self, status: StatusCode) {
        let status = usize::from(status.as_u16());
        let class = (status / 100).checked_sub(1);
        if let Some(class) = class.and_then(|class| self.0.get(class)) {
            let class = class.get_or_init(Box::default);
            class.all.inc();
            class.each[status % 100].inc();
        }
    }

    /// All answers.
    pub(super) fn total(&self) -> u64 {
        let classes = self.0.iter().filter_map(OnceLock::get);
        classes.map(|class| class.all.get()).sum()
    }

    /// Shows what was counted: `<prefix>_2xx` and `<prefix>_200`.
    pub(super) fn visit(&self, prefix: &str, visit: &mut dyn FnMut(Sample<'_>)) {
        for (number, class) in (1..).zip(&self.0) {
            let Some(class) = class.get() else { continue };
            let number: u16 = number;
            visit(Sample {
                name: &format!("{prefix}_{number}xx"),
                family: &format!("{prefix}_xx"),
                label: Some(("envoy_response_code_class", &number.to_string())),
                value: Value::Counter(class.all.get()),
            });
            for (last, count) in (0..).zip(&class.each) {
                let last: u16 = last;
                let count = count.get();
                if count > 0 {
                    let status = number * 100 + last;
                    visit(Sample {
                        name: &format!("{prefix}_{status}"),
                        family: prefix,
                        label: Some(("envoy_response_code", &status.to_string())),
                        value: Value::Counter(count),
                    });
                }
            }
        }
    }
}
