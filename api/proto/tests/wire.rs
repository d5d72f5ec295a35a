//! The compiled descriptors against the facts of Layotto's wire.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

const PACKAGE: &str = "spec.proto.runtime.v1";

/// Every service, message, field and enum value that Layotto has is here with its name, number,
/// type, label, oneof and JSON name, and there is nothing besides.
#[test]
fn descriptors_equal_the_facts_of_layottos_wire() {
    let facts: BTreeSet<String> = include_str!("layotto_wire.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let ours = facts_of(&FileDescriptorSet::decode(tandem_api_proto::FILE_DESCRIPTOR_SET).unwrap());
    let missing: Vec<_> = facts.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&facts).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "missing {missing:#?}\nextra {extra:#?}"
    );
    assert!(facts.len() > 200, "the table of facts is not whole");
}

/// The set holds what the files import too, as gRPC reflection requires.
#[test]
fn the_descriptor_set_is_closed_under_imports() {
    let set = FileDescriptorSet::decode(tandem_api_proto::FILE_DESCRIPTOR_SET).unwrap();
    let names: BTreeSet<_> = set.file.iter().map(|file| file.name().to_owned()).collect();
    for file in &set.file {
        for import in &file.dependency {
            assert!(names.contains(import), "{} imports {import}", file.name());
        }
    }
}

fn facts_of(set: &FileDescriptorSet) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for file in set.file.iter().filter(|file| file.package() == PACKAGE) {
        for service in &file.service {
            for rpc in &service.method {
                let shape = |streaming| if streaming { "stream" } else { "unary" };
                facts.insert(format!(
                    "rpc {PACKAGE}.{} {} {} {} {} {}",
                    service.name(),
                    rpc.name(),
                    rpc.input_type().trim_start_matches('.'),
                    shape(rpc.client_streaming()),
                    rpc.output_type().trim_start_matches('.'),
                    shape(rpc.server_streaming()),
                ));
            }
        }
        for message in &file.message_type {
            facts_of_message(message, &mut facts);
        }
    }
    facts
}

fn facts_of_message(message: &DescriptorProto, facts: &mut BTreeSet<String>) {
    let name = format!("{PACKAGE}.{}", message.name());
    facts.insert(format!("message {name}"));
    for values in &message.enum_type {
        for value in &values.value {
            facts.insert(format!(
                "enum {name}.{} {} {}",
                values.name(),
                value.name(),
                value.number()
            ));
        }
    }
    for field in &message.field {
        let entry = map_entry(message, field);
        let kind = match entry {
            Some(entry) => {
                format!(
                    "map<{},{}>",
                    type_name(&entry.field[0]),
                    type_name(&entry.field[1])
                )
            }
            None => type_name(field),
        };
        let label = match (entry, field.label()) {
            (Some(_), _) => "map",
            (None, Label::Repeated) => "repeated",
            (None, _) if field.proto3_optional() => "optional",
            (None, _) => "singular",
        };
        let oneof = match field.oneof_index {
            Some(index) if !field.proto3_optional() => message.oneof_decl[index as usize].name(),
            _ => "-",
        };
        facts.insert(format!(
            "field {name} {} {} {kind} {label} {oneof} {}",
            field.name(),
            field.number(),
            field.json_name()
        ));
    }
}

fn map_entry<'a>(
    message: &'a DescriptorProto,
    field: &FieldDescriptorProto,
) -> Option<&'a DescriptorProto> {
    message.nested_type.iter().find(|nested| {
        nested
            .options
            .as_ref()
            .is_some_and(|options| options.map_entry())
            && field
                .type_name()
                .ends_with(&format!(".{}.{}", message.name(), nested.name()))
    })
}

fn type_name(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
        Type::String => "string".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Int32 => "int32".to_owned(),
        Type::Int64 => "int64".to_owned(),
        other => format!("{other:?}"),
    }
}
