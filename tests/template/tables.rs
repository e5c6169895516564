//! The tables of the template, with their keys and indexes.

use local_aws::services::dynamodb::Dynamodb;
use serde_json::json;

use super::{stack, stack_with};

#[test]
fn has_the_seven_tables_with_their_keys_and_indexes() {
    let tables = stack().tables;
    let summary: Vec<_> = tables
        .iter()
        .map(|table| {
            (
                table.logical_id.as_str(),
                table.name.as_str(),
                table.time_to_live.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        summary,
        [
            ("SuppressionsTable", "okite-SuppressionsTable", None),
            ("MessagesTable", "okite-MessagesTable", Some("expires_at")),
            ("OutboxTable", "okite-OutboxTable", Some("expires_at")),
            ("WebhooksTable", "okite-WebhooksTable", None),
            ("DeliveriesTable", "okite-DeliveriesTable", Some("expires_at")),
            ("UsageTable", "okite-UsageTable", Some("expires_at")),
            ("ApiKeysTable", "okite-ApiKeysTable", None),
        ]
    );
    assert_eq!(
        tables[0].create,
        json!({
            "TableName": "okite-SuppressionsTable",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "address_hash", "AttributeType": "S"},
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "shard", "AttributeType": "S"},
            ],
            "KeySchema": [{"AttributeName": "address_hash", "KeyType": "HASH"}],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by-id",
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                },
                {
                    "IndexName": "newest",
                    "KeySchema": [
                        {"AttributeName": "shard", "KeyType": "HASH"},
                        {"AttributeName": "id", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                },
            ],
        })
    );
    assert_eq!(
        tables[2].create["GlobalSecondaryIndexes"],
        json!([{
            "IndexName": "wake",
            "KeySchema": [
                {"AttributeName": "wake_shard", "KeyType": "HASH"},
                {"AttributeName": "wake_at", "KeyType": "RANGE"},
            ],
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": ["key_id", "content_nonce", "size", "deadline"],
            },
        }])
    );
    assert_eq!(
        tables[5].create["KeySchema"],
        json!([
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ])
    );
    assert_eq!(
        tables[1].create["GlobalSecondaryIndexes"][0]["IndexName"],
        "by-recipient"
    );
    assert_eq!(tables[3].create.get("GlobalSecondaryIndexes"), None);
    assert_eq!(tables[6].create.get("GlobalSecondaryIndexes"), None);
    assert_eq!(
        tables[4].create["GlobalSecondaryIndexes"],
        json!([{
            "IndexName": "wake",
            "KeySchema": [
                {"AttributeName": "wake_shard", "KeyType": "HASH"},
                {"AttributeName": "wake_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["due_at"]},
        }])
    );
}

#[test]
fn has_tables_that_dynamodb_creates() {
    Dynamodb::open(None, &stack().tables).unwrap();
}

#[test]
fn a_table_that_begins_with_more_writes_is_the_same_table() {
    let warm = stack_with(&[("WarmWrites", "20000")]).unwrap();
    assert_eq!(warm.tables, stack().tables);
    assert!(stack_with(&[("WarmWrites", "3999")]).is_err());
}
