//! Connections that have each made one request and now do nothing.

use std::io::Write as _;

use tokio::io::AsyncReadExt as _;

use crate::Error;
use crate::args::Args;
use crate::client::Target;

/// Opens the connections, prints `ready`, and holds them until stdin ends.
pub(crate) async fn run(args: &Args) -> Result<(), Error> {
    let target = Target::parse(args)?;
    let mut held = Vec::new();
    for _ in 0..args.need::<usize>("conns")? {
        let mut slots = target.open(1).await?;
        for slot in &mut slots {
            target.send(slot).await?;
        }
        held.extend(slots);
    }
    println!("ready");
    std::io::stdout().flush()?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    drop(held);
    Ok(())
}
