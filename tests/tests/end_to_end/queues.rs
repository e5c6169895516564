//! What fails is not lost: it comes again through the retry queue, each record by itself, and ends where a person looks.

use serde_json::{Value, json};
use shared::suppression::Registers;

use crate::feedback::hard_bounce;
use crate::support::Okite;

const FOREIGN_TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:elsewhere";

/// An event of SQS with these bodies, each with its id.
fn batch(records: &[(Value, String)]) -> Value {
    let record = |(id, body): &(Value, String)| json!({ "messageId": id, "eventSource": "aws:sqs", "body": body });
    json!({ "Records": records.iter().map(record).collect::<Vec<_>>() })
}

fn foreign(address: &str) -> String {
    json!({ "TopicArn": FOREIGN_TOPIC, "Message": hard_bounce(address, 1).to_string() }).to_string()
}

#[tokio::test]
async fn a_record_that_cannot_be_handled_fails_by_itself() {
    let okite = Okite::start().await;
    let mut other_account = hard_bounce("other@example.net", 1);
    other_account["mail"]["sendingAccountId"] = json!("111111111111");
    let records = [
        (json!("first"), hard_bounce("first@example.net", 1).to_string()),
        (json!("poison"), "hello".to_owned()),
        (json!("foreign"), foreign("foreign@example.net")),
        (json!("other"), other_account.to_string()),
        (json!("last"), hard_bounce("last@example.net", 1).to_string()),
    ];
    let answer = okite.invoke("feedback", &batch(&records)).await.unwrap();
    let failure = |id: &str| json!({ "itemIdentifier": id });
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [failure("poison"), failure("foreign"), failure("other")] })
    );
    for address in ["first@example.net", "last@example.net"] {
        assert!(okite.registers(address).await.bounce_at.is_some(), "{address}");
    }
    for address in ["foreign@example.net", "other@example.net"] {
        assert_eq!(okite.registers(address).await, Registers::default(), "{address}");
    }
}

#[tokio::test]
async fn a_record_that_fails_and_has_no_id_fails_its_batch() {
    let okite = Okite::start().await;
    let good = hard_bounce("good@example.net", 1).to_string();
    let records = [(Value::Null, "hello".to_owned()), (Value::Null, good)];
    let answer = okite.invoke("feedback", &batch(&records)).await.unwrap();
    // Lambda takes a whole batch for failed when an id is empty.
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }));
}
