//! Prints the fields of Envoy's configuration that are supported, as Markdown.

fn main() {
    print!("{}", tandem_xds_translate::supported_as_markdown());
}
