//! Says what is wrong with bootstraps: `cargo run -p tandem-xds-translate --example validate FILE…`.

use tandem_xds_translate::{Source, load};

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        match load(&[Source::file(path.as_str(), text)]) {
            Ok(_) => println!("{path}: ok"),
            Err(errors) => println!("{path}:\n{errors}"),
        }
    }
    Ok(())
}
