//! The parts of Resend's API that Okite does not have, and what to use instead.

/// The beginning of a path, and what to use instead. `*` stands for any segment.
const NOT_OFFERED: [(&str, &str); 13] = [
    (
        "domains",
        "Okite has no domains of its own: it sends from the verified identities of Amazon SES. Create \
         one with `okite domains create`, and print its DNS records with `okite domains records`.",
    ),
    (
        "api-keys",
        "API keys are not managed by the API, so that a stolen key cannot make others. Use `okite keys create`, `okite \
         keys list` and `okite keys revoke`.",
    ),
    (
        "audiences",
        "Okite keeps no audiences. Keep your lists in your application, and send to them with POST /emails/batch.",
    ),
    (
        "contacts",
        "Okite keeps no contacts. Keep them in your application, and send to them with POST /emails/batch. An address \
         that must get no mail belongs in POST /suppressions.",
    ),
    (
        "contact-properties",
        "Okite keeps no properties of contacts. Keep them in your application, and write them into each email of POST \
         /emails/batch.",
    ),
    (
        "segments",
        "Okite keeps no segments. Choose the recipients in your application, and send to them with POST /emails/batch.",
    ),
    (
        "broadcasts",
        "Okite has no broadcasts. Create a key with `okite keys create --stream bulk`, and send one email for each \
         person with POST /emails/batch, up to 100 a request.",
    ),
    (
        "topics",
        "This endpoint for topics does not exist. Name the topic of each email in `okite_unsubscribe`, and Okite keeps \
         who left it: see docs/UNSUBSCRIBE.md. GET /suppressions?topic=TOPIC lists these people.",
    ),
    (
        "templates",
        "Okite has no templates. Render the email in your application, and send it as `html` and `text` with POST \
         /emails.",
    ),
    (
        "automations",
        "Okite has no automations. Send each email when its time has come, or give it a `scheduled_at` in POST \
         /emails.",
    ),
    (
        "logs",
        "Okite has no log of requests in the API. GET /emails lists the emails, GET /webhooks/{id}/events the events \
         of a webhook, and the logs of the functions are in CloudWatch.",
    ),
    (
        "emails/receiving",
        "Okite only sends mail. Amazon SES can receive mail for a domain by receipt rules of its own.",
    ),
    (
        "emails/*/attachments",
        "Okite keeps no attachments of emails that were sent. Keep the files in your application.",
    ),
];

/// Returns what to use instead of a path, which has no slash at its ends; `None` if it is no path of Resend's API.
pub(crate) fn instead_of(path: &str) -> Option<&'static str> {
    let begins = |pattern: &str| {
        let mut segments = path.split('/');
        pattern.split('/').all(|expected| {
            segments
                .next()
                .is_some_and(|segment| expected == "*" || expected == segment)
        })
    };
    let mut found = NOT_OFFERED.iter().filter(|(pattern, _)| begins(pattern));
    found.next().map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::ApiError;
    use crate::route::{OPERATIONS, Route};

    fn refusal(method: &str, path: &str) -> ApiError {
        Route::of(method, path).unwrap_err()
    }

    #[test]
    fn each_part_of_resends_api_has_a_sentence_of_its_own() {
        let sentences: BTreeSet<&str> = NOT_OFFERED.iter().map(|(_, instead)| *instead).collect();
        assert_eq!(sentences.len(), NOT_OFFERED.len());
        for (method, path, words) in [
            ("GET", "/domains", "okite domains create"),
            ("POST", "/domains/4dd369bc/verify", "okite domains create"),
            ("POST", "/api-keys", "okite keys create"),
            ("DELETE", "/api-keys/b6d24b8e/", "okite keys revoke"),
            ("GET", "/audiences/78261eea/contacts", "audiences"),
            ("PATCH", "/contacts/anna%40example.org", "POST /suppressions"),
            ("POST", "/broadcasts/559ac32e/send", "--stream bulk"),
            ("GET", "/topics/news", "`okite_unsubscribe`"),
            ("POST", "/topics", "docs/UNSUBSCRIBE.md"),
            ("GET", "/emails/receiving", "only sends"),
            ("GET", "/emails/receiving/4ef9a417/attachments", "only sends"),
            ("GET", "/emails/4ef9a417/attachments/2a0c9ce0", "attachments"),
        ] {
            let error = refusal(method, path);
            assert_eq!((error.status, error.name), (404, "not_found"), "{path}");
            assert!(error.message.contains(words), "{path}: {}", error.message);
        }
    }

    #[test]
    fn other_paths_get_the_list_of_endpoints() {
        for path in ["/domain", "/api-keyss", "/emails/a/b", "/DOMAINS"] {
            assert!(refusal("GET", path).message.contains("The endpoints are"), "{path}");
        }
    }

    #[test]
    fn no_endpoint_of_okite_is_refused() {
        for (_, path, _) in OPERATIONS {
            assert_eq!(instead_of(path.trim_matches('/')), None, "{path}");
        }
    }
}
