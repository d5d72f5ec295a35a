//! The tables as a page of documentation.

use std::fmt::Write;

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
    out
}
