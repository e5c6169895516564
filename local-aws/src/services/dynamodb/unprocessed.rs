//! The part of a batch that DynamoDB leaves unprocessed when it is short of throughput.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>

use serde_json::{Map, Value, json};

/// Keys or items, by table.
type Items = Map<String, Value>;

/// Returns the field of a batch operation's answer that holds what was not processed.
fn field(operation: &str) -> Option<&'static str> {
    match operation {
        "BatchGetItem" => Some("UnprocessedKeys"),
        "BatchWriteItem" => Some("UnprocessedItems"),
        _ => None,
    }
}

/// Takes up to `count` keys or items out of a request, the last ones of each table, and returns them in the request's
/// shape.
pub(super) fn take(request: &mut Value, mut count: usize) -> Items {
    let mut undone = Items::new();
    let Some(tables) = request["RequestItems"].as_object_mut() else {
        return undone;
    };
    for (table, wanted) in tables.iter_mut() {
        let Some(list) = list(wanted) else { continue };
        let taken = list.split_off(list.len().saturating_sub(count));
        count -= taken.len();
        let mut of_table = wanted.clone();
        if let (false, Some(list)) = (taken.is_empty(), self::list(&mut of_table)) {
            *list = taken;
            undone.insert(table.clone(), of_table);
        }
    }
    tables.retain(|_, wanted| list(wanted).is_none_or(|list| !list.is_empty()));
    undone
}

/// Returns whether a request has nothing left to do.
pub(super) fn is_empty(request: &Value) -> bool {
    request["RequestItems"].as_object().is_some_and(Map::is_empty)
}

/// Returns the answer of a batch of which nothing was processed.
pub(super) fn nothing_done(operation: &str) -> Value {
    match operation {
        "BatchGetItem" => json!({ "Responses": {} }),
        _ => json!({}),
    }
}

/// Adds what was not processed to an answer.
pub(super) fn give_back(operation: &str, answer: &mut Value, undone: Items) {
    let (Some(field), Some(answer)) = (field(operation), answer.as_object_mut()) else {
        return;
    };
    let all = answer.entry(field).or_insert_with(|| json!({}));
    if let Some(all) = all.as_object_mut() {
        all.extend(undone);
    }
}

/// Returns the keys or the items of one table. `BatchGetItem` has other members beside its keys.
fn list(wanted: &mut Value) -> Option<&mut Vec<Value>> {
    match wanted {
        Value::Array(list) => Some(list),
        wanted => wanted.get_mut("Keys")?.as_array_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get() -> Value {
        json!({ "RequestItems": {
            "a": { "Keys": [1, 2], "ConsistentRead": true },
            "b": { "Keys": [3] },
        }})
    }

    #[test]
    fn all_of_a_batch_is_returned_unprocessed_in_its_own_shape() {
        let (mut rest, request) = (get(), get());
        let undone = take(&mut rest, usize::MAX);
        assert_eq!(Value::Object(undone.clone()), request["RequestItems"]);
        assert!(is_empty(&rest));
        let mut answer = nothing_done("BatchGetItem");
        give_back("BatchGetItem", &mut answer, undone);
        assert_eq!(
            answer,
            json!({ "Responses": {}, "UnprocessedKeys": request["RequestItems"] })
        );
    }

    #[test]
    fn a_part_of_a_batch_is_returned_and_the_rest_is_carried_out() {
        let mut rest = get();
        let undone = take(&mut rest, 1);
        assert_eq!(
            Value::Object(undone),
            json!({ "a": { "Keys": [2], "ConsistentRead": true } })
        );
        assert_eq!(
            rest["RequestItems"],
            json!({ "a": { "Keys": [1], "ConsistentRead": true }, "b": { "Keys": [3] } })
        );
    }

    #[test]
    fn writes_have_their_items_right_below_the_table() {
        let mut rest = json!({ "RequestItems": { "a": [1, 2, 3] } });
        let undone = take(&mut rest, 2);
        assert_eq!(rest, json!({ "RequestItems": { "a": [1] } }));
        let mut answer = json!({ "UnprocessedItems": {} });
        give_back("BatchWriteItem", &mut answer, undone);
        assert_eq!(answer, json!({ "UnprocessedItems": { "a": [2, 3] } }));
    }

    #[test]
    fn an_event_that_is_no_batch_is_unchanged() {
        let mut request = json!({ "RequestItems": "nonsense" });
        assert!(take(&mut request, 1).is_empty() && !is_empty(&request));
    }
}
