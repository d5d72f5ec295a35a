//! How often a pattern may repeat a part: RE2's bound, for counted repetitions one inside the other
//! together.

use std::convert::Infallible;

use regex_syntax::ast::{self, Ast, RepetitionKind, RepetitionRange, Visitor};

/// The most repetitions.
pub(super) const MOST: u64 = 1_000;

/// What is repeated too often, if anything is. A pattern that cannot be read has no repetitions:
/// compiling it says why.
pub(super) fn too_often(pattern: &str) -> Option<String> {
    let ast = ast::parse::Parser::new().parse(pattern).ok()?;
    let counts = Counts {
        times: vec![1],
        most: 1,
    };
    let most = match ast::visit(&ast, counts) {
        Ok(most) => most,
        Err(never) => match never {},
    };
    (most > MOST).then(|| format!("{most} repetitions"))
}

struct Counts {
    /// How often the part that is looked at is repeated by what is around it, from the outside in.
    times: Vec<u64>,
    most: u64,
}

impl Visitor for Counts {
    type Output = u64;
    type Err = Infallible;

    fn finish(self) -> Result<u64, Infallible> {
        Ok(self.most)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Infallible> {
        if let Some(count) = count(ast) {
            let around = self.times.last().copied().unwrap_or(1);
            let times = around.saturating_mul(count.max(1));
            self.times.push(times);
            self.most = self.most.max(times);
        }
        Ok(())
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), Infallible> {
        if count(ast).is_some() {
            self.times.pop();
        }
        Ok(())
    }
}

/// How often a counted repetition repeats; `*`, `+` and `?` count nothing.
fn count(ast: &Ast) -> Option<u64> {
    let Ast::Repetition(repetition) = ast else {
        return None;
    };
    let RepetitionKind::Range(range) = &repetition.op.kind else {
        return None;
    };
    Some(match range {
        RepetitionRange::Exactly(times)
        | RepetitionRange::AtLeast(times)
        | RepetitionRange::Bounded(_, times) => u64::from(*times),
    })
}
