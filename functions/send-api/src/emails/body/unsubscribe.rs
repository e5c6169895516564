//! The unsubscribe link that an email is to have: the field `okite_unsubscribe`.

use domain::message::{InvalidEmail, UNSUBSCRIBE_FIELD, UnsubscribeWish};
use domain::unsubscribe::Topic;
use serde_json::Value;

use super::field::{Object, wrong_type};

/// Removes the wish from an email's fields and returns it.
pub(super) fn field(object: &mut Object) -> Result<Option<UnsubscribeWish>, InvalidEmail> {
    match object.remove(UNSUBSCRIBE_FIELD) {
        None => Ok(None),
        Some(Value::Bool(true)) => Ok(Some(UnsubscribeWish::Link)),
        Some(Value::Bool(false)) => Err(InvalidEmail::field(
            UNSUBSCRIBE_FIELD,
            "must be true or a topic; leave it out for an email without an unsubscribe link of Okite's",
        )),
        Some(Value::String(topic)) => match Topic::parse(&topic) {
            Ok(topic) => Ok(Some(UnsubscribeWish::LinkFor(topic))),
            Err(error) => Err(InvalidEmail::field(UNSUBSCRIBE_FIELD, error)),
        },
        Some(other) => Err(wrong_type(UNSUBSCRIBE_FIELD, "true or a topic like \"news\"", &other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Option<UnsubscribeWish>, InvalidEmail> {
        field(&mut Object::from_iter([(UNSUBSCRIBE_FIELD.to_owned(), value)]))
    }

    #[test]
    fn reads_true_or_a_topic() {
        assert_eq!(field(&mut Object::new()).unwrap(), None);
        assert_eq!(read(json!(true)).unwrap(), Some(UnsubscribeWish::Link));
        let news = UnsubscribeWish::LinkFor(Topic::parse("news").unwrap());
        assert_eq!(read(json!("news")).unwrap(), Some(news));
        for wrong in [
            json!(false),
            json!("News"),
            json!(""),
            json!(1),
            json!(["news"]),
            json!({"topic": "news"}),
        ] {
            let error = read(wrong.clone()).unwrap_err();
            assert!(error.to_string().contains("`okite_unsubscribe`"), "{wrong}: {error}");
        }
    }
}
