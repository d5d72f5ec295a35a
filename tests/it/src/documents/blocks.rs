//! Fenced blocks of a Markdown file.

use std::path::{Path, PathBuf};

/// What an example is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole bootstrap that is accepted.
    Bootstrap,
    /// A whole bootstrap that is refused with the text of the next block.
    Refused,
    /// One entry of `http_filters`.
    HttpFilter,
    /// A Dapr component.
    Component,
    /// Lines for a shell, each a command; `curl` ones find a `tandem run` with nothing but defaults.
    Shell,
    /// A program for Node.js that finds the same.
    JavaScript,
    /// Shown to be read: what a command prints, or a plan of the tree.
    Text,
    /// No such kind.
    Unknown,
}

/// One example.
#[derive(Clone, Debug)]
pub struct Block {
    /// File and line.
    pub place: String,
    /// What the fence says.
    pub label: String,
    /// The same, understood.
    pub kind: Kind,
    /// What is between the fences.
    pub text: String,
    /// The text of a [`Kind::Text`] block that follows at once: what is to be printed.
    pub prints: Option<String>,
}

impl Block {
    /// The file.
    pub fn page(&self) -> &str {
        self.place.rsplit_once(':').unwrap().0
    }
}

/// The blocks of a file.
pub fn read(file: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(label)) => {
                open = Some(Block {
                    place: format!("{}:{}", file.display(), number + 1),
                    label: label.to_owned(),
                    kind: kind(label),
                    text: String::new(),
                    prints: None,
                });
            }
            (Some(_), Some(_)) => {
                let block = open.take().unwrap();
                if let (Kind::Text, Some(last)) = (block.kind, found.last_mut()) {
                    last.prints.get_or_insert_with(|| block.text.clone());
                }
                found.push(block);
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block has no end", file.display());
    found
}

/// The Markdown files of a folder, or the file itself.
pub fn markdown(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let files = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|kind| kind == "md"))
        .collect()
}

fn kind(label: &str) -> Kind {
    match label {
        "yaml bootstrap" => Kind::Bootstrap,
        "yaml refused" => Kind::Refused,
        "yaml http_filter" => Kind::HttpFilter,
        "yaml component" => Kind::Component,
        "sh" => Kind::Shell,
        "js" => Kind::JavaScript,
        "text" => Kind::Text,
        _ => Kind::Unknown,
    }
}
