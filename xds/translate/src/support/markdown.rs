//! The tables as a page of documentation.

use std::fmt::Write;

use tandem_model::format::{Accepted, accepted};

use super::table::AREAS;

/// Everything that is supported or ignored, as Markdown: a heading per area, a section per message.
pub fn markdown() -> String {
    let mut out = String::new();
    for area in AREAS {
        let _ = writeln!(out, "## {}\n", area.title);
        for ty in area.types {
            let _ = writeln!(out, "### `{}`\n", ty.name);
            for supported in ty.supported {
                let _ = write!(out, "- `{}`", supported.field);
                if !supported.only.is_empty() {
                    let only: Vec<_> = supported.only.iter().map(|v| format!("`{v}`")).collect();
                    let _ = write!(out, ": {}", only.join(", "));
                }
                out.push('\n');
            }
            for (field, why) in ty.ignored {
                let _ = writeln!(out, "- `{field}`: accepted and ignored, {why}");
            }
            out.push('\n');
        }
    }
    out.push_str("## Operators\n\n");
    out.push_str(OPERATORS);
    for Accepted { name, argument } in accepted() {
        let _ = match argument {
            "" => writeln!(out, "- `%{name}%`"),
            argument => writeln!(out, "- `%{name}({argument})%`"),
        };
    }
    out
}

const OPERATORS: &str = "\
Of access logs and of headers to add, with an example of what they take; a length may\n\
follow (`%REQ(USER-AGENT):20%`). Others are refused by name. They mean what they mean in\n\
Envoy, but for this: bytes on the wire of HTTP/2 streams and of upgraded connections are\n\
not known (`-`), metadata and filter state have no value, since only filters write them\n\
which are not here, and names there that begin with `envoy.` are refused.\n\n";
