//! An open loop: requests are sent when they are due, and latency counts from that instant, so
//! that a slow answer cannot hide the ones that should have been sent meanwhile.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Error;
use crate::args::Args;
use crate::client::{Slot, Target};
use crate::schedule::Schedule;
use crate::timer::Timer;

/// How long the last answers may take after the last request is sent.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the schedule; prints `start` and `end` around the measured part, then the result.
pub(crate) async fn run(args: &Args) -> Result<(), Error> {
    let rate: f64 = args.need("rate")?;
    let warmup = Duration::from_secs_f64(args.or("warmup", 1.0)?);
    let length = warmup + Duration::from_secs_f64(args.or("seconds", 4.0)?);
    let target = Target::parse(args)?;
    let mut idle = VecDeque::new();
    for _ in 0..args.need::<usize>("conns")? {
        idle.extend(target.open(args.or("streams", 1)?).await?);
    }
    let load = Rc::new(Load {
        target,
        state: RefCell::new(State {
            idle,
            ..State::default()
        }),
    });

    let timer = Timer::new()?;
    let begin = Instant::now();
    let mut measured_from = None;
    for due in Schedule::new(rate, length, args.or("seed", 42)?) {
        timer.until(begin + due).await?;
        if due >= warmup && measured_from.is_none() {
            measured_from = Some(Instant::now());
            say("start")?;
        }
        load.dispatch(begin + due, due >= warmup);
    }
    let last = Instant::now();
    while load.state.borrow().open > 0 && last.elapsed() < GRACE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    say("end")?;
    let seconds = measured_from
        .ok_or("no request was due")?
        .elapsed()
        .as_secs_f64();
    say(&load.state.borrow_mut().report(seconds))
}

struct Load {
    target: Target,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    idle: VecDeque<Slot>,
    /// Due, but every place is taken.
    backlog: VecDeque<(Instant, bool)>,
    open: usize,
    latencies: Vec<u64>,
    failed: usize,
    first_error: Option<String>,
}

impl Load {
    fn dispatch(self: &Rc<Self>, due: Instant, measured: bool) {
        let mut state = self.state.borrow_mut();
        state.open += 1;
        match state.idle.pop_front() {
            Some(slot) => {
                tokio::task::spawn_local(Rc::clone(self).work(slot, due, measured));
            }
            None => state.backlog.push_back((due, measured)),
        }
    }

    /// Serves one request, and then whatever waits for a place.
    async fn work(self: Rc<Self>, mut slot: Slot, mut due: Instant, mut measured: bool) {
        loop {
            let outcome = self.target.send(&mut slot).await;
            let took = due.elapsed();
            let mut state = self.state.borrow_mut();
            state.open -= 1;
            match outcome {
                Ok(_) if measured => state.latencies.push(took.as_nanos() as u64),
                Ok(_) => {}
                Err(error) => {
                    state.failed += 1;
                    state.first_error.get_or_insert_with(|| error.to_string());
                }
            }
            match state.backlog.pop_front() {
                Some(next) => (due, measured) = next,
                None => return state.idle.push_back(slot),
            }
        }
    }
}

impl State {
    fn report(&mut self, seconds: f64) -> String {
        self.latencies.sort_unstable();
        let ok = self.latencies.len();
        let at = |share: f64| {
            let index = ((ok as f64 * share).ceil() as usize).saturating_sub(1);
            self.latencies.get(index).copied().unwrap_or(0) as f64 / 1000.0
        };
        let mean = self.latencies.iter().sum::<u64>() as f64 / (ok.max(1) as f64 * 1000.0);
        format!(
            "{{\"ok\":{ok},\"failed\":{},\"unanswered\":{},\"error\":{:?},\"seconds\":{seconds},\
             \"mean_us\":{mean},\"p50_us\":{},\"p90_us\":{},\"p99_us\":{},\"p999_us\":{},\
             \"max_us\":{}}}",
            self.failed,
            self.open,
            self.first_error.as_deref().unwrap_or(""),
            at(0.5),
            at(0.9),
            at(0.99),
            at(0.999),
            at(1.0),
        )
    }
}

/// One line, at once: the script waits for it.
fn say(line: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
