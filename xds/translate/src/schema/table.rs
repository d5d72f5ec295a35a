//! The layout of `schema.bin`, and typed views of it.
//!
//! All numbers are little endian. Header: message count, enum count, then the offsets of five
//! sections: messages (16 bytes each, sorted by name), fields (24 bytes, sorted by number within a
//! message), enums (12 bytes, sorted by name), enum values (8 bytes), pool (length-prefixed names
//! and validation rules, the latter as serialised `validate.FieldRules`).

/// Rows of fields end with four bytes: kind, flags (1 repeated, 2 map, 4 packed, 8 deprecated,
/// 16 presence, 32 rules that absence can break, 64 sensitive), oneof, unused.
static TABLE: &[u8] = include_bytes!("schema.bin");

const NONE: u32 = u32::MAX;

fn word(at: usize) -> u32 {
    match TABLE.get(at..at + 4) {
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    }
}

fn section(index: usize, row: u32, size: usize) -> usize {
    word(8 + 4 * index) as usize + row as usize * size
}

fn pool(at: u32) -> &'static [u8] {
    let start = section(4, at, 1);
    let len = usize::from(TABLE[start]) | usize::from(TABLE[start + 1]) << 8;
    &TABLE[start + 2..start + 2 + len]
}

fn name(at: u32) -> &'static str {
    std::str::from_utf8(pool(at)).unwrap_or_default()
}

/// A message type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Message(u32);

/// A field of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Field(u32);

/// An enum type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Enum(u32);

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub(crate) enum Kind {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Message(Message),
    Bytes,
    Uint32,
    Enum(Enum),
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
}

/// How a field says that it is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    /// It is on the wire: messages, members of a oneof, `optional` scalars.
    Explicit,
    /// It differs from the type's zero.
    Implicit,
    /// It has elements.
    Repeated,
}

impl Message {
    /// Finds a message by its full name.
    pub(crate) fn named(full_name: &str) -> Option<Self> {
        search(word(0), full_name, |row| pool(word(Self(row).at()))).map(Self)
    }

    /// How many there are.
    pub(crate) fn count() -> u32 {
        word(0)
    }

    pub(crate) fn name(self) -> &'static str {
        name(word(self.at()))
    }

    /// Fields in the order of their numbers.
    pub(crate) fn fields(self) -> impl Iterator<Item = Field> {
        let first = word(self.at() + 4);
        (first..first + (word(self.at() + 8) & 0xffff)).map(Field)
    }

    pub(crate) fn field(self, number: u32) -> Option<Field> {
        self.fields().find(|f| f.number() == number)
    }

    /// Finds a field by its original or its lowerCamelCase name.
    pub(crate) fn field_named(self, key: &str) -> Option<Field> {
        self.fields()
            .find(|f| f.name() == key || f.json_name() == key)
    }

    /// Whether the oneof must have a member set.
    pub(crate) fn requires(self, oneof: u8) -> bool {
        word(self.at() + 12) >> oneof & 1 == 1
    }

    /// A number for tables that are indexed by message type.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    fn at(self) -> usize {
        section(0, self.0, 16)
    }
}

impl Field {
    pub(crate) fn name(self) -> &'static str {
        name(word(self.at()))
    }

    pub(crate) fn json_name(self) -> &'static str {
        name(word(self.at() + 4))
    }

    pub(crate) fn number(self) -> u32 {
        word(self.at() + 8)
    }

    pub(crate) fn kind(self) -> Kind {
        let of = word(self.at() + 12);
        match self.info(0) {
            1 => Kind::Double,
            2 => Kind::Float,
            3 => Kind::Int64,
            4 => Kind::Uint64,
            5 => Kind::Int32,
            6 => Kind::Fixed64,
            7 => Kind::Fixed32,
            8 => Kind::Bool,
            9 => Kind::String,
            12 => Kind::Bytes,
            13 => Kind::Uint32,
            14 => Kind::Enum(Enum(of)),
            15 => Kind::Sfixed32,
            16 => Kind::Sfixed64,
            17 => Kind::Sint32,
            18 => Kind::Sint64,
            _ => Kind::Message(Message(of)),
        }
    }

    pub(crate) fn is_repeated(self) -> bool {
        self.info(1) & 1 != 0
    }

    /// A map, that is: a repeated message with `key = 1` and `value = 2`.
    pub(crate) fn is_map(self) -> bool {
        self.info(1) & 2 != 0
    }

    pub(crate) fn is_packed(self) -> bool {
        self.info(1) & 4 != 0
    }

    pub(crate) fn presence(self) -> Presence {
        match self.info(1) {
            flags if flags & 1 != 0 => Presence::Repeated,
            flags if flags & 16 != 0 => Presence::Explicit,
            _ => Presence::Implicit,
        }
    }

    /// Which oneof of its message it belongs to.
    pub(crate) fn oneof(self) -> Option<u8> {
        Some(self.info(2)).filter(|&index| index != u8::MAX)
    }

    /// Serialised `validate.FieldRules`.
    pub(crate) fn rules(self) -> Option<&'static [u8]> {
        Some(word(self.at() + 16))
            .filter(|&at| at != NONE)
            .map(pool)
    }

    /// Whether its rules can be broken by leaving it out.
    pub(crate) fn rules_need_value(self) -> bool {
        self.info(1) & 32 != 0
    }

    /// Whether nobody may see it, nor what is below it.
    pub(crate) fn is_sensitive(self) -> bool {
        self.info(1) & 64 != 0
    }

    fn info(self, byte: usize) -> u8 {
        TABLE[self.at() + 20 + byte]
    }

    fn at(self) -> usize {
        section(1, self.0, 24)
    }
}

impl Enum {
    pub(crate) fn name(self) -> &'static str {
        name(word(self.at()))
    }

    /// Names and numbers, in the order of the `.proto` file.
    pub(crate) fn values(self) -> impl Iterator<Item = (&'static str, i32)> {
        let first = word(self.at() + 4);
        (first..first + word(self.at() + 8)).map(|row| {
            let at = section(3, row, 8);
            (name(word(at)), word(at + 4).cast_signed())
        })
    }

    fn at(self) -> usize {
        section(2, self.0, 12)
    }
}

fn search(count: u32, wanted: &str, name_of: impl Fn(u32) -> &'static [u8]) -> Option<u32> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        match name_of(middle).cmp(wanted.as_bytes()) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return Some(middle),
        }
    }
    None
}
