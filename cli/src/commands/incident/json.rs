//! The facts as a JSON object, with all counts.

use serde_json::{Value, json};

use super::counts::Event;
use super::{IncidentFacts, ListChanges};

/// Returns the facts. What is not known is null.
pub(super) fn of(facts: &IncidentFacts) -> Value {
    let all = facts.counts.all();
    let event = |(event, count): (&Event, &u64)| {
        json!({
            "day": event.day,
            "kind": event.kind.as_str(),
            "stream": event.stream,
            "domain": event.domain,
            "class": event.class,
            "tags": event.tags,
            "key": event.key,
            "count": count,
        })
    };
    let list_changes = |(day, changes): (_, &ListChanges)| {
        json!({
            "day": day,
            "bounces": changes.bounces,
            "complaints": changes.complaints,
            "from_a_list": changes.listed,
            "lifted": changes.lifted,
        })
    };
    let brake_changes = facts.brake_changes.iter();
    json!({
        "since": facts.range.since,
        "until": facts.range.until,
        "region": facts.region,
        "written_at": facts.written_at,
        "hard_bounces": all.bounces,
        "complaints": all.complaints,
        "blocks": all.blocks,
        "left_out_at_verified_domains": facts.verified_known.then_some(facts.counts.at_verified),
        "unreadable": facts.counts.unreadable,
        "sent": facts.sent.iter().map(|(day, sent)| {
            json!({ "day": day, "recipients": sent.recipients, "at_least": sent.at_least })
        }).collect::<Value>(),
        "events": facts.counts.events.iter().map(event).collect::<Value>(),
        "suppression_list": facts.list_changes.iter().map(list_changes).collect::<Value>(),
        "brake": brake_changes.map(|change| {
            json!({ "at": change.at, "from": change.from.as_str(), "to": change.to.as_str() })
        }).collect::<Value>(),
        "dead_letters": facts.dead_letters.as_ref().ok(),
    })
}
