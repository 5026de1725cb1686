//! WAVE to JSON. Whether the values are those of their types is left to what encodes the JSON.

use serde_json::{Map, Value, json};
use wasm_wave::ast::{Node, NodeType};
use wasm_wave::parser::ParserError;
use wasm_wave::untyped::UntypedValue;

use super::super::cases;
use super::super::json::float;
use super::WaveError;
use crate::component::{Field, Type, TypeKind};

/// The values of arguments that are separated by commas.
pub(in crate::value) fn arguments(params: &[Field], text: &str) -> Result<Vec<Value>, WaveError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    // WAVE has tuples, but no lists of arguments. The line ends because a comment may be the last thing in it.
    let source = format!("({text}\n)");
    let syntax = |error: ParserError| syntax_error(text, &error);
    let tuple = UntypedValue::parse(&source).map_err(syntax)?;
    let nodes = tuple.node().as_tuple().map_err(syntax)?;
    let types = params.iter().map(|param| Some(&*param.ty)).chain(std::iter::repeat(None));
    nodes.zip(types).map(|(node, ty)| value(ty, node, &source).map_err(syntax)).collect()
}

fn syntax_error(text: &str, error: &ParserError) -> WaveError {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    // The parenthesis in front of the text makes of its bytes, counted from 0, those counted from 1.
    let before = text.char_indices().take_while(|(at, _)| at + 1 < error.span().start).count();
    WaveError::Syntax { message: format!("{}{detail}", error.kind()), character: before + 1 }
}

/// The value of a node. The type only says what options and the parts of a value are; without one, as for a part that
/// its type does not have, it becomes some JSON that is refused.
fn value(ty: Option<&Type>, node: &Node, source: &str) -> Result<Value, ParserError> {
    let kind = ty.map(|ty| &ty.kind);
    if let Some(TypeKind::Option(inner)) = kind {
        return option(inner, node, source);
    }
    if let Some(TypeKind::Result { ok: Some(ok), .. }) = kind
        && !matches!(node.ty(), NodeType::ResultOk | NodeType::ResultErr)
        && !matches!(ok.kind, TypeKind::Option(_) | TypeKind::Result { .. })
    {
        return Ok(json!({ "ok": value(Some(ok), node, source)? }));
    }
    Ok(match node.ty() {
        NodeType::BoolTrue => Value::Bool(true),
        NodeType::BoolFalse => Value::Bool(false),
        NodeType::Number => number(kind, node, source)?,
        NodeType::Char => Value::from(node.as_char(source)?.to_string()),
        NodeType::String | NodeType::MultilineString => Value::from(node.as_str(source)?),
        NodeType::List => match kind {
            Some(TypeKind::List(element)) => values(node.as_list()?.map(|node| (Some(&**element), node)), source)?,
            _ => values(node.as_list()?.map(|node| (None, node)), source)?,
        },
        NodeType::Tuple => {
            let types = match kind {
                Some(TypeKind::Tuple(types)) => &types[..],
                _ => &[],
            };
            let types = types.iter().map(|ty| Some(&**ty)).chain(std::iter::repeat(None));
            values(types.zip(node.as_tuple()?), source)?
        }
        NodeType::Record => {
            let fields = match kind {
                Some(TypeKind::Record(fields)) => &fields[..],
                _ => &[],
            };
            let ty = |name: &str| fields.iter().find(|field| field.name == name).map(|field| &*field.ty);
            let fields = node.as_record(source)?;
            let fields = fields.map(|(name, node)| Ok((name.to_owned(), value(ty(name), node, source)?)));
            Value::Object(fields.collect::<Result<_, ParserError>>()?)
        }
        NodeType::Flags => node.as_flags(source)?.map(|name| Value::from(name.trim_start_matches('%'))).collect(),
        NodeType::Label | NodeType::VariantWithPayload => {
            let (name, payload) = node.as_variant(source)?;
            case(ty, name, payload, source)?
        }
        NodeType::ResultOk => case(ty, "ok", node.as_result()?.unwrap_or_default(), source)?,
        NodeType::ResultErr => case(ty, "err", node.as_result()?.err().flatten(), source)?,
        NodeType::OptionSome => case(ty, "some", node.as_option()?, source)?,
        NodeType::OptionNone => case(ty, "none", None, source)?,
    })
}

/// An option of `inner`. WAVE allows its value without `some`, unless that could be meant for the option within it.
fn option(inner: &Type, node: &Node, source: &str) -> Result<Value, ParserError> {
    let is_nested = matches!(inner.kind, TypeKind::Option(_));
    match node.ty() {
        NodeType::OptionNone => Ok(Value::Null),
        NodeType::OptionSome => {
            let payload = node.as_option()?.expect("`some` has a payload");
            let value = value(Some(inner), payload, source)?;
            Ok(if is_nested { Value::Array(vec![value]) } else { value })
        }
        _ => value(Some(inner).filter(|_| !is_nested), node, source),
    }
}

fn values<'t, 'n>(
    nodes: impl Iterator<Item = (Option<&'t Type>, &'n Node)>,
    source: &str,
) -> Result<Value, ParserError> {
    nodes.map(|(ty, node)| value(ty, node, source)).collect()
}

fn case(ty: Option<&Type>, name: &str, payload: Option<&Node>, source: &str) -> Result<Value, ParserError> {
    let Some(payload) = payload else { return Ok(Value::from(name)) };
    let ty = ty.and_then(|ty| cases(&ty.kind).find(|(case, _)| *case == name)?.1);
    Ok(Value::Object(Map::from_iter([(name.to_owned(), value(ty, payload, source)?)])))
}

fn number(kind: Option<&TypeKind>, node: &Node, source: &str) -> Result<Value, ParserError> {
    if !matches!(kind, Some(TypeKind::F32 | TypeKind::F64)) {
        if let Ok(value) = node.as_number::<u64>(source) {
            return Ok(Value::from(value));
        }
        if let Ok(value) = node.as_number::<i64>(source) {
            return Ok(Value::from(value));
        }
    }
    let value: f64 = node.as_number(source)?;
    Ok(float(value))
}
