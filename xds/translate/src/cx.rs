//! Where a translator is, and where it says what is wrong.

use std::cell::{Cell, RefCell};

use crate::error::{Error, Trail};

/// A place in the configuration. Translators report what they find there and go on, so that one
/// run names everything; who started them asks [`Report`] at the end.
#[derive(Clone, Copy)]
pub(crate) struct Cx<'a> {
    trail: Trail<'a>,
    report: &'a Report,
}

/// What was found so far.
#[derive(Default)]
pub(crate) struct Report {
    errors: RefCell<Vec<Error>>,
    /// Clusters that have to be there, and what is said if they are not.
    needs: RefCell<Vec<(String, Error)>>,
    /// Whether anything comes from elsewhere.
    subscribes: Cell<bool>,
}

impl Report {
    pub(crate) fn root(&self) -> Cx<'_> {
        Cx {
            trail: Trail::ROOT,
            report: self,
        }
    }

    /// The value, if nothing was wrong with it.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Error>> {
        let mut errors = self.errors.into_inner();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => {
                if errors.is_empty() {
                    errors.push(Error::new(
                        &Trail::ROOT,
                        "expected a complete configuration",
                    ));
                }
                Err(errors)
            }
        }
    }
}

impl<'a> Cx<'a> {
    pub(crate) fn field(&'a self, name: &'a str) -> Cx<'a> {
        Cx {
            trail: self.trail.field(name),
            report: self.report,
        }
    }

    /// An element of a repeated field.
    pub(crate) fn index(&'a self, index: usize) -> Cx<'a> {
        Cx {
            trail: self.trail.index(index),
            report: self.report,
        }
    }

    /// An entry of a map field.
    pub(crate) fn key(&'a self, key: &'a str) -> Cx<'a> {
        Cx {
            trail: self.trail.key(key),
            report: self.report,
        }
    }

    pub(crate) fn error(&self, reason: impl Into<String>) {
        let mut errors = self.report.errors.borrow_mut();
        errors.push(Error::new(&self.trail, reason));
    }

    /// What is here needs a cluster that can be called before any control plane has answered.
    /// Which there are is known to a whole bootstrap only, which asks [`Cx::missing`].
    pub(crate) fn needs(&self, cluster: &str) {
        let reason = format!(
            "expected a static cluster whose endpoints no control plane says, '{cluster}' is none"
        );
        let mut needs = self.report.needs.borrow_mut();
        needs.push((cluster.to_owned(), Error::new(&self.trail, reason)));
    }

    /// Reports the clusters that were needed and that are not there.
    pub(crate) fn missing(&self, is_there: impl Fn(&str) -> bool) {
        let needs = self.report.needs.take().into_iter();
        let missing = needs.filter(|(cluster, _)| !is_there(cluster));
        let mut errors = self.report.errors.borrow_mut();
        errors.extend(missing.map(|(_, error)| error));
    }

    /// Something here comes from elsewhere.
    pub(crate) fn subscribes(&self) {
        self.report.subscribes.set(true);
    }

    /// Whether anything does.
    pub(crate) fn has_subscribed(&self) -> bool {
        self.report.subscribes.get()
    }

    /// The value, or `None` and an error that says why.
    pub(crate) fn ok<T, E: std::fmt::Display>(&self, result: Result<T, E>) -> Option<T> {
        result.map_err(|e| self.error(e.to_string())).ok()
    }

    /// Translates every element; those that are wrong are left out (and reported).
    pub(crate) fn each<P, T>(
        &self,
        field: &str,
        items: &[P],
        translate: impl Fn(&Cx<'_>, &P) -> Option<T>,
    ) -> Vec<T> {
        let cx = self.field(field);
        let item = |(i, item)| translate(&cx.index(i), item);
        items.iter().enumerate().filter_map(item).collect()
    }
}
