//! Attribute values in the forms that the tables use.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use uuid::Uuid;

use domain::time::{clamped, possible};

/// A DynamoDB item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The placeholders of attribute names in an expression: `#<name>` for each. A request takes them with
/// `set_expression_attribute_names`, so that no name can collide with a reserved word.
#[expect(clippy::unnecessary_wraps, reason = "it is what the setters of the SDK take")]
pub(crate) fn names<const N: usize>(names: [&str; N]) -> Option<HashMap<String, String>> {
    Some(names.map(|name| (format!("#{name}"), name.to_owned())).into())
}

/// A string.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A whole number.
pub(crate) fn n(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A list of strings.
pub(crate) fn list<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> AttributeValue {
    AttributeValue::L(texts.into_iter().map(s).collect())
}

/// A time, in milliseconds since the epoch, which expressions can compare. A time that cannot be is clamped, so that
/// every time that is written can be read.
pub(crate) fn time(at: Timestamp) -> AttributeValue {
    n(clamped(at).as_millisecond())
}

/// A time for DynamoDB's TTL, in seconds.
pub(crate) fn ttl(at: Timestamp) -> AttributeValue {
    n(at.as_second())
}

/// Reads a string.
pub(crate) fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Reads a whole number.
pub(crate) fn number_of(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// Reads a time. A time that cannot be ([`possible`]) is none.
pub(crate) fn time_of(item: &Item, name: &str) -> Option<Timestamp> {
    time_in(number_of(item, name)?)
}

/// Reads a time from milliseconds since the epoch. A time that cannot be is none.
pub(crate) fn time_in(milliseconds: i64) -> Option<Timestamp> {
    possible(Timestamp::from_millisecond(milliseconds).ok()?)
}

/// Reads an id.
pub(crate) fn uuid_of(item: &Item, name: &str) -> Option<Uuid> {
    text_of(item, name)?.parse().ok()
}

/// Reads a list of strings. Values of other types are left out.
pub(crate) fn texts_of(item: &Item, name: &str) -> Vec<String> {
    let list = item.get(name).and_then(|value| value.as_l().ok());
    let texts = list.into_iter().flatten().filter_map(|value| value.as_s().ok());
    texts.cloned().collect()
}
