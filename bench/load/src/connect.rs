//! A closed loop of connections: each is opened, makes one request, and is closed.

use std::cell::Cell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Error;
use crate::args::Args;
use crate::client::Target;

/// Prints `start` and `end` around the measured part, then the result.
pub(crate) async fn run(args: &Args) -> Result<(), Error> {
    let target = Rc::new(Target::parse(args)?);
    let begin = Instant::now();
    let from = begin + Duration::from_secs_f64(args.or("warmup", 1.0)?);
    let until = from + Duration::from_secs_f64(args.or("seconds", 4.0)?);
    let done = Rc::new(Cell::new(0_usize));
    let loops: Vec<_> = (0..args.need::<usize>("conns")?)
        .map(|_| {
            let (target, done) = (Rc::clone(&target), Rc::clone(&done));
            tokio::task::spawn_local(async move {
                while Instant::now() < until {
                    for mut slot in target.open(1).await? {
                        target.send(&mut slot).await?;
                    }
                    let now = Instant::now();
                    if now >= from && now < until {
                        done.set(done.get() + 1);
                    }
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    tokio::time::sleep_until(from.into()).await;
    say("start")?;
    tokio::time::sleep_until(until.into()).await;
    say("end")?;
    let seconds = (until - from).as_secs_f64();
    for each in loops {
        each.await??;
    }
    say(&format!("{{\"ok\":{},\"seconds\":{seconds}}}", done.get()))
}

/// One line, at once: the script waits for it.
fn say(line: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
