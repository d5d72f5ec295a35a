//! What the quick pass knows of a message type: gathered once, when the first of it comes.

use std::sync::OnceLock;

use envoy_types::pb::validate::{FieldRules, field_rules::Type};
use prost::Message as _;

use crate::schema::{self, Kind, Message, Presence};
use crate::support::{self, Rule};
use crate::validate;

/// The fields of a message type that can be judged by themselves.
pub(super) struct Plan {
    fields: Vec<Field>,
    /// The places of fields that must be there, a bit each.
    required: u128,
    /// So for every oneof of which one member must be there.
    one_of: Vec<u128>,
}

/// One of them.
pub(super) struct Field {
    number: u32,
    pub(super) repeated: bool,
    /// Whether a zero is the same as nothing.
    pub(super) implicit: bool,
    /// The key of a map.
    pub(super) key: Option<Value>,
    pub(super) value: Value,
}

/// What is known of a value.
pub(super) struct Value {
    pub(super) kind: Kind,
    /// Whether nobody looks into the message.
    pub(super) leaf: bool,
    /// The values of an enum that are supported, unless all are.
    pub(super) only: Option<Vec<u64>>,
    pub(super) rules: Option<Box<FieldRules>>,
}

impl Plan {
    /// `None` for a type of which no message is plain.
    pub(super) fn of(ty: Message) -> Option<&'static Self> {
        static PLANS: OnceLock<Vec<OnceLock<Option<Box<Plan>>>>> = OnceLock::new();
        let plans = PLANS.get_or_init(|| (0..Message::count()).map(|_| OnceLock::new()).collect());
        let plan = plans.get(ty.index())?;
        plan.get_or_init(|| Self::new(ty).map(Box::new)).as_deref()
    }

    fn new(ty: Message) -> Option<Self> {
        let (mut fields, mut required, mut one_of) = (Vec::new(), 0, vec![0; 32]);
        for field in ty.fields() {
            let must = field.oneof().is_none() && validate::must_be_there(field);
            let Some(known) = Field::new(ty, field) else {
                match must {
                    true => return None,
                    false => continue,
                }
            };
            let bit = 1_u128.checked_shl(u32::try_from(fields.len()).ok()?)?;
            fields.push(known);
            if must {
                required |= bit;
            }
            if let Some(oneof) = field.oneof() {
                *one_of.get_mut(usize::from(oneof))? |= bit;
            }
        }
        let demanded = (0..).zip(one_of).filter(|(oneof, _)| ty.requires(*oneof));
        Some(Self {
            fields,
            required,
            one_of: demanded.map(|(_, members)| members).collect(),
        })
    }

    /// A field and its place.
    pub(super) fn field(&self, number: u32) -> Option<(usize, &Field)> {
        let mut fields = self.fields.iter().enumerate();
        fields.find(|(_, field)| field.number == number)
    }

    /// Whether these fields are all that must be there.
    pub(super) fn is_complete(&self, seen: u128) -> bool {
        seen & self.required == self.required && self.one_of.iter().all(|one| seen & one != 0)
    }
}

impl Field {
    /// `None` if it is not supported, or has a rule that is not one of its single values.
    fn new(of: Message, field: schema::Field) -> Option<Self> {
        let only = match support::rule(of, field) {
            Rule::Supported(only) => only,
            // Its rules hold all the same.
            Rule::Ignored if !matches!(field.kind(), Kind::Message(_)) => &[],
            Rule::Ignored | Rule::Unsupported => return None,
        };
        let rules = match field.rules() {
            Some(bytes) => Some(FieldRules::decode(bytes).ok()?),
            None => None,
        };
        let (mut key, mut kind, mut of_value) = (None, field.kind(), rules);
        if field.is_map() {
            let Kind::Message(entry) = kind else {
                return None;
            };
            let (keys, values) = match of_value.and_then(|rules| rules.r#type) {
                None => (None, None),
                Some(Type::Map(map)) if map.max_pairs.is_none() && map.min_pairs() <= 1 => {
                    (map.keys, map.values)
                }
                Some(_) => return None,
            };
            let name = entry.field(1).filter(|name| name.kind() == Kind::String)?;
            key = Some(Value::new(name.kind(), &[], keys.map(|rules| *rules))?);
            kind = entry.field(2)?.kind();
            of_value = values.map(|rules| *rules);
        } else if field.is_repeated() {
            of_value = match of_value.and_then(|rules| rules.r#type) {
                None => None,
                // It is there, so it has one.
                Some(Type::Repeated(list))
                    if list.max_items.is_none() && list.min_items() <= 1 && !list.unique() =>
                {
                    list.items.map(|rules| *rules)
                }
                Some(_) => return None,
            };
        }
        Some(Self {
            number: field.number(),
            repeated: field.is_repeated(),
            implicit: field.presence() == Presence::Implicit,
            key,
            value: Value::new(kind, only, of_value)?,
        })
    }
}

impl Value {
    fn new(kind: Kind, only: &[&str], rules: Option<FieldRules>) -> Option<Self> {
        let message = rules.as_ref().and_then(|rules| rules.message.as_ref());
        if message.is_some_and(|message| message.skip()) {
            return None;
        }
        let leaf = match kind {
            Kind::Message(ty) if ty.name() == "google.protobuf.Any" => return None,
            Kind::Message(ty) => ty.name().starts_with("google.protobuf."),
            _ => true,
        };
        let only = match kind {
            Kind::Enum(ty) if !only.is_empty() => {
                // Of two names for a number the first is its own.
                let name = |number| ty.values().find(|(_, other)| *other == number);
                let supported =
                    |number: &i32| name(*number).is_some_and(|(n, _)| only.contains(&n));
                let numbers = ty.values().map(|(_, number)| number).filter(supported);
                Some(numbers.map(|number| number as u64).collect())
            }
            _ => None,
        };
        Some(Self {
            kind,
            leaf,
            only,
            rules: rules.map(Box::new),
        })
    }
}
